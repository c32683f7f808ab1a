/**
 * From focus and aperture to the signed blur radius: refocus_core/optics.py and defocus/ on thumbnails. A test compares the
 * numbers. Radii are in pixels of the full picture.
 */

import { FLAT_SHARE, FOCUS_POINT_RADIUS, LEAST_SCALE_PX } from "./constants";
import { type Key, type Keyframes, parseKeyframes, setsFocus, track } from "./keyframes";
import { disparityAt } from "./measure";
import { type Frames, nearestShown, type Numbers } from "./unpack";

export interface FocusNumbers extends Numbers {
  metric: boolean;
  /** Of each thumbnail: the nearest disparity, and the scene's whole span of disparity (`DepthMap.span`). */
  nearest: number[];
  span: number[];
  auto: number[] | null;
  mask: number[] | null;
  focal_px: number | null;
  /** The photo's lens data, where they are connected. */
  camera?: Camera | null;
}

/** `files.exif.CameraData`. */
interface Camera {
  f_number: number | null;
  focal_mm: number | null;
  sensor_mm: number | null;
  subject_m: number | null;
}

/** The widgets of Defocus Map. 0 in `distance_m`, `f_number`, `focal_mm` and `sensor_mm` stands for the photo's own. */
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
  keyframes: string;
}

/** Focus and strength of one frame. Disparities are in the depth map's unit. */
export interface Solved {
  focusDisparity: number;
  /** K: px of radius per unit of disparity. */
  gainPx: number;
  /** Half of what stays sharp around the focal plane, in disparity. */
  sharpHalfWidth: number;
  metric: boolean;
  span: number;
}

/**
 * Focus and gain of one thumbnail; with `frame`, the keyframes count as at that frame of the clip.
 *
 * @throws Error whose message says what is missing; the node itself would refuse to run as well.
 */
export function solve(
  numbers: FocusNumbers,
  map: Frames,
  widgets: Settings,
  index: number,
  frame = numbers.shown[index],
): Solved {
  const s = withCamera(numbers, widgets);
  const keys = readKeyframes(s.keyframes);
  const plane = focalPlaneOfKeys(numbers, map, keys, frame) ?? focalPlane(numbers, map, s, index);
  const strength = s.strength === "camera" ? lensGainPx(numbers, s, plane.disparity) : blurGainPx(numbers, s, index);
  const span = numbers.span[index];
  return {
    focusDisparity: plane.disparity,
    gainPx: strength * apertureOfKeys(keys, s, frame),
    sharpHalfWidth: plane.halfWidth + (span * s.focus_range) / 2,
    metric: numbers.metric,
    span,
  };
}

/** Settings in which the photo's lens data have taken the place of 0: `defocus.lens_for`, `defocus.subject_distance`. */
function withCamera(numbers: FocusNumbers, s: Settings): Settings {
  const own = numbers.camera;
  const sensorMm = s.sensor_mm || (own?.sensor_mm ?? 0);
  const focalMm = own?.focal_mm ? (own.focal_mm * sensorMm) / (own.sensor_mm ?? sensorMm) : 0;
  return {
    ...s,
    sensor_mm: sensorMm,
    focal_mm: s.focal_mm || focalMm,
    f_number: s.f_number || (own?.f_number ?? 0),
    distance_m: s.distance_m || (own?.subject_m ?? 0),
  };
}

function readKeyframes(text: string): Keyframes {
  try {
    return parseKeyframes(text) ?? [];
  } catch (error) {
    throw new Error(`keyframes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Disparity in focus, and half the width around it that the focus itself wants sharp. */
interface FocalPlane {
  disparity: number;
  halfWidth: number;
}

/** What the keys set at a frame; null where none sets the focus. */
function focalPlaneOfKeys(numbers: FocusNumbers, map: Frames, keys: Keyframes, frame: number): FocalPlane | null {
  const focusKeys = keys.filter(setsFocus);
  if (focusKeys.length === 0) return null;
  const ofKey = (k: Key): number =>
    k.x !== undefined
      ? disparityAt(map, nearestShown(numbers, k.frame), { x: k.x, y: k.y!, radius: FOCUS_POINT_RADIUS })
      : disparityOf(k.distance_m!, numbers.metric);
  return { disparity: track(focusKeys, ofKey, frame), halfWidth: 0 };
}

/** What the widgets set. */
function focalPlane(numbers: FocusNumbers, map: Frames, s: Settings, index: number): FocalPlane {
  const measured = (x: number, y: number): number => disparityAt(map, index, { x, y, radius: s.focus_radius });
  switch (s.focus) {
    case "point":
      return { disparity: measured(s.x, s.y), halfWidth: 0 };
    case "two points": {
      const a = measured(s.x, s.y);
      const b = measured(s.x2, s.y2);
      return { disparity: (a + b) / 2, halfWidth: Math.abs(a - b) / 2 };
    }
    case "distance":
      return { disparity: disparityOf(s.distance_m, numbers.metric), halfWidth: 0 };
    default: {
      const byNode = numbers.mask ?? (s.focus === "auto" ? numbers.auto : null);
      if (!byNode) throw new Error("run the graph once to measure the focus under the mask");
      return { disparity: byNode[index], halfWidth: 0 };
    }
  }
}

function disparityOf(metres: number, metric: boolean): number {
  if (!metric)
    throw new Error("a distance needs depth in metres: set near_m and far_m of Depth Estimate, or focus by point");
  if (metres === 0) throw new Error("the subject's distance is not known: set distance_m");
  return 1 / metres;
}

/** `optics.lens_gain_px`. */
function lensGainPx(numbers: FocusNumbers, s: Settings, focusDisparity: number): number {
  if (!numbers.metric)
    throw new Error("a camera needs depth in metres: set near_m and far_m of Depth Estimate, or strength in percent");
  if (s.f_number === 0) throw new Error("the photo's f-number is not known: set f_number");
  if (s.sensor_mm === 0) throw new Error("the photo's sensor is not known: set sensor");
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

/** `optics.blur_gain_px`. A scene of one plane counts as reaching from there to infinity. */
function blurGainPx(numbers: FocusNumbers, s: Settings, index: number): number {
  const nearest = numbers.nearest[index] > 0 ? numbers.nearest[index] : 1;
  const span = numbers.span[index] > FLAT_SHARE * nearest ? numbers.span[index] : nearest;
  return ((s.percent / 100) * Math.max(numbers.width, numbers.height)) / span;
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

/** Signed radius in px for a disparity. */
export function radiusPx(disparity: number, solved: Solved, s: Settings): number {
  let radius = solved.gainPx * (solved.focusDisparity - disparity);
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
