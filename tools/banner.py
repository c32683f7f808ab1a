"""Draws web/banner.jpg, which the registry shows above the pack's page: a night before and after.

python -m tools.banner
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from refocus_core import bokeh, color, defocus, depth
from refocus_core.files import pictures
from refocus_core.optics import Blur
from tests.helpers.paths import DATA, REPO
from tools.help import image
from tools.samples import tensor

SIZE = (1344, 576)
"""Width and height in px: 21 to 9, as the registry asks."""
TOP = 0.2
"""Share of the picture's height that is cut off above."""
NAME = "Refocus"
"""What is written on it."""


def main() -> None:
    photo = tensor("city_lights.jpg")
    found = depth.from_image(pictures.load_map(DATA / "city_lights_depth.png").expand(-1, 3, -1, -1))
    made = defocus.from_lens(found, Blur(2.2), defocus.FocusPoint(0.71, 0.65))
    blurred = bokeh.render(color.srgb_to_linear(photo), made, bokeh.make_kernel("polygon", blades=6), highlight_boost=5.0)
    before, after = (cut(image(p)) for p in (photo, color.linear_to_srgb(blurred)))
    middle = SIZE[0] // 3
    after.paste(before.crop((0, 0, middle, SIZE[1])), (0, 0))
    pen = ImageDraw.Draw(after)
    pen.rectangle((middle - 1, 0, middle, SIZE[1]), fill="white")
    pen.text((48, 40), NAME, fill="white", font=ImageFont.load_default(72))
    after.save(REPO / "web" / "banner.jpg", quality=88, optimize=True)


def cut(picture: Image.Image) -> Image.Image:
    """The banner's part of the picture, enlarged to its size."""
    height = round(picture.width * SIZE[1] / SIZE[0])
    top = round(picture.height * TOP)
    return picture.crop((0, top, picture.width, top + height)).resize(SIZE, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
