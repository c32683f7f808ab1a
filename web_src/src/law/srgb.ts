/** The sRGB transfer function of refocus_core/color.py, for single values in 0..1. */

import { LUMA_WEIGHTS } from "./constants";

export function linearToSrgb(v: number): number {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}

export function srgbToLinear(v: number): number {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

/** Brightness of a picture, sRGB-encoded in 0..1; `rgba` as a canvas gives it. */
export function greyOf(rgba: Uint8ClampedArray): Float32Array {
  const linear = Float32Array.from({ length: 256 }, (_, v) => srgbToLinear(v / 255));
  const [red, green, blue] = LUMA_WEIGHTS;
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0; i < out.length; i++) {
    const y = red * linear[rgba[4 * i]] + green * linear[rgba[4 * i + 1]] + blue * linear[rgba[4 * i + 2]];
    out[i] = linearToSrgb(y);
  }
  return out;
}
