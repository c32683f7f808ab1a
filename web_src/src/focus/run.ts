/** What the last run of Defocus Map has sent: thumbnails of depth and photo, and numbers of the full picture. */

import { address } from "../comfy/server";
import type { Api, ServerFile } from "../comfy/types";
import type { FocusNumbers } from "../law/solve";
import { greyOf } from "../law/srgb";
import type { Frames } from "../law/unpack";
import { loadMap, loadPicture } from "../ui/files";

/** `ui.refocus_focus` of the node; see nodes/host/previews.py. */
export interface Payload extends FocusNumbers {
  depth: ServerFile;
  photos: ServerFile[] | null;
}

export class Run {
  private readonly greys = new Map<number, Float32Array>();

  private constructor(
    readonly numbers: FocusNumbers,
    readonly map: Frames,
    private readonly photos: HTMLImageElement[] | null,
  ) {}

  /** Rejects where the temporary files are gone, as after a restart of the server. */
  static async load(api: Api, payload: Payload): Promise<Run> {
    const photos = payload.photos?.slice(0, payload.shown.length) ?? null;
    const [map, loaded] = await Promise.all([
      loadMap(api, payload.depth, payload),
      photos && Promise.all(photos.map((file) => loadPicture(address(api, file)))),
    ]);
    return new Run(payload, map, loaded);
  }

  photo(index: number): HTMLImageElement | null {
    return this.photos?.[index] ?? null;
  }

  /** Brightness of the photo at the size of the map; null where no photo is known. */
  grey(index: number): Float32Array | null {
    const photo = this.photo(index);
    if (!photo) return null;
    let grey = this.greys.get(index);
    if (!grey) {
      const { w, h } = this.map;
      const context = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true })!;
      context.drawImage(photo, 0, 0, w, h);
      grey = greyOf(context.getImageData(0, 0, w, h).data);
      this.greys.set(index, grey);
    }
    return grey;
  }

  /** Place of a disparity of the thumbnail between the farthest (0) and the nearest thing (1) of its frame. */
  shareOf(disparity: number, index: number): number {
    const [low, high] = [this.map.lowest[index], this.map.highest[index]];
    return high > low ? (disparity - low) / (high - low) : 0.5;
  }

  /** The inverse of `shareOf`. */
  disparityAtShare(share: number, index: number): number {
    const [low, high] = [this.map.lowest[index], this.map.highest[index]];
    return low + share * (high - low);
  }
}
