/** The one style sheet of the extension. */

import { FOCUS_COLOUR } from "./colours";
import { html } from "./dom";

const STYLE = `
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

/** Once for the page. */
export function addStyle(): void {
  if (document.getElementById("refocus-style")) return;
  document.head.append(html("style", { id: "refocus-style" }, STYLE));
}
