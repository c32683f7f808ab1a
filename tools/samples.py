"""Draws the sample pictures of the example graphs that are not photographs, into tests/data. The same every time.

    python -m tools.samples [NAME ...]

city_lights.jpg, city_lights_depth.png  a cat on a wall before a city at night; near is bright
missed_focus.jpg                        the motorcycle photo through a lens focused far behind the motorcycle
portrait.png                            astronaut.png with a mask painted over the face
small_subject.png                       missed_focus.jpg with a mask painted over the headlight
mend_depth.png                          motorcycle.png with a mask painted over the bench behind
distraction.png                         astronaut.png with a mask painted softly over rocket and flag
phone_photo.jpg                         the motorcycle photo as a phone would store it: lens and depth in the file
motorcycle_pan.mp4                      two seconds of a window that moves over the motorcycle photo
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter

from refocus_core import bokeh, color, defocus, depth
from refocus_core.files import pictures
from refocus_core.optics import Lens
from tests.helpers import portraits
from tests.helpers.motorcycle import FAR_M, FOCAL_PX, NEAR_M
from tests.helpers.paths import DATA

FINER = 4
"""Shapes are drawn this much larger and reduced, which smooths their edges."""
BENCH = ((0.065, 0.22), (0.31, 0.22), (0.3, 0.35), (0.22, 0.33), (0.19, 0.3), (0.16, 0.4), (0.12, 0.6), (0.07, 0.6))
"""Of the motorcycle photo: outline of the bench behind, which the small network does not see."""
ROCKET = ((0.68, 0.0), (0.9, 0.0), (0.93, 0.35), (1.0, 0.5), (1.0, 0.56), (0.72, 0.56), (0.68, 0.42))
"""Of the astronaut's photo: the rocket, which draws the eye away from her."""
FLAG = ((0.0, 0.0), (0.14, 0.0), (0.22, 0.4), (0.1, 0.5), (0.0, 0.6))
"""Of the same: the flag."""
ENGINE = defocus.FocusPoint(0.6, 0.5)
"""Of the motorcycle photo: what the phone is focused on."""

PAN_PX, PAN_FRAMES = (560, 400), 24
"""Of the clip over the motorcycle photo: width and height of the window, and its length."""


def cat_on_a_wall(w: int, h: int) -> Image.Image:
    """Its coverage, 255 where it is."""
    mask = Image.new("L", (w * FINER, h * FINER))
    draw = ImageDraw.Draw(mask)
    u = h * FINER / 100  # one percent of the height
    x, ground = 0.72 * w * FINER, 0.84 * h * FINER
    draw.rectangle((0, ground, w * FINER, h * FINER), fill=255)

    def ellipse(dx: float, up: float, rx: float, ry: float) -> None:
        draw.ellipse((x + (dx - rx) * u, ground - (up + ry) * u, x + (dx + rx) * u, ground - (up - ry) * u), fill=255)

    ellipse(0, 11, 11, 13)  # haunches
    ellipse(-2, 22, 8, 13)  # chest
    ellipse(-3, 36, 8, 7)  # head
    for side in (-1, 1):
        foot, tip = -3 + side * 4.4, -3 + side * 6.2
        points = ((foot - 3.2, 37), (tip, 47), (foot + 3.2, 37))
        draw.polygon([(x + a * u, ground - b * u) for a, b in points], fill=255)
    for k in range(60):  # the tail hangs over the wall
        t = k / 59
        ellipse(9 + 9 * np.sin(1.9 * t), 3 - 16 * t**1.6, 2.1 - 0.6 * t, 2.1)
    ellipse(-6, 2, 4, 2.5)  # paws
    return mask.resize((w, h), Image.Resampling.LANCZOS)


def city_lights() -> None:
    w, h, rng = 960, 640, np.random.default_rng(5)
    y, x = np.mgrid[0:h, 0:w] / h
    horizon = 0.52
    sky = np.clip(y / horizon, 0, 1)[..., None]
    picture = (1 - sky**2) * np.array([0.006, 0.009, 0.028]) + sky**2 * np.array([0.075, 0.040, 0.062])
    water = (y > 0.66)[..., None]
    picture = np.where(water, np.array([0.012, 0.014, 0.03]) + 0.02 * rng.random((h, w, 1)), picture)
    left = 0
    while left < w:  # houses
        wide, top = int(rng.integers(26, 80)), horizon + 0.02 - 0.24 * rng.random() ** 1.7
        house = (x * h >= left) & (x * h < left + wide) & (y > top) & (y < 0.66)
        picture[house] = np.array([0.013, 0.014, 0.026]) * (0.6 + 0.8 * rng.random())
        for wx in range(left + 5, left + wide - 5, 7):
            for wy in range(int(top * h) + 6, int(0.645 * h), 9):
                if rng.random() < 0.10:
                    picture[wy : wy + 2, wx : wx + 2] = np.array([0.5, 0.33, 0.13]) * rng.random()
        left += wide
    colours = np.array([[1, 0.55, 0.18], [1, 0.72, 0.35], [1, 0.9, 0.75], [1, 0.22, 0.14], [0.3, 1, 0.6], [0.4, 0.6, 1]])
    for _ in range(80):  # lamps, with their reflections on the water
        colour = colours[rng.choice(6, p=[0.38, 0.24, 0.14, 0.12, 0.05, 0.07])]
        px, py = int(rng.integers(6, w - 6)), int(h * (0.655 - 0.30 * rng.random() ** 1.5))
        size = int(rng.integers(3, 6))
        picture[py : py + size, px : px + size] = colour
        if py > 0.55 * h:
            for k in range(26):
                ry = int(0.665 * h) + int(k * 3.2)
                picture[ry : ry + 1, px - 1 : px + 2] += colour * 0.22 * rng.random() * (1 - k / 26)
    night = Image.fromarray(encoded(picture)).filter(ImageFilter.GaussianBlur(0.6))
    cat = cat_on_a_wall(w, h)
    # Light from the city falls on its edge; bricks on the wall.
    rim = np.asarray(cat.filter(ImageFilter.GaussianBlur(5)), np.float32)[..., None] / 255
    brick = (((y * h) % 26 < 2) | (((x * h) + 30 * (((y * h) // 26) % 2)) % 60 < 2))[..., None] & (y > 0.84)[..., None]
    grain = 0.75 + 0.5 * rng.random((h, w, 1))
    front = (np.array([0.012, 0.010, 0.012]) + (1 - rim) * np.array([0.55, 0.34, 0.16])) * grain
    front = np.where((y > 0.845)[..., None], np.array([0.05, 0.036, 0.03]) * grain * np.where(brick, 0.35, 1), front)
    night.paste(Image.fromarray(encoded(front)), mask=cat)
    night.save(DATA / "city_lights.jpg", quality=93, subsampling=0, optimize=True)
    # Not smoothed: a depth between that of the cat and that of the city would be a thing half way.
    cat.point(lambda v: 255 * (v > 127)).save(DATA / "city_lights_depth.png", optimize=True)


def missed_focus() -> None:
    photo = tensor("motorcycle.png")
    found = depth.refine(
        depth.from_image(pictures.load_map(DATA / "motorcycle_near_bright.png"), near_m=NEAR_M, far_m=FAR_M), photo
    )
    made = defocus.from_lens(found, Lens(50.0, 2.0, 36.0), defocus.FocusDistance(4.9))
    blurred = color.linear_to_srgb(bokeh.render(color.srgb_to_linear(photo), made, quality="best"))
    noise = torch.randn(blurred.shape, generator=torch.Generator().manual_seed(0)) * 0.004
    picture = ((blurred + noise).clamp(0, 1)[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(picture).save(DATA / "missed_focus.jpg", quality=95, subsampling=0, optimize=True)


def portrait() -> None:
    painted("astronaut.png", (180, 60, 290, 200)).save(DATA / "portrait.png", optimize=True)


def small_subject() -> None:
    painted("missed_focus.jpg", (497, 110, 575, 195)).save(DATA / "small_subject.png", optimize=True)


def mend_depth() -> None:
    outlined("motorcycle.png", (BENCH,)).save(DATA / "mend_depth.png", optimize=True)


def distraction() -> None:
    outlined("astronaut.png", (ROCKET, FLAG), soft_px=6).save(DATA / "distraction.png", optimize=True)


def phone_photo() -> None:
    """Dynamic Depth beside the pixels, and the lens that sees as wide: 36 mm · focal length in px / width on film."""
    photo = tensor("motorcycle.png")
    found = depth.from_image(pictures.load_map(DATA / "motorcycle_near_bright.png"), near_m=NEAR_M, far_m=FAR_M)
    lens = Image.Exif()
    details = lens.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.FNumber], details[ExifTags.Base.FocalLength] = 1.8, 6.81
    details[ExifTags.Base.FocalLengthIn35mmFilm] = round(36 * FOCAL_PX / photo.shape[-1])
    details[ExifTags.Base.SubjectDistance] = round(1 / float(defocus.focus_disparity(found, ENGINE)), 2)
    pixels = (photo[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    distance = (1 / found.disparity[0]).double().numpy()
    stored = portraits.encoded(distance, NEAR_M, FAR_M, "RangeInverse")
    file = portraits.jpeg(pixels=pixels, lens=lens)
    said = {"Format": "RangeInverse", "Units": "Meters", "Near": NEAR_M, "Far": FAR_M}
    (DATA / "phone_photo.jpg").write_bytes(portraits.dynamic_depth(file, stored, **said))


def painted(photo: str, box: tuple[int, int, int, int]) -> Image.Image:
    """The photo with an ellipse painted as its mask."""
    picture = Image.open(DATA / photo).convert("RGB")
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return masked(picture, mask)


def outlined(photo: str, shapes: Sequence[Sequence[tuple[float, float]]], soft_px: float = 0) -> Image.Image:
    """The photo with polygons painted as its mask, corners in 0..1."""
    picture = Image.open(DATA / photo).convert("RGB")
    mask = Image.new("L", picture.size, 0)
    for shape in shapes:
        ImageDraw.Draw(mask).polygon([(x * picture.width, y * picture.height) for x, y in shape], fill=255)
    return masked(picture, mask.filter(ImageFilter.GaussianBlur(soft_px)))


def motorcycle_pan() -> None:
    import av

    whole = Image.open(DATA / "motorcycle.png").convert("RGB")
    width, height = PAN_PX
    with av.open(str(DATA / "motorcycle_pan.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=12, options={"crf": "25", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for left in np.linspace(160, 60, PAN_FRAMES).round():
            window = whole.crop((left, 40, left + width, 40 + height))
            out.mux(stream.encode(av.VideoFrame.from_image(window)))
        out.mux(stream.encode(None))


def masked(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """As ComfyUI's mask editor stores a mask: alpha 0 under it."""
    picture.putalpha(ImageChops.invert(mask))
    return picture


def tensor(name: str) -> torch.Tensor:
    """A picture of tests/data as [1,3,H,W] in 0..1."""
    return pictures.load(DATA / name).image


def encoded(linear: np.ndarray) -> np.ndarray:
    """Linear light [h,w,3] -> 8-bit sRGB."""
    return (color.linear_to_srgb(torch.from_numpy(linear).clamp(0, 1)).numpy() * 255).round().astype(np.uint8)


SAMPLES: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (city_lights, missed_focus, portrait, small_subject, mend_depth, distraction, phone_photo, motorcycle_pan)
}
"""Name -> what draws it."""


def main() -> None:
    for name in sys.argv[1:] or SAMPLES:
        SAMPLES[name]()


if __name__ == "__main__":
    main()
