/** Aperture shapes by the formulas of refocus_core/bokeh/apertures.py, at the size of a preview. A test compares the pixels. */

import { linearToSrgb } from "../law/srgb";

export interface Shape {
  shape: string;
  blades: number;
  curvature: number;
  rotation_deg: number;
  inner: number;
  points: number;
  softness: number;
}

type Inside = (x: number, y: number) => boolean;

/** Samples along each side of a cell, as refocus_core/bokeh has it. */
const SUPERSAMPLING = 4;
/** Points of half the heart's outline, likewise. */
const HEART_POINTS = 4097;
/** Least radius of a star's notches, as `make_kernel` takes it. */
const LEAST_NOTCH = 0.1;
/** A sample so far out is beyond every shape, with room for rounding. */
const BEYOND = 1.001;
const TAU = 2 * Math.PI;
/** Remainder with the sign of the divisor, as torch.remainder. */
const remainder = (a: number, b: number): number => a - b * Math.floor(a / b);

/** Blades as circular arcs through neighbouring corners: curvature 0 = straight edges, 1 = the full circle. */
function polygon(blades: number, curvature: number): Inside {
  const sector = TAU / blades;
  const apothem = Math.cos(sector / 2);
  const halfChord = Math.sin(sector / 2);
  const bulge = curvature * (1 - apothem);
  const arcRadius = curvature > 0 ? (halfChord ** 2 + bulge ** 2) / (2 * bulge) : 0;
  const arcCentre = apothem + bulge - arcRadius;
  return (x, y) => {
    const angle = remainder(Math.atan2(x, -y), sector) - sector / 2; // 0 in the middle of an edge, a corner points up
    const radius = Math.hypot(x, y);
    const along = radius * Math.cos(angle);
    if (along <= apothem) return true;
    return curvature > 0 && (along - arcCentre) ** 2 + (radius * Math.sin(angle)) ** 2 <= arcRadius ** 2;
  };
}

function star(points: number, inner: number): Inside {
  const sector = TAU / points;
  const notchX = inner * Math.cos(sector / 2);
  const notchY = inner * Math.sin(sector / 2);
  return (x, y) => {
    const angle = Math.abs(remainder(Math.atan2(x, -y) + sector / 2, sector) - sector / 2);
    const radius = Math.hypot(x, y);
    // The side of the edge from the tip (1, 0) to the notch that holds the centre.
    return (radius * Math.cos(angle) - 1) * notchY - (notchX - 1) * (radius * Math.sin(angle)) <= 0;
  };
}

/** Half outline of the heart: [x, y] pairs, row 0 is up. */
function heartOutline(): Float64Array {
  const n = HEART_POINTS;
  const out = new Float64Array(2 * n);
  let top = -Infinity;
  let bottom = Infinity;
  for (let i = 0; i < n; i++) {
    const t = (Math.PI * i) / (n - 1);
    out[2 * i] = 16 * Math.sin(t) ** 3;
    out[2 * i + 1] = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
    top = Math.max(top, out[2 * i + 1]);
    bottom = Math.min(bottom, out[2 * i + 1]);
  }
  let scale = 0;
  for (let i = 0; i < n; i++) {
    out[2 * i + 1] -= (top + bottom) / 2;
    scale = Math.max(scale, Math.hypot(out[2 * i], out[2 * i + 1]));
  }
  for (let i = 0; i < n; i++) {
    out[2 * i] /= scale;
    out[2 * i + 1] /= -scale;
  }
  return out;
}

let outline: Float64Array | null = null;

/** The heart on an n x n raster of sample points. */
function heart(n: number): Float32Array {
  outline ??= heartOutline();
  const crossings: number[][] = Array.from({ length: n }, () => []);
  const row = (y: number): number => ((y + 1) * n) / 2 - 0.5;
  for (let i = 0; i + 3 < outline.length; i += 2) {
    const [xa, ya, xb, yb] = outline.subarray(i, i + 4);
    const from = Math.max(0, Math.floor(row(Math.min(ya, yb))) - 1);
    const to = Math.min(n - 1, Math.ceil(row(Math.max(ya, yb))) + 1);
    for (let r = from; r <= to; r++) {
      const y = ((r + 0.5) * 2) / n - 1;
      if (ya <= y !== yb <= y) crossings[r].push(xa + ((y - ya) / (yb - ya)) * (xb - xa));
    }
  }
  const out = new Float32Array(n * n);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) {
      const x = Math.abs(((c + 0.5) * 2) / n - 1);
      out[r * n + c] = crossings[r].filter((at) => at > x).length % 2;
    }
  return out;
}

/** Turned about the middle, clockwise, between neighbours linearly; nothing comes in from outside. */
function turned(picture: Float32Array, n: number, angle: number): Float32Array {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const middle = (n - 1) / 2;
  const out = new Float32Array(n * n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const x = c * (i - middle) + s * (j - middle) + middle;
      const y = c * (j - middle) - s * (i - middle) + middle;
      if (x < 0 || y < 0 || x > n - 1 || y > n - 1) continue;
      const x0 = Math.min(Math.floor(x), n - 2);
      const y0 = Math.min(Math.floor(y), n - 2);
      const at = (dx: number, dy: number): number => picture[(y0 + dy) * n + x0 + dx];
      const fx = x - x0;
      const upper = at(0, 0) + fx * (at(1, 0) - at(0, 0));
      const lower = at(0, 1) + fx * (at(1, 1) - at(0, 1));
      out[j * n + i] = upper + (y - y0) * (lower - upper);
    }
  return out;
}

/** Squared distances to the nearest 0 along one line (Felzenszwalb and Huttenlocher 2012). */
function distances(f: Float64Array): Float64Array {
  const n = f.length;
  const out = new Float64Array(n);
  const v = new Int32Array(n);
  const z = new Float64Array(n + 1);
  let k = 0;
  z[0] = -Infinity;
  z[1] = Infinity;
  for (let q = 1; q < n; q++) {
    let s: number;
    do {
      s = (f[q] + q * q - f[v[k]] - v[k] * v[k]) / (2 * q - 2 * v[k]);
    } while (s <= z[k] && --k >= 0);
    v[++k] = q;
    z[k] = s;
    z[k + 1] = Infinity;
  }
  for (let q = 0, j = 0; q < n; q++) {
    while (z[j + 1] < q) j++;
    out[q] = (q - v[j]) ** 2 + f[v[j]];
  }
  return out;
}

/** Transmission rising from the edge inwards. */
function falloff(open: Float32Array, size: number, softness: number): Float32Array {
  const n = size + 2; // the raster's border is an edge too
  const far = 1e9; // squared cells, more than any raster has
  const grid = new Float64Array(n * n);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) if (open[j * size + i] > 0.5) grid[(j + 1) * n + i + 1] = far;
  for (let i = 0; i < n; i++) {
    const column = new Float64Array(n);
    for (let j = 0; j < n; j++) column[j] = grid[j * n + i];
    distances(column).forEach((d, j) => (grid[j * n + i] = d));
  }
  for (let j = 0; j < n; j++) grid.set(distances(grid.slice(j * n, (j + 1) * n)), j * n);
  let deepest = 1;
  for (const d of grid) deepest = Math.max(deepest, Math.sqrt(d));
  const out = new Float32Array(size * size);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) {
      const t = Math.min(Math.sqrt(grid[(j + 1) * n + i + 1]) / (softness * deepest), 1);
      out[j * size + i] = t * t * (3 - 2 * t);
    }
  return out;
}

/** Transmission of a named shape, size x size, the most open cell 1. */
export function raster(s: Shape, size: number): Float32Array {
  const n = size * SUPERSAMPLING;
  const turn = (s.rotation_deg * Math.PI) / 180;
  // The heart's outline is scanned by rows, so its raster is turned, not the coordinates.
  const samples =
    s.shape !== "heart" ? sampled(insideOf(s), n, turn) : turn === 0 ? heart(n) : turned(heart(n), n, turn);
  const cells = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++)
      cells[Math.floor(j / SUPERSAMPLING) * size + Math.floor(i / SUPERSAMPLING)] +=
        samples[j * n + i] / SUPERSAMPLING ** 2;
  if (s.softness > 0) {
    const soft = falloff(cells, size, s.softness);
    for (let i = 0; i < cells.length; i++) cells[i] *= soft[i];
  }
  const most = cells.reduce((a, b) => Math.max(a, b), 1e-20); // an aperture that is shut stays 0
  return cells.map((v) => v / most);
}

function insideOf(s: Shape): Inside {
  if (s.shape === "polygon") return polygon(s.blades, s.curvature);
  if (s.shape === "triangle") return polygon(3, s.curvature);
  if (s.shape === "star") return star(s.points, Math.max(s.inner, LEAST_NOTCH));
  const obstruction2 = s.shape === "ring" ? s.inner ** 2 : 0;
  return (x, y) => x * x + y * y <= 1 && x * x + y * y >= obstruction2;
}

/** 1 where a sample of the n x n raster lies inside the shape, turned clockwise. */
function sampled(inside: Inside, n: number, turn: number): Float32Array {
  const out = new Float32Array(n * n);
  const c = Math.cos(turn);
  const s = Math.sin(turn);
  for (let j = 0; j < n; j++) {
    const y = ((j + 0.5) * 2) / n - 1;
    for (let i = 0; i < n; i++) {
      const x = ((i + 0.5) * 2) / n - 1;
      if (x * x + y * y <= BEYOND && inside(c * x + s * y, c * y - s * x)) out[j * n + i] = 1;
    }
  }
  return out;
}

/** The picture of kernel_preview, sRGB-encoded: planes of one colour or of three, the brightest cell white. */
export function paintKernel(planes: Float32Array[], rgba: Uint8ClampedArray): void {
  const most = planes.reduce((a, plane) => plane.reduce((b, v) => Math.max(b, v), a), 1e-20);
  const shade = (plane: Float32Array, i: number): number => 255 * linearToSrgb(plane[i] / most);
  for (let i = 0; i < planes[0].length; i++)
    rgba.set([...[0, 1, 2].map((c) => shade(planes[c % planes.length], i)), 255], 4 * i);
}
