"""Making of `refocus-depth-s`, from nothing to the file that ships.

    python -m refocus_core.train.depth data       make the scenes (CPU; several at once with --worker I --workers N)
    python -m refocus_core.train.depth encoder    fetch the encoder that training begins with
    python -m refocus_core.train.depth train      train, going on from the last checkpoint
    python -m refocus_core.train.depth evaluate   score the newest checkpoint, or the shipped file, on scenes set aside
    python -m refocus_core.train.depth export     write the newest checkpoint as the file that ships

Everything is kept in --work (default ~/.cache/refocus/train-depth); --config names another file than depth.json beside this one.
On several GPUs: accelerate launch -m refocus_core.train.depth train. `bench/run/depth.py` scores on real photographs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...depth.network import Architecture, DepthNet, quantised
from ..common.loop import Settings, checkpoints, fit, generator
from . import shards as depth_data
from .scores import score

log = logging.getLogger(__name__)

CONFIG = Path(__file__).with_name("config.json")
SHIPPED = Path(__file__).resolve().parents[2] / "depth" / "weights" / "refocus_depth_s.safetensors"


@dataclass(frozen=True)
class Config:
    """How the network is made; see depth.json.

    Attributes:
        data: `scenes`, `validation_scenes` (how many), `side_px`, `seed`.
        architecture: see `depth.network.Architecture`.
        frozen_blocks: blocks of the encoder that stay as they came.
        encoder_rate, decoder_rate: highest learning rates.
        weight_decay: of both.
        settings: see `loop.Settings`.
    """

    data: Mapping[str, int]
    architecture: Architecture
    frozen_blocks: int
    encoder_rate: float
    decoder_rate: float
    weight_decay: float
    settings: Settings

    @staticmethod
    def read(path: Path = CONFIG) -> Config:
        """From a JSON file.

        Raises:
            TypeError: if it has names that do not exist, or lacks some.
        """
        raw = json.loads(path.read_text(encoding="utf-8"))
        settings, architecture = Settings(**raw.pop("settings")), Architecture.read(raw.pop("architecture"))
        return Config(settings=settings, architecture=architecture, **raw)


# --- examples -------------------------------------------------------------------------------------------------------------

_SHAPES = ((12, 12), (12, 12), (11, 14), (14, 11), (14, 14), (16, 16))  # tokens: height, width


class Examples:
    """Crops of the scenes as a careless photographer would have delivered them. Example `i` is always the same."""

    def __init__(
        self,
        shards: Sequence[Mapping[str, Tensor]],
        seed: int,
        batch_size: int,
        shapes: Sequence[tuple[int, int]] = _SHAPES,
    ) -> None:
        self._shards, self._seed, self._batch, self._shapes = shards, seed, batch_size, shapes

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        shape = int(torch.randint(len(self._shapes), (1,), generator=generator(self._seed, index // self._batch, 2)))
        g = generator(self._seed, index, 3)
        shard = self._shards[int(torch.randint(len(self._shards), (1,), generator=g))]
        n = int(torch.randint(len(shard["image"]), (1,), generator=g))
        h, w = (16 * t for t in self._shapes[shape])
        source = shard["blurred" if float(torch.rand((), generator=g)) < 0.6 else "image"][n]
        image, disparity = crop(source.float() / 255, shard["disparity"][n].float(), h, w, g)
        return {"image": photographed(image, g), "target": normalised(disparity)}


def crop(image: Tensor, disparity: Tensor, height: int, width: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random part of [3,S,S] and [S,S], perhaps mirrored, at [3,height,width] and [height,width]."""

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g))

    side = image.shape[-1]
    aspect = width / height * number(0.87, 1.15)
    scale = number(0.6, 1.0) if number(0, 1) < 0.7 else 1.0
    w, h = (max(32, round(side * scale * min(1.0, v))) for v in (aspect, 1 / aspect))
    top, left = int(number(0, side - h + 0.999)), int(number(0, side - w + 0.999))
    image, disparity = (t[..., top : top + h, left : left + w] for t in (image, disparity))
    if number(0, 1) < 0.5:
        image, disparity = image.flip(-1), disparity.flip(-1)
    image = F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    return image.clamp(0, 1), F.interpolate(disparity[None, None], (height, width), mode="nearest-exact")[0, 0]


def photographed(image: Tensor, g: torch.Generator) -> Tensor:
    """Other exposure, contrast and colours; softness, noise and JPEG. [3,H,W] 0..1."""

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g))

    x = image.clamp_min(1e-4) ** number(0.65, 1.5)
    gains = torch.tensor([number(0.88, 1.12) for _ in range(3)]).view(3, 1, 1) * number(0.75, 1.2)
    x = x * gains
    grey = x.mean(0, keepdim=True)
    x = torch.lerp(grey.expand_as(x), x, 0.0 if number(0, 1) < 0.08 else number(0.4, 1.15))
    x = (x - 0.5) * number(0.75, 1.25) + 0.5
    if number(0, 1) < 0.35:
        size = [max(16, round(n / number(1.2, 3.0))) for n in x.shape[1:]]
        x = F.interpolate(F.interpolate(x[None], size, mode="bilinear", antialias=True), x.shape[1:], mode="bilinear")[0]
    if number(0, 1) < 0.5:
        x = x + torch.randn(x.shape, generator=g) * number(0.0, 0.05)
    x = x.clamp(0, 1)
    if number(0, 1) < 0.4:
        file = io.BytesIO()
        pixels = (x * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(number(25, 90)))
        x = torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1).float() / 255
    return x


def normalised(disparity: Tensor) -> Tensor:
    """[H,W] with 0 at the far end and 1 at the near end, but for 2 % of the pixels at each."""
    low, high = disparity.flatten().quantile(disparity.new_tensor([0.02, 0.98]))
    return ((disparity - low) / (high - low).clamp_min(1e-6)).clamp(0, 1.3)


# --- loss -----------------------------------------------------------------------------------------------------------------


def _standard(d: Tensor) -> Tensor:
    """[B,H,W] with median 0 and mean deviation 1 in each frame."""
    flat = d.flatten(1)
    middle = flat.median(1).values[:, None]
    spread = (flat - middle).abs().mean(1, keepdim=True).clamp_min(1e-3)
    return ((flat - middle) / spread).view_as(d)


def losses(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Parts of the loss of [B,H,W] disparity, each a scalar.

    "invariant": absolute error whatever scale and offset are (Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation");
    "gradient": of the difference's slopes at four scales; "range": absolute error of the square root, which keeps the output in
    one range from frame to frame, and far things in order.
    """
    difference = _standard(output) - _standard(target)
    slopes = output.new_zeros(())
    level = difference
    for _ in range(4):
        slopes = slopes + level.diff(dim=1).abs().clamp_max(4).mean() + level.diff(dim=2).abs().clamp_max(4).mean()
        level = F.avg_pool2d(level[:, None], 2)[:, 0]
    shift = 0.01
    root = (output + shift).sqrt() - (target + shift).sqrt()
    return {"invariant": difference.abs().clamp_max(6).mean(), "gradient": slopes, "range": root.abs().mean()}


WEIGHTS = {"invariant": 1.0, "gradient": 0.4, "range": 2.0}


def loss(model: nn.Module, batch: Mapping[str, Any]) -> tuple[Tensor, Mapping[str, float]]:
    """For `loop.fit`."""
    output = model(batch["image"]).float()
    parts = losses(output, batch["target"])
    total = sum((WEIGHTS[n] * v for n, v in parts.items()), output.new_zeros(()))
    return total, {n: float(v.detach()) for n, v in parts.items()}


# --- commands -------------------------------------------------------------------------------------------------------------


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


def evaluate(net: nn.Module, shards: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Mean scores on whole scenes, sharp and out of focus."""
    device = next(net.parameters()).device
    sums: dict[str, list[float]] = {}
    with torch.inference_mode():
        for shard in shards:
            for n in range(len(shard["image"])):
                truth = shard["disparity"][n].float()
                x = shard["blurred" if n % 2 else "image"][n : n + 1].to(device).float() / 255
                for name, value in (
                    score(net(x)[0].float().cpu(), truth, torch.ones_like(truth, dtype=torch.bool))._asdict().items()
                ):
                    sums.setdefault(name, []).append(value)
    return {n: float(np.nanmean(v)) for n, v in sums.items()}


def train(config: Config, work: Path, time_limit_s: float | None = None) -> int:
    """Train in `work`, going on from its last checkpoint; see `loop.fit`."""
    net = build(config, work / "dinov2.safetensors")
    shards = [depth_data.read(p) for p in depth_data.shards(work / "shards")]
    aside = [depth_data.read(p) for p in depth_data.shards(work / "validation")]
    examples = Examples(shards, config.settings.seed, config.settings.batch_size)
    return fit(
        net,
        optimizer(net, config),
        examples,
        loss,
        config.settings,
        work / "run",
        validate=lambda m: evaluate(m, aside),
        time_limit_s=time_limit_s,
    )


def trained(config: Config, work: Path) -> DepthNet:
    """The newest checkpoint's averaged weights.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    found = checkpoints(work / "run")
    if not found:
        raise FileNotFoundError(f"{work / 'run'} holds no checkpoint. Train first: python -m refocus_core.train.depth train")
    net = build(config, work / "dinov2.safetensors")
    net.load_state_dict(load_file(found[-1] / "average.safetensors"), strict=False)
    return net.eval()


def export(net: DepthNet, path: Path) -> str:
    """Write the file that ships and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(quantised(net.state_dict()), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make refocus-depth-s: data, encoder, train, evaluate, export.")
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
    data = config.data
    if args.command == "data":
        for folder, count, seed in (
            ("validation", data["validation_scenes"], data["seed"] + 1000),
            ("shards", data["scenes"], data["seed"]),
        ):
            depth_data.make(
                args.work / folder,
                scenes_count=count,
                side_px=data["side_px"],
                seed=seed,
                worker=args.worker,
                workers=args.workers,
                held_out=folder == "validation",
            )
    elif args.command == "encoder":
        from . import dinov2

        dinov2.write(args.work / "dinov2.safetensors")
    elif args.command == "train":
        steps = train(config, args.work, None if args.minutes is None else args.minutes * 60)
        log.info("%d of %d steps done", steps, config.settings.steps)
    elif args.command == "evaluate":
        aside = [depth_data.read(p) for p in depth_data.shards(args.work / "validation")]
        for name, value in evaluate(trained(config, args.work), aside).items():
            log.info("%s %.4f", name, value)
    else:
        digest = export(trained(config, args.work), args.out)
        log.info("%s: %d bytes, SHA-256 %s", args.out, args.out.stat().st_size, digest)


if __name__ == "__main__":
    main()
