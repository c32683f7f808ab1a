/** The widgets of Defocus Map: read as the law takes them, written as if a person had typed. */

import type { App, ComfyNode } from "../comfy/types";
import { Values } from "../comfy/values";
import { type Key, type Keyframes, parseKeyframes } from "../law/keyframes";
import { apertureField, type Settings } from "../law/solve";

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
  "tilt_deg",
  "swing_deg",
  "field_curvature",
  "genfocus_k",
] as const;
/** What the drawing depends on beside the numbers. */
const OTHERS = ["focus", "strength", "sensor", "keyframes", "sensor_mm"] as const;

/** The word of the sensor for what the photo's lens data say; `options.defocus.OWN_SENSOR`. */
const OWN_SENSOR = "the photo's own";

/** A position or a share as a widget takes it. */
export function round3(v: number): number {
  return Math.round(v * 1000) / 1000;
}

export class FocusWidgets {
  private readonly values: Values;

  constructor(app: App, node: ComfyNode) {
    this.values = new Values(app, node);
  }

  read(): Settings {
    const { values } = this;
    const numbers = Object.fromEntries(NUMBERS.map((n) => [n, values.number(n)])) as Record<
      (typeof NUMBERS)[number],
      number
    >;
    const sensor = values.text("sensor");
    const named = /\(([\d.]+) mm\)/.exec(sensor);
    return {
      ...numbers,
      sensor_mm: named ? Number(named[1]) : sensor === OWN_SENSOR ? 0 : values.number("sensor_mm"),
      focus: values.text("focus"),
      strength: values.text("strength"),
      keyframes: values.text("keyframes"),
    };
  }

  write(values: Record<string, number | string>): void {
    this.values.set(values);
  }

  /** All values in one string, to see whether any has changed. */
  signature(): string {
    return this.values.signature([...NUMBERS, ...OTHERS]);
  }

  /** Whether the focus is shown by a point, or by two. */
  get focusIsPoint(): boolean {
    return ["point", "two points"].includes(this.values.text("focus"));
  }

  /** Inputs of the focus that another node drives: what the page cannot set. */
  get linkedFocus(): string[] {
    return ["focus", "x", "y"].filter((n) => this.values.linked(n));
  }

  get distanceIsLinked(): boolean {
    return this.values.linked("distance_m");
  }

  /** Keys of the keyframes; none where the text cannot be read, which the status line then says. */
  keys(): Keyframes {
    try {
      return parseKeyframes(this.values.text("keyframes")) ?? [];
    } catch {
      return [];
    }
  }

  /** What a new key holds: the focus and the aperture that are set now, without what is left to the photo's lens data. */
  currentKey(): Partial<Key> {
    const s = this.read();
    const field = apertureField(s);
    const aperture = field !== null && s[field] > 0 ? { [field]: s[field] } : {};
    return s.focus === "distance" && s.distance_m > 0
      ? { distance_m: s.distance_m, ...aperture }
      : { x: s.x, y: s.y, ...aperture };
  }
}
