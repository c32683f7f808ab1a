// Built from web_src/ by `npm run build`. Do not edit.
var __defProp = Object.defineProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// src/main.ts
import { api as hostApi } from "../../scripts/api.js";
import { app as hostApp } from "../../scripts/app.js";

// src/ui/colours.ts
var FOCUS_COLOUR = "#f2d64b";
var NEAR_COLOUR = "#3b6cff";
var FAR_COLOUR = "#ff4a2e";
var APERTURE_COLOUR = "#59b8ff";

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
  "hyperfocal distance": "超焦距",
  "Before and after. Left and right arrow keys move the divider.": "前后比较。左右方向键移动分隔线。",
  before: "之前",
  after: "之后",
  Frame: "帧",
  frame: "帧",
  "Focal plane": "焦平面",
  "Mark what is in focus": "标出合焦处",
  "Run to compare before and after here.": "运行后在这里比较前后。",
  "Previews are off in ComfyUI's settings, under Refocus.": "预览已在 ComfyUI 设置的 Refocus 中关闭。",
  "a draft, until the run ends": "草图，直到运行结束",
  "blur radius up to": "模糊半径最大",
  "Run once to see the connected picture as an aperture.": "运行一次以查看作为光圈的图像。",
  "as a light behind the focal plane": "焦平面之后的光点形状",
  "as a light behind the focal plane, and in front of it": "焦平面之后和之前的光点形状",
  "as a light in the middle, and towards the upper right corner": "画面中央和靠近右上角的光点形状",
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
      const element = button(text, title, () => {
        this.select(value);
        this.onChange(value);
      });
      this.buttons.set(value, element);
      this.element.append(element);
    }
  }
  onChange;
  element = html("div", { class: "rf-choice", role: "group" });
  buttons = /* @__PURE__ */ new Map();
  select(value) {
    for (const [name, element] of this.buttons) element.setAttribute("aria-pressed", String(name === value));
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

// src/ui/style.ts
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
.rf-view button[aria-pressed=true]{background:${FOCUS_COLOUR};border-color:${FOCUS_COLOUR};color:#1a1705}
.rf-view button:disabled{opacity:.45;cursor:default}
.rf-view :focus-visible{outline:2px solid ${FOCUS_COLOUR};outline-offset:1px}
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
.rf-halo{fill:none;stroke:rgba(0,0,0,.65);stroke-width:4px;vector-effect:non-scaling-stroke}
.rf-ring{fill:none;stroke:#fff;stroke-width:1.8px;vector-effect:non-scaling-stroke}
.rf-ring.rf-second{stroke-dasharray:5 3}
.rf-dot{fill:${FOCUS_COLOUR};stroke:rgba(0,0,0,.65);stroke-width:1px;vector-effect:non-scaling-stroke}
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
function whileAlive(node, step) {
  let alive = true;
  const removed = node.onRemoved;
  node.onRemoved = () => {
    alive = false;
    removed?.call(node);
  };
  const loop = () => {
    if (!alive) return;
    step();
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

// src/comfy/links.ts
function linkOf(graph, slot) {
  if (slot.link === null || slot.link === void 0) return void 0;
  return graph.links instanceof Map ? graph.links.get(slot.link) : graph.links[slot.link];
}

// src/comfy/server.ts
var ENDS = ["execution_error", "execution_interrupted"];
function address(api2, file) {
  return api2.apiURL(`/view?${new URLSearchParams({ ...file }).toString()}`);
}
function sourcePicture(app2, api2, node) {
  const graph = node.graph ?? app2.graph;
  const queue = [node];
  const seen2 = /* @__PURE__ */ new Set([node.id]);
  while (queue.length > 0) {
    const current = queue.shift();
    const slots = [...current.inputs ?? []].sort((a, b) => Number(b.name === "image") - Number(a.name === "image"));
    for (const slot of slots) {
      const link = linkOf(graph, slot);
      const origin = link && graph.getNodeById(link.origin_id);
      if (!origin || seen2.has(origin.id)) continue;
      seen2.add(origin.id);
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
var MEANWHILE = "refocus_meanwhile";
function onMeanwhile(app2, api2, node, take) {
  const show = (event) => {
    const { image, node: id } = event.detail;
    const isInSubgraph = node.graph !== void 0 && node.graph !== (app2.rootGraph ?? app2.graph);
    if (id !== String(node.id) && !(isInSubgraph && id.endsWith(`:${node.id}`))) return;
    take(address(api2, image));
  };
  const end = () => {
    take(null);
  };
  api2.addEventListener(MEANWHILE, show);
  for (const type of ENDS) api2.addEventListener(type, end);
  const removed = node.onRemoved;
  node.onRemoved = () => {
    api2.removeEventListener(MEANWHILE, show);
    for (const type of ENDS) api2.removeEventListener(type, end);
    removed?.call(node);
  };
}

// src/law/constants.ts
var LUMA_WEIGHTS = [0.2126, 0.7152, 0.0722];
var SHARP_RADIUS_PX = 0.5;
var SHARP_PRINT = 8333333333333334e-19;
var MOST_SPHERICAL = 0.3;
var MOST_FRINGE = 0.1;
var ONION_RINGS = 9;
var MOST_SWIRL = 0.3333333333333333;
var MOST_COMA = 0.12;
var LEAST_AREA = 0.05;
var MOST_MISS = 0.01;
var DARK = 1e-6;
var CORNER = [0.6, -0.6];
var FLAT_SHARE = 1e-6;
var LEVELS = 32767;
var NEAR_RGB = [0.05, 0.3, 1];
var FAR_RGB = [1, 0.16, 0.06];
var FOCUS_RGB = [1, 0.93, 0.45];
var NO_PHOTO_GREY = 0.5;
var SHARP_SHARE = 0.02;
var LEAST_COLOUR = 0.15;
var MORE_COLOUR = 0.75;
var SHADE_OVER_BLACK = 0.3;
var FOCUS_TINT = 0.4;
var FOCUS_OVER_BLACK = 0.25;
var OUTLINE_TINT = 0.85;
var LONG_EDGE_PER_LINE_PX = 900;
var LEAST_SCALE_PX = 1e-6;
var FOCUS_POINT_RADIUS = 0.01;

// src/law/unpack.ts
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
var CACHE_ENTRIES = 12;
var maps = /* @__PURE__ */ new Map();
var pictures = /* @__PURE__ */ new Map();
function cached(cache, key, load) {
  const kept = cache.get(key);
  if (kept) return kept;
  const loading = load();
  loading.catch(() => cache.delete(key));
  cache.set(key, loading);
  for (const oldest of cache.keys()) {
    if (cache.size <= CACHE_ENTRIES) break;
    cache.delete(oldest);
  }
  return loading;
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
var BUTTONS_HEIGHT = 30;
var STATUS_HEIGHT = 22;
var PICTURE_HEIGHT = { least: 150, most: 420 };
var NODE_MARGIN = 30;
var LEAST_WIDTH = 200;
function viewHeight(nodeWidth, aspect) {
  const width = Math.max(nodeWidth - NODE_MARGIN, LEAST_WIDTH);
  return BUTTONS_HEIGHT + STATUS_HEIGHT + Math.ceil(clamp(width / aspect, PICTURE_HEIGHT.least, PICTURE_HEIGHT.most));
}
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
  context() {
    return this.canvas.getContext("2d", { willReadFrequently: true });
  }
};
var clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// src/compare/view.ts
var LEAST_WIDTH2 = 340;
var KEY_STEP = 0.05;
var TAG_GAP = 8;
var TAG_ROOM = { before: 62, after: 56 };
var CompareView = class {
  constructor(app2, api2, node) {
    this.app = app2;
    this.api = api2;
    this.node = node;
    this.planeToggle = new Toggle("Focal plane", "Mark what is in focus", () => {
      this.draw();
    });
    this.slider.classList.add("rf-hidden");
    this.stage.element.classList.add("rf-slide");
    this.stage.element.setAttribute("role", "slider");
    this.stage.element.append(this.divider, this.beforeTag, this.afterTag);
    this.root.append(
      html("div", { class: "rf-bar" }, this.planeToggle.element, html("span", { class: "rf-space" }), this.slider),
      this.stage.element,
      this.status
    );
    this.listen();
    replacePreview(node);
    mount(app2, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], LEAST_WIDTH2), node.size[1]]);
    this.draw();
    fit(node);
    onOutputs(api2, node, (output) => {
      this.take(output);
    });
    onMeanwhile(app2, api2, node, (url) => {
      void this.takeDraft(url);
    });
    everyFrame(node, this.root, () => {
      if (!this.payload) this.take(lastOutputs(this.app, this.node));
      if (this.stage.element.clientWidth !== this.drawnWidth) this.draw();
    });
  }
  app;
  api;
  node;
  root = html("div", { class: "rf-view", "data-refocus": "compare" });
  stage = new Stage("Before and after. Left and right arrow keys move the divider.");
  divider = html("div", { class: "rf-divider rf-hidden" });
  beforeTag = html("div", { class: "rf-tag rf-hidden" }, t("before"));
  afterTag = html("div", { class: "rf-tag rf-hidden" }, t("after"));
  planeToggle;
  slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("Frame") });
  status = html("div", { class: "rf-status" });
  /** The outputs that were taken last; their pictures may still be on the way. */
  payload = null;
  /** Whether the last run sent no pictures, as the person chose. */
  isOff = false;
  loaded = null;
  /** What a long run shows until its result is there. */
  draft = null;
  draftUrl = null;
  /** Place of the divider in 0..1, and the thumbnail that is shown. */
  split = 0.5;
  index = 0;
  /** The focal plane of that thumbnail, drawn when it is first asked for. */
  plane = null;
  drawnWidth = 0;
  get hasOutputs() {
    return this.payload !== null;
  }
  take(output) {
    const [payload] = output?.["refocus_compare"] ?? [];
    if (payload === null) this.turnOff();
    if (!payload || payload.radius.filename === this.payload?.radius.filename) return;
    this.payload = payload;
    this.isOff = false;
    void this.load(payload);
  }
  /** Show nothing of an earlier run beside the results of this one. */
  turnOff() {
    if (this.isOff) return;
    this.isOff = true;
    this.payload = this.loaded = this.draft = this.draftUrl = null;
    this.status.textContent = "";
    this.draw();
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
      this.draft = this.draftUrl = null;
      this.showIndex(Math.min(this.index, after.length - 1));
      this.slider.max = String(after.length - 1);
      this.slider.classList.toggle("rf-hidden", after.length < 2);
      this.fitTo(after[0].naturalWidth, after[0].naturalHeight);
    } catch {
      this.payload = null;
    }
    this.draw();
  }
  async takeDraft(url) {
    this.draftUrl = url;
    const picture = url === null ? null : await loadPicture(url).catch(() => null);
    if (url !== this.draftUrl || picture === this.draft) return;
    this.draft = picture;
    if (picture) this.fitTo(picture.naturalWidth, picture.naturalHeight);
    else if (this.loaded) this.fitTo(this.loaded.after[0].naturalWidth, this.loaded.after[0].naturalHeight);
    this.draw();
  }
  fitTo(width, height) {
    this.stage.setShape(width, height);
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }
  showIndex(index) {
    this.index = index;
    this.plane = null;
  }
  minHeight() {
    return viewHeight(this.node.size[0], this.stage.shape);
  }
  listen() {
    const stage = this.stage.element;
    this.slider.addEventListener("input", () => {
      this.showIndex(Number(this.slider.value));
      this.draw();
    });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.loaded) return;
      event.stopPropagation();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      this.moveDivider(this.stage.at(event).x);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) this.moveDivider(this.stage.at(event).x);
    });
    stage.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowLeft" ? -KEY_STEP : event.key === "ArrowRight" ? KEY_STEP : 0;
      if (by === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.moveDivider(this.split + by);
    });
  }
  moveDivider(to) {
    this.split = clamp(to, 0, 1);
    this.draw();
  }
  draw() {
    this.drawnWidth = this.stage.element.clientWidth;
    const { draft } = this;
    const loaded = draft ? null : this.loaded;
    const why = this.isOff ? "Previews are off in ComfyUI's settings, under Refocus." : "Run to compare before and after here.";
    this.stage.empty.textContent = loaded || draft ? "" : t(why);
    for (const element of [this.divider, this.beforeTag, this.afterTag]) element.classList.toggle("rf-hidden", !loaded);
    this.planeToggle.element.disabled = !loaded;
    const { width, height } = this.stage.canvas;
    if (draft) {
      this.stage.context().drawImage(draft, 0, 0, width, height);
      this.status.textContent = t("a draft, until the run ends");
    }
    if (!loaded) {
      if (!draft) this.stage.context().clearRect(0, 0, width, height);
      return;
    }
    this.drawPictures(loaded);
    this.placeDivider();
    this.describe(loaded.numbers);
  }
  drawPictures(loaded) {
    const { width, height } = this.stage.canvas;
    const context = this.stage.context();
    const cut = Math.round(this.split * width);
    context.drawImage(loaded.after[this.index], 0, 0, width, height);
    if (cut > 0) {
      const before = loaded.before[this.index];
      const scale = before.naturalWidth / width;
      context.drawImage(before, 0, 0, cut * scale, before.naturalHeight, 0, 0, cut, height);
    }
    if (this.planeToggle.on) {
      this.plane ??= focalPlane(loaded, this.index);
      context.drawImage(this.plane, 0, 0, width, height);
    }
  }
  /** Divider and names in the node's own pixels. */
  placeDivider() {
    const stage = this.stage.element;
    const width = Math.min(stage.clientWidth, stage.clientHeight * this.stage.shape);
    const left = (stage.clientWidth - width) / 2;
    const x = left + this.split * width;
    this.divider.style.left = `${x - 1}px`;
    this.beforeTag.style.right = `${stage.clientWidth - x + TAG_GAP}px`;
    this.afterTag.style.left = `${x + TAG_GAP}px`;
    this.beforeTag.classList.toggle("rf-hidden", this.split * width < TAG_ROOM.before);
    this.afterTag.classList.toggle("rf-hidden", (1 - this.split) * width < TAG_ROOM.after);
  }
  describe(numbers) {
    const percent = Math.round(this.split * 100);
    this.stage.element.setAttribute("aria-valuenow", String(percent));
    this.stage.element.setAttribute("aria-valuetext", `${percent} % before`);
    const frame = numbers.frames > 1 ? `${t("frame")} ${numbers.shown[this.index]} / ${numbers.frames} · ` : "";
    const size = `${numbers.width} × ${numbers.height}`;
    this.status.textContent = `${frame}${size} · ${t("blur radius up to")} ${numbers.largest.toFixed(1)} px`;
  }
};
function focalPlane({ map, numbers }, index) {
  const canvas = new OffscreenCanvas(map.w, map.h);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(map.w, map.h);
  paintFocalPlane(map.values[index], Math.max(numbers.largest, LEAST_SCALE_PX), map, pixels.data);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

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
var UndoStep = class _UndoStep {
  constructor(app2, node) {
    this.app = app2;
    this.node = node;
  }
  app;
  node;
  static openNodes = /* @__PURE__ */ new WeakSet();
  static lastActs = /* @__PURE__ */ new WeakMap();
  open = false;
  /** Whether a step on the node has begun and not ended. */
  static isOpen(node) {
    return _UndoStep.openNodes.has(node);
  }
  /** What belongs to every step on the node, and is done as its last. */
  static beforeEnd(node, act) {
    _UndoStep.lastActs.set(node, act);
  }
  begin() {
    if (this.open) return;
    this.open = true;
    _UndoStep.openNodes.add(this.node);
    this.app.canvas.emitBeforeChange?.();
  }
  end() {
    if (!this.open) return;
    this.open = false;
    _UndoStep.openNodes.delete(this.node);
    _UndoStep.lastActs.get(this.node)?.();
    this.app.canvas.emitAfterChange?.();
  }
  /** Do it as a step of its own, or as a part of the one that has begun. */
  run(act) {
    const outer = this.open;
    if (!outer) this.begin();
    act();
    if (!outer) this.end();
  }
};

// src/law/keyframes.ts
var EASES = ["ease", "linear", "hold"];
function setsFocus(key) {
  return key.x !== void 0 || key.distance_m !== void 0;
}
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
var GENFOCUS = "K of Genfocus";
function solve(numbers, map, widgets, index, frame = numbers.shown[index]) {
  const s = withCamera(numbers, widgets);
  const keys = readKeyframes(s.keyframes);
  const plane2 = focalPlaneOfKeys(numbers, map, keys, frame) ?? focalPlane2(numbers, map, s, index);
  const strength = gainPxOf(numbers, s, plane2.disparity, index);
  const span = numbers.span[index];
  const gainPx = strength * apertureOfKeys(keys, s, frame);
  return {
    focusDisparity: plane2.disparity,
    gainPx,
    sharpHalfWidth: plane2.halfWidth + span * s.focus_range / 2,
    metric: numbers.metric,
    span,
    lean: leanOf(s, spanAbove0(numbers, index)),
    bend: s.field_curvature * spanAbove0(numbers, index),
    field: s.strength === "camera" ? depthOfField(numbers, focalOf(numbers, s), plane2.disparity, gainPx) : null
  };
}
function withCamera(numbers, s) {
  const own = numbers.camera;
  const sensorMm = s.sensor_mm || (own?.sensor_mm ?? 0);
  const focalMm = own?.focal_mm ? own.focal_mm * sensorMm / (own.sensor_mm ?? sensorMm) : 0;
  return {
    ...s,
    sensor_mm: sensorMm,
    focal_mm: s.focal_mm || focalMm,
    f_number: s.f_number || (own?.f_number ?? 0),
    distance_m: s.distance_m || (own?.subject_m ?? 0)
  };
}
function readKeyframes(text) {
  try {
    return parseKeyframes(text) ?? [];
  } catch (error) {
    throw new Error(`keyframes: ${error instanceof Error ? error.message : String(error)}`);
  }
}
function focalPlaneOfKeys(numbers, map, keys, frame) {
  const focusKeys = keys.filter(setsFocus);
  if (focusKeys.length === 0) return null;
  const ofKey = (k) => k.x !== void 0 ? disparityAt(map, nearestShown(numbers, k.frame), { x: k.x, y: k.y, radius: FOCUS_POINT_RADIUS }) : disparityOf(k.distance_m, numbers.metric);
  return { disparity: track(focusKeys, ofKey, frame), halfWidth: 0 };
}
function focalPlane2(numbers, map, s, index) {
  const measured = (x, y) => disparityAt(map, index, { x, y, radius: s.focus_radius });
  switch (s.focus) {
    case "point":
      return { disparity: measured(s.x, s.y), halfWidth: 0 };
    case "two points": {
      const a = measured(s.x, s.y);
      const b = measured(s.x2, s.y2);
      return { disparity: (a + b) / 2, halfWidth: Math.abs(a - b) / 2 };
    }
    case "distance":
      return { disparity: disparityOf(s.distance_m, numbers.metric), halfWidth: 0 };
    default: {
      const byNode = numbers.mask ?? (s.focus === "auto" ? numbers.auto : null);
      if (!byNode) throw new Error("run the graph once to measure the focus under the mask");
      return { disparity: byNode[index], halfWidth: 0 };
    }
  }
}
function disparityOf(metres2, metric) {
  if (!metric)
    throw new Error("a distance needs depth in metres: set near_m and far_m of Depth Estimate, or focus by point");
  if (metres2 === 0) throw new Error("the subject's distance is not known: set distance_m");
  return 1 / metres2;
}
function gainPxOf(numbers, s, focusDisparity, index) {
  if (s.strength === "camera") return lensGainPx(numbers, s, focusDisparity);
  if (s.strength !== GENFOCUS) return blurGainPx(numbers, s, index);
  if (!numbers.metric)
    throw new Error("K needs depth in metres: set near_m and far_m of Depth Estimate, or strength in percent");
  return s.genfocus_k;
}
function lensGainPx(numbers, s, focusDisparity) {
  if (!numbers.metric)
    throw new Error("a camera needs depth in metres: set near_m and far_m of Depth Estimate, or strength in percent");
  if (s.f_number === 0) throw new Error("the photo's f-number is not known: set f_number");
  if (s.sensor_mm === 0) throw new Error("the photo's sensor is not known: set sensor");
  const longEdgePx = Math.max(numbers.width, numbers.height);
  const focalMm = focalOf(numbers, s);
  const remaining = 1 - focalMm * focusDisparity / 1e3;
  if (remaining <= 0) throw new Error("the focus lies nearer than the focal length");
  return focalMm ** 2 / (2 * s.f_number) / remaining * (longEdgePx / s.sensor_mm) / 1e3;
}
function focalOf(numbers, s) {
  if (s.focal_mm > 0) return s.focal_mm;
  if (numbers.focal_px === null) throw new Error("the photo's focal length is not known: set focal_mm");
  return numbers.focal_px * s.sensor_mm / Math.max(numbers.width, numbers.height);
}
function depthOfField(numbers, focalMm, focusDisparity, gainPx) {
  const sharpPx = SHARP_PRINT / 2 * Math.max(numbers.width, numbers.height);
  const beyond = focusDisparity - sharpPx / gainPx;
  return {
    nearM: 1 / (focusDisparity + sharpPx / gainPx),
    farM: beyond > 0 ? 1 / beyond : Infinity,
    hyperfocalM: gainPx * (1 - focalMm / 1e3 * focusDisparity) / sharpPx + focalMm / 1e3
  };
}
function leanOf(s, span) {
  const per = (degrees) => s.focus === "point" ? span * Math.tan(degrees * Math.PI / 180) : 0;
  return { right: per(s.swing_deg), down: per(s.tilt_deg), x: s.x, y: s.y };
}
function leanAt({ lean, bend }, { w, h }, x, y) {
  const squared = (((x - 0.5) * w) ** 2 + ((y - 0.5) * h) ** 2) / ((w * w + h * h) / 4);
  return (lean.right * (x - lean.x) * w + lean.down * (y - lean.y) * h) / Math.max(w, h) + bend * squared;
}
function leans({ lean, bend }) {
  return lean.right !== 0 || lean.down !== 0 || bend !== 0;
}
function blurGainPx(numbers, s, index) {
  return s.percent / 100 * Math.max(numbers.width, numbers.height) / spanAbove0(numbers, index);
}
function spanAbove0(numbers, index) {
  const nearest = numbers.nearest[index] > 0 ? numbers.nearest[index] : 1;
  return numbers.span[index] > FLAT_SHARE * nearest ? numbers.span[index] : nearest;
}
function apertureField(s) {
  if (s.strength === GENFOCUS) return null;
  return s.strength === "camera" ? "f_number" : "percent";
}
function apertureOfKeys(keys, s, frame) {
  const field = apertureField(s);
  if (field === null) {
    if (keys.some((k) => k.f_number !== void 0 || k.percent !== void 0))
      throw new Error("a key sets the aperture, but K sets the strength: give the strength by a camera or in percent");
    return 1;
  }
  const apertureKeys = keys.filter((k) => k[field] !== void 0);
  if (apertureKeys.length === 0) return 1;
  if (field === "f_number") return s.f_number / 2 ** track(apertureKeys, (k) => Math.log2(k.f_number), frame);
  return s.percent > 0 ? track(apertureKeys, (k) => k.percent, frame) / s.percent : 0;
}
function radiusPx(disparity, solved, s) {
  let radius = solved.gainPx * (solved.focusDisparity - disparity);
  const sharp = solved.gainPx * solved.sharpHalfWidth;
  radius -= Math.min(Math.max(radius, -sharp), sharp);
  return radius < 0 ? radius * s.near_gain : radius * s.far_gain;
}
function radiiPx(disparity, solved, s, size) {
  const out = new Float32Array(disparity.length);
  for (let i = 0; i < out.length; i++) {
    const lean = leanAt(solved, size, (i % size.w + 0.5) / size.w, (Math.floor(i / size.w) + 0.5) / size.h);
    out[i] = radiusPx(disparity[i] - lean, solved, s);
  }
  return out;
}
function extentPx(map, index, solved, s) {
  const ends = leans(solved) ? radiiPx(map.values[index], solved, s, map) : [map.lowest[index], map.highest[index]].map((end) => radiusPx(end, solved, s));
  let near = 0;
  let far = 0;
  for (const radius of ends) {
    near = Math.max(near, -radius);
    far = Math.max(far, radius);
  }
  return { near, far };
}
function largestRadiusPx(numbers, map, s) {
  let largest = LEAST_SCALE_PX;
  for (let i = 0; i < map.values.length; i++) {
    const { near, far } = extentPx(map, i, solve(numbers, map, s, i), s);
    largest = Math.max(largest, near, far);
  }
  return largest;
}

// src/focus/widgets.ts
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
  "tilt_deg",
  "swing_deg",
  "field_curvature",
  "genfocus_k"
];
var OTHERS = ["focus", "strength", "sensor", "keyframes", "sensor_mm"];
var OWN_SENSOR = "the photo's own";
function round3(v) {
  return Math.round(v * 1e3) / 1e3;
}
var FocusWidgets = class {
  values;
  constructor(app2, node) {
    this.values = new Values(app2, node);
  }
  read() {
    const { values } = this;
    const numbers = Object.fromEntries(NUMBERS2.map((n) => [n, values.number(n)]));
    const sensor = values.text("sensor");
    const named = /\(([\d.]+) mm\)/.exec(sensor);
    return {
      ...numbers,
      sensor_mm: named ? Number(named[1]) : sensor === OWN_SENSOR ? 0 : values.number("sensor_mm"),
      focus: values.text("focus"),
      strength: values.text("strength"),
      keyframes: values.text("keyframes")
    };
  }
  write(values) {
    this.values.set(values);
  }
  /** All values in one string, to see whether any has changed. */
  signature() {
    return this.values.signature([...NUMBERS2, ...OTHERS]);
  }
  /** Whether the focus is shown by a point, or by two. */
  get focusIsPoint() {
    return ["point", "two points"].includes(this.values.text("focus"));
  }
  /** Inputs of the focus that another node drives: what the page cannot set. */
  get linkedFocus() {
    return ["focus", "x", "y"].filter((n) => this.values.linked(n));
  }
  get distanceIsLinked() {
    return this.values.linked("distance_m");
  }
  /** Keys of the keyframes; none where the text cannot be read, which the status line then says. */
  keys() {
    try {
      return parseKeyframes(this.values.text("keyframes")) ?? [];
    } catch {
      return [];
    }
  }
  /** What a new key holds: the focus and the aperture that are set now, without what is left to the photo's lens data. */
  currentKey() {
    const s = this.read();
    const field = apertureField(s);
    const aperture = field !== null && s[field] > 0 ? { [field]: s[field] } : {};
    return s.focus === "distance" && s.distance_m > 0 ? { distance_m: s.distance_m, ...aperture } : { x: s.x, y: s.y, ...aperture };
  }
};

// src/focus/edits.ts
var AREA_RADIUS = { least: 2e-3, most: 0.5 };
var DISTANCE_M = { least: 0.01, most: 1e5 };
var FocusEdits = class {
  constructor(model, draw) {
    this.model = model;
    this.draw = draw;
  }
  model;
  draw;
  dragged = null;
  /** Focus on a point. A key of the focus at the shown frame moves with it. */
  point(at) {
    const point = onPicture(at);
    const keys = this.model.widgets.keys();
    const { frame } = this.model;
    if (keys.some((k) => k.frame === frame && k.x !== void 0)) {
      const moved = keys.map((k) => k.frame === frame ? { ...k, ...point } : k);
      this.write({ focus: "point", ...point, keyframes: formatKeyframes(moved) });
    } else this.write({ focus: "point", ...point });
  }
  /** A plain click: as `point`, and what an area dragged before it had set goes back. */
  click(at) {
    const { dragged } = this;
    this.dragged = null;
    const { focus_radius, focus_range } = this.model.widgets.read();
    if (dragged?.radius === focus_radius && dragged.range === focus_range)
      this.model.widgets.write({
        focus_radius: dragged.before.focus_radius,
        focus_range: dragged.before.focus_range
      });
    this.point(at);
  }
  /** Keep everything between the point and a second one sharp. */
  secondPoint(at) {
    const { x, y } = onPicture(at);
    this.write({ focus: "two points", x2: x, y2: y });
  }
  /**
   * A disc to focus on: its median is the focal plane, and the surface that fills most of it stays sharp.
   *
   * `aspect` is width over height of the picture.
   */
  area(centre, edge, aspect) {
    const [w, h] = aspect >= 1 ? [1, 1 / aspect] : [aspect, 1];
    const dragged = Math.hypot((edge.x - centre.x) * w, (edge.y - centre.y) * h);
    const radius = round3(clamp(dragged, AREA_RADIUS.least, AREA_RADIUS.most));
    const point = onPicture(centre);
    const range = this.rangeOfDisc({ ...point, radius });
    const { widgets } = this.model;
    const before = this.dragged?.before ?? widgets.read();
    this.write({
      focus: "point",
      ...point,
      focus_radius: radius,
      ...range === null ? {} : { focus_range: range }
    });
    const { focus_radius, focus_range } = widgets.read();
    this.dragged = { radius: focus_radius, range: focus_range, before };
  }
  /** The focus range that covers the surface in a disc; null where its depth is not known. */
  rangeOfDisc(disc) {
    const { state } = this.model;
    if (state.kind !== "solved") return null;
    const { run, index, solved } = state;
    const disparities = valuesInDisc(run.map, index, disc);
    if (disparities.length === 0) return null;
    const halfWidth = 2 * medianDeviation(disparities);
    return solved.span > 0 ? Math.ceil(clamp(2 * halfWidth / solved.span, 0, 1) * 100) / 100 : 0;
  }
  /** Move the point. */
  nudge(dx, dy) {
    const { x, y } = this.model.widgets.read();
    this.point({ x: x + dx, y: y + dy });
  }
  /** Widen the focus range, or narrow it. */
  widenRange(by) {
    const { focus_range } = this.model.widgets.read();
    this.write({ focus_range: round3(clamp(focus_range + by, 0, 1)) });
  }
  /** Focal plane between the farthest (0) and the nearest thing (1): a distance in metres, else the nearest point there. */
  focusShare(share) {
    const { state, widgets } = this.model;
    if (state.kind === "not run" || widgets.linkedFocus.length > 0) return;
    const disparity = state.run.disparityAtShare(share, state.index);
    if (state.kind === "solved" && state.solved.metric && !widgets.distanceIsLinked) {
      const metres2 = 1 / Math.max(disparity, 1 / DISTANCE_M.most);
      this.write({
        focus: "distance",
        distance_m: Math.round(clamp(metres2, DISTANCE_M.least, DISTANCE_M.most) * 100) / 100
      });
      return;
    }
    const point = this.model.pointAtDisparity(disparity);
    if (point) this.point(point);
  }
  /** Replace the keys. */
  keys(keys) {
    this.write({ keyframes: formatKeyframes(keys) });
  }
  write(values) {
    this.model.widgets.write(values);
    this.draw();
  }
};
function onPicture(at) {
  return { x: round3(clamp(at.x, 0, 1)), y: round3(clamp(at.y, 0, 1)) };
}

// src/focus/gestures.ts
var DRAG_PX = 6;
var GRAB_PX = 10;
var NUDGE = { small: 0.01, large: 0.05 };
var RANGE_STEP = 0.01;
var Gestures = class {
  constructor(host) {
    this.host = host;
    const { element } = host.stage;
    const release = (event) => {
      this.release(event);
    };
    element.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    element.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("pointerleave", () => {
      host.hover(null);
    });
    element.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }
  host;
  press = null;
  get blocked() {
    return this.host.widgets.linkedFocus.length > 0;
  }
  down(event) {
    const { app: app2, stage, widgets, undo } = this.host;
    if (event.button !== 0 || app2.canvas.read_only) return;
    event.stopPropagation();
    const start = stage.at(event);
    if (start.x < 0 || start.x > 1 || start.y < 0 || start.y > 1 || this.blocked) return;
    stage.element.focus({ preventScroll: true });
    stage.element.setPointerCapture(event.pointerId);
    const onPoint = widgets.focusIsPoint && stage.screenDistance(start, widgets.read()) <= GRAB_PX;
    this.press = { start, kind: event.shiftKey ? "second point" : onPoint ? "point" : "area", dragged: false };
    undo.begin();
  }
  move(event) {
    const { stage, edits, hover } = this.host;
    const at = stage.at(event);
    hover(at);
    const { press } = this;
    if (!press || !press.dragged && stage.screenDistance(press.start, at) < DRAG_PX) return;
    press.dragged = true;
    if (press.kind === "point") edits.point(at);
    else if (press.kind === "second point") edits.secondPoint(at);
    else edits.area(press.start, at, stage.shape);
  }
  release(event) {
    const { widgets, edits, undo, done } = this.host;
    const { press } = this;
    if (!press) return;
    this.press = null;
    if (event.type === "pointerup" && !press.dragged) {
      if (press.kind === "second point") edits.secondPoint(press.start);
      else if (press.kind === "area" || widgets.read().focus !== "point") edits.click(press.start);
    }
    undo.end();
    done();
  }
  key(event) {
    const { edits, undo, done } = this.host;
    if (event.ctrlKey || event.metaKey || event.altKey || this.blocked) return;
    const by = event.shiftKey ? NUDGE.large : NUDGE.small;
    const acts = {
      ArrowLeft: () => {
        edits.nudge(-by, 0);
      },
      ArrowRight: () => {
        edits.nudge(by, 0);
      },
      ArrowUp: () => {
        edits.nudge(0, -by);
      },
      ArrowDown: () => {
        edits.nudge(0, by);
      }
    };
    const widen = (step) => () => {
      edits.widenRange(step);
    };
    for (const plus of ["+", "="]) acts[plus] = widen(RANGE_STEP);
    for (const minus of ["-", "_"]) acts[minus] = widen(-RANGE_STEP);
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    undo.begin();
    act();
    undo.end();
    done();
  }
};

// src/focus/model.ts
var SMALLEST_APERTURE = 22;
var LARGEST_PERCENT_HEIGHT = 0.92;
var DEPTH_OVER_DISTANCE = 50;
var FocusModel = class {
  constructor(widgets) {
    this.widgets = widgets;
    this.current = { kind: "not run", settings: widgets.read() };
  }
  widgets;
  run = null;
  frameShown = 0;
  current;
  get state() {
    return this.current;
  }
  /** Frame of the clip that is shown. */
  get frame() {
    return this.frameShown;
  }
  showFrame(frame) {
    this.frameShown = frame;
  }
  takeRun(run) {
    this.run = run;
  }
  /** Read the widgets and solve for the focus anew. */
  update() {
    const settings = this.widgets.read();
    const { run } = this;
    if (!run) return this.current = { kind: "not run", settings };
    const index = nearestShown(run.numbers, this.frame);
    try {
      const solved = solve(run.numbers, run.map, settings, index, this.frame);
      const largestPx = largestRadiusPx(run.numbers, run.map, settings);
      return this.current = { kind: "solved", settings, run, index, solved, largestPx };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return this.current = { kind: "unsolved", settings, run, index, problem };
    }
  }
  /** Focal plane between the farthest (0) and the nearest thing (1) of the shown frame. */
  focusShare() {
    const { state } = this;
    if (state.kind !== "solved") return null;
    const { run, index, solved } = state;
    return run.shareOf(solved.focusDisparity, index);
  }
  /** Focal plane at any frame of the clip, between the farthest (0) and the nearest thing (1) of all frames. */
  focusAt(frame) {
    const { state } = this;
    if (state.kind === "not run") return null;
    const { numbers, map } = state.run;
    try {
      const solved = solve(numbers, map, this.widgets.read(), state.index, frame);
      const low = Math.min(...map.lowest);
      const high = Math.max(...map.highest);
      return high > low ? (solved.focusDisparity - low) / (high - low) : 0.5;
    } catch {
      return null;
    }
  }
  /** Aperture of the keys at any frame, 0..1: in stops, or in percent up to the largest key. */
  apertureAt(frame) {
    const field = apertureField(this.widgets.read());
    const keys = this.widgets.keys().filter((k) => field !== null && k[field] !== void 0);
    if (keys.length === 0) return null;
    if (field === "f_number")
      return 1 - track(keys, (k) => Math.log2(k.f_number), frame) / Math.log2(SMALLEST_APERTURE);
    const most = Math.max(...keys.map((k) => k.percent), 1e-6);
    return LARGEST_PERCENT_HEIGHT * track(keys, (k) => k.percent, frame) / most;
  }
  extent() {
    const { state } = this;
    if (state.kind !== "solved") return null;
    const { settings, solved } = state;
    const { map } = state.run;
    const ends = map.values.map((_, i) => extentPx(map, i, solved, settings));
    return {
      focusDisparity: solved.focusDisparity,
      metric: solved.metric,
      nearPx: Math.max(...ends.map((e) => e.near)),
      farPx: Math.max(...ends.map((e) => e.far)),
      field: solved.field
    };
  }
  /** Disparity (in the unit of the output) and signed radius under a position on the picture. */
  under(at) {
    const { state } = this;
    if (state.kind !== "solved" || at.x < 0 || at.x >= 1 || at.y < 0 || at.y >= 1) return null;
    const { run, index, solved, settings } = state;
    const { map } = run;
    const value = map.values[index][Math.floor(at.y * map.h) * map.w + Math.floor(at.x * map.w)];
    return {
      disparity: value,
      metric: solved.metric,
      radiusPx: radiusPx(value - leanAt(solved, map, at.x, at.y), solved, settings)
    };
  }
  /** Centre of the pixel whose depth is nearest to a disparity of the thumbnail, of several the one nearest to the point. */
  pointAtDisparity(disparity) {
    const { state } = this;
    if (state.kind === "not run") return null;
    const { run, index } = state;
    const { x, y } = this.widgets.read();
    const { w, h, values, valid, lowest, highest } = run.map;
    const span = Math.max(highest[index] - lowest[index], 1e-9);
    let leastCost = Infinity;
    let nearest = 0;
    values[index].forEach((value, i) => {
      if (!valid[index][i]) return;
      const distance = Math.hypot(i % w + 0.5 - x * w, Math.floor(i / w) + 0.5 - y * h) / w;
      const cost = Math.abs(value - disparity) / span * DEPTH_OVER_DISTANCE + distance;
      if (cost < leastCost) [leastCost, nearest] = [cost, i];
    });
    return { x: (nearest % w + 0.5) / w, y: (Math.floor(nearest / w) + 0.5) / h };
  }
};

// src/focus/picture.ts
var SOURCE_LONG_EDGE_PX = 768;
function drawPicture(stage, state, source, mode) {
  if (state.kind !== "not run") drawRun(stage, state, mode);
  else if (source) drawSource(stage, source);
  else stage.context().clearRect(0, 0, stage.canvas.width, stage.canvas.height);
}
function drawRun(stage, state, mode) {
  const { run, index, settings } = state;
  const { map } = run;
  stage.setShape(map.w, map.h);
  const context = stage.context();
  const photo = run.photo(index);
  if (mode === "photo" && photo) {
    context.drawImage(photo, 0, 0, map.w, map.h);
    return;
  }
  const pixels = context.createImageData(map.w, map.h);
  if (mode === "defocus" && state.kind === "solved") {
    const radius = radiiPx(map.values[index], state.solved, settings, map);
    paintDefocus(radius, run.grey(index), state.largestPx, map, pixels.data);
  } else paintDepth(map, index, pixels.data);
  context.putImageData(pixels, 0, 0);
}
function drawSource(stage, photo) {
  const { naturalWidth: w, naturalHeight: h } = photo;
  const scale = Math.min(1, SOURCE_LONG_EDGE_PX / Math.max(w, h));
  stage.setShape(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
  stage.context().drawImage(photo, 0, 0, stage.canvas.width, stage.canvas.height);
}

// src/focus/reticle.ts
var WIDTH = 1e3;
var LEAST_RING_PX = 9;
var DOT_PX = 3;
var Reticle = class {
  element = svg("svg", { "aria-hidden": true });
  /**
   * Draw what the widgets say, for a picture of that aspect (width over height) in a place so many pixels wide; nothing
   * where the focus is not a point.
   */
  draw(s, aspect, widthPx) {
    const height = WIDTH / aspect;
    setAll(this.element, { viewBox: `0 0 ${WIDTH} ${height}` });
    this.element.replaceChildren();
    if (s.focus !== "point" && s.focus !== "two points") return;
    const unitsPerPx = WIDTH / Math.max(widthPx, 1);
    const radius = Math.max(s.focus_radius * Math.max(WIDTH, height), LEAST_RING_PX * unitsPerPx);
    const mark = (x, y, ring) => {
      const centre = { cx: x * WIDTH, cy: y * height };
      this.element.append(
        svg("circle", { ...centre, r: radius, class: "rf-halo" }),
        svg("circle", { ...centre, r: radius, class: ring }),
        svg("circle", { ...centre, r: DOT_PX * unitsPerPx, class: "rf-dot" })
      );
    };
    if (s.focus === "two points") {
      const line = { x1: s.x * WIDTH, y1: s.y * height, x2: s.x2 * WIDTH, y2: s.y2 * height };
      this.element.append(
        svg("line", { ...line, class: "rf-halo" }),
        svg("line", { ...line, class: "rf-ring rf-second" })
      );
      mark(s.x2, s.y2, "rf-ring rf-second");
    }
    mark(s.x, s.y, "rf-ring");
  }
};

// src/law/srgb.ts
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

// src/focus/run.ts
var Run = class _Run {
  constructor(numbers, map, photos) {
    this.numbers = numbers;
    this.map = map;
    this.photos = photos;
  }
  numbers;
  map;
  photos;
  greys = /* @__PURE__ */ new Map();
  /** Rejects where the temporary files are gone, as after a restart of the server. */
  static async load(api2, payload) {
    const photos = payload.photos?.slice(0, payload.shown.length) ?? null;
    const [map, loaded] = await Promise.all([
      loadMap(api2, payload.depth, payload),
      photos && Promise.all(photos.map((file) => loadPicture(address(api2, file))))
    ]);
    return new _Run(payload, map, loaded);
  }
  photo(index) {
    return this.photos?.[index] ?? null;
  }
  /** Brightness of the photo at the size of the map; null where no photo is known. */
  grey(index) {
    const photo = this.photo(index);
    if (!photo) return null;
    let grey = this.greys.get(index);
    if (!grey) {
      const { w, h } = this.map;
      const context = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
      context.drawImage(photo, 0, 0, w, h);
      grey = greyOf(context.getImageData(0, 0, w, h).data);
      this.greys.set(index, grey);
    }
    return grey;
  }
  /** Place of a disparity of the thumbnail between the farthest (0) and the nearest thing (1) of its frame. */
  shareOf(disparity, index) {
    const [low, high] = [this.map.lowest[index], this.map.highest[index]];
    return high > low ? (disparity - low) / (high - low) : 0.5;
  }
  /** The inverse of `shareOf`. */
  disparityAtShare(share, index) {
    const [low, high] = [this.map.lowest[index], this.map.highest[index]];
    return low + share * (high - low);
  }
};

// src/focus/scene3d/camera.ts
var DISTANCE = 3.1;
var FOCAL_LENGTH = 2.2;
var CLIP = { near: 0.1, far: 20 };
var START = { yaw: -0.55, pitch: 0.28 };
var MOST = { yaw: 1.35, pitch: 1.1 };
var Camera = class {
  yaw = START.yaw;
  pitch = START.pitch;
  turn(yaw, pitch) {
    this.yaw = clamp(this.yaw + yaw, -MOST.yaw, MOST.yaw);
    this.pitch = clamp(this.pitch + pitch, -MOST.pitch, MOST.pitch);
  }
  /** From the scene to clip space, for a relief of that aspect on a canvas of width x height. */
  matrix(aspect, width, height) {
    const canvasAspect = Math.max(width, 1) / Math.max(height, 1);
    const f = FOCAL_LENGTH * Math.min(1, canvasAspect / aspect);
    const { near, far } = CLIP;
    const project = new Float32Array(16);
    project[0] = f / canvasAspect;
    project[5] = f;
    project[10] = (far + near) / (near - far);
    project[11] = -1;
    project[14] = 2 * far * near / (near - far);
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const yaw = new Float32Array([cy, 0, -sy, 0, 0, 1, 0, 0, sy, 0, cy, 0, 0, 0, 0, 1]);
    const pitch = new Float32Array([1, 0, 0, 0, 0, cp, sp, 0, 0, -sp, cp, 0, 0, 0, -DISTANCE, 1]);
    return multiply(project, multiply(pitch, yaw));
  }
};
function onScreen(matrix, [x, y, z]) {
  const row = (r) => matrix[r] * x + matrix[4 + r] * y + matrix[8 + r] * z + matrix[12 + r];
  const w = row(3);
  return [(row(0) / w + 1) / 2, (1 - row(1) / w) / 2];
}
function multiply(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++)
    for (let r = 0; r < 4; r++) for (let k = 0; k < 4; k++) out[4 * c + r] += a[4 * k + r] * b[4 * c + k];
  return out;
}

// src/focus/scene3d/relief.ts
var RELIEF = 1.3;
var TEAR = 0.06;
var GRID = 220;
var POINT_FLOATS = 5;
function reliefZ(share) {
  return (share - 0.5) * RELIEF;
}
function makeRelief(map, index) {
  const { w, h } = map;
  const [low, high] = [map.lowest[index], map.highest[index]];
  const values = map.values[index];
  const aspect = w / h;
  const stride = Math.max(1, Math.ceil(Math.max(w, h) / GRID));
  const [columns, rows] = [Math.floor((w - 1) / stride) + 1, Math.floor((h - 1) / stride) + 1];
  const points = new Float32Array(columns * rows * POINT_FLOATS);
  const share = new Float32Array(columns * rows);
  for (let j = 0; j < rows; j++)
    for (let i = 0; i < columns; i++) {
      const k = j * columns + i;
      const [u, v] = [(i * stride + 0.5) / w, (j * stride + 0.5) / h];
      share[k] = high > low ? (values[j * stride * w + i * stride] - low) / (high - low) : 0.5;
      points.set([(2 * u - 1) * aspect, 1 - 2 * v, reliefZ(share[k]), u, v], POINT_FLOATS * k);
    }
  return { points, triangles: trianglesOf(share, columns, rows), aspect };
}
function trianglesOf(share, columns, rows) {
  const triangles = [];
  const add = (a, b, c) => {
    const [x, y, z] = [share[a], share[b], share[c]];
    if (Math.max(x, y, z) - Math.min(x, y, z) < TEAR) triangles.push(a, b, c);
  };
  for (let j = 0; j + 1 < rows; j++)
    for (let i = 0; i + 1 < columns; i++) {
      const k = j * columns + i;
      add(k, k + 1, k + columns);
      add(k + 1, k + columns + 1, k + columns);
    }
  return new Uint32Array(triangles);
}

// src/focus/scene3d/renderer.ts
var SHEET_RGB = [0.95, 0.84, 0.29];
var SHEET_ALPHA = { sheet: 0.2, rim: 0.7 };
var SHEET_ALPHA_HOVER = { sheet: 0.28, rim: 0.95 };
var NO_PHOTO = new Uint8Array([150, 150, 150, 255]);
var NOWHERE = 99;
var VERTEX = `#version 300 es
in vec3 position; in vec2 at; uniform mat4 view; out vec2 uv; out float depth;
void main(){ uv=at; depth=position.z; gl_Position=view*vec4(position,1.0); }`;
var FRAGMENT = `#version 300 es
precision highp float; in vec2 uv; in float depth; out vec4 colour;
uniform sampler2D photo; uniform vec4 sheet; uniform float plane; uniform float rim;
void main(){
  if(sheet.a>0.0){ vec2 d=abs(uv); float edge=step(1.0,max(d.x,d.y)); colour=vec4(sheet.rgb,mix(sheet.a,rim,edge)); return; }
  vec3 c=texture(photo,uv).rgb; float near=1.0-smoothstep(0.0,0.035,abs(depth-plane));
  colour=vec4(mix(c,vec3(${FOCUS_RGB.map((v) => v.toFixed(2)).join(",")}),0.55*near),1.0);
}`;
var Renderer = class {
  constructor(gl) {
    this.gl = gl;
    this.program = linkedProgram(gl);
    this.texture = gl.createTexture();
    [this.relief, this.points, this.triangles] = [gl.createVertexArray(), gl.createBuffer(), gl.createBuffer()];
    [this.sheet, this.corners] = [gl.createVertexArray(), gl.createBuffer()];
    this.describePoints(this.relief, this.points);
    this.describePoints(this.sheet, this.corners);
  }
  gl;
  program;
  texture;
  relief;
  points;
  triangles;
  sheet;
  corners;
  indexCount = 0;
  describePoints(array, buffer) {
    const { gl } = this;
    const floatBytes = 4;
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    for (const [name, size, offset] of [
      ["position", 3, 0],
      ["at", 2, 3]
    ]) {
      const location = gl.getAttribLocation(this.program, name);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, gl.FLOAT, false, POINT_FLOATS * floatBytes, offset * floatBytes);
    }
  }
  /** Free what the graphics card holds. */
  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
  upload(relief, photo) {
    const { gl } = this;
    this.indexCount = relief.triangles.length;
    gl.bindVertexArray(this.relief);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, relief.points, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.triangles);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, relief.triangles, gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (photo) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, photo);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, NO_PHOTO);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }
  /** One picture of width x height; without a sheet where the focal plane is not known. */
  draw(view, aspect, sheet, width, height) {
    const { gl } = this;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(this.uniform("view"), false, view);
    gl.uniform4f(this.uniform("sheet"), 0, 0, 0, 0);
    gl.uniform1f(this.uniform("plane"), sheet ? sheet.z : NOWHERE);
    gl.bindVertexArray(this.relief);
    gl.drawElements(gl.TRIANGLES, this.indexCount, gl.UNSIGNED_INT, 0);
    if (sheet) this.drawSheet(sheet, aspect);
  }
  drawSheet({ halfWidth: x, halfHeight: y, z, hover }, aspect) {
    const { gl } = this;
    const [u, v] = [x / aspect, y];
    const corners = [-x, -y, z, -u, -v, x, -y, z, u, -v, -x, y, z, -u, v, x, y, z, u, v];
    const alpha = hover ? SHEET_ALPHA_HOVER : SHEET_ALPHA;
    gl.bindVertexArray(this.sheet);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.DYNAMIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    gl.uniform4f(this.uniform("sheet"), ...SHEET_RGB, alpha.sheet);
    gl.uniform1f(this.uniform("rim"), alpha.rim);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }
  uniform(name) {
    return this.gl.getUniformLocation(this.program, name);
  }
};
function linkedProgram(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT]
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`WebGL: ${gl.getProgramInfoLog(program) ?? "no program"}`);
  return program;
}

// src/focus/scene3d/scene.ts
var RIM = 0.13;
var RIM_SLACK = { outer: 0.04, inner: 0.02 };
var TURN_BY_DRAG = { yaw: 2.4, pitch: 1.8 };
var TURN_BY_KEY = 0.1;
var FOCUS_BY_KEY = 0.02;
var AXIS_STEP = 0.05;
var Scene3D = class {
  canvas = document.createElement("canvas");
  /** Where the sheet is dragged to, as a share of the depth: 0 far, 1 near. */
  onFocus = () => void 0;
  onGrab = () => void 0;
  renderer;
  camera = new Camera();
  aspect = 1.5;
  focus = null;
  overRim = false;
  grab = null;
  /** @throws Error if the browser has no WebGL 2. */
  constructor() {
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute(
      "aria-label",
      "The photo in depth, with the focal plane. Arrow keys turn it, Page Up and Page Down move the plane."
    );
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.renderer = new Renderer(gl);
    this.listen();
  }
  /** Free what the graphics card holds. */
  close() {
    this.renderer.close();
    this.canvas.remove();
  }
  setScene(map, index, photo) {
    const relief = makeRelief(map, index);
    this.aspect = relief.aspect;
    this.renderer.upload(relief, photo);
    this.draw();
  }
  /** Place of the focal plane as a share of the depth, or null where it is not known. */
  setFocus(share) {
    if (share === this.focus) return;
    this.focus = share;
    this.draw();
  }
  draw() {
    const zoom = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth * zoom, this.canvas.clientHeight * zoom].map(Math.round);
    if (width === 0 || height === 0) return;
    if (this.canvas.width !== width || this.canvas.height !== height)
      [this.canvas.width, this.canvas.height] = [width, height];
    const sheet = this.focus === null ? null : { halfWidth: this.aspect + RIM, halfHeight: 1 + RIM, z: reliefZ(this.focus), hover: this.overRim };
    this.renderer.draw(this.view(), this.aspect, sheet, width, height);
  }
  view() {
    return this.camera.matrix(this.aspect, this.canvas.width, this.canvas.height);
  }
  /** Whether a position lies on the sheet's rim. */
  isOnRim(at) {
    if (this.focus === null) return false;
    const z = reliefZ(this.focus);
    const view = this.view();
    const inRectangle = (halfWidth, halfHeight) => {
      const corners = [
        [-halfWidth, -halfHeight],
        [halfWidth, -halfHeight],
        [halfWidth, halfHeight],
        [-halfWidth, halfHeight]
      ].map(([x, y]) => onScreen(view, [x, y, z]));
      return isInConvex(corners, at);
    };
    const { outer, inner } = RIM_SLACK;
    return inRectangle(this.aspect + RIM + outer, 1 + RIM + outer) && !inRectangle(this.aspect - inner, 1 - inner);
  }
  positionOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  }
  turn(yaw, pitch) {
    this.camera.turn(yaw, pitch);
    this.draw();
  }
  listen() {
    const { canvas } = this;
    const release = () => {
      if (this.grab?.kind === "sheet") this.onGrab(false);
      this.grab = null;
    };
    canvas.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      this.move(this.positionOf(event));
    });
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }
  down(event) {
    if (event.button !== 0) return;
    event.stopPropagation();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.positionOf(event);
    if (this.isOnRim([x, y])) {
      this.grab = { kind: "sheet", x, y, share: this.focus ?? 0.5 };
      this.onGrab(true);
    } else this.grab = { kind: "scene", x, y };
  }
  move([x, y]) {
    const { grab } = this;
    if (!grab) this.hover([x, y]);
    else if (grab.kind === "scene") {
      this.turn((x - grab.x) * TURN_BY_DRAG.yaw, (y - grab.y) * TURN_BY_DRAG.pitch);
      [grab.x, grab.y] = [x, y];
    } else this.onFocus(clamp(grab.share + this.shareAlongAxis(grab.share, x - grab.x, y - grab.y), 0, 1));
  }
  hover(at) {
    const overRim = this.isOnRim(at);
    if (overRim === this.overRim) return;
    this.overRim = overRim;
    this.canvas.style.cursor = overRim ? "move" : "grab";
    this.draw();
  }
  /** Share of the depth for a way on the screen, along the depth axis at the sheet's corner, which moves under the pointer. */
  shareAlongAxis(share, x, y) {
    const view = this.view();
    const corner = (at) => onScreen(view, [-this.aspect, -1, reliefZ(at)]);
    const [a, b] = [corner(share), corner(share + AXIS_STEP)];
    const [dx, dy] = [(b[0] - a[0]) / AXIS_STEP, (b[1] - a[1]) / AXIS_STEP];
    return (x * dx + y * dy) / Math.max(dx * dx + dy * dy, 1e-4);
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = {
      ArrowLeft: [-TURN_BY_KEY, 0],
      ArrowRight: [TURN_BY_KEY, 0],
      ArrowUp: [0, -TURN_BY_KEY],
      ArrowDown: [0, TURN_BY_KEY]
    };
    const turn = turns[event.key];
    const move = event.key === "PageUp" ? -FOCUS_BY_KEY : event.key === "PageDown" ? FOCUS_BY_KEY : 0;
    if (turn) this.turn(...turn);
    else if (move !== 0 && this.focus !== null) {
      this.onGrab(true);
      this.onFocus(clamp(this.focus + move, 0, 1));
      this.onGrab(false);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
};
function isInConvex(corners, [x, y]) {
  const sides = corners.map(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length];
    return Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
  });
  return Math.abs(sides.reduce((a, b) => a + b, 0)) === corners.length;
}

// src/focus/scene3d/panel.ts
var ScenePanel = class {
  constructor(host) {
    this.host = host;
  }
  host;
  scene = null;
  filled = null;
  get isOpen() {
    return this.scene !== null;
  }
  /** @throws Error if the browser has no WebGL 2. */
  open() {
    const scene = new Scene3D();
    scene.canvas.classList.add("rf-scene");
    scene.onFocus = this.host.onFocus;
    scene.onGrab = this.host.onGrab;
    this.host.place.append(scene.canvas);
    this.scene = scene;
    this.filled = null;
  }
  close() {
    this.scene?.close();
    this.scene = null;
  }
  draw() {
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
};

// src/focus/source.ts
var SourcePhoto = class {
  constructor(onChange) {
    this.onChange = onChange;
  }
  onChange;
  url = null;
  loaded = null;
  get image() {
    return this.loaded;
  }
  /** Show the picture at an address; null: none. */
  show(url) {
    if (url === this.url) return;
    this.url = url;
    this.loaded = null;
    if (url)
      loadPicture(url).then(
        (image) => {
          if (url !== this.url) return;
          this.loaded = image;
          this.onChange();
        },
        () => void 0
        // Load Image shows that its file is missing
      );
    this.onChange();
  }
};

// src/focus/status.ts
var USAGE = "Click to focus · drag over what shall be sharp · Shift+click for a second point";
var StatusLine = class {
  constructor(model, timelineIsOpen) {
    this.model = model;
    this.timelineIsOpen = timelineIsOpen;
  }
  model;
  timelineIsOpen;
  element = html("div", { class: "rf-status" });
  spoken = html("div", { class: "rf-sr", "aria-live": "polite" });
  /** Why something that was asked for cannot be shown. */
  notice = null;
  hover = null;
  /** The pointer is over a position of the picture; null: it has left. */
  setHover(at) {
    this.hover = at;
    this.draw();
  }
  draw() {
    this.element.classList.toggle("rf-warn", this.problem !== null);
    const message = this.message();
    const legend = message === null ? this.legend() : null;
    if (!legend) {
      this.element.textContent = this.element.title = message ?? t(USAGE);
      return;
    }
    this.element.title = `${this.summary()}. ${t(USAGE)}.`;
    this.element.replaceChildren(...legend);
  }
  /** Tell the point and the blur to a screen reader. */
  speak() {
    const { widgets } = this.model;
    const { x, y } = widgets.read();
    const point = widgets.focusIsPoint ? `x ${x}, y ${y}. ` : "";
    this.spoken.textContent = `${point}${this.problem ?? this.summary()}`;
  }
  get problem() {
    const { state } = this.model;
    return state.kind === "unsolved" ? state.problem : this.notice;
  }
  /** What is said in place of the legend: the most urgent first. */
  message() {
    const linked = this.model.widgets.linkedFocus;
    return this.problem ?? this.pointWithoutKey() ?? (linked.length > 0 ? `${t("Driven by a link:")} ${linked.join(", ")}` : this.underPointer());
  }
  /** Keys set the focus, but the point that is set is none of them. */
  pointWithoutKey() {
    if (!this.timelineIsOpen() || !this.model.widgets.focusIsPoint) return null;
    const keys = this.model.widgets.keys().filter(setsFocus);
    const { x, y } = this.model.widgets.read();
    if (keys.length === 0 || keys.some((k) => k.x === x && k.y === y)) return null;
    return `${t("Keys set the focus. Set key: this point, at frame")} ${this.model.frame}`;
  }
  underPointer() {
    const under = this.hover && this.model.under(this.hover);
    if (!under) return null;
    const radiusPx2 = Math.abs(under.radiusPx);
    const side = t(under.radiusPx < 0 ? "in front" : "behind");
    const blur = radiusPx2 <= SHARP_RADIUS_PX ? t("sharp") : `${t("blur")} ${radiusPx2.toFixed(1)} px ${side}`;
    return `${t("Here:")} ${distanceInWords(under.disparity, under.metric)} · ${blur}`;
  }
  /** Where it is sharp, and the largest radii in front and behind; null before the first run. */
  parts() {
    const extent = this.model.extent();
    return extent && {
      sharp: `${t("sharp")} ${distanceInWords(extent.focusDisparity, extent.metric)}${fieldInWords(extent.field)}`,
      hyperfocal: extent.field ? `, ${t("hyperfocal distance")} ${metres(extent.field.hyperfocalM)}` : "",
      near: `${t("near")} ≤ ${extent.nearPx.toFixed(1)} px`,
      far: `${t("far")} ≤ ${extent.farPx.toFixed(1)} px`
    };
  }
  legend() {
    const parts = this.parts();
    const mark = (colour) => html("b", { style: `background:${colour}` });
    return parts && [mark(FOCUS_COLOUR), parts.sharp, mark(NEAR_COLOUR), parts.near, mark(FAR_COLOUR), parts.far];
  }
  summary() {
    const parts = this.parts();
    return parts ? `${parts.sharp}${parts.hyperfocal}, ${parts.near}, ${parts.far}` : t(USAGE);
  }
};
function distanceInWords(disparity, metric) {
  if (!metric) return `${t("nearness")} ${Math.round(disparity * 100)} %`;
  return metres(disparity > 0 ? 1 / disparity : Infinity);
}
function metres(distance) {
  return Number.isFinite(distance) ? `${distance.toPrecision(3)} m` : t("infinity");
}
function fieldInWords(field) {
  return field ? ` (${metres(field.nearM)} – ${metres(field.farM)})` : "";
}

// src/focus/plot.ts
var PLOT_HEIGHT = 104;
var LEAST_WIDTH3 = 120;
var MARGIN = { left: 10, right: 10, top: 20, bottom: 18 };
var COLOUR = { focus: FOCUS_COLOUR, aperture: APERTURE_COLOUR, shown: "#fff", grid: "#3c3d43" };
var LEGEND = { focus: 0, aperture: 40 };
var RULER_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4];
var RULER_GAP_PX = 36;
var CURVE_SAMPLES = 240;
var UNKNOWN_HEIGHT = 0.5;
var GRAB_PX2 = 8;
var Plot = class {
  element = svg("svg", {
    class: "rf-plot",
    tabindex: 0,
    role: "application",
    "aria-label": t("Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it.")
  });
  width = LEAST_WIDTH3;
  last = 1;
  /** Frame under a pointer. */
  frameAt(event, last) {
    const box = this.element.getBoundingClientRect();
    const scale = box.width / Math.max(this.element.clientWidth, 1);
    const inner = box.width - (MARGIN.left + MARGIN.right) * scale;
    const share = (event.clientX - box.x - MARGIN.left * scale) / Math.max(inner, 1);
    return Math.round(clamp(share, 0, 1) * last);
  }
  /** How many frames beside a key a press still takes hold of it. */
  grabFrames(last) {
    return Math.max(1, Math.round(last * GRAB_PX2 / Math.max(this.element.clientWidth, 1)));
  }
  draw(data) {
    this.last = data.last;
    this.width = Math.max(this.element.clientWidth, LEAST_WIDTH3);
    setAll(this.element, { viewBox: `0 0 ${this.width} ${PLOT_HEIGHT}` });
    this.element.replaceChildren();
    this.drawRuler();
    this.drawLegend();
    this.drawCurve(data.apertureAt, COLOUR.aperture);
    this.drawCurve(data.focusAt, COLOUR.focus);
    this.drawUpright(data.frame, 2, `stroke:${COLOUR.shown};stroke-width:1.5`);
    this.drawKeys(data);
  }
  x(frame) {
    return MARGIN.left + frame / this.last * (this.width - MARGIN.left - MARGIN.right);
  }
  /** Of a value in 0..1. */
  y(value) {
    const bottom = PLOT_HEIGHT - MARGIN.bottom;
    return bottom - clamp(value, 0, 1) * (bottom - MARGIN.top);
  }
  drawUpright(frame, top, style) {
    const x = this.x(frame);
    this.element.append(svg("line", { x1: x, y1: top, x2: x, y2: PLOT_HEIGHT - MARGIN.bottom, style }));
  }
  drawText(text, attributes) {
    const element = svg("text", attributes);
    element.textContent = text;
    this.element.append(element);
  }
  drawRuler() {
    const step = RULER_STEPS.find((s) => s / this.last * this.width >= RULER_GAP_PX) ?? RULER_STEPS[RULER_STEPS.length - 1];
    for (let f = 0; f <= this.last; f += step) {
      this.drawUpright(f, MARGIN.top, `stroke:${COLOUR.grid};stroke-width:1`);
      this.drawText(String(f), { x: this.x(f), y: PLOT_HEIGHT - 5, "text-anchor": f === 0 ? "start" : "middle" });
    }
  }
  drawLegend() {
    for (const name of ["focus", "aperture"])
      this.drawText(t(name), { x: MARGIN.left + LEGEND[name], y: 12, style: `fill:${COLOUR[name]}` });
  }
  drawCurve(valueAt, colour) {
    const points = [];
    const samples = Math.min(this.last, CURVE_SAMPLES);
    for (let i = 0; i <= samples; i++) {
      const frame = i / samples * this.last;
      const value = valueAt(frame);
      if (value !== null) points.push(`${this.x(frame).toFixed(1)},${this.y(value).toFixed(1)}`);
    }
    const style = `fill:none;stroke:${colour};stroke-width:2;stroke-linejoin:round`;
    this.element.append(svg("polyline", { points: points.join(" "), style }));
  }
  drawKeys({ keys, frame, focusAt, apertureAt }) {
    for (const key of keys) {
      const ofFocus = setsFocus(key);
      const value = (ofFocus ? focusAt(key.frame) : apertureAt(key.frame)) ?? UNKNOWN_HEIGHT;
      const fill = key.frame === frame ? COLOUR.shown : ofFocus ? COLOUR.focus : COLOUR.aperture;
      this.element.append(
        svg("path", {
          class: "rf-key",
          d: `M${this.x(key.frame)} ${this.y(value) - 6}l6 6-6 6-6-6z`,
          style: `fill:${fill};stroke:rgba(0,0,0,.7);stroke-width:1.2;cursor:ew-resize`
        })
      );
    }
  }
};

// src/focus/timeline.ts
var FRAMES_WITHOUT_CLIP = 48;
var BUTTONS_HEIGHT2 = 36;
var Timeline = class {
  constructor(host) {
    this.host = host;
    const title = "Set a key at this frame from the focus and the aperture that are set now";
    this.setButton = button("Set key", title, () => {
      this.setKey();
    });
    this.removeButton = button("Remove", "Remove the key at this frame", () => {
      this.host.write(this.otherKeys());
    });
    for (const name of EASES) this.ease.append(html("option", { value: name }, name));
    this.ease.addEventListener("change", () => {
      const ease = this.ease.value;
      this.host.write(this.host.keys().map((k) => k.frame === this.frame ? { ...k, ease } : k));
    });
    const space = html("span", { class: "rf-space" });
    const bar = html("div", { class: "rf-bar" }, this.setButton, this.removeButton, this.ease, space, this.frameLabel);
    this.element.append(this.plot.element, bar);
    this.listen();
  }
  host;
  static height = PLOT_HEIGHT + BUTTONS_HEIGHT2;
  element = html("div", { class: "rf-timeline rf-hidden" });
  plot = new Plot();
  setButton;
  removeButton;
  ease = html("select", { "aria-label": t("How the way to the next key runs") });
  frameLabel = html("span", { class: "rf-where", "aria-live": "polite" });
  frame = 0;
  /** Frame of the key that is dragged. */
  dragged = null;
  get open() {
    return !this.element.classList.contains("rf-hidden");
  }
  show(on) {
    this.element.classList.toggle("rf-hidden", !on);
    if (on) this.draw();
  }
  /** Last frame that the plot reaches: that of the clip, or of the last key where that lies beyond. */
  get last() {
    const frames = this.host.frames();
    const clip = (frames > 1 ? frames : FRAMES_WITHOUT_CLIP) - 1;
    return Math.max(clip, ...this.host.keys().map((k) => k.frame), 1);
  }
  /** All keys but the one at the shown frame. */
  otherKeys() {
    return this.host.keys().filter((k) => k.frame !== this.frame);
  }
  setKey() {
    const old = this.host.keys().find((k) => k.frame === this.frame);
    const key = { frame: this.frame, ...this.host.current(), ease: old?.ease ?? "ease" };
    this.host.write([...this.otherKeys(), key].sort((a, b) => a.frame - b.frame));
  }
  go(frame) {
    this.frame = clamp(frame, 0, this.last);
    this.host.showFrame(this.frame);
  }
  listen() {
    const { element } = this.plot;
    const release = () => {
      if (this.dragged !== null) this.host.end();
      this.dragged = null;
    };
    element.addEventListener("pointerdown", (event) => {
      this.down(event);
    });
    element.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }
  /** Go to the frame under the pointer, or take hold of the key beside it. */
  down(event) {
    if (event.button !== 0) return;
    const { element } = this.plot;
    event.stopPropagation();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    const at = this.plot.frameAt(event, this.last);
    const away = (k) => Math.abs(k.frame - at);
    const [nearest] = [...this.host.keys()].sort((a, b) => away(a) - away(b));
    if (!nearest || away(nearest) > this.plot.grabFrames(this.last)) {
      this.go(at);
      return;
    }
    this.go(nearest.frame);
    this.dragged = nearest.frame;
    this.host.begin();
  }
  move(event) {
    if (!this.plot.element.hasPointerCapture(event.pointerId)) return;
    const at = this.plot.frameAt(event, this.last);
    const { dragged } = this;
    if (dragged === null) {
      this.go(at);
      return;
    }
    const keys = this.host.keys();
    if (keys.some((k) => k.frame === at)) return;
    const moved = keys.map((k) => k.frame === dragged ? { ...k, frame: at } : k);
    this.dragged = at;
    this.host.write(moved.sort((a, b) => a.frame - b.frame));
    this.go(at);
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowLeft") this.go(this.frame - by);
    else if (event.key === "ArrowRight") this.go(this.frame + by);
    else if (event.key === "Enter") this.setKey();
    else if (event.key === "Delete" || event.key === "Backspace") this.removeButton.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  draw() {
    if (!this.open) return;
    const keys = this.host.keys();
    const { last } = this;
    this.frame = Math.min(this.frame, last);
    const { focusAt, apertureAt } = this.host;
    this.plot.draw({ keys, last, frame: this.frame, focusAt, apertureAt });
    const here = keys.find((k) => k.frame === this.frame);
    this.frameLabel.textContent = `${t("frame")} ${this.frame}`;
    this.setButton.textContent = t(here ? "Set again" : "Set key");
    this.removeButton.disabled = !here;
    this.ease.disabled = !here || this.frame === keys[keys.length - 1].frame;
    this.ease.value = here?.ease ?? "ease";
  }
};

// src/focus/view.ts
var LABEL = "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.";
var LEAST_WIDTH4 = 360;
var GAP = 6;
var MODES = [
  ["defocus", "Defocus", "Blue in front of the focal plane, red behind it, yellow where it is sharp"],
  ["photo", "Photo", "The photo alone"],
  ["depth", "Depth", "Near is bright"],
  ["3d", "3-D", "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane"]
];
var FocusView = class {
  constructor(app2, api2, node) {
    this.app = app2;
    this.api = api2;
    this.node = node;
    const draw = () => {
      this.draw();
    };
    this.undo = new UndoStep(app2, node);
    this.widgets = new FocusWidgets(app2, node);
    this.model = new FocusModel(this.widgets);
    this.edits = new FocusEdits(this.model, draw);
    this.source = new SourcePhoto(draw);
    this.status = new StatusLine(this.model, () => this.timeline.open);
    this.scene = this.makeScene();
    this.timeline = this.makeTimeline();
    this.timelineToggle = new Toggle("Timeline", "Keyframes of focus and aperture over a clip", (on) => {
      this.showTimeline(on);
    });
    this.modes = new Choice("What the picture shows", MODES, (mode) => {
      this.mode = mode;
      this.status.notice = null;
      this.draw();
    });
    this.modes.select(this.mode);
    this.build();
    this.listen();
  }
  app;
  api;
  node;
  root = html("div", { class: "rf-view", "data-refocus": "focus" });
  stage = new Stage(LABEL);
  reticle = new Reticle();
  undo;
  widgets;
  model;
  edits;
  source;
  status;
  scene;
  timeline;
  timelineToggle;
  modes;
  mode = "defocus";
  /** The outputs that were taken last; their thumbnails may still be on the way. */
  payload = null;
  drawnSignature = "";
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
  makeScene() {
    return new ScenePanel({
      model: this.model,
      place: this.stage.element,
      onFocus: (share) => {
        this.edits.focusShare(share);
      },
      onGrab: (grabbed) => {
        if (grabbed) this.undo.begin();
        else this.undo.end();
      }
    });
  }
  makeTimeline() {
    return new Timeline({
      keys: () => this.widgets.keys(),
      write: (keys) => {
        this.undo.run(() => {
          this.edits.keys(keys);
        });
      },
      begin: () => {
        this.undo.begin();
      },
      end: () => {
        this.undo.end();
      },
      frames: () => this.payload?.frames ?? 1,
      current: () => this.widgets.currentKey(),
      focusAt: (frame) => this.model.focusAt(frame),
      apertureAt: (frame) => this.model.apertureAt(frame),
      showFrame: (frame) => {
        this.model.showFrame(frame);
        this.draw();
      }
    });
  }
  /** Put the parts together, and the whole into the node. */
  build() {
    const { app: app2, node } = this;
    const bar = html("div", { class: "rf-bar" }, this.modes.element, this.timelineToggle.element);
    this.stage.element.append(this.reticle.element);
    this.root.append(bar, this.stage.element, this.status.element, this.timeline.element, this.status.spoken);
    replacePreview(node);
    mount(app2, node, this.root, () => this.minHeight());
    node.setSize([Math.max(node.size[0], LEAST_WIDTH4), node.size[1]]);
    fit(node);
  }
  listen() {
    new Gestures({
      app: this.app,
      stage: this.stage,
      widgets: this.widgets,
      edits: this.edits,
      undo: this.undo,
      hover: (at) => {
        this.status.setHover(at);
      },
      done: () => {
        this.status.speak();
      }
    });
    onOutputs(this.api, this.node, (output) => {
      this.take(output);
    });
    everyFrame(this.node, this.root, () => {
      this.tick();
    });
  }
  async load(payload) {
    try {
      const run = await Run.load(this.api, payload);
      if (payload !== this.payload) return;
      this.model.takeRun(run);
      if (!this.timeline.open && this.widgets.read().keyframes !== "") {
        this.timelineToggle.set(true);
        this.timeline.show(true);
      }
      this.resize();
    } catch {
      this.payload = null;
    }
    this.draw();
  }
  showTimeline(on) {
    this.timeline.show(on);
    if (!on) this.node.setSize([this.node.size[0], this.node.size[1] - Timeline.height - GAP]);
    this.resize();
    this.draw();
  }
  resize() {
    this.root.style.minHeight = `${this.minHeight()}px`;
    fit(this.node);
  }
  minHeight() {
    const timeline = this.timeline.open ? Timeline.height + GAP : 0;
    return viewHeight(this.node.size[0], this.stage.shape) + timeline;
  }
  /** Once for every picture of the browser. */
  tick() {
    if (!this.payload) {
      this.take(lastOutputs(this.app, this.node));
      this.source.show(this.hasOutputs ? null : sourcePicture(this.app, this.api, this.node));
    }
    if (this.signature() !== this.drawnSignature) this.draw();
  }
  /** Everything that the drawing depends on, beside what was loaded. */
  signature() {
    return `${this.widgets.signature()} ${this.stage.element.clientWidth}`;
  }
  draw() {
    this.drawnSignature = this.signature();
    const state = this.model.update();
    const source = state.kind === "not run" ? this.source.image : null;
    drawPicture(this.stage, state, source, this.mode);
    if (source) this.root.style.minHeight = `${this.minHeight()}px`;
    this.stage.element.classList.toggle("rf-photo", source !== null);
    this.stage.empty.textContent = state.kind === "not run" ? whatToDo(source !== null) : "";
    this.drawScene();
    this.reticle.draw(state.settings, this.stage.shape, this.stage.element.clientWidth);
    this.timeline.draw();
    this.status.draw();
  }
  drawScene() {
    const wanted = this.mode === "3d" && this.model.state.kind !== "not run";
    if (wanted && !this.scene.isOpen)
      try {
        this.scene.open();
      } catch (error) {
        this.mode = "depth";
        this.modes.select(this.mode);
        this.status.notice = error instanceof Error ? error.message : String(error);
      }
    else if (!wanted) this.scene.close();
    for (const flat of [this.reticle.element, this.stage.canvas]) flat.classList.toggle("rf-hidden", this.scene.isOpen);
    this.scene.draw();
  }
};
function whatToDo(photoIsShown) {
  return photoIsShown ? t("Click to focus. After one run the defocus follows at once.") : t("Run once, then click here to focus.");
}

// src/inputs/case.ts
var SUBGRAPH_INPUT = -10;
var IDLE_MODES = [2, 4];
function mayHold(node, wanted) {
  return Object.entries(wanted).every(([name, words]) => {
    const word = wordOf(node, name);
    return word === null || words.some((w) => w.endsWith(":") ? word.startsWith(w) : word === w);
  });
}
function slotOf(node, name) {
  return node.inputs?.find((i) => i.widget?.name === name || i.name === name);
}
function wordOf(node, name) {
  const widget = node.widgets?.find((w) => w.name === name);
  const slot = slotOf(node, name);
  const { graph } = node;
  const link = slot && graph ? linkOf(graph, slot) : void 0;
  if (widget) return link ? null : textOf(widget.value);
  if (!link) return "open";
  return isCertain(graph, link.origin_id) ? "connected" : null;
}
function textOf(value) {
  return typeof value === "boolean" ? value ? "on" : "off" : String(value);
}
function isCertain(graph, origin) {
  return Number(origin) !== SUBGRAPH_INPUT && !IDLE_MODES.includes(graph.getNodeById(origin)?.mode ?? 0);
}

// src/inputs/when.ts
var WHEN = {
  RefocusDepthEstimate: {
    model: [{ "source": ["model"] }, { "source": ["auto"], "da3_geometry": ["open"], "moge_geometry": ["open"], "depth_image": ["open"] }],
    allow_download: [{ "source": ["model"] }, { "source": ["auto"], "da3_geometry": ["open"], "moge_geometry": ["open"], "depth_image": ["open"] }],
    geometry_units: [{ "source": ["da3_geometry", "moge_geometry"] }, { "source": ["auto"], "da3_geometry": ["connected"] }, { "source": ["auto"], "moge_geometry": ["connected"] }],
    da3_resolution: [{ "source": ["da3_geometry"] }, { "source": ["auto"], "da3_geometry": ["connected"] }],
    depth_kind: [{ "source": ["depth_image"] }, { "source": ["auto"], "depth_image": ["connected"] }],
    depth_near: [{ "source": ["depth_image"] }, { "source": ["auto"], "depth_image": ["connected"] }],
    metres_per_unit: [{ "source": ["depth_image"] }, { "source": ["auto"], "depth_image": ["connected"] }],
    steady_frames: [{ "source": ["model"] }, { "source": ["auto"], "da3_geometry": ["open"], "moge_geometry": ["open"], "depth_image": ["open"] }]
  },
  RefocusAdjustDepth: {
    action: [{ "mask": ["connected"] }],
    target: [{ "mask": ["connected"], "action": ["pull", "move"] }, { "isolate": ["on"] }],
    x: [{ "mask": ["connected"], "action": ["pull", "move"], "target": ["point"] }, { "isolate": ["on"], "target": ["point"] }],
    y: [{ "mask": ["connected"], "action": ["pull", "move"], "target": ["point"] }, { "isolate": ["on"], "target": ["point"] }],
    amount: [{ "mask": ["connected"], "action": ["flatten", "plane", "pull", "move"] }],
    level: [{ "mask": ["connected"], "action": ["pull", "move"], "target": ["level"] }, { "isolate": ["on"], "target": ["level"] }],
    distance_m: [{ "mask": ["connected"], "action": ["pull", "move"], "target": ["distance"] }, { "isolate": ["on"], "target": ["distance"] }],
    feather: [{ "mask": ["connected"], "action": ["flatten", "plane", "pull", "move"] }],
    tolerance: [{ "isolate": ["on"] }],
    softness: [{ "isolate": ["on"] }]
  },
  RefocusDepthToImage: {
    farthest_m: [{ "values": ["metres"] }]
  },
  RefocusDefocusMap: {
    x: [{ "focus": ["point", "two points"] }],
    y: [{ "focus": ["point", "two points"] }],
    distance_m: [{ "focus": ["distance"] }],
    percent: [{ "strength": ["percent of long edge"] }],
    f_number: [{ "strength": ["camera"] }],
    focal_mm: [{ "strength": ["camera"] }],
    sensor: [{ "strength": ["camera"] }],
    focus_radius: [{ "focus": ["point", "two points"] }],
    sensor_mm: [{ "strength": ["camera"], "sensor": ["other: sensor_mm"] }],
    x2: [{ "focus": ["two points"] }],
    y2: [{ "focus": ["two points"] }],
    tilt_deg: [{ "focus": ["point"] }],
    swing_deg: [{ "focus": ["point"] }],
    breathing: [{ "strength": ["camera"] }],
    genfocus_k: [{ "strength": ["K of Genfocus"] }],
    mask_blur: [{ "blur_mask": ["connected"] }]
  },
  RefocusDefocusFromImage: {
    above: [{ "signs": ["signed", "grey"] }],
    focus: [{ "signs": ["unsigned"] }],
    x: [{ "signs": ["unsigned"], "focus": ["point"] }],
    y: [{ "signs": ["unsigned"], "focus": ["point"] }]
  },
  RefocusDefocusToImage: {
    above: [{ "signs": ["signed", "grey"] }]
  },
  RefocusAllInFocus: {
    strength: [{ "method": ["auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", "model:", "generative"] }],
    noise: [{ "method": ["deconvolution", "blind-deconvolution"] }, { "method": ["auto"], "defocus": ["connected"] }],
    tile_px: [{ "method": ["auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", "model:"] }]
  },
  RefocusReblur: {
    quality: [{ "method": ["render", "hybrid"] }],
    redraw: [{ "method": ["hybrid"] }],
    bloom: [{ "glass": ["on"] }],
    lateral_color: [{ "glass": ["on"] }]
  },
  RefocusBokehKernel: {
    shape: [{ "preset": ["none"] }],
    blades: [{ "shape": ["polygon"], "preset": ["none"] }],
    curvature: [{ "shape": ["polygon", "triangle"], "preset": ["none"] }],
    rotation_deg: [{ "shape": ["polygon", "heart", "star", "triangle"], "preset": ["none"] }],
    inner: [{ "shape": ["ring", "star"], "preset": ["none"] }],
    points: [{ "shape": ["star"], "preset": ["none"] }],
    softness: [{ "preset": ["none"] }],
    color: [{ "shape": ["image"], "preset": ["none"] }],
    center: [{ "shape": ["image"], "preset": ["none"] }],
    squeeze: [{ "preset": ["none"] }],
    spherical: [{ "preset": ["none"] }],
    fringe: [{ "preset": ["none"] }],
    onion: [{ "preset": ["none"] }],
    field: [{ "preset": ["none"] }],
    cat_eye: [{ "field": ["on"], "preset": ["none"] }],
    swirl: [{ "field": ["on"], "preset": ["none"] }],
    coma: [{ "field": ["on"], "preset": ["none"] }],
    barn_doors: [{ "field": ["on"], "preset": ["none"] }]
  },
  RefocusDepthMatte: {
    x: [{ "select": ["point"] }],
    y: [{ "select": ["point"] }],
    tolerance: [{ "select": ["point"] }],
    near: [{ "select": ["limits"] }],
    far: [{ "select": ["limits"] }]
  },
  RefocusVideo: {
    x: [{ "focus": ["point", "two points"] }],
    y: [{ "focus": ["point", "two points"] }],
    distance_m: [{ "focus": ["distance"] }],
    percent: [{ "strength": ["percent of long edge"] }],
    f_number: [{ "strength": ["camera"] }],
    focal_mm: [{ "strength": ["camera"] }],
    sensor: [{ "strength": ["camera"] }],
    keyframes: [{ "focus": ["keyframes"] }],
    near_m: [{ "strength": ["camera"] }, { "focus": ["distance", "keyframes"] }],
    far_m: [{ "strength": ["camera"] }, { "focus": ["distance", "keyframes"] }],
    sensor_mm: [{ "strength": ["camera"], "sensor": ["other: sensor_mm"] }],
    focus_radius: [{ "focus": ["point", "two points"] }],
    x2: [{ "focus": ["two points"] }],
    y2: [{ "focus": ["two points"] }],
    tilt_deg: [{ "focus": ["point"] }],
    swing_deg: [{ "focus": ["point"] }],
    focus_range: [{ "fine_tuning": ["on"] }],
    near_gain: [{ "fine_tuning": ["on"] }],
    far_gain: [{ "fine_tuning": ["on"] }],
    field_curvature: [{ "fine_tuning": ["on"] }],
    breathing: [{ "fine_tuning": ["on"], "strength": ["camera"], "focus": ["keyframes"] }],
    highlight_boost: [{ "fine_tuning": ["on"] }],
    highlight_recovery: [{ "fine_tuning": ["on"] }],
    recover_in_focus: [{ "fine_tuning": ["on"] }],
    bloom: [{ "fine_tuning": ["on"] }],
    lateral_color: [{ "fine_tuning": ["on"] }],
    exposure: [{ "fine_tuning": ["on"] }],
    grain: [{ "fine_tuning": ["on"] }],
    refine: [{ "fine_tuning": ["on"] }],
    steady_frames: [{ "fine_tuning": ["on"] }]
  },
  RefocusGenfocusApply: {
    tiles_per_batch: [{ "tiling": ["auto"] }]
  }
};

// src/inputs/shown.ts
function hasCases(type) {
  return Object.keys(WHEN[type] ?? {}).length > 0;
}
function hideWithoutEffect(node, type) {
  const cases = Object.entries(WHEN[type] ?? {});
  const deciding = new Set(cases.flatMap(([, any]) => any.flatMap(Object.keys)));
  const update = (resize) => {
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
  let restoring = false;
  const changed = () => {
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
  whileAlive(node, () => {
    if (!UndoStep.isOpen(node)) update(false);
  });
  update(true);
}
function isLinked(node, name) {
  const link = slotOf(node, name)?.link;
  return link !== null && link !== void 0;
}
function places(widget) {
  const kept = widget._state?.options;
  return kept ? [kept, widget.options ??= {}] : [widget.options ??= {}];
}
function isSetTo(widget, hidden) {
  return places(widget).every((options) => (options["hidden"] ?? false) === hidden);
}
function setHidden(widget, hidden) {
  widget.hidden = hidden;
  for (const options of places(widget)) options["hidden"] = hidden;
}
function afterCall(owner, name, act) {
  const own = owner[name];
  owner[name] = function(...args) {
    const result = own?.apply(this, args);
    act();
    return result;
  };
}

// src/kernel/shapes.ts
var SUPERSAMPLING = 4;
var HEART_POINTS = 4097;
var LEAST_NOTCH = 0.1;
var BEYOND = 1.001;
var TAU = 2 * Math.PI;
var remainder = (a, b) => a - b * Math.floor(a / b);
function polygon(blades, curvature) {
  const sector = TAU / blades;
  const apothem = Math.cos(sector / 2);
  const halfChord = Math.sin(sector / 2);
  const bulge = curvature * (1 - apothem);
  const arcRadius = curvature > 0 ? (halfChord ** 2 + bulge ** 2) / (2 * bulge) : 0;
  const arcCentre = apothem + bulge - arcRadius;
  return (x, y) => {
    const angle = remainder(Math.atan2(x, -y), sector) - sector / 2;
    const radius = Math.hypot(x, y);
    const along = radius * Math.cos(angle);
    if (along <= apothem) return true;
    return curvature > 0 && (along - arcCentre) ** 2 + (radius * Math.sin(angle)) ** 2 <= arcRadius ** 2;
  };
}
function star(points, inner) {
  const sector = TAU / points;
  const notchX = inner * Math.cos(sector / 2);
  const notchY = inner * Math.sin(sector / 2);
  return (x, y) => {
    const angle = Math.abs(remainder(Math.atan2(x, -y) + sector / 2, sector) - sector / 2);
    const radius = Math.hypot(x, y);
    return (radius * Math.cos(angle) - 1) * notchY - (notchX - 1) * (radius * Math.sin(angle)) <= 0;
  };
}
function heartOutline() {
  const n = HEART_POINTS;
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
  const far = 1e9;
  const grid = new Float64Array(n * n);
  for (let j = 0; j < size; j++)
    for (let i = 0; i < size; i++) if (open[j * size + i] > 0.5) grid[(j + 1) * n + i + 1] = far;
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
  const samples = s.shape !== "heart" ? sampled(insideOf(s), n, turn) : turn === 0 ? heart(n) : turned(heart(n), n, turn);
  const cells = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++)
      cells[Math.floor(j / SUPERSAMPLING) * size + Math.floor(i / SUPERSAMPLING)] += samples[j * n + i] / SUPERSAMPLING ** 2;
  if (s.softness > 0) {
    const soft = falloff(cells, size, s.softness);
    for (let i = 0; i < cells.length; i++) cells[i] *= soft[i];
  }
  const most = cells.reduce((a, b) => Math.max(a, b), 1e-20);
  return cells.map((v) => v / most);
}
function insideOf(s) {
  if (s.shape === "polygon") return polygon(s.blades, s.curvature);
  if (s.shape === "triangle") return polygon(3, s.curvature);
  if (s.shape === "star") return star(s.points, Math.max(s.inner, LEAST_NOTCH));
  const obstruction2 = s.shape === "ring" ? s.inner ** 2 : 0;
  return (x, y) => x * x + y * y <= 1 && x * x + y * y >= obstruction2;
}
function sampled(inside, n, turn) {
  const out = new Float32Array(n * n);
  const c = Math.cos(turn);
  const s = Math.sin(turn);
  for (let j = 0; j < n; j++) {
    const y = (j + 0.5) * 2 / n - 1;
    for (let i = 0; i < n; i++) {
      const x = (i + 0.5) * 2 / n - 1;
      if (x * x + y * y <= BEYOND && inside(c * x + s * y, c * y - s * x)) out[j * n + i] = 1;
    }
  }
  return out;
}
function paintKernel(planes2, rgba) {
  const most = planes2.reduce((a, plane2) => plane2.reduce((b, v) => Math.max(b, v), a), 1e-20);
  const shade = (plane2, i) => 255 * linearToSrgb(plane2[i] / most);
  for (let i = 0; i < planes2[0].length; i++)
    rgba.set([...[0, 1, 2].map((c) => shade(planes2[c % planes2.length], i)), 255], 4 * i);
}

// src/kernel/character.ts
var SAMPLES = 2;
var NEWTON_STEPS = 6;
function differsInFront(s) {
  return s.spherical !== 0 || s.fringe !== 0;
}
function planes(s, size, side) {
  const cells = raster(s, size);
  const isNeutral = s.squeeze === 1 && s.onion === 0 && !differsInFront(s);
  if (isNeutral) return [scaled(cells)];
  const fringe = s.fringe * side;
  const smaller = 1 - MOST_FRINGE * Math.abs(fringe);
  const radii = fringe === 0 ? [1] : fringe > 0 ? [smaller, 1, smaller] : [1, smaller, 1];
  return radii.map((radius) => scaled(plane(cells, size, s, side, radius)));
}
function scaled(cells) {
  const sum = cells.reduce((a, b) => a + b, 0);
  return sum > 0 ? cells.map((v) => v / sum) : cells;
}
function plane(cells, size, s, side, radius) {
  const n = size * SAMPLES;
  const a = -MOST_SPHERICAL * s.spherical * side;
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++) {
    const y = ((j + 0.5) * 2 / n - 1) / radius / Math.min(s.squeeze, 1);
    for (let i = 0; i < n; i++) {
      const x = ((i + 0.5) * 2 / n - 1) / radius * Math.max(s.squeeze, 1);
      const distance = Math.hypot(x, y);
      const rho = pupilRadius(distance, a);
      const density = distance <= 1 ? (1 + a) ** 2 / ((1 + a * rho * rho) * (1 + 3 * a * rho * rho)) : 1;
      const rings = (1 + s.onion * Math.cos(2 * Math.PI * ONION_RINGS * rho)) / 2;
      const ratio = rho / Math.max(distance, 1e-12);
      const light = lookedUp(cells, size, x * ratio, y * ratio) * density * rings;
      out[Math.floor(j / SAMPLES) * size + Math.floor(i / SAMPLES)] += light / SAMPLES ** 2;
    }
  }
  return out;
}
function pupilRadius(distance, a) {
  if (a === 0 || distance > 1) return distance;
  const target = distance * (1 + a);
  let rho = distance;
  for (let k = 0; k < NEWTON_STEPS; k++) {
    const step = (rho + a * rho ** 3 - target) / (1 + 3 * a * rho * rho);
    rho = Math.min(Math.max(rho - step, 0), 1);
  }
  return rho;
}
function lookedUp(cells, size, x, y) {
  const column = (x + 1) * size / 2 - 0.5;
  const row = (y + 1) * size / 2 - 0.5;
  const x0 = Math.floor(column);
  const y0 = Math.floor(row);
  const at = (dx, dy) => {
    const i = x0 + dx;
    const j = y0 + dy;
    return i < 0 || j < 0 || i >= size || j >= size ? 0 : cells[j * size + i];
  };
  const fx = column - x0;
  const fy = row - y0;
  const upper = at(0, 0) * (1 - fx) + at(1, 0) * fx;
  const lower = at(0, 1) * (1 - fx) + at(1, 1) * fx;
  return upper * (1 - fy) + lower * fy;
}

// src/kernel/field.ts
var SAMPLES2 = 2;
var NEWTON_STEPS2 = 4;
function hasField(s) {
  return s.cat_eye !== 0 || s.swirl !== 0 || s.coma !== 0 || s.barn_doors !== 0;
}
function fieldDiffersInFront(s) {
  return s.swirl !== 0 || s.coma !== 0;
}
function planesAt(s, size, side, px, py) {
  const reach = reachOf(planes(s, size, 1), size);
  return planes(s, size, side).map((plane2) => scaled(seen(plane2, s, size, side, [px, py], reach)));
}
function reachOf(light, size) {
  const peak = light.reduce(
    (most, plane2) => Math.max(
      most,
      plane2.reduce((a, b) => Math.max(a, b), 0)
    ),
    0
  );
  let reach = 1;
  for (const plane2 of light)
    plane2.forEach((value, k) => {
      const [x, y] = [k % size, Math.floor(k / size)].map((v) => (v + 0.5) * 2 / size - 1);
      if (value > DARK * peak) reach = Math.max(reach, Math.hypot(x, y) - 1 / size);
    });
  return reach;
}
function seen(plane2, s, size, side, [px, py], reach) {
  const distance = Math.hypot(px, py);
  const [cos, sin] = [px / distance, py / distance];
  const swirl = MOST_SWIRL * s.swirl * distance ** 2 * side;
  const coma = MOST_COMA * s.coma * distance * side;
  const longer = Math.min(1, (1 - swirl) / (1 + swirl));
  const wider = Math.min(1, (1 + swirl) / (1 - swirl));
  const n = size * SAMPLES2;
  const out = new Float32Array(size * size);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const at = [(i + 0.5) * 2 / n - 1, (j + 0.5) * 2 / n - 1];
      const ray = withoutComa((cos * at[0] + sin * at[1]) / longer, (cos * at[1] - sin * at[0]) / wider, coma);
      if (!ray) continue;
      const x = cos * ray.along - sin * ray.across;
      const y = sin * ray.along + cos * ray.across;
      const open = s.cat_eye === 0 ? 1 : (reach - Math.hypot(x + s.cat_eye * px, y + s.cat_eye * py)) * size + 0.5;
      const passed = Math.min(Math.max(open, 0), 1) * throughDoors(s, x, px, size) * throughDoors(s, y, py, size);
      const light = lookedUp(plane2, size, x, y) / ray.area * passed;
      out[Math.floor(j / SAMPLES2) * size + Math.floor(i / SAMPLES2)] += light / SAMPLES2 ** 2;
    }
  return out;
}
function throughDoors(s, at, place, size) {
  if (s.barn_doors === 0 || place === 0) return 1;
  return Math.min(Math.max((1 - Math.abs(at + s.barn_doors * place)) * size + 0.5, 0), 1);
}
function withoutComa(along, across, c) {
  if (c === 0) return { along, across, area: 1 };
  const targetA = along * (1 + 3 * Math.abs(c));
  const targetB = across * (1 + 3 * Math.abs(c));
  let [a, b] = [along, across];
  for (let k = 0; k < NEWTON_STEPS2; k++) {
    const [aa2, ab, bb] = [1 + 6 * c * a, 2 * c * b, 1 + 2 * c * a];
    const missA = a + c * (3 * a * a + b * b) - targetA;
    const missB = b * bb - targetB;
    const area2 = Math.max(aa2 * bb - ab * ab, LEAST_AREA);
    [a, b] = [a - (bb * missA - ab * missB) / area2, b - (aa2 * missB - ab * missA) / area2];
  }
  const aa = 1 + 6 * c * a;
  const area = aa * (1 + 2 * c * a) - 4 * c * c * b * b;
  const miss = Math.abs(a + c * (3 * a * a + b * b) - targetA);
  return aa > 0 && area > LEAST_AREA && miss < MOST_MISS ? { along: a, across: b, area } : null;
}

// src/kernel/presets.ts
var PRESETS = {
  "soft portrait": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0.9, "squeeze": 1, "spherical": 0, "fringe": 0, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "bright-edged bubbles": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0.9, "fringe": 0.15, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "creamy background": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": -0.7, "fringe": 0, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "mirror lens": { "shape": "ring", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.45, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0, "fringe": 0, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "classic five blades": { "shape": "polygon", "blades": 5, "curvature": 0.25, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0.35, "fringe": 0, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "modern nine blades": { "shape": "polygon", "blades": 9, "curvature": 0.4, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0, "fringe": 0, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "old triplet": { "shape": "polygon", "blades": 10, "curvature": 0.9, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 1, "fringe": 0.4, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "swirling portrait": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0.3, "fringe": 0, "onion": 0, "cat_eye": 0.7, "swirl": 0.7, "coma": 0, "barn_doors": 0 },
  "cinema prime": { "shape": "polygon", "blades": 11, "curvature": 0.9, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0, "fringe": 0, "onion": 0, "cat_eye": 0.6, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "fast prime wide open": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0.25, "fringe": 0.7, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "moulded aspheric": { "shape": "polygon", "blades": 9, "curvature": 0.8, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 1, "spherical": 0, "fringe": 0, "onion": 0.5, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 },
  "anamorphic": { "shape": "circle", "blades": 6, "curvature": 0, "rotation_deg": 0, "inner": 0.5, "points": 5, "softness": 0, "squeeze": 2, "spherical": 0, "fringe": 0.2, "onion": 0, "cat_eye": 0, "swirl": 0, "coma": 0, "barn_doors": 0 }
};

// src/kernel/view.ts
var SIZE = 128;
var OUTLINE = ["blades", "curvature", "rotation_deg", "inner", "points", "softness"];
var CHARACTER = ["squeeze", "spherical", "fringe", "onion"];
var FIELD = ["cat_eye", "swirl", "coma", "barn_doors"];
var INPUTS = ["shape", "preset", "field", ...OUTLINE, ...CHARACTER, ...FIELD];
var TEXTURE = "texture_image";
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
      if (this.now() !== this.signature) this.draw();
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
  /** The shape that `picture` shows. */
  pictured = "";
  ran = null;
  get hasOutputs() {
    return this.ran !== null;
  }
  /** Only connected pictures need it: the page does not have them. */
  take(output) {
    const [file] = output?.["images"] ?? [];
    if (!file || file.filename === this.ran) return;
    this.ran = file.filename;
    const [shape] = output?.["refocus_kernel"] ?? [];
    loadPicture(address(this.api, file)).then(
      (picture) => {
        this.picture = picture;
        this.pictured = shape ?? "";
        this.draw();
      },
      () => void 0
      // temporary files are gone after a restart of the server
    );
  }
  now() {
    return `${this.values.signature(INPUTS)}|${this.values.linked(TEXTURE)}`;
  }
  settings() {
    const preset = PRESETS[this.values.text("preset")];
    if (preset) return preset;
    const numbers = Object.fromEntries([...OUTLINE, ...CHARACTER].map((n) => [n, this.values.number(n)]));
    const isField = this.values.on("field");
    const field = Object.fromEntries(FIELD.map((n) => [n, isField ? this.values.number(n) : 0]));
    return { shape: this.values.text("shape"), ...numbers, ...field };
  }
  draw() {
    this.signature = this.now();
    const settings = this.settings();
    const preset = this.values.text("preset");
    const name = preset in PRESETS ? preset : settings.shape;
    const context = this.canvas.getContext("2d");
    this.empty.textContent = "";
    let text = `${name} · ${t("as a light behind the focal plane")}`;
    if (settings.shape !== "image" && !this.values.linked(TEXTURE)) {
      const lights = drawn(settings);
      this.resize(lights.length * SIZE, SIZE);
      lights.forEach((light, k) => {
        this.paint(context, light, k * SIZE);
      });
      if (lights.length > 1)
        text = hasField(settings) ? `${name} · ${t("as a light in the middle, and towards the upper right corner")}` : `${name} · ${t("as a light behind the focal plane, and in front of it")}`;
    } else if (this.picture && this.pictured === settings.shape) {
      this.resize(SIZE * this.picture.naturalWidth / this.picture.naturalHeight, SIZE);
      context.drawImage(this.picture, 0, 0, this.canvas.width, SIZE);
      text = `${name} · ${t("as of the last run")}`;
    } else {
      this.resize(SIZE, SIZE);
      this.empty.textContent = t("Run once to see the connected picture as an aperture.");
      text = name;
    }
    this.canvas.setAttribute("aria-label", text);
    this.status.textContent = text;
  }
  /** Also clears the canvas. */
  resize(width, height) {
    this.canvas.width = Math.round(width);
    this.canvas.height = height;
  }
  paint(context, shown, left) {
    const pixels = context.createImageData(SIZE, SIZE);
    paintKernel(shown, pixels.data);
    context.putImageData(pixels, left, 0);
  }
};
function drawn(s) {
  const mirrored = (light) => light.map((plane2) => plane2.reverse());
  const lights = [planes(s, SIZE, 1)];
  if (differsInFront(s)) lights.push(mirrored(planes(s, SIZE, -1)));
  if (hasField(s)) {
    lights.push(planesAt(s, SIZE, 1, ...CORNER));
    if (differsInFront(s) || fieldDiffersInFront(s)) lights.push(mirrored(planesAt(s, SIZE, -1, ...CORNER)));
  }
  return lights;
}

// src/kernel/index.ts
var kernel_exports = {};
__export(kernel_exports, {
  paintKernel: () => paintKernel,
  planes: () => planes,
  planesAt: () => planesAt
});

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
var PREVIEWS_TOOLTIP = "Which frames of a clip the nodes show, from the next run on. None: no such pictures are written; only Defocus Map and Bokeh Kernel keep what they draw from. Results stay the same.";
var HISTORY_ENTRIES = 16;
var views = /* @__PURE__ */ new WeakMap();
async function restore() {
  const graph = app.rootGraph ?? app.graph;
  const waiting = graph.nodes.filter((n) => views.get(n)?.hasOutputs === false);
  if (waiting.length === 0 || !graph.id) return;
  const reply = await api.fetchApi(`/history?max_items=${HISTORY_ENTRIES}`);
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
  settings: [
    {
      // nodes/host/preferences.py reads it from the file in which ComfyUI keeps settings.
      id: "Refocus.Previews",
      name: "Previews on nodes",
      tooltip: PREVIEWS_TOOLTIP,
      type: "combo",
      options: ["first frame", "every frame", "none"],
      defaultValue: "first frame"
    }
  ],
  nodeCreated(node) {
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
  }
});
export {
  kernel_exports as kernel,
  law_exports as law
};
