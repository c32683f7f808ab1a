/** The thumbnails that a node sends: the inverse of refocus_core/defocus/thumbnail.py. */

import { LEVELS } from "./constants";

/** What the node sends with every map; see nodes/host/previews.py. */
export interface Numbers {
  /** Size of the full picture, and frames of the clip. */
  width: number;
  height: number;
  frames: number;
  /** Numbers of the frames of which there are thumbnails. */
  shown: number[];
  /** Width and height of a thumbnail. */
  size: [number, number];
  /** Values of the lowest and the highest code. */
  low: number;
  high: number;
}

/** A map of several frames, unpacked. */
export interface Frames {
  w: number;
  h: number;
  values: Float32Array[];
  /** 1 where the value is known. */
  valid: Uint8Array[];
  lowest: number[];
  highest: number[];
}

/** The inverse of DepthThumbnail.packed, after decompression. A code above `LEVELS` marks a pixel without known depth. */
export function unpack(bytes: ArrayBuffer, numbers: Numbers): Frames {
  const [w, h] = numbers.size;
  const differences = new DataView(bytes);
  const step = (numbers.high - numbers.low) / LEVELS;
  const frames: Frames = { w, h, values: [], valid: [], lowest: [], highest: [] };
  for (let f = 0, at = 0; f < numbers.shown.length; f++) {
    const values = new Float32Array(w * h);
    const valid = new Uint8Array(w * h);
    let lowest = Infinity;
    let highest = -Infinity;
    let code = 0;
    for (let i = 0; i < w * h; i++, at += 2) {
      const left = i % w === 0 ? 0 : code;
      code = (left + differences.getUint16(at, true)) & 0xffff;
      const value = numbers.low + (code & LEVELS) * step;
      values[i] = value;
      valid[i] = code > LEVELS ? 0 : 1;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    frames.values.push(values);
    frames.valid.push(valid);
    frames.lowest.push(lowest);
    frames.highest.push(highest);
  }
  return frames;
}

/** Index of the thumbnail nearest to a frame of the clip. */
export function nearestShown(numbers: Numbers, frame: number): number {
  let best = 0;
  numbers.shown.forEach((f, i) => {
    if (Math.abs(f - frame) < Math.abs(numbers.shown[best] - frame)) best = i;
  });
  return best;
}
