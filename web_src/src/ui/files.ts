/** Temporary files of the node, fetched from ComfyUI's own server and kept while the page is open. */

import { address } from "../comfy/server";
import type { Api, ServerFile } from "../comfy/types";
import { type Frames, type Numbers, unpack } from "../law/unpack";

/** Maps, and pictures, that are kept. More shows earlier runs again at once and holds more memory. */
const CACHE_ENTRIES = 12;
const maps = new Map<string, Promise<Frames>>();
const pictures = new Map<string, Promise<HTMLImageElement>>();

/** The entry of a cache, made where it is missing; the oldest entries make room. */
function cached<T>(cache: Map<string, Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  const kept = cache.get(key);
  if (kept) return kept;
  const loading = load();
  loading.catch(() => cache.delete(key)); // try again next time
  cache.set(key, loading);
  for (const oldest of cache.keys()) {
    if (cache.size <= CACHE_ENTRIES) break;
    cache.delete(oldest);
  }
  return loading;
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
