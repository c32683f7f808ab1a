/** What the view shows: the run, the frame, and the focus that the widgets give there. Every part of the view reads it here. */

import { track } from "../law/keyframes";
import {
  apertureField,
  extentPx,
  largestRadiusPx,
  leanAt,
  radiusPx,
  type Settings,
  type Solved,
  solve,
} from "../law/solve";
import { nearestShown } from "../law/unpack";
import type { Place } from "../ui/stage";
import type { Run } from "./run";
import type { FocusWidgets } from "./widgets";

/** f-number at the foot of the timeline's aperture curve; its top is f/1. */
const SMALLEST_APERTURE = 22;
/** Height (0..1) of the largest percent of the keys on the timeline. */
const LARGEST_PERCENT_HEIGHT = 0.92;
/** How much more a percent of the scene's depth counts than a percent of the width, in the search for a point at a depth. */
const DEPTH_OVER_DISTANCE = 50;

/** What is known of the focus at this moment. */
export type FocusState =
  | { kind: "not run"; settings: Settings }
  /** The widgets do not give a focus; the problem says why. */
  | { kind: "unsolved"; settings: Settings; run: Run; index: number; problem: string }
  /** `largestPx` is the largest |radius| of all frames: the scale of the colours. */
  | { kind: "solved"; settings: Settings; run: Run; index: number; solved: Solved; largestPx: number };

/** The focal plane's disparity and the largest radii on either side of it. */
export interface Extent {
  focusDisparity: number;
  metric: boolean;
  nearPx: number;
  farPx: number;
  field: Solved["field"];
}

export class FocusModel {
  private run: Run | null = null;
  private frameShown = 0;
  private current: FocusState;

  constructor(readonly widgets: FocusWidgets) {
    this.current = { kind: "not run", settings: widgets.read() };
  }

  get state(): FocusState {
    return this.current;
  }

  /** Frame of the clip that is shown. */
  get frame(): number {
    return this.frameShown;
  }

  showFrame(frame: number): void {
    this.frameShown = frame;
  }

  takeRun(run: Run): void {
    this.run = run;
  }

  /** Read the widgets and solve for the focus anew. */
  update(): FocusState {
    const settings = this.widgets.read();
    const { run } = this;
    if (!run) return (this.current = { kind: "not run", settings });
    const index = nearestShown(run.numbers, this.frame);
    try {
      const solved = solve(run.numbers, run.map, settings, index, this.frame);
      const largestPx = largestRadiusPx(run.numbers, run.map, settings);
      return (this.current = { kind: "solved", settings, run, index, solved, largestPx });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return (this.current = { kind: "unsolved", settings, run, index, problem });
    }
  }

  /** Focal plane between the farthest (0) and the nearest thing (1) of the shown frame. */
  focusShare(): number | null {
    const { state } = this;
    if (state.kind !== "solved") return null;
    const { run, index, solved } = state;
    return run.shareOf(solved.focusDisparity, index);
  }

  /** Focal plane at any frame of the clip, between the farthest (0) and the nearest thing (1) of all frames. */
  focusAt(frame: number): number | null {
    const { state } = this;
    if (state.kind === "not run") return null;
    const { numbers, map } = state.run;
    try {
      const solved = solve(numbers, map, this.widgets.read(), state.index, frame);
      const low = Math.min(...map.lowest);
      const high = Math.max(...map.highest);
      return high > low ? (solved.focusDisparity - low) / (high - low) : 0.5;
    } catch {
      return null; // the status line says why
    }
  }

  /** Aperture of the keys at any frame, 0..1: in stops, or in percent up to the largest key. */
  apertureAt(frame: number): number | null {
    const field = apertureField(this.widgets.read());
    const keys = this.widgets.keys().filter((k) => field !== null && k[field] !== undefined);
    if (keys.length === 0) return null;
    if (field === "f_number")
      return 1 - track(keys, (k) => Math.log2(k.f_number!), frame) / Math.log2(SMALLEST_APERTURE);
    const most = Math.max(...keys.map((k) => k.percent!), 1e-6);
    return (LARGEST_PERCENT_HEIGHT * track(keys, (k) => k.percent!, frame)) / most;
  }

  extent(): Extent | null {
    const { state } = this;
    if (state.kind !== "solved") return null;
    const { settings, solved } = state;
    const { map } = state.run;
    const ends = map.values.map((_, i) => extentPx(map, i, solved, settings));
    return {
      focusDisparity: solved.focusDisparity,
      metric: solved.metric,
      nearPx: Math.max(...ends.map((e) => e.near)),
      farPx: Math.max(...ends.map((e) => e.far)),
      field: solved.field,
    };
  }

  /** Disparity (in the unit of the output) and signed radius under a position on the picture. */
  under(at: Place): { disparity: number; metric: boolean; radiusPx: number } | null {
    const { state } = this;
    if (state.kind !== "solved" || at.x < 0 || at.x >= 1 || at.y < 0 || at.y >= 1) return null;
    const { run, index, solved, settings } = state;
    const { map } = run;
    const value = map.values[index][Math.floor(at.y * map.h) * map.w + Math.floor(at.x * map.w)];
    return {
      disparity: value,
      metric: solved.metric,
      radiusPx: radiusPx(value - leanAt(solved, map, at.x, at.y), solved, settings),
    };
  }

  /** Centre of the pixel whose depth is nearest to a disparity of the thumbnail, of several the one nearest to the point. */
  pointAtDisparity(disparity: number): Place | null {
    const { state } = this;
    if (state.kind === "not run") return null;
    const { run, index } = state;
    const { x, y } = this.widgets.read();
    const { w, h, values, valid, lowest, highest } = run.map;
    const span = Math.max(highest[index] - lowest[index], 1e-9);
    let leastCost = Infinity;
    let nearest = 0;
    values[index].forEach((value, i) => {
      if (!valid[index][i]) return;
      const distance = Math.hypot((i % w) + 0.5 - x * w, Math.floor(i / w) + 0.5 - y * h) / w;
      const cost = (Math.abs(value - disparity) / span) * DEPTH_OVER_DISTANCE + distance;
      if (cost < leastCost) [leastCost, nearest] = [cost, i];
    });
    return { x: ((nearest % w) + 0.5) / w, y: (Math.floor(nearest / w) + 0.5) / h };
  }
}
