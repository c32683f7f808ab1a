/** The part of ComfyUI's front end that is used here, as far as it is the same from version 1.27 on. */

export interface Widget {
  name: string;
  value: unknown;
  serialize?: boolean;
  hidden?: boolean;
  _state?: { options?: Record<string, unknown> };
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
  configure: (...saved: unknown[]) => void;
  onConnectionsChange?: (...change: unknown[]) => void;
  onDrawBackground?: () => void;
  addDOMWidget: (name: string, type: string, element: HTMLElement, options: object) => Widget;
  computeSize: () => [number, number];
  setSize: (size: [number, number]) => void;
  setDirtyCanvas: (front: boolean, back: boolean) => void;
}

export interface Link {
  origin_id: number | string;
}

export interface Graph {
  id?: string;
  nodes: ComfyNode[];
  links: Map<number, Link> | Record<number, Link | undefined>;
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
  addEventListener: (type: string, listener: (event: CustomEvent) => void) => void;
  removeEventListener: (type: string, listener: (event: CustomEvent) => void) => void;
}
