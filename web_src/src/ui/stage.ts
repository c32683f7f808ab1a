/** A picture that fills its place as far as its shape allows, and positions on it. */

import { html } from "./dom";
import { t } from "./words";

export interface Place {
  x: number;
  y: number;
}

export class Stage {
  readonly element: HTMLDivElement;
  readonly canvas = html("canvas");
  readonly empty = html("div", { class: "rf-empty" });
  private aspect = 1.5;

  constructor(label: string) {
    this.element = html("div", { class: "rf-stage", tabindex: 0, role: "application", "aria-label": t(label) });
    this.element.append(this.canvas, this.empty);
  }

  setShape(width: number, height: number): void {
    this.aspect = width / height;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
  }

  /** Width over height of what is shown. */
  get shape(): number {
    return this.aspect;
  }

  /** Box of the picture on the screen, with the zoom of the graph. */
  private box(): DOMRect {
    const outer = this.element.getBoundingClientRect();
    const width = Math.min(outer.width, outer.height * this.aspect);
    const height = width / this.aspect;
    return new DOMRect(outer.x + (outer.width - width) / 2, outer.y + (outer.height - height) / 2, width, height);
  }

  /** Position of a pointer in 0..1 of the picture; may lie outside. */
  at(event: PointerEvent): Place {
    const box = this.box();
    return { x: (event.clientX - box.x) / box.width, y: (event.clientY - box.y) / box.height };
  }

  /** Distance on the screen between two positions. */
  screenDistance(a: Place, b: Place): number {
    const box = this.box();
    return Math.hypot((a.x - b.x) * box.width, (a.y - b.y) * box.height);
  }

  /** Width of the picture on the screen. */
  get screenWidth(): number {
    return this.box().width;
  }

  context(): CanvasRenderingContext2D {
    return this.canvas.getContext("2d", { willReadFrequently: true })!;
  }
}

export const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v, low), high);
