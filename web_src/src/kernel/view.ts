/** Bokeh Kernel: the aperture, redrawn while its inputs change. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onOutputs } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { Values } from "../comfy/values";
import { html } from "../ui/dom";
import { loadPicture } from "../ui/files";
import { t } from "../ui/words";
import { CORNER } from "../law/constants";
import { differsInFront, planes, type Settings } from "./character";
import { fieldDiffersInFront, hasField, planesAt } from "./field";
import { PRESETS } from "./presets";
import { paintKernel } from "./shapes";

const SIZE = 128;
const OUTLINE = ["blades", "curvature", "rotation_deg", "inner", "points", "softness"] as const;
const CHARACTER = ["squeeze", "spherical", "fringe", "onion"] as const;
const FIELD = ["cat_eye", "swirl", "coma", "barn_doors"] as const;
const INPUTS = ["shape", "preset", "field", ...OUTLINE, ...CHARACTER, ...FIELD];
/** Input with dust on the lens, which the page does not have. */
const TEXTURE = "texture_image";

export class KernelView {
  private readonly root = html("div", { class: "rf-view", "data-refocus": "kernel" });
  private readonly canvas = html("canvas", { width: SIZE, height: SIZE, role: "img" });
  private readonly empty = html("div", { class: "rf-empty" });
  private readonly status = html("div", { class: "rf-status" });
  private readonly values: Values;
  private signature = "";
  private picture: HTMLImageElement | null = null;
  /** The shape that `picture` shows. */
  private pictured = "";
  private ran: string | null = null;

  constructor(
    private readonly app: App,
    private readonly api: Api,
    node: ComfyNode,
  ) {
    this.values = new Values(app, node);
    this.root.append(html("div", { class: "rf-stage rf-still" }, this.canvas, this.empty), this.status);
    replacePreview(node);
    mount(app, node, this.root, () => 200);
    this.root.style.minHeight = "200px";
    fit(node);
    onOutputs(api, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      if (this.ran === null) this.take(lastOutputs(this.app, node));
      if (this.now() !== this.signature) this.draw();
    });
  }

  get hasOutputs(): boolean {
    return this.ran !== null;
  }

  /** Only connected pictures need it: the page does not have them. */
  take(output: Outputs | undefined): void {
    const [file] = (output?.["images"] ?? []) as (ServerFile | undefined)[];
    if (!file || file.filename === this.ran) return;
    this.ran = file.filename;
    const [shape] = (output?.["refocus_kernel"] ?? []) as (string | undefined)[];
    loadPicture(address(this.api, file)).then(
      (picture) => {
        this.picture = picture;
        this.pictured = shape ?? "";
        this.draw();
      },
      () => undefined, // temporary files are gone after a restart of the server
    );
  }

  private now(): string {
    return `${this.values.signature(INPUTS)}|${this.values.linked(TEXTURE)}`;
  }

  private settings(): Settings {
    const preset = PRESETS[this.values.text("preset")] as Settings | undefined;
    if (preset) return preset;
    const numbers = Object.fromEntries([...OUTLINE, ...CHARACTER].map((n) => [n, this.values.number(n)]));
    const isField = this.values.on("field");
    const field = Object.fromEntries(FIELD.map((n) => [n, isField ? this.values.number(n) : 0]));
    return { shape: this.values.text("shape"), ...numbers, ...field } as Settings;
  }

  private draw(): void {
    this.signature = this.now();
    const settings = this.settings();
    const preset = this.values.text("preset");
    const name = preset in PRESETS ? preset : settings.shape;
    const context = this.canvas.getContext("2d")!;
    this.empty.textContent = "";
    let text = `${name} · ${t("as a light behind the focal plane")}`;
    if (settings.shape !== "image" && !this.values.linked(TEXTURE)) {
      const lights = drawn(settings);
      this.resize(lights.length * SIZE, SIZE);
      lights.forEach((light, k) => {
        this.paint(context, light, k * SIZE);
      });
      if (lights.length > 1)
        text = hasField(settings)
          ? `${name} · ${t("as a light in the middle, and towards the upper right corner")}`
          : `${name} · ${t("as a light behind the focal plane, and in front of it")}`;
    } else if (this.picture && this.pictured === settings.shape) {
      this.resize((SIZE * this.picture.naturalWidth) / this.picture.naturalHeight, SIZE);
      context.drawImage(this.picture, 0, 0, this.canvas.width, SIZE);
      text = `${name} · ${t("as of the last run")}`;
    } else {
      this.resize(SIZE, SIZE);
      this.empty.textContent = t("Run once to see the connected picture as an aperture.");
      text = name;
    }
    this.canvas.setAttribute("aria-label", text);
    this.status.textContent = text;
  }

  /** Also clears the canvas. */
  private resize(width: number, height: number): void {
    this.canvas.width = Math.round(width);
    this.canvas.height = height;
  }

  private paint(context: CanvasRenderingContext2D, shown: Float32Array[], left: number): void {
    const pixels = context.createImageData(SIZE, SIZE);
    paintKernel(shown, pixels.data);
    context.putImageData(pixels, left, 0);
  }
}

/** `bokeh.kernel_preview`: lights behind and in front of the focal plane, in the middle and towards a corner. */
function drawn(s: Settings): Float32Array[][] {
  const mirrored = (light: Float32Array[]): Float32Array[] => light.map((plane) => plane.reverse());
  const lights = [planes(s, SIZE, 1)];
  if (differsInFront(s)) lights.push(mirrored(planes(s, SIZE, -1)));
  if (hasField(s)) {
    lights.push(planesAt(s, SIZE, 1, ...CORNER));
    if (differsInFront(s) || fieldDiffersInFront(s)) lights.push(mirrored(planesAt(s, SIZE, -1, ...CORNER)));
  }
  return lights;
}
