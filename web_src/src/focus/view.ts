/** Defocus Map: click to focus on the photo, with the defocus drawn at once. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onOutputs, sourcePicture } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { Step, Values } from "../comfy/values";
import { formatKeyframes, type Key, type Keyframes, parseKeyframes, track } from "../law/keyframes";
import { medianDeviation, valuesInDisc } from "../law/measure";
import { paintDefocus, paintDepth } from "../law/paint";
import { type FocusNumbers, largestRadiusPx, radiiPx, radiusPx, type Settings, type Solved, solve } from "../law/solve";
import { greyOf } from "../law/srgb";
import { type Frames, nearestShown } from "../law/unpack";
import { Choice, html, setAll, svg, Toggle } from "../ui/dom";
import { loadMap, loadPicture } from "../ui/files";
import { clamp, type Place, Stage } from "../ui/stage";
import { t } from "../ui/words";
import { Scene3D } from "./scene3d";
import { Timeline } from "./timeline";

const NUMBERS = [
  "x",
  "y",
  "x2",
  "y2",
  "distance_m",
  "percent",
  "f_number",
  "focal_mm",
  "near_gain",
  "far_gain",
  "focus_range",
  "focus_radius",
  "near_m",
  "far_m",
] as const;
const TEXTS = ["focus", "strength", "sensor", "keyframes"] as const;
const DRAG_PX = 6;
const REST = "Click to focus · drag over what shall be sharp · Shift+click for a second point";
const LABEL =
  "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.";

interface Payload extends FocusNumbers {
  depth: ServerFile;
  photos: ServerFile[] | null;
}

interface Loaded {
  numbers: Payload;
  map: Frames;
  photos: (HTMLImageElement | null)[];
}

type Mode = "defocus" | "photo" | "depth" | "3d";

const round3 = (v: number): number => Math.round(v * 1000) / 1000;

export class FocusView {
  private readonly root = html("div", { class: "rf-view", "data-refocus": "focus" });
  private readonly stage = new Stage(LABEL);
  private readonly overlay = svg("svg", { "aria-hidden": true });
  private readonly status = html("div", { class: "rf-status" });
  private readonly spoken = html("div", { class: "rf-sr", "aria-live": "polite" });
  private readonly modes: Choice;
  private scene: Scene3D | null = null;
  private sceneFrame = -1;
  private readonly timeline: Timeline;
  private readonly timelineToggle: Toggle;
  private readonly values: Values;
  private readonly step: Step;

  private mode: Mode = "defocus";
  private frame = 0;
  private payload: Payload | null = null;
  private loaded: Loaded | null = null;
  private source: string | null = null;
  private sourceImage: HTMLImageElement | null = null;
  private greys: (Float32Array | null)[] = [];
  private solved: Solved | null = null;
  private signature = "";
  private press: { start: Place; shift: boolean; moving: boolean; dragged: boolean } | null = null;
  private hover: Place | null = null;
  /** What the last dragged area has set, and what was set before it. */
  private areaSet: { radius: number; range: number; before: Settings } | null = null;

  constructor(
    private readonly app: App,
    private readonly api: Api,
    private readonly node: ComfyNode,
  ) {
    this.values = new Values(app, node);
    this.step = new Step(app);
    this.modes = new Choice(
      "What the picture shows",
      [
        ["defocus", "Defocus", "Blue in front of the focal plane, red behind it, yellow where it is sharp"],
        ["photo", "Photo", "The photo alone"],
        ["depth", "Depth", "Near is bright"],
        ["3d", "3-D", "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane"],
      ],
      (mode) => {
        this.mode = mode as Mode;
        this.toggleScene();
        this.draw();
      },
    );
    this.modes.select(this.mode);
    this.timeline = new Timeline({
      keys: () => this.keys() ?? [],
      write: (keys) => {
        this.gesture(() => {
          this.set({ keyframes: formatKeyframes(keys) });
        });
      },
      begin: () => {
        this.step.begin();
      },
      end: () => {
        this.step.end();
      },
      frames: () => this.payload?.frames ?? 1,
      current: () => this.currentKey(),
      focusAt: (frame) => this.focusAt(frame),
      apertureAt: (frame) => this.apertureAt(frame),
      showFrame: (frame) => {
        this.frame = frame;
        this.draw();
      },
    });
    this.timelineToggle = new Toggle("Timeline", "Keyframes of focus and aperture over a clip", (on) => {
      this.timeline.show(on);
      if (!on) this.node.setSize([this.node.size[0], this.node.size[1] - Timeline.height - 6]);
      this.resize();
      this.draw();
    });
    const bar = html("div", { class: "rf-bar" }, this.modes.element, this.timelineToggle.element);
    this.stage.element.append(this.overlay);
    this.root.append(bar, this.stage.element, this.status, this.timeline.element, this.spoken);
    this.listen();
    replacePreview(node);
    mount(app, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], 360), node.size[1]]);
    fit(node);

    onOutputs(api, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      this.tick();
    });
  }

  /** Outputs of a run: from an event, or from before the page was reloaded. */
  take(output: Outputs | undefined): void {
    const [payload] = (output?.["refocus_focus"] ?? []) as (Payload | undefined)[];
    if (!payload || payload.depth.filename === this.payload?.depth.filename) return;
    this.payload = payload;
    void this.load(payload);
  }

  get hasOutputs(): boolean {
    return this.payload !== null;
  }

  private async load(payload: Payload): Promise<void> {
    try {
      const [map, ...photos] = await Promise.all([
        loadMap(this.api, payload.depth, payload),
        ...payload.shown.map((_, i) =>
          payload.photos ? loadPicture(address(this.api, payload.photos[i])) : Promise.resolve(null),
        ),
      ]);
      if (payload !== this.payload) return;
      this.loaded = { numbers: payload, map, photos };
      this.greys = photos.map(() => null);
      this.fillScene();
      if (!this.timeline.open && this.values.text("keyframes") !== "") {
        this.timelineToggle.set(true);
        this.timeline.show(true);
      }
      this.resize();
      this.draw();
    } catch {
      this.payload = null; // temporary files are gone after a restart of the server
      this.draw();
    }
  }

  private resize(): void {
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }

  private minHeight(): number {
    const wide = Math.max(this.node.size[0] - 30, 200);
    const picture = clamp(wide / this.stage.shape, 150, 420);
    return 30 + 22 + picture + (this.timeline.open ? Timeline.height + 6 : 0);
  }

  // --- what is set -----------------------------------------------------------------------------------------------

  private settings(): Settings {
    const v = this.values;
    const numbers = Object.fromEntries(NUMBERS.map((n) => [n, v.number(n)])) as Record<
      (typeof NUMBERS)[number],
      number
    >;
    const named = /\(([\d.]+) mm\)/.exec(v.text("sensor"));
    return {
      ...numbers,
      sensor_mm: named ? Number(named[1]) : v.number("sensor_mm"),
      focus: v.text("focus"),
      strength: v.text("strength"),
      keyframes: v.text("keyframes"),
    };
  }

  /** Everything that the drawing depends on, beside what was loaded. */
  private sign(): string {
    return `${this.values.signature([...NUMBERS, ...TEXTS, "sensor_mm"])} ${this.stage.element.clientWidth}`;
  }

  private tick(): void {
    if (!this.payload) {
      this.take(lastOutputs(this.app, this.node));
      const source = this.hasOutputs ? null : sourcePicture(this.app, this.api, this.node);
      if (source !== this.source) {
        this.source = source;
        this.sourceImage = null;
        if (source)
          loadPicture(source).then(
            (image) => {
              if (source !== this.source) return;
              this.sourceImage = image;
              this.draw();
            },
            () => undefined, // Load Image shows that its file is missing
          );
        this.draw();
      }
    }
    if (this.sign() !== this.signature) this.draw();
  }

  /** Set the focus and draw it before the browser's next picture. */
  private set(values: Record<string, number | string>): void {
    this.values.set(values);
    this.draw();
  }

  /** Do it as one step for undo, within a larger one or alone. */
  private gesture(act: () => void): void {
    const outer = this.step.running;
    if (!outer) this.step.begin();
    act();
    if (!outer) this.step.end();
  }

  // --- keyframes -------------------------------------------------------------------------------------------------

  /** Keys of the widget; null where it is empty or cannot be read, which the status line then says. */
  private keys(): Keyframes | null {
    try {
      return parseKeyframes(this.values.text("keyframes"));
    } catch {
      return null;
    }
  }

  private currentKey(): Partial<Key> {
    const s = this.settings();
    const aperture = s.strength === "camera" ? { f_number: s.f_number } : { percent: s.percent };
    return s.focus === "distance" ? { distance_m: s.distance_m, ...aperture } : { x: s.x, y: s.y, ...aperture };
  }

  /** Focus at any frame as a share of the scene's depth. */
  private focusAt(frame: number): number | null {
    const { loaded } = this;
    if (!loaded) return null;
    const { numbers, map } = loaded;
    try {
      const found = solve(numbers, map, this.settings(), this.shown(), frame);
      const low = found.offset + found.scale * Math.min(...map.lowest);
      const high = found.offset + found.scale * Math.max(...map.highest);
      return high > low ? (found.focusDisparity - low) / (high - low) : 0.5;
    } catch {
      return null;
    }
  }

  private focusShare(): number | null {
    const { loaded, solved } = this;
    if (!loaded || !solved) return null;
    const index = this.shown();
    const [low, high] = [loaded.map.lowest[index], loaded.map.highest[index]];
    return high > low ? ((solved.focusDisparity - solved.offset) / solved.scale - low) / (high - low) : 0.5;
  }

  /** Aperture at any frame, 1 at the widest of the keys. */
  private apertureAt(frame: number): number | null {
    const s = this.settings();
    const own = s.strength === "camera" ? "f_number" : "percent";
    const keys = this.keys()?.filter((k) => k[own] !== undefined) ?? [];
    if (keys.length === 0) return null;
    // In stops, f/1 to f/22, or in percent up to the largest key.
    if (own === "f_number") return 1 - track(keys, (k) => Math.log2(k.f_number!), frame) / Math.log2(22);
    const most = Math.max(...keys.map((k) => k.percent!), 1e-6);
    return (0.92 * track(keys, (k) => k.percent!, frame)) / most;
  }

  private blocked(): string | null {
    const driven = ["focus", "x", "y"].filter((n) => this.values.linked(n));
    return driven.length > 0 ? `${t("Driven by a link:")} ${driven.join(", ")}` : null;
  }

  // --- pointer and keys ------------------------------------------------------------------------------------------

  private listen(): void {
    const stage = this.stage.element;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.app.canvas.read_only) return;
      event.stopPropagation();
      const start = this.stage.at(event);
      if (start.x < 0 || start.x > 1 || start.y < 0 || start.y > 1 || this.blocked()) return;
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      const here = { x: this.values.number("x"), y: this.values.number("y") };
      const onPoint = this.pointIsSet() && this.stage.screenDistance(start, here) <= 10;
      this.press = { start, shift: event.shiftKey, moving: onPoint && !event.shiftKey, dragged: false };
      this.step.begin();
    });
    stage.addEventListener("pointermove", (event) => {
      const at = this.stage.at(event);
      this.hover = at;
      const press = this.press;
      if (!press) {
        this.showStatus();
        return;
      }
      if (!press.dragged && this.stage.screenDistance(press.start, at) < DRAG_PX) return;
      press.dragged = true;
      if (press.moving) this.point(at);
      else if (press.shift) this.second(at);
      else this.area(press.start, at);
    });
    const end = (event: PointerEvent): void => {
      const press = this.press;
      if (!press) return;
      this.press = null;
      if (event.type === "pointerup" && !press.dragged) {
        if (press.shift) this.second(press.start);
        else if (!press.moving || this.values.text("focus") !== "point") this.click(press.start);
      }
      this.step.end();
      this.say();
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("pointerleave", () => {
      this.hover = null;
      this.showStatus();
    });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || this.blocked()) return;
      const by = event.shiftKey ? 0.05 : 0.01;
      const moves: Record<string, [number, number] | undefined> = {
        ArrowLeft: [-by, 0],
        ArrowRight: [by, 0],
        ArrowUp: [0, -by],
        ArrowDown: [0, by],
      };
      const move = moves[event.key];
      const range = event.key === "+" || event.key === "=" ? 0.01 : event.key === "-" || event.key === "_" ? -0.01 : 0;
      if (!move && range === 0) return;
      event.preventDefault();
      event.stopPropagation();
      this.step.begin();
      if (move) this.point({ x: this.values.number("x") + move[0], y: this.values.number("y") + move[1] });
      else this.set({ focus_range: round3(clamp(this.values.number("focus_range") + range, 0, 1)) });
      this.step.end();
      this.say();
    });
  }

  private pointIsSet(): boolean {
    return ["point", "two points"].includes(this.values.text("focus"));
  }

  private point(at: Place): void {
    const place = { x: round3(clamp(at.x, 0, 1)), y: round3(clamp(at.y, 0, 1)) };
    const keys = this.keys();
    if (keys?.some((k) => k.frame === this.frame && k.x !== undefined)) {
      const moved = keys.map((k) => (k.frame === this.frame ? { ...k, ...place } : k));
      this.set({ focus: "point", ...place, keyframes: formatKeyframes(moved) });
    } else this.set({ focus: "point", ...place });
  }

  /** A plain click: as `point`, and what an area dragged before it had set goes back. */
  private click(at: Place): void {
    const { areaSet } = this;
    this.areaSet = null;
    const { focus_radius, focus_range } = this.settings();
    if (areaSet?.radius === focus_radius && areaSet.range === focus_range)
      this.values.set({ focus_radius: areaSet.before.focus_radius, focus_range: areaSet.before.focus_range });
    this.point(at);
  }

  private second(at: Place): void {
    this.set({ focus: "two points", x2: round3(clamp(at.x, 0, 1)), y2: round3(clamp(at.y, 0, 1)) });
  }

  /** A disc to focus on: its median is the focal plane, and the surface that fills most of it stays sharp. */
  private area(centre: Place, edge: Place): void {
    const aspect = this.stage.shape;
    const [w, h] = aspect >= 1 ? [1, 1 / aspect] : [aspect, 1];
    const radius = round3(clamp(Math.hypot((edge.x - centre.x) * w, (edge.y - centre.y) * h), 0.002, 0.5));
    const values: Record<string, number | string> = {
      focus: "point",
      x: round3(clamp(centre.x, 0, 1)),
      y: round3(clamp(centre.y, 0, 1)),
      focus_radius: radius,
    };
    if (this.loaded) {
      const disc = { x: values["x"] as number, y: values["y"] as number, radius };
      const found = valuesInDisc(this.loaded.map, this.shown(), disc);
      const solved = this.solved;
      if (found.length > 0 && solved) {
        // Twice the median distance from the median: the whole of an even slope, and nothing of a smaller part behind it.
        const half = 2 * medianDeviation(found) * Math.abs(solved.scale);
        values["focus_range"] = solved.span > 0 ? Math.ceil(clamp((2 * half) / solved.span, 0, 1) * 100) / 100 : 0;
      }
    }
    const before = this.areaSet?.before ?? this.settings();
    this.set(values);
    const { focus_radius, focus_range } = this.settings();
    this.areaSet = { radius: focus_radius, range: focus_range, before };
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  private shown(): number {
    return this.loaded ? nearestShown(this.loaded.numbers, this.frame) : 0;
  }

  private draw(): void {
    this.signature = this.sign();
    const settings = this.settings();
    this.solved = null;
    let problem: string | null = null;
    if (this.loaded) {
      const { numbers, map, photos } = this.loaded;
      const index = this.shown();
      this.stage.setShape(map.w, map.h);
      try {
        this.solved = solve(numbers, map, settings, index, this.frame);
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      const context = this.stage.context();
      const photo = photos[index];
      const pixels = context.createImageData(map.w, map.h);
      if (this.mode === "photo" && photo) context.drawImage(photo, 0, 0, map.w, map.h);
      else if (this.mode === "defocus" && this.solved) {
        const radius = radiiPx(map.values[index], this.solved, settings);
        paintDefocus(radius, this.grey(index), largestRadiusPx(numbers, map, settings), map, pixels.data);
        context.putImageData(pixels, 0, 0);
      } else {
        paintDepth(map, index, pixels.data);
        context.putImageData(pixels, 0, 0);
      }
    } else if (this.sourceImage) {
      const { naturalWidth: w, naturalHeight: h } = this.sourceImage;
      const scale = Math.min(1, 768 / Math.max(w, h));
      this.stage.setShape(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
      this.stage.context().drawImage(this.sourceImage, 0, 0, this.stage.canvas.width, this.stage.canvas.height);
      this.root.style.minHeight = `${this.minHeight()}px`;
    } else {
      this.stage.context().clearRect(0, 0, this.stage.canvas.width, this.stage.canvas.height);
    }
    this.stage.element.classList.toggle("rf-photo", this.sourceImage !== null && !this.loaded);
    this.stage.empty.textContent = this.loaded
      ? ""
      : this.sourceImage
        ? t("Click to focus. After one run the defocus follows at once.")
        : t("Run once, then click here to focus.");
    this.toggleScene();
    this.overlay.classList.toggle("rf-hidden", this.scene !== null);
    this.stage.canvas.classList.toggle("rf-hidden", this.scene !== null);
    if (this.scene) {
      if (this.sceneFrame !== this.shown()) this.fillScene();
      this.scene.setFocus(this.focusShare());
    }
    this.drawReticle(settings);
    this.timeline.draw();
    this.showStatus(problem);
  }

  private grey(index: number): Float32Array | null {
    const photo = this.loaded?.photos[index];
    if (!photo || !this.loaded) return null;
    const cached = this.greys[index];
    if (cached) return cached;
    const { w, h } = this.loaded.map;
    const canvas = new OffscreenCanvas(w, h);
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    context.drawImage(photo, 0, 0, w, h);
    return (this.greys[index] = greyOf(context.getImageData(0, 0, w, h).data));
  }

  private drawReticle(s: Settings): void {
    const w = 1000;
    const h = 1000 / this.stage.shape;
    setAll(this.overlay, { viewBox: `0 0 ${w} ${h}` });
    this.overlay.replaceChildren();
    if (!this.pointIsSet()) return;
    // Never so small that it cannot be seen.
    const radius = Math.max(s.focus_radius * Math.max(w, h), (9 * w) / Math.max(this.stage.element.clientWidth, 1));
    const place = (x: number, y: number, second: boolean): void => {
      const at = { cx: x * w, cy: y * h };
      this.overlay.append(
        svg("circle", { ...at, r: radius, class: "rf-halo" }),
        svg("circle", { ...at, r: radius, class: second ? "rf-ring rf-second" : "rf-ring" }),
        svg("circle", { ...at, r: (3 * w) / Math.max(this.stage.element.clientWidth, 1), class: "rf-dot" }),
      );
    };
    if (s.focus === "two points") {
      const line = { x1: s.x * w, y1: s.y * h, x2: s.x2 * w, y2: s.y2 * h };
      this.overlay.append(
        svg("line", { ...line, class: "rf-halo" }),
        svg("line", { ...line, class: "rf-ring rf-second" }),
      );
      place(s.x2, s.y2, true);
    }
    place(s.x, s.y, false);
  }

  private lastProblem: string | null = null;

  private showStatus(problem: string | null = this.lastProblem): void {
    this.lastProblem = problem;
    const blocked = this.blocked();
    this.status.classList.toggle("rf-warn", problem !== null);
    const keyed = this.timeline.open && this.pointIsSet() ? this.unkeyed() : null;
    const text = problem ?? keyed ?? (this.hover && !blocked ? this.describeHover() : null) ?? blocked;
    const found = this.blurs();
    if (text !== null || !found) {
      this.status.textContent = this.status.title = text ?? t(REST);
      return;
    }
    const mark = (colour: string): HTMLElement => html("b", { style: `background:${colour}` });
    this.status.title = `${this.describe()}. ${t(REST)}.`;
    this.status.replaceChildren(
      ...[mark("#f2d64b"), `${t("sharp")} ${found.focus}`, mark("#3b6cff"), `${t("near")} ≤ ${found.near}`],
      ...[mark("#ff4a2e"), `${t("far")} ≤ ${found.far}`],
    );
  }

  // --- 3-D -------------------------------------------------------------------------------------------------------

  private toggleScene(): void {
    const wanted = this.mode === "3d" && this.loaded !== null;
    if (wanted === (this.scene !== null)) return;
    if (this.scene) {
      this.scene.close();
      this.scene = null;
      return;
    }
    try {
      const scene = new Scene3D();
      scene.canvas.classList.add("rf-scene");
      scene.onFocus = (share) => {
        this.focusOnShare(share);
      };
      scene.onGrab = (grabbed) => {
        if (grabbed) this.step.begin();
        else this.step.end();
      };
      this.stage.element.append(scene.canvas);
      this.scene = scene;
      this.fillScene();
    } catch (error) {
      this.mode = "depth";
      this.modes.select(this.mode);
      this.lastProblem = error instanceof Error ? error.message : String(error);
    }
  }

  private fillScene(): void {
    if (!this.scene || !this.loaded) return;
    this.sceneFrame = this.shown();
    this.scene.setScene(this.loaded.map, this.sceneFrame, this.loaded.photos[this.sceneFrame]);
  }

  /** The sheet in the 3-D view was moved: a distance where there are metres, else the nearest point at that depth. */
  private focusOnShare(share: number): void {
    const { loaded, solved } = this;
    if (!loaded || this.blocked()) return;
    const { map } = loaded;
    const index = this.shown();
    const raw = map.lowest[index] + share * (map.highest[index] - map.lowest[index]);
    if (solved?.metric && !this.values.linked("distance_m")) {
      const disparity = solved.offset + solved.scale * raw;
      this.set({
        focus: "distance",
        distance_m: Math.round(clamp(1 / Math.max(disparity, 1e-5), 0.01, 1e5) * 100) / 100,
      });
      return;
    }
    const span = Math.max(map.highest[index] - map.lowest[index], 1e-9);
    const [x, y] = [this.values.number("x") * map.w, this.values.number("y") * map.h];
    let best = Infinity;
    let at = 0;
    map.values[index].forEach((value, i) => {
      if (!map.valid[index][i]) return;
      const away = Math.hypot((i % map.w) + 0.5 - x, Math.floor(i / map.w) + 0.5 - y) / map.w;
      const score = (Math.abs(value - raw) / span) * 50 + away;
      if (score < best) [best, at] = [score, i];
    });
    this.point({ x: ((at % map.w) + 0.5) / map.w, y: (Math.floor(at / map.w) + 0.5) / map.h });
  }

  /** Keys set the focus, but the point that is set is none of them. */
  private unkeyed(): string | null {
    const keys = this.keys()?.filter((k) => k.x !== undefined || k.distance_m !== undefined) ?? [];
    const [x, y] = [this.values.number("x"), this.values.number("y")];
    if (keys.length === 0 || keys.some((k) => k.x === x && k.y === y)) return null;
    return `${t("Keys set the focus. Set key: this point, at frame")} ${this.frame}`;
  }

  private describeHover(): string | null {
    const { hover, loaded, solved } = this;
    if (!hover || !loaded || !solved || hover.x < 0 || hover.x >= 1 || hover.y < 0 || hover.y >= 1) return null;
    const { map } = loaded;
    const raw = map.values[this.shown()][Math.floor(hover.y * map.h) * map.w + Math.floor(hover.x * map.w)];
    const radius = radiusPx(raw, solved, this.settings());
    const size = `${t("blur")} ${Math.abs(radius).toFixed(1)} px ${t(radius < 0 ? "in front" : "behind")}`;
    const blur = Math.abs(radius) <= 0.5 ? t("sharp") : size;
    return `${t("Here:")} ${far(solved.offset + solved.scale * raw, solved.metric)} · ${blur}`;
  }

  private describe(): string {
    const found = this.blurs();
    if (!found) return t(REST);
    return `${t("sharp")} ${found.focus}, ${t("near")} ≤ ${found.near}, ${t("far")} ≤ ${found.far}`;
  }

  private blurs(): { focus: string; near: string; far: string } | null {
    const { loaded, solved } = this;
    if (!loaded || !solved) return null;
    const s = this.settings();
    const { lowest, highest } = loaded.map;
    const behind = Math.max(0, radiusPx(Math.min(...lowest), solved, s));
    const front = Math.max(0, -radiusPx(Math.max(...highest), solved, s));
    return {
      focus: far(solved.focusDisparity, solved.metric),
      near: `${front.toFixed(1)} px`,
      far: `${behind.toFixed(1)} px`,
    };
  }

  private say(): void {
    this.spoken.textContent = `${this.pointIsSet() ? `x ${this.values.number("x")}, y ${this.values.number("y")}. ` : ""}${this.lastProblem ?? this.describe()}`;
  }
}

/** A disparity in words. */
function far(disparity: number, metric: boolean): string {
  if (!metric) return `${t("nearness")} ${Math.round(disparity * 100)} %`;
  return disparity > 0 ? `${(1 / disparity).toPrecision(3)} m` : t("infinity");
}
