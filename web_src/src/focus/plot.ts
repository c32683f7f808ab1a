/** The plot of the timeline: curves of focus and aperture over the frames, the keys on them, and the frame that is shown. */

import { setsFocus, type Keyframes } from "../law/keyframes";
import { APERTURE_COLOUR, FOCUS_COLOUR } from "../ui/colours";
import { setAll, svg } from "../ui/dom";
import { clamp } from "../ui/stage";
import { t } from "../ui/words";

/** Height of the plot in px. */
export const PLOT_HEIGHT = 104;
const LEAST_WIDTH = 120;
const MARGIN = { left: 10, right: 10, top: 20, bottom: 18 };
const COLOUR = { focus: FOCUS_COLOUR, aperture: APERTURE_COLOUR, shown: "#fff", grid: "#3c3d43" };
/** Place of a name in px from the left margin. */
const LEGEND = { focus: 0, aperture: 40 };
/** Frames between two numbers below the plot: the smallest of these that leaves them so many px apart. */
const RULER_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const RULER_GAP_PX = 36;
/** Most points of a curve. */
const CURVE_SAMPLES = 240;
/** Height (0..1) of a key whose curve is not known. */
const UNKNOWN_HEIGHT = 0.5;
/** How far beside a key a press still takes hold of it. */
const GRAB_PX = 8;

export interface PlotData {
  keys: Keyframes;
  /** Last frame that the plot reaches, and the one that is shown. */
  last: number;
  frame: number;
  /** Focus (0..1, near is up) and aperture (0..1, more blur is up) of a frame, or null where they are not known. */
  focusAt: (frame: number) => number | null;
  apertureAt: (frame: number) => number | null;
}

export class Plot {
  readonly element = svg("svg", {
    class: "rf-plot",
    tabindex: 0,
    role: "application",
    "aria-label": t("Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it."),
  });
  private width = LEAST_WIDTH;
  private last = 1;

  /** Frame under a pointer. */
  frameAt(event: PointerEvent, last: number): number {
    const box = this.element.getBoundingClientRect();
    const scale = box.width / Math.max(this.element.clientWidth, 1);
    const inner = box.width - (MARGIN.left + MARGIN.right) * scale;
    const share = (event.clientX - box.x - MARGIN.left * scale) / Math.max(inner, 1);
    return Math.round(clamp(share, 0, 1) * last);
  }

  /** How many frames beside a key a press still takes hold of it. */
  grabFrames(last: number): number {
    return Math.max(1, Math.round((last * GRAB_PX) / Math.max(this.element.clientWidth, 1)));
  }

  draw(data: PlotData): void {
    this.last = data.last;
    this.width = Math.max(this.element.clientWidth, LEAST_WIDTH);
    setAll(this.element, { viewBox: `0 0 ${this.width} ${PLOT_HEIGHT}` });
    this.element.replaceChildren();
    this.drawRuler();
    this.drawLegend();
    this.drawCurve(data.apertureAt, COLOUR.aperture);
    this.drawCurve(data.focusAt, COLOUR.focus);
    this.drawUpright(data.frame, 2, `stroke:${COLOUR.shown};stroke-width:1.5`);
    this.drawKeys(data);
  }

  private x(frame: number): number {
    return MARGIN.left + (frame / this.last) * (this.width - MARGIN.left - MARGIN.right);
  }

  /** Of a value in 0..1. */
  private y(value: number): number {
    const bottom = PLOT_HEIGHT - MARGIN.bottom;
    return bottom - clamp(value, 0, 1) * (bottom - MARGIN.top);
  }

  private drawUpright(frame: number, top: number, style: string): void {
    const x = this.x(frame);
    this.element.append(svg("line", { x1: x, y1: top, x2: x, y2: PLOT_HEIGHT - MARGIN.bottom, style }));
  }

  private drawText(text: string, attributes: Record<string, string | number>): void {
    const element = svg("text", attributes);
    element.textContent = text;
    this.element.append(element);
  }

  private drawRuler(): void {
    const step =
      RULER_STEPS.find((s) => (s / this.last) * this.width >= RULER_GAP_PX) ?? RULER_STEPS[RULER_STEPS.length - 1];
    for (let f = 0; f <= this.last; f += step) {
      this.drawUpright(f, MARGIN.top, `stroke:${COLOUR.grid};stroke-width:1`);
      this.drawText(String(f), { x: this.x(f), y: PLOT_HEIGHT - 5, "text-anchor": f === 0 ? "start" : "middle" });
    }
  }

  private drawLegend(): void {
    for (const name of ["focus", "aperture"] as const)
      this.drawText(t(name), { x: MARGIN.left + LEGEND[name], y: 12, style: `fill:${COLOUR[name]}` });
  }

  private drawCurve(valueAt: (frame: number) => number | null, colour: string): void {
    const points: string[] = [];
    const samples = Math.min(this.last, CURVE_SAMPLES);
    for (let i = 0; i <= samples; i++) {
      const frame = (i / samples) * this.last;
      const value = valueAt(frame);
      if (value !== null) points.push(`${this.x(frame).toFixed(1)},${this.y(value).toFixed(1)}`);
    }
    const style = `fill:none;stroke:${colour};stroke-width:2;stroke-linejoin:round`;
    this.element.append(svg("polyline", { points: points.join(" "), style }));
  }

  private drawKeys({ keys, frame, focusAt, apertureAt }: PlotData): void {
    for (const key of keys) {
      const ofFocus = setsFocus(key);
      const value = (ofFocus ? focusAt(key.frame) : apertureAt(key.frame)) ?? UNKNOWN_HEIGHT;
      const fill = key.frame === frame ? COLOUR.shown : ofFocus ? COLOUR.focus : COLOUR.aperture;
      this.element.append(
        svg("path", {
          class: "rf-key",
          d: `M${this.x(key.frame)} ${this.y(value) - 6}l6 6-6 6-6-6z`,
          style: `fill:${fill};stroke:rgba(0,0,0,.7);stroke-width:1.2;cursor:ew-resize`,
        }),
      );
    }
  }
}
