"""The pictures beside the example graphs: what the template browser of ComfyUI shows of each."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageSequence

from refocus_core import bokeh, color
from refocus_core.types import DefocusMap
from tests.helpers import rig
from tools.workflows.graph import Workflow

THUMBNAIL = (480, 320)
"""Width and height of every one, in px."""


def newest(server: rig.Server) -> list[Image.Image]:
    """The picture or the frames of the clip that was saved last."""
    file = max((p for p in (server.base / "output").iterdir() if p.suffix in (".png", ".webp")), key=lambda p: p.stat().st_mtime)
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(file))]


def fitted(picture: Image.Image) -> Image.Image:
    """A picture, cut to the thumbnails' shape."""
    w, h = THUMBNAIL
    scale = max(w / picture.width, h / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (picture.width - w) // 2, (picture.height - h) // 2
    return picture.crop((left, top, left + w, top + h))


def part(picture: Image.Image, show: tuple[float, float, float, float]) -> Image.Image:
    """What lies between the shares left, top, right, bottom."""
    w, h = picture.size
    return picture.crop((round(show[0] * w), round(show[1] * h), round(show[2] * w), round(show[3] * h)))


def side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    """The left half of one picture and the right half of the other, with a white line between them."""
    picture, other, (w, h) = fitted(before), fitted(after), THUMBNAIL
    picture.paste(other.crop((w // 2, 0, w, h)), (w // 2, 0))
    picture.paste((255, 255, 255), (w // 2 - 1, 0, w // 2 + 1, h))
    return picture


def card(words: str) -> Image.Image:
    """Lights out of focus, drawn by the renderer itself, and words over them."""
    w, h = THUMBNAIL
    rng = np.random.default_rng(len(words))
    lights = torch.full((1, 3, h, w), 0.004)
    for _ in range(70):
        x, y = rng.integers(0, w), rng.integers(0, h)
        tint = torch.tensor(rng.choice([[1, 0.5, 0.15], [1, 0.8, 0.5], [0.3, 0.5, 1], [0.9, 0.2, 0.4]]), dtype=torch.float32)
        lights[0, :, y, x] += tint * float(rng.uniform(40, 240))
    blades = bokeh.make_kernel("polygon", blades=6, curvature=0.4)
    blurred = bokeh.render(lights, DefocusMap.from_radius(torch.full((1, h, w), 22.0)), blades)
    pixels = (color.linear_to_srgb(blurred).clamp(0, 1)[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    picture = Image.fromarray(pixels)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(40)
    draw.multiline_text((w / 2, h / 2), words, "white", font, "mm", 14, "center", stroke_width=3, stroke_fill=(10, 10, 20))
    return picture


def thumbnail(workflow: Workflow, server: rig.Server) -> Image.Image:
    """A card; else the result; half the photo and half the result; the first and the last frame of a clip."""
    if workflow.card:
        return card(workflow.card)
    frames = [part(frame, workflow.show) for frame in newest(server)]
    if len(frames) > 1:
        return side_by_side(frames[0], frames[-1])
    if workflow.before:
        file = server.base / "input" / workflow.nodes[workflow.before].inputs["image"]
        return side_by_side(part(Image.open(file).convert("RGB"), workflow.show), frames[0])
    return fitted(frames[0])
