/**
 * Focus and defocus on thumbnails, by the law of refocus_core: optics.py, defocus/focus.py, mapping.py, keyframes.py and
 * preview.py. A test compares the numbers. Radii are in pixels of the full picture.
 */

import { type Keyframes, parseKeyframes, track } from "./keyframes";

/** What the node sends; see nodes/host/previews.py. */
export interface Numbers {
  width: number;
  height: number;
  frames: number;
  shown: number[];
  size: [number, number];
  low: number;
  high: number;
}

export interface FocusNumbers extends Numbers {
  metric: boolean;
  nearest: number[];
  farthest: number[];
  auto: number[] | null;
  mask: number[] | null;
  focal_px: number | null;
}

/** A quantised map of several frames, unpacked. */
export interface Frames {
  w: number;
  h: number;
  values: Float32Array[];
  /** 1 where the value is known. */
  known: Uint8Array[];
  lowest: number[];
  highest: number[];
}

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

/** Focus and strength of one frame. Disparities are in the unit of the node's output (1/m where that is known). */
export interface Solved {
  focus: number;
  gainPx: number;
  halfWidth: number;
  /** Disparity of the thumbnail -> disparity of the output. */
  scale: number;
  offset: number;
  metric: boolean;
  span: number;
}

const LEVELS = 32767;

/** The inverse of DepthThumbnail.packed, after decompression. */
export function unpack(bytes: ArrayBuffer, numbers: Numbers): Frames {
  const [w, h] = numbers.size;
  const codes = new DataView(bytes);
  const step = (numbers.high - numbers.low) / LEVELS;
  const frames: Frames = { w, h, values: [], known: [], lowest: [], highest: [] };
  for (let f = 0, at = 0; f < numbers.shown.length; f++) {
    const values = new Float32Array(w * h);
    const known = new Uint8Array(w * h);
    let lowest = Infinity;
    let highest = -Infinity;
    let code = 0;
    for (let i = 0; i < w * h; i++, at += 2) {
      code = ((i % w === 0 ? 0 : code) + codes.getUint16(at, true)) & 0xffff; // differences along a row
      const value = numbers.low + (code & LEVELS) * step;
      values[i] = value;
      known[i] = code > LEVELS ? 0 : 1;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    frames.values.push(values);
    frames.known.push(known);
    frames.lowest.push(lowest);
    frames.highest.push(highest);
  }
  return frames;
}

/** Values of the disc around a point, and of the pixel under it. */
export function disc(map: Frames, frame: number, x: number, y: number, radius: number): number[] {
  const { w, h } = map;
  const values = map.values[frame];
  const known = map.known[frame];
  const reach = radius * Math.max(w, h);
  const cx = x * w;
  const cy = y * h;
  const found: number[] = [];
  const under = Math.min(Math.floor(cy), h - 1) * w + Math.min(Math.floor(cx), w - 1);
  for (let j = Math.max(0, Math.floor(cy - reach)); j < Math.min(h, cy + reach + 1); j++)
    for (let i = Math.max(0, Math.floor(cx - reach)); i < Math.min(w, cx + reach + 1); i++) {
      const inside = (i + 0.5 - cx) ** 2 + (j + 0.5 - cy) ** 2 <= reach ** 2;
      const k = j * w + i;
      if ((inside || k === under) && known[k]) found.push(values[k]);
    }
  return found.sort((a, b) => a - b);
}

/** The lower of two middle values, as torch.median. */
const median = (sorted: number[]): number => sorted[Math.floor((sorted.length - 1) / 2)];

function point(map: Frames, frame: number, x: number, y: number, radius: number): number {
  const found = disc(map, frame, x, y, radius);
  if (found.length === 0) throw new Error("no depth is known around this point; choose another one");
  return median(found);
}

/** Frame of the thumbnails that lies nearest to a frame of the clip. */
export function shownAt(numbers: Numbers, frame: number): number {
  let best = 0;
  numbers.shown.forEach((f, i) => {
    if (Math.abs(f - frame) < Math.abs(numbers.shown[best] - frame)) best = i;
  });
  return best;
}

/**
 * Focus and gain of one shown frame; with `frame`, the keyframes count as at that frame of the clip.
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
  let scale = 1;
  let offset = 0;
  let metric = numbers.metric;
  let span = 1;
  let nearest = 1;
  if (s.near_m > 0 || s.far_m > 0) {
    if (!(s.near_m > 0 && s.far_m > 0)) throw new Error("give both near_m and far_m, or neither");
    if (numbers.metric) throw new Error("this depth is in metres already; set near_m and far_m to 0");
    if (s.near_m >= s.far_m) throw new Error("near_m must be below far_m");
    offset = 1 / s.far_m;
    scale = 1 / s.near_m - offset;
    metric = true;
    span = scale;
    nearest = 1 / s.near_m;
  } else if (metric) {
    nearest = numbers.nearest[index];
    span = nearest - numbers.farthest[index];
  }
  const unit = (raw: number): number => offset + scale * raw;

  let keys: Keyframes | null;
  try {
    keys = parseKeyframes(s.keyframes);
  } catch (error) {
    throw new Error(`keyframes: ${error instanceof Error ? error.message : String(error)}`);
  }
  let focus: number;
  let halfWidth = 0;
  const focusKeys = keys?.filter((k) => k.x !== undefined || k.distance_m !== undefined) ?? [];
  if (focusKeys.length > 0) {
    focus = track(
      focusKeys,
      (k) =>
        k.x !== undefined
          ? unit(point(map, shownAt(numbers, k.frame), k.x, k.y!, 0.01))
          : atDistance(k.distance_m!, metric),
      frame,
    );
  } else if (s.focus === "point") {
    focus = unit(point(map, index, s.x, s.y, s.focus_radius));
  } else if (s.focus === "two points") {
    const a = unit(point(map, index, s.x, s.y, s.focus_radius));
    const b = unit(point(map, index, s.x2, s.y2, s.focus_radius));
    focus = (a + b) / 2;
    halfWidth = Math.abs(a - b) / 2;
  } else if (s.focus === "distance") {
    focus = atDistance(s.distance_m, metric);
  } else {
    const measured = numbers.mask ?? (s.focus === "auto" ? numbers.auto : null);
    if (!measured) throw new Error("run the graph once to measure the focus under the mask");
    focus = unit(measured[index]);
  }

  const longEdge = Math.max(numbers.width, numbers.height);
  let gainPx: number;
  if (s.strength === "camera") {
    if (!metric) throw new Error("a camera needs depth in metres: set near_m and far_m, or strength in percent");
    let focal = s.focal_mm;
    if (focal === 0) {
      if (numbers.focal_px === null) throw new Error("the photo's focal length is not known: set focal_mm");
      focal = (numbers.focal_px * s.sensor_mm) / longEdge;
    }
    const remaining = 1 - (focal * focus) / 1000;
    if (remaining <= 0) throw new Error("the focus lies nearer than the focal length");
    gainPx = ((focal ** 2 / (2 * s.f_number) / remaining) * (longEdge / s.sensor_mm)) / 1000;
  } else {
    const floor = Math.max(0.25 * (nearest > 0 ? nearest : 1), 1.1754943508222875e-38);
    gainPx = ((s.percent / 100) * longEdge) / Math.max(focus, floor);
  }
  const own = s.strength === "camera" ? "f_number" : "percent";
  const apertureKeys = keys?.filter((k) => k[own] !== undefined) ?? [];
  if (apertureKeys.length > 0) {
    const opening =
      own === "f_number"
        ? s.f_number / 2 ** track(apertureKeys, (k) => Math.log2(k.f_number!), frame)
        : s.percent > 0
          ? track(apertureKeys, (k) => k.percent!, frame) / s.percent
          : 0;
    gainPx *= opening;
  }
  halfWidth += (span * s.focus_range) / 2;
  return { focus, gainPx, halfWidth, scale, offset, metric, span };
}

function atDistance(metres: number, metric: boolean): number {
  if (!metric) throw new Error("a distance needs depth in metres: set near_m and far_m, or focus by point");
  return 1 / metres;
}

/** Signed radius in px for a disparity of the thumbnail. */
export function radiusOf(raw: number, solved: Solved, s: Settings): number {
  let r = solved.gainPx * (solved.focus - (solved.offset + solved.scale * raw));
  const sharp = solved.gainPx * solved.halfWidth;
  r -= Math.min(Math.max(r, -sharp), sharp);
  return r < 0 ? r * s.near_gain : r * s.far_gain;
}

export function radii(values: Float32Array, solved: Solved, s: Settings): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = radiusOf(values[i], solved, s);
  return out;
}

/** The largest |radius| of all shown frames: the scale of the colours. */
export function largestRadius(numbers: FocusNumbers, map: Frames, s: Settings): number {
  let largest = 1e-6;
  for (let i = 0; i < map.values.length; i++) {
    const solved = solve(numbers, map, s, i);
    // The radius runs monotonically with the disparity.
    for (const raw of [map.lowest[i], map.highest[i]]) largest = Math.max(largest, Math.abs(radiusOf(raw, solved, s)));
  }
  return largest;
}

/** 1 where a pixel is shown as sharp. */
function sharpCells(radius: Float32Array, largest: number): Uint8Array {
  const most = Math.max(0.02 * largest, 0.5);
  const sharp = new Uint8Array(radius.length);
  for (let i = 0; i < sharp.length; i++) if (Math.abs(radius[i]) <= most) sharp[i] = 1;
  return sharp;
}

const NEAR = [0.05, 0.3, 1.0] as const;
const FAR = [1.0, 0.16, 0.06] as const;
const FOCUS = [1.0, 0.93, 0.45] as const;

/** Brightness of the photo as preview.py shows it, 0..1; `rgba` as a canvas gives it. */
export function greyOf(rgba: Uint8ClampedArray): Float32Array {
  const linear = new Float32Array(256);
  for (let v = 0; v < 256; v++) linear[v] = v <= 10.31475 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0; i < out.length; i++) {
    const y = 0.2126 * linear[rgba[4 * i]] + 0.7152 * linear[rgba[4 * i + 1]] + 0.0722 * linear[rgba[4 * i + 2]];
    out[i] = y <= 0.0031308 ? y * 12.92 : 1.055 * y ** (1 / 2.4) - 0.055;
  }
  return out;
}

/** How many cells of a square window hold 1, one axis after the other; outside the picture is nothing. */
function count(source: Uint8Array, w: number, h: number, reach: number): Uint16Array {
  const rows = new Uint16Array(source.length);
  for (let j = 0; j < h; j++) {
    const start = j * w;
    let sum = 0;
    for (let i = -reach; i < w; i++) {
      if (i + reach < w) sum += source[start + i + reach];
      if (i > reach) sum -= source[start + i - reach - 1];
      if (i >= 0) rows[start + i] = sum;
    }
  }
  const out = new Uint16Array(source.length);
  const sums = new Uint16Array(w);
  for (let j = -reach; j < h; j++) {
    const [add, drop] = [(j + reach) * w, (j - reach - 1) * w];
    if (j + reach < h) for (let i = 0; i < w; i++) sums[i] += rows[add + i];
    if (j > reach) for (let i = 0; i < w; i++) sums[i] -= rows[drop + i];
    if (j >= 0) out.set(sums, j * w);
  }
  return out;
}

/** 1 on the inner border of what is sharp; specks, which do not survive erosion, have none. */
function outline(sharp: Uint8Array, w: number, h: number): Uint8Array {
  const width = Math.max(1, Math.round(Math.max(w, h) / 900));
  const blurred = count(
    sharp.map((v) => 1 - v),
    w,
    h,
    width,
  );
  const eroded = sharp.map((v, i) => (v && blurred[i] === 0 ? 1 : 0));
  const solid = count(eroded, w, h, 2 * width);
  return sharp.map((v, i) => (v && !eroded[i] && solid[i] > 0 ? 1 : 0));
}

/** The picture of preview.py into `rgba`. `grey` null: no photo is known. */
export function paint(
  radius: Float32Array,
  grey: Float32Array | null,
  largest: number,
  { w, h }: Frames,
  rgba: Uint8ClampedArray,
): void {
  const sharp = sharpCells(radius, largest);
  const line = outline(sharp, w, h);
  for (let i = 0, at = 0; i < radius.length; i++, at += 4) {
    const g = grey ? grey[i] : 0.5;
    if (sharp[i]) {
      for (let c = 0; c < 3; c++) {
        let v = g + 0.4 * (FOCUS[c] * (0.25 + 0.75 * g) - g);
        if (line[i]) v += 0.85 * (FOCUS[c] - v);
        rgba[at + c] = v * 255;
      }
    } else {
      const [red, green, blue] = radius[i] < 0 ? NEAR : FAR;
      const amount = 0.15 + 0.75 * Math.sqrt(Math.abs(radius[i]) / largest);
      const rest = g * (1 - amount);
      const shade = (0.3 + 0.7 * g) * amount;
      rgba[at] = (rest + red * shade) * 255; // a clamped array rounds
      rgba[at + 1] = (rest + green * shade) * 255;
      rgba[at + 2] = (rest + blue * shade) * 255;
    }
    rgba[at + 3] = 255;
  }
}

/** Only what is sharp: a yellow tint and outline over nothing. */
export function paintPlane(radius: Float32Array, largest: number, { w, h }: Frames, rgba: Uint8ClampedArray): void {
  const sharp = sharpCells(radius, largest);
  const line = outline(sharp, w, h);
  for (let i = 0; i < radius.length; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = FOCUS[c] * 255;
    rgba[4 * i + 3] = line[i] ? 235 : sharp[i] ? 80 : 0;
  }
}
