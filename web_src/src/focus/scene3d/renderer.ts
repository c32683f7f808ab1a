/** Relief and focal plane by WebGL 2 alone. */

import { FOCUS_RGB } from "../../law/constants";
import type { Matrix } from "./camera";
import { POINT_FLOATS, type Relief } from "./relief";

/** Colour of the sheet that shows the focal plane: the yellow of the buttons. */
const SHEET_RGB = [0.95, 0.84, 0.29] as const;
/** Opacity of the sheet and of its rim, and of both while the pointer is over the rim. */
const SHEET_ALPHA = { sheet: 0.2, rim: 0.7 };
const SHEET_ALPHA_HOVER = { sheet: 0.28, rim: 0.95 };
/** The grey of the relief where no photo is known. */
const NO_PHOTO = new Uint8Array([150, 150, 150, 255]);
/** A z that no part of the relief has: no focal plane is marked on it. */
const NOWHERE = 99;

const VERTEX = `#version 300 es
in vec3 position; in vec2 at; uniform mat4 view; out vec2 uv; out float depth;
void main(){ uv=at; depth=position.z; gl_Position=view*vec4(position,1.0); }`;
const FRAGMENT = `#version 300 es
precision highp float; in vec2 uv; in float depth; out vec4 colour;
uniform sampler2D photo; uniform vec4 sheet; uniform float plane; uniform float rim;
void main(){
  if(sheet.a>0.0){ vec2 d=abs(uv); float edge=step(1.0,max(d.x,d.y)); colour=vec4(sheet.rgb,mix(sheet.a,rim,edge)); return; }
  vec3 c=texture(photo,uv).rgb; float near=1.0-smoothstep(0.0,0.035,abs(depth-plane));
  colour=vec4(mix(c,vec3(${FOCUS_RGB.map((v) => v.toFixed(2)).join(",")}),0.55*near),1.0);
}`;

/** The sheet of the focal plane: its half width and half height with the rim, and where it stands. */
export interface Sheet {
  halfWidth: number;
  halfHeight: number;
  z: number;
  hover: boolean;
}

export class Renderer {
  private readonly program: WebGLProgram;
  private readonly texture: WebGLTexture;
  private readonly relief: WebGLVertexArrayObject;
  private readonly points: WebGLBuffer;
  private readonly triangles: WebGLBuffer;
  private readonly sheet: WebGLVertexArrayObject;
  private readonly corners: WebGLBuffer;
  private indexCount = 0;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.program = linkedProgram(gl);
    this.texture = gl.createTexture();
    [this.relief, this.points, this.triangles] = [gl.createVertexArray(), gl.createBuffer(), gl.createBuffer()];
    [this.sheet, this.corners] = [gl.createVertexArray(), gl.createBuffer()];
    this.describePoints(this.relief, this.points);
    this.describePoints(this.sheet, this.corners);
  }

  private describePoints(array: WebGLVertexArrayObject, buffer: WebGLBuffer): void {
    const { gl } = this;
    const floatBytes = 4;
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    for (const [name, size, offset] of [
      ["position", 3, 0],
      ["at", 2, 3],
    ] as const) {
      const location = gl.getAttribLocation(this.program, name);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, POINT_FLOATS * floatBytes, offset * floatBytes);
    }
  }

  /** Free what the graphics card holds. */
  close(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  upload(relief: Relief, photo: TexImageSource | null): void {
    const { gl } = this;
    this.indexCount = relief.triangles.length;
    gl.bindVertexArray(this.relief);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, relief.points, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.triangles);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, relief.triangles, gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (photo) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, photo);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, NO_PHOTO);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** One picture of width x height; without a sheet where the focal plane is not known. */
  draw(view: Matrix, aspect: number, sheet: Sheet | null, width: number, height: number): void {
    const { gl } = this;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(this.uniform("view"), false, view);
    gl.uniform4f(this.uniform("sheet"), 0, 0, 0, 0);
    gl.uniform1f(this.uniform("plane"), sheet ? sheet.z : NOWHERE);
    gl.bindVertexArray(this.relief);
    gl.drawElements(gl.TRIANGLES, this.indexCount, gl.UNSIGNED_INT, 0);
    if (sheet) this.drawSheet(sheet, aspect);
  }

  private drawSheet({ halfWidth: x, halfHeight: y, z, hover }: Sheet, aspect: number): void {
    const { gl } = this;
    const [u, v] = [x / aspect, y]; // beyond 1 on the rim
    const corners = [-x, -y, z, -u, -v, x, -y, z, u, -v, -x, y, z, -u, v, x, y, z, u, v];
    const alpha = hover ? SHEET_ALPHA_HOVER : SHEET_ALPHA;
    gl.bindVertexArray(this.sheet);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.DYNAMIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    gl.uniform4f(this.uniform("sheet"), ...SHEET_RGB, alpha.sheet);
    gl.uniform1f(this.uniform("rim"), alpha.rim);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }

  private uniform(name: string): WebGLUniformLocation | null {
    return this.gl.getUniformLocation(this.program, name);
  }
}

/** @throws Error if the shaders do not link. */
function linkedProgram(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`WebGL: ${gl.getProgramInfoLog(program) ?? "no program"}`);
  return program;
}
