"""Making of `refocus-depth-s`, from nothing to the file that ships.

    python -m refocus_core.train.depth data       make the scenes (CPU; several at once with --worker I --workers N)
    python -m refocus_core.train.depth encoder    fetch the encoder that training begins with
    python -m refocus_core.train.depth train      train, going on from the last checkpoint
    python -m refocus_core.train.depth evaluate   score the newest checkpoint on scenes set aside
    python -m refocus_core.train.depth export     write the newest checkpoint as the file that ships

Everything is kept in --work (default ~/.cache/refocus/train-depth); --config names another file than config.json beside this one.
On several GPUs: accelerate launch -m refocus_core.train.depth train. `bench/run/depth.py` scores on real photographs.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...depth.network import Architecture, DepthNet, quantised
from ..common import config as config_files
from ..common import photos
from ..common.checkpoints import AVERAGE_FILE, newest
from ..common.loop import fit
from ..common.say import say
from ..common.settings import Settings
from . import dinov2, shards
from .examples import Examples
from .losses import loss
from .scores import score

log = logging.getLogger(__name__)

CONFIG = Path(__file__).with_name("config.json")
"""How the shipped weights were made."""
SHIPPED = Path(__file__).resolve().parents[2] / "depth" / "weights" / "refocus_depth_s.safetensors"
"""The file that ships."""
_ENCODER_FILE = "dinov2.safetensors"
"""In the work folder: the encoder that training begins with."""
_VALIDATION_SEED = 1000
"""Added to the seed for the scenes that are set aside."""


@dataclass(frozen=True)
class Data:
    """The scenes.

    Attributes:
        scenes, validation_scenes: how many to train on, and how many to set aside.
        side_px: of a scene.
        seed: of all of them.
    """

    scenes: int
    validation_scenes: int
    side_px: int
    seed: int


@dataclass(frozen=True)
class Config:
    """How the network is made; see config.json.

    Attributes:
        data: see `Data`.
        architecture: see `depth.network.Architecture`.
        frozen_blocks: blocks of the encoder that stay as they came.
        encoder_rate, decoder_rate: highest learning rates.
        weight_decay: of both.
        settings: see `Settings`.
    """

    data: Data
    architecture: Architecture
    frozen_blocks: int
    encoder_rate: float
    decoder_rate: float
    weight_decay: float
    settings: Settings

    @staticmethod
    def read(path: Path = CONFIG) -> Config:
        """From a JSON or YAML file.

        Raises:
            ValueError: if it has names that do not exist, or lacks some.
        """
        return config_files.read(path, Config)


def build(config: Config, encoder: Path) -> DepthNet:
    """The network as training begins: the decoder random by the seed, the encoder from a file of `dinov2`."""
    torch.manual_seed(config.settings.seed)
    net = DepthNet(config.architecture)
    state = load_file(encoder)
    blocks = {f"blocks.{i}." for i in range(config.architecture.blocks)}
    kept = {k: v for k, v in state.items() if not k.startswith("blocks.") or any(k.startswith(b) for b in blocks)}
    net.encoder.load_state_dict(kept)
    net.encoder.freeze(config.frozen_blocks)
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] # torch's stub lacks this form


def optimizer(net: DepthNet, config: Config) -> torch.optim.AdamW:
    """Slow for the encoder, fast for the decoder."""
    slow = [p for p in net.encoder.parameters() if p.requires_grad]
    fast = [p for n, p in net.named_parameters() if not n.startswith("encoder.")]
    groups = [{"params": slow, "lr": config.encoder_rate}, {"params": fast, "lr": config.decoder_rate}]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay)


def evaluate(net: nn.Module, scenes: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Mean scores on the whole scenes of shards, every other one out of focus."""
    device = next(net.parameters()).device
    values: dict[str, list[float]] = {}
    with torch.inference_mode():
        for shard in scenes:
            for n in range(len(shard["image"])):
                truth = shard["disparity"][n].float()
                x = shard["blurred" if n % 2 else "image"][n : n + 1].to(device).float() / 255
                scores = score(net(x)[0].float().cpu(), truth, torch.ones_like(truth, dtype=torch.bool))
                for name, value in scores._asdict().items():
                    values.setdefault(name, []).append(value)
    return {n: float(np.nanmean(v)) for n, v in values.items()}


def make_data(config: Config, work: Path, worker: int = 0, workers: int = 1) -> None:
    """Make the scenes that are missing in `work`: those that are set aside wear photos that are never trained on."""
    data = config.data
    for folder, count, seed, pictures in (
        ("validation", data.validation_scenes, data.seed + _VALIDATION_SEED, photos.held_out),
        ("shards", data.scenes, data.seed, photos.training),
    ):
        shards.make(
            work / folder,
            pictures(),
            count=count,
            side_px=data.side_px,
            seed=seed,
            worker=worker,
            workers=workers,
        )


def train(config: Config, work: Path, time_limit_s: float | None = None) -> int:
    """Train in `work`, going on from its last checkpoint; see `fit`."""
    net = build(config, work / _ENCODER_FILE)
    examples = Examples(shards.read_all(work / "shards"), config.settings.seed, config.settings.batch_size)
    validation = shards.read_all(work / "validation")
    return fit(
        net,
        optimizer(net, config),
        examples,
        loss,
        config.settings,
        work / "run",
        validate=lambda m: evaluate(m, validation),
        time_limit_s=time_limit_s,
    )


def trained(config: Config, work: Path) -> DepthNet:
    """The newest checkpoint's averaged weights.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    checkpoint = newest(work / "run", "python -m refocus_core.train.depth train")
    net = build(config, work / _ENCODER_FILE)
    net.load_state_dict(load_file(checkpoint / AVERAGE_FILE), strict=False)
    return net.eval()


def export(net: DepthNet, path: Path) -> str:
    """Write the file that ships and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(quantised(net.state_dict()), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m refocus_core.train.depth", description="Make refocus-depth-s: data, encoder, train, evaluate, export."
    )
    parser.add_argument("command", choices=("data", "encoder", "train", "evaluate", "export"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache" / "refocus" / "train-depth")
    parser.add_argument("--worker", type=int, default=0, help="number of this process (data)")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work (data)")
    parser.add_argument("--minutes", type=float, help="stop after this time with a checkpoint (train)")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the file (export)")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    config = Config.read(args.config)
    if args.command == "data":
        make_data(config, args.work, args.worker, args.workers)
    elif args.command == "encoder":
        dinov2.write(args.work / _ENCODER_FILE)
    elif args.command == "train":
        steps = train(config, args.work, None if args.minutes is None else args.minutes * 60)
        log.info("%d of %d steps done", steps, config.settings.steps)
    elif args.command == "evaluate":
        for name, value in evaluate(trained(config, args.work), shards.read_all(args.work / "validation")).items():
            say(f"{name:9s} {value:.4f}")
    else:
        digest = export(trained(config, args.work), args.out)
        say(f"{args.out}: {args.out.stat().st_size} bytes, SHA-256 {digest}")
