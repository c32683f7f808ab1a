/** A picture that fills its place as far as its shape allows, and positions on it. */

import { html } from "./dom";
import { t } from "./words";

export interface Place {
  x: number;
  y: number;
}

/** Heights of a view's buttons and of its status line with the gaps, and of the picture at least and at most, in px. */
const BUTTONS_HEIGHT = 30;
const STATUS_HEIGHT = 22;
const PICTURE_HEIGHT = { least: 150, most: 420 };
/** How much narrower than its node a picture is, and its least width. */
const NODE_MARGIN = 30;
const LEAST_WIDTH = 200;

/**
 * Height of a view with a picture of that aspect (width over height), in a node of that width.
 *
 * In whole pixels: the browser lays out in steps of 1/64, Nodes 2.0 writes its height back into the node, and ComfyUI
 * would take the difference for a change, which ends what redo holds.
 */
export function viewHeight(nodeWidth: number, aspect: number): number {
  const width = Math.max(nodeWidth - NODE_MARGIN, LEAST_WIDTH);
  return BUTTONS_HEIGHT + STATUS_HEIGHT + Math.ceil(clamp(width / aspect, PICTURE_HEIGHT.least, PICTURE_HEIGHT.most));
}

export class Stage {
  readonly element: HTMLDivElement;
  readonly canvas = html("canvas");
  readonly empty = html("div", { class: "rf-empty" });
  private aspect = 1.5;

  constructor(label: string) {
    this.element = html("div", { class: "rf-stage", tabindex: 0, role: "application", "aria-label": t(label) });
    this.element.append(this.canvas, this.empty);
  }

  setShape(width: number, height: number): void {
    this.aspect = width / height;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
  }

  /** Width over height of what is shown. */
  get shape(): number {
    return this.aspect;
  }

  /** Box of the picture on the screen, with the zoom of the graph. */
  private box(): DOMRect {
    const outer = this.element.getBoundingClientRect();
    const width = Math.min(outer.width, outer.height * this.aspect);
    const height = width / this.aspect;
    return new DOMRect(outer.x + (outer.width - width) / 2, outer.y + (outer.height - height) / 2, width, height);
  }

  /** Position of a pointer in 0..1 of the picture; may lie outside. */
  at(event: PointerEvent): Place {
    const box = this.box();
    return { x: (event.clientX - box.x) / box.width, y: (event.clientY - box.y) / box.height };
  }

  /** Distance on the screen between two positions. */
  screenDistance(a: Place, b: Place): number {
    const box = this.box();
    return Math.hypot((a.x - b.x) * box.width, (a.y - b.y) * box.height);
  }

  context(): CanvasRenderingContext2D {
    return this.canvas.getContext("2d", { willReadFrequently: true })!;
  }
}

export const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v, low), high);
