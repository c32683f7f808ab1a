/** The photo in depth, cut by the focal plane: dragged to turn it, its sheet's rim dragged to move the focal plane. */

import type { Frames } from "../../law/unpack";
import { clamp } from "../../ui/stage";
import { Camera, type Matrix, onScreen } from "./camera";
import { makeRelief, reliefZ } from "./relief";
import { Renderer } from "./renderer";

/** Width of the sheet's rim beyond the picture, by which it is dragged, in half heights of the picture. */
const RIM = 0.13;
/** How far beyond the rim a press still takes hold of it, on the outer and on the inner side. */
const RIM_SLACK = { outer: 0.04, inner: 0.02 };
/** Radians for a drag over the whole canvas. */
const TURN_BY_DRAG = { yaw: 2.4, pitch: 1.8 };
const TURN_BY_KEY = 0.1;
/** Share of the depth for one press of Page Up or Page Down. */
const FOCUS_BY_KEY = 0.02;
/** Share of the depth over which the depth axis is measured on the screen. */
const AXIS_STEP = 0.05;

type Position = [x: number, y: number];

/** A pointer that is down: where it was last, or where it took hold of the sheet and where the sheet stood then. */
type Grab = { kind: "scene"; x: number; y: number } | { kind: "sheet"; x: number; y: number; share: number };

export class Scene3D {
  readonly canvas = document.createElement("canvas");
  /** Where the sheet is dragged to, as a share of the depth: 0 far, 1 near. */
  onFocus: (share: number) => void = () => undefined;
  onGrab: (grabbed: boolean) => void = () => undefined;

  private readonly renderer: Renderer;
  private readonly camera = new Camera();
  private aspect = 1.5;
  private focus: number | null = null;
  private overRim = false;
  private grab: Grab | null = null;

  /** @throws Error if the browser has no WebGL 2. */
  constructor() {
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute(
      "aria-label",
      "The photo in depth, with the focal plane. Arrow keys turn it, Page Up and Page Down move the plane.",
    );
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.renderer = new Renderer(gl);
    this.listen();
  }

  /** Free what the graphics card holds. */
  close(): void {
    this.renderer.close();
    this.canvas.remove();
  }

  setScene(map: Frames, index: number, photo: TexImageSource | null): void {
    const relief = makeRelief(map, index);
    this.aspect = relief.aspect;
    this.renderer.upload(relief, photo);
    this.draw();
  }

  /** Place of the focal plane as a share of the depth, or null where it is not known. */
  setFocus(share: number | null): void {
    if (share === this.focus) return;
    this.focus = share;
    this.draw();
  }

  private draw(): void {
    const zoom = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth * zoom, this.canvas.clientHeight * zoom].map(Math.round);
    if (width === 0 || height === 0) return;
    if (this.canvas.width !== width || this.canvas.height !== height)
      [this.canvas.width, this.canvas.height] = [width, height];
    const sheet =
      this.focus === null
        ? null
        : { halfWidth: this.aspect + RIM, halfHeight: 1 + RIM, z: reliefZ(this.focus), hover: this.overRim };
    this.renderer.draw(this.view(), this.aspect, sheet, width, height);
  }

  private view(): Matrix {
    return this.camera.matrix(this.aspect, this.canvas.width, this.canvas.height);
  }

  /** Whether a position lies on the sheet's rim. */
  private isOnRim(at: Position): boolean {
    if (this.focus === null) return false;
    const z = reliefZ(this.focus);
    const view = this.view();
    const inRectangle = (halfWidth: number, halfHeight: number): boolean => {
      const corners = [
        [-halfWidth, -halfHeight],
        [halfWidth, -halfHeight],
        [halfWidth, halfHeight],
        [-halfWidth, halfHeight],
      ].map(([x, y]) => onScreen(view, [x, y, z]));
      return isInConvex(corners, at);
    };
    const { outer, inner } = RIM_SLACK;
    return inRectangle(this.aspect + RIM + outer, 1 + RIM + outer) && !inRectangle(this.aspect - inner, 1 - inner);
  }

  private positionOf(event: PointerEvent): Position {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  }

  private turn(yaw: number, pitch: number): void {
    this.camera.turn(yaw, pitch);
    this.draw();
  }

  private listen(): void {
    const { canvas } = this;
    const release = (): void => {
      if (this.grab?.kind === "sheet") this.onGrab(false);
      this.grab = null;
    };
    canvas.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      this.move(this.positionOf(event));
    });
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    event.stopPropagation();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.positionOf(event);
    if (this.isOnRim([x, y])) {
      this.grab = { kind: "sheet", x, y, share: this.focus ?? 0.5 };
      this.onGrab(true);
    } else this.grab = { kind: "scene", x, y };
  }

  private move([x, y]: Position): void {
    const { grab } = this;
    if (!grab) this.hover([x, y]);
    else if (grab.kind === "scene") {
      this.turn((x - grab.x) * TURN_BY_DRAG.yaw, (y - grab.y) * TURN_BY_DRAG.pitch);
      [grab.x, grab.y] = [x, y];
    } else this.onFocus(clamp(grab.share + this.shareAlongAxis(grab.share, x - grab.x, y - grab.y), 0, 1));
  }

  private hover(at: Position): void {
    const overRim = this.isOnRim(at);
    if (overRim === this.overRim) return;
    this.overRim = overRim;
    this.canvas.style.cursor = overRim ? "move" : "grab";
    this.draw();
  }

  /** Share of the depth for a way on the screen, along the depth axis at the sheet's corner, which moves under the pointer. */
  private shareAlongAxis(share: number, x: number, y: number): number {
    const view = this.view();
    const corner = (at: number): Position => onScreen(view, [-this.aspect, -1, reliefZ(at)]);
    const [a, b] = [corner(share), corner(share + AXIS_STEP)];
    const [dx, dy] = [(b[0] - a[0]) / AXIS_STEP, (b[1] - a[1]) / AXIS_STEP];
    return (x * dx + y * dy) / Math.max(dx * dx + dy * dy, 1e-4); // an axis seen from its end has no length
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns: Record<string, [yaw: number, pitch: number] | undefined> = {
      ArrowLeft: [-TURN_BY_KEY, 0],
      ArrowRight: [TURN_BY_KEY, 0],
      ArrowUp: [0, -TURN_BY_KEY],
      ArrowDown: [0, TURN_BY_KEY],
    };
    const turn = turns[event.key];
    const move = event.key === "PageUp" ? -FOCUS_BY_KEY : event.key === "PageDown" ? FOCUS_BY_KEY : 0;
    if (turn) this.turn(...turn);
    else if (move !== 0 && this.focus !== null) {
      this.onGrab(true);
      this.onFocus(clamp(this.focus + move, 0, 1));
      this.onGrab(false);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Whether a position lies on the same side of all edges of a convex outline. */
function isInConvex(corners: readonly Position[], [x, y]: Position): boolean {
  const sides = corners.map(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length];
    return Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
  });
  return Math.abs(sides.reduce((a, b) => a + b, 0)) === corners.length;
}
