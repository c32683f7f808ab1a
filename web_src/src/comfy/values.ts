/** What a person has set: widgets of a node, and steps for undo. */

import type { App, ComfyNode, Widget } from "./types";

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
export class UndoStep {
  private static readonly openNodes = new WeakSet<ComfyNode>();
  private static readonly lastActs = new WeakMap<ComfyNode, () => void>();

  private open = false;

  constructor(
    private readonly app: App,
    private readonly node: ComfyNode,
  ) {}

  /** Whether a step on the node has begun and not ended. */
  static isOpen(node: ComfyNode): boolean {
    return UndoStep.openNodes.has(node);
  }

  /** What belongs to every step on the node, and is done as its last. */
  static beforeEnd(node: ComfyNode, act: () => void): void {
    UndoStep.lastActs.set(node, act);
  }

  begin(): void {
    if (this.open) return;
    this.open = true;
    UndoStep.openNodes.add(this.node);
    this.app.canvas.emitBeforeChange?.();
  }

  end(): void {
    if (!this.open) return;
    this.open = false;
    UndoStep.openNodes.delete(this.node);
    UndoStep.lastActs.get(this.node)?.();
    this.app.canvas.emitAfterChange?.();
  }

  /** Do it as a step of its own, or as a part of the one that has begun. */
  run(act: () => void): void {
    const outer = this.open;
    if (!outer) this.begin();
    act();
    if (!outer) this.end();
  }
}
