/** The photo as a relief of its nearness, cut by the focal plane: WebGL 2 alone, made when it is opened. */

import type { Frames } from "../law/unpack";
import { clamp } from "../ui/stage";

const RELIEF = 1.3; // depth of the relief in half heights of the picture
const RIM = 0.13; // the sheet's rim beyond the picture, by which it is dragged
const TEAR = 0.06; // a step of this share of the depth is an edge: nothing is drawn across it
const GRID = 220;

type Matrix = Float32Array;

function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++)
    for (let r = 0; r < 4; r++) for (let k = 0; k < 4; k++) out[4 * c + r] += a[4 * k + r] * b[4 * c + k];
  return out;
}

function apply(m: Matrix, [x, y, z]: readonly [number, number, number]): [number, number, number, number] {
  return [0, 1, 2, 3].map((r) => m[r] * x + m[4 + r] * y + m[8 + r] * z + m[12 + r]) as [
    number,
    number,
    number,
    number,
  ];
}

const VERTEX = `#version 300 es
in vec3 position; in vec2 at; uniform mat4 view; out vec2 uv; out float depth;
void main(){ uv=at; depth=position.z; gl_Position=view*vec4(position,1.0); }`;
const FRAGMENT = `#version 300 es
precision highp float; in vec2 uv; in float depth; out vec4 colour;
uniform sampler2D photo; uniform vec4 sheet; uniform float plane; uniform float rim;
void main(){
  if(sheet.a>0.0){ vec2 d=abs(uv); float edge=step(1.0,max(d.x,d.y)); colour=vec4(sheet.rgb,mix(sheet.a,rim,edge)); return; }
  vec3 c=texture(photo,uv).rgb; float near=1.0-smoothstep(0.0,0.035,abs(depth-plane));
  colour=vec4(mix(c,vec3(1.0,0.93,0.45),0.55*near),1.0);
}`;

export class Scene3D {
  readonly canvas: HTMLCanvasElement;
  /** Where the sheet is dragged to, as a share of the depth: 0 far, 1 near. */
  onFocus: (share: number) => void = () => undefined;
  onGrab: (grabbed: boolean) => void = () => undefined;

  private readonly gl: WebGL2RenderingContext;
  private readonly program: WebGLProgram;
  private readonly texture: WebGLTexture;
  private readonly mesh: WebGLVertexArrayObject;
  private readonly sheet: WebGLVertexArrayObject;
  private readonly points: WebGLBuffer;
  private readonly indices: WebGLBuffer;
  private readonly corners: WebGLBuffer;
  private count = 0;
  private aspect = 1.5;
  private focus: number | null = null;
  private yaw = -0.55;
  private pitch = 0.28;
  private readonly distance = 3.1;
  private hot = false;
  private grab: { sheet: boolean; x: number; y: number; share: number } | null = null;

  /** @throws Error if the browser has no WebGL 2. */
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute(
      "aria-label",
      "The photo in depth, with the focal plane. Arrow keys turn it, Page Up and Page Down move the plane.",
    );
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    this.program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS))
      throw new Error(`WebGL: ${gl.getProgramInfoLog(this.program) ?? "no program"}`);
    this.texture = gl.createTexture();
    [this.mesh, this.points, this.indices] = [gl.createVertexArray(), gl.createBuffer(), gl.createBuffer()];
    [this.sheet, this.corners] = [gl.createVertexArray(), gl.createBuffer()];
    for (const [array, buffer] of [
      [this.mesh, this.points],
      [this.sheet, this.corners],
    ] as const) {
      gl.bindVertexArray(array);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      for (const [name, size, offset] of [
        ["position", 3, 0],
        ["at", 2, 12],
      ] as const) {
        const location = gl.getAttribLocation(this.program, name);
        gl.enableVertexAttribArray(location);
        gl.vertexAttribPointer(location, size, gl.FLOAT, false, 20, offset);
      }
    }
    this.listen();
  }

  /** Free what the graphics card holds. */
  close(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.canvas.remove();
  }

  setScene(map: Frames, frame: number, photo: TexImageSource | null): void {
    const { gl } = this;
    const { w, h } = map;
    const [low, high] = [map.lowest[frame], map.highest[frame]];
    const values = map.values[frame];
    this.aspect = w / h;
    const stride = Math.max(1, Math.ceil(Math.max(w, h) / GRID));
    const [cols, rows] = [Math.floor((w - 1) / stride) + 1, Math.floor((h - 1) / stride) + 1];
    const points = new Float32Array(cols * rows * 5);
    const share = new Float32Array(cols * rows);
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < cols; i++) {
        const k = j * cols + i;
        const [u, v] = [(i * stride + 0.5) / w, (j * stride + 0.5) / h];
        share[k] = high > low ? (values[j * stride * w + i * stride] - low) / (high - low) : 0.5;
        points.set([(2 * u - 1) * this.aspect, 1 - 2 * v, (share[k] - 0.5) * RELIEF, u, v], 5 * k);
      }
    const indices: number[] = [];
    const whole = (a: number, b: number, c: number): void => {
      const [x, y, z] = [share[a], share[b], share[c]];
      if (Math.max(x, y, z) - Math.min(x, y, z) < TEAR) indices.push(a, b, c);
    };
    for (let j = 0; j + 1 < rows; j++)
      for (let i = 0; i + 1 < cols; i++) {
        const k = j * cols + i;
        whole(k, k + 1, k + cols);
        whole(k + 1, k + cols + 1, k + cols);
      }
    this.count = indices.length;
    gl.bindVertexArray(this.mesh);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, points, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.indices);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint32Array(indices), gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (photo) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, photo);
    else
      gl.texImage2D(
        gl.TEXTURE_2D,
        0,
        gl.RGBA,
        1,
        1,
        0,
        gl.RGBA,
        gl.UNSIGNED_BYTE,
        new Uint8Array([150, 150, 150, 255]),
      );
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.draw();
  }

  /** Place of the focal plane as a share of the depth, or null where it is not known. */
  setFocus(share: number | null): void {
    if (share === this.focus) return;
    this.focus = share;
    this.draw();
  }

  private view(): Matrix {
    const { width, height } = this.canvas;
    const shape = Math.max(width, 1) / Math.max(height, 1);
    const f = 2.2 * Math.min(1, shape / this.aspect);
    const [near, far] = [0.1, 20];
    const project = new Float32Array(16);
    project.set([f / shape], 0);
    project.set([f], 5);
    project.set([(far + near) / (near - far), -1], 10);
    project.set([(2 * far * near) / (near - far)], 14);
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const yaw = new Float32Array([cy, 0, -sy, 0, 0, 1, 0, 0, sy, 0, cy, 0, 0, 0, 0, 1]);
    const pitch = new Float32Array([1, 0, 0, 0, 0, cp, sp, 0, 0, -sp, cp, 0, 0, 0, -this.distance, 1]);
    return multiply(project, multiply(pitch, yaw));
  }

  private z(share: number): number {
    return (share - 0.5) * RELIEF;
  }

  draw(): void {
    const { gl } = this;
    const zoom = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth * zoom, this.canvas.clientHeight * zoom].map(Math.round);
    if (width === 0 || height === 0) return;
    if (this.canvas.width !== width || this.canvas.height !== height)
      [this.canvas.width, this.canvas.height] = [width, height];
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.program, name);
    gl.uniformMatrix4fv(at("view"), false, this.view());
    gl.uniform4f(at("sheet"), 0, 0, 0, 0);
    gl.uniform1f(at("plane"), this.focus === null ? 99 : this.z(this.focus));
    gl.bindVertexArray(this.mesh);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_INT, 0);
    if (this.focus === null) return;
    const [x, y, z] = [this.aspect + RIM, 1 + RIM, this.z(this.focus)];
    const [u, v] = [x / this.aspect, y];
    const corners = [-x, -y, z, -u, -v, x, -y, z, u, -v, -x, y, z, -u, v, x, y, z, u, v];
    gl.bindVertexArray(this.sheet);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.DYNAMIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    gl.uniform4f(at("sheet"), 0.95, 0.84, 0.29, this.hot ? 0.28 : 0.2);
    gl.uniform1f(at("rim"), this.hot ? 0.95 : 0.7);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }

  /** Screen position (0..1 of the canvas) of a place in the scene. */
  private onScreen(place: readonly [number, number, number]): [number, number] {
    const [x, y, , w] = apply(this.view(), place);
    return [(x / w + 1) / 2, (1 - y / w) / 2];
  }

  /** Whether a position lies on the sheet's rim. */
  private onRim(x: number, y: number): boolean {
    if (this.focus === null) return false;
    const z = this.z(this.focus);
    const inside = (sx: number, sy: number): boolean => {
      const corners = [
        [-sx, -sy],
        [sx, -sy],
        [sx, sy],
        [-sx, sy],
      ].map(([a, b]) => this.onScreen([a, b, z]));
      const sides = corners.map(([ax, ay], i) => {
        const [bx, by] = corners[(i + 1) % 4];
        return Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
      });
      return Math.abs(sides.reduce((a, b) => a + b, 0)) === 4;
    };
    return inside(this.aspect + RIM + 0.04, 1 + RIM + 0.04) && !inside(this.aspect - 0.02, 0.98);
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  }

  private turn(yaw: number, pitch: number): void {
    this.yaw = clamp(this.yaw + yaw, -1.35, 1.35);
    this.pitch = clamp(this.pitch + pitch, -1.1, 1.1);
    this.draw();
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      const [x, y] = this.at(event);
      this.grab = { sheet: this.onRim(x, y), x, y, share: this.focus ?? 0.5 };
      if (this.grab.sheet) this.onGrab(true);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = this.at(event);
      const { grab } = this;
      if (!grab) {
        const hot = this.onRim(x, y);
        if (hot !== this.hot) {
          this.hot = hot;
          canvas.style.cursor = hot ? "move" : "grab";
          this.draw();
        }
        return;
      }
      if (!grab.sheet) {
        this.turn((x - grab.x) * 2.4, (y - grab.y) * 1.8);
        [grab.x, grab.y] = [x, y];
        return;
      }
      // Along the picture of the depth axis at the sheet's corner, which moves under the pointer.
      const corner = (share: number): [number, number] => this.onScreen([-this.aspect, -1, this.z(share)]);
      const [a, b] = [corner(grab.share), corner(grab.share + 0.05)];
      const [dx, dy] = [(b[0] - a[0]) / 0.05, (b[1] - a[1]) / 0.05];
      const moved = ((x - grab.x) * dx + (y - grab.y) * dy) / Math.max(dx * dx + dy * dy, 1e-4);
      this.onFocus(clamp(grab.share + moved, 0, 1));
    });
    const end = (): void => {
      if (this.grab?.sheet) this.onGrab(false);
      this.grab = null;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const turns: Record<string, [number, number] | undefined> = {
        ArrowLeft: [-0.1, 0],
        ArrowRight: [0.1, 0],
        ArrowUp: [0, -0.1],
        ArrowDown: [0, 0.1],
      };
      const turn = turns[event.key];
      const move = event.key === "PageUp" ? -0.02 : event.key === "PageDown" ? 0.02 : 0;
      if (turn) this.turn(...turn);
      else if (move !== 0 && this.focus !== null) {
        this.onGrab(true);
        this.onFocus(clamp(this.focus + move, 0, 1));
        this.onGrab(false);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}
