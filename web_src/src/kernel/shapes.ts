/** Aperture shapes by the formulas of refocus_core/bokeh/kernels.py, at the size of a preview. A test compares the pixels. */

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

const SUPERSAMPLING = 4;
const TAU = 2 * Math.PI;
/** Remainder with the sign of the divisor, as torch.remainder. */
const remainder = (a: number, b: number): number => a - b * Math.floor(a / b);

function polygon(blades: number, curvature: number): Inside {
  const sector = TAU / blades;
  const apothem = Math.cos(sector / 2);
  const halfChord = Math.sin(sector / 2);
  const bulge = curvature * (1 - apothem);
  const radius = curvature > 0 ? (halfChord ** 2 + bulge ** 2) / (2 * bulge) : 0;
  const centre = apothem + bulge - radius;
  return (x, y) => {
    const angle = remainder(Math.atan2(x, -y), sector) - sector / 2;
    const rho = Math.hypot(x, y);
    const along = rho * Math.cos(angle);
    if (along <= apothem) return true;
    return curvature > 0 && (along - centre) ** 2 + (rho * Math.sin(angle)) ** 2 <= radius ** 2;
  };
}

function star(points: number, inner: number): Inside {
  const sector = TAU / points;
  const qx = inner * Math.cos(sector / 2);
  const qy = inner * Math.sin(sector / 2);
  return (x, y) => {
    const angle = Math.abs(remainder(Math.atan2(x, -y) + sector / 2, sector) - sector / 2);
    const rho = Math.hypot(x, y);
    return (rho * Math.cos(angle) - 1) * qy - (qx - 1) * (rho * Math.sin(angle)) <= 0;
  };
}

/** Half outline of the heart: [x, y] pairs, row 0 is up. */
function heartOutline(): Float64Array {
  const n = 4097;
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
  const far = 1e9;
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
  const fine = s.shape === "heart" ? heart(n) : new Float32Array(n * n);
  let samples = fine;
  if (s.shape === "heart") {
    if (turn !== 0) samples = turned(fine, n, turn);
  } else {
    const inner2 = s.shape === "ring" ? s.inner ** 2 : 0;
    const inside: Inside =
      s.shape === "polygon"
        ? polygon(s.blades, s.curvature)
        : s.shape === "star"
          ? star(s.points, Math.max(s.inner, 0.1))
          : (x, y) => x * x + y * y <= 1 && x * x + y * y >= inner2;
    const c = Math.cos(turn);
    const sin = Math.sin(turn);
    for (let j = 0; j < n; j++) {
      const y = ((j + 0.5) * 2) / n - 1;
      for (let i = 0; i < n; i++) {
        const x = ((i + 0.5) * 2) / n - 1;
        if (x * x + y * y <= 1.001 && inside(c * x + sin * y, c * y - sin * x)) fine[j * n + i] = 1;
      }
    }
  }
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++)
      out[Math.floor(j / SUPERSAMPLING) * size + Math.floor(i / SUPERSAMPLING)] +=
        samples[j * n + i] / SUPERSAMPLING ** 2;
  if (s.softness > 0) {
    const soft = falloff(out, size, s.softness);
    for (let i = 0; i < out.length; i++) out[i] *= soft[i];
  }
  const most = out.reduce((a, b) => Math.max(a, b), 1e-20);
  return out.map((v) => v / most);
}

/** The picture of kernel_preview: sRGB-encoded grey. */
export function paintKernel(cells: Float32Array, rgba: Uint8ClampedArray): void {
  cells.forEach((v, i) => {
    const shade = 255 * linearToSrgb(v);
    rgba.set([shade, shade, shade, 255], 4 * i);
  });
}
