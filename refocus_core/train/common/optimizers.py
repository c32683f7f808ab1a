"""Optimisers by name, so that a settings file can choose one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

KINDS = ("adamw", "adamw_8bit", "paged_adamw_8bit", "prodigy")
"""Names of the optimisers; see `OptimizerSettings`."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimiser.

    Attributes:
        kind: "adamw" (torch); "adamw_8bit" or "paged_adamw_8bit" (bitsandbytes: states of 8 bits, and paged to main memory);
            "prodigy" (prodigyopt: finds its step size, `rate` is 1).
        rate: highest learning rate.
        weight_decay: decoupled.
        betas: decay of the moments.
    """

    kind: str = "adamw"
    rate: float = 1e-4
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)


def make_optimizer(parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> Optimizer:
    """The optimiser over the parameters that require gradients.

    Raises:
        ValueError: if the kind is unknown or nothing is to be trained.
        ImportError: if its package is not installed; the message names it.
    """
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        raise ValueError("No parameter requires a gradient: there is nothing to train.")
    options: dict[str, Any] = {"lr": settings.rate, "weight_decay": settings.weight_decay, "betas": settings.betas}
    if settings.kind == "adamw":
        return torch.optim.AdamW(trained, **options)
    if settings.kind in ("adamw_8bit", "paged_adamw_8bit"):
        name = "AdamW8bit" if settings.kind == "adamw_8bit" else "PagedAdamW8bit"
        return getattr(_package("bitsandbytes", settings.kind).optim, name)(trained, **options)
    if settings.kind == "prodigy":
        # Corrects its moments' start and is safe against early steps that are too large, as its authors advise for LoRA.
        return _package("prodigyopt", settings.kind).Prodigy(trained, **options, use_bias_correction=True, safeguard_warmup=True)
    raise ValueError(f"Unknown optimiser {settings.kind!r}. Choose one of: {', '.join(KINDS)}.")


def _package(name: str, kind: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"The optimiser '{kind}' needs the package {name}: pip install {name}, or choose adamw.") from error
