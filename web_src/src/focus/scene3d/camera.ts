/** The camera that looks at the relief: turned about its middle, always at the same distance. */

import { clamp } from "../../ui/stage";

/** 4 x 4, column after column, as WebGL takes it. */
export type Matrix = Float32Array;
export type Point3 = readonly [x: number, y: number, z: number];

const DISTANCE = 3.1;
/** Focal length in half heights of the canvas, where the relief's shape allows it. */
const FOCAL_LENGTH = 2.2;
const CLIP = { near: 0.1, far: 20 };
/** Angles in radians: at the start, and the largest to either side. */
const START = { yaw: -0.55, pitch: 0.28 };
const MOST = { yaw: 1.35, pitch: 1.1 };

export class Camera {
  private yaw = START.yaw;
  private pitch = START.pitch;

  turn(yaw: number, pitch: number): void {
    this.yaw = clamp(this.yaw + yaw, -MOST.yaw, MOST.yaw);
    this.pitch = clamp(this.pitch + pitch, -MOST.pitch, MOST.pitch);
  }

  /** From the scene to clip space, for a relief of that aspect on a canvas of width x height. */
  matrix(aspect: number, width: number, height: number): Matrix {
    const canvasAspect = Math.max(width, 1) / Math.max(height, 1);
    const f = FOCAL_LENGTH * Math.min(1, canvasAspect / aspect);
    const { near, far } = CLIP;
    const project = new Float32Array(16);
    project[0] = f / canvasAspect;
    project[5] = f;
    project[10] = (far + near) / (near - far);
    project[11] = -1;
    project[14] = (2 * far * near) / (near - far);
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const yaw = new Float32Array([cy, 0, -sy, 0, 0, 1, 0, 0, sy, 0, cy, 0, 0, 0, 0, 1]);
    const pitch = new Float32Array([1, 0, 0, 0, 0, cp, sp, 0, 0, -sp, cp, 0, 0, 0, -DISTANCE, 1]);
    return multiply(project, multiply(pitch, yaw));
  }
}

/** Position on the screen (0..1 of the canvas) of a point in the scene. */
export function onScreen(matrix: Matrix, [x, y, z]: Point3): [number, number] {
  const row = (r: number): number => matrix[r] * x + matrix[4 + r] * y + matrix[8 + r] * z + matrix[12 + r];
  const w = row(3);
  return [(row(0) / w + 1) / 2, (1 - row(1) / w) / 2];
}

function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++)
    for (let r = 0; r < 4; r++) for (let k = 0; k < 4; k++) out[4 * c + r] += a[4 * k + r] * b[4 * c + k];
  return out;
}
