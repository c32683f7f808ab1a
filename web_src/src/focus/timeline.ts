/** Keyframes of focus and aperture as curves over the frames of a clip, with keys that can be dragged. */

import { button, html, setAll, svg } from "../ui/dom";
import { type Ease, EASES, type Key, type Keyframes } from "../law/keyframes";
import { clamp } from "../ui/stage";
import { t } from "../ui/words";

const HEIGHT = 104;
const FOCUS = "#f2d64b";
const APERTURE = "#59b8ff";
const MARGIN = { left: 10, right: 10, top: 20, bottom: 18 };

/** What the timeline asks of the view around it. */
export interface TimelineHost {
  keys: () => Keyframes;
  /** Replace the keys: one step for undo, unless `begin` was called. */
  write: (keys: Keyframes) => void;
  begin: () => void;
  end: () => void;
  /** Frames of the clip; 1 before the first run. */
  frames: () => number;
  /** What a new key at the frame holds: the focus and the aperture that are set now. */
  current: () => Partial<Key>;
  /** Focus (0..1, near is up) of a frame, or null where it is not known. */
  focusAt: (frame: number) => number | null;
  /** Aperture (0..1, more blur is up) of a frame. */
  apertureAt: (frame: number) => number | null;
  showFrame: (frame: number) => void;
}

export class Timeline {
  readonly element = html("div", { class: "rf-timeline rf-hidden" });
  private readonly plot = svg("svg", {
    class: "rf-plot",
    tabindex: 0,
    role: "application",
    "aria-label": t("Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it."),
  });
  private readonly add: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private readonly ease = html("select", { "aria-label": t("How the way to the next key runs") });
  private readonly where = html("span", { class: "rf-where", "aria-live": "polite" });
  private frame = 0;
  private drag: { frame: number; from: number } | null = null;

  constructor(private readonly host: TimelineHost) {
    this.add = button("Set key", "Set a key at this frame from the focus and the aperture that are set now", () => {
      this.setKey();
    });
    this.remove = button("Remove", "Remove the key at this frame", () => {
      this.host.write(this.host.keys().filter((k) => k.frame !== this.frame));
    });
    for (const name of EASES) this.ease.append(html("option", { value: name }, name));
    this.ease.addEventListener("change", () => {
      const ease = this.ease.value as Ease;
      this.host.write(this.host.keys().map((k) => (k.frame === this.frame ? { ...k, ease } : k)));
    });
    this.element.append(
      this.plot,
      html(
        "div",
        { class: "rf-bar" },
        this.add,
        this.remove,
        this.ease,
        html("span", { class: "rf-space" }),
        this.where,
      ),
    );
    this.listen();
  }

  get open(): boolean {
    return !this.element.classList.contains("rf-hidden");
  }

  show(on: boolean): void {
    this.element.classList.toggle("rf-hidden", !on);
    if (on) this.draw();
  }

  static readonly height = HEIGHT + 36;

  /** Last frame that the plot reaches: that of the clip, or of the last key where that lies beyond. */
  private get last(): number {
    const keys = this.host.keys();
    const clip = this.host.frames() - 1;
    return Math.max(clip > 0 ? clip : 47, ...keys.map((k) => k.frame), 1);
  }

  private setKey(): void {
    const keys = this.host.keys();
    const old = keys.find((k) => k.frame === this.frame);
    const key: Key = { frame: this.frame, ...this.host.current(), ease: old?.ease ?? "ease" };
    this.host.write([...keys.filter((k) => k.frame !== this.frame), key].sort((a, b) => a.frame - b.frame));
  }

  private frameAt(event: PointerEvent): number {
    const box = this.plot.getBoundingClientRect();
    const scale = box.width / Math.max(this.plot.clientWidth, 1);
    const inner = box.width - (MARGIN.left + MARGIN.right) * scale;
    const share = (event.clientX - box.x - MARGIN.left * scale) / Math.max(inner, 1);
    return Math.round(clamp(share, 0, 1) * this.last);
  }

  private go(frame: number): void {
    this.frame = clamp(frame, 0, this.last);
    this.host.showFrame(this.frame);
  }

  private listen(): void {
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      this.plot.focus({ preventScroll: true });
      this.plot.setPointerCapture(event.pointerId);
      const at = this.frameAt(event);
      const reach = Math.max(1, Math.round((this.last * 8) / Math.max(this.plot.clientWidth, 1)));
      const near = this.host
        .keys()
        .filter((k) => Math.abs(k.frame - at) <= reach)
        .sort((a, b) => Math.abs(a.frame - at) - Math.abs(b.frame - at));
      this.go(near.length > 0 ? near[0].frame : at);
      if (near.length > 0) {
        this.drag = { frame: near[0].frame, from: at };
        this.host.begin();
      }
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (!this.plot.hasPointerCapture(event.pointerId)) return;
      const at = this.frameAt(event);
      const drag = this.drag;
      if (!drag) this.go(at);
      else if (at !== drag.frame) {
        const keys = this.host.keys();
        if (keys.some((k) => k.frame === at)) return; // a key is not dropped on another one
        const moved = keys.map((k) => (k.frame === drag.frame ? { ...k, frame: at } : k));
        drag.frame = at;
        this.host.write(moved.sort((a, b) => a.frame - b.frame));
        this.go(at);
      }
    });
    const end = (): void => {
      if (this.drag) this.host.end();
      this.drag = null;
    };
    this.plot.addEventListener("pointerup", end);
    this.plot.addEventListener("pointercancel", end);
    this.plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const by = event.shiftKey ? 10 : 1;
      if (event.key === "ArrowLeft") this.go(this.frame - by);
      else if (event.key === "ArrowRight") this.go(this.frame + by);
      else if (event.key === "Enter") this.setKey();
      else if (event.key === "Delete" || event.key === "Backspace") this.remove.click();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  draw(): void {
    if (!this.open) return;
    const keys = this.host.keys();
    const { last } = this;
    this.frame = Math.min(this.frame, last);
    const width = Math.max(this.plot.clientWidth, 120);
    const bottom = HEIGHT - MARGIN.bottom;
    const x = (frame: number): number => MARGIN.left + (frame / last) * (width - MARGIN.left - MARGIN.right);
    const y = (share: number): number => bottom - share * (bottom - MARGIN.top);
    setAll(this.plot, { viewBox: `0 0 ${width} ${HEIGHT}` });
    this.plot.replaceChildren();
    const line = (x1: number, y1: number, x2: number, y2: number, style: string): void => {
      this.plot.append(svg("line", { x1, y1, x2, y2, style }));
    };
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((s) => (s / last) * width >= 36) ?? 10000;
    for (let f = 0; f <= last; f += step) {
      line(x(f), MARGIN.top, x(f), bottom, "stroke:#3c3d43;stroke-width:1");
      const label = svg("text", { x: x(f), y: HEIGHT - 5, "text-anchor": f === 0 ? "start" : "middle" });
      label.textContent = String(f);
      this.plot.append(label);
    }
    for (const [text, colour, at] of [
      ["focus", FOCUS, 0],
      ["aperture", APERTURE, 40],
    ] as const) {
      const label = svg("text", { x: MARGIN.left + at, y: 12, style: `fill:${colour}` });
      label.textContent = t(text);
      this.plot.append(label);
    }
    const curve = (value: (frame: number) => number | null, colour: string): void => {
      const points: string[] = [];
      const samples = Math.min(last, 240);
      for (let i = 0; i <= samples; i++) {
        const frame = (i / samples) * last;
        const at = value(frame);
        if (at !== null) points.push(`${x(frame).toFixed(1)},${y(clamp(at, 0, 1)).toFixed(1)}`);
      }
      this.plot.append(
        svg("polyline", {
          points: points.join(" "),
          style: `fill:none;stroke:${colour};stroke-width:2;stroke-linejoin:round`,
        }),
      );
    };
    curve((f) => this.host.apertureAt(f), APERTURE);
    curve((f) => this.host.focusAt(f), FOCUS);
    line(x(this.frame), 2, x(this.frame), bottom, "stroke:#fff;stroke-width:1.5");
    for (const key of keys) {
      const focus = key.x !== undefined || key.distance_m !== undefined;
      const at = (focus ? this.host.focusAt(key.frame) : this.host.apertureAt(key.frame)) ?? 0.5;
      const [cx, cy] = [x(key.frame), y(clamp(at, 0, 1))];
      const fill = key.frame === this.frame ? "#fff" : focus ? FOCUS : APERTURE;
      this.plot.append(
        svg("path", {
          class: "rf-key",
          d: `M${cx} ${cy - 6}l6 6-6 6-6-6z`,
          style: `fill:${fill};stroke:rgba(0,0,0,.7);stroke-width:1.2;cursor:ew-resize`,
        }),
      );
    }
    const here = keys.find((k) => k.frame === this.frame);
    this.where.textContent = `${t("frame")} ${this.frame}`;
    this.add.textContent = t(here ? "Set again" : "Set key");
    this.remove.disabled = !here;
    this.ease.disabled = !here || this.frame === keys[keys.length - 1].frame;
    this.ease.value = here?.ease ?? "ease";
  }
}
