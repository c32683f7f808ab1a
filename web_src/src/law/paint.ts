/** The picture of a defocus map: refocus_core/defocus/preview.py on thumbnails. A test compares the pixels. */

import {
  FAR_RGB,
  FOCUS_OVER_BLACK,
  FOCUS_RGB,
  FOCUS_TINT,
  LEAST_COLOUR,
  LONG_EDGE_PER_LINE_PX,
  MORE_COLOUR,
  NEAR_RGB,
  NO_PHOTO_GREY,
  OUTLINE_TINT,
  SHADE_OVER_BLACK,
  SHARP_RADIUS_PX,
  SHARP_SHARE,
} from "./constants";
import type { Frames } from "./unpack";

/** Opacity (0..255) of the marked focal plane over another picture, and of its outline. */
const PLANE_ALPHA = 80;
const PLANE_OUTLINE_ALPHA = 235;

/** The preview of the defocus into `rgba`. `grey` is the photo's brightness, or null where no photo is known. */
export function paintDefocus(
  radius: Float32Array,
  grey: Float32Array | null,
  largestPx: number,
  { w, h }: Frames,
  rgba: Uint8ClampedArray,
): void {
  const sharp = sharpMask(radius, largestPx);
  const outline = outlineOf(sharp, w, h);
  for (let i = 0, at = 0; i < radius.length; i++, at += 4) {
    const g = grey ? grey[i] : NO_PHOTO_GREY;
    if (sharp[i]) {
      for (let c = 0; c < 3; c++) {
        let v = g + FOCUS_TINT * (FOCUS_RGB[c] * (FOCUS_OVER_BLACK + (1 - FOCUS_OVER_BLACK) * g) - g);
        if (outline[i]) v += OUTLINE_TINT * (FOCUS_RGB[c] - v);
        rgba[at + c] = v * 255; // a clamped array rounds
      }
    } else {
      const [red, green, blue] = radius[i] < 0 ? NEAR_RGB : FAR_RGB;
      const amount = LEAST_COLOUR + MORE_COLOUR * Math.sqrt(Math.abs(radius[i]) / largestPx);
      const photo = g * (1 - amount);
      const shade = (SHADE_OVER_BLACK + (1 - SHADE_OVER_BLACK) * g) * amount;
      rgba[at] = (photo + red * shade) * 255;
      rgba[at + 1] = (photo + green * shade) * 255;
      rgba[at + 2] = (photo + blue * shade) * 255;
    }
    rgba[at + 3] = 255;
  }
}

/** Only what is sharp: a yellow tint and outline over nothing. */
export function paintFocalPlane(
  radius: Float32Array,
  largestPx: number,
  { w, h }: Frames,
  rgba: Uint8ClampedArray,
): void {
  const sharp = sharpMask(radius, largestPx);
  const outline = outlineOf(sharp, w, h);
  for (let i = 0; i < radius.length; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = FOCUS_RGB[c] * 255;
    rgba[4 * i + 3] = outline[i] ? PLANE_OUTLINE_ALPHA : sharp[i] ? PLANE_ALPHA : 0;
  }
}

/** Depth in grey, near is bright. */
export function paintDepth(map: Frames, index: number, rgba: Uint8ClampedArray): void {
  const low = map.lowest[index];
  const span = map.highest[index] - low || 1;
  map.values[index].forEach((v, i) => {
    const shade = (255 * (v - low)) / span;
    rgba.set([shade, shade, shade, 255], 4 * i);
  });
}

/** 1 where a pixel is shown as sharp. */
function sharpMask(radius: Float32Array, largestPx: number): Uint8Array {
  const mostPx = Math.max(SHARP_SHARE * largestPx, SHARP_RADIUS_PX);
  const mask = new Uint8Array(radius.length);
  for (let i = 0; i < mask.length; i++) if (Math.abs(radius[i]) <= mostPx) mask[i] = 1;
  return mask;
}

/** 1 on the inner border of what is sharp; specks, which do not survive erosion, have none. */
function outlineOf(sharp: Uint8Array, w: number, h: number): Uint8Array {
  const widthPx = Math.max(1, Math.round(Math.max(w, h) / LONG_EDGE_PER_LINE_PX));
  const blurred = sharp.map((v) => 1 - v);
  const blurredNear = windowSum(blurred, w, h, widthPx);
  const eroded = sharp.map((v, i) => (v && blurredNear[i] === 0 ? 1 : 0));
  const solidNear = windowSum(eroded, w, h, 2 * widthPx);
  return sharp.map((v, i) => (v && !eroded[i] && solidNear[i] > 0 ? 1 : 0));
}

/** Sum over a square window of 2 * halfWidth + 1 pixels, one axis after the other; outside the picture is nothing. */
function windowSum(source: Uint8Array, w: number, h: number, halfWidth: number): Uint16Array {
  const rows = new Uint16Array(source.length);
  for (let j = 0; j < h; j++) {
    const start = j * w;
    let sum = 0;
    for (let i = -halfWidth; i < w; i++) {
      if (i + halfWidth < w) sum += source[start + i + halfWidth];
      if (i > halfWidth) sum -= source[start + i - halfWidth - 1];
      if (i >= 0) rows[start + i] = sum;
    }
  }
  const out = new Uint16Array(source.length);
  const columns = new Uint16Array(w);
  for (let j = -halfWidth; j < h; j++) {
    const [add, drop] = [(j + halfWidth) * w, (j - halfWidth - 1) * w];
    if (j + halfWidth < h) for (let i = 0; i < w; i++) columns[i] += rows[add + i];
    if (j > halfWidth) for (let i = 0; i < w; i++) columns[i] -= rows[drop + i];
    if (j >= 0) out.set(columns, j * w);
  }
  return out;
}
