/** The 3-D view while it is open, filled with the run and the frame that are shown. */

import type { FocusModel } from "../model";
import type { Run } from "../run";
import { Scene3D } from "./scene";

export interface ScenePanelHost {
  model: FocusModel;
  /** Where the canvas goes. */
  place: HTMLElement;
  /** The focal plane was moved to a share of the depth: 0 far, 1 near. */
  onFocus: (share: number) => void;
  onGrab: (grabbed: boolean) => void;
}

export class ScenePanel {
  private scene: Scene3D | null = null;
  private filled: { run: Run; index: number } | null = null;

  constructor(private readonly host: ScenePanelHost) {}

  get isOpen(): boolean {
    return this.scene !== null;
  }

  /** @throws Error if the browser has no WebGL 2. */
  open(): void {
    const scene = new Scene3D();
    scene.canvas.classList.add("rf-scene");
    scene.onFocus = this.host.onFocus;
    scene.onGrab = this.host.onGrab;
    this.host.place.append(scene.canvas);
    this.scene = scene;
    this.filled = null;
  }

  close(): void {
    this.scene?.close();
    this.scene = null;
  }

  draw(): void {
    const { scene } = this;
    const { state } = this.host.model;
    if (!scene || state.kind === "not run") return;
    const { run, index } = state;
    if (this.filled?.run !== run || this.filled.index !== index) {
      scene.setScene(run.map, index, run.photo(index));
      this.filled = { run, index };
    }
    scene.setFocus(this.host.model.focusShare());
  }
}
