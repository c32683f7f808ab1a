"""What a running node tells ComfyUI: progress, and outputs that there are none of. Here an interrupt stops it."""

from __future__ import annotations

from typing import Any

import comfy.model_management as mm
import comfy.utils
from comfy_execution.graph_utils import ExecutionBlocker

from ...refocus_core.types import Progress


def progress(total_hint: int | None = None) -> Progress:
    """A `Progress` that moves ComfyUI's progress bar and stops the work when the user pressed the interrupt button.

    It raises ComfyUI's InterruptProcessingException, which must reach ComfyUI: never catch it.
    """
    bar = comfy.utils.ProgressBar(max(total_hint or 1, 1))

    def step(done: int, total: int) -> None:
        mm.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, max(total, 1))

    return step


def blocked(message: str) -> Any:
    """In place of an output that there is none of: what needs it does not run, and the message is shown there."""
    return ExecutionBlocker(message)
