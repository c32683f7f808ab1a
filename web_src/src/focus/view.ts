/** Defocus Map: click to focus on the photo, with the defocus drawn at once. */

import { everyFrame, fit, mount, replacePreview } from "../comfy/mount";
import { lastOutputs, onOutputs, sourcePicture } from "../comfy/server";
import type { Api, App, ComfyNode, Outputs } from "../comfy/types";
import { UndoStep } from "../comfy/values";
import { Choice, html, Toggle } from "../ui/dom";
import { Stage, viewHeight } from "../ui/stage";
import { t } from "../ui/words";
import { FocusEdits } from "./edits";
import { Gestures } from "./gestures";
import { FocusModel } from "./model";
import { drawPicture, type PictureMode } from "./picture";
import { Reticle } from "./reticle";
import { type Payload, Run } from "./run";
import { ScenePanel } from "./scene3d/panel";
import { SourcePhoto } from "./source";
import { StatusLine } from "./status";
import { Timeline } from "./timeline";
import { FocusWidgets } from "./widgets";

const LABEL =
  "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.";
/** Least width of the node, in its own pixels. */
const LEAST_WIDTH = 360;
/** Gap between the parts of the view. */
const GAP = 6;

type Mode = PictureMode | "3d";

const MODES: readonly (readonly [value: Mode, label: string, title: string])[] = [
  ["defocus", "Defocus", "Blue in front of the focal plane, red behind it, yellow where it is sharp"],
  ["photo", "Photo", "The photo alone"],
  ["depth", "Depth", "Near is bright"],
  ["3d", "3-D", "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane"],
];

export class FocusView {
  private readonly root = html("div", { class: "rf-view", "data-refocus": "focus" });
  private readonly stage = new Stage(LABEL);
  private readonly reticle = new Reticle();
  private readonly undo: UndoStep;
  private readonly widgets: FocusWidgets;
  private readonly model: FocusModel;
  private readonly edits: FocusEdits;
  private readonly source: SourcePhoto;
  private readonly status: StatusLine;
  private readonly scene: ScenePanel;
  private readonly timeline: Timeline;
  private readonly timelineToggle: Toggle;
  private readonly modes: Choice;
  private mode: Mode = "defocus";
  /** The outputs that were taken last; their thumbnails may still be on the way. */
  private payload: Payload | null = null;
  private drawnSignature = "";

  constructor(
    private readonly app: App,
    private readonly api: Api,
    private readonly node: ComfyNode,
  ) {
    const draw = (): void => {
      this.draw();
    };
    this.undo = new UndoStep(app, node);
    this.widgets = new FocusWidgets(app, node);
    this.model = new FocusModel(this.widgets);
    this.edits = new FocusEdits(this.model, draw);
    this.source = new SourcePhoto(draw);
    this.status = new StatusLine(this.model, () => this.timeline.open);
    this.scene = this.makeScene();
    this.timeline = this.makeTimeline();
    this.timelineToggle = new Toggle("Timeline", "Keyframes of focus and aperture over a clip", (on) => {
      this.showTimeline(on);
    });
    this.modes = new Choice("What the picture shows", MODES, (mode) => {
      this.mode = mode as Mode;
      this.status.notice = null;
      this.draw();
    });
    this.modes.select(this.mode);
    this.build();
    this.listen();
  }

  /** Outputs of a run: from an event, or from before the page was reloaded. */
  take(output: Outputs | undefined): void {
    const [payload] = (output?.["refocus_focus"] ?? []) as (Payload | undefined)[];
    if (!payload || payload.depth.filename === this.payload?.depth.filename) return;
    this.payload = payload;
    void this.load(payload);
  }

  get hasOutputs(): boolean {
    return this.payload !== null;
  }

  private makeScene(): ScenePanel {
    return new ScenePanel({
      model: this.model,
      place: this.stage.element,
      onFocus: (share) => {
        this.edits.focusShare(share);
      },
      onGrab: (grabbed) => {
        if (grabbed) this.undo.begin();
        else this.undo.end();
      },
    });
  }

  private makeTimeline(): Timeline {
    return new Timeline({
      keys: () => this.widgets.keys(),
      write: (keys) => {
        this.undo.run(() => {
          this.edits.keys(keys);
        });
      },
      begin: () => {
        this.undo.begin();
      },
      end: () => {
        this.undo.end();
      },
      frames: () => this.payload?.frames ?? 1,
      current: () => this.widgets.currentKey(),
      focusAt: (frame) => this.model.focusAt(frame),
      apertureAt: (frame) => this.model.apertureAt(frame),
      showFrame: (frame) => {
        this.model.showFrame(frame);
        this.draw();
      },
    });
  }

  /** Put the parts together, and the whole into the node. */
  private build(): void {
    const { app, node } = this;
    const bar = html("div", { class: "rf-bar" }, this.modes.element, this.timelineToggle.element);
    this.stage.element.append(this.reticle.element);
    this.root.append(bar, this.stage.element, this.status.element, this.timeline.element, this.status.spoken);
    replacePreview(node);
    mount(app, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], LEAST_WIDTH), node.size[1]]);
    fit(node);
  }

  private listen(): void {
    new Gestures({
      app: this.app,
      stage: this.stage,
      widgets: this.widgets,
      edits: this.edits,
      undo: this.undo,
      hover: (at) => {
        this.status.setHover(at);
      },
      done: () => {
        this.status.speak();
      },
    });
    onOutputs(this.api, this.node, (output) => {
      this.take(output);
    });
    everyFrame(this.node, this.root, () => {
      this.tick();
    });
  }

  private async load(payload: Payload): Promise<void> {
    try {
      const run = await Run.load(this.api, payload);
      if (payload !== this.payload) return;
      this.model.takeRun(run);
      if (!this.timeline.open && this.widgets.read().keyframes !== "") {
        this.timelineToggle.set(true);
        this.timeline.show(true);
      }
      this.resize();
    } catch {
      this.payload = null; // temporary files are gone after a restart of the server
    }
    this.draw();
  }

  private showTimeline(on: boolean): void {
    this.timeline.show(on);
    if (!on) this.node.setSize([this.node.size[0], this.node.size[1] - Timeline.height - GAP]);
    this.resize();
    this.draw();
  }

  private resize(): void {
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }

  private minHeight(): number {
    const timeline = this.timeline.open ? Timeline.height + GAP : 0;
    return viewHeight(this.node.size[0], this.stage.shape) + timeline;
  }

  /** Once for every picture of the browser. */
  private tick(): void {
    if (!this.payload) {
      this.take(lastOutputs(this.app, this.node));
      this.source.show(this.hasOutputs ? null : sourcePicture(this.app, this.api, this.node));
    }
    if (this.signature() !== this.drawnSignature) this.draw();
  }

  /** Everything that the drawing depends on, beside what was loaded. */
  private signature(): string {
    return `${this.widgets.signature()} ${this.stage.element.clientWidth}`;
  }

  private draw(): void {
    this.drawnSignature = this.signature();
    const state = this.model.update();
    const source = state.kind === "not run" ? this.source.image : null;
    drawPicture(this.stage, state, source, this.mode);
    if (source) this.root.style.minHeight = `${this.minHeight()}px`;
    this.stage.element.classList.toggle("rf-photo", source !== null);
    this.stage.empty.textContent = state.kind === "not run" ? whatToDo(source !== null) : "";
    this.drawScene();
    this.reticle.draw(state.settings, this.stage.shape, this.stage.element.clientWidth);
    this.timeline.draw();
    this.status.draw();
  }

  private drawScene(): void {
    const wanted = this.mode === "3d" && this.model.state.kind !== "not run";
    if (wanted && !this.scene.isOpen)
      try {
        this.scene.open();
      } catch (error) {
        this.mode = "depth";
        this.modes.select(this.mode);
        this.status.notice = error instanceof Error ? error.message : String(error);
      }
    else if (!wanted) this.scene.close();
    for (const flat of [this.reticle.element, this.stage.canvas]) flat.classList.toggle("rf-hidden", this.scene.isOpen);
    this.scene.draw();
  }
}

function whatToDo(photoIsShown: boolean): string {
  return photoIsShown
    ? t("Click to focus. After one run the defocus follows at once.")
    : t("Run once, then click here to focus.");
}
