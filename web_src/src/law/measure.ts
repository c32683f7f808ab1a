/** Disparity measured over an area, never from one pixel: refocus_core/defocus/focus.py on thumbnails. */

import type { Frames } from "./unpack";

/** A disc: centre in 0..1 of the width and the height, radius as a share of the long edge. */
export interface Disc {
  x: number;
  y: number;
  radius: number;
}

/** Known values within the disc, sorted. The pixel that holds the centre always belongs to it. */
export function valuesInDisc(map: Frames, index: number, disc: Disc): number[] {
  const { w, h } = map;
  const values = map.values[index];
  const valid = map.valid[index];
  const radiusPx = disc.radius * Math.max(w, h);
  const cx = disc.x * w;
  const cy = disc.y * h;
  const inDisc: number[] = [];
  const centre = Math.min(Math.floor(cy), h - 1) * w + Math.min(Math.floor(cx), w - 1);
  for (let j = Math.max(0, Math.floor(cy - radiusPx)); j < Math.min(h, cy + radiusPx + 1); j++)
    for (let i = Math.max(0, Math.floor(cx - radiusPx)); i < Math.min(w, cx + radiusPx + 1); i++) {
      const inside = (i + 0.5 - cx) ** 2 + (j + 0.5 - cy) ** 2 <= radiusPx ** 2;
      const pixel = j * w + i;
      if ((inside || pixel === centre) && valid[pixel]) inDisc.push(values[pixel]);
    }
  return inDisc.sort((a, b) => a - b);
}

/** The lower of two middle values, as torch.median: always the disparity of a surface that is really there. */
export function median(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** Median distance from the median: of an even slope a quarter of its whole range, and blind to a smaller part elsewhere. */
export function medianDeviation(sorted: readonly number[]): number {
  const middle = median(sorted);
  return median(sorted.map((v) => Math.abs(v - middle)).sort((a, b) => a - b));
}

/**
 * Median disparity of a disc, in the unit of the thumbnail.
 *
 * @throws Error where none of its depth is known.
 */
export function disparityAt(map: Frames, index: number, disc: Disc): number {
  const values = valuesInDisc(map, index, disc);
  if (values.length === 0) throw new Error("no depth is known around this point; choose another one");
  return median(values);
}
