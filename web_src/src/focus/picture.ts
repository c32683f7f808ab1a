/** The picture on the stage: the defocus, the photo or the depth of a run; before the first run the photo to come. */

import { paintDefocus, paintDepth } from "../law/paint";
import { radiiPx } from "../law/solve";
import type { Stage } from "../ui/stage";
import type { FocusState } from "./model";

export type PictureMode = "defocus" | "photo" | "depth";

/** Long edge at which a photo is drawn before the first run. */
const SOURCE_LONG_EDGE_PX = 768;

/** Where the mode cannot be shown (no photo, or the focus is not known), the depth is. */
export function drawPicture(
  stage: Stage,
  state: FocusState,
  source: HTMLImageElement | null,
  mode: PictureMode | "3d",
): void {
  if (state.kind !== "not run") drawRun(stage, state, mode);
  else if (source) drawSource(stage, source);
  else stage.context().clearRect(0, 0, stage.canvas.width, stage.canvas.height);
}

function drawRun(stage: Stage, state: Exclude<FocusState, { kind: "not run" }>, mode: PictureMode | "3d"): void {
  const { run, index, settings } = state;
  const { map } = run;
  stage.setShape(map.w, map.h);
  const context = stage.context();
  const photo = run.photo(index);
  if (mode === "photo" && photo) {
    context.drawImage(photo, 0, 0, map.w, map.h);
    return;
  }
  const pixels = context.createImageData(map.w, map.h);
  if (mode === "defocus" && state.kind === "solved") {
    const radius = radiiPx(map.values[index], state.solved, settings, map);
    paintDefocus(radius, run.grey(index), state.largestPx, map, pixels.data);
  } else paintDepth(map, index, pixels.data);
  context.putImageData(pixels, 0, 0);
}

function drawSource(stage: Stage, photo: HTMLImageElement): void {
  const { naturalWidth: w, naturalHeight: h } = photo;
  const scale = Math.min(1, SOURCE_LONG_EDGE_PX / Math.max(w, h));
  stage.setShape(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
  stage.context().drawImage(photo, 0, 0, stage.canvas.width, stage.canvas.height);
}
