"""Processes that each do one picture after the other.

A picture that fails, or that takes its process down (out of memory, a broken driver), is a failure of that picture only. A worker
whose parent is gone ends by itself, so that no killed run goes on in the background.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..faults import in_words
from .jobs import Job

log = logging.getLogger(__name__)

Work = Callable[[Job, Mapping[str, Path]], None]
"""`work(job, files)` does one picture and writes each result into the file of its name; it raises if it cannot."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What numerical libraries take their number of threads from, once, as they are loaded."""

Task = tuple[Job, Mapping[str, Path]]
"""A picture, and where to write its results."""


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes:
        number: place of the task in the list.
        reason: why it failed; empty if it is done.
        notes: warnings of the log.
        seconds: how long it took.
    """

    number: int
    reason: str
    notes: tuple[str, ...]
    seconds: float


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int = -1
    began: float = 0.0


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def run_jobs(tasks: Sequence[Task], setup: Callable[[int | None], Work], workers: int) -> Iterator[Outcome]:
    """What became of each task, as soon as it is known.

    Args:
        setup: a function of a module, called once in every worker with its number of threads (None: as many as without
            workers), before anything else; what it returns does the pictures.
        workers: processes at work at a time. They share the processors evenly.

    An exception in the caller, such as a KeyboardInterrupt, ends the workers at once.
    """
    context = multiprocessing.get_context("spawn")  # a forked process cannot use a GPU that its parent has touched
    threads = None if workers == 1 else max(1, processors() // workers)
    idle: list[_Worker] = []
    busy: dict[Connection, _Worker] = {}
    given = 0
    try:
        while given < len(tasks) or busy:
            while given < len(tasks) and len(busy) < workers:
                worker = idle.pop() if idle else _started(context, setup, threads)
                worker.number, worker.began = given, time.perf_counter()
                busy[worker.pipe] = worker
                _send(worker, tasks[given])
                given += 1
            for pipe in wait(list(busy)):
                worker = busy.pop(pipe)  # pyright: ignore[reportArgumentType] - wait returns what it was given
                outcome, alive = _outcome(worker)
                if alive:
                    idle.append(worker)
                yield outcome
    finally:
        for worker in idle:
            worker.pipe.close()  # which it takes as the end
        for worker in busy.values():
            worker.process.terminate()
        for worker in (*idle, *busy.values()):
            worker.process.join()


def _started(context: SpawnContext, setup: Callable[[int | None], Work], threads: int | None) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, setup, threads), daemon=True)
    with _interrupts_held():
        process.start()
    theirs.close()
    return _Worker(process, ours)  # pyright: ignore[reportArgumentType] - typed as Windows has it, here one of sockets


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Within the block Ctrl-C waits. A process that is started there never takes it, not even before it can say so itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # else the first start would start it, which lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(worker: _Worker, task: Task) -> None:
    try:
        worker.pipe.send(task)
    except OSError:
        log.debug("A worker was gone before its task; the next look at its pipe says so.")


def _outcome(worker: _Worker) -> tuple[Outcome, bool]:
    """What became of the worker's task, and whether the worker lives."""
    seconds = time.perf_counter() - worker.began
    try:
        reason, notes = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return Outcome(worker.number, _end(worker.process.exitcode), (), seconds), False
    return Outcome(worker.number, reason, notes, seconds), True


def _end(code: int | None) -> str:
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return f"Its process {how}. If memory ran out, use fewer --workers or a smaller picture."


class Notes(logging.Handler):
    """Warnings while one picture is done."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text."""
        self.texts.append(record.getMessage())


def _serve(pipe: Connection, setup: Callable[[int | None], Work], threads: int | None) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    notes = Notes()
    logging.getLogger().addHandler(notes)
    work = setup(threads)
    while True:
        try:
            job, files = pipe.recv()
        except (EOFError, OSError):
            return
        notes.texts.clear()
        reason = _reason(work, job, files)
        pipe.send((reason, tuple(notes.texts)))


def _reason(work: Work, job: Job, files: Mapping[str, Path]) -> str:
    """Do one picture; why it failed, in words that name its results, not the files that stand for them."""
    try:
        work(job, files)
    except Exception as error:  # whatever it is, it is not to stop the other pictures
        reason = reason_of(error)
    else:
        return ""
    for name, path in files.items():
        reason = reason.replace(str(path), str(job.targets[name]))
    return reason


def reason_of(error: Exception) -> str:
    """Why a picture failed, in a line; a fault of the program by the name of its kind."""
    meant = isinstance(error, (ValueError, OSError, RuntimeError, ImportError, MemoryError))
    return " ".join((in_words(error) if meant else f"{type(error).__name__}: {error}").split())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
