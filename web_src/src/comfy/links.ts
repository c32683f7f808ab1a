/** Links between nodes, which older front ends keep in an object, newer ones in a map. */

import type { Graph, Link, Slot } from "./types";

/** The link that ends in an input, if there is one. */
export function linkOf(graph: Graph, slot: Slot): Link | undefined {
  if (slot.link === null || slot.link === undefined) return undefined;
  return graph.links instanceof Map ? graph.links.get(slot.link) : graph.links[slot.link];
}
