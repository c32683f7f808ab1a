/** Reblur: before and after under a divider, and where the focal plane lies. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onOutputs } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { html, Toggle } from "../ui/dom";
import { loadMap, loadPicture } from "../ui/files";
import { LEAST_SCALE_PX } from "../law/constants";
import { paintFocalPlane } from "../law/paint";
import type { Frames, Numbers } from "../law/unpack";
import { clamp, Stage, viewHeight } from "../ui/stage";
import { t } from "../ui/words";

interface Payload extends Numbers {
  largest: number;
  radius: ServerFile;
  before: ServerFile[];
  after: ServerFile[];
}

interface Loaded {
  numbers: Payload;
  map: Frames;
  before: HTMLImageElement[];
  after: HTMLImageElement[];
}

export class CompareView {
  private readonly root = html("div", { class: "rf-view", "data-refocus": "compare" });
  private readonly stage = new Stage("Before and after. Left and right arrow keys move the divider.");
  private readonly divider = html("div", { class: "rf-divider rf-hidden" });
  private readonly tags = [
    html("div", { class: "rf-tag rf-hidden" }, t("before")),
    html("div", { class: "rf-tag rf-hidden" }, t("after")),
  ] as const;
  private readonly plane: Toggle;
  private readonly slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("Frame") });
  private readonly status = html("div", { class: "rf-status" });
  private payload: Payload | null = null;
  private loaded: Loaded | null = null;
  private split = 0.5;
  private frame = 0;
  private overlay: OffscreenCanvas | null = null;
  private width = 0;

  constructor(
    private readonly app: App,
    private readonly api: Api,
    private readonly node: ComfyNode,
  ) {
    this.plane = new Toggle("Focal plane", "Mark what is in focus", () => {
      this.draw();
    });
    this.slider.classList.add("rf-hidden");
    this.slider.addEventListener("input", () => {
      this.frame = Number(this.slider.value);
      this.overlay = null;
      this.draw();
    });
    this.stage.element.classList.add("rf-slide");
    this.stage.element.setAttribute("role", "slider");
    this.stage.element.append(this.divider, ...this.tags);
    this.root.append(
      html("div", { class: "rf-bar" }, this.plane.element, html("span", { class: "rf-space" }), this.slider),
      this.stage.element,
      this.status,
    );
    this.listen();
    replacePreview(node);
    mount(app, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], 340), node.size[1]]);
    this.draw();
    fit(node);
    onOutputs(api, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      if (!this.payload) this.take(lastOutputs(this.app, this.node));
      if (this.stage.element.clientWidth !== this.width) this.draw();
    });
  }

  get hasOutputs(): boolean {
    return this.payload !== null;
  }

  take(output: Outputs | undefined): void {
    const [payload] = (output?.["refocus_compare"] ?? []) as (Payload | undefined)[];
    if (!payload || payload.radius.filename === this.payload?.radius.filename) return;
    this.payload = payload;
    void this.load(payload);
  }

  private async load(payload: Payload): Promise<void> {
    const all = (files: ServerFile[]): Promise<HTMLImageElement[]> =>
      Promise.all(files.map((f) => loadPicture(address(this.api, f))));
    try {
      const [map, before, after] = await Promise.all([
        loadMap(this.api, payload.radius, payload),
        all(payload.before),
        all(payload.after),
      ]);
      if (payload !== this.payload) return;
      this.loaded = { numbers: payload, map, before, after };
      this.frame = Math.min(this.frame, after.length - 1);
      this.slider.max = String(after.length - 1);
      this.slider.classList.toggle("rf-hidden", after.length < 2);
      this.overlay = null;
      this.stage.setShape(after[0].naturalWidth, after[0].naturalHeight);
      this.root.style.minHeight = `${this.minHeight()}px`;
      fit(this.node);
    } catch {
      this.payload = null; // temporary files are gone after a restart of the server
    }
    this.draw();
  }

  private minHeight(): number {
    return viewHeight(this.node.size[0], this.stage.shape);
  }

  private listen(): void {
    const stage = this.stage.element;
    const move = (event: PointerEvent): void => {
      this.split = clamp(this.stage.at(event).x, 0, 1);
      this.draw();
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.loaded) return;
      event.stopPropagation();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      move(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) move(event);
    });
    stage.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowLeft" ? -0.05 : event.key === "ArrowRight" ? 0.05 : 0;
      if (by === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.split = clamp(this.split + by, 0, 1);
      this.draw();
    });
  }

  private draw(): void {
    this.width = this.stage.element.clientWidth;
    const { loaded } = this;
    this.stage.empty.textContent = loaded ? "" : t("Run to compare before and after here.");
    for (const element of [this.divider, ...this.tags]) element.classList.toggle("rf-hidden", !loaded);
    this.plane.element.disabled = !loaded;
    if (!loaded) {
      this.stage.context().clearRect(0, 0, this.stage.canvas.width, this.stage.canvas.height);
      return;
    }
    const { width, height } = this.stage.canvas;
    const context = this.stage.context();
    const cut = Math.round(this.split * width);
    context.drawImage(loaded.after[this.frame], 0, 0, width, height);
    if (cut > 0) {
      const before = loaded.before[this.frame];
      const share = before.naturalWidth / width;
      context.drawImage(before, 0, 0, cut * share, before.naturalHeight, 0, 0, cut, height);
    }
    if (this.plane.on) {
      this.overlay ??= this.drawPlane(loaded);
      context.drawImage(this.overlay, 0, 0, width, height);
    }
    // Where the picture lies in its place, in the node's own pixels.
    const outer = { w: this.stage.element.clientWidth, h: this.stage.element.clientHeight };
    const shown = Math.min(outer.w, outer.h * this.stage.shape);
    const left = (outer.w - shown) / 2;
    const at = left + this.split * shown;
    this.divider.style.left = `${at - 1}px`;
    this.tags[0].style.right = `${outer.w - at + 8}px`;
    this.tags[1].style.left = `${at + 8}px`;
    this.tags[0].classList.toggle("rf-hidden", this.split * shown < 62);
    this.tags[1].classList.toggle("rf-hidden", (1 - this.split) * shown < 56);
    this.stage.element.setAttribute("aria-valuenow", String(Math.round(this.split * 100)));
    this.stage.element.setAttribute("aria-valuetext", `${Math.round(this.split * 100)} % before`);
    const { numbers } = loaded;
    const frame = numbers.frames > 1 ? `${t("frame")} ${numbers.shown[this.frame]} / ${numbers.frames} · ` : "";
    this.status.textContent = `${frame}${numbers.width} × ${numbers.height} · ${t("blur radius up to")} ${numbers.largest.toFixed(1)} px`;
  }

  private drawPlane({ map, numbers }: Loaded): OffscreenCanvas {
    const canvas = new OffscreenCanvas(map.w, map.h);
    const context = canvas.getContext("2d")!;
    const pixels = context.createImageData(map.w, map.h);
    paintFocalPlane(map.values[this.frame], Math.max(numbers.largest, LEAST_SCALE_PX), map, pixels.data);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }
}
