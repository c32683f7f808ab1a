/**
 * Refocus in the page: views on three nodes, and no widget that has no effect. Every node works without this file; the
 * widgets stay what counts.
 *
 * Only hooks of `app.registerExtension` and members of our own nodes are used.
 */

// @ts-expect-error -- ComfyUI's own module, there at run time only
import { api as hostApi } from "../../scripts/api.js";
// @ts-expect-error -- ComfyUI's own module, there at run time only
import { app as hostApp } from "../../scripts/app.js";
import type { Api, App, ComfyNode, Outputs } from "./comfy/types";
import { addStyle } from "./ui/style";
import { CompareView } from "./compare/view";
import { FocusView } from "./focus/view";
import { hasCases, hideWithoutEffect } from "./inputs/shown";
import { KernelView } from "./kernel/view";
import { useLanguage } from "./ui/words";

// For the tests, which compare the built file with the core.
export * as kernel from "./kernel/index";
export * as law from "./law/index";

const app = hostApp as App;
const api = hostApi as Api;

interface View {
  take: (outputs: Outputs | undefined) => void;
  readonly hasOutputs: boolean;
}

const VIEWS: Record<string, (new (app: App, api: Api, node: ComfyNode) => View) | undefined> = {
  RefocusDefocusMap: FocusView,
  RefocusReblur: CompareView,
  RefocusBokehKernel: KernelView,
};

/** Of the setting; locales/ has it in other languages. */
const PREVIEWS_TOOLTIP =
  "Which frames of a clip the nodes show, from the next run on. None: no such pictures are written; only Defocus Map and " +
  "Bokeh Kernel keep what they draw from. Results stay the same.";

/** Runs in which the outputs of a reloaded workflow are looked for. */
const HISTORY_ENTRIES = 16;

const views = new WeakMap<ComfyNode, View>();

/** A part of an entry of GET /history. */
interface HistoryEntry {
  prompt: [
    number: number,
    id: string,
    graph: Record<string, { class_type: string } | undefined>,
    extra: { extra_pnginfo?: { workflow?: { id?: string } } },
  ];
  outputs: Record<string, Outputs | undefined>;
}

/** After a reload of the page: what the last runs of this very workflow had given. */
async function restore(): Promise<void> {
  const graph = app.rootGraph ?? app.graph;
  const waiting = graph.nodes.filter((n) => views.get(n)?.hasOutputs === false);
  if (waiting.length === 0 || !graph.id) return;
  const reply = await api.fetchApi(`/history?max_items=${HISTORY_ENTRIES}`);
  if (!reply.ok) return;
  const runs = Object.values((await reply.json()) as Record<string, HistoryEntry>).reverse();
  for (const node of waiting) {
    const id = String(node.id);
    const run = runs.find((r) => {
      const [, , prompt, extra] = r.prompt;
      return extra.extra_pnginfo?.workflow?.id === graph.id && prompt[id]?.class_type === node.type && r.outputs[id];
    });
    if (views.get(node)?.hasOutputs === false) views.get(node)?.take(run?.outputs[id]);
  }
}

app.registerExtension({
  name: "Refocus",
  settings: [
    {
      // nodes/host/preferences.py reads it from the file in which ComfyUI keeps settings.
      id: "Refocus.Previews",
      name: "Previews on nodes",
      tooltip: PREVIEWS_TOOLTIP,
      type: "combo",
      options: ["first frame", "every frame", "none"],
      defaultValue: "first frame",
    },
  ],
  nodeCreated(node: ComfyNode) {
    const type = node.constructor.comfyClass ?? "";
    if (hasCases(type)) hideWithoutEffect(node, type);
    const ViewOfNode = VIEWS[type];
    if (!ViewOfNode) return;
    addStyle();
    useLanguage(app.extensionManager?.setting?.get("Comfy.Locale"));
    views.set(node, new ViewOfNode(app, api, node));
  },
  async afterConfigureGraph() {
    await restore();
  },
});
