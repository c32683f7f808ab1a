"""Samples as files keep them: named values, each encoded by the ending of its name."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

Sample = dict[str, bytes]
"""Name within the sample ("sharp.png", "json") -> content."""


class RejectedError(Exception):
    """A sample that must not become one; the message says why. It is counted, not written."""


def encode(values: Mapping[str, Any]) -> Sample:
    """Values to file content, by the ending of their names.

    `.png` takes uint8 [3,H,W], [1,H,W] or [H,W]; `.npy` any tensor; `.safetensors` a mapping of tensors; `json` plain values.
    """
    out: Sample = {}
    for name, value in values.items():
        kind = name.rsplit(".", 1)[-1]
        if isinstance(value, bytes):
            out[name] = value
        elif kind == "png":
            array = value.cpu().numpy()
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array
            array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
            stream = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(array)).save(stream, "PNG", compress_level=3)
            out[name] = stream.getvalue()
        elif kind == "npy":
            stream = io.BytesIO()
            np.save(stream, value.cpu().numpy(), allow_pickle=False)
            out[name] = stream.getvalue()
        elif kind == "safetensors":
            out[name] = save_tensors({n: t.cpu().contiguous() for n, t in value.items()})
        elif kind == "json":
            out[name] = json.dumps(value, sort_keys=True).encode()
        else:
            raise ValueError(f"{name}: cannot write a .{kind} member. Known: png, npy, safetensors, json.")
    return out


def decode(sample: Mapping[str, bytes]) -> dict[str, Any]:
    """The inverse of `encode`; other pictures Pillow reads are taken too, unknown members stay bytes."""
    out: dict[str, Any] = {}
    for name, content in sample.items():
        kind = name.rsplit(".", 1)[-1].lower()
        if kind in ("png", "jpg", "jpeg", "webp"):
            with Image.open(io.BytesIO(content)) as im:
                array = np.array(im if im.mode in ("L", "RGB") else im.convert("RGB"))
            out[name] = torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())
        elif kind == "npy":
            out[name] = torch.from_numpy(np.load(io.BytesIO(content), allow_pickle=False))
        elif kind == "safetensors":
            out[name] = load_tensors(content)
        elif kind == "json":
            out[name] = json.loads(content)
        else:
            out[name] = content
    return out
