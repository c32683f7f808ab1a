"""`python -m refocus_core batch --ray`: the same batch on Ray Data, from and to folders, S3 or GCS."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import PurePosixPath

from ..batch import Failure, Recipe
from ..batch.on_ray import run_on_ray
from ..batch.remote import DONE, FAILED, Batch
from ..batch.storage import Place
from .batch_command import Progress, checked_recipe, report, set_up
from .recipe_options import RESULTS, naming

LOCAL = "local"
"""The address that stands for a Ray of this run's own, on this machine."""


def run_ray_batch(args: argparse.Namespace) -> bool:
    """Do what is not done yet; whether nothing failed.

    Raises:
        ValueError, OSError, ImportError: before any work, if the recipe, the names or Ray cannot be used.
    """
    recipe, folder = checked_recipe(args)
    out = Place(_address(args.output))
    known = naming()
    pictures = [
        (place, name) for place in (Place(_address(given)) for given in args.inputs) for name in place.names(known.pictures, out)
    ]
    if not pictures:
        raise ValueError(f"There is no photo in {' '.join(args.inputs)}.")
    _refuse_collisions(pictures, recipe, args.ending)
    work = Batch(out, recipe, Place(str(folder)), known, args.ending)
    address = None if args.ray == LOCAL else args.ray
    failed: list[Failure] = []
    done = 0
    progress = Progress(len(pictures), args.quiet)
    with progress:
        for said in run_on_ray(pictures, work, set_up, args.workers, address):
            for note in said.notes:
                progress.say(f"refocus: {said.source}: {note}")
            if said.state == FAILED:
                failed.append(Failure(said.source, said.reason))
            done += said.state == DONE
            progress.step(len(failed))
    if done and not args.quiet:
        print(f"refocus: {done} of {len(pictures)} were done already.", file=sys.stderr)
    report(failed, len(pictures), args.quiet)
    return not failed


def _address(given: str) -> str:
    """A folder of this machine by its whole path; another address as it is."""
    return given if "://" in given else os.path.abspath(given)


def _refuse_collisions(pictures: list[tuple[Place, str]], recipe: Recipe, suffix: str | None) -> None:
    """Raise ValueError if two photos have one result."""
    taken: dict[str, str] = {}
    further = any(recipe.get(option) is not None for option in RESULTS)
    for place, name in pictures:
        path = PurePosixPath(name)
        for target in {str(path.with_suffix(suffix or path.suffix)), *([str(path.with_suffix(""))] if further else [])}:
            if target in taken:
                raise ValueError(
                    f"{taken[target]} and {place.shown(name)} would have one result, {target}. Rename one, or give another "
                    "OUT or ending."
                )
            taken[target] = place.shown(name)
