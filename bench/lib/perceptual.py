"""ST-LPIPS (Ghildyal & Liu, "Shift-tolerant perceptual similarity metric", ECCV 2022): lower is more alike.

Its weights come with the PyPI package `stlpips-pytorch` (BSD-2-Clause), which is not among our requirements:
`pip install --no-deps stlpips-pytorch`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from typing import Any

import torch
from torch import Tensor

_UNUSED = {"IPython": "embed", "torchsummary": "summary"}
"""What the package imports for debugging alone: module and name. An empty module stands in where it is missing."""


@functools.lru_cache(maxsize=1)
def _metric() -> Any | None:
    if importlib.util.find_spec("stlpips_pytorch") is None:
        return None
    stand_ins = {name: types.ModuleType(name) for name in _UNUSED if importlib.util.find_spec(name) is None}
    for name, module in stand_ins.items():
        setattr(module, _UNUSED[name], None)
    sys.modules |= stand_ins
    try:
        package = importlib.import_module("stlpips_pytorch.stlpips")
    finally:
        for name in stand_ins:
            del sys.modules[name]
    return package.LPIPS(net="alex", variant="shift_tolerant", verbose=False)


def available() -> bool:
    """Whether the package is installed."""
    return _metric() is not None


@torch.no_grad()
def st_lpips(a: Tensor, b: Tensor) -> float:
    """Of two pictures [1,3,H,W] in 0..1 (sRGB).

    Raises:
        ImportError: if the package is not installed.
    """
    metric = _metric()
    if metric is None:
        raise ImportError("ST-LPIPS needs its package: pip install --no-deps stlpips-pytorch")
    return float(metric(a.clamp(0, 1), b.clamp(0, 1), normalize=True))
