"""Pictures at addresses, done by Ray Data: one model an actor, on this machine or on a cluster. Ray is the extra `batch`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .remote import FAILED, Batch, RemoteWorker, Report
from .storage import Place
from .workers import Work, processors

MOST_BLOCKS = 10_000
"""Parts into which Ray Data splits a batch. More: smaller parts to lose with a process, and more for Ray to keep in mind."""
QUIET_RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""What Ray is told here before it starts: it sends nothing out, and says nothing that is not asked for."""


class _Actor:
    """What Ray calls with each row."""

    def __init__(self, batch: Batch, setup: Callable[[int | None], Work], threads: int) -> None:
        self._worker = RemoteWorker(batch, setup, threads)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        report = self._worker(Place(row["place"]), row["name"])
        return {"number": row["number"], "state": report.state, "reason": report.reason, "notes": "\n".join(report.notes)}


def _again() -> dict[str, Any]:
    """Of an actor: what takes its process down is tried once more, where Ray would do so for ever."""
    return {"max_task_retries": 1}


def run_on_ray(
    pictures: Sequence[tuple[Place, str]],
    batch: Batch,
    setup: Callable[[int | None], Work],
    workers: int,
    address: str | None,
) -> Iterator[Report]:
    """What became of each picture, as soon as it is known.

    Args:
        pictures: a folder at an address, and a path below it.
        setup: as of `run_jobs`; a function of a module that the cluster's machines have, too.
        workers: actors, which share the processors evenly, and GPUs if there are any.
        address: of a cluster; None starts Ray on this machine for the time of the run.

    Raises:
        ImportError: if Ray is missing.
        ConnectionError: if there is no cluster at that address.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET_RAY.items()})
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--ray needs Ray: pip install 'refocus-optics[batch]'. Where Ray has no wheel for this Python, leave --ray out."
        ) from error
    _start(ray, address, workers)
    try:
        yield from _reports(ray, pictures, batch, setup, workers)
    finally:
        ray.shutdown()


def _start(ray: Any, address: str | None, workers: int) -> None:
    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        settings |= {"num_cpus": max(workers, processors()), "include_dashboard": False, "address": "local"}
        settings["runtime_env"] = {"env_vars": {"PYTHONPATH": paths}}  # actors import what this process does
    else:
        settings["address"] = address
    ray.init(**settings)
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _reports(
    ray: Any, pictures: Sequence[tuple[Place, str]], batch: Batch, setup: Callable[[int | None], Work], workers: int
) -> Iterator[Report]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a process that dies takes its pictures along, and no other
    there = ray.cluster_resources()
    threads = max(1, int(there.get("CPU", 1)) // workers)
    rows = [{"number": n, "place": place.address, "name": name} for n, (place, name) in enumerate(pictures)]
    done = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS)).map(
        _Actor,
        fn_constructor_kwargs={"batch": batch, "setup": setup, "threads": threads},
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),  # a process that dies takes one along
        num_cpus=threads,
        num_gpus=min(1.0, there.get("GPU", 0) / workers),
        ray_remote_args_fn=_again,
    )
    silent = set(range(len(rows)))
    for row in done.iter_rows():
        silent.discard(row["number"])
        place, name = pictures[row["number"]]
        yield Report(place.shown(name), row["state"], row["reason"], tuple(filter(None, row["notes"].split("\n"))))
    for number in sorted(silent):
        place, name = pictures[number]
        reason = "Its process ended. If memory ran out, use fewer --workers or a smaller picture."
        yield Report(place.shown(name), FAILED, reason, ())
