"""Independent work on a CPU, one thread each: for many small operations that is quicker than many threads for each operation.

And memory given back between such steps.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

WINDOWS_AT_A_TIME = 4096
"""Windows of pixels that a task looks at together: they stay in the processor's cache, and memory stays bounded."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Task], Result], tasks: Sequence[Task], device: torch.device) -> Iterator[Result]:
    """The results of `work(task)`, in order; in the caller's thread alone where that is no slower.

    Uses as many threads as torch does (`torch.get_num_threads`). An exception in `work`, or in the caller between two results,
    ends what has not begun. No gradients.
    """
    threads = torch.get_num_threads()  # 1 where this is itself one of several workers
    workers = min(threads, len(tasks))
    if workers < 2 or device.type != "cpu":
        yield from map(work, tasks)
        return
    inference = torch.is_inference_mode_enabled()  # modes belong to a thread

    def run(task: Task) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(task)

    pool = ThreadPoolExecutor(workers, "refocus", torch.set_num_threads, (threads // workers,))
    try:
        yield from pool.map(run, tasks)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def give_back_memory() -> None:
    """Return what has been freed to the system, where the C library keeps it (glibc, up to 32 MiB a block); else nothing to do.

    For between the parts of a large picture: the scattered free blocks of one seldom suit the next, and add up.
    """
    if _trim is not None:
        _trim(0)
