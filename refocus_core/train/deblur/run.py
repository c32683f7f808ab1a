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
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ... import color, psf
from ...restore.network import DeblurNetwork, Shape
from ..common import photos
from ..common.loop import Batch, Loss, Settings, checkpoints, fit
from . import pairs

log = logging.getLogger(__name__)

CONFIG = Path(__file__).with_name("config.json")
RADII_PX = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
VALIDATION_SIDE_PX = 256


def network(config: Mapping[str, Any]) -> DeblurNetwork:
    """A new network of the configured shape, the same for the same seed."""
    torch.manual_seed(config["training"].get("seed", 0))
    return DeblurNetwork(Shape.of(config["shape"])).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def make_loss(weights: Mapping[str, float]) -> Loss:
    """Charbonnier distance, that of the spectra, that of the radii, and a penalty where the result is worse than the source.

    A pixel counts 1 / (1 + (r / half_px)^2): what a large blur has erased cannot be learned, and would drown what can.
    """

    def loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        source, target = batch["source"], batch["target"]
        restored, radius_px = model(source, batch["hint_px"], batch["hinted"])
        weight = 1 / (1 + (batch["radius_px"] / weights["half_px"]).square())
        weight = F.interpolate(weight[:, None], scale_factor=2, mode="nearest")
        difference = (restored.float() - target) * weight
        before = (source - target) * weight
        pixel = (difference.square() + 1e-6).sqrt().mean()
        frequency = torch.fft.rfft2(difference, norm="ortho").abs().mean()
        found = F.avg_pool2d(radius_px.float()[:, None], 2)[:, 0]
        radius = F.smooth_l1_loss(found.clamp_min(0).log1p(), batch["radius_px"].log1p(), beta=0.1)
        # Averaged over a few pixels, or noise alone would count as harm.
        harm = (F.avg_pool2d(difference.square(), 4).sum(1) - F.avg_pool2d(before.square(), 4).sum(1)).clamp_min(0)
        harm = (harm + 1e-6).sqrt().mean() - 1e-3
        value = pixel + weights["frequency"] * frequency + weights["radius"] * radius + weights["harm"] * harm
        with torch.no_grad():
            gain = 10 * torch.log10((before.square().mean() + 1e-7) / (difference.square().mean() + 1e-7))
        numbers = {"pixel": pixel, "radius": radius, "harm": harm, "gain_db": gain}
        return value, {n: float(v.detach()) for n, v in numbers.items()}

    return loss


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
    cut: list[Tensor] = []
    for file in photos.held_out():
        picture = photos.load(file)[None].float() / 255
        factor = max(min(picture.shape[-2:]) / 640, 1.5)
        size = tuple(round(n / factor) for n in picture.shape[-2:])
        small = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True)
        small = (color.linear_to_srgb(small).clamp(0, 1) * 255).round() / 255
        cut.append(photos.sharpest(small, side_px))
    return torch.cat(cut)


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


def train(config: Mapping[str, Any], work: Path, minutes: float | None, start: Path | None = None) -> int:
    """Train, or go on. `start` holds weights that a new run begins with."""
    files = sorted((work / "pairs").glob("pairs-*.safetensors"))
    examples = pairs.Pairs(files, crop_px=config["crop_px"], seed=config["training"].get("seed", 0))
    model = network(config)
    if start is not None:
        model.load_state_dict(load_file(start))
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), config["learning_rate"], weight_decay=config["weight_decay"])
    settings = Settings(**config["training"])
    pictures = held_out() if settings.validate_every else None

    def validate(averaged: nn.Module) -> Mapping[str, float]:
        assert pictures is not None
        return scores(averaged, pictures.to(next(averaged.parameters()).device))

    return fit(
        model,
        optimizer,
        examples,
        make_loss(config["loss"]),
        settings,
        work / "run",
        validate=validate if pictures is not None else None,
        time_limit_s=None if minutes is None else minutes * 60,
    )


def newest(work: Path) -> Path:
    """The averaged weights of the last checkpoint."""
    found = checkpoints(work / "run")
    if not found:
        raise FileNotFoundError(f"{work / 'run'} holds no checkpoint. Train first.")
    return found[-1] / "average.safetensors"


def export(config: Mapping[str, Any], weights: Path, out: Path) -> str:
    """Write the weights as float16 with the shape in the file's header; returns the sha256."""
    model = network(config)
    model.load_state_dict(load_file(weights))
    out.parent.mkdir(parents=True, exist_ok=True)
    state = {n: t.half().contiguous() for n, t in model.state_dict().items()}
    save_file(state, out, {"name": "refocus-deblur-s", "shape": json.dumps(asdict(Shape.of(config["shape"])))})
    return hashlib.sha256(out.read_bytes()).hexdigest()


def read_config(file: Path, changes: list[str]) -> dict[str, Any]:
    """The configuration, with changes such as `training.steps=100`."""
    config = json.loads(file.read_text())
    for change in changes:
        key, _, value = change.partition("=")
        *path, last = key.split(".")
        at = config
        for name in path:
            at = at[name]
        if last not in at and last not in Settings.__dataclass_fields__:
            raise ValueError(f"The configuration has no value {key}.")
        try:
            at[last] = json.loads(value)
        except json.JSONDecodeError:
            at[last] = value
    return config


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: list[str] | None = None) -> None:
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
    config = read_config(args.config, args.set)
    if args.command == "data":
        made = pairs.pack(args.work / "pairs", config["data"]["pairs"], seed=config["data"]["seed"])
        _say(f"{len(made)} shards in {args.work / 'pairs'}")
    elif args.command == "train":
        _say(f"{train(config, args.work, args.minutes, args.start)} steps")
    elif args.command == "evaluate":
        model = network(config)
        model.load_state_dict(load_file(args.weights or newest(args.work)))
        for name, value in scores(model, held_out()).items():
            _say(f"{name:16s} {value:.2f}")
    else:
        if args.out is None:
            parser.error("export needs --out")
        _say(f"sha256 {export(config, args.weights or newest(args.work), args.out)}")


if __name__ == "__main__":
    main()
