"""Going on from a trained network, on views of `train.levels` and whatever else lies beside them, in legs.

    python -m refocus_core.train.depth.further LEG --start FILE --shards FOLDER --steps N [--rate steady|falling] [--minutes M]
    python -m refocus_core.train.depth.further LEG --pack FILE

A leg is a folder. It takes the shards that are there when it begins (their names are written down), trains N steps and keeps
checkpoints: the same command goes on where it stopped, exactly. Its learning rate is steady, or falls to 0 as a cosine; a run of
unknown length is a steady leg for as long as there is time, then a short falling one that starts from it. `--start` is a packed
file as it ships, or another leg.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...depth.network import DepthNet, restored
from ..common.checkpoints import AVERAGE_FILE, newest
from ..common.loop import fit
from . import shards
from .examples import Examples
from .losses import loss
from .run import CONFIG, SHIPPED, Config, evaluate, export, optimizer

log = logging.getLogger(__name__)

ENCODER_RATE, DECODER_RATE = 4e-5, 5e-4
"""Highest learning rates; the decoder's is lower than for one that begins at random."""

BATCH_SIZE = 4
"""Examples of a step. On a CPU a step of four takes half the time of one of eight, and learns more than half as much."""

SMALL = ((9, 9), (9, 12), (12, 9), (10, 10), (12, 12), (11, 14), (14, 11))
"""Sizes of the crops of a steady leg, which is to see much, in tokens of 16 px, height and width."""
LARGE = ((14, 14),)
"""Added to them in a falling leg: nearer to the size at which the network is used."""

WARMUP_STEPS = 40
"""Steps over which the learning rate rises from 0: the optimiser of a new leg knows nothing of the last one."""

SAVE_EVERY = 60
"""Steps between checkpoints: a killed run loses at most these."""

BEGAN = "start.safetensors"
"""The packed file that a leg, or the first of several, started from: it holds what is never trained."""

AVERAGED = 0.995
"""Decay of the moving average of the weights: nearer to 1 is smoother and later."""


def started(config: Config, start: Path) -> DepthNet:
    """The network of a packed file, or of a leg's newest checkpoint.

    Raises:
        FileNotFoundError: if the leg has no checkpoint.
    """
    net = DepthNet(config.architecture)
    net.load_state_dict(restored(load_file(start if start.is_file() else start / BEGAN)))
    if start.is_dir():
        _load_leg(net, start)
    net.encoder.freeze(config.frozen_blocks)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] # torch's stub lacks this form


def _load_leg(net: DepthNet, leg: Path) -> None:
    checkpoint = newest(leg, f"python -m refocus_core.train.depth.further {leg}")
    net.load_state_dict(load_file(checkpoint / AVERAGE_FILE), strict=False)


def begin(leg: Path, start: Path, folder: Path) -> list[Path]:
    """The shards of a leg: those in `folder` when it began. Then, the packed file that it goes back to is copied too."""
    listed = leg / "shards.json"
    if not listed.exists():
        leg.mkdir(parents=True, exist_ok=True)
        shutil.copy(start if start.is_file() else start / BEGAN, leg / BEGAN)
        listed.write_text(json.dumps([p.name for p in shards.shard_files(folder)], indent=1))
    return [folder / name for name in json.loads(listed.read_text())]


def train(
    config: Config,
    leg: Path,
    start: Path,
    folder: Path,
    steps: int,
    *,
    falling: bool,
    aside: Path | None = None,
    time_limit_s: float | None = None,
) -> int:
    """Train a leg, going on from its last checkpoint; see `loop.fit`. `aside`: a folder of shards to score on at the end."""
    settings = replace(
        config.settings,
        steps=steps,
        batch_size=BATCH_SIZE,
        warmup_steps=min(WARMUP_STEPS, steps // 4),
        final_rate=0.0 if falling else 1.0,
        ema=AVERAGED,
        precision="no",
        save_every=SAVE_EVERY,
        validate_every=0,
        seed=config.settings.seed + sum(leg.name.encode()),
    )
    config = replace(config, encoder_rate=ENCODER_RATE, decoder_rate=DECODER_RATE, settings=settings)
    scenes = [shards.read(p) for p in begin(leg, start, folder)]
    net = started(config, start)
    examples = Examples(scenes, settings.seed, settings.batch_size, SMALL + LARGE if falling else SMALL)
    held_out = [] if aside is None else shards.read_all(aside)
    validate = (lambda m: evaluate(m, held_out)) if held_out else None
    return fit(net, optimizer(net, config), examples, loss, settings, leg, validate=validate, time_limit_s=time_limit_s)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a depth network further.")
    parser.add_argument("leg", type=Path)
    parser.add_argument("--start", type=Path, default=SHIPPED, help="a packed file or another leg")
    parser.add_argument("--shards", type=Path, default=Path.home() / ".cache" / "refocus" / "train-depth" / "shards")
    parser.add_argument("--aside", type=Path, help="shards that are never trained on, to score at the end")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", choices=("steady", "falling"), default="steady")
    parser.add_argument("--minutes", type=float, help="stop after this time with a checkpoint")
    parser.add_argument("--pack", type=Path, help="write the leg's network as the file that ships, and train nothing")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    if args.pack:
        net = started(Config.read(CONFIG), args.leg).eval()
        log.info("%s: SHA-256 %s, %d bytes", args.pack, export(net, args.pack), args.pack.stat().st_size)
        return
    limit = None if args.minutes is None else args.minutes * 60
    done = train(
        Config.read(CONFIG),
        args.leg,
        args.start,
        args.shards,
        args.steps,
        falling=args.rate == "falling",
        aside=args.aside,
        time_limit_s=limit,
    )
    log.info("%d of %d steps done", done, args.steps)


if __name__ == "__main__":
    main()
