/** A view in its node: as a widget, in every frame of the browser, in place of the plain preview. */

import type { App, ComfyNode } from "./types";

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
  const removed = node.onRemoved;
  node.onRemoved = () => {
    root.dataset["removed"] = "";
    removed?.call(node);
  };
  whileAlive(node, () => {
    root.dataset["node"] = String(node.id);
    if (!root.isConnected) {
      const { refocus, node: id } = root.dataset;
      document.querySelector(`[data-removed][data-refocus="${refocus}"][data-node="${id}"]`)?.replaceWith(root);
    }
    if (root.isConnected && root.offsetParent !== null) step();
  });
}

/** Call `step` with every picture that the browser draws, until the node is removed. */
export function whileAlive(node: ComfyNode, step: () => void): void {
  let alive = true;
  const removed = node.onRemoved;
  node.onRemoved = () => {
    alive = false;
    removed?.call(node);
  };
  const loop = (): void => {
    if (!alive) return;
    step();
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

/** Show no plain preview: a view takes its place. */
export function replacePreview(node: ComfyNode): void {
  node.hideOutputImages = true; // Nodes 2.0
  node.onDrawBackground = () => undefined; // the classic canvas makes the preview in there
}
