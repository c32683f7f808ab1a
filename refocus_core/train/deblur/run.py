"""Makes `refocus-deblur-s`, from photos to the file that ships.

    python -m refocus_core.train.deblur data     --work FOLDER     photos and pairs (on a CPU, a few minutes per thousand pairs)
    python -m refocus_core.train.deblur train    --work FOLDER     goes on where it was stopped; --minutes 10 makes slices
    python -m refocus_core.train.deblur evaluate --work FOLDER     on photos that were set aside
    python -m refocus_core.train.deblur export   --work FOLDER --out FILE.safetensors

`--config FILE.json` replaces `deblur.json` beside this module; `--set training.steps=100` changes one value of it.
`accelerate launch -m refocus_core.train.deblur train ...` trains on several GPUs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ... import color, psf
from ...restore.network import DeblurNetwork, Shape
from ..common import config as config_files
from ..common import photos
from ..common.batches import Batch
from ..common.checkpoints import AVERAGE_FILE, newest
from ..common.loop import Loss, fit
from ..common.say import say
from ..common.settings import Settings
from . import pairs

CONFIG = Path(__file__).with_name("config.json")
"""Settings of a long run; docs/models/refocus-deblur-s.md says what the shipped weights had instead."""
RADII_PX = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Radii of the disc that validation blurs pictures with."""
VALIDATION_SIDE_PX = 256
"""Side of the parts of photos that validation looks at; larger ones take longer by their square."""
_SHARP_SHORT_EDGE_PX = 640
"""Photos that are set aside are reduced to this short edge, by which their own softness goes below a pixel."""
_LEAST_REDUCTION = 1.5
"""Small photos are reduced at least by this: demosaicing and JPEG soften any photo at its own size."""
_HARM_WINDOW_PX = 4
"""Over such squares harm is averaged: with less, noise alone would count as harm, with more, small harm would hide."""
_SMOOTH = 1e-6
"""Added under the root of the Charbonnier distance; larger makes small differences count less."""
_FLOOR = 1e-7
"""Mean square below which pictures count as equal when their gain is logged."""


@dataclass(frozen=True)
class Data:
    """How many pairs, and their seed."""

    pairs: int
    seed: int


@dataclass(frozen=True)
class LossWeights:
    """Shares of the parts of the loss beside the distance of the pixels; see `make_loss`.

    Attributes:
        frequency: of the spectra's distance; more gives crisper texture.
        radius: of the estimated radius.
        harm: of what is worse than the source.
        half_px: radius at which a pixel counts half.
    """

    frequency: float
    radius: float
    harm: float
    half_px: float


@dataclass(frozen=True)
class Config:
    """How the network is made; see config.json.

    Attributes:
        data: see `Data`.
        shape: of the network.
        training: see `Settings`.
        crop_px: side of the examples.
        learning_rate, weight_decay: of AdamW.
        loss: see `LossWeights`.
    """

    data: Data
    shape: Shape
    training: Settings
    crop_px: int
    learning_rate: float
    weight_decay: float
    loss: LossWeights

    @staticmethod
    def read(file: Path = CONFIG, changes: Sequence[str] = ()) -> Config:
        """From a JSON or YAML file, with changes such as `training.steps=100`.

        Raises:
            ValueError: if a name does not exist or a value is of another kind.
        """
        return config_files.build(Config, config_files.changed(config_files.read_plain(file), changes), str(file))


def network(config: Config) -> DeblurNetwork:
    """A new network of the configured shape, the same for the same seed."""
    torch.manual_seed(config.training.seed)
    return DeblurNetwork(config.shape).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def make_loss(weights: LossWeights) -> Loss:
    """Charbonnier distance, that of the spectra, that of the radii, and a penalty where the result is worse than the source.

    A pixel counts 1 / (1 + (r / half_px)^2): what a large blur has erased cannot be learned, and would drown what can.
    """

    def loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        source, target = batch["source"], batch["target"]
        restored, radius_px = model(source, batch["hint_px"], batch["hinted"])
        weight = 1 / (1 + (batch["radius_px"] / weights.half_px).square())
        weight = F.interpolate(weight[:, None], scale_factor=2, mode="nearest")
        difference = (restored.float() - target) * weight
        before = (source - target) * weight
        pixel = (difference.square() + _SMOOTH).sqrt().mean()
        frequency = torch.fft.rfft2(difference, norm="ortho").abs().mean()
        estimated = F.avg_pool2d(radius_px.float()[:, None], 2)[:, 0]
        radius = F.smooth_l1_loss(estimated.clamp_min(0).log1p(), batch["radius_px"].log1p(), beta=0.1)
        worse = _window_energy(difference) - _window_energy(before)
        harm = (worse.clamp_min(0) + _SMOOTH).sqrt().mean() - math.sqrt(_SMOOTH)
        value = pixel + weights.frequency * frequency + weights.radius * radius + weights.harm * harm
        with torch.no_grad():
            gain = 10 * torch.log10((before.square().mean() + _FLOOR) / (difference.square().mean() + _FLOOR))
        numbers = {"pixel": pixel, "radius": radius, "harm": harm, "gain_db": gain}
        return value, {n: float(v.detach()) for n, v in numbers.items()}

    return loss


def _window_energy(difference: Tensor) -> Tensor:
    """Squares of [B,3,H,W], summed over channels and averaged over small windows."""
    return F.avg_pool2d(difference.square(), _HARM_WINDOW_PX).sum(1)


def blur(image_srgb: Tensor, radius_px: float) -> Tensor:
    """A whole picture [B,3,H,W] defocused by a disc of one radius, in linear light, as 8 bits hold it."""
    if radius_px == 0:
        return image_srgb
    kernel = psf.disc(radius_px)[None]
    m = kernel.shape[-1] // 2
    linear = F.pad(color.srgb_to_linear(image_srgb), (m, m, m, m), "reflect")
    blurred = F.conv2d(linear.flatten(0, 1)[:, None], kernel).unflatten(0, image_srgb.shape[:2])[:, :, 0]
    return (color.linear_to_srgb(blurred.clamp(0, 1)) * 255).round() / 255


def psnr(a: Tensor, b: Tensor) -> float:
    """In dB, of pictures in 0..1."""
    return -10 * math.log10(max(float((a.clamp(0, 1) - b.clamp(0, 1)).square().mean()), 1e-10))


def held_out(side_px: int = VALIDATION_SIDE_PX) -> Tensor:
    """The parts in focus of the photos that were set aside [N,3,side,side], reduced until they are sharp."""
    parts: list[Tensor] = []
    for file in photos.held_out():
        picture = photos.load(file)[None].float() / 255
        factor = max(min(picture.shape[-2:]) / _SHARP_SHORT_EDGE_PX, _LEAST_REDUCTION)
        size = tuple(round(n / factor) for n in picture.shape[-2:])
        small = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True)
        small = (color.linear_to_srgb(small).clamp(0, 1) * 255).round() / 255
        parts.append(photos.sharpest(small, side_px))
    return torch.cat(parts)


@torch.no_grad()
def scores(model: nn.Module, pictures: Tensor) -> dict[str, float]:
    """Mean PSNR of the source and of the restored picture, and the estimated radius, for each radius of a disc."""
    model.eval()
    out: dict[str, float] = {}
    for r in RADII_PX:
        before: list[float] = []
        after: list[float] = []
        radii: list[float] = []
        for picture in pictures.split(1):
            source = blur(picture, r)
            restored, radius = model(source)
            before.append(psnr(source, picture))
            after.append(psnr(restored, picture))
            radii.append(float(radius.median()))
        out[f"r{r:g}_db"] = sum(after) / len(after)
        if r:
            out[f"r{r:g}_gain_db"] = (sum(after) - sum(before)) / len(after)
            out[f"r{r:g}_worst_db"] = min(a - b for a, b in zip(after, before, strict=True))
        else:
            out["r0_worst_db"] = min(after)
        out[f"r{r:g}_radius_px"] = sum(radii) / len(radii)
    return out


def train(config: Config, work: Path, minutes: float | None, start: Path | None = None) -> int:
    """Train, or go on. `start` holds weights that a new run begins with. Returns the steps that are done in all."""
    files = sorted((work / "pairs").glob("pairs-*.safetensors"))
    examples = pairs.Pairs(files, crop_px=config.crop_px, seed=config.training.seed)
    model = network(config)
    if start is not None:
        model.load_state_dict(load_file(start))
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    pictures = held_out() if config.training.validate_every else None

    def validate(averaged: nn.Module) -> Mapping[str, float]:
        assert pictures is not None
        return scores(averaged, pictures.to(next(averaged.parameters()).device))

    return fit(
        model,
        optimizer,
        examples,
        make_loss(config.loss),
        config.training,
        work / "run",
        validate=None if pictures is None else validate,
        time_limit_s=None if minutes is None else minutes * 60,
    )


def newest_weights(work: Path) -> Path:
    """The averaged weights of the last checkpoint.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    return newest(work / "run", f"python -m refocus_core.train.deblur train --work {work}") / AVERAGE_FILE


def export(config: Config, weights: Path, out: Path) -> str:
    """Write the weights as float16 with the shape in the file's header; returns the sha256."""
    model = network(config)
    model.load_state_dict(load_file(weights))
    out.parent.mkdir(parents=True, exist_ok=True)
    state = {n: t.half().contiguous() for n, t in model.state_dict().items()}
    save_file(state, out, {"name": "refocus-deblur-s", "shape": json.dumps(asdict(config.shape))})
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m refocus_core.train.deblur", description="Makes refocus-deblur-s.")
    parser.add_argument("command", choices=("data", "train", "evaluate", "export"))
    parser.add_argument("--work", type=Path, required=True, help="folder of pairs, checkpoints and logs")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one value of the configuration")
    parser.add_argument("--minutes", type=float, help="train: stop after this time, with a checkpoint")
    parser.add_argument("--start", type=Path, help="train: safetensors of weights that a new run begins with")
    parser.add_argument("--weights", type=Path, help="evaluate, export: other weights than those of the last checkpoint")
    parser.add_argument("--out", type=Path, help="export: the file to write")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = Config.read(args.config, args.set)
    if args.command == "data":
        files = pairs.pack(args.work / "pairs", config.data.pairs, seed=config.data.seed)
        say(f"{len(files)} shards in {args.work / 'pairs'}")
    elif args.command == "train":
        say(f"{train(config, args.work, args.minutes, args.start)} steps")
    elif args.command == "evaluate":
        model = network(config)
        model.load_state_dict(load_file(args.weights or newest_weights(args.work)))
        for name, value in scores(model, held_out()).items():
            say(f"{name:16s} {value:.2f}")
    else:
        if args.out is None:
            parser.error("export needs --out")
        say(f"sha256 {export(config, args.weights or newest_weights(args.work), args.out)}")
