"""How a LoRA meets the layers of a host's model, whatever the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from ..forward import Factors, LowRank, Projection
from ..lora import is_adaptable

Find = Callable[[str], Factors | None]
"""Module name in diffusers' naming -> its low-rank factors, or None."""
Project = Callable[[Sequence[nn.Module], Sequence[str], Sequence[int]], Projection]
"""(layers that share an input, names of their outputs in diffusers' naming, widths of these) -> the layers with an adapter."""


def low_rank(find: Find, names: Sequence[str], widths: Sequence[int], like: Tensor) -> LowRank | None:
    """One adapter over layers that are computed as one; None if it changes none of them.

    Args:
        names: of the layers; widths: how many values each gives.
        like: a tensor of the type and on the device of the computation.

    Raises:
        ValueError: if the adapter was made for layers of another width.
    """
    factors = [find(name) for name in names]
    for name, width, f in zip(names, widths, factors, strict=True):
        if f is not None and f[1].shape[0] != width:
            raise ValueError(
                f"The adapter gives {f[1].shape[0]} values at {name}, where this model has {width}. It was made "
                "for a FLUX of another size."
            )
    return LowRank(factors, like) if any(f is not None for f in factors) else None


def check_names(names: Iterable[str], what: str) -> None:
    """Refuse names of layers that a condition adapter may not change.

    Raises:
        ValueError: if there is one.
    """
    for name in names:
        if not is_adaptable(name):
            raise ValueError(f"{what} changes {name}. A condition adapter changes layers of picture tokens only, not this one.")
