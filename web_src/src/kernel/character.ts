/** What a lens does to the light within its blur, by the formulas of refocus_core/bokeh/character.py. A test compares the pixels. */

import { MOST_FRINGE, MOST_SPHERICAL, ONION_RINGS } from "../law/constants";
import { raster, type Shape } from "./shapes";

export interface Settings extends Shape {
  squeeze: number;
  spherical: number;
  fringe: number;
  onion: number;
  /** What changes over the picture: none of it at its centre. */
  cat_eye: number;
  swirl: number;
  coma: number;
  barn_doors: number;
}

/** Samples along each side of a cell, as refocus_core/bokeh has it. */
const SAMPLES = 2;
const NEWTON_STEPS = 6;

/** Whether the blur in front of the focal plane is another one than behind it. */
export function differsInFront(s: Settings): boolean {
  return s.spherical !== 0 || s.fringe !== 0;
}

/**
 * The blur behind (side 1) or in front (side -1) of the focal plane, upright: one plane, or one for each colour; every plane
 * sums to 1.
 */
export function planes(s: Settings, size: number, side: 1 | -1): Float32Array[] {
  const cells = raster(s, size);
  const isNeutral = s.squeeze === 1 && s.onion === 0 && !differsInFront(s);
  if (isNeutral) return [scaled(cells)];
  const fringe = s.fringe * side;
  const smaller = 1 - MOST_FRINGE * Math.abs(fringe);
  const radii = fringe === 0 ? [1] : fringe > 0 ? [smaller, 1, smaller] : [1, smaller, 1];
  return radii.map((radius) => scaled(plane(cells, size, s, side, radius)));
}

/** A plane that sums to 1. */
export function scaled(cells: Float32Array): Float32Array {
  const sum = cells.reduce((a, b) => a + b, 0);
  return sum > 0 ? cells.map((v) => v / sum) : cells;
}

function plane(cells: Float32Array, size: number, s: Settings, side: number, radius: number): Float32Array {
  const n = size * SAMPLES;
  const a = -MOST_SPHERICAL * s.spherical * side;
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++) {
    const y = (((j + 0.5) * 2) / n - 1) / radius / Math.min(s.squeeze, 1);
    for (let i = 0; i < n; i++) {
      const x = ((((i + 0.5) * 2) / n - 1) / radius) * Math.max(s.squeeze, 1);
      const distance = Math.hypot(x, y);
      const rho = pupilRadius(distance, a);
      const density = distance <= 1 ? (1 + a) ** 2 / ((1 + a * rho * rho) * (1 + 3 * a * rho * rho)) : 1;
      const rings = (1 + s.onion * Math.cos(2 * Math.PI * ONION_RINGS * rho)) / 2;
      const ratio = rho / Math.max(distance, 1e-12);
      const light = lookedUp(cells, size, x * ratio, y * ratio) * density * rings;
      out[Math.floor(j / SAMPLES) * size + Math.floor(i / SAMPLES)] += light / SAMPLES ** 2;
    }
  }
  return out;
}

/** The radius in the pupil from which light lands at a distance from the middle of the blur. */
function pupilRadius(distance: number, a: number): number {
  if (a === 0 || distance > 1) return distance;
  const target = distance * (1 + a);
  let rho = distance;
  for (let k = 0; k < NEWTON_STEPS; k++) {
    const step = (rho + a * rho ** 3 - target) / (1 + 3 * a * rho * rho);
    rho = Math.min(Math.max(rho - step, 0), 1);
  }
  return rho;
}

/** Between neighbouring cells linearly; beyond the raster it is dark. */
export function lookedUp(cells: Float32Array, size: number, x: number, y: number): number {
  const column = ((x + 1) * size) / 2 - 0.5;
  const row = ((y + 1) * size) / 2 - 0.5;
  const x0 = Math.floor(column);
  const y0 = Math.floor(row);
  const at = (dx: number, dy: number): number => {
    const i = x0 + dx;
    const j = y0 + dy;
    return i < 0 || j < 0 || i >= size || j >= size ? 0 : cells[j * size + i];
  };
  const fx = column - x0;
  const fy = row - y0;
  const upper = at(0, 0) * (1 - fx) + at(1, 0) * fx;
  const lower = at(0, 1) * (1 - fx) + at(1, 1) * fx;
  return upper * (1 - fy) + lower * fy;
}
