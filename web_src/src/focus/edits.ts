/** What a gesture sets: points, an area, a range, a distance, keys. Every edit is drawn at once. */

import { formatKeyframes, type Keyframes } from "../law/keyframes";
import { medianDeviation, valuesInDisc } from "../law/measure";
import type { Settings } from "../law/solve";
import { clamp, type Place } from "../ui/stage";
import type { FocusModel } from "./model";
import { round3 } from "./widgets";

/** Radius of a dragged area, as a share of the long edge. */
const AREA_RADIUS = { least: 0.002, most: 0.5 };
/** Distances that the 3-D view may set, in metres. */
const DISTANCE_M = { least: 0.01, most: 1e5 };

/** What the last dragged area has set, and what was set before it. */
interface DraggedArea {
  radius: number;
  range: number;
  before: Settings;
}

export class FocusEdits {
  private dragged: DraggedArea | null = null;

  constructor(
    private readonly model: FocusModel,
    private readonly draw: () => void,
  ) {}

  /** Focus on a point. A key of the focus at the shown frame moves with it. */
  point(at: Place): void {
    const point = onPicture(at);
    const keys = this.model.widgets.keys();
    const { frame } = this.model;
    if (keys.some((k) => k.frame === frame && k.x !== undefined)) {
      const moved = keys.map((k) => (k.frame === frame ? { ...k, ...point } : k));
      this.write({ focus: "point", ...point, keyframes: formatKeyframes(moved) });
    } else this.write({ focus: "point", ...point });
  }

  /** A plain click: as `point`, and what an area dragged before it had set goes back. */
  click(at: Place): void {
    const { dragged } = this;
    this.dragged = null;
    const { focus_radius, focus_range } = this.model.widgets.read();
    if (dragged?.radius === focus_radius && dragged.range === focus_range)
      this.model.widgets.write({
        focus_radius: dragged.before.focus_radius,
        focus_range: dragged.before.focus_range,
      });
    this.point(at);
  }

  /** Keep everything between the point and a second one sharp. */
  secondPoint(at: Place): void {
    const { x, y } = onPicture(at);
    this.write({ focus: "two points", x2: x, y2: y });
  }

  /**
   * A disc to focus on: its median is the focal plane, and the surface that fills most of it stays sharp.
   *
   * `aspect` is width over height of the picture.
   */
  area(centre: Place, edge: Place, aspect: number): void {
    const [w, h] = aspect >= 1 ? [1, 1 / aspect] : [aspect, 1];
    const dragged = Math.hypot((edge.x - centre.x) * w, (edge.y - centre.y) * h);
    const radius = round3(clamp(dragged, AREA_RADIUS.least, AREA_RADIUS.most));
    const point = onPicture(centre);
    const range = this.rangeOfDisc({ ...point, radius });
    const { widgets } = this.model;
    const before = this.dragged?.before ?? widgets.read();
    this.write({
      focus: "point",
      ...point,
      focus_radius: radius,
      ...(range === null ? {} : { focus_range: range }),
    });
    const { focus_radius, focus_range } = widgets.read();
    this.dragged = { radius: focus_radius, range: focus_range, before };
  }

  /** The focus range that covers the surface in a disc; null where its depth is not known. */
  private rangeOfDisc(disc: { x: number; y: number; radius: number }): number | null {
    const { state } = this.model;
    if (state.kind !== "solved") return null;
    const { run, index, solved } = state;
    const disparities = valuesInDisc(run.map, index, disc);
    if (disparities.length === 0) return null;
    // The whole of an even slope, and nothing of a smaller part behind it.
    const halfWidth = 2 * medianDeviation(disparities);
    return solved.span > 0 ? Math.ceil(clamp((2 * halfWidth) / solved.span, 0, 1) * 100) / 100 : 0;
  }

  /** Move the point. */
  nudge(dx: number, dy: number): void {
    const { x, y } = this.model.widgets.read();
    this.point({ x: x + dx, y: y + dy });
  }

  /** Widen the focus range, or narrow it. */
  widenRange(by: number): void {
    const { focus_range } = this.model.widgets.read();
    this.write({ focus_range: round3(clamp(focus_range + by, 0, 1)) });
  }

  /** Focal plane between the farthest (0) and the nearest thing (1): a distance in metres, else the nearest point there. */
  focusShare(share: number): void {
    const { state, widgets } = this.model;
    if (state.kind === "not run" || widgets.linkedFocus.length > 0) return;
    const disparity = state.run.disparityAtShare(share, state.index);
    if (state.kind === "solved" && state.solved.metric && !widgets.distanceIsLinked) {
      const metres = 1 / Math.max(disparity, 1 / DISTANCE_M.most);
      this.write({
        focus: "distance",
        distance_m: Math.round(clamp(metres, DISTANCE_M.least, DISTANCE_M.most) * 100) / 100,
      });
      return;
    }
    const point = this.model.pointAtDisparity(disparity);
    if (point) this.point(point);
  }

  /** Replace the keys. */
  keys(keys: Keyframes): void {
    this.write({ keyframes: formatKeyframes(keys) });
  }

  private write(values: Record<string, number | string>): void {
    this.model.widgets.write(values);
    this.draw();
  }
}

/** The nearest position on the picture, as the widgets take it. */
function onPicture(at: Place): Place {
  return { x: round3(clamp(at.x, 0, 1)), y: round3(clamp(at.y, 0, 1)) };
}
