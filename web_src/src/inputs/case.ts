/** Whether a node's inputs are as a case wants them; the page's side of `Case` in refocus_core/options/records.py. */

import { linkOf } from "../comfy/links";
import type { ComfyNode, Graph, Slot } from "../comfy/types";

/** Input -> its words; holds where each of these inputs has one of its words. */
export type Case = Readonly<Record<string, readonly string[]>>;

/** Where links into a subgraph begin; whether anything comes through, is known outside only. */
const SUBGRAPH_INPUT = -10;
/** Modes of a node that gives nothing, or hands on what it takes: muted, bypassed. */
const IDLE_MODES = [2, 4];

/** Whether it holds, or may hold: what another node decides is not known here. */
export function mayHold(node: ComfyNode, wanted: Case): boolean {
  return Object.entries(wanted).every(([name, words]) => {
    const word = wordOf(node, name);
    return word === null || words.some((w) => (w.endsWith(":") ? word.startsWith(w) : word === w));
  });
}

/** The input's link, if there is one. */
export function slotOf(node: ComfyNode, name: string): Slot | undefined {
  return node.inputs?.find((i) => i.widget?.name === name || i.name === name);
}

/** What a widget says, or whether a socket has a link; null where that is not known. */
function wordOf(node: ComfyNode, name: string): string | null {
  const widget = node.widgets?.find((w) => w.name === name);
  const slot = slotOf(node, name);
  const { graph } = node;
  const link = slot && graph ? linkOf(graph, slot) : undefined;
  if (widget) return link ? null : textOf(widget.value);
  if (!link) return "open";
  return isCertain(graph!, link.origin_id) ? "connected" : null;
}

function textOf(value: unknown): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}

function isCertain(graph: Graph, origin: number | string): boolean {
  return Number(origin) !== SUBGRAPH_INPUT && !IDLE_MODES.includes(graph.getNodeById(origin)?.mode ?? 0);
}
