/**
 * From focus and aperture to the signed blur radius: refocus_core/optics.py and defocus/ on thumbnails. A test compares the
 * numbers. Radii are in pixels of the full picture.
 */

import { FOCUS_POINT_RADIUS, LEAST_SCALE_PX } from "./constants";
import { type Key, type Keyframes, parseKeyframes, setsFocus, track } from "./keyframes";
import { disparityAt } from "./measure";
import { type Frames, nearestShown, type Numbers } from "./unpack";

export interface FocusNumbers extends Numbers {
  metric: boolean;
  nearest: number[];
  farthest: number[];
  auto: number[] | null;
  mask: number[] | null;
  focal_px: number | null;
}

/** The widgets of Defocus Map. */
export interface Settings {
  focus: string;
  x: number;
  y: number;
  x2: number;
  y2: number;
  distance_m: number;
  strength: string;
  percent: number;
  f_number: number;
  focal_mm: number;
  sensor_mm: number;
  near_gain: number;
  far_gain: number;
  focus_range: number;
  focus_radius: number;
  near_m: number;
  far_m: number;
  keyframes: string;
}

/** How the disparity of the thumbnail becomes that of the node's output, in 1/m where that is known. */
interface DisparityScale {
  /** output = offset + scale * thumbnail */
  scale: number;
  offset: number;
  metric: boolean;
  /** Disparity of the nearest thing, and from the farthest to the nearest, in the unit of the output. */
  nearest: number;
  span: number;
}

/** Focus and strength of one frame. Disparities are in the unit of the node's output. */
export interface Solved {
  focusDisparity: number;
  /** K: px of radius per unit of disparity. */
  gainPx: number;
  /** Half of what stays sharp around the focal plane, in disparity. */
  sharpHalfWidth: number;
  scale: number;
  offset: number;
  metric: boolean;
  span: number;
}

/** `optics.BLUR_FOCUS_FLOOR`. */
const BLUR_FOCUS_FLOOR = 0.25;
/** The smallest normal float32, as torch.finfo has it. */
const FLOAT32_TINY = 1.1754943508222875e-38;

/**
 * Focus and gain of one thumbnail; with `frame`, the keyframes count as at that frame of the clip.
 *
 * @throws Error whose message says what is missing; the node itself would refuse to run as well.
 */
export function solve(
  numbers: FocusNumbers,
  map: Frames,
  s: Settings,
  index: number,
  frame = numbers.shown[index],
): Solved {
  const unit = disparityScale(numbers, s, index);
  const keys = readKeyframes(s.keyframes);
  const plane = focalPlane(numbers, map, s, keys, unit, index, frame);
  const strength =
    s.strength === "camera"
      ? lensGainPx(numbers, s, unit, plane.disparity)
      : blurGainPx(numbers, s, unit, plane.disparity);
  return {
    focusDisparity: plane.disparity,
    gainPx: strength * apertureOfKeys(keys, s, frame),
    sharpHalfWidth: plane.halfWidth + (unit.span * s.focus_range) / 2,
    scale: unit.scale,
    offset: unit.offset,
    metric: unit.metric,
    span: unit.span,
  };
}

function disparityScale(numbers: FocusNumbers, s: Settings, index: number): DisparityScale {
  if (s.near_m > 0 || s.far_m > 0) {
    if (!(s.near_m > 0 && s.far_m > 0)) throw new Error("give both near_m and far_m, or neither");
    if (numbers.metric) throw new Error("this depth is in metres already; set near_m and far_m to 0");
    if (s.near_m >= s.far_m) throw new Error("near_m must be below far_m");
    const offset = 1 / s.far_m;
    const scale = 1 / s.near_m - offset;
    return { scale, offset, metric: true, nearest: 1 / s.near_m, span: scale };
  }
  if (!numbers.metric) return { scale: 1, offset: 0, metric: false, nearest: 1, span: 1 };
  const nearest = numbers.nearest[index];
  return { scale: 1, offset: 0, metric: true, nearest, span: nearest - numbers.farthest[index] };
}

function readKeyframes(text: string): Keyframes {
  try {
    return parseKeyframes(text) ?? [];
  } catch (error) {
    throw new Error(`keyframes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Disparity in focus, and half the width around it that the focus itself wants sharp. */
function focalPlane(
  numbers: FocusNumbers,
  map: Frames,
  s: Settings,
  keys: Keyframes,
  unit: DisparityScale,
  index: number,
  frame: number,
): { disparity: number; halfWidth: number } {
  const measured = (at: number, x: number, y: number, radius: number): number =>
    unit.offset + unit.scale * disparityAt(map, at, { x, y, radius });

  const focusKeys = keys.filter(setsFocus);
  if (focusKeys.length > 0) {
    const ofKey = (k: Key): number =>
      k.x !== undefined
        ? measured(nearestShown(numbers, k.frame), k.x, k.y!, FOCUS_POINT_RADIUS)
        : disparityOf(k.distance_m!, unit.metric);
    return { disparity: track(focusKeys, ofKey, frame), halfWidth: 0 };
  }
  switch (s.focus) {
    case "point":
      return { disparity: measured(index, s.x, s.y, s.focus_radius), halfWidth: 0 };
    case "two points": {
      const a = measured(index, s.x, s.y, s.focus_radius);
      const b = measured(index, s.x2, s.y2, s.focus_radius);
      return { disparity: (a + b) / 2, halfWidth: Math.abs(a - b) / 2 };
    }
    case "distance":
      return { disparity: disparityOf(s.distance_m, unit.metric), halfWidth: 0 };
    default: {
      const byNode = numbers.mask ?? (s.focus === "auto" ? numbers.auto : null);
      if (!byNode) throw new Error("run the graph once to measure the focus under the mask");
      return { disparity: unit.offset + unit.scale * byNode[index], halfWidth: 0 };
    }
  }
}

function disparityOf(metres: number, metric: boolean): number {
  if (!metric) throw new Error("a distance needs depth in metres: set near_m and far_m, or focus by point");
  return 1 / metres;
}

/** `optics.lens_gain_px`. */
function lensGainPx(numbers: FocusNumbers, s: Settings, unit: DisparityScale, focusDisparity: number): number {
  if (!unit.metric) throw new Error("a camera needs depth in metres: set near_m and far_m, or strength in percent");
  const longEdgePx = Math.max(numbers.width, numbers.height);
  let focalMm = s.focal_mm;
  if (focalMm === 0) {
    if (numbers.focal_px === null) throw new Error("the photo's focal length is not known: set focal_mm");
    focalMm = (numbers.focal_px * s.sensor_mm) / longEdgePx;
  }
  const remaining = 1 - (focalMm * focusDisparity) / 1000; // (s_f - f) / s_f
  if (remaining <= 0) throw new Error("the focus lies nearer than the focal length");
  return ((focalMm ** 2 / (2 * s.f_number) / remaining) * (longEdgePx / s.sensor_mm)) / 1000;
}

/** `optics.blur_gain_px`. */
function blurGainPx(numbers: FocusNumbers, s: Settings, unit: DisparityScale, focusDisparity: number): number {
  const longEdgePx = Math.max(numbers.width, numbers.height);
  const floor = Math.max(BLUR_FOCUS_FLOOR * (unit.nearest > 0 ? unit.nearest : 1), FLOAT32_TINY);
  return ((s.percent / 100) * longEdgePx) / Math.max(focusDisparity, floor);
}

/** Which field of a key sets the aperture while the strength is given in that way. */
export function apertureField(s: Settings): "f_number" | "percent" {
  return s.strength === "camera" ? "f_number" : "percent";
}

/** Factor on the gain at a frame: the aperture of the keys over that of the widgets. */
function apertureOfKeys(keys: Keyframes, s: Settings, frame: number): number {
  const field = apertureField(s);
  const apertureKeys = keys.filter((k) => k[field] !== undefined);
  if (apertureKeys.length === 0) return 1;
  if (field === "f_number") return s.f_number / 2 ** track(apertureKeys, (k) => Math.log2(k.f_number!), frame);
  return s.percent > 0 ? track(apertureKeys, (k) => k.percent!, frame) / s.percent : 0;
}

/** Disparity of the thumbnail in the unit of the node's output. */
export function outputDisparity(thumbnailDisparity: number, solved: Solved): number {
  return solved.offset + solved.scale * thumbnailDisparity;
}

/** Signed radius in px for a disparity of the thumbnail. */
export function radiusPx(thumbnailDisparity: number, solved: Solved, s: Settings): number {
  let radius = solved.gainPx * (solved.focusDisparity - outputDisparity(thumbnailDisparity, solved));
  const sharp = solved.gainPx * solved.sharpHalfWidth;
  radius -= Math.min(Math.max(radius, -sharp), sharp);
  return radius < 0 ? radius * s.near_gain : radius * s.far_gain;
}

/** Signed radius in px of every pixel of a thumbnail. */
export function radiiPx(disparity: Float32Array, solved: Solved, s: Settings): Float32Array {
  const out = new Float32Array(disparity.length);
  for (let i = 0; i < out.length; i++) out[i] = radiusPx(disparity[i], solved, s);
  return out;
}

/** The largest |radius| in px of all thumbnails: the scale of the colours. */
export function largestRadiusPx(numbers: FocusNumbers, map: Frames, s: Settings): number {
  let largest = LEAST_SCALE_PX;
  for (let i = 0; i < map.values.length; i++) {
    const solved = solve(numbers, map, s, i);
    // The radius runs monotonically with the disparity.
    for (const end of [map.lowest[i], map.highest[i]]) largest = Math.max(largest, Math.abs(radiusPx(end, solved, s)));
  }
  return largest;
}
