/** Pointer and keys on the picture, told apart: click, drag of an area, drag of the point, Shift for a second point. */

import type { App } from "../comfy/types";
import type { UndoStep } from "../comfy/values";
import type { Place, Stage } from "../ui/stage";
import type { FocusEdits } from "./edits";
import type { FocusWidgets } from "./widgets";

/** A press that moves less on the screen is a click. */
const DRAG_PX = 6;
/** A press at most so far from the point takes hold of it. */
const GRAB_PX = 10;
/** How far an arrow key moves the point, as a share of the picture; with Shift the larger step. */
const NUDGE = { small: 0.01, large: 0.05 };
/** How much plus and minus change the focus range. */
const RANGE_STEP = 0.01;

/** A pointer that is down. */
interface Press {
  start: Place;
  kind: "area" | "point" | "second point";
  dragged: boolean;
}

export interface GestureHost {
  app: App;
  stage: Stage;
  widgets: FocusWidgets;
  edits: FocusEdits;
  undo: UndoStep;
  /** The pointer is over a position; null: it has left. */
  hover: (at: Place | null) => void;
  /** A gesture has ended, and what it has set can be told. */
  done: () => void;
}

export class Gestures {
  private press: Press | null = null;

  constructor(private readonly host: GestureHost) {
    const { element } = host.stage;
    const release = (event: PointerEvent): void => {
      this.release(event);
    };
    element.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    element.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("pointerleave", () => {
      host.hover(null);
    });
    element.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }

  private get blocked(): boolean {
    return this.host.widgets.linkedFocus.length > 0;
  }

  private down(event: PointerEvent): void {
    const { app, stage, widgets, undo } = this.host;
    if (event.button !== 0 || app.canvas.read_only) return;
    event.stopPropagation();
    const start = stage.at(event);
    if (start.x < 0 || start.x > 1 || start.y < 0 || start.y > 1 || this.blocked) return;
    stage.element.focus({ preventScroll: true });
    stage.element.setPointerCapture(event.pointerId);
    const onPoint = widgets.focusIsPoint && stage.screenDistance(start, widgets.read()) <= GRAB_PX;
    this.press = { start, kind: event.shiftKey ? "second point" : onPoint ? "point" : "area", dragged: false };
    undo.begin();
  }

  private move(event: PointerEvent): void {
    const { stage, edits, hover } = this.host;
    const at = stage.at(event);
    hover(at);
    const { press } = this;
    if (!press || (!press.dragged && stage.screenDistance(press.start, at) < DRAG_PX)) return;
    press.dragged = true;
    if (press.kind === "point") edits.point(at);
    else if (press.kind === "second point") edits.secondPoint(at);
    else edits.area(press.start, at, stage.shape);
  }

  private release(event: PointerEvent): void {
    const { widgets, edits, undo, done } = this.host;
    const { press } = this;
    if (!press) return;
    this.press = null;
    if (event.type === "pointerup" && !press.dragged) {
      if (press.kind === "second point") edits.secondPoint(press.start);
      else if (press.kind === "area" || widgets.read().focus !== "point") edits.click(press.start);
    }
    undo.end();
    done();
  }

  private key(event: KeyboardEvent): void {
    const { edits, undo, done } = this.host;
    if (event.ctrlKey || event.metaKey || event.altKey || this.blocked) return;
    const by = event.shiftKey ? NUDGE.large : NUDGE.small;
    const acts: Record<string, (() => void) | undefined> = {
      ArrowLeft: () => {
        edits.nudge(-by, 0);
      },
      ArrowRight: () => {
        edits.nudge(by, 0);
      },
      ArrowUp: () => {
        edits.nudge(0, -by);
      },
      ArrowDown: () => {
        edits.nudge(0, by);
      },
    };
    const widen = (step: number) => (): void => {
      edits.widenRange(step);
    };
    for (const plus of ["+", "="]) acts[plus] = widen(RANGE_STEP);
    for (const minus of ["-", "_"]) acts[minus] = widen(-RANGE_STEP);
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    undo.begin();
    act();
    undo.end();
    done();
  }
}
