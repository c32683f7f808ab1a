"""Whether automatic focus finds what a person means: hits on photos with subjects marked by eye (`bench/data/subjects.json`).

    python -m bench.run.autofocus [NAME ...]

Depth comes from the network that ships. A hit: the focus lies between the 10th and the 90th percentile of the depth within a
marked subject, give or take `SLACK` of the scene's depth. Once by depth and place alone, once with the photo's sharpness as
well. The weights of the latter were chosen on this list.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from bench.lib import reporting
from refocus_core import defocus, depth
from refocus_core.train.common import photos
from tests.helpers.paths import REPO

SUBJECTS = REPO / "bench" / "data" / "subjects.json"
"""Name -> boxes."""
EDGE_PX = 1280
"""Long edge to which photos are reduced; less hides what their lens blurred."""
SLACK = 0.02
"""Share of the scene's disparity by which the focus may miss a subject: less than a person sees."""
INNER = 0.8
"""Share of a box that its ellipse fills: corners show what is beside the subject."""


def photo(name: str) -> Tensor:
    """[1,3,H,W] sRGB."""
    with Image.open(REPO / name if "/" in name else photos.folder() / f"{name}.jpg") as file:
        picture = file.convert("RGB")
    picture.thumbnail((EDGE_PX, EDGE_PX), Image.Resampling.LANCZOS)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return pixels.view(1, picture.height, picture.width, 3).movedim(-1, 1).float() / 255


def within(disparity: Tensor, box: list[float]) -> Tensor:
    """The values [n] in the ellipse within a box [left, top, right, bottom]."""
    h, w = disparity.shape
    left, top, right, bottom = box
    y = ((torch.arange(h) + 0.5) / h - (top + bottom) / 2) / ((bottom - top) / 2)
    x = ((torch.arange(w) + 0.5) / w - (left + right) / 2) / ((right - left) / 2)
    return disparity[y.view(-1, 1).square() + x.square() <= INNER**2]


def hit(disparity: Tensor, focus: float, boxes: list[list[float]]) -> bool:
    slack = SLACK * float(disparity.max() - disparity.min())
    for box in boxes:
        values = within(disparity, box).sort().values
        low, high = values[int(0.1 * len(values))], values[int(0.9 * len(values))]
        if float(low) - slack <= focus <= float(high) + slack:
            return True
    return False


def main() -> None:
    subjects: dict[str, list[list[float]]] = json.loads(SUBJECTS.read_text())["subjects"]
    hits: dict[str, tuple[bool, bool]] = {}
    for name in sys.argv[1:] or subjects:
        picture = photo(name)
        found = depth.estimate(picture, "refocus-depth-s", refine=False)
        focuses = (defocus.FocusAuto(), defocus.FocusAuto(photo=picture))
        blind, seeing = (hit(found.disparity[0], float(defocus.focus_disparity(found, f)), subjects[name]) for f in focuses)
        hits[name] = blind, seeing
        print(f"{Path(name).stem}: {'hit' if blind else 'miss'} by depth, {'hit' if seeing else 'miss'} with sharpness")
    by_depth, with_sharpness = (sum(column) for column in zip(*hits.values(), strict=True))
    print(f"Hits of {len(hits)}: {by_depth} by depth and place, {with_sharpness} with sharpness as well")
    reporting.save("autofocus", hits)


if __name__ == "__main__":
    main()
