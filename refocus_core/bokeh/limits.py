"""How much of a picture is worked on at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Limits:
    """Sizes of the parts in which a picture is rendered: they bound memory and set the pace, and change the picture by rounding,
    and beside depth edges by what a part knows of its surroundings.

    Attributes:
        tile_px: side of the tiles of the plain engine. Small transforms stay in the processor's cache and hold few bins; larger
            ones compute less twice.
        cpu_part_px, gpu_part_px: side of the parts whose surfaces are found, and whose layers are held, at a time. Larger ones
            take more memory; on a GPU few large steps are quicker.
        draft_rows: rows of the halved picture that a draft restores at a time.
        scratch_mib: most scratch memory of the Triton engine; a window that needs more is rendered in two.
        most_taps: taps of one blur above which plain torch renders instead of Triton: an aperture without flat parts, above 70 px
            of its resolution.
    """

    tile_px: int = 128
    cpu_part_px: int = 1280
    gpu_part_px: int = 4096
    draft_rows: int = 256
    scratch_mib: float = 1024
    most_taps: int = 1 << 14

    def part_px(self, device: torch.device) -> int:
        """Side of the parts on a device."""
        return self.cpu_part_px if device.type == "cpu" else self.gpu_part_px

    def tile_count(self, h: int, w: int) -> int:
        """Tiles in a picture of h x w px, the unit of progress."""
        return -(-h // self.tile_px) * -(-w // self.tile_px)
