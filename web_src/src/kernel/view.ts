/** Bokeh Kernel: the aperture, redrawn while its inputs change. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onOutputs } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { Values } from "../comfy/values";
import { html } from "../ui/dom";
import { loadPicture } from "../ui/files";
import { t } from "../ui/words";
import { differsInFront, planes, type Settings } from "./character";
import { PRESETS } from "./presets";
import { paintKernel } from "./shapes";

const SIZE = 128;
const OUTLINE = ["blades", "curvature", "rotation_deg", "inner", "points", "softness"] as const;
const CHARACTER = ["squeeze", "spherical", "fringe", "onion"] as const;
const INPUTS = ["shape", "preset", ...OUTLINE, ...CHARACTER];
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
    return { shape: this.values.text("shape"), ...numbers } as Settings;
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
      const isDouble = differsInFront(settings);
      this.resize(isDouble ? 2 * SIZE : SIZE, SIZE);
      this.paint(context, planes(settings, SIZE, 1), 0);
      if (isDouble) {
        const mirrored = planes(settings, SIZE, -1).map((plane) => plane.reverse());
        this.paint(context, mirrored, SIZE);
        text = `${name} · ${t("as a light behind the focal plane, and in front of it")}`;
      }
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
