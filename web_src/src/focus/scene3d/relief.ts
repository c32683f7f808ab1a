/** The photo as a relief of its nearness: a mesh that is torn at the edges of depth. */

import type { Frames } from "../../law/unpack";

/** Depth of the relief in half heights of the picture. */
const RELIEF = 1.3;
/** A step of this share of the depth is an edge: nothing is drawn across it. More closes gaps and draws rubber sheets. */
const TEAR = 0.06;
/** Most cells along the long edge. More shows finer depth and takes longer to make. */
const GRID = 220;

/** A triangle mesh whose height is 2 around 0, and whose width is 2 * aspect. */
export interface Relief {
  /** x, y, z, u, v of every point. */
  points: Float32Array;
  /** Three points of every triangle. */
  triangles: Uint32Array;
  aspect: number;
}

/** Floats of one point of a mesh. */
export const POINT_FLOATS = 5;

/** z of a share of the depth, 0 far to 1 near. */
export function reliefZ(share: number): number {
  return (share - 0.5) * RELIEF;
}

export function makeRelief(map: Frames, index: number): Relief {
  const { w, h } = map;
  const [low, high] = [map.lowest[index], map.highest[index]];
  const values = map.values[index];
  const aspect = w / h;
  const stride = Math.max(1, Math.ceil(Math.max(w, h) / GRID));
  const [columns, rows] = [Math.floor((w - 1) / stride) + 1, Math.floor((h - 1) / stride) + 1];
  const points = new Float32Array(columns * rows * POINT_FLOATS);
  const share = new Float32Array(columns * rows);
  for (let j = 0; j < rows; j++)
    for (let i = 0; i < columns; i++) {
      const k = j * columns + i;
      const [u, v] = [(i * stride + 0.5) / w, (j * stride + 0.5) / h];
      share[k] = high > low ? (values[j * stride * w + i * stride] - low) / (high - low) : 0.5;
      points.set([(2 * u - 1) * aspect, 1 - 2 * v, reliefZ(share[k]), u, v], POINT_FLOATS * k);
    }
  return { points, triangles: trianglesOf(share, columns, rows), aspect };
}

/** Two triangles for every cell of the grid, without those that cross an edge of depth. */
function trianglesOf(share: Float32Array, columns: number, rows: number): Uint32Array {
  const triangles: number[] = [];
  const add = (a: number, b: number, c: number): void => {
    const [x, y, z] = [share[a], share[b], share[c]];
    if (Math.max(x, y, z) - Math.min(x, y, z) < TEAR) triangles.push(a, b, c);
  };
  for (let j = 0; j + 1 < rows; j++)
    for (let i = 0; i + 1 < columns; i++) {
      const k = j * columns + i;
      add(k, k + 1, k + columns);
      add(k + 1, k + columns + 1, k + columns);
    }
  return new Uint32Array(triangles);
}
