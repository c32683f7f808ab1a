// Built from web_src/ by `npm run build`. Do not edit.
var __defProp = Object.defineProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// src/main.ts
import { api as hostApi } from "../../scripts/api.js";
import { app as hostApp } from "../../scripts/app.js";

// src/ui/words.ts
var ZH = {
  "Click to focus · drag over what shall be sharp · Shift+click for a second point": "单击对焦 · 拖动圈住应清晰的部分 · Shift+单击设第二点",
  "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.": "照片上的对焦点。方向键移动，按住 Shift 步子更大；加号和减号改变清晰范围。",
  "What the picture shows": "画面显示",
  Defocus: "离焦",
  "Blue in front of the focal plane, red behind it, yellow where it is sharp": "焦平面之前蓝色，之后红色，清晰处黄色",
  Photo: "照片",
  "The photo alone": "只看照片",
  Depth: "深度",
  "Near is bright": "近处亮",
  "3-D": "三维",
  "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane": "照片的纵深：拖动旋转，拖动黄色薄片的边框移动焦平面",
  Timeline: "时间轴",
  "Keyframes of focus and aperture over a clip": "视频中焦点和光圈的关键帧",
  "Driven by a link:": "由连线决定：",
  "Click to focus. After one run the defocus follows at once.": "单击对焦。运行一次后，离焦立即跟随。",
  "Run once, then click here to focus.": "先运行一次，再在这里单击对焦。",
  "Keys set the focus. Set key: this point, at frame": "焦点由关键帧决定。“设关键帧”把此点用于帧",
  "Here:": "此处：",
  sharp: "清晰",
  blur: "模糊",
  "in front": "在前",
  behind: "在后",
  near: "近",
  far: "远",
  nearness: "远近",
  infinity: "无穷远",
  "Before and after. Left and right arrow keys move the divider.": "前后比较。左右方向键移动分隔线。",
  before: "之前",
  after: "之后",
  Frame: "帧",
  frame: "帧",
  "Focal plane": "焦平面",
  "Mark what is in focus": "标出合焦处",
  "Run to compare before and after here.": "运行后在这里比较前后。",
  "blur radius up to": "模糊半径最大",
  "Run once to see the connected picture as an aperture.": "运行一次以查看作为光圈的图像。",
  "as a light behind the focal plane": "焦平面之后的光点形状",
  "as of the last run": "上次运行的结果",
  "Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it.": "时间轴。左右方向键换帧，回车设关键帧，Delete 删除。",
  "How the way to the next key runs": "到下一关键帧的过渡",
  "Set key": "设关键帧",
  "Set again": "重设",
  "Set a key at this frame from the focus and the aperture that are set now": "用当前的焦点和光圈在此帧设关键帧",
  Remove: "删除",
  "Remove the key at this frame": "删除此帧的关键帧",
  focus: "焦点",
  aperture: "光圈"
};
var chinese = false;
function useLanguage(locale) {
  chinese = typeof locale === "string" && locale.startsWith("zh") && !locale.startsWith("zh-TW");
}
function t(english) {
  return (chinese ? ZH[english] : void 0) ?? english;
}

// src/ui/dom.ts
function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAll(element, attributes);
  element.append(...children);
  return element;
}
function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
function button(label, title, onClick) {
  const element = html("button", { type: "button", title: t(title), "aria-label": t(title) }, t(label));
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return element;
}
var Choice = class {
  constructor(label, options, onChange) {
    this.onChange = onChange;
    this.element.setAttribute("aria-label", t(label));
    for (const [value, text, title] of options) {
      const made = button(text, title, () => {
        this.select(value);
        this.onChange(value);
      });
      this.buttons.set(value, made);
      this.element.append(made);
    }
  }
  onChange;
  element = html("div", { class: "rf-choice", role: "group" });
  buttons = /* @__PURE__ */ new Map();
  select(value) {
    for (const [name, made] of this.buttons) made.setAttribute("aria-pressed", String(name === value));
  }
};
var Toggle = class {
  element;
  on = false;
  constructor(label, title, onChange) {
    this.element = button(label, title, () => {
      this.set(!this.on);
      onChange(this.on);
    });
    this.set(false);
  }
  set(on) {
    this.on = on;
    this.element.setAttribute("aria-pressed", String(on));
  }
};
var STYLE = `
.rf-view{box-sizing:border-box;display:flex;flex-direction:column;gap:6px;width:100%;height:100%;overflow:hidden;
  color:var(--input-text,#ddd);font:12px/1.35 Inter,system-ui,sans-serif;user-select:none;-webkit-user-select:none}
.rf-view *{box-sizing:border-box}
.rf-bar{display:flex;flex-wrap:wrap;gap:6px;align-items:center;flex:none;min-height:24px}
.rf-bar>.rf-space{flex:1}
.rf-choice{display:inline-flex;gap:1px}
.rf-view button,.rf-view select{appearance:none;border:1px solid var(--border-color,#4e4e4e);
  background:var(--comfy-input-bg,#222);color:var(--input-text,#ddd);font:inherit;line-height:16px;padding:3px 9px;margin:0;
  border-radius:6px;cursor:pointer}
.rf-view select{padding-right:20px;background-position:right 6px center;background-repeat:no-repeat;background-size:9px;
  background-image:url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 6' fill='none' stroke='%23999' stroke-width='1.5'%3E%3Cpath d='m1 1 3.5 3.5L8 1'/%3E%3C/svg%3E")}
.rf-choice button{border-radius:0}
.rf-choice button:first-child{border-radius:6px 0 0 6px}
.rf-choice button:last-child{border-radius:0 6px 6px 0}
.rf-view button:hover,.rf-view select:hover{border-color:var(--descrip-text,#999)}
.rf-view button[aria-pressed=true]{background:#f2d64b;border-color:#f2d64b;color:#1a1705}
.rf-view button:disabled{opacity:.45;cursor:default}
.rf-view :focus-visible{outline:2px solid #f2d64b;outline-offset:1px}
.rf-stage{position:relative;flex:1 1 0;min-height:60px;border-radius:6px;overflow:hidden;
  background:var(--comfy-input-bg,#222);touch-action:none;cursor:crosshair}
.rf-stage.rf-still{cursor:default;touch-action:auto}
.rf-stage.rf-slide{cursor:ew-resize}
.rf-stage:focus-visible{outline-offset:-2px}
.rf-stage>canvas,.rf-stage>svg,.rf-stage>img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain;
  pointer-events:none;display:block}
.rf-stage>svg{overflow:visible}
.rf-empty{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;text-align:center;padding:16px;
  color:var(--descrip-text,#999);pointer-events:none}
.rf-photo>.rf-empty{inset:auto 0 0 0;padding:5px 10px;background:rgba(0,0,0,.62);color:#eee}
.rf-status{flex:none;min-height:16px;color:var(--descrip-text,#999);white-space:nowrap;overflow:hidden;
  text-overflow:ellipsis;font-variant-numeric:tabular-nums}
.rf-status b{font-weight:400;display:inline-block;width:9px;height:9px;border-radius:2px;margin:0 4px 0 10px}
.rf-status b:first-child{margin-left:0}
.rf-scene{cursor:grab;pointer-events:auto!important;touch-action:none}
.rf-status.rf-warn{color:var(--error-text,#ff6b6b)}
.rf-legend{display:inline-flex;gap:10px;color:var(--descrip-text,#999);align-items:center}
.rf-legend i{display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:4px;vertical-align:-1px}
.rf-halo{fill:none;stroke:rgba(0,0,0,.65);stroke-width:4px;vector-effect:non-scaling-stroke}
.rf-ring{fill:none;stroke:#fff;stroke-width:1.8px;vector-effect:non-scaling-stroke}
.rf-ring.rf-second{stroke-dasharray:5 3}
.rf-dot{fill:#f2d64b;stroke:rgba(0,0,0,.65);stroke-width:1px;vector-effect:non-scaling-stroke}
.rf-plot{flex:none;height:104px;border-radius:6px;background:#1d1e22;touch-action:none;width:100%;
  display:block;cursor:default}
.rf-plot text{font:10px Inter,system-ui,sans-serif;fill:#a5a5ab}
.rf-timeline{flex:none;display:flex;flex-direction:column;gap:6px}
.rf-where{color:var(--descrip-text,#999);font-variant-numeric:tabular-nums}
.rf-divider{position:absolute;top:0;bottom:0;width:0;border-left:2px solid #fff;box-shadow:0 0 0 1px rgba(0,0,0,.45);
  pointer-events:none}
.rf-divider::after{content:"";position:absolute;left:-15px;top:50%;width:28px;height:28px;margin-top:-14px;border-radius:50%;
  background:rgba(20,20,20,.72) center/18px no-repeat url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18' fill='none' stroke='white' stroke-width='2'%3E%3Cpath d='M6 4 2 9l4 5M12 4l4 5-4 5'/%3E%3C/svg%3E");
  border:2px solid #fff}
.rf-tag{position:absolute;top:6px;padding:1px 7px;border-radius:5px;background:rgba(0,0,0,.62);color:#fff;font-size:11px;
  pointer-events:none}
.rf-hidden{display:none!important}
.rf-sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
`;
function addStyle() {
  if (document.getElementById("refocus-style")) return;
  document.head.append(html("style", { id: "refocus-style" }, STYLE));
}

// src/comfy/mount.ts
function mount(app2, node, root, minHeight) {
  const widget = node.addDOMWidget("refocus_view", "refocus", root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: minHeight,
    selectOn: ["pointerdown", "focusin"]
  });
  widget.serialize = false;
  root.addEventListener(
    "wheel",
    (event) => {
      if (root.closest(".dom-widget") || root.parentElement?.classList.contains("graph-canvas-container")) {
        event.preventDefault();
        app2.canvas.processMouseWheel(event);
      }
    },
    { passive: false }
  );
  root.addEventListener("pointerdown", (event) => {
    if (event.button === 1) app2.canvas.processMouseDown(event);
  });
  root.addEventListener("pointermove", (event) => {
    if ((event.buttons & 4) === 4) app2.canvas.processMouseMove(event);
  });
  root.addEventListener("pointerup", (event) => {
    if (event.button === 1) app2.canvas.processMouseUp(event);
  });
}
function everyFrame(node, root, step) {
  let alive = true;
  const removed = node.onRemoved;
  node.onRemoved = () => {
    alive = false;
    root.dataset["removed"] = "";
    removed?.call(node);
  };
  const loop = () => {
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
function fit(node) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  node.setDirtyCanvas(true, true);
}
function replacePreview(node) {
  node.hideOutputImages = true;
  node.onDrawBackground = () => void 0;
}

// src/comfy/server.ts
function address(api2, file) {
  return api2.apiURL(`/view?${new URLSearchParams({ ...file }).toString()}`);
}
function sourcePicture(app2, api2, node) {
  const graph = node.graph ?? app2.graph;
  const queue = [node];
  const seen = /* @__PURE__ */ new Set([node.id]);
  while (queue.length > 0) {
    const current = queue.shift();
    const slots = [...current.inputs ?? []].sort((a, b) => Number(b.name === "image") - Number(a.name === "image"));
    for (const slot of slots) {
      if (slot.link === null || slot.link === void 0) continue;
      const links = graph.links;
      const link = links instanceof Map ? links.get(slot.link) : links[slot.link];
      const origin = link && graph.getNodeById(link.origin_id);
      if (!origin || seen.has(origin.id)) continue;
      seen.add(origin.id);
      if (origin.type === "LoadImage") {
        const name = origin.widgets?.find((w) => w.name === "image")?.value;
        if (typeof name === "string" && name !== "") return address(api2, annotatedFile(name));
        continue;
      }
      queue.push(origin);
    }
  }
  return null;
}
function annotatedFile(name) {
  const annotated = / \[(input|output|temp)\]$/.exec(name);
  const path = annotated ? name.slice(0, annotated.index) : name;
  const cut = path.lastIndexOf("/");
  return {
    filename: path.slice(cut + 1),
    subfolder: path.slice(0, Math.max(cut, 0)),
    type: annotated?.[1] ?? "input"
  };
}
function lastOutputs(app2, node) {
  return app2.nodeOutputs?.[String(node.id)];
}
function onOutputs(api2, node, take) {
  const executed = node.onExecuted;
  node.onExecuted = (output) => {
    executed?.call(node, output);
    keepImages(api2, node, output);
    take(output);
  };
}
function keepImages(api2, node, output) {
  node.imgs = (output["images"] ?? []).map((file) => {
    const image = new Image();
    image.src = address(api2, file);
    return image;
  });
}

// src/law/unpack.ts
var LEVELS = 32767;
function unpack(bytes, numbers) {
  const [w, h] = numbers.size;
  const differences = new DataView(bytes);
  const step = (numbers.high - numbers.low) / LEVELS;
  const frames = { w, h, values: [], valid: [], lowest: [], highest: [] };
  for (let f = 0, at = 0; f < numbers.shown.length; f++) {
    const values = new Float32Array(w * h);
    const valid = new Uint8Array(w * h);
    let lowest = Infinity;
    let highest = -Infinity;
    let code = 0;
    for (let i = 0; i < w * h; i++, at += 2) {
      const left = i % w === 0 ? 0 : code;
      code = left + differences.getUint16(at, true) & 65535;
      const value = numbers.low + (code & LEVELS) * step;
      values[i] = value;
      valid[i] = code > LEVELS ? 0 : 1;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    frames.values.push(values);
    frames.valid.push(valid);
    frames.lowest.push(lowest);
    frames.highest.push(highest);
  }
  return frames;
}
function nearestShown(numbers, frame) {
  let best = 0;
  numbers.shown.forEach((f, i) => {
    if (Math.abs(f - frame) < Math.abs(numbers.shown[best] - frame)) best = i;
  });
  return best;
}

// src/ui/files.ts
var KEPT = 12;
var maps = /* @__PURE__ */ new Map();
var pictures = /* @__PURE__ */ new Map();
function cached(cache, key, make) {
  let found = cache.get(key);
  if (!found) {
    found = make();
    found.catch(() => cache.delete(key));
    cache.set(key, found);
    for (const oldest of cache.keys()) {
      if (cache.size <= KEPT) break;
      cache.delete(oldest);
    }
  }
  return found;
}
function loadMap(api2, file, numbers) {
  const url = address(api2, file);
  return cached(maps, url, async () => {
    const reply = await fetch(url);
    if (!reply.ok || !reply.body) throw new Error(`${file.filename}: ${reply.status}`);
    const bytes = await new Response(reply.body.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
    return unpack(bytes, numbers);
  });
}
function loadPicture(url) {
  return cached(pictures, url, async () => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  });
}

// src/law/paint.ts
var NEAR_RGB = [0.05, 0.3, 1];
var FAR_RGB = [1, 0.16, 0.06];
var FOCUS_RGB = [1, 0.93, 0.45];
var NO_PHOTO_GREY = 0.5;
var SHARP_RADIUS_PX = 0.5;
var SHARP_SHARE = 0.02;
var LEAST_COLOUR = 0.15;
var MORE_COLOUR = 0.75;
var SHADE_OVER_BLACK = 0.3;
var FOCUS_TINT = 0.4;
var FOCUS_OVER_BLACK = 0.25;
var OUTLINE_TINT = 0.85;
var LONG_EDGE_PER_LINE_PX = 900;
var PLANE_ALPHA = 80;
var PLANE_OUTLINE_ALPHA = 235;
function paintDefocus(radius, grey, largestPx, { w, h }, rgba) {
  const sharp = sharpMask(radius, largestPx);
  const outline2 = outlineOf(sharp, w, h);
  for (let i = 0, at = 0; i < radius.length; i++, at += 4) {
    const g = grey ? grey[i] : NO_PHOTO_GREY;
    if (sharp[i]) {
      for (let c = 0; c < 3; c++) {
        let v = g + FOCUS_TINT * (FOCUS_RGB[c] * (FOCUS_OVER_BLACK + (1 - FOCUS_OVER_BLACK) * g) - g);
        if (outline2[i]) v += OUTLINE_TINT * (FOCUS_RGB[c] - v);
        rgba[at + c] = v * 255;
      }
    } else {
      const [red, green, blue] = radius[i] < 0 ? NEAR_RGB : FAR_RGB;
      const amount = LEAST_COLOUR + MORE_COLOUR * Math.sqrt(Math.abs(radius[i]) / largestPx);
      const photo = g * (1 - amount);
      const shade = (SHADE_OVER_BLACK + (1 - SHADE_OVER_BLACK) * g) * amount;
      rgba[at] = (photo + red * shade) * 255;
      rgba[at + 1] = (photo + green * shade) * 255;
      rgba[at + 2] = (photo + blue * shade) * 255;
    }
    rgba[at + 3] = 255;
  }
}
function paintFocalPlane(radius, largestPx, { w, h }, rgba) {
  const sharp = sharpMask(radius, largestPx);
  const outline2 = outlineOf(sharp, w, h);
  for (let i = 0; i < radius.length; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = FOCUS_RGB[c] * 255;
    rgba[4 * i + 3] = outline2[i] ? PLANE_OUTLINE_ALPHA : sharp[i] ? PLANE_ALPHA : 0;
  }
}
function paintDepth(map, index, rgba) {
  const low = map.lowest[index];
  const span = map.highest[index] - low || 1;
  map.values[index].forEach((v, i) => {
    const shade = 255 * (v - low) / span;
    rgba.set([shade, shade, shade, 255], 4 * i);
  });
}
function sharpMask(radius, largestPx) {
  const mostPx = Math.max(SHARP_SHARE * largestPx, SHARP_RADIUS_PX);
  const mask = new Uint8Array(radius.length);
  for (let i = 0; i < mask.length; i++) if (Math.abs(radius[i]) <= mostPx) mask[i] = 1;
  return mask;
}
function outlineOf(sharp, w, h) {
  const widthPx = Math.max(1, Math.round(Math.max(w, h) / LONG_EDGE_PER_LINE_PX));
  const blurred = sharp.map((v) => 1 - v);
  const blurredNear = windowSum(blurred, w, h, widthPx);
  const eroded = sharp.map((v, i) => v && blurredNear[i] === 0 ? 1 : 0);
  const solidNear = windowSum(eroded, w, h, 2 * widthPx);
  return sharp.map((v, i) => v && !eroded[i] && solidNear[i] > 0 ? 1 : 0);
}
function windowSum(source, w, h, halfWidth) {
  const rows = new Uint16Array(source.length);
  for (let j = 0; j < h; j++) {
    const start = j * w;
    let sum = 0;
    for (let i = -halfWidth; i < w; i++) {
      if (i + halfWidth < w) sum += source[start + i + halfWidth];
      if (i > halfWidth) sum -= source[start + i - halfWidth - 1];
      if (i >= 0) rows[start + i] = sum;
    }
  }
  const out = new Uint16Array(source.length);
  const columns = new Uint16Array(w);
  for (let j = -halfWidth; j < h; j++) {
    const [add, drop] = [(j + halfWidth) * w, (j - halfWidth - 1) * w];
    if (j + halfWidth < h) for (let i = 0; i < w; i++) columns[i] += rows[add + i];
    if (j > halfWidth) for (let i = 0; i < w; i++) columns[i] -= rows[drop + i];
    if (j >= 0) out.set(columns, j * w);
  }
  return out;
}

// src/ui/stage.ts
var Stage = class {
  element;
  canvas = html("canvas");
  empty = html("div", { class: "rf-empty" });
  aspect = 1.5;
  constructor(label) {
    this.element = html("div", { class: "rf-stage", tabindex: 0, role: "application", "aria-label": t(label) });
    this.element.append(this.canvas, this.empty);
  }
  setShape(width, height) {
    this.aspect = width / height;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
  }
  /** Width over height of what is shown. */
  get shape() {
    return this.aspect;
  }
  /** Box of the picture on the screen, with the zoom of the graph. */
  box() {
    const outer = this.element.getBoundingClientRect();
    const width = Math.min(outer.width, outer.height * this.aspect);
    const height = width / this.aspect;
    return new DOMRect(outer.x + (outer.width - width) / 2, outer.y + (outer.height - height) / 2, width, height);
  }
  /** Position of a pointer in 0..1 of the picture; may lie outside. */
  at(event) {
    const box = this.box();
    return { x: (event.clientX - box.x) / box.width, y: (event.clientY - box.y) / box.height };
  }
  /** Distance on the screen between two positions. */
  screenDistance(a, b) {
    const box = this.box();
    return Math.hypot((a.x - b.x) * box.width, (a.y - b.y) * box.height);
  }
  /** Width of the picture on the screen. */
  get screenWidth() {
    return this.box().width;
  }
  context() {
    return this.canvas.getContext("2d", { willReadFrequently: true });
  }
};
var clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// src/compare/view.ts
var CompareView = class {
  constructor(app2, api2, node) {
    this.app = app2;
    this.api = api2;
    this.node = node;
    this.plane = new Toggle("Focal plane", "Mark what is in focus", () => {
      this.draw();
    });
    this.slider.classList.add("rf-hidden");
    this.slider.addEventListener("input", () => {
      this.frame = Number(this.slider.value);
      this.overlay = null;
      this.draw();
    });
    this.stage.element.classList.add("rf-slide");
    this.stage.element.setAttribute("role", "slider");
    this.stage.element.append(this.divider, ...this.tags);
    this.root.append(
      html("div", { class: "rf-bar" }, this.plane.element, html("span", { class: "rf-space" }), this.slider),
      this.stage.element,
      this.status
    );
    this.listen();
    replacePreview(node);
    mount(app2, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], 340), node.size[1]]);
    this.draw();
    fit(node);
    onOutputs(api2, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      if (!this.payload) this.take(lastOutputs(this.app, this.node));
      if (this.stage.element.clientWidth !== this.width) this.draw();
    });
  }
  app;
  api;
  node;
  root = html("div", { class: "rf-view", "data-refocus": "compare" });
  stage = new Stage("Before and after. Left and right arrow keys move the divider.");
  divider = html("div", { class: "rf-divider rf-hidden" });
  tags = [
    html("div", { class: "rf-tag rf-hidden" }, t("before")),
    html("div", { class: "rf-tag rf-hidden" }, t("after"))
  ];
  plane;
  slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("Frame") });
  status = html("div", { class: "rf-status" });
  payload = null;
  loaded = null;
  split = 0.5;
  frame = 0;
  overlay = null;
  width = 0;
  get hasOutputs() {
    return this.payload !== null;
  }
  take(output) {
    const [payload] = output?.["refocus_compare"] ?? [];
    if (!payload || payload.radius.filename === this.payload?.radius.filename) return;
    this.payload = payload;
    void this.load(payload);
  }
  async load(payload) {
    const all = (files) => Promise.all(files.map((f) => loadPicture(address(this.api, f))));
    try {
      const [map, before, after] = await Promise.all([
        loadMap(this.api, payload.radius, payload),
        all(payload.before),
        all(payload.after)
      ]);
      if (payload !== this.payload) return;
      this.loaded = { numbers: payload, map, before, after };
      this.frame = Math.min(this.frame, after.length - 1);
      this.slider.max = String(after.length - 1);
      this.slider.classList.toggle("rf-hidden", after.length < 2);
      this.overlay = null;
      this.stage.setShape(after[0].naturalWidth, after[0].naturalHeight);
      this.root.style.minHeight = `${this.minHeight()}px`;
      fit(this.node);
    } catch {
      this.payload = null;
    }
    this.draw();
  }
  minHeight() {
    return 30 + 22 + clamp(Math.max(this.node.size[0] - 30, 200) / this.stage.shape, 150, 420);
  }
  listen() {
    const stage = this.stage.element;
    const move = (event) => {
      this.split = clamp(this.stage.at(event).x, 0, 1);
      this.draw();
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.loaded) return;
      event.stopPropagation();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      move(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) move(event);
    });
    stage.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowLeft" ? -0.05 : event.key === "ArrowRight" ? 0.05 : 0;
      if (by === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.split = clamp(this.split + by, 0, 1);
      this.draw();
    });
  }
  draw() {
    this.width = this.stage.element.clientWidth;
    const { loaded } = this;
    this.stage.empty.textContent = loaded ? "" : t("Run to compare before and after here.");
    for (const element of [this.divider, ...this.tags]) element.classList.toggle("rf-hidden", !loaded);
    this.plane.element.disabled = !loaded;
    if (!loaded) {
      this.stage.context().clearRect(0, 0, this.stage.canvas.width, this.stage.canvas.height);
      return;
    }
    const { width, height } = this.stage.canvas;
    const context = this.stage.context();
    const cut = Math.round(this.split * width);
    context.drawImage(loaded.after[this.frame], 0, 0, width, height);
    if (cut > 0) {
      const before = loaded.before[this.frame];
      const share = before.naturalWidth / width;
      context.drawImage(before, 0, 0, cut * share, before.naturalHeight, 0, 0, cut, height);
    }
    if (this.plane.on) {
      this.overlay ??= this.drawPlane(loaded);
      context.drawImage(this.overlay, 0, 0, width, height);
    }
    const outer = { w: this.stage.element.clientWidth, h: this.stage.element.clientHeight };
    const shown = Math.min(outer.w, outer.h * this.stage.shape);
    const left = (outer.w - shown) / 2;
    const at = left + this.split * shown;
    this.divider.style.left = `${at - 1}px`;
    this.tags[0].style.right = `${outer.w - at + 8}px`;
    this.tags[1].style.left = `${at + 8}px`;
    this.tags[0].classList.toggle("rf-hidden", this.split * shown < 62);
    this.tags[1].classList.toggle("rf-hidden", (1 - this.split) * shown < 56);
    this.stage.element.setAttribute("aria-valuenow", String(Math.round(this.split * 100)));
    this.stage.element.setAttribute("aria-valuetext", `${Math.round(this.split * 100)} % before`);
    const { numbers } = loaded;
    const frame = numbers.frames > 1 ? `${t("frame")} ${numbers.shown[this.frame]} / ${numbers.frames} · ` : "";
    this.status.textContent = `${frame}${numbers.width} × ${numbers.height} · ${t("blur radius up to")} ${numbers.largest.toFixed(1)} px`;
  }
  drawPlane({ map, numbers }) {
    const canvas = new OffscreenCanvas(map.w, map.h);
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(map.w, map.h);
    paintFocalPlane(map.values[this.frame], Math.max(numbers.largest, 1e-6), map, pixels.data);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }
};

// src/comfy/values.ts
var Values = class {
  constructor(app2, node) {
    this.app = app2;
    this.node = node;
  }
  app;
  node;
  find(name) {
    return this.node.widgets?.find((w) => w.name === name);
  }
  number(name) {
    return Number(this.find(name)?.value ?? NaN);
  }
  text(name) {
    const value = this.find(name)?.value;
    return typeof value === "string" ? value : "";
  }
  on(name) {
    return this.find(name)?.value === true;
  }
  /** Whether the input takes its value from another node. */
  linked(name) {
    const slot = this.node.inputs?.find((i) => i.widget?.name === name || i.name === name);
    return slot?.link !== null && slot?.link !== void 0;
  }
  /** Set widgets as if a person had typed into them. Those that a link drives stay as they are. */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      const widget = this.find(name);
      if (!widget || this.linked(name) || widget.value === value) continue;
      widget.value = value;
      widget.callback?.(value, this.app.canvas, this.node);
    }
    this.node.setDirtyCanvas(true, true);
  }
  /** All values in one string, to see whether any has changed. */
  signature(names) {
    return names.map((n) => String(this.find(n)?.value)).join("|");
  }
};
var Step = class {
  constructor(app2) {
    this.app = app2;
  }
  app;
  open = false;
  get running() {
    return this.open;
  }
  begin() {
    if (this.open) return;
    this.open = true;
    this.app.canvas.emitBeforeChange?.();
  }
  end() {
    if (!this.open) return;
    this.open = false;
    this.app.canvas.emitAfterChange?.();
  }
};

// src/law/keyframes.ts
var EASES = ["ease", "linear", "hold"];
var NUMBERS = ["frame", "x", "y", "distance_m", "f_number", "percent"];
function parseKeyframes(text) {
  if (text.trim() === "") return null;
  const data = JSON.parse(text);
  const keys = typeof data === "object" && data !== null ? data.keys : null;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('not of the form {"keys": [{"frame": 0, …}]}');
  const found = keys.map((key) => {
    if (typeof key !== "object" || key === null) throw new Error("a key is not an object");
    const fields = key;
    for (const name of NUMBERS)
      if (fields[name] !== void 0 && fields[name] !== null && typeof fields[name] !== "number")
        throw new Error(`${name} is not a number`);
    if (!Number.isInteger(fields["frame"]) || fields["frame"] < 0)
      throw new Error("frame is not a whole number from 0");
    if (fields["ease"] !== void 0 && !EASES.includes(fields["ease"])) throw new Error("unknown ease");
    if (fields["x"] === void 0 !== (fields["y"] === void 0)) throw new Error("a key has only one of x and y");
    return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== null));
  });
  return found.sort((a, b) => a.frame - b.frame);
}
function formatKeyframes(keys) {
  if (keys.length === 0) return "";
  return `{"keys": [
${keys.map((k) => `  ${JSON.stringify(k)}`).join(",\n")}
]}`;
}
function track(keys, value, frame) {
  const after = keys.findIndex((k) => k.frame > frame);
  if (after === 0) return value(keys[0]);
  if (after === -1) return value(keys[keys.length - 1]);
  const a = keys[after - 1];
  const b = keys[after];
  const t2 = (frame - a.frame) / (b.frame - a.frame);
  const ease = a.ease ?? "ease";
  const eased = ease === "hold" ? 0 : ease === "linear" ? t2 : t2 * t2 * (3 - 2 * t2);
  return value(a) + eased * (value(b) - value(a));
}

// src/law/measure.ts
function valuesInDisc(map, index, disc) {
  const { w, h } = map;
  const values = map.values[index];
  const valid = map.valid[index];
  const radiusPx2 = disc.radius * Math.max(w, h);
  const cx = disc.x * w;
  const cy = disc.y * h;
  const inDisc = [];
  const centre = Math.min(Math.floor(cy), h - 1) * w + Math.min(Math.floor(cx), w - 1);
  for (let j = Math.max(0, Math.floor(cy - radiusPx2)); j < Math.min(h, cy + radiusPx2 + 1); j++)
    for (let i = Math.max(0, Math.floor(cx - radiusPx2)); i < Math.min(w, cx + radiusPx2 + 1); i++) {
      const inside = (i + 0.5 - cx) ** 2 + (j + 0.5 - cy) ** 2 <= radiusPx2 ** 2;
      const pixel = j * w + i;
      if ((inside || pixel === centre) && valid[pixel]) inDisc.push(values[pixel]);
    }
  return inDisc.sort((a, b) => a - b);
}
function median(sorted) {
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
function medianDeviation(sorted) {
  const middle = median(sorted);
  return median(sorted.map((v) => Math.abs(v - middle)).sort((a, b) => a - b));
}
function disparityAt(map, index, disc) {
  const values = valuesInDisc(map, index, disc);
  if (values.length === 0) throw new Error("no depth is known around this point; choose another one");
  return median(values);
}

// src/law/solve.ts
var BLUR_FOCUS_FLOOR = 0.25;
var FLOAT32_TINY = 11754943508222875e-54;
var KEY_FOCUS_RADIUS = 0.01;
var LEAST_COLOUR_SCALE_PX = 1e-6;
function solve(numbers, map, s, index, frame = numbers.shown[index]) {
  const unit = disparityScale(numbers, s, index);
  const keys = readKeyframes(s.keyframes);
  const plane = focalPlane(numbers, map, s, keys, unit, index, frame);
  const strength = s.strength === "camera" ? lensGainPx(numbers, s, unit, plane.disparity) : blurGainPx(numbers, s, unit, plane.disparity);
  return {
    focusDisparity: plane.disparity,
    gainPx: strength * apertureOfKeys(keys, s, frame),
    sharpHalfWidth: plane.halfWidth + unit.span * s.focus_range / 2,
    scale: unit.scale,
    offset: unit.offset,
    metric: unit.metric,
    span: unit.span
  };
}
function disparityScale(numbers, s, index) {
  if (s.near_m > 0 || s.far_m > 0) {
    if (!(s.near_m > 0 && s.far_m > 0)) throw new Error("give both near_m and far_m, or neither");
    if (numbers.metric) throw new Error("this depth is in metres already; set near_m and far_m to 0");
    if (s.near_m >= s.far_m) throw new Error("near_m must be below far_m");
    const offset = 1 / s.far_m;
    const scale = 1 / s.near_m - offset;
    return { scale, offset, metric: true, nearest: 1 / s.near_m, span: scale };
  }
  if (!numbers.metric) return { scale: 1, offset: 0, metric: false, nearest: 1, span: 1 };
  const nearest = numbers.nearest[index];
  return { scale: 1, offset: 0, metric: true, nearest, span: nearest - numbers.farthest[index] };
}
function readKeyframes(text) {
  try {
    return parseKeyframes(text) ?? [];
  } catch (error) {
    throw new Error(`keyframes: ${error instanceof Error ? error.message : String(error)}`);
  }
}
function focalPlane(numbers, map, s, keys, unit, index, frame) {
  const measured = (at, x, y, radius) => unit.offset + unit.scale * disparityAt(map, at, { x, y, radius });
  const focusKeys = keys.filter(setsFocus);
  if (focusKeys.length > 0) {
    const ofKey = (k) => k.x !== void 0 ? measured(nearestShown(numbers, k.frame), k.x, k.y, KEY_FOCUS_RADIUS) : disparityOf(k.distance_m, unit.metric);
    return { disparity: track(focusKeys, ofKey, frame), halfWidth: 0 };
  }
  switch (s.focus) {
    case "point":
      return { disparity: measured(index, s.x, s.y, s.focus_radius), halfWidth: 0 };
    case "two points": {
      const a = measured(index, s.x, s.y, s.focus_radius);
      const b = measured(index, s.x2, s.y2, s.focus_radius);
      return { disparity: (a + b) / 2, halfWidth: Math.abs(a - b) / 2 };
    }
    case "distance":
      return { disparity: disparityOf(s.distance_m, unit.metric), halfWidth: 0 };
    default: {
      const byNode = numbers.mask ?? (s.focus === "auto" ? numbers.auto : null);
      if (!byNode) throw new Error("run the graph once to measure the focus under the mask");
      return { disparity: unit.offset + unit.scale * byNode[index], halfWidth: 0 };
    }
  }
}
function setsFocus(key) {
  return key.x !== void 0 || key.distance_m !== void 0;
}
function disparityOf(metres, metric) {
  if (!metric) throw new Error("a distance needs depth in metres: set near_m and far_m, or focus by point");
  return 1 / metres;
}
function lensGainPx(numbers, s, unit, focusDisparity) {
  if (!unit.metric) throw new Error("a camera needs depth in metres: set near_m and far_m, or strength in percent");
  const longEdgePx = Math.max(numbers.width, numbers.height);
  let focalMm = s.focal_mm;
  if (focalMm === 0) {
    if (numbers.focal_px === null) throw new Error("the photo's focal length is not known: set focal_mm");
    focalMm = numbers.focal_px * s.sensor_mm / longEdgePx;
  }
  const remaining = 1 - focalMm * focusDisparity / 1e3;
  if (remaining <= 0) throw new Error("the focus lies nearer than the focal length");
  return focalMm ** 2 / (2 * s.f_number) / remaining * (longEdgePx / s.sensor_mm) / 1e3;
}
function blurGainPx(numbers, s, unit, focusDisparity) {
  const longEdgePx = Math.max(numbers.width, numbers.height);
  const floor = Math.max(BLUR_FOCUS_FLOOR * (unit.nearest > 0 ? unit.nearest : 1), FLOAT32_TINY);
  return s.percent / 100 * longEdgePx / Math.max(focusDisparity, floor);
}
function apertureField(s) {
  return s.strength === "camera" ? "f_number" : "percent";
}
function apertureOfKeys(keys, s, frame) {
  const field = apertureField(s);
  const apertureKeys = keys.filter((k) => k[field] !== void 0);
  if (apertureKeys.length === 0) return 1;
  if (field === "f_number") return s.f_number / 2 ** track(apertureKeys, (k) => Math.log2(k.f_number), frame);
  return s.percent > 0 ? track(apertureKeys, (k) => k.percent, frame) / s.percent : 0;
}
function outputDisparity(thumbnailDisparity, solved) {
  return solved.offset + solved.scale * thumbnailDisparity;
}
function radiusPx(thumbnailDisparity, solved, s) {
  let radius = solved.gainPx * (solved.focusDisparity - outputDisparity(thumbnailDisparity, solved));
  const sharp = solved.gainPx * solved.sharpHalfWidth;
  radius -= Math.min(Math.max(radius, -sharp), sharp);
  return radius < 0 ? radius * s.near_gain : radius * s.far_gain;
}
function radiiPx(disparity, solved, s) {
  const out = new Float32Array(disparity.length);
  for (let i = 0; i < out.length; i++) out[i] = radiusPx(disparity[i], solved, s);
  return out;
}
function largestRadiusPx(numbers, map, s) {
  let largest = LEAST_COLOUR_SCALE_PX;
  for (let i = 0; i < map.values.length; i++) {
    const solved = solve(numbers, map, s, i);
    for (const end of [map.lowest[i], map.highest[i]]) largest = Math.max(largest, Math.abs(radiusPx(end, solved, s)));
  }
  return largest;
}

// src/law/srgb.ts
var LUMA_WEIGHTS = [0.2126, 0.7152, 0.0722];
function linearToSrgb(v) {
  return v <= 31308e-7 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}
function srgbToLinear(v) {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}
function greyOf(rgba) {
  const linear = Float32Array.from({ length: 256 }, (_, v) => srgbToLinear(v / 255));
  const [red, green, blue] = LUMA_WEIGHTS;
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0; i < out.length; i++) {
    const y = red * linear[rgba[4 * i]] + green * linear[rgba[4 * i + 1]] + blue * linear[rgba[4 * i + 2]];
    out[i] = linearToSrgb(y);
  }
  return out;
}

// src/focus/scene3d.ts
var RELIEF = 1.3;
var RIM = 0.13;
var TEAR = 0.06;
var GRID = 220;
function multiply(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++)
    for (let r = 0; r < 4; r++) for (let k = 0; k < 4; k++) out[4 * c + r] += a[4 * k + r] * b[4 * c + k];
  return out;
}
function apply(m, [x, y, z]) {
  return [0, 1, 2, 3].map((r) => m[r] * x + m[4 + r] * y + m[8 + r] * z + m[12 + r]);
}
var VERTEX = `#version 300 es
in vec3 position; in vec2 at; uniform mat4 view; out vec2 uv; out float depth;
void main(){ uv=at; depth=position.z; gl_Position=view*vec4(position,1.0); }`;
var FRAGMENT = `#version 300 es
precision highp float; in vec2 uv; in float depth; out vec4 colour;
uniform sampler2D photo; uniform vec4 sheet; uniform float plane; uniform float rim;
void main(){
  if(sheet.a>0.0){ vec2 d=abs(uv); float edge=step(1.0,max(d.x,d.y)); colour=vec4(sheet.rgb,mix(sheet.a,rim,edge)); return; }
  vec3 c=texture(photo,uv).rgb; float near=1.0-smoothstep(0.0,0.035,abs(depth-plane));
  colour=vec4(mix(c,vec3(1.0,0.93,0.45),0.55*near),1.0);
}`;
var Scene3D = class {
  canvas;
  /** Where the sheet is dragged to, as a share of the depth: 0 far, 1 near. */
  onFocus = () => void 0;
  onGrab = () => void 0;
  gl;
  program;
  texture;
  mesh;
  sheet;
  points;
  indices;
  corners;
  count = 0;
  aspect = 1.5;
  focus = null;
  yaw = -0.55;
  pitch = 0.28;
  distance = 3.1;
  hot = false;
  grab = null;
  /** @throws Error if the browser has no WebGL 2. */
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute(
      "aria-label",
      "The photo in depth, with the focal plane. Arrow keys turn it, Page Up and Page Down move the plane."
    );
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    this.program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT]
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS))
      throw new Error(`WebGL: ${gl.getProgramInfoLog(this.program) ?? "no program"}`);
    this.texture = gl.createTexture();
    [this.mesh, this.points, this.indices] = [gl.createVertexArray(), gl.createBuffer(), gl.createBuffer()];
    [this.sheet, this.corners] = [gl.createVertexArray(), gl.createBuffer()];
    for (const [array, buffer] of [
      [this.mesh, this.points],
      [this.sheet, this.corners]
    ]) {
      gl.bindVertexArray(array);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      for (const [name, size, offset] of [
        ["position", 3, 0],
        ["at", 2, 12]
      ]) {
        const location = gl.getAttribLocation(this.program, name);
        gl.enableVertexAttribArray(location);
        gl.vertexAttribPointer(location, size, gl.FLOAT, false, 20, offset);
      }
    }
    this.listen();
  }
  /** Free what the graphics card holds. */
  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.canvas.remove();
  }
  setScene(map, frame, photo) {
    const { gl } = this;
    const { w, h } = map;
    const [low, high] = [map.lowest[frame], map.highest[frame]];
    const values = map.values[frame];
    this.aspect = w / h;
    const stride = Math.max(1, Math.ceil(Math.max(w, h) / GRID));
    const [cols, rows] = [Math.floor((w - 1) / stride) + 1, Math.floor((h - 1) / stride) + 1];
    const points = new Float32Array(cols * rows * 5);
    const share = new Float32Array(cols * rows);
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < cols; i++) {
        const k = j * cols + i;
        const [u, v] = [(i * stride + 0.5) / w, (j * stride + 0.5) / h];
        share[k] = high > low ? (values[j * stride * w + i * stride] - low) / (high - low) : 0.5;
        points.set([(2 * u - 1) * this.aspect, 1 - 2 * v, (share[k] - 0.5) * RELIEF, u, v], 5 * k);
      }
    const indices = [];
    const whole = (a, b, c) => {
      const [x, y, z] = [share[a], share[b], share[c]];
      if (Math.max(x, y, z) - Math.min(x, y, z) < TEAR) indices.push(a, b, c);
    };
    for (let j = 0; j + 1 < rows; j++)
      for (let i = 0; i + 1 < cols; i++) {
        const k = j * cols + i;
        whole(k, k + 1, k + cols);
        whole(k + 1, k + cols + 1, k + cols);
      }
    this.count = indices.length;
    gl.bindVertexArray(this.mesh);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, points, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.indices);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint32Array(indices), gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (photo) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, photo);
    else
      gl.texImage2D(
        gl.TEXTURE_2D,
        0,
        gl.RGBA,
        1,
        1,
        0,
        gl.RGBA,
        gl.UNSIGNED_BYTE,
        new Uint8Array([150, 150, 150, 255])
      );
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.draw();
  }
  /** Place of the focal plane as a share of the depth, or null where it is not known. */
  setFocus(share) {
    if (share === this.focus) return;
    this.focus = share;
    this.draw();
  }
  view() {
    const { width, height } = this.canvas;
    const shape = Math.max(width, 1) / Math.max(height, 1);
    const f = 2.2 * Math.min(1, shape / this.aspect);
    const [near, far2] = [0.1, 20];
    const project = new Float32Array(16);
    project.set([f / shape], 0);
    project.set([f], 5);
    project.set([(far2 + near) / (near - far2), -1], 10);
    project.set([2 * far2 * near / (near - far2)], 14);
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const yaw = new Float32Array([cy, 0, -sy, 0, 0, 1, 0, 0, sy, 0, cy, 0, 0, 0, 0, 1]);
    const pitch = new Float32Array([1, 0, 0, 0, 0, cp, sp, 0, 0, -sp, cp, 0, 0, 0, -this.distance, 1]);
    return multiply(project, multiply(pitch, yaw));
  }
  z(share) {
    return (share - 0.5) * RELIEF;
  }
  draw() {
    const { gl } = this;
    const zoom = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth * zoom, this.canvas.clientHeight * zoom].map(Math.round);
    if (width === 0 || height === 0) return;
    if (this.canvas.width !== width || this.canvas.height !== height)
      [this.canvas.width, this.canvas.height] = [width, height];
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    const at = (name) => gl.getUniformLocation(this.program, name);
    gl.uniformMatrix4fv(at("view"), false, this.view());
    gl.uniform4f(at("sheet"), 0, 0, 0, 0);
    gl.uniform1f(at("plane"), this.focus === null ? 99 : this.z(this.focus));
    gl.bindVertexArray(this.mesh);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_INT, 0);
    if (this.focus === null) return;
    const [x, y, z] = [this.aspect + RIM, 1 + RIM, this.z(this.focus)];
    const [u, v] = [x / this.aspect, y];
    const corners = [-x, -y, z, -u, -v, x, -y, z, u, -v, -x, y, z, -u, v, x, y, z, u, v];
    gl.bindVertexArray(this.sheet);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.DYNAMIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    gl.uniform4f(at("sheet"), 0.95, 0.84, 0.29, this.hot ? 0.28 : 0.2);
    gl.uniform1f(at("rim"), this.hot ? 0.95 : 0.7);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }
  /** Screen position (0..1 of the canvas) of a place in the scene. */
  onScreen(place) {
    const [x, y, , w] = apply(this.view(), place);
    return [(x / w + 1) / 2, (1 - y / w) / 2];
  }
  /** Whether a position lies on the sheet's rim. */
  onRim(x, y) {
    if (this.focus === null) return false;
    const z = this.z(this.focus);
    const inside = (sx, sy) => {
      const corners = [
        [-sx, -sy],
        [sx, -sy],
        [sx, sy],
        [-sx, sy]
      ].map(([a, b]) => this.onScreen([a, b, z]));
      const sides = corners.map(([ax, ay], i) => {
        const [bx, by] = corners[(i + 1) % 4];
        return Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
      });
      return Math.abs(sides.reduce((a, b) => a + b, 0)) === 4;
    };
    return inside(this.aspect + RIM + 0.04, 1 + RIM + 0.04) && !inside(this.aspect - 0.02, 0.98);
  }
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  }
  turn(yaw, pitch) {
    this.yaw = clamp(this.yaw + yaw, -1.35, 1.35);
    this.pitch = clamp(this.pitch + pitch, -1.1, 1.1);
    this.draw();
  }
  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      const [x, y] = this.at(event);
      this.grab = { sheet: this.onRim(x, y), x, y, share: this.focus ?? 0.5 };
      if (this.grab.sheet) this.onGrab(true);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = this.at(event);
      const { grab } = this;
      if (!grab) {
        const hot = this.onRim(x, y);
        if (hot !== this.hot) {
          this.hot = hot;
          canvas.style.cursor = hot ? "move" : "grab";
          this.draw();
        }
        return;
      }
      if (!grab.sheet) {
        this.turn((x - grab.x) * 2.4, (y - grab.y) * 1.8);
        [grab.x, grab.y] = [x, y];
        return;
      }
      const corner = (share) => this.onScreen([-this.aspect, -1, this.z(share)]);
      const [a, b] = [corner(grab.share), corner(grab.share + 0.05)];
      const [dx, dy] = [(b[0] - a[0]) / 0.05, (b[1] - a[1]) / 0.05];
      const moved = ((x - grab.x) * dx + (y - grab.y) * dy) / Math.max(dx * dx + dy * dy, 1e-4);
      this.onFocus(clamp(grab.share + moved, 0, 1));
    });
    const end = () => {
      if (this.grab?.sheet) this.onGrab(false);
      this.grab = null;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const turns = {
        ArrowLeft: [-0.1, 0],
        ArrowRight: [0.1, 0],
        ArrowUp: [0, -0.1],
        ArrowDown: [0, 0.1]
      };
      const turn = turns[event.key];
      const move = event.key === "PageUp" ? -0.02 : event.key === "PageDown" ? 0.02 : 0;
      if (turn) this.turn(...turn);
      else if (move !== 0 && this.focus !== null) {
        this.onGrab(true);
        this.onFocus(clamp(this.focus + move, 0, 1));
        this.onGrab(false);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
};

// src/focus/timeline.ts
var HEIGHT = 104;
var FOCUS = "#f2d64b";
var APERTURE = "#59b8ff";
var MARGIN = { left: 10, right: 10, top: 20, bottom: 18 };
var Timeline = class {
  constructor(host) {
    this.host = host;
    this.add = button("Set key", "Set a key at this frame from the focus and the aperture that are set now", () => {
      this.setKey();
    });
    this.remove = button("Remove", "Remove the key at this frame", () => {
      this.host.write(this.host.keys().filter((k) => k.frame !== this.frame));
    });
    for (const name of EASES) this.ease.append(html("option", { value: name }, name));
    this.ease.addEventListener("change", () => {
      const ease = this.ease.value;
      this.host.write(this.host.keys().map((k) => k.frame === this.frame ? { ...k, ease } : k));
    });
    this.element.append(
      this.plot,
      html(
        "div",
        { class: "rf-bar" },
        this.add,
        this.remove,
        this.ease,
        html("span", { class: "rf-space" }),
        this.where
      )
    );
    this.listen();
  }
  host;
  element = html("div", { class: "rf-timeline rf-hidden" });
  plot = svg("svg", {
    class: "rf-plot",
    tabindex: 0,
    role: "application",
    "aria-label": t("Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it.")
  });
  add;
  remove;
  ease = html("select", { "aria-label": t("How the way to the next key runs") });
  where = html("span", { class: "rf-where", "aria-live": "polite" });
  frame = 0;
  drag = null;
  get open() {
    return !this.element.classList.contains("rf-hidden");
  }
  show(on) {
    this.element.classList.toggle("rf-hidden", !on);
    if (on) this.draw();
  }
  static height = HEIGHT + 36;
  /** Last frame that the plot reaches: that of the clip, or of the last key where that lies beyond. */
  get last() {
    const keys = this.host.keys();
    const clip = this.host.frames() - 1;
    return Math.max(clip > 0 ? clip : 47, ...keys.map((k) => k.frame), 1);
  }
  setKey() {
    const keys = this.host.keys();
    const old = keys.find((k) => k.frame === this.frame);
    const key = { frame: this.frame, ...this.host.current(), ease: old?.ease ?? "ease" };
    this.host.write([...keys.filter((k) => k.frame !== this.frame), key].sort((a, b) => a.frame - b.frame));
  }
  frameAt(event) {
    const box = this.plot.getBoundingClientRect();
    const scale = box.width / Math.max(this.plot.clientWidth, 1);
    const inner = box.width - (MARGIN.left + MARGIN.right) * scale;
    const share = (event.clientX - box.x - MARGIN.left * scale) / Math.max(inner, 1);
    return Math.round(clamp(share, 0, 1) * this.last);
  }
  go(frame) {
    this.frame = clamp(frame, 0, this.last);
    this.host.showFrame(this.frame);
  }
  listen() {
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      this.plot.focus({ preventScroll: true });
      this.plot.setPointerCapture(event.pointerId);
      const at = this.frameAt(event);
      const reach = Math.max(1, Math.round(this.last * 8 / Math.max(this.plot.clientWidth, 1)));
      const near = this.host.keys().filter((k) => Math.abs(k.frame - at) <= reach).sort((a, b) => Math.abs(a.frame - at) - Math.abs(b.frame - at));
      this.go(near.length > 0 ? near[0].frame : at);
      if (near.length > 0) {
        this.drag = { frame: near[0].frame, from: at };
        this.host.begin();
      }
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (!this.plot.hasPointerCapture(event.pointerId)) return;
      const at = this.frameAt(event);
      const drag = this.drag;
      if (!drag) this.go(at);
      else if (at !== drag.frame) {
        const keys = this.host.keys();
        if (keys.some((k) => k.frame === at)) return;
        const moved = keys.map((k) => k.frame === drag.frame ? { ...k, frame: at } : k);
        drag.frame = at;
        this.host.write(moved.sort((a, b) => a.frame - b.frame));
        this.go(at);
      }
    });
    const end = () => {
      if (this.drag) this.host.end();
      this.drag = null;
    };
    this.plot.addEventListener("pointerup", end);
    this.plot.addEventListener("pointercancel", end);
    this.plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const by = event.shiftKey ? 10 : 1;
      if (event.key === "ArrowLeft") this.go(this.frame - by);
      else if (event.key === "ArrowRight") this.go(this.frame + by);
      else if (event.key === "Enter") this.setKey();
      else if (event.key === "Delete" || event.key === "Backspace") this.remove.click();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  draw() {
    if (!this.open) return;
    const keys = this.host.keys();
    const { last } = this;
    this.frame = Math.min(this.frame, last);
    const width = Math.max(this.plot.clientWidth, 120);
    const bottom = HEIGHT - MARGIN.bottom;
    const x = (frame) => MARGIN.left + frame / last * (width - MARGIN.left - MARGIN.right);
    const y = (share) => bottom - share * (bottom - MARGIN.top);
    setAll(this.plot, { viewBox: `0 0 ${width} ${HEIGHT}` });
    this.plot.replaceChildren();
    const line = (x1, y1, x2, y2, style) => {
      this.plot.append(svg("line", { x1, y1, x2, y2, style }));
    };
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3].find((s) => s / last * width >= 36) ?? 1e4;
    for (let f = 0; f <= last; f += step) {
      line(x(f), MARGIN.top, x(f), bottom, "stroke:#3c3d43;stroke-width:1");
      const label = svg("text", { x: x(f), y: HEIGHT - 5, "text-anchor": f === 0 ? "start" : "middle" });
      label.textContent = String(f);
      this.plot.append(label);
    }
    for (const [text, colour, at] of [
      ["focus", FOCUS, 0],
      ["aperture", APERTURE, 40]
    ]) {
      const label = svg("text", { x: MARGIN.left + at, y: 12, style: `fill:${colour}` });
      label.textContent = t(text);
      this.plot.append(label);
    }
    const curve = (value, colour) => {
      const points = [];
      const samples = Math.min(last, 240);
      for (let i = 0; i <= samples; i++) {
        const frame = i / samples * last;
        const at = value(frame);
        if (at !== null) points.push(`${x(frame).toFixed(1)},${y(clamp(at, 0, 1)).toFixed(1)}`);
      }
      this.plot.append(
        svg("polyline", {
          points: points.join(" "),
          style: `fill:none;stroke:${colour};stroke-width:2;stroke-linejoin:round`
        })
      );
    };
    curve((f) => this.host.apertureAt(f), APERTURE);
    curve((f) => this.host.focusAt(f), FOCUS);
    line(x(this.frame), 2, x(this.frame), bottom, "stroke:#fff;stroke-width:1.5");
    for (const key of keys) {
      const focus = key.x !== void 0 || key.distance_m !== void 0;
      const at = (focus ? this.host.focusAt(key.frame) : this.host.apertureAt(key.frame)) ?? 0.5;
      const [cx, cy] = [x(key.frame), y(clamp(at, 0, 1))];
      const fill = key.frame === this.frame ? "#fff" : focus ? FOCUS : APERTURE;
      this.plot.append(
        svg("path", {
          class: "rf-key",
          d: `M${cx} ${cy - 6}l6 6-6 6-6-6z`,
          style: `fill:${fill};stroke:rgba(0,0,0,.7);stroke-width:1.2;cursor:ew-resize`
        })
      );
    }
    const here = keys.find((k) => k.frame === this.frame);
    this.where.textContent = `${t("frame")} ${this.frame}`;
    this.add.textContent = t(here ? "Set again" : "Set key");
    this.remove.disabled = !here;
    this.ease.disabled = !here || this.frame === keys[keys.length - 1].frame;
    this.ease.value = here?.ease ?? "ease";
  }
};

// src/focus/view.ts
var NUMBERS2 = [
  "x",
  "y",
  "x2",
  "y2",
  "distance_m",
  "percent",
  "f_number",
  "focal_mm",
  "near_gain",
  "far_gain",
  "focus_range",
  "focus_radius",
  "near_m",
  "far_m"
];
var TEXTS = ["focus", "strength", "sensor", "keyframes"];
var DRAG_PX = 6;
var REST = "Click to focus · drag over what shall be sharp · Shift+click for a second point";
var LABEL = "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.";
var round3 = (v) => Math.round(v * 1e3) / 1e3;
var FocusView = class {
  constructor(app2, api2, node) {
    this.app = app2;
    this.api = api2;
    this.node = node;
    this.values = new Values(app2, node);
    this.step = new Step(app2);
    this.modes = new Choice(
      "What the picture shows",
      [
        ["defocus", "Defocus", "Blue in front of the focal plane, red behind it, yellow where it is sharp"],
        ["photo", "Photo", "The photo alone"],
        ["depth", "Depth", "Near is bright"],
        ["3d", "3-D", "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane"]
      ],
      (mode) => {
        this.mode = mode;
        this.toggleScene();
        this.draw();
      }
    );
    this.modes.select(this.mode);
    this.timeline = new Timeline({
      keys: () => this.keys() ?? [],
      write: (keys) => {
        this.gesture(() => {
          this.set({ keyframes: formatKeyframes(keys) });
        });
      },
      begin: () => {
        this.step.begin();
      },
      end: () => {
        this.step.end();
      },
      frames: () => this.payload?.frames ?? 1,
      current: () => this.currentKey(),
      focusAt: (frame) => this.focusAt(frame),
      apertureAt: (frame) => this.apertureAt(frame),
      showFrame: (frame) => {
        this.frame = frame;
        this.draw();
      }
    });
    this.timelineToggle = new Toggle("Timeline", "Keyframes of focus and aperture over a clip", (on) => {
      this.timeline.show(on);
      if (!on) this.node.setSize([this.node.size[0], this.node.size[1] - Timeline.height - 6]);
      this.resize();
      this.draw();
    });
    const bar = html("div", { class: "rf-bar" }, this.modes.element, this.timelineToggle.element);
    this.stage.element.append(this.overlay);
    this.root.append(bar, this.stage.element, this.status, this.timeline.element, this.spoken);
    this.listen();
    replacePreview(node);
    mount(app2, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], 360), node.size[1]]);
    fit(node);
    onOutputs(api2, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      this.tick();
    });
  }
  app;
  api;
  node;
  root = html("div", { class: "rf-view", "data-refocus": "focus" });
  stage = new Stage(LABEL);
  overlay = svg("svg", { "aria-hidden": true });
  status = html("div", { class: "rf-status" });
  spoken = html("div", { class: "rf-sr", "aria-live": "polite" });
  modes;
  scene = null;
  sceneFrame = -1;
  timeline;
  timelineToggle;
  values;
  step;
  mode = "defocus";
  frame = 0;
  payload = null;
  loaded = null;
  source = null;
  sourceImage = null;
  greys = [];
  solved = null;
  signature = "";
  press = null;
  hover = null;
  /** What the last dragged area has set, and what was set before it. */
  areaSet = null;
  /** Outputs of a run: from an event, or from before the page was reloaded. */
  take(output) {
    const [payload] = output?.["refocus_focus"] ?? [];
    if (!payload || payload.depth.filename === this.payload?.depth.filename) return;
    this.payload = payload;
    void this.load(payload);
  }
  get hasOutputs() {
    return this.payload !== null;
  }
  async load(payload) {
    try {
      const [map, ...photos] = await Promise.all([
        loadMap(this.api, payload.depth, payload),
        ...payload.shown.map(
          (_, i) => payload.photos ? loadPicture(address(this.api, payload.photos[i])) : Promise.resolve(null)
        )
      ]);
      if (payload !== this.payload) return;
      this.loaded = { numbers: payload, map, photos };
      this.greys = photos.map(() => null);
      this.fillScene();
      if (!this.timeline.open && this.values.text("keyframes") !== "") {
        this.timelineToggle.set(true);
        this.timeline.show(true);
      }
      this.resize();
      this.draw();
    } catch {
      this.payload = null;
      this.draw();
    }
  }
  resize() {
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }
  minHeight() {
    const wide = Math.max(this.node.size[0] - 30, 200);
    const picture = clamp(wide / this.stage.shape, 150, 420);
    return 30 + 22 + picture + (this.timeline.open ? Timeline.height + 6 : 0);
  }
  // --- what is set -----------------------------------------------------------------------------------------------
  settings() {
    const v = this.values;
    const numbers = Object.fromEntries(NUMBERS2.map((n) => [n, v.number(n)]));
    const named = /\(([\d.]+) mm\)/.exec(v.text("sensor"));
    return {
      ...numbers,
      sensor_mm: named ? Number(named[1]) : v.number("sensor_mm"),
      focus: v.text("focus"),
      strength: v.text("strength"),
      keyframes: v.text("keyframes")
    };
  }
  /** Everything that the drawing depends on, beside what was loaded. */
  sign() {
    return `${this.values.signature([...NUMBERS2, ...TEXTS, "sensor_mm"])} ${this.stage.element.clientWidth}`;
  }
  tick() {
    if (!this.payload) {
      this.take(lastOutputs(this.app, this.node));
      const source = this.hasOutputs ? null : sourcePicture(this.app, this.api, this.node);
      if (source !== this.source) {
        this.source = source;
        this.sourceImage = null;
        if (source)
          loadPicture(source).then(
            (image) => {
              if (source !== this.source) return;
              this.sourceImage = image;
              this.draw();
            },
            () => void 0
            // Load Image shows that its file is missing
          );
        this.draw();
      }
    }
    if (this.sign() !== this.signature) this.draw();
  }
  /** Set the focus and draw it before the browser's next picture. */
  set(values) {
    this.values.set(values);
    this.draw();
  }
  /** Do it as one step for undo, within a larger one or alone. */
  gesture(act) {
    const outer = this.step.running;
    if (!outer) this.step.begin();
    act();
    if (!outer) this.step.end();
  }
  // --- keyframes -------------------------------------------------------------------------------------------------
  /** Keys of the widget; null where it is empty or cannot be read, which the status line then says. */
  keys() {
    try {
      return parseKeyframes(this.values.text("keyframes"));
    } catch {
      return null;
    }
  }
  currentKey() {
    const s = this.settings();
    const aperture = s.strength === "camera" ? { f_number: s.f_number } : { percent: s.percent };
    return s.focus === "distance" ? { distance_m: s.distance_m, ...aperture } : { x: s.x, y: s.y, ...aperture };
  }
  /** Focus at any frame as a share of the scene's depth. */
  focusAt(frame) {
    const { loaded } = this;
    if (!loaded) return null;
    const { numbers, map } = loaded;
    try {
      const found = solve(numbers, map, this.settings(), this.shown(), frame);
      const low = found.offset + found.scale * Math.min(...map.lowest);
      const high = found.offset + found.scale * Math.max(...map.highest);
      return high > low ? (found.focusDisparity - low) / (high - low) : 0.5;
    } catch {
      return null;
    }
  }
  focusShare() {
    const { loaded, solved } = this;
    if (!loaded || !solved) return null;
    const index = this.shown();
    const [low, high] = [loaded.map.lowest[index], loaded.map.highest[index]];
    return high > low ? ((solved.focusDisparity - solved.offset) / solved.scale - low) / (high - low) : 0.5;
  }
  /** Aperture at any frame, 1 at the widest of the keys. */
  apertureAt(frame) {
    const s = this.settings();
    const own = s.strength === "camera" ? "f_number" : "percent";
    const keys = this.keys()?.filter((k) => k[own] !== void 0) ?? [];
    if (keys.length === 0) return null;
    if (own === "f_number") return 1 - track(keys, (k) => Math.log2(k.f_number), frame) / Math.log2(22);
    const most = Math.max(...keys.map((k) => k.percent), 1e-6);
    return 0.92 * track(keys, (k) => k.percent, frame) / most;
  }
  blocked() {
    const driven = ["focus", "x", "y"].filter((n) => this.values.linked(n));
    return driven.length > 0 ? `${t("Driven by a link:")} ${driven.join(", ")}` : null;
  }
  // --- pointer and keys ------------------------------------------------------------------------------------------
  listen() {
    const stage = this.stage.element;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.app.canvas.read_only) return;
      event.stopPropagation();
      const start = this.stage.at(event);
      if (start.x < 0 || start.x > 1 || start.y < 0 || start.y > 1 || this.blocked()) return;
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      const here = { x: this.values.number("x"), y: this.values.number("y") };
      const onPoint = this.pointIsSet() && this.stage.screenDistance(start, here) <= 10;
      this.press = { start, shift: event.shiftKey, moving: onPoint && !event.shiftKey, dragged: false };
      this.step.begin();
    });
    stage.addEventListener("pointermove", (event) => {
      const at = this.stage.at(event);
      this.hover = at;
      const press = this.press;
      if (!press) {
        this.showStatus();
        return;
      }
      if (!press.dragged && this.stage.screenDistance(press.start, at) < DRAG_PX) return;
      press.dragged = true;
      if (press.moving) this.point(at);
      else if (press.shift) this.second(at);
      else this.area(press.start, at);
    });
    const end = (event) => {
      const press = this.press;
      if (!press) return;
      this.press = null;
      if (event.type === "pointerup" && !press.dragged) {
        if (press.shift) this.second(press.start);
        else if (!press.moving || this.values.text("focus") !== "point") this.click(press.start);
      }
      this.step.end();
      this.say();
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    stage.addEventListener("pointerleave", () => {
      this.hover = null;
      this.showStatus();
    });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || this.blocked()) return;
      const by = event.shiftKey ? 0.05 : 0.01;
      const moves = {
        ArrowLeft: [-by, 0],
        ArrowRight: [by, 0],
        ArrowUp: [0, -by],
        ArrowDown: [0, by]
      };
      const move = moves[event.key];
      const range = event.key === "+" || event.key === "=" ? 0.01 : event.key === "-" || event.key === "_" ? -0.01 : 0;
      if (!move && range === 0) return;
      event.preventDefault();
      event.stopPropagation();
      this.step.begin();
      if (move) this.point({ x: this.values.number("x") + move[0], y: this.values.number("y") + move[1] });
      else this.set({ focus_range: round3(clamp(this.values.number("focus_range") + range, 0, 1)) });
      this.step.end();
      this.say();
    });
  }
  pointIsSet() {
    return ["point", "two points"].includes(this.values.text("focus"));
  }
  point(at) {
    const place = { x: round3(clamp(at.x, 0, 1)), y: round3(clamp(at.y, 0, 1)) };
    const keys = this.keys();
    if (keys?.some((k) => k.frame === this.frame && k.x !== void 0)) {
      const moved = keys.map((k) => k.frame === this.frame ? { ...k, ...place } : k);
      this.set({ focus: "point", ...place, keyframes: formatKeyframes(moved) });
    } else this.set({ focus: "point", ...place });
  }
  /** A plain click: as `point`, and what an area dragged before it had set goes back. */
  click(at) {
    const { areaSet } = this;
    this.areaSet = null;
    const { focus_radius, focus_range } = this.settings();
    if (areaSet?.radius === focus_radius && areaSet.range === focus_range)
      this.values.set({ focus_radius: areaSet.before.focus_radius, focus_range: areaSet.before.focus_range });
    this.point(at);
  }
  second(at) {
    this.set({ focus: "two points", x2: round3(clamp(at.x, 0, 1)), y2: round3(clamp(at.y, 0, 1)) });
  }
  /** A disc to focus on: its median is the focal plane, and the surface that fills most of it stays sharp. */
  area(centre, edge) {
    const aspect = this.stage.shape;
    const [w, h] = aspect >= 1 ? [1, 1 / aspect] : [aspect, 1];
    const radius = round3(clamp(Math.hypot((edge.x - centre.x) * w, (edge.y - centre.y) * h), 2e-3, 0.5));
    const values = {
      focus: "point",
      x: round3(clamp(centre.x, 0, 1)),
      y: round3(clamp(centre.y, 0, 1)),
      focus_radius: radius
    };
    if (this.loaded) {
      const disc = { x: values["x"], y: values["y"], radius };
      const found = valuesInDisc(this.loaded.map, this.shown(), disc);
      const solved = this.solved;
      if (found.length > 0 && solved) {
        const half = 2 * medianDeviation(found) * Math.abs(solved.scale);
        values["focus_range"] = solved.span > 0 ? Math.ceil(clamp(2 * half / solved.span, 0, 1) * 100) / 100 : 0;
      }
    }
    const before = this.areaSet?.before ?? this.settings();
    this.set(values);
    const { focus_radius, focus_range } = this.settings();
    this.areaSet = { radius: focus_radius, range: focus_range, before };
  }
  // --- drawing ---------------------------------------------------------------------------------------------------
  shown() {
    return this.loaded ? nearestShown(this.loaded.numbers, this.frame) : 0;
  }
  draw() {
    this.signature = this.sign();
    const settings = this.settings();
    this.solved = null;
    let problem = null;
    if (this.loaded) {
      const { numbers, map, photos } = this.loaded;
      const index = this.shown();
      this.stage.setShape(map.w, map.h);
      try {
        this.solved = solve(numbers, map, settings, index, this.frame);
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      const context = this.stage.context();
      const photo = photos[index];
      const pixels = context.createImageData(map.w, map.h);
      if (this.mode === "photo" && photo) context.drawImage(photo, 0, 0, map.w, map.h);
      else if (this.mode === "defocus" && this.solved) {
        const radius = radiiPx(map.values[index], this.solved, settings);
        paintDefocus(radius, this.grey(index), largestRadiusPx(numbers, map, settings), map, pixels.data);
        context.putImageData(pixels, 0, 0);
      } else {
        paintDepth(map, index, pixels.data);
        context.putImageData(pixels, 0, 0);
      }
    } else if (this.sourceImage) {
      const { naturalWidth: w, naturalHeight: h } = this.sourceImage;
      const scale = Math.min(1, 768 / Math.max(w, h));
      this.stage.setShape(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
      this.stage.context().drawImage(this.sourceImage, 0, 0, this.stage.canvas.width, this.stage.canvas.height);
      this.root.style.minHeight = `${this.minHeight()}px`;
    } else {
      this.stage.context().clearRect(0, 0, this.stage.canvas.width, this.stage.canvas.height);
    }
    this.stage.element.classList.toggle("rf-photo", this.sourceImage !== null && !this.loaded);
    this.stage.empty.textContent = this.loaded ? "" : this.sourceImage ? t("Click to focus. After one run the defocus follows at once.") : t("Run once, then click here to focus.");
    this.toggleScene();
    this.overlay.classList.toggle("rf-hidden", this.scene !== null);
    this.stage.canvas.classList.toggle("rf-hidden", this.scene !== null);
    if (this.scene) {
      if (this.sceneFrame !== this.shown()) this.fillScene();
      this.scene.setFocus(this.focusShare());
    }
    this.drawReticle(settings);
    this.timeline.draw();
    this.showStatus(problem);
  }
  grey(index) {
    const photo = this.loaded?.photos[index];
    if (!photo || !this.loaded) return null;
    const cached2 = this.greys[index];
    if (cached2) return cached2;
    const { w, h } = this.loaded.map;
    const canvas = new OffscreenCanvas(w, h);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(photo, 0, 0, w, h);
    return this.greys[index] = greyOf(context.getImageData(0, 0, w, h).data);
  }
  drawReticle(s) {
    const w = 1e3;
    const h = 1e3 / this.stage.shape;
    setAll(this.overlay, { viewBox: `0 0 ${w} ${h}` });
    this.overlay.replaceChildren();
    if (!this.pointIsSet()) return;
    const radius = Math.max(s.focus_radius * Math.max(w, h), 9 * w / Math.max(this.stage.element.clientWidth, 1));
    const place = (x, y, second) => {
      const at = { cx: x * w, cy: y * h };
      this.overlay.append(
        svg("circle", { ...at, r: radius, class: "rf-halo" }),
        svg("circle", { ...at, r: radius, class: second ? "rf-ring rf-second" : "rf-ring" }),
        svg("circle", { ...at, r: 3 * w / Math.max(this.stage.element.clientWidth, 1), class: "rf-dot" })
      );
    };
    if (s.focus === "two points") {
      const line = { x1: s.x * w, y1: s.y * h, x2: s.x2 * w, y2: s.y2 * h };
      this.overlay.append(
        svg("line", { ...line, class: "rf-halo" }),
        svg("line", { ...line, class: "rf-ring rf-second" })
      );
      place(s.x2, s.y2, true);
    }
    place(s.x, s.y, false);
  }
  lastProblem = null;
  showStatus(problem = this.lastProblem) {
    this.lastProblem = problem;
    const blocked = this.blocked();
    this.status.classList.toggle("rf-warn", problem !== null);
    const keyed = this.timeline.open && this.pointIsSet() ? this.unkeyed() : null;
    const text = problem ?? keyed ?? (this.hover && !blocked ? this.describeHover() : null) ?? blocked;
    const found = this.blurs();
    if (text !== null || !found) {
      this.status.textContent = this.status.title = text ?? t(REST);
      return;
    }
    const mark = (colour) => html("b", { style: `background:${colour}` });
    this.status.title = `${this.describe()}. ${t(REST)}.`;
    this.status.replaceChildren(
      ...[mark("#f2d64b"), `${t("sharp")} ${found.focus}`, mark("#3b6cff"), `${t("near")} ≤ ${found.near}`],
      ...[mark("#ff4a2e"), `${t("far")} ≤ ${found.far}`]
    );
  }
  // --- 3-D -------------------------------------------------------------------------------------------------------
  toggleScene() {
    const wanted = this.mode === "3d" && this.loaded !== null;
    if (wanted === (this.scene !== null)) return;
    if (this.scene) {
      this.scene.close();
      this.scene = null;
      return;
    }
    try {
      const scene = new Scene3D();
      scene.canvas.classList.add("rf-scene");
      scene.onFocus = (share) => {
        this.focusOnShare(share);
      };
      scene.onGrab = (grabbed) => {
        if (grabbed) this.step.begin();
        else this.step.end();
      };
      this.stage.element.append(scene.canvas);
      this.scene = scene;
      this.fillScene();
    } catch (error) {
      this.mode = "depth";
      this.modes.select(this.mode);
      this.lastProblem = error instanceof Error ? error.message : String(error);
    }
  }
  fillScene() {
    if (!this.scene || !this.loaded) return;
    this.sceneFrame = this.shown();
    this.scene.setScene(this.loaded.map, this.sceneFrame, this.loaded.photos[this.sceneFrame]);
  }
  /** The sheet in the 3-D view was moved: a distance where there are metres, else the nearest point at that depth. */
  focusOnShare(share) {
    const { loaded, solved } = this;
    if (!loaded || this.blocked()) return;
    const { map } = loaded;
    const index = this.shown();
    const raw = map.lowest[index] + share * (map.highest[index] - map.lowest[index]);
    if (solved?.metric && !this.values.linked("distance_m")) {
      const disparity = solved.offset + solved.scale * raw;
      this.set({
        focus: "distance",
        distance_m: Math.round(clamp(1 / Math.max(disparity, 1e-5), 0.01, 1e5) * 100) / 100
      });
      return;
    }
    const span = Math.max(map.highest[index] - map.lowest[index], 1e-9);
    const [x, y] = [this.values.number("x") * map.w, this.values.number("y") * map.h];
    let best = Infinity;
    let at = 0;
    map.values[index].forEach((value, i) => {
      if (!map.valid[index][i]) return;
      const away = Math.hypot(i % map.w + 0.5 - x, Math.floor(i / map.w) + 0.5 - y) / map.w;
      const score = Math.abs(value - raw) / span * 50 + away;
      if (score < best) [best, at] = [score, i];
    });
    this.point({ x: (at % map.w + 0.5) / map.w, y: (Math.floor(at / map.w) + 0.5) / map.h });
  }
  /** Keys set the focus, but the point that is set is none of them. */
  unkeyed() {
    const keys = this.keys()?.filter((k) => k.x !== void 0 || k.distance_m !== void 0) ?? [];
    const [x, y] = [this.values.number("x"), this.values.number("y")];
    if (keys.length === 0 || keys.some((k) => k.x === x && k.y === y)) return null;
    return `${t("Keys set the focus. Set key: this point, at frame")} ${this.frame}`;
  }
  describeHover() {
    const { hover, loaded, solved } = this;
    if (!hover || !loaded || !solved || hover.x < 0 || hover.x >= 1 || hover.y < 0 || hover.y >= 1) return null;
    const { map } = loaded;
    const raw = map.values[this.shown()][Math.floor(hover.y * map.h) * map.w + Math.floor(hover.x * map.w)];
    const radius = radiusPx(raw, solved, this.settings());
    const size = `${t("blur")} ${Math.abs(radius).toFixed(1)} px ${t(radius < 0 ? "in front" : "behind")}`;
    const blur = Math.abs(radius) <= 0.5 ? t("sharp") : size;
    return `${t("Here:")} ${far(solved.offset + solved.scale * raw, solved.metric)} · ${blur}`;
  }
  describe() {
    const found = this.blurs();
    if (!found) return t(REST);
    return `${t("sharp")} ${found.focus}, ${t("near")} ≤ ${found.near}, ${t("far")} ≤ ${found.far}`;
  }
  blurs() {
    const { loaded, solved } = this;
    if (!loaded || !solved) return null;
    const s = this.settings();
    const { lowest, highest } = loaded.map;
    const behind = Math.max(0, radiusPx(Math.min(...lowest), solved, s));
    const front = Math.max(0, -radiusPx(Math.max(...highest), solved, s));
    return {
      focus: far(solved.focusDisparity, solved.metric),
      near: `${front.toFixed(1)} px`,
      far: `${behind.toFixed(1)} px`
    };
  }
  say() {
    this.spoken.textContent = `${this.pointIsSet() ? `x ${this.values.number("x")}, y ${this.values.number("y")}. ` : ""}${this.lastProblem ?? this.describe()}`;
  }
};
function far(disparity, metric) {
  if (!metric) return `${t("nearness")} ${Math.round(disparity * 100)} %`;
  return disparity > 0 ? `${(1 / disparity).toPrecision(3)} m` : t("infinity");
}

// src/kernel/shapes.ts
var shapes_exports = {};
__export(shapes_exports, {
  paintKernel: () => paintKernel,
  raster: () => raster
});
var SUPERSAMPLING = 4;
var TAU = 2 * Math.PI;
var remainder = (a, b) => a - b * Math.floor(a / b);
function polygon(blades, curvature) {
  const sector = TAU / blades;
  const apothem = Math.cos(sector / 2);
  const halfChord = Math.sin(sector / 2);
  const bulge = curvature * (1 - apothem);
  const radius = curvature > 0 ? (halfChord ** 2 + bulge ** 2) / (2 * bulge) : 0;
  const centre = apothem + bulge - radius;
  return (x, y) => {
    const angle = remainder(Math.atan2(x, -y), sector) - sector / 2;
    const rho = Math.hypot(x, y);
    const along = rho * Math.cos(angle);
    if (along <= apothem) return true;
    return curvature > 0 && (along - centre) ** 2 + (rho * Math.sin(angle)) ** 2 <= radius ** 2;
  };
}
function star(points, inner) {
  const sector = TAU / points;
  const qx = inner * Math.cos(sector / 2);
  const qy = inner * Math.sin(sector / 2);
  return (x, y) => {
    const angle = Math.abs(remainder(Math.atan2(x, -y) + sector / 2, sector) - sector / 2);
    const rho = Math.hypot(x, y);
    return (rho * Math.cos(angle) - 1) * qy - (qx - 1) * (rho * Math.sin(angle)) <= 0;
  };
}
function heartOutline() {
  const n = 4097;
  const out = new Float64Array(2 * n);
  let top = -Infinity;
  let bottom = Infinity;
  for (let i = 0; i < n; i++) {
    const t2 = Math.PI * i / (n - 1);
    out[2 * i] = 16 * Math.sin(t2) ** 3;
    out[2 * i + 1] = 13 * Math.cos(t2) - 5 * Math.cos(2 * t2) - 2 * Math.cos(3 * t2) - Math.cos(4 * t2);
    top = Math.max(top, out[2 * i + 1]);
    bottom = Math.min(bottom, out[2 * i + 1]);
  }
  let scale = 0;
  for (let i = 0; i < n; i++) {
    out[2 * i + 1] -= (top + bottom) / 2;
    scale = Math.max(scale, Math.hypot(out[2 * i], out[2 * i + 1]));
  }
  for (let i = 0; i < n; i++) {
    out[2 * i] /= scale;
    out[2 * i + 1] /= -scale;
  }
  return out;
}
var outline = null;
function heart(n) {
  outline ??= heartOutline();
  const crossings = Array.from({ length: n }, () => []);
  const row = (y) => (y + 1) * n / 2 - 0.5;
  for (let i = 0; i + 3 < outline.length; i += 2) {
    const [xa, ya, xb, yb] = outline.subarray(i, i + 4);
    const from = Math.max(0, Math.floor(row(Math.min(ya, yb))) - 1);
    const to = Math.min(n - 1, Math.ceil(row(Math.max(ya, yb))) + 1);
    for (let r = from; r <= to; r++) {
      const y = (r + 0.5) * 2 / n - 1;
      if (ya <= y !== yb <= y) crossings[r].push(xa + (y - ya) / (yb - ya) * (xb - xa));
    }
  }
  const out = new Float32Array(n * n);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) {
      const x = Math.abs((c + 0.5) * 2 / n - 1);
      out[r * n + c] = crossings[r].filter((at) => at > x).length % 2;
    }
  return out;
}
function turned(picture, n, angle) {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const middle = (n - 1) / 2;
  const out = new Float32Array(n * n);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const x = c * (i - middle) + s * (j - middle) + middle;
      const y = c * (j - middle) - s * (i - middle) + middle;
      if (x < 0 || y < 0 || x > n - 1 || y > n - 1) continue;
      const x0 = Math.min(Math.floor(x), n - 2);
      const y0 = Math.min(Math.floor(y), n - 2);
      const at = (dx, dy) => picture[(y0 + dy) * n + x0 + dx];
      const fx = x - x0;
      const upper = at(0, 0) + fx * (at(1, 0) - at(0, 0));
      const lower = at(0, 1) + fx * (at(1, 1) - at(0, 1));
      out[j * n + i] = upper + (y - y0) * (lower - upper);
    }
  return out;
}
function distances(f) {
  const n = f.length;
  const out = new Float64Array(n);
  const v = new Int32Array(n);
  const z = new Float64Array(n + 1);
  let k = 0;
  z[0] = -Infinity;
  z[1] = Infinity;
  for (let q = 1; q < n; q++) {
    let s;
    do {
      s = (f[q] + q * q - f[v[k]] - v[k] * v[k]) / (2 * q - 2 * v[k]);
    } while (s <= z[k] && --k >= 0);
    v[++k] = q;
    z[k] = s;
    z[k + 1] = Infinity;
  }
  for (let q = 0, j = 0; q < n; q++) {
    while (z[j + 1] < q) j++;
    out[q] = (q - v[j]) ** 2 + f[v[j]];
  }
  return out;
}
function falloff(open, size, softness) {
  const n = size + 2;
  const far2 = 1e9;
  const grid = new Float64Array(n * n);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) if (open[j * size + i] > 0.5) grid[(j + 1) * n + i + 1] = far2;
  for (let i = 0; i < n; i++) {
    const column = new Float64Array(n);
    for (let j = 0; j < n; j++) column[j] = grid[j * n + i];
    distances(column).forEach((d, j) => grid[j * n + i] = d);
  }
  for (let j = 0; j < n; j++) grid.set(distances(grid.slice(j * n, (j + 1) * n)), j * n);
  let deepest = 1;
  for (const d of grid) deepest = Math.max(deepest, Math.sqrt(d));
  const out = new Float32Array(size * size);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) {
      const t2 = Math.min(Math.sqrt(grid[(j + 1) * n + i + 1]) / (softness * deepest), 1);
      out[j * size + i] = t2 * t2 * (3 - 2 * t2);
    }
  return out;
}
function raster(s, size) {
  const n = size * SUPERSAMPLING;
  const turn = s.rotation_deg * Math.PI / 180;
  const fine = s.shape === "heart" ? heart(n) : new Float32Array(n * n);
  let samples = fine;
  if (s.shape === "heart") {
    if (turn !== 0) samples = turned(fine, n, turn);
  } else {
    const inner2 = s.shape === "ring" ? s.inner ** 2 : 0;
    const inside = s.shape === "polygon" ? polygon(s.blades, s.curvature) : s.shape === "star" ? star(s.points, Math.max(s.inner, 0.1)) : (x, y) => x * x + y * y <= 1 && x * x + y * y >= inner2;
    const c = Math.cos(turn);
    const sin = Math.sin(turn);
    for (let j = 0; j < n; j++) {
      const y = (j + 0.5) * 2 / n - 1;
      for (let i = 0; i < n; i++) {
        const x = (i + 0.5) * 2 / n - 1;
        if (x * x + y * y <= 1.001 && inside(c * x + sin * y, c * y - sin * x)) fine[j * n + i] = 1;
      }
    }
  }
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++)
      out[Math.floor(j / SUPERSAMPLING) * size + Math.floor(i / SUPERSAMPLING)] += samples[j * n + i] / SUPERSAMPLING ** 2;
  if (s.softness > 0) {
    const soft = falloff(out, size, s.softness);
    for (let i = 0; i < out.length; i++) out[i] *= soft[i];
  }
  const most = out.reduce((a, b) => Math.max(a, b), 1e-20);
  return out.map((v) => v / most);
}
function paintKernel(cells, rgba) {
  cells.forEach((v, i) => {
    const shade = 255 * linearToSrgb(v);
    rgba.set([shade, shade, shade, 255], 4 * i);
  });
}

// src/kernel/view.ts
var SIZE = 128;
var NUMBERS3 = ["blades", "curvature", "rotation_deg", "inner", "points", "softness"];
var KernelView = class {
  constructor(app2, api2, node) {
    this.app = app2;
    this.api = api2;
    this.values = new Values(app2, node);
    this.root.append(html("div", { class: "rf-stage rf-still" }, this.canvas, this.empty), this.status);
    replacePreview(node);
    mount(app2, node, this.root, () => 200);
    this.root.style.minHeight = "200px";
    fit(node);
    onOutputs(api2, node, (output) => {
      this.take(output);
    });
    everyFrame(node, this.root, () => {
      if (this.ran === null) this.take(lastOutputs(this.app, node));
      const now = this.values.signature(["shape", ...NUMBERS3]);
      if (now !== this.signature) this.draw();
    });
  }
  app;
  api;
  root = html("div", { class: "rf-view", "data-refocus": "kernel" });
  canvas = html("canvas", { width: SIZE, height: SIZE, role: "img" });
  empty = html("div", { class: "rf-empty" });
  status = html("div", { class: "rf-status" });
  values;
  signature = "";
  picture = null;
  ran = null;
  get hasOutputs() {
    return this.ran !== null;
  }
  /** Only shape = image needs it: the page does not have the connected picture. */
  take(output) {
    const [file] = output?.["images"] ?? [];
    if (!file || file.filename === this.ran) return;
    this.ran = file.filename;
    const [shape] = output?.["refocus_kernel"] ?? [];
    if (shape !== "image") return;
    loadPicture(address(this.api, file)).then(
      (picture) => {
        this.picture = picture;
        this.draw();
      },
      () => void 0
      // temporary files are gone after a restart of the server
    );
  }
  draw() {
    this.signature = this.values.signature(["shape", ...NUMBERS3]);
    const shape = this.values.text("shape");
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, SIZE, SIZE);
    this.empty.textContent = "";
    let text = `${shape} · ${t("as a light behind the focal plane")}`;
    if (shape !== "image") {
      const numbers = Object.fromEntries(NUMBERS3.map((n) => [n, this.values.number(n)]));
      const pixels = context.createImageData(SIZE, SIZE);
      paintKernel(raster({ shape, ...numbers }, SIZE), pixels.data);
      context.putImageData(pixels, 0, 0);
    } else if (this.picture) {
      context.drawImage(this.picture, 0, 0, SIZE, SIZE);
      text = `image · ${t("as of the last run")}`;
    } else {
      this.empty.textContent = t("Run once to see the connected picture as an aperture.");
      text = "image";
    }
    this.canvas.setAttribute("aria-label", text);
    this.status.textContent = text;
  }
};

// src/law/index.ts
var law_exports = {};
__export(law_exports, {
  greyOf: () => greyOf,
  largestRadiusPx: () => largestRadiusPx,
  paintDefocus: () => paintDefocus,
  radiiPx: () => radiiPx,
  solve: () => solve,
  unpack: () => unpack
});

// src/main.ts
var app = hostApp;
var api = hostApi;
var VIEWS = {
  RefocusDefocusMap: FocusView,
  RefocusReblur: CompareView,
  RefocusBokehKernel: KernelView
};
var views = /* @__PURE__ */ new WeakMap();
async function restore() {
  const graph = app.rootGraph ?? app.graph;
  const waiting = graph.nodes.filter((n) => views.get(n)?.hasOutputs === false);
  if (waiting.length === 0 || !graph.id) return;
  const reply = await api.fetchApi("/history?max_items=16");
  if (!reply.ok) return;
  const runs = Object.values(await reply.json()).reverse();
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
  nodeCreated(node) {
    const Made = VIEWS[node.constructor.comfyClass ?? ""];
    if (!Made) return;
    addStyle();
    useLanguage(app.extensionManager?.setting?.get("Comfy.Locale"));
    views.set(node, new Made(app, api, node));
  },
  async afterConfigureGraph() {
    await restore();
  }
});
export {
  shapes_exports as kernel,
  law_exports as law
};
