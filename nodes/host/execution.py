"""What a running node tells ComfyUI: its progress, at which an interrupt stops it, and outputs that it cannot give."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import comfy.model_management as mm
import comfy.utils
from comfy_execution.graph_utils import ExecutionBlocker

from ...refocus_core import faults
from ...refocus_core.types import Progress

_SHOWN_STEPS = 200
"""In how many steps the bar moves at most."""
_MEMORY_REMEDY = "Close other programs, or use a smaller picture or fewer frames; the quality draft of Reblur takes the least."
"""What helps against a lack of memory."""


def progress(total_hint: int | None = None) -> Progress:
    """A `Progress` that moves ComfyUI's progress bar and stops the work when the user pressed the interrupt button.

    It raises ComfyUI's InterruptProcessingException, which must reach ComfyUI: never catch it.
    """
    bar = comfy.utils.ProgressBar(max(total_hint or 1, 1))
    shown = (-1, 0)

    def step(done: int, total: int) -> None:
        nonlocal shown
        mm.throw_exception_if_processing_interrupted()
        now = (done * _SHOWN_STEPS // max(total, 1), total)
        if now != shown:  # each change is a message to the page, and work looks far more often than it moves
            shown = now
            bar.update_absolute(done, max(total, 1))

    return step


def cancelling(_done: int, _total: int) -> None:
    """A `Progress` that moves no bar, and stops the work when the user pressed the interrupt button: of steps within steps."""
    mm.throw_exception_if_processing_interrupted()


def blocked(message: str) -> Any:
    """In place of an output that the node cannot give: nodes that need it do not run, and ComfyUI shows them the message."""
    return ExecutionBlocker(message)


def memory_in_words(execute: Callable[..., Any]) -> Callable[..., Any]:
    """A node's `execute` that tells of a lack of the processor's memory in a sentence; torch's own words name an allocator.

    A GPU's passes as it is: ComfyUI gives models back, and has words of its own.
    """

    @functools.wraps(execute)
    def run(*args: Any, **inputs: Any) -> Any:
        try:
            return execute(*args, **inputs)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, mm.OOM_EXCEPTION) or not faults.is_out_of_memory(error):
                raise
            raise MemoryError(faults.in_words(error, _MEMORY_REMEDY)) from error

    return run
