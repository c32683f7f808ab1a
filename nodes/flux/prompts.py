"""The fixed prompts of the adapters. The text encoders run once; what they give is kept in models/refocus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...refocus_core import generative
from .. import host

T5_TOKENS = 512
"""Length to which T5 pads a prompt: the one that the adapters were trained with."""
TASKS: tuple[generative.Task, ...] = ("deblur", "bokeh")
"""Every task; each has one prompt, whatever the layout of its adapter."""


def wording(task: generative.Task) -> str:
    """The prompt of a task."""
    return next(layout.prompt for layout in generative.LAYOUTS.values() if layout.task == task)


def _file() -> Path | None:
    paths = (folder / generative.PROMPTS_FILE for folder in host.model_folder())
    return next((path for path in paths if path.is_file()), None)


def _on_file() -> dict[str, generative.Prompt]:
    path = _file()
    return {} if path is None else generative.load_prompts(path)


def needs_clip(inputs: Mapping[str, Any], tasks: Iterable[generative.Task] = TASKS) -> list[str]:
    """For `check_lazy_status`: ask for the connected but lazy `clip` only if nothing else knows the prompts of `tasks`."""
    waiting = "clip" in inputs and inputs["clip"] is None and inputs.get("conditioning") is None
    return ["clip"] if waiting and any(wording(task) not in _on_file() for task in tasks) else []


def collect(clip: Any = None, tasks: Iterable[generative.Task] = TASKS) -> dict[str, generative.Prompt]:
    """The known embeddings by wording: those on file, and with a CLIP those of `tasks`, which are then kept on file as well."""
    prompts = _on_file()
    missing = [wording(task) for task in tasks if wording(task) not in prompts]
    if clip is None or not missing:
        return prompts
    clip = clip.clone()
    if hasattr(clip, "set_tokenizer_option"):
        clip.set_tokenizer_option("t5xxl_min_length", T5_TOKENS)
    for text in missing:
        (embedding, values), *_ = clip.encode_from_tokens_scheduled(clip.tokenize(text))
        prompts[text] = generative.Prompt(embedding, values["pooled_output"])
    path = _file() or host.model_folder()[0] / generative.PROMPTS_FILE
    generative.save_prompts(path, {text: prompts[text] for text in missing})
    return prompts


def positive(layout: generative.Layout, prompts: Mapping[str, generative.Prompt], conditioning: Any) -> Any:
    """CONDITIONING with the layout's guidance: the given one, else from the layout's prompt.

    Guidance that the given one already has, from FluxGuidance, is kept.

    Raises:
        ValueError: if there is neither.
    """
    if conditioning is None:
        prompt = prompts.get(layout.prompt)
        if prompt is None:
            raise ValueError(
                f"FLUX needs the prompt '{layout.prompt}'. Connect a CLIP (DualCLIPLoader, type flux): its result is kept in "
                f"models/refocus/{generative.PROMPTS_FILE} and no text encoder is loaded any more. Or connect a CONDITIONING."
            )
        conditioning = [[prompt.text.float(), {"pooled_output": prompt.pooled.float()}]]
    return [[c, {"guidance": layout.guidance, **values}] for c, values in conditioning]
