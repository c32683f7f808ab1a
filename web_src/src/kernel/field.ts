/** The pupil away from the middle of the picture, by the formulas of refocus_core/bokeh/field.py. A test compares the pixels. */

import { DARK, LEAST_AREA, MOST_COMA, MOST_MISS, MOST_SWIRL } from "../law/constants";
import { lookedUp, planes, scaled, type Settings } from "./character";

/** Samples along each side of a cell, and steps that invert the coma, as refocus_core/bokeh/field.py has them. */
const SAMPLES = 2;
const NEWTON_STEPS = 4;

/** Whether the pupil changes over the picture at all. */
export function hasField(s: Settings): boolean {
  return s.cat_eye !== 0 || s.swirl !== 0 || s.coma !== 0 || s.barn_doors !== 0;
}

/** Whether the blur in front of the focal plane is another one than behind it because of where it is. */
export function fieldDiffersInFront(s: Settings): boolean {
  return s.swirl !== 0 || s.coma !== 0;
}

/** As `planes`, at the place (px, py) of the picture. */
export function planesAt(s: Settings, size: number, side: 1 | -1, px: number, py: number): Float32Array[] {
  const reach = reachOf(planes(s, size, 1), size);
  return planes(s, size, side).map((plane) => scaled(seen(plane, s, size, side, [px, py], reach)));
}

/** Radius of the barrel's rim: as far as any light reaches behind the focal plane, and at least the pupil's. */
function reachOf(light: Float32Array[], size: number): number {
  const peak = light.reduce(
    (most, plane) =>
      Math.max(
        most,
        plane.reduce((a, b) => Math.max(a, b), 0),
      ),
    0,
  );
  let reach = 1;
  for (const plane of light)
    plane.forEach((value, k) => {
      const [x, y] = [k % size, Math.floor(k / size)].map((v) => ((v + 0.5) * 2) / size - 1);
      if (value > DARK * peak) reach = Math.max(reach, Math.hypot(x, y) - 1 / size);
    });
  return reach;
}

function seen(
  plane: Float32Array,
  s: Settings,
  size: number,
  side: number,
  [px, py]: readonly [number, number],
  reach: number,
): Float32Array {
  const distance = Math.hypot(px, py);
  const [cos, sin] = [px / distance, py / distance];
  const swirl = MOST_SWIRL * s.swirl * distance ** 2 * side;
  const coma = MOST_COMA * s.coma * distance * side;
  const longer = Math.min(1, (1 - swirl) / (1 + swirl));
  const wider = Math.min(1, (1 + swirl) / (1 - swirl));
  const n = size * SAMPLES;
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const at = [((i + 0.5) * 2) / n - 1, ((j + 0.5) * 2) / n - 1];
      const ray = withoutComa((cos * at[0] + sin * at[1]) / longer, (cos * at[1] - sin * at[0]) / wider, coma);
      if (!ray) continue;
      const x = cos * ray.along - sin * ray.across;
      const y = sin * ray.along + cos * ray.across;
      const open = s.cat_eye === 0 ? 1 : (reach - Math.hypot(x + s.cat_eye * px, y + s.cat_eye * py)) * size + 0.5;
      const passed = Math.min(Math.max(open, 0), 1) * throughDoors(s, x, px, size) * throughDoors(s, y, py, size);
      const light = (lookedUp(plane, size, x, y) / ray.area) * passed;
      out[Math.floor(j / SAMPLES) * size + Math.floor(i / SAMPLES)] += light / SAMPLES ** 2;
    }
  return out;
}

/** The share of light that a pair of doors lets through, along one axis. */
function throughDoors(s: Settings, at: number, place: number, size: number): number {
  if (s.barn_doors === 0 || place === 0) return 1;
  return Math.min(Math.max((1 - Math.abs(at + s.barn_doors * place)) * size + 0.5, 0), 1);
}

interface Ray {
  along: number;
  across: number;
  area: number;
}

/** The pupil point of the ray that coma brings to a place, and how it enlarges areas there; null where none comes. */
function withoutComa(along: number, across: number, c: number): Ray | null {
  if (c === 0) return { along, across, area: 1 };
  const targetA = along * (1 + 3 * Math.abs(c));
  const targetB = across * (1 + 3 * Math.abs(c));
  let [a, b] = [along, across];
  for (let k = 0; k < NEWTON_STEPS; k++) {
    const [aa, ab, bb] = [1 + 6 * c * a, 2 * c * b, 1 + 2 * c * a];
    const missA = a + c * (3 * a * a + b * b) - targetA;
    const missB = b * bb - targetB;
    const area = Math.max(aa * bb - ab * ab, LEAST_AREA);
    [a, b] = [a - (bb * missA - ab * missB) / area, b - (aa * missB - ab * missA) / area];
  }
  const aa = 1 + 6 * c * a;
  const area = aa * (1 + 2 * c * a) - 4 * c * c * b * b;
  const miss = Math.abs(a + c * (3 * a * a + b * b) - targetA);
  return aa > 0 && area > LEAST_AREA && miss < MOST_MISS ? { along: a, across: b, area } : null;
}
