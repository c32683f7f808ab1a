/** The marks of the focus on the picture: a ring around what is measured, a second one, and the line between both. */

import type { Settings } from "../law/solve";
import { setAll, svg } from "../ui/dom";

/** Width of the drawing in its own units; the height follows the picture. */
const WIDTH = 1000;
/** A ring is never smaller on the screen than this radius, so that it can be seen. */
const LEAST_RING_PX = 9;
const DOT_PX = 3;

export class Reticle {
  readonly element = svg("svg", { "aria-hidden": true });

  /**
   * Draw what the widgets say, for a picture of that aspect (width over height) in a place so many pixels wide; nothing
   * where the focus is not a point.
   */
  draw(s: Settings, aspect: number, widthPx: number): void {
    const height = WIDTH / aspect;
    setAll(this.element, { viewBox: `0 0 ${WIDTH} ${height}` });
    this.element.replaceChildren();
    if (s.focus !== "point" && s.focus !== "two points") return;
    const unitsPerPx = WIDTH / Math.max(widthPx, 1);
    const radius = Math.max(s.focus_radius * Math.max(WIDTH, height), LEAST_RING_PX * unitsPerPx);
    const mark = (x: number, y: number, ring: string): void => {
      const centre = { cx: x * WIDTH, cy: y * height };
      this.element.append(
        svg("circle", { ...centre, r: radius, class: "rf-halo" }),
        svg("circle", { ...centre, r: radius, class: ring }),
        svg("circle", { ...centre, r: DOT_PX * unitsPerPx, class: "rf-dot" }),
      );
    };
    if (s.focus === "two points") {
      const line = { x1: s.x * WIDTH, y1: s.y * height, x2: s.x2 * WIDTH, y2: s.y2 * height };
      this.element.append(
        svg("line", { ...line, class: "rf-halo" }),
        svg("line", { ...line, class: "rf-ring rf-second" }),
      );
      mark(s.x2, s.y2, "rf-ring rf-second");
    }
    mark(s.x, s.y, "rf-ring");
  }
}
