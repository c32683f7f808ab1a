"""What can make a photo sharp: one table. Adding a method is one entry, whose `run` is a function of its own module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..models import find_named
from ..types import Restored
from . import blind, deconvolution, restoration_model, shipped
from .network import DeblurNetwork
from .request import Request
from .restoration_model import RestorationModel

MODEL_PREFIX = "model:"
"""What a method's name begins with that is a restoration network in a file of one's own."""


@dataclass(frozen=True)
class NetworkSource:
    """Where the network of a method comes from.

    Attributes:
        kind: its class.
        locate: path of its file; takes the model folders, of which none means that a file of one's own is named by its path.
            Raises WeightsMissingError if it is not there.
        load: reads the file, on the CPU. Raises WeightsMismatchError if it is another one.
    """

    kind: type[nn.Module]
    locate: Callable[[Iterable[str | Path]], Path]
    load: Callable[[Path], nn.Module]


@dataclass(frozen=True)
class Method:
    """A way to an all-in-focus picture.

    Attributes:
        name: what callers and workflow files say.
        run: does it.
        needs_defocus: whether it needs a defocus map of the source photo.
        network: the network that it runs, or None.
    """

    name: str
    run: Callable[[Request], Restored]
    needs_defocus: bool = False
    network: NetworkSource | None = None


def _unchanged(request: Request) -> Restored:
    return Restored(request.image)


_SHIPPED = NetworkSource(DeblurNetwork, shipped.locate_shipped, shipped.load_shipped)
"""The network of two methods, which a host therefore keeps once."""

METHODS: Mapping[str, Method] = {
    m.name: m
    for m in (
        Method("none", _unchanged),
        Method("deconvolution", deconvolution.run, needs_defocus=True),
        Method("refocus-deblur-s", shipped.run, network=_SHIPPED),
        Method("blind-deconvolution", blind.run, network=_SHIPPED),
    )
}
"""The methods by name, beside "model:<file>". `docs/models/refocus-deblur-s.md` compares them."""

AUTO_ORDER = ("deconvolution", "refocus-deblur-s")
"""What "auto" takes: the first whose needs are met. With the true radii deconvolution gains more than the network."""


def choose(name: str, *, has_defocus: bool) -> Method:
    """The method called `name`; "auto" is the first of `AUTO_ORDER` whose needs are met.

    Raises:
        ValueError: if there is no such method, or it lacks what it needs.
    """
    if name.startswith(MODEL_PREFIX):
        return _own_model(name)
    if name == "auto":
        name = next(n for n in AUTO_ORDER if has_defocus or not METHODS[n].needs_defocus)
    if name not in METHODS:
        known = ", ".join(repr(n) for n in METHODS)
        raise ValueError(f"There is no method '{name}'. Choose 'auto', {known} or 'model:' and the name of a model file.")
    if METHODS[name].needs_defocus and not has_defocus:
        raise ValueError(
            f"method '{name}' needs defocus_map: the defocus map of the photo that is to be sharpened (its own blur, "
            "not the blur wanted later). Connect one, or choose another method."
        )
    return METHODS[name]


def _own_model(name: str) -> Method:
    file = name.removeprefix(MODEL_PREFIX)

    def locate(folders: Iterable[str | Path]) -> Path:
        if not file:
            raise ValueError("The method 'model:' lacks the name of a model file, as in model:NAFNet.safetensors.")
        return find_named(file, tuple(folders) or None)

    return Method(name, restoration_model.run, network=NetworkSource(RestorationModel, locate, restoration_model.load_model))
