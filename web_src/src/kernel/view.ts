/** Bokeh Kernel: the aperture, redrawn while its inputs change. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onOutputs } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { Values } from "../comfy/values";
import { html } from "../ui/dom";
import { loadPicture } from "../ui/files";
import { paintKernel, raster } from "./shapes";
import { t } from "../ui/words";

const SIZE = 128;
const NUMBERS = ["blades", "curvature", "rotation_deg", "inner", "points", "softness"] as const;

export class KernelView {
  private readonly root = html("div", { class: "rf-view", "data-refocus": "kernel" });
  private readonly canvas = html("canvas", { width: SIZE, height: SIZE, role: "img" });
  private readonly empty = html("div", { class: "rf-empty" });
  private readonly status = html("div", { class: "rf-status" });
  private readonly values: Values;
  private signature = "";
  private picture: HTMLImageElement | null = null;
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
      const now = this.values.signature(["shape", ...NUMBERS]);
      if (now !== this.signature) this.draw();
    });
  }

  get hasOutputs(): boolean {
    return this.ran !== null;
  }

  /** Only shape = image needs it: the page does not have the connected picture. */
  take(output: Outputs | undefined): void {
    const [file] = (output?.["images"] ?? []) as (ServerFile | undefined)[];
    if (!file || file.filename === this.ran) return;
    this.ran = file.filename;
    const [shape] = (output?.["refocus_kernel"] ?? []) as (string | undefined)[];
    if (shape !== "image") return;
    loadPicture(address(this.api, file)).then(
      (picture) => {
        this.picture = picture;
        this.draw();
      },
      () => undefined, // temporary files are gone after a restart of the server
    );
  }

  private draw(): void {
    this.signature = this.values.signature(["shape", ...NUMBERS]);
    const shape = this.values.text("shape");
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, SIZE, SIZE);
    this.empty.textContent = "";
    let text = `${shape} · ${t("as a light behind the focal plane")}`;
    if (shape !== "image") {
      const numbers = Object.fromEntries(NUMBERS.map((n) => [n, this.values.number(n)]));
      const pixels = context.createImageData(SIZE, SIZE);
      paintKernel(raster({ shape, ...(numbers as Record<(typeof NUMBERS)[number], number>) }, SIZE), pixels.data);
      context.putImageData(pixels, 0, 0);
    } else if (this.picture) {
      context.drawImage(this.picture, 0, 0, SIZE, SIZE);
      text = `image · ${t("as of the last run")}`;
    } else {
      this.empty.textContent = t("Run once to see the connected picture as an aperture.");
      text = "image";
    }
    this.canvas.setAttribute("aria-label", text);
    this.status.textContent = text;
  }
}
