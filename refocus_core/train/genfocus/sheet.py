"""Contact sheets of shards: what a person should look at before training on them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from ... import defocus
from ...types import DefocusMap
from .sample_files import decode
from .shards import Shards

_TEXT_PX = 16
"""Height of the line of text over each row."""
_GAP_PX = 8
"""Between the two columns."""


def tiles(sample: Mapping[str, Any]) -> list[Tensor]:
    """The pictures of a sample [3,S,S] in 0..1: its .png members, and the defocus map in colour over the sharp picture."""
    out: list[Tensor] = []
    for name in sorted(n for n in sample if n.endswith(".png")):
        out.append((sample[name].float() / 255).expand(3, -1, -1))
    if "radius.npy" in sample:
        radius = sample["radius.npy"].float()
        sharp = sample.get("sharp.png")
        under = None if sharp is None or sharp.shape[-2:] != radius.shape else sharp[None].float() / 255
        out.append(defocus.preview(DefocusMap.from_radius(radius), under)[0])
    return out


def label(key: str, metadata: Mapping[str, Any]) -> str:
    parts = [key.lstrip("0") or "0", str(metadata.get("kind", ""))]
    if "gain_px" in metadata:
        unit = "px m" if metadata.get("metric") else "px"
        parts.append(f"K {metadata['gain_px']:.1f} {unit}, focus {metadata['focus_disparity']:.3g}")
    if "spec" in metadata:
        parts.append(str(metadata["spec"]["aperture"]))
    if "confidence" in metadata:
        parts.append(f"confidence {metadata['confidence']:.2f}")
    return "  ".join(p for p in parts if p)


def contact_sheet(shards: Shards, *, count: int = 12, skip: int = 0, tile_px: int = 160) -> Image.Image:
    """`count` samples in rows, two to a row.

    Raises:
        ValueError: if there is no sample left.
    """
    rows: list[tuple[str, list[Tensor]]] = []
    for key, content in islice(shards, skip, skip + count):
        sample = decode(content)
        pictures = [
            F.interpolate(t[None], (tile_px, tile_px), mode="bilinear", antialias=True, align_corners=False)[0]
            for t in tiles(sample)
        ]
        rows.append((label(key, sample.get("json", {})), pictures))
    if not rows:
        raise ValueError("There is no sample to show.")
    columns = max(len(p) for _, p in rows)
    cell = (columns * tile_px + _GAP_PX, tile_px + _TEXT_PX)
    sheet = Image.new("RGB", (cell[0] * min(2, len(rows)), cell[1] * -(-len(rows) // 2)), (24, 24, 24))
    pen = ImageDraw.Draw(sheet)
    for i, (text, pictures) in enumerate(rows):
        x, y = (i % 2) * cell[0], (i // 2) * cell[1]
        pen.text((x + 2, y + 2), text, fill=(220, 220, 220))
        for j, picture in enumerate(pictures):
            pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (x + j * tile_px, y + _TEXT_PX))
    return sheet
