/**
 * From focus and aperture to the signed blur radius: refocus_core/optics.py and defocus/ on thumbnails. A test compares the
 * numbers. Radii are in pixels of the full picture.
 */

import { FLAT_SHARE, FOCUS_POINT_RADIUS, LEAST_SCALE_PX, SHARP_PRINT } from "./constants";
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
  tilt_deg: number;
  swing_deg: number;
  field_curvature: number;
  genfocus_k: number;
}

/** The word of `strength` for K itself; `options.defocus.GENFOCUS`. */
const GENFOCUS = "K of Genfocus";

/** Focus and strength of one frame. Disparities are in the depth map's unit. */
export interface Solved {
  focusDisparity: number;
  /** K: px of radius per unit of disparity. */
  gainPx: number;
  /** Half of what stays sharp around the focal plane, in disparity. */
  sharpHalfWidth: number;
  metric: boolean;
  span: number;
  /** Disparity that the focal plane gains over the long edge, to the right and downwards; it keeps its own at (x, y). */
  lean: { right: number; down: number; x: number; y: number };
  /** Disparity that it gains from the middle to the corners, by the square of the distance. */
  bend: number;
  /** What looks sharp in a print, and the hyperfocal distance, in metres; null without a camera. */
  field: { nearM: number; farM: number; hyperfocalM: number } | null;
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
  const strength = gainPxOf(numbers, s, plane.disparity, index);
  const span = numbers.span[index];
  const gainPx = strength * apertureOfKeys(keys, s, frame);
  return {
    focusDisparity: plane.disparity,
    gainPx,
    sharpHalfWidth: plane.halfWidth + (span * s.focus_range) / 2,
    metric: numbers.metric,
    span,
    lean: leanOf(s, spanAbove0(numbers, index)),
    bend: s.field_curvature * spanAbove0(numbers, index),
    field: s.strength === "camera" ? depthOfField(numbers, focalOf(numbers, s), plane.disparity, gainPx) : null,
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

/** K in px per unit of the map's disparity, as the widgets give the strength. */
function gainPxOf(numbers: FocusNumbers, s: Settings, focusDisparity: number, index: number): number {
  if (s.strength === "camera") return lensGainPx(numbers, s, focusDisparity);
  if (s.strength !== GENFOCUS) return blurGainPx(numbers, s, index);
  if (!numbers.metric)
    throw new Error("K needs depth in metres: set near_m and far_m of Depth Estimate, or strength in percent");
  return s.genfocus_k;
}

/** `optics.lens_gain_px`. */
function lensGainPx(numbers: FocusNumbers, s: Settings, focusDisparity: number): number {
  if (!numbers.metric)
    throw new Error("a camera needs depth in metres: set near_m and far_m of Depth Estimate, or strength in percent");
  if (s.f_number === 0) throw new Error("the photo's f-number is not known: set f_number");
  if (s.sensor_mm === 0) throw new Error("the photo's sensor is not known: set sensor");
  const longEdgePx = Math.max(numbers.width, numbers.height);
  const focalMm = focalOf(numbers, s);
  const remaining = 1 - (focalMm * focusDisparity) / 1000; // (s_f - f) / s_f
  if (remaining <= 0) throw new Error("the focus lies nearer than the focal length");
  return ((focalMm ** 2 / (2 * s.f_number) / remaining) * (longEdgePx / s.sensor_mm)) / 1000;
}

/** The focal length in mm: that of the widgets, else what the depth knows. */
function focalOf(numbers: FocusNumbers, s: Settings): number {
  if (s.focal_mm > 0) return s.focal_mm;
  if (numbers.focal_px === null) throw new Error("the photo's focal length is not known: set focal_mm");
  return (numbers.focal_px * s.sensor_mm) / Math.max(numbers.width, numbers.height);
}

/** `optics.depth_of_field_m` and `optics.hyperfocal_m`. */
function depthOfField(numbers: FocusNumbers, focalMm: number, focusDisparity: number, gainPx: number): Solved["field"] {
  const sharpPx = (SHARP_PRINT / 2) * Math.max(numbers.width, numbers.height);
  const beyond = focusDisparity - sharpPx / gainPx;
  return {
    nearM: 1 / (focusDisparity + sharpPx / gainPx),
    farM: beyond > 0 ? 1 / beyond : Infinity,
    hyperfocalM: (gainPx * (1 - (focalMm / 1000) * focusDisparity)) / sharpPx + focalMm / 1000,
  };
}

/** `defocus.Tilt`, which leans around a focus point only. */
function leanOf(s: Settings, span: number): Solved["lean"] {
  const per = (degrees: number): number => (s.focus === "point" ? span * Math.tan((degrees * Math.PI) / 180) : 0);
  return { right: per(s.swing_deg), down: per(s.tilt_deg), x: s.x, y: s.y };
}

/** Disparity of the focal plane at a position of the picture (0..1 along each side), over that at the point and in the middle. */
export function leanAt({ lean, bend }: Solved, { w, h }: Size, x: number, y: number): number {
  const squared = (((x - 0.5) * w) ** 2 + ((y - 0.5) * h) ** 2) / ((w * w + h * h) / 4);
  return (lean.right * (x - lean.x) * w + lean.down * (y - lean.y) * h) / Math.max(w, h) + bend * squared;
}

function leans({ lean, bend }: Solved): boolean {
  return lean.right !== 0 || lean.down !== 0 || bend !== 0;
}

/** `optics.blur_gain_px`. A scene of one plane counts as reaching from there to infinity. */
function blurGainPx(numbers: FocusNumbers, s: Settings, index: number): number {
  return ((s.percent / 100) * Math.max(numbers.width, numbers.height)) / spanAbove0(numbers, index);
}

function spanAbove0(numbers: FocusNumbers, index: number): number {
  const nearest = numbers.nearest[index] > 0 ? numbers.nearest[index] : 1;
  return numbers.span[index] > FLAT_SHARE * nearest ? numbers.span[index] : nearest;
}

/** Which field of a key sets the aperture while the strength is given in that way; null where none does. */
export function apertureField(s: Settings): "f_number" | "percent" | null {
  if (s.strength === GENFOCUS) return null;
  return s.strength === "camera" ? "f_number" : "percent";
}

/** Factor on the gain at a frame: the aperture of the keys over that of the widgets. */
function apertureOfKeys(keys: Keyframes, s: Settings, frame: number): number {
  const field = apertureField(s);
  if (field === null) {
    if (keys.some((k) => k.f_number !== undefined || k.percent !== undefined))
      throw new Error("a key sets the aperture, but K sets the strength: give the strength by a camera or in percent");
    return 1;
  }
  const apertureKeys = keys.filter((k) => k[field] !== undefined);
  if (apertureKeys.length === 0) return 1;
  if (field === "f_number") return s.f_number / 2 ** track(apertureKeys, (k) => Math.log2(k.f_number!), frame);
  return s.percent > 0 ? track(apertureKeys, (k) => k.percent!, frame) / s.percent : 0;
}

/** Signed radius in px for a disparity, less what the focal plane leans there. */
export function radiusPx(disparity: number, solved: Solved, s: Settings): number {
  let radius = solved.gainPx * (solved.focusDisparity - disparity);
  const sharp = solved.gainPx * solved.sharpHalfWidth;
  radius -= Math.min(Math.max(radius, -sharp), sharp);
  return radius < 0 ? radius * s.near_gain : radius * s.far_gain;
}

/** Signed radius in px of every pixel of a thumbnail. */
export function radiiPx(disparity: Float32Array, solved: Solved, s: Settings, size: Size): Float32Array {
  const out = new Float32Array(disparity.length);
  for (let i = 0; i < out.length; i++) {
    const lean = leanAt(solved, size, ((i % size.w) + 0.5) / size.w, (Math.floor(i / size.w) + 0.5) / size.h);
    out[i] = radiusPx(disparity[i] - lean, solved, s);
  }
  return out;
}

/** Width and height of a thumbnail. */
interface Size {
  w: number;
  h: number;
}

/** The largest radii in front of and behind the focal plane of one thumbnail, in px. */
export function extentPx(map: Frames, index: number, solved: Solved, s: Settings): { near: number; far: number } {
  // Without a lean the radius runs monotonically with the disparity.
  const ends = leans(solved)
    ? radiiPx(map.values[index], solved, s, map)
    : [map.lowest[index], map.highest[index]].map((end) => radiusPx(end, solved, s));
  let near = 0;
  let far = 0;
  for (const radius of ends) {
    near = Math.max(near, -radius);
    far = Math.max(far, radius);
  }
  return { near, far };
}

/** The largest |radius| in px of all thumbnails: the scale of the colours. */
export function largestRadiusPx(numbers: FocusNumbers, map: Frames, s: Settings): number {
  let largest = LEAST_SCALE_PX;
  for (let i = 0; i < map.values.length; i++) {
    const { near, far } = extentPx(map, i, solve(numbers, map, s, i), s);
    largest = Math.max(largest, near, far);
  }
  return largest;
}
