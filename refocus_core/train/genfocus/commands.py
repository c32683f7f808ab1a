"""The command line: pairs, latents, training and the adapter's file.

python -m refocus_core.train.genfocus synthetic FOLDER --count N -o PAIRS      # pairs; `--help` lists the other kinds
python -m refocus_core.train.genfocus prompts FLUX -o prompts.safetensors      # text encoders run once, for all stages
python -m refocus_core.train.genfocus encode PAIRS --vae FLUX -o LATENTS       # the autoencoder runs once for each pair
accelerate launch -m refocus_core.train.genfocus train SETTINGS.yaml OUT       # goes on where it stopped
python -m refocus_core.train.genfocus export OUT -o lora.safetensors
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ...generative import LAYOUTS
from ...generative.checkpoint import encode_prompts, load_vae
from ...generative.prompts import save_prompts
from ..common import config
from . import data, latents, run
from .shards import Shards
from .training import CONFIGS, Training

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it succeeded."""
    parser = argparse.ArgumentParser(
        prog="python -m refocus_core.train.genfocus", description="Make pairs, and fine-tune FLUX.1 on them with LoRA."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    data.add_commands(commands)
    _add_latents(commands)
    _add_training(commands)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    execute: Callable[[argparse.Namespace], None] = args.execute
    try:
        with torch.set_grad_enabled(execute is _train):
            execute(args)
    except (ValueError, OSError, ImportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _add_latents(commands: Any) -> None:
    p = commands.add_parser("prompts", help="embed the prompts of all stages")
    p.add_argument("flux", type=Path, help="folder of FLUX.1-dev in diffusers' layout")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--device", default="cpu")
    p.set_defaults(execute=_prompts)

    p = commands.add_parser("encode", help="latents of pairs")
    p.add_argument("pairs", nargs="+", help="shards that the commands above made")
    p.add_argument("--vae", type=Path, required=True, help="folder of FLUX.1-dev or of its autoencoder")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--per-shard", type=int, default=256)
    p.add_argument("--process", type=int, default=0)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--device", default="cpu")
    p.set_defaults(execute=_encode)


def _add_training(commands: Any) -> None:
    p = commands.add_parser("train", help="run a stage, or go on with it")
    p.add_argument("settings", help="YAML file")
    p.add_argument("out", type=Path)
    p.add_argument("--time-limit-s", type=float)
    p.set_defaults(execute=_train)

    p = commands.add_parser("export", help="the newest checkpoint as an adapter file")
    p.add_argument("folder", type=Path, help="folder of a training run")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--last", action="store_true", help="the last weights instead of their moving average")
    p.set_defaults(execute=_export)


def _prompts(args: argparse.Namespace) -> None:
    wordings = sorted({layout.prompt for layout in LAYOUTS.values()} | {""})
    save_prompts(args.out, encode_prompts(args.flux, wordings, torch.device(args.device), torch.bfloat16))


def _encode(args: argparse.Namespace) -> None:
    encoder = latents.vae_encoder(load_vae(args.vae, torch.float32).to(args.device))
    done = latents.encode_shards(
        Shards(args.pairs), encoder, args.out, per_shard=args.per_shard, process=args.process, processes=args.processes
    )
    log.info("%s: %d samples, %d rejected", args.out, done.samples, len(done.rejected))


def _train(args: argparse.Namespace) -> None:
    run.train(config.read(args.settings, Training, CONFIGS), args.out, time_limit_s=args.time_limit_s)


def _export(args: argparse.Namespace) -> None:
    run.export(args.folder, args.out, averaged=not args.last)
    log.info("%s", args.out)
