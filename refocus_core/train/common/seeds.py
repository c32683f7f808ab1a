"""Random numbers that are a function of a seed and of what they are for."""

from __future__ import annotations

import torch

_MASK = 2**64 - 1
"""States are numbers of 64 bits."""


def generator(seed: int, *key: int) -> torch.Generator:
    """A CPU generator that depends on `seed` and `key` alone; neighbouring keys give unrelated numbers.

    The key is mixed in by SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    """
    state = seed & _MASK
    for k in key:
        state = (state + 0x9E3779B97F4A7C15 + k) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return torch.Generator().manual_seed(state >> 1)
