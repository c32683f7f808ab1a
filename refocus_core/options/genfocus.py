"""FLUX.1 with the Genfocus adapters."""

from __future__ import annotations

from dataclasses import replace

from .records import Choice, Number, Option

DEBLUR_LORA = Choice(
    "deblur_lora",
    "auto",
    {"auto": "the first file with 'deblur' in its name."},
    "DeblurNet adapter from models/loras, for All In Focus.",
)
BOKEH_LORA = Choice(
    "bokeh_lora",
    "auto",
    {"auto": "the first file with 'bokeh' in its name."},
    "BokehNet adapter from models/loras, for Reblur.",
)
LORA = Choice(
    "lora",
    "auto",
    {"auto": "the first with 'bokeh' in its name when defocus is connected, else with 'deblur'."},
    "Genfocus adapter from models/loras. Do not load it with Load LoRA: it must act on the photo only.",
)
STEPS = Number("steps", 28, (1, 200), 1, "", "Steps from noise to picture (Euler).")
START_NOISE = Number(
    "start_noise",
    42,
    (0, 0xFFFFFFFF),
    1,
    "",
    "Seed of the noise to start from. The same number keeps the picture while focus changes.",
    flag="--seed",
)
MEGAPIXELS = Number(
    "megapixels",
    1.0,
    (0.1, 16.0),
    0.1,
    "megapixels",
    "Larger photos are worked on at this size, and the change is carried over to all pixels.",
)
TILING = Choice(
    "tiling",
    "auto",
    {
        "auto": "from 512 px on, each step works in tiles of 512 px, as the adapters were trained.",
        "off": "the picture in one piece; artefacts from about 1000 px on.",
    },
    "Whether a large picture is worked on in parts.",
)
TILES_PER_BATCH = Number(
    "tiles_per_batch",
    4,
    (1, 64),
    1,
    "",
    "Tiles that go through the model at once. More: faster, more memory, the same result.",
)
_TILES = replace(TILES_PER_BATCH, when=({"tiling": ("auto",)},))
"""The same where tiling can be turned off."""
SETUP: tuple[Option, ...] = (DEBLUR_LORA, BOKEH_LORA, STEPS, START_NOISE, MEGAPIXELS, TILES_PER_BATCH)
"""Of Genfocus Setup."""
APPLY: tuple[Option, ...] = (LORA, TILING, _TILES)
"""Of Genfocus Apply."""
