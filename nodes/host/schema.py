"""Schemas of nodes: our sockets, and widgets made from `refocus_core.options`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from comfy_api.latest import io

from ...refocus_core.options import Choice, Number, Option, Switch

Depth = io.Custom("REFOCUS_DEPTH")
"""Socket of `refocus_core.types.DepthMap`."""
Defocus = io.Custom("REFOCUS_DEFOCUS")
"""Socket of `refocus_core.types.DefocusMap`."""
KernelType = io.Custom("REFOCUS_KERNEL")
"""Socket of `refocus_core.types.Kernel`."""
LensType = io.Custom("REFOCUS_LENS")
"""Socket of `refocus_core.files.pictures.CameraData`: what a photo's file says of its lens."""

CATEGORY = "Refocus"
"""Where the page lists our nodes."""


def schema(**kwargs: Any) -> io.Schema:
    """`io.Schema(**kwargs)` without the keywords that this ComfyUI does not know, in our category.

    `has_intermediate_output` is on unless given: most of our nodes show a preview, and ComfyUI sends it again when the node is
    taken from the cache after the page was reloaded.
    """
    known = {f.name for f in dataclasses.fields(io.Schema)}
    given = {"category": CATEGORY, "has_intermediate_output": True, **kwargs}
    return io.Schema(**{k: v for k, v in given.items() if k in known})


def widgets(
    options: Iterable[Option],
    words: Mapping[str, Iterable[str]] | None = None,
    texts: Mapping[str, str] | None = None,
) -> list[Any]:
    """The inputs of a node's options, in their order.

    Args:
        words: option name -> further words of a `Choice` that only this machine knows, such as model files.
        texts: option name -> what is to be said beside its own text.
    """
    return [_widget(o, (words or {}).get(o.name, ()), (texts or {}).get(o.name, "")) for o in options]


def _widget(option: Option, words: Iterable[str], text: str) -> Any:
    own = option.full_text if isinstance(option, Choice) else option.text
    common: dict[str, Any] = {"default": option.default, "tooltip": "\n".join(filter(None, (own, text)))}
    if isinstance(option, Choice):
        made = io.Combo.Input(option.name, options=[*option.words, *words], **common)
    elif isinstance(option, Number):
        kind = io.Int if isinstance(option.default, int) else io.Float
        low, high = option.limits
        made = kind.Input(option.name, min=low, max=high, step=option.step, **common)
    elif isinstance(option, Switch):
        made = io.Boolean.Input(option.name, **common)
    else:
        made = io.String.Input(option.name, **common)
    return _advanced(made) if option.advanced else made


def _advanced(widget: Any) -> Any:
    """Fold an input away. Older ComfyUI has no keyword `advanced`, but passes `extra_dict` on to the page just the same."""
    widget.extra_dict = {**(widget.extra_dict or {}), "advanced": True}
    return widget
