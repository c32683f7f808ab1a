"""The value of the REFOCUS_GENFOCUS socket, and the adapters in models/loras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ...refocus_core import generative
from .. import host

LORA_FOLDER = "loras"
"""ComfyUI's key of the folder that holds the adapters, `models/loras`."""
AUTO = "auto"
"""Choice of an adapter: the first file in models/loras whose name holds the task's."""
GenfocusType = io.Custom("REFOCUS_GENFOCUS")
"""Socket of `GenfocusSetup`."""


@dataclass(frozen=True, eq=False)
class GenfocusSetup:
    """FLUX.1-dev and how to run it, as the generative methods of All In Focus and Reblur take it.

    Attributes:
        model: ComfyUI's MODEL, FLUX.1-dev. It is cloned for each run and never changed.
        vae: ComfyUI's VAE, the autoencoder of FLUX.1.
        conditioning: ComfyUI's CONDITIONING that replaces the fixed prompts, or None.
        prompts: embeddings of the fixed prompts that are known, by wording; see `prompts.collect`.
        loras: for each task the choice of its adapter, `AUTO` or one of `lora_files`.
        steps: steps of the Euler sampler, at least 1.
        start_noise: seed of the noise that every frame starts from.
        megapixels: size at which larger photos are worked on.
        tiles_per_batch: tiles of 512 px that go through the model at once.
    """

    model: Any
    vae: Any
    conditioning: Any
    prompts: Mapping[str, generative.Prompt]
    loras: Mapping[generative.Task, str]
    steps: int
    start_noise: int
    megapixels: float
    tiles_per_batch: int


def lazy(inputs: Mapping[str, Any], wanted: bool) -> list[str]:
    """For `check_lazy_status` of a node with a lazy `genfocus` input: ask for it where the chosen method runs on it."""
    return ["genfocus"] if wanted and "genfocus" in inputs and inputs["genfocus"] is None else []


def lora_files() -> list[str]:
    """Names of the safetensors files in models/loras."""
    return host.model_files(LORA_FOLDER)


def find_lora(choice: str, task: generative.Task) -> Path:
    """The LoRA file of a choice.

    Raises:
        FileNotFoundError: if it is not there; the message says what to fetch.
    """
    if choice != AUTO:
        return host.model_path(LORA_FOLDER, choice)
    for name in host.model_files(LORA_FOLDER):
        if task in Path(name.replace("\\", "/")).name.lower():
            return host.model_path(LORA_FOLDER, name)
    raise FileNotFoundError(
        f"There is no LoRA with '{task}' in its name in models/loras. Put {task}Net.safetensors from "
        "huggingface.co/nycu-cplab/Genfocus-Model there, or choose a file."
    )
