/** Temporary files of the node, fetched from ComfyUI's own server and kept while the page is open. */

import { address } from "../comfy/server";
import type { Api, ServerFile } from "../comfy/types";
import { type Frames, type Numbers, unpack } from "../law/unpack";

const KEPT = 12;
const maps = new Map<string, Promise<Frames>>();
const pictures = new Map<string, Promise<HTMLImageElement>>();

function cached<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let found = cache.get(key);
  if (!found) {
    found = make();
    found.catch(() => cache.delete(key)); // try again next time
    cache.set(key, found);
    for (const oldest of cache.keys()) {
      if (cache.size <= KEPT) break;
      cache.delete(oldest);
    }
  }
  return found;
}

export function loadMap(api: Api, file: ServerFile, numbers: Numbers): Promise<Frames> {
  const url = address(api, file);
  return cached(maps, url, async () => {
    const reply = await fetch(url);
    if (!reply.ok || !reply.body) throw new Error(`${file.filename}: ${reply.status}`);
    const bytes = await new Response(reply.body.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
    return unpack(bytes, numbers);
  });
}

export function loadPicture(url: string): Promise<HTMLImageElement> {
  return cached(pictures, url, async () => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  });
}
