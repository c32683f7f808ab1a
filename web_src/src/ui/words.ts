/** The words of the views in Simplified Chinese, by their English; chosen by ComfyUI's own language setting. */

const ZH: Record<string, string | undefined> = {
  "Click to focus · drag over what shall be sharp · Shift+click for a second point":
    "单击对焦 · 拖动圈住应清晰的部分 · Shift+单击设第二点",
  "Focus point on the photo. Arrow keys move it, with Shift in larger steps; plus and minus change the focus range.":
    "照片上的对焦点。方向键移动，按住 Shift 步子更大；加号和减号改变清晰范围。",
  "What the picture shows": "画面显示",
  Defocus: "离焦",
  "Blue in front of the focal plane, red behind it, yellow where it is sharp": "焦平面之前蓝色，之后红色，清晰处黄色",
  Photo: "照片",
  "The photo alone": "只看照片",
  Depth: "深度",
  "Near is bright": "近处亮",
  "3-D": "三维",
  "The photo in depth: drag to turn it, drag the rim of the yellow sheet to move the focal plane":
    "照片的纵深：拖动旋转，拖动黄色薄片的边框移动焦平面",
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
  "Timeline. Left and right arrow keys move the frame, Enter sets a key there, Delete removes it.":
    "时间轴。左右方向键换帧，回车设关键帧，Delete 删除。",
  "How the way to the next key runs": "到下一关键帧的过渡",
  "Set key": "设关键帧",
  "Set again": "重设",
  "Set a key at this frame from the focus and the aperture that are set now": "用当前的焦点和光圈在此帧设关键帧",
  Remove: "删除",
  "Remove the key at this frame": "删除此帧的关键帧",
  focus: "焦点",
  aperture: "光圈",
};

let chinese = false;

export function useLanguage(locale: unknown): void {
  chinese = typeof locale === "string" && locale.startsWith("zh") && !locale.startsWith("zh-TW");
}

export function t(english: string): string {
  return (chinese ? ZH[english] : undefined) ?? english;
}
