/** Reblur: before and after under a divider, and where the focal plane lies. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { address, lastOutputs, onMeanwhile, onOutputs } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "../comfy/types";
import { html, Toggle } from "../ui/dom";
import { loadMap, loadPicture } from "../ui/files";
import { LEAST_SCALE_PX } from "../law/constants";
import { paintFocalPlane } from "../law/paint";
import type { Frames, Numbers } from "../law/unpack";
import { clamp, Stage, viewHeight } from "../ui/stage";
import { t } from "../ui/words";

/** `ui.refocus_compare` of the node; see nodes/host/previews.py. */
interface Payload extends Numbers {
  /** Largest |radius| in px of all frames. */
  largest: number;
  radius: ServerFile;
  before: ServerFile[];
  after: ServerFile[];
}

/** Least width of the node, in its own pixels. */
const LEAST_WIDTH = 340;
/** Share of the picture for one press of an arrow key. */
const KEY_STEP = 0.05;
/** Distance of a name from the divider, and the least room beside the divider in which it is shown, in px. */
const TAG_GAP = 8;
const TAG_ROOM = { before: 62, after: 56 };

/** Pictures of the last run, loaded. */
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
  private readonly beforeTag = html("div", { class: "rf-tag rf-hidden" }, t("before"));
  private readonly afterTag = html("div", { class: "rf-tag rf-hidden" }, t("after"));
  private readonly planeToggle: Toggle;
  private readonly slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("Frame") });
  private readonly status = html("div", { class: "rf-status" });
  /** The outputs that were taken last; their pictures may still be on the way. */
  private payload: Payload | null = null;
  /** Whether the last run sent no pictures, as the person chose. */
  private isOff = false;
  private loaded: Loaded | null = null;
  /** What a long run shows until its result is there. */
  private draft: HTMLImageElement | null = null;
  private draftUrl: string | null = null;
  /** Place of the divider in 0..1, and the thumbnail that is shown. */
  private split = 0.5;
  private index = 0;
  /** The focal plane of that thumbnail, drawn when it is first asked for. */
  private plane: OffscreenCanvas | null = null;
  private drawnWidth = 0;

  constructor(
    private readonly app: App,
    private readonly api: Api,
    private readonly node: ComfyNode,
  ) {
    this.planeToggle = new Toggle("Focal plane", "Mark what is in focus", () => {
      this.draw();
    });
    this.slider.classList.add("rf-hidden");
    this.stage.element.classList.add("rf-slide");
    this.stage.element.setAttribute("role", "slider");
    this.stage.element.append(this.divider, this.beforeTag, this.afterTag);
    this.root.append(
      html("div", { class: "rf-bar" }, this.planeToggle.element, html("span", { class: "rf-space" }), this.slider),
      this.stage.element,
      this.status,
    );
    this.listen();
    replacePreview(node);
    mount(app, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], LEAST_WIDTH), node.size[1]]);
    this.draw();
    fit(node);
    onOutputs(api, node, (output) => {
      this.take(output);
    });
    onMeanwhile(app, api, node, (url) => {
      void this.takeDraft(url);
    });
    everyFrame(node, this.root, () => {
      if (!this.payload) this.take(lastOutputs(this.app, this.node));
      if (this.stage.element.clientWidth !== this.drawnWidth) this.draw();
    });
  }

  get hasOutputs(): boolean {
    return this.payload !== null;
  }

  take(output: Outputs | undefined): void {
    const [payload] = (output?.["refocus_compare"] ?? []) as (Payload | null | undefined)[];
    if (payload === null) this.turnOff();
    if (!payload || payload.radius.filename === this.payload?.radius.filename) return;
    this.payload = payload;
    this.isOff = false;
    void this.load(payload);
  }

  /** Show nothing of an earlier run beside the results of this one. */
  private turnOff(): void {
    if (this.isOff) return;
    this.isOff = true;
    this.payload = this.loaded = this.draft = this.draftUrl = null;
    this.status.textContent = "";
    this.draw();
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
      this.draft = this.draftUrl = null;
      this.showIndex(Math.min(this.index, after.length - 1));
      this.slider.max = String(after.length - 1);
      this.slider.classList.toggle("rf-hidden", after.length < 2);
      this.fitTo(after[0].naturalWidth, after[0].naturalHeight);
    } catch {
      this.payload = null; // temporary files are gone after a restart of the server
    }
    this.draw();
  }

  private async takeDraft(url: string | null): Promise<void> {
    this.draftUrl = url;
    const picture = url === null ? null : await loadPicture(url).catch(() => null); // its file may be gone
    if (url !== this.draftUrl || picture === this.draft) return; // the result came before it
    this.draft = picture;
    if (picture) this.fitTo(picture.naturalWidth, picture.naturalHeight);
    else if (this.loaded) this.fitTo(this.loaded.after[0].naturalWidth, this.loaded.after[0].naturalHeight);
    this.draw();
  }

  private fitTo(width: number, height: number): void {
    this.stage.setShape(width, height);
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }

  private showIndex(index: number): void {
    this.index = index;
    this.plane = null;
  }

  private minHeight(): number {
    return viewHeight(this.node.size[0], this.stage.shape);
  }

  private listen(): void {
    const stage = this.stage.element;
    this.slider.addEventListener("input", () => {
      this.showIndex(Number(this.slider.value));
      this.draw();
    });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.loaded) return;
      event.stopPropagation();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      this.moveDivider(this.stage.at(event).x);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) this.moveDivider(this.stage.at(event).x);
    });
    stage.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowLeft" ? -KEY_STEP : event.key === "ArrowRight" ? KEY_STEP : 0;
      if (by === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.moveDivider(this.split + by);
    });
  }

  private moveDivider(to: number): void {
    this.split = clamp(to, 0, 1);
    this.draw();
  }

  private draw(): void {
    this.drawnWidth = this.stage.element.clientWidth;
    const { draft } = this;
    const loaded = draft ? null : this.loaded;
    const why = this.isOff
      ? "Previews are off in ComfyUI's settings, under Refocus."
      : "Run to compare before and after here.";
    this.stage.empty.textContent = loaded || draft ? "" : t(why);
    for (const element of [this.divider, this.beforeTag, this.afterTag]) element.classList.toggle("rf-hidden", !loaded);
    this.planeToggle.element.disabled = !loaded;
    const { width, height } = this.stage.canvas;
    if (draft) {
      this.stage.context().drawImage(draft, 0, 0, width, height);
      this.status.textContent = t("a draft, until the run ends");
    }
    if (!loaded) {
      if (!draft) this.stage.context().clearRect(0, 0, width, height);
      return;
    }
    this.drawPictures(loaded);
    this.placeDivider();
    this.describe(loaded.numbers);
  }

  private drawPictures(loaded: Loaded): void {
    const { width, height } = this.stage.canvas;
    const context = this.stage.context();
    const cut = Math.round(this.split * width);
    context.drawImage(loaded.after[this.index], 0, 0, width, height);
    if (cut > 0) {
      const before = loaded.before[this.index];
      const scale = before.naturalWidth / width;
      context.drawImage(before, 0, 0, cut * scale, before.naturalHeight, 0, 0, cut, height);
    }
    if (this.planeToggle.on) {
      this.plane ??= focalPlane(loaded, this.index);
      context.drawImage(this.plane, 0, 0, width, height);
    }
  }

  /** Divider and names in the node's own pixels. */
  private placeDivider(): void {
    const stage = this.stage.element;
    const width = Math.min(stage.clientWidth, stage.clientHeight * this.stage.shape);
    const left = (stage.clientWidth - width) / 2;
    const x = left + this.split * width;
    this.divider.style.left = `${x - 1}px`;
    this.beforeTag.style.right = `${stage.clientWidth - x + TAG_GAP}px`;
    this.afterTag.style.left = `${x + TAG_GAP}px`;
    this.beforeTag.classList.toggle("rf-hidden", this.split * width < TAG_ROOM.before);
    this.afterTag.classList.toggle("rf-hidden", (1 - this.split) * width < TAG_ROOM.after);
  }

  private describe(numbers: Payload): void {
    const percent = Math.round(this.split * 100);
    this.stage.element.setAttribute("aria-valuenow", String(percent));
    this.stage.element.setAttribute("aria-valuetext", `${percent} % before`);
    const frame = numbers.frames > 1 ? `${t("frame")} ${numbers.shown[this.index]} / ${numbers.frames} · ` : "";
    const size = `${numbers.width} × ${numbers.height}`;
    this.status.textContent = `${frame}${size} · ${t("blur radius up to")} ${numbers.largest.toFixed(1)} px`;
  }
}

/** What is in focus in one thumbnail, to lie over the picture. */
function focalPlane({ map, numbers }: Loaded, index: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(map.w, map.h);
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(map.w, map.h);
  paintFocalPlane(map.values[index], Math.max(numbers.largest, LEAST_SCALE_PX), map, pixels.data);
  context.putImageData(pixels, 0, 0);
  return canvas;
}
