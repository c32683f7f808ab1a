"""The picture that a node shows: small, of one frame of a clip, or none, as the person chose (`preferences`).

What is shown takes no part in results.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from server import PromptServer
from torch import Tensor

from . import preferences

LONGEST_PX = 1024
"""Long side of a picture. Larger: more to write at every change of a slider, and finer than a node is on the screen."""
MEANWHILE = "refocus_meanwhile"
"""The event by which the page is told of a picture before the result."""
_QUALITY = 90
"""Of JPEG and WebP. Larger: fewer artefacts, larger files."""


def shown(image: Tensor) -> dict[str, list[Any]]:
    """`ui` with an IMAGE [B,H,W,3|4] in 0..1 as temporary files: JPEG, or WebP where it has transparency."""
    count = {preferences.FIRST_FRAME: 1, preferences.EVERY_FRAME: len(image), preferences.NO_FRAME: 0}[preferences.previews()]
    return {"images": [temporary(*_encoded(frame)) for frame in image[:count]]}


def show_meanwhile(make: Callable[[], Tensor | None]) -> None:
    """Show [1,3,H,W] in 0..1 on the running node until its result is there; not made where the person chose no previews.

    An event of our own: ComfyUI's live preview stays under the node's view in Nodes 2.0 after the run.
    """
    image = None if preferences.previews() == preferences.NO_FRAME else make()
    if image is not None:
        server = PromptServer.instance
        picture = {"node": server.last_node_id, "image": temporary("draft.jpg", jpeg(image[0]))}
        server.send_sync(MEANWHILE, picture, server.client_id)


def temporary(name: str, data: bytes) -> dict[str, str]:
    """Write a file for the page into ComfyUI's temporary folder; the entry under which GET /view finds it.

    Args:
        name: its end, such as "photo.jpg"; something unique comes before it.
    """
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    unique = f"refocus_{uuid.uuid4().hex}_{name}"
    (folder / unique).write_bytes(data)
    return {"filename": unique, "subfolder": "", "type": "temp"}


def jpeg(image: Tensor) -> bytes:
    """[3,H,W] in 0..1 as JPEG with full colour resolution."""
    return _written(image, "JPEG", subsampling=0)


def _encoded(frame: Tensor) -> tuple[str, bytes]:
    """Name and content of a frame [H,W,C] at the size of a node."""
    small = frame.float().movedim(-1, 0)
    scale = LONGEST_PX / max(small.shape[-2:])
    if scale < 1:
        height, width = (max(1, round(n * scale)) for n in small.shape[-2:])
        small = F.interpolate(small[None], (height, width), mode="area")[0]
    return ("shown.webp", _written(small, "WEBP", method=2)) if len(small) == 4 else ("shown.jpg", jpeg(small))


def _written(image: Tensor, kind: str, **settings: Any) -> bytes:
    """[C,H,W] in 0..1 as a file of 8 bits."""
    file = io.BytesIO()
    Image.fromarray(_levels(image)).save(file, kind, quality=_QUALITY, **settings)
    return file.getvalue()


def _levels(image: Tensor) -> NDArray[np.uint8]:
    """[C,H,W] in 0..1 -> [H,W,C] in 0..255."""
    levels = (image * 255).round_().clamp_(0, 255).to(torch.uint8)
    return levels.movedim(0, -1).contiguous().cpu().numpy()
