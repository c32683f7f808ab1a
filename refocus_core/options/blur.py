"""A photo blurred by a defocus map."""

from __future__ import annotations

from .records import ON, Choice, Number, Option, Switch

METHOD = Choice(
    "method",
    "render",
    {
        "render": "the lens renderer of this pack.",
        "hybrid": "(experimental) rendered, then FLUX.1 redraws only the background that the blur of foregrounds reveals.",
        "generative": "(experimental) FLUX.1 with the BokehNet adapter instead of the renderer.",
    },
    "What blurs.",
)
QUALITY = Choice(
    "quality",
    "normal",
    {"draft": "for setting up.", "normal": "for keeps.", "best": "many times slower, for hard depth edges."},
    "How finely the renderer works.",
    when=({"method": ("render", "hybrid")},),
)
HIGHLIGHT_BOOST = Number(
    "highlight_boost",
    0.0,
    (0.0, 8.0),
    0.1,
    "stops",
    "Light given back to clipped highlights out of focus, in f-stops. 0: none. 2 to 4 suits city lights.",
    flag="--highlights",
)
REDRAW = Number(
    "redraw",
    0.5,
    (0.05, 1.0),
    0.05,
    "",
    "hybrid only: how freely FLUX.1 redraws what was revealed (denoise). Low: near the fill.",
    when=({"method": ("hybrid",)},),
)
EXPOSURE = Number(
    "exposure",
    0.0,
    (-5.0, 5.0),
    0.1,
    "stops",
    "Brightness of the result, in f-stops of linear light: 1 doubles it, -1 halves it. 0: as it is.",
    advanced=True,
)
GRAIN = Number(
    "grain",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "The photo's own grain, measured and put back where blur took it. 0: none, 1: as strong as in focus.",
    advanced=True,
)
HIGHLIGHT_RECOVERY = Number(
    "highlight_recovery",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Small clipped lights out of focus get the radiance that their size and the falloff around them tell of, in their own "
    "colour. Walls and skies stay. 0: none, 1: all of it.",
)
RECOVER_IN_FOCUS = Switch(
    "recover_in_focus",
    False,
    "On: highlight_recovery changes lights in focus, too, for a result that is made darker or kept above white. Off: only those "
    "out of focus.",
    advanced=True,
)
GLASS = Switch(
    "glass",
    False,
    "On: what the glass of a lens does all over the picture, in focus, too, by bloom and lateral_color.",
    advanced=True,
)
_THROUGH_GLASS = ({"glass": (ON,)},)
"""Where the glass has an effect."""
BLOOM = Number(
    "bloom",
    0.0,
    (0.0, 1.0),
    0.01,
    "",
    "Share of all light that the lens scatters into a wide glow around what is bright, as a diffusion filter does. 0: none. 0.05 "
    "to 0.2 is usual.",
    when=_THROUGH_GLASS,
    advanced=True,
)
LATERAL_COLOR = Number(
    "lateral_color",
    0.0,
    (-2.0, 2.0),
    0.01,
    "percent",
    "Lateral chromatic aberration: red lies farther from the middle and blue nearer to it, by this percentage of the distance. "
    "Below 0: the other way round. Lenses have 0.02 to 0.2.",
    when=_THROUGH_GLASS,
    advanced=True,
)
OPTIONS: tuple[Option, ...] = (
    METHOD,
    QUALITY,
    HIGHLIGHT_BOOST,
    REDRAW,
    EXPOSURE,
    GRAIN,
    HIGHLIGHT_RECOVERY,
    RECOVER_IN_FOCUS,
    GLASS,
    BLOOM,
    LATERAL_COLOR,
)
"""Of Reblur."""
