"""Embeddings of the two fixed prompts, kept in a file so that the text encoders never have to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..models import WeightsMismatchError, read_safetensors

FILE_NAME = "genfocus_prompts.safetensors"
"""Name of the file with the embeddings of the fixed prompts."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """What FLUX.1's text encoders make of a prompt.

    Attributes:
        text: [1,T,4096] of T5.
        pooled: [1,768] of CLIP-L.
    """

    text: Tensor
    pooled: Tensor

    def to(self, like: Tensor, batch: int = 1) -> Prompt:
        """On another device and in another type, repeated."""
        return Prompt(self.text.to(like).expand(batch, -1, -1), self.pooled.to(like).expand(batch, -1))


def save_prompts(path: Path | str, prompts: Mapping[str, Prompt]) -> None:
    """Write prompts by their wording. What the file already holds of other prompts is kept."""
    from safetensors.torch import save_file

    path = Path(path)
    kept = load_prompts(path) if path.is_file() else {}
    state: dict[str, Tensor] = {}
    for wording, prompt in {**kept, **prompts}.items():
        state[f"{wording}|text"] = prompt.text.detach().to("cpu", torch.bfloat16).contiguous()
        state[f"{wording}|pooled"] = prompt.pooled.detach().to("cpu", torch.bfloat16).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, str(path))


def load_prompts(path: Path | str) -> dict[str, Prompt]:
    """Prompts of a file, by their wording.

    Raises:
        FileNotFoundError: if there is none.
        WeightsMismatchError: if it is another file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There are no prompt embeddings at {path}.")
    state = read_safetensors(path)
    found: dict[str, Prompt] = {}
    for key, text in state.items():
        wording, bar, part = key.rpartition("|")
        if not bar or part not in ("text", "pooled") or f"{wording}|pooled" not in state:
            raise WeightsMismatchError(f"{path} holds no prompt embeddings of ours ('{key}'). Delete it and have it made again.")
        if part == "text":
            pooled = state[f"{wording}|pooled"]
            if text.ndim != 3 or pooled.ndim != 2:
                raise WeightsMismatchError(f"{path} is damaged: wrong shapes at '{wording}'. Delete it and have it made again.")
            found[wording] = Prompt(text, pooled)
    return found
