/** The part of ComfyUI's front end that is used here, as far as it is the same from version 1.27 on. */

export interface Widget {
  name: string;
  value: unknown;
  serialize?: boolean;
  options?: Record<string, unknown>;
  callback?: (value: unknown, canvas?: unknown, node?: ComfyNode) => void;
}

export interface Slot {
  name: string;
  link?: number | null;
  widget?: { name: string };
}

export interface ComfyNode {
  id: number | string;
  type: string;
  mode?: number;
  size: [number, number];
  widgets?: Widget[];
  inputs?: Slot[];
  graph?: Graph | null;
  imgs?: HTMLImageElement[];
  hideOutputImages?: boolean;
  constructor: { comfyClass?: string };
  onExecuted?: (output: Outputs) => void;
  onRemoved?: () => void;
  onDrawBackground?: () => void;
  addDOMWidget: (name: string, type: string, element: HTMLElement, options: object) => Widget;
  computeSize: () => [number, number];
  setSize: (size: [number, number]) => void;
  setDirtyCanvas: (front: boolean, back: boolean) => void;
}

interface Link {
  origin_id: number | string;
}

export interface Graph {
  id?: string;
  nodes: ComfyNode[];
  links: Map<number, Link> | Record<number, Link>;
  getNodeById: (id: number | string) => ComfyNode | null | undefined;
}

export type Outputs = Record<string, unknown>;

/** A file of ComfyUI's server, as in `ui.images`. */
export interface ServerFile {
  filename: string;
  subfolder: string;
  type: string;
}

export interface App {
  graph: Graph;
  rootGraph?: Graph;
  nodeOutputs?: Record<string, Outputs | undefined>;
  canvas: {
    read_only?: boolean;
    emitBeforeChange?: () => void;
    emitAfterChange?: () => void;
    processMouseDown: (event: PointerEvent) => unknown;
    processMouseMove: (event: PointerEvent) => unknown;
    processMouseUp: (event: PointerEvent) => unknown;
    processMouseWheel: (event: WheelEvent) => unknown;
  };
  registerExtension: (extension: object) => void;
  extensionManager?: { setting?: { get: (name: string) => unknown } };
}

export interface Api {
  apiURL: (path: string) => string;
  fetchApi: (path: string) => Promise<Response>;
}

/** Address of a file on the server. */
export function address(api: Api, file: ServerFile): string {
  return api.apiURL(`/view?${new URLSearchParams({ ...file }).toString()}`);
}

/** The node's widgets by name, read and written. A widget that a link drives is read-only. */
export class Values {
  constructor(
    private readonly app: App,
    readonly node: ComfyNode,
  ) {}

  private find(name: string): Widget | undefined {
    return this.node.widgets?.find((w) => w.name === name);
  }

  number(name: string): number {
    return Number(this.find(name)?.value ?? NaN);
  }

  text(name: string): string {
    const value = this.find(name)?.value;
    return typeof value === "string" ? value : "";
  }

  on(name: string): boolean {
    return this.find(name)?.value === true;
  }

  /** Whether the input takes its value from another node. */
  linked(name: string): boolean {
    const slot = this.node.inputs?.find((i) => i.widget?.name === name || i.name === name);
    return slot?.link !== null && slot?.link !== undefined;
  }

  /** Set widgets as if a person had typed into them. Those that a link drives stay as they are. */
  set(values: Record<string, number | string>): void {
    for (const [name, value] of Object.entries(values)) {
      const widget = this.find(name);
      if (!widget || this.linked(name) || widget.value === value) continue;
      widget.value = value;
      widget.callback?.(value, this.app.canvas, this.node);
    }
    this.node.setDirtyCanvas(true, true);
  }

  /** All values in one string, to see whether any has changed. */
  signature(names: readonly string[]): string {
    return names.map((n) => String(this.find(n)?.value)).join("|");
  }
}

/** One step for undo: from `begin` to `end`. */
export class Step {
  private open = false;

  constructor(private readonly app: App) {}

  get running(): boolean {
    return this.open;
  }

  begin(): void {
    if (this.open) return;
    this.open = true;
    this.app.canvas.emitBeforeChange?.();
  }

  end(): void {
    if (!this.open) return;
    this.open = false;
    this.app.canvas.emitAfterChange?.();
  }
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
      if (slot.link === null || slot.link === undefined) continue;
      const links = graph.links;
      const link = links instanceof Map ? links.get(slot.link) : links[slot.link];
      const origin = link && graph.getNodeById(link.origin_id);
      if (!origin || seen.has(origin.id)) continue;
      seen.add(origin.id);
      if (origin.type === "LoadImage") {
        const name = origin.widgets?.find((w) => w.name === "image")?.value;
        if (typeof name !== "string" || name === "") continue;
        const annotated = / \[(input|output|temp)\]$/.exec(name);
        const path = annotated ? name.slice(0, annotated.index) : name;
        const cut = path.lastIndexOf("/");
        const file = { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(cut, 0)) };
        return address(api, { ...file, type: annotated?.[1] ?? "input" });
      }
      queue.push(origin);
    }
  }
  return null;
}

/** Put `root` into the node as a widget that is never saved, as high as `minHeight()`. */
export function mount(app: App, node: ComfyNode, root: HTMLElement, minHeight: () => number): void {
  const widget = node.addDOMWidget("refocus_view", "refocus", root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: minHeight,
    selectOn: ["pointerdown", "focusin"],
  });
  widget.serialize = false;
  // In the classic canvas the page lies above it: what is meant for the canvas is handed on, as ComfyUI's own text boxes do.
  root.addEventListener(
    "wheel",
    (event) => {
      if (root.closest(".dom-widget") || root.parentElement?.classList.contains("graph-canvas-container")) {
        event.preventDefault();
        app.canvas.processMouseWheel(event);
      }
    },
    { passive: false },
  );
  root.addEventListener("pointerdown", (event) => {
    if (event.button === 1) app.canvas.processMouseDown(event);
  });
  root.addEventListener("pointermove", (event) => {
    if ((event.buttons & 4) === 4) app.canvas.processMouseMove(event);
  });
  root.addEventListener("pointerup", (event) => {
    if (event.button === 1) app.canvas.processMouseUp(event);
  });
}

/**
 * Call `step` with every picture that the browser draws, while `root` is in the page, until the node is removed.
 *
 * Undo makes all nodes anew. Nodes 2.0 then keeps showing the element of the old node, so the new one takes its place.
 */
export function everyFrame(node: ComfyNode, root: HTMLElement, step: () => void): void {
  let alive = true;
  const removed = node.onRemoved;
  node.onRemoved = () => {
    alive = false;
    root.dataset["removed"] = "";
    removed?.call(node);
  };
  const loop = (): void => {
    if (!alive) return;
    root.dataset["node"] = String(node.id);
    if (!root.isConnected) {
      const { refocus, node: id } = root.dataset;
      document.querySelector(`[data-removed][data-refocus="${refocus}"][data-node="${id}"]`)?.replaceWith(root);
    }
    if (root.isConnected && root.offsetParent !== null) step();
    requestAnimationFrame(loop);
  };
  requestAnimationFrame(loop);
}

/** Grow the node so that everything in it fits. */
export function fit(node: ComfyNode): void {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  node.setDirtyCanvas(true, true);
}

/** Last outputs of a node that the page knows. */
export function lastOutputs(app: App, node: ComfyNode): Outputs | undefined {
  return app.nodeOutputs?.[String(node.id)];
}

/** Show no plain preview: a view takes its place. */
export function replacePreview(node: ComfyNode): void {
  node.hideOutputImages = true; // Nodes 2.0
  node.onDrawBackground = () => undefined; // the classic canvas makes the preview in there
}

/** The pictures of a run for the node's own menu (open, copy, save). */
export function keepImages(api: Api, node: ComfyNode, output: Outputs): void {
  node.imgs = ((output["images"] ?? []) as ServerFile[]).map((file) => {
    const image = new Image();
    image.src = address(api, file);
    return image;
  });
}
