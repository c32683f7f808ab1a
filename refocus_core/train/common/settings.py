"""How long, how fast and in what parts a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        steps: optimiser steps in all.
        batch_size: examples of one step, over all processes and accumulated parts.
        accumulation: parts that the examples of one process are split into, to save memory.
        warmup_steps: over which the learning rate rises from 0; it then falls as a cosine.
        final_rate: share of the learning rate that is left at the end.
        clip_norm: largest norm of the gradient; 0 does not clip.
        ema: decay of the moving average of the weights (less in the first steps); 0 keeps none.
        seed: of data order and noise.
        precision: "no", "bf16" or "fp16", as accelerate names them.
        workers: processes that make examples ahead.
        save_every: steps between checkpoints; the last three are kept.
        log_every, validate_every: steps between them; 0 never validates.
    """

    steps: int
    batch_size: int
    accumulation: int = 1
    warmup_steps: int = 0
    final_rate: float = 0.0
    clip_norm: float = 1.0
    ema: float = 0.999
    seed: int = 0
    precision: str = "no"
    workers: int = 0
    save_every: int = 500
    log_every: int = 20
    validate_every: int = 0

    def rate(self, step: int) -> float:
        """Factor of the learning rate in `step` (from 0)."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    def decay(self, step: int) -> float:
        """Decay of the moving average after `step` steps: less at first, so that it forgets where training began."""
        return min(self.ema, (1 + step) / (10 + step))
