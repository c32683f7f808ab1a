/** Pictures that ComfyUI's server holds for a node: of its last run, and of a Load Image before it. */

import { linkOf } from "./links";
import type { Api, App, ComfyNode, Outputs, ServerFile } from "./types";

/** Events of a run that ends without a result. */
const ENDS = ["execution_error", "execution_interrupted"];

/** Address of a file on the server. */
export function address(api: Api, file: ServerFile): string {
  return api.apiURL(`/view?${new URLSearchParams({ ...file }).toString()}`);
}

/** The picture that a Load Image node before `node` shows, or null. */
export function sourcePicture(app: App, api: Api, node: ComfyNode): string | null {
  const graph = node.graph ?? app.graph;
  const queue: ComfyNode[] = [node];
  const seen = new Set<number | string>([node.id]);
  while (queue.length > 0) {
    const current = queue.shift()!;
    // The photo's own input first: a depth picture may come from a Load Image node too.
    const slots = [...(current.inputs ?? [])].sort((a, b) => Number(b.name === "image") - Number(a.name === "image"));
    for (const slot of slots) {
      const link = linkOf(graph, slot);
      const origin = link && graph.getNodeById(link.origin_id);
      if (!origin || seen.has(origin.id)) continue;
      seen.add(origin.id);
      if (origin.type === "LoadImage") {
        const name = origin.widgets?.find((w) => w.name === "image")?.value;
        if (typeof name === "string" && name !== "") return address(api, annotatedFile(name));
        continue;
      }
      queue.push(origin);
    }
  }
  return null;
}

/** The file that a widget of Load Image names, such as "folder/photo.jpg [output]". */
function annotatedFile(name: string): ServerFile {
  const annotated = / \[(input|output|temp)\]$/.exec(name);
  const path = annotated ? name.slice(0, annotated.index) : name;
  const cut = path.lastIndexOf("/");
  return {
    filename: path.slice(cut + 1),
    subfolder: path.slice(0, Math.max(cut, 0)),
    type: annotated?.[1] ?? "input",
  };
}

/** Last outputs of a node that the page knows. */
export function lastOutputs(app: App, node: ComfyNode): Outputs | undefined {
  return app.nodeOutputs?.[String(node.id)];
}

/** Hand the outputs of every run to a view, and keep the pictures for the node's own menu (open, copy, save). */
export function onOutputs(api: Api, node: ComfyNode, take: (output: Outputs) => void): void {
  const executed = node.onExecuted;
  node.onExecuted = (output) => {
    executed?.call(node, output);
    keepImages(api, node, output);
    take(output);
  };
}

function keepImages(api: Api, node: ComfyNode, output: Outputs): void {
  node.imgs = ((output["images"] ?? []) as ServerFile[]).map((file) => {
    const image = new Image();
    image.src = address(api, file);
    return image;
  });
}

/** Event of the server: a picture that a node shows while it runs, as `nodes/host/pictures_shown.py` sends it. */
const MEANWHILE = "refocus_meanwhile";

interface Meanwhile {
  image: ServerFile;
  /** Id of the node; within a subgraph with the ids of the nodes around it, as "7:3". */
  node: string;
}

/** Hand to a view the address of the picture that its node shows while it runs, and null when the run ends without a result. */
export function onMeanwhile(app: App, api: Api, node: ComfyNode, take: (url: string | null) => void): void {
  const show = (event: CustomEvent): void => {
    const { image, node: id } = event.detail as Meanwhile;
    const isInSubgraph = node.graph !== undefined && node.graph !== (app.rootGraph ?? app.graph);
    if (id !== String(node.id) && !(isInSubgraph && id.endsWith(`:${node.id}`))) return;
    take(address(api, image));
  };
  const end = (): void => {
    take(null);
  };
  api.addEventListener(MEANWHILE, show);
  for (const type of ENDS) api.addEventListener(type, end);
  const removed = node.onRemoved;
  node.onRemoved = () => {
    api.removeEventListener(MEANWHILE, show);
    for (const type of ENDS) api.removeEventListener(type, end);
    removed?.call(node);
  };
}
