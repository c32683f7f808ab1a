/** The line below the picture, and what a screen reader says after a gesture. */

import { setsFocus } from "../law/keyframes";
import { SHARP_RADIUS_PX } from "../law/constants";
import { FAR_COLOUR, FOCUS_COLOUR, NEAR_COLOUR } from "../ui/colours";
import { html } from "../ui/dom";
import type { Solved } from "../law/solve";
import type { Place } from "../ui/stage";
import { t } from "../ui/words";
import type { FocusModel } from "./model";

const USAGE = "Click to focus · drag over what shall be sharp · Shift+click for a second point";

export class StatusLine {
  readonly element = html("div", { class: "rf-status" });
  readonly spoken = html("div", { class: "rf-sr", "aria-live": "polite" });
  /** Why something that was asked for cannot be shown. */
  notice: string | null = null;
  private hover: Place | null = null;

  constructor(
    private readonly model: FocusModel,
    private readonly timelineIsOpen: () => boolean,
  ) {}

  /** The pointer is over a position of the picture; null: it has left. */
  setHover(at: Place | null): void {
    this.hover = at;
    this.draw();
  }

  draw(): void {
    this.element.classList.toggle("rf-warn", this.problem !== null);
    const message = this.message();
    const legend = message === null ? this.legend() : null;
    if (!legend) {
      this.element.textContent = this.element.title = message ?? t(USAGE);
      return;
    }
    this.element.title = `${this.summary()}. ${t(USAGE)}.`;
    this.element.replaceChildren(...legend);
  }

  /** Tell the point and the blur to a screen reader. */
  speak(): void {
    const { widgets } = this.model;
    const { x, y } = widgets.read();
    const point = widgets.focusIsPoint ? `x ${x}, y ${y}. ` : "";
    this.spoken.textContent = `${point}${this.problem ?? this.summary()}`;
  }

  private get problem(): string | null {
    const { state } = this.model;
    return state.kind === "unsolved" ? state.problem : this.notice;
  }

  /** What is said in place of the legend: the most urgent first. */
  private message(): string | null {
    const linked = this.model.widgets.linkedFocus;
    return (
      this.problem ??
      this.pointWithoutKey() ??
      (linked.length > 0 ? `${t("Driven by a link:")} ${linked.join(", ")}` : this.underPointer())
    );
  }

  /** Keys set the focus, but the point that is set is none of them. */
  private pointWithoutKey(): string | null {
    if (!this.timelineIsOpen() || !this.model.widgets.focusIsPoint) return null;
    const keys = this.model.widgets.keys().filter(setsFocus);
    const { x, y } = this.model.widgets.read();
    if (keys.length === 0 || keys.some((k) => k.x === x && k.y === y)) return null;
    return `${t("Keys set the focus. Set key: this point, at frame")} ${this.model.frame}`;
  }

  private underPointer(): string | null {
    const under = this.hover && this.model.under(this.hover);
    if (!under) return null;
    const radiusPx = Math.abs(under.radiusPx);
    const side = t(under.radiusPx < 0 ? "in front" : "behind");
    const blur = radiusPx <= SHARP_RADIUS_PX ? t("sharp") : `${t("blur")} ${radiusPx.toFixed(1)} px ${side}`;
    return `${t("Here:")} ${distanceInWords(under.disparity, under.metric)} · ${blur}`;
  }

  /** Where it is sharp, and the largest radii in front and behind; null before the first run. */
  private parts(): { sharp: string; near: string; far: string; hyperfocal: string } | null {
    const extent = this.model.extent();
    return (
      extent && {
        sharp: `${t("sharp")} ${distanceInWords(extent.focusDisparity, extent.metric)}${fieldInWords(extent.field)}`,
        hyperfocal: extent.field ? `, ${t("hyperfocal distance")} ${metres(extent.field.hyperfocalM)}` : "",
        near: `${t("near")} ≤ ${extent.nearPx.toFixed(1)} px`,
        far: `${t("far")} ≤ ${extent.farPx.toFixed(1)} px`,
      }
    );
  }

  private legend(): (HTMLElement | string)[] | null {
    const parts = this.parts();
    const mark = (colour: string): HTMLElement => html("b", { style: `background:${colour}` });
    return parts && [mark(FOCUS_COLOUR), parts.sharp, mark(NEAR_COLOUR), parts.near, mark(FAR_COLOUR), parts.far];
  }

  private summary(): string {
    const parts = this.parts();
    return parts ? `${parts.sharp}${parts.hyperfocal}, ${parts.near}, ${parts.far}` : t(USAGE);
  }
}

function distanceInWords(disparity: number, metric: boolean): string {
  if (!metric) return `${t("nearness")} ${Math.round(disparity * 100)} %`;
  return metres(disparity > 0 ? 1 / disparity : Infinity);
}

function metres(distance: number): string {
  return Number.isFinite(distance) ? `${distance.toPrecision(3)} m` : t("infinity");
}

/** The limits of the depth of field. */
function fieldInWords(field: Solved["field"]): string {
  return field ? ` (${metres(field.nearM)} – ${metres(field.farM)})` : "";
}
