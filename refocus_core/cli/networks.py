"""The device, and networks that stay loaded between the runs of one process."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .. import generative
    from ..depth import DepthModel
    from ..types import Progress

T = TypeVar("T")


def device_named(name: str | None) -> torch.device:
    """The device of that name, once it is known to be there; by default the first GPU of NVIDIA's kind, else the CPU.

    Raises:
        ValueError: if there is no such device.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # as torch was built, each device fails in its own way
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here ({reason}). Choose cpu, or leave --device out.") from error
    return device


class Networks:
    """Networks by the options that name them; each is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], object] = {}

    def _once(self, key: tuple[object, ...], load: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = load()
        return self._kept[key]  # pyright: ignore[reportReturnType] - the key says of which kind it is

    def depth(self, args: argparse.Namespace, device: torch.device, progress: Progress | None = None) -> DepthModel:
        """The network that --depth names.

        Raises:
            ValueError, WeightsMissingError, WeightsMismatchError: as `depth.load`.
        """
        from .. import depth

        def load() -> DepthModel:
            return depth.load(args.depth, args.models, allow_download=args.download, progress=progress).to(device)

        return self._once(("depth", args.depth, *(args.models or ()), args.download, device), load)

    def restoration(self, args: argparse.Namespace, device: torch.device) -> nn.Module | None:
        """The network of --deblur, a method that needs no map; None if it runs none.

        Raises:
            ValueError, WeightsMissingError, WeightsMismatchError: as `restore.all_in_focus`.
        """
        from .. import restore

        source = restore.choose(args.deblur, has_defocus=False).network
        if source is None:
            return None
        folders = args.models or ()
        return self._once(("restoration", args.deblur, *folders, device), lambda: source.load(source.locate(folders)).to(device))

    def genfocus(self, args: argparse.Namespace, device: torch.device) -> generative.Genfocus:
        """FLUX.1 as the options about it say.

        Raises:
            ValueError, OSError, ImportError: as `generative.Genfocus.from_pretrained`.
        """
        import torch

        from .. import generative

        dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        options = {"vae": args.vae, "prompts": args.prompts, "offload": args.offload, "fp8": args.fp8}
        pipeline = self._once(
            ("genfocus", args.flux, device, *options.values()),
            lambda: generative.Genfocus.from_pretrained(args.flux, device=device, dtype=dtype, **options),
        )
        pipeline.tiling = generative.Tiling(per_batch=args.tiles_per_batch)
        return pipeline
