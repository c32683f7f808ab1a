"""Draws the pictures of the nodes' help pages into web/docs, from real renders of the sample pictures.

python -m tools.help [NODE_ID ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from refocus_core import bokeh, clip, color, defocus, depth, restore
from refocus_core.files import clips, pictures, stored_depth
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers import portraits
from tests.helpers.motorcycle import FAR_M, NEAR_M
from tests.helpers.paths import DATA, REPO
from tools.samples import BENCH, tensor

OUT = REPO / "web" / "docs"
"""Where the help pages look for their pictures."""
WIDTH, GAP = 720, 6
"""Width of the help panel, and room between parts, in px."""
HEADLIGHT = defocus.FocusPoint(0.735, 0.31)
"""Of the motorcycle photo: the point in focus."""


def image(srgb: Tensor) -> Image.Image:
    """[1,3,H,W] in 0..1 -> a picture."""
    return Image.fromarray((srgb[0].clamp(0, 1).movedim(0, -1) * 255).round().to(torch.uint8).numpy())


def row(parts: Sequence[Image.Image], out: str) -> None:
    """Parts of the same height beside each other, fitted to the width of the help panel."""
    height = min(p.height for p in parts)
    fitted = [p.resize((round(p.width * height / p.height), height), Image.Resampling.LANCZOS) for p in parts]
    strip = Image.new("RGB", (sum(p.width for p in fitted) + GAP * (len(fitted) - 1), height), (24, 24, 24))
    x = 0
    for p in fitted:
        strip.paste(p, (x, 0))
        x += p.width + GAP
    scale = WIDTH / strip.width
    strip.resize((WIDTH, round(height * scale)), Image.Resampling.LANCZOS).save(OUT / out, quality=76, method=6)


def photo_and_depth() -> tuple[Tensor, DepthMap]:
    photo = tensor("motorcycle.png")
    found = depth.from_image(pictures.load_map(DATA / "motorcycle_near_bright.png"), near_m=NEAR_M, far_m=FAR_M)
    return photo, depth.refine(found, photo)


def rendered(photo: Tensor, made: DefocusMap, kernel: object = None, boost: float = 0.0) -> Image.Image:
    return image(color.linear_to_srgb(bokeh.render(color.srgb_to_linear(photo), made, kernel, highlight_boost=boost)))


def depth_estimate(out: str) -> None:
    photo, found = photo_and_depth()
    row([image(photo), image(depth.preview(found))], out)


def painted(shape: Sequence[tuple[float, float]], photo: Tensor) -> Tensor:
    """[1,H,W] a polygon, corners in 0..1, as a mask for a photo."""
    h, w = photo.shape[-2:]
    mask = Image.new("L", (w, h), 0)
    ImageDraw.Draw(mask).polygon([(x * w, y * h) for x, y in shape], fill=255)
    return torch.from_numpy(np.array(mask)).float()[None] / 255


def adjust_depth(out: str) -> None:
    photo = tensor("motorcycle.png")
    found = depth.estimate(photo, "refocus-depth-s")
    mask = painted(BENCH, photo)
    mended = depth.adjust(found, area=depth.Area(mask, "pull", at=depth.At(level=0.45)))
    shown = torch.lerp(photo, photo.new_tensor((1.0, 0.15, 0.1)).view(1, 3, 1, 1), 0.6 * mask[:, None])
    row([image(shown), image(depth.preview(found)), image(depth.preview(mended))], out)


def depth_to_image(out: str) -> None:
    _, found = photo_and_depth()
    near_bright = depth.to_image(found)
    row([image(depth.preview(found)), image(near_bright), image(1 - near_bright)], out)


def encoded(signs: Literal["grey", "unsigned"]) -> tuple[Tensor, DefocusMap]:
    """A defocus map of the motorcycle as a picture, and itself."""
    _, found = photo_and_depth()
    made = defocus.from_lens(found, Lens(85.0, 1.4, 36.0), HEADLIGHT)
    return defocus.to_image(made, defocus.Encoding(signs), fill_range=True)[0], made


def defocus_from_image(out: str) -> None:
    photo = tensor("motorcycle.png")
    picture, made = encoded("unsigned")
    row([image(picture), image(defocus.preview(made, photo)), rendered(photo, made)], out)


def defocus_to_image(out: str) -> None:
    grey, made = encoded("grey")
    row([image(defocus.preview(made, tensor("motorcycle.png"))), image(grey), image(encoded("unsigned")[0])], out)


def defocus_map(out: str) -> None:
    photo, found = photo_and_depth()
    lens = Lens(85.0, 1.4, 36.0)
    focuses = (HEADLIGHT, defocus.FocusDistance(4.9))
    row([image(defocus.preview(defocus.from_lens(found, lens, f), photo, focus=f)) for f in focuses], out)


def all_in_focus(out: str) -> None:
    photo, (_, found) = tensor("missed_focus.jpg"), photo_and_depth()
    was = defocus.from_lens(found, Lens(50.0, 2.0, 36.0), defocus.FocusDistance(4.9))
    sharp = restore.all_in_focus(photo, "deconvolution", was).image
    box = (300, 60, 660, 330)
    row([image(photo).crop(box), image(sharp).crop(box)], out)


def reblur(out: str) -> None:
    photo, found = photo_and_depth()
    lens = Lens(85.0, 1.4, 36.0)
    row([rendered(photo, defocus.from_lens(found, lens, f)) for f in (HEADLIGHT, defocus.FocusDistance(4.9))], out)


def bokeh_kernel(out: str) -> None:
    photo = tensor("city_lights.jpg")
    found = depth.from_image(pictures.load_map(DATA / "city_lights_depth.png").expand(-1, 3, -1, -1))
    made = defocus.from_lens(found, Blur(2.2), defocus.FocusPoint(0.71, 0.65))
    kernels = (
        bokeh.make_kernel("circle"),
        bokeh.make_kernel("polygon", blades=6, curvature=0.2),
        bokeh.make_kernel("ring", inner=0.6),
        bokeh.make_kernel("heart"),
        bokeh.make_kernel("star", points=5, inner=0.45),
    )
    row([rendered(photo, made, k, 5.0).crop((60, 215, 300, 455)) for k in kernels], out)


def depth_matte(out: str) -> None:
    photo = tensor("astronaut.png")
    found = depth.estimate(photo, "refocus-depth-s")
    selected = bokeh.around(found, defocus.focus_disparity(found, defocus.FocusPoint(0.45, 0.3)), 0.25)
    cut = bokeh.depth_matte(color.srgb_to_linear(photo), found, *selected)
    matte = cut.coverage[:, None].expand(-1, 3, -1, -1)
    row([image(photo), image(matte), image(color.linear_to_srgb(cut.background))], out)


def refocus_video(out: str) -> None:
    """The first and the last frame of a clip whose focus goes from the wheel to the shelves."""
    model = depth.load("refocus-depth-s")
    keys = json.dumps({"keys": [{"frame": 0, "x": 0.7, "y": 0.8}, {"frame": 1, "x": 0.9, "y": 0.1}]})
    options = clip.ClipOptions(Blur(3.0), keyframes=defocus.parse_keyframes(keys))
    frames = list(clips.frames(DATA / "motorcycle_pan.mp4"))
    work = clip.Clip(clip.rendering_steps(model, None, clip.Rendering()), options, torch.device("cpu"))
    ends = frames[0], frames[-1]
    plan = work.planned(ends)
    in_order = work.in_order(plan, lambda first: iter(ends[first:]))
    row([image(work.frame(plan, k, frame, None, in_order)[0]) for k, frame in enumerate(ends)], out)


def graph(name: str, show: tuple[float, float, float, float], out: str) -> None:
    """Part of a graph (left, top, right, bottom in 0..1) as the page showed it to tools.workflows.build: nothing can be rendered
    here without FLUX.1."""
    path = REPO / "out" / "graphs" / f"{name}.png"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run python -m tools.workflows.build '{name}' first.")
    shown = Image.open(path).convert("RGB")
    w, h = shown.size
    left, top, right, bottom = show
    row([shown.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))], out)


def genfocus_setup(out: str) -> None:
    graph("Generative refocus", (0.0, 0.0, 0.31, 0.72), out)


def genfocus_apply(out: str) -> None:
    graph("Genfocus, step by step", (0.0, 0.0, 0.31, 0.72), out)


def load_photo(out: str) -> None:
    """The photo as a phone would store it, and the depth that is read from the file."""
    photo, found = photo_and_depth()
    picture = portraits.encoded((1 / found.disparity[0]).double().numpy(), NEAR_M, FAR_M, "RangeInverse")
    pixels = (photo[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    file = portraits.jpeg(pixels=pixels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "portrait.jpg"
        path.write_bytes(portraits.dynamic_depth(file, picture, Format="RangeInverse", Units="Meters", Near=NEAR_M, Far=FAR_M))
        stored = stored_depth.read_stored_depth(path)
    if stored is None:
        raise SystemExit("The depth that was written was not found again.")
    row([image(photo), image(depth.preview(stored))], out)


DRAWN: dict[str, Callable[[str], None]] = {
    "RefocusLoadPhoto": load_photo,
    "RefocusDepthEstimate": depth_estimate,
    "RefocusAdjustDepth": adjust_depth,
    "RefocusDepthToImage": depth_to_image,
    "RefocusDefocusMap": defocus_map,
    "RefocusDefocusFromImage": defocus_from_image,
    "RefocusDefocusToImage": defocus_to_image,
    "RefocusAllInFocus": all_in_focus,
    "RefocusReblur": reblur,
    "RefocusBokehKernel": bokeh_kernel,
    "RefocusDepthMatte": depth_matte,
    "RefocusVideo": refocus_video,
    "RefocusGenfocusSetup": genfocus_setup,
    "RefocusGenfocusApply": genfocus_apply,
}
"""Node id -> what draws its picture."""


def main() -> None:
    for node_id in sys.argv[1:] or DRAWN:
        DRAWN[node_id](f"{node_id}.webp")


if __name__ == "__main__":
    main()
