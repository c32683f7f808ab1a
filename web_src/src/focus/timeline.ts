/** Keyframes of focus and aperture over the frames of a clip: keys that can be set, dragged and removed. */

import { type Ease, EASES, type Key, type Keyframes } from "../law/keyframes";
import { button, html } from "../ui/dom";
import { clamp } from "../ui/stage";
import { t } from "../ui/words";
import { Plot, PLOT_HEIGHT } from "./plot";

/** Frames of the plot where no clip is known. */
const FRAMES_WITHOUT_CLIP = 48;
/** Height of the buttons below the plot, with the gap between. */
const BUTTONS_HEIGHT = 36;

/** What the timeline asks of the view around it. */
export interface TimelineHost {
  keys: () => Keyframes;
  /** Replace the keys: one step for undo, unless `begin` was called. */
  write: (keys: Keyframes) => void;
  begin: () => void;
  end: () => void;
  /** Frames of the clip; 1 before the first run. */
  frames: () => number;
  /** What a new key at the frame holds: the focus and the aperture that are set now. */
  current: () => Partial<Key>;
  /** Focus (0..1, near is up) of a frame, or null where it is not known. */
  focusAt: (frame: number) => number | null;
  /** Aperture (0..1, more blur is up) of a frame. */
  apertureAt: (frame: number) => number | null;
  showFrame: (frame: number) => void;
}

export class Timeline {
  static readonly height = PLOT_HEIGHT + BUTTONS_HEIGHT;

  readonly element = html("div", { class: "rf-timeline rf-hidden" });
  private readonly plot = new Plot();
  private readonly setButton: HTMLButtonElement;
  private readonly removeButton: HTMLButtonElement;
  private readonly ease = html("select", { "aria-label": t("How the way to the next key runs") });
  private readonly frameLabel = html("span", { class: "rf-where", "aria-live": "polite" });
  private frame = 0;
  /** Frame of the key that is dragged. */
  private dragged: number | null = null;

  constructor(private readonly host: TimelineHost) {
    const title = "Set a key at this frame from the focus and the aperture that are set now";
    this.setButton = button("Set key", title, () => {
      this.setKey();
    });
    this.removeButton = button("Remove", "Remove the key at this frame", () => {
      this.host.write(this.otherKeys());
    });
    for (const name of EASES) this.ease.append(html("option", { value: name }, name));
    this.ease.addEventListener("change", () => {
      const ease = this.ease.value as Ease;
      this.host.write(this.host.keys().map((k) => (k.frame === this.frame ? { ...k, ease } : k)));
    });
    const space = html("span", { class: "rf-space" });
    const bar = html("div", { class: "rf-bar" }, this.setButton, this.removeButton, this.ease, space, this.frameLabel);
    this.element.append(this.plot.element, bar);
    this.listen();
  }

  get open(): boolean {
    return !this.element.classList.contains("rf-hidden");
  }

  show(on: boolean): void {
    this.element.classList.toggle("rf-hidden", !on);
    if (on) this.draw();
  }

  /** Last frame that the plot reaches: that of the clip, or of the last key where that lies beyond. */
  private get last(): number {
    const frames = this.host.frames();
    const clip = (frames > 1 ? frames : FRAMES_WITHOUT_CLIP) - 1;
    return Math.max(clip, ...this.host.keys().map((k) => k.frame), 1);
  }

  /** All keys but the one at the shown frame. */
  private otherKeys(): Keyframes {
    return this.host.keys().filter((k) => k.frame !== this.frame);
  }

  private setKey(): void {
    const old = this.host.keys().find((k) => k.frame === this.frame);
    const key: Key = { frame: this.frame, ...this.host.current(), ease: old?.ease ?? "ease" };
    this.host.write([...this.otherKeys(), key].sort((a, b) => a.frame - b.frame));
  }

  private go(frame: number): void {
    this.frame = clamp(frame, 0, this.last);
    this.host.showFrame(this.frame);
  }

  private listen(): void {
    const { element } = this.plot;
    const release = (): void => {
      if (this.dragged !== null) this.host.end();
      this.dragged = null;
    };
    element.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    element.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }

  /** Go to the frame under the pointer, or take hold of the key beside it. */
  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const { element } = this.plot;
    event.stopPropagation();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    const at = this.plot.frameAt(event, this.last);
    const away = (k: Key): number => Math.abs(k.frame - at);
    const [nearest] = [...this.host.keys()].sort((a, b) => away(a) - away(b)) as (Key | undefined)[];
    if (!nearest || away(nearest) > this.plot.grabFrames(this.last)) {
      this.go(at);
      return;
    }
    this.go(nearest.frame);
    this.dragged = nearest.frame;
    this.host.begin();
  }

  private move(event: PointerEvent): void {
    if (!this.plot.element.hasPointerCapture(event.pointerId)) return;
    const at = this.plot.frameAt(event, this.last);
    const { dragged } = this;
    if (dragged === null) {
      this.go(at);
      return;
    }
    const keys = this.host.keys();
    if (keys.some((k) => k.frame === at)) return; // a key is not dropped on another one, nor on itself
    const moved = keys.map((k) => (k.frame === dragged ? { ...k, frame: at } : k));
    this.dragged = at;
    this.host.write(moved.sort((a, b) => a.frame - b.frame));
    this.go(at);
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowLeft") this.go(this.frame - by);
    else if (event.key === "ArrowRight") this.go(this.frame + by);
    else if (event.key === "Enter") this.setKey();
    else if (event.key === "Delete" || event.key === "Backspace") this.removeButton.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  draw(): void {
    if (!this.open) return;
    const keys = this.host.keys();
    const { last } = this;
    this.frame = Math.min(this.frame, last);
    const { focusAt, apertureAt } = this.host;
    this.plot.draw({ keys, last, frame: this.frame, focusAt, apertureAt });
    const here = keys.find((k) => k.frame === this.frame);
    this.frameLabel.textContent = `${t("frame")} ${this.frame}`;
    this.setButton.textContent = t(here ? "Set again" : "Set key");
    this.removeButton.disabled = !here;
    this.ease.disabled = !here || this.frame === keys[keys.length - 1].frame;
    this.ease.value = here?.ease ?? "ease";
  }
}
