/** Widgets that have no effect in the chosen mode are hidden. Their values, and their places in saved files, stay. */

import { whileAlive } from "../comfy/mount";
import type { ComfyNode, Widget } from "../comfy/types";
import { UndoStep } from "../comfy/values";
import { mayHold, slotOf } from "./case";
import { WHEN } from "./when";

/** Whether nodes of this type have widgets that may be hidden. */
export function hasCases(type: string): boolean {
  return Object.keys(WHEN[type] ?? {}).length > 0;
}

/** Keep hidden what has no effect, from the making of the node to its end. */
export function hideWithoutEffect(node: ComfyNode, type: string): void {
  const cases = Object.entries(WHEN[type] ?? {});
  const deciding = new Set(cases.flatMap(([, any]) => any.flatMap(Object.keys)));

  /** `resize`: give the node the height of the rows that come, or take that of those that go. */
  const update = (resize: boolean): void => {
    const wrong = cases.flatMap(([name, any]) => {
      const widget = node.widgets?.find((w) => w.name === name);
      const hidden = !isLinked(node, name) && !any.some((wanted) => mayHold(node, wanted));
      return widget && !isSetTo(widget, hidden) ? [{ widget, hidden }] : [];
    });
    if (wrong.length === 0) return;
    const before = node.computeSize()[1];
    for (const { widget, hidden } of wrong) setHidden(widget, hidden);
    const after = node.computeSize()[1];
    const height = resize ? node.size[1] + after - before : node.size[1];
    node.setSize([node.size[0], Math.max(height, after)]);
    node.setDirtyCanvas(true, true);
  };
  // A saved node brings its size along. It is told of its links before it has its values, and the rows of such a moment
  // would make it higher with every undo, which undo then takes for a change.
  let restoring = false;
  /** While the mouse drags on a view of the node, its picture must not move away below. */
  const changed = (): void => {
    if (!UndoStep.isOpen(node) && !restoring) update(true);
  };

  UndoStep.beforeEnd(node, () => {
    update(true);
  });
  for (const widget of node.widgets ?? []) if (deciding.has(widget.name)) afterCall(widget, "callback", changed);
  afterCall(node, "onConnectionsChange", changed);
  const { configure } = node;
  node.configure = (...saved) => {
    restoring = true;
    try {
      configure.apply(node, saved);
    } finally {
      restoring = false;
    }
    update(false);
  };
  // Values that another extension sets without a word.
  whileAlive(node, () => {
    if (!UndoStep.isOpen(node)) update(false);
  });
  update(true);
}

function isLinked(node: ComfyNode, name: string): boolean {
  const link = slotOf(node, name)?.link;
  return link !== null && link !== undefined;
}

/** All that a front end may look at: the widget for the classic canvas, its options for Nodes 2.0. */
function places(widget: Widget): Record<string, unknown>[] {
  // Nodes 2.0 before 1.5x draws from a state that outlives the widget: one made anew, as in a subgraph, gets that of the old one.
  // It is the watched side of the same options, so it is written first; afterwards nothing would seem to change.
  const kept = widget._state?.options;
  return kept ? [kept, (widget.options ??= {})] : [(widget.options ??= {})];
}

function isSetTo(widget: Widget, hidden: boolean): boolean {
  return places(widget).every((options) => (options["hidden"] ?? false) === hidden);
}

function setHidden(widget: Widget, hidden: boolean): void {
  widget.hidden = hidden;
  for (const options of places(widget)) options["hidden"] = hidden;
}

/** Call `act` after whatever the method `name` of `owner` does. */
function afterCall<K extends string>(owner: Partial<Record<K, unknown>>, name: K, act: () => void): void {
  const own = owner[name] as ((...args: unknown[]) => unknown) | undefined;
  owner[name] = function (this: unknown, ...args: unknown[]): unknown {
    const result = own?.apply(this, args);
    act();
    return result;
  };
}
