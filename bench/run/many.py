"""A batch of many small pictures, killed while it works and finished: is each there, none done twice, none lost?

    python -m bench.run.many [--count 500] [--workers 2] [--kills 2] [--write]

Pictures are crops of tests/data at 160 x 120 px in a temporary folder. A run is killed with its whole process group (SIGKILL)
after a share of the pictures that is drawn by chance, then the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from bench.lib.reporting import describe, machine, markdown, write_summary
from tests.helpers.paths import DATA, REPO

SIZE = (160, 120)
"""Of a picture in px."""
SOURCES = ("motorcycle.png", "astronaut.png", "city_lights.jpg")
"""Of tests/data: what the crops are taken from."""
RECIPE = {"blur": 2, "deblur": "none", "quality": "draft", "refine": 0}
"""What is done: little, as it is the bookkeeping that is tried. For the same reason depth is one picture, no network's."""
LOOK_S = 0.05
"""Seconds between two looks at the journal."""


def crops(folder: Path, count: int, chance: random.Random) -> None:
    """That many pictures, in folders of a hundred."""
    opened = [Image.open(DATA / name).convert("RGB") for name in SOURCES]
    for number in range(count):
        whole = opened[number % len(opened)]
        left, top = chance.randrange(whole.width - SIZE[0]), chance.randrange(whole.height - SIZE[1])
        file = folder / f"{number // 100}" / f"{number:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        whole.crop((left, top, left + SIZE[0], top + SIZE[1])).save(file)


def done(out: Path) -> list[str]:
    """Names in the journal, one for every time that a picture was done; a line that a kill cut off counts as none."""
    journal = out / ".refocus" / "journal.jsonl"
    names: list[str] = []
    for line in journal.read_bytes().splitlines() if journal.exists() else ():
        try:
            names.append(json.loads(line)["name"])
        except (ValueError, KeyError):
            continue
    return names


def run(command: Sequence[str], out: Path, kill_at: int | None) -> tuple[int, float]:
    """Exit code and seconds of a run; it is killed once so many pictures are done."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPO, start_new_session=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    while process.poll() is None:
        if kill_at is not None and len(done(out)) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            break
        time.sleep(LOOK_S)
    return process.returncode, time.perf_counter() - start


def tried(folder: Path, count: int, workers: int, kills: int, chance: random.Random) -> tuple[list[list[str]], dict[str, int]]:
    """Rows of the table, and what was found in the end."""
    source, out, recipe = folder / "in", folder / "out", folder / "recipe.json"
    crops(source, count, chance)
    Image.linear_gradient("L").resize(SIZE).save(folder / "depth.png")
    recipe.write_text(json.dumps({**RECIPE, "depth": str(folder / "depth.png")}))
    command = [sys.executable, "-m", "refocus_core", "batch", str(source), str(out), "--recipe", str(recipe)]
    command += ["--workers", str(workers), "-q"]
    kept: dict[Path, int] = {}
    rows: list[list[str]] = []
    for number, kill_at in enumerate([*sorted(chance.sample(range(1, count), kills)), None], 1):
        before = len(set(done(out)))
        code, seconds = run(command, out, kill_at)
        after = len(set(done(out)))
        rows.append([str(number), str(before), str(after), f"{seconds:.0f}", "finished" if code == 0 else f"ended with {code}"])
        print(" | ".join(rows[-1]), flush=True)
        changed = sum(not file.exists() or file.stat().st_mtime_ns != at for file, at in kept.items())
        if changed:
            raise SystemExit(f"{changed} results of an earlier run were touched again.")
        kept = {file: file.stat().st_mtime_ns for name in done(out) if (file := out / name).exists()}
    for name in done(out):
        with Image.open(out / name) as result:
            result.load()
    expected = {file.relative_to(source).as_posix() for file in source.rglob("*.png")}
    times = Counter(done(out))
    return rows, {
        "there": sum((out / name).is_file() for name in expected),
        "twice": sum(n > 1 for n in times.values()),
        "lost": len(expected - set(times)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into bench/results")
    args = parser.parse_args()
    on = describe(machine(torch.device("cpu")))
    chance = random.Random(args.seed)  # noqa: S311 - for the same trial again, not for secrets
    with tempfile.TemporaryDirectory() as folder:
        rows, found = tried(Path(folder), args.count, args.workers, args.kills, chance)
    print(found)
    if args.write:
        head = ("run", "done before", "done after", "seconds", "it")
        said = f"{args.count} pictures of {SIZE[0]} x {SIZE[1]} px, {args.workers} workers, killed {args.kills} times"
        ended = f"In the end {found['there']} results were there, {found['twice']} done twice, {found['lost']} lost."
        how = f"{said}; depth from a picture (seed {args.seed})."
        text = f"# A batch, killed and finished\n\n{how}\n{on}\n\n{markdown(head, rows)}\n\n{ended}\n"
        write_summary("many", text)
    if found != {"there": args.count, "twice": 0, "lost": 0}:
        raise SystemExit("The batch is not whole.")


if __name__ == "__main__":
    main()
