"""A photo made sharp."""

from __future__ import annotations

from .records import CONNECTED, Choice, Number, Option

OWN_MODEL = "model:"
"""How methods begin that are a file on this machine."""
METHOD = Choice(
    "method",
    "auto",
    {
        "auto": "deconvolution when defocus is connected, otherwise refocus-deblur-s.",
        "refocus-deblur-s": "a small network of this pack; finds the blur by itself, useful up to about 5 px.",
        "deconvolution": "undoes the blur that defocus describes; weak beyond about 10 px.",
        "blind-deconvolution": "deconvolution by the blur that this network finds, mixed with its picture; sharper, slower.",
        "generative": "(experimental) FLUX.1 with the DeblurNet adapter; invents what strong blur took away.",
        "none": "the photo as it is.",
    },
    "How the photo is made sharp.",
    flag="--deblur",
)
_IN_TILES = ("auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", OWN_MODEL)
"""Methods of this pack, which work in tiles."""
STRENGTH = Number(
    "strength",
    1.0,
    (0.0, 4.0),
    0.05,
    "",
    "0: the photo, 1: full effect. Above 1 deconvolution is sharper and noisier; a model has no more than 1.",
    when=({"method": (*_IN_TILES, "generative")},),
)
NOISE = Number(
    "noise",
    0.0,
    (0.0, 0.5),
    0.001,
    "",
    "Noise of the photo: standard deviation where white is 1 (one 8-bit step is 0.004). Larger: smoother. 0: measure it. "
    "Deconvolution only.",
    advanced=True,
    when=({"method": ("deconvolution", "blind-deconvolution")}, {"method": ("auto",), "defocus": (CONNECTED,)}),
)
TILE_PX = Number(
    "tile_px",
    512,
    (64, 8192),
    32,
    "px",
    "Side of the tiles in px. Larger: more memory, and a model sees more of the picture at once. "
    "Halved by itself when a model runs out of memory.",
    advanced=True,
    when=({"method": _IN_TILES},),
)
OPTIONS: tuple[Option, ...] = (METHOD, STRENGTH, NOISE, TILE_PX)
"""Of All In Focus."""
