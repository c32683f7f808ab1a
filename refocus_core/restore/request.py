"""What a method is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import match_batch
from ..types import DefocusMap, Kernel, Progress


@dataclass(frozen=True, eq=False)
class Request:
    """A photo and all that `all_in_focus` was given along with it; see there.

    Attributes:
        image: [B,3,H,W] float32, sRGB-encoded.
        network: of the class that the method runs, on the picture's device; None where it runs none.
    """

    image: Tensor
    defocus_map: DefocusMap | None = None
    kernel: Kernel | None = None
    strength: float = 1.0
    noise: float | None = None
    network: nn.Module | None = None
    tile_px: int | None = None
    progress: Progress | None = None

    def radius_px(self) -> Tensor | None:
        """[B,H,W] signed radii of the photo's blur by the defocus map, or None without one.

        Raises:
            ValueError: if the map's size or number of frames is another than the photo's.
        """
        if self.defocus_map is None:
            return None
        radius = self.defocus_map.radius_px.to(self.image.device)
        if radius.shape[-2:] != self.image.shape[-2:]:
            raise ValueError(
                f"defocus_map is {radius.shape[-1]}x{radius.shape[-2]} but image is {self.image.shape[-1]}x"
                f"{self.image.shape[-2]} (width x height). Make the defocus map from this photo, at this size: its radii are "
                "pixels of it."
            )
        return match_batch(radius, self.image.shape[0], "defocus_map")

    def mixed(self, result: Tensor) -> Tensor:
        """A network's result, mixed with the photo where `strength` is below 1."""
        return result if self.strength >= 1 else torch.lerp(self.image, result, self.strength)
