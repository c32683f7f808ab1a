"""The pictures beside the example graphs: what the template browser of ComfyUI shows of each."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageSequence

from tests.helpers import rig
from tools.workflows.graph import Workflow

THUMBNAIL = (480, 320)
"""Width and height of every one, in px."""


def newest(server: rig.Server) -> list[Image.Image]:
    """The picture or the frames of the clip that was saved last."""
    file = max((p for p in (server.base / "output").iterdir() if p.suffix in (".png", ".webp")), key=lambda p: p.stat().st_mtime)
    return [opaque(frame) for frame in ImageSequence.Iterator(Image.open(file))]


def opaque(picture: Image.Image) -> Image.Image:
    """What is transparent on white."""
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


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


def graph_thumbnail(screenshot: Path) -> Image.Image:
    """The whole graph as the page draws it, on the page's own grey."""
    picture = Image.open(screenshot).convert("RGB")
    background = Image.new("RGB", THUMBNAIL, picture.getpixel((2, 2)))
    picture.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    background.paste(picture, ((THUMBNAIL[0] - picture.width) // 2, (THUMBNAIL[1] - picture.height) // 2))
    return background


def thumbnail(workflow: Workflow, server: rig.Server) -> Image.Image:
    """The result; half the photo and half the result; the first and the last frame of a clip."""
    frames = [part(frame, workflow.show) for frame in newest(server)]
    if len(frames) > 1:
        return side_by_side(frames[0], frames[-1])
    if workflow.before:
        file = server.base / "input" / workflow.nodes[workflow.before].inputs["image"]
        return side_by_side(part(Image.open(file).convert("RGB"), workflow.show), frames[0])
    return fitted(frames[0])
