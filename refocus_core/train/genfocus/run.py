"""LoRA fine-tuning of DeblurNet and BokehNet on FLUX.1 (Genfocus, arXiv 2512.16923).

    python -m refocus_core.train.genfocus prompts FLUX -o prompts.safetensors        # text encoders run once, for all stages
    python -m refocus_core.train.genfocus encode PAIRS --vae FLUX -o LATENTS         # the autoencoder runs once for each pair
    accelerate launch -m refocus_core.train.genfocus train SETTINGS.yaml OUT         # goes on where it stopped
    python -m refocus_core.train.genfocus export OUT -o lora.safetensors

Flow matching: x_t = (1 - t) x_0 + t e with noise e; the network predicts the velocity e - x_0, and the loss is the mean squared
error. Text and noisy image run on FLUX's own weights, the condition tokens on weights with the adapter, which alone is trained.
docs/training.md says which numbers are the paper's and which are ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...generative import LAYOUTS, RELEASED_MODULES, Layout, Lora, adapter_factors, bind_diffusers, load_lora, run, save_lora
from ...generative.checkpoint import encode_prompts, load_transformer, load_vae
from ...generative.forward import Factors
from ...generative.prompts import Prompt, load_prompts, save_prompts
from ...generative.sampling import integrate, sigmas
from ...generative.tokens import defocus_picture, pack, position_ids, unpack
from ...models import read_safetensors
from ..common import config
from ..common.loop import Settings, checkpoints, fit, generator
from ..common.optimizers import OptimizerSettings, make_optimizer
from .measure import ssim
from .shards import Mixed, ShardExamples, Shards, Written, decode, write

log = logging.getLogger(__name__)

ADAPTER = "trained"
FROZEN = "frozen"
MEMBER = {"photo": "", "defocus": "defocus", "pre_deblurred": "pre", "aperture": "aperture"}
"""Name of each condition in the latents; the photo is the blurred or the sharp one, by task."""
TIMES = ("logit_normal", "uniform")


# --- settings -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """Latents to train on.

    Attributes:
        shards: folder, file or address (with braces) of shards that `encode` made.
        parts: how many of every `sum(parts)` examples come from here.
        cache: folder for remote shards.
    """

    shards: str
    parts: int = 1
    cache: str | None = None


@dataclass(frozen=True)
class Validation:
    """What is measured every `run.validate_every` steps.

    Attributes:
        shards: held-out latents.
        count: how many of them.
        pictures: of these, how many are sampled, decoded and shown (needs `vae`).
        steps: of sampling.
        vae: folder of FLUX (or of its autoencoder).
    """

    shards: str
    count: int = 8
    pictures: int = 0
    steps: int = 8
    vae: str | None = None


@dataclass(frozen=True)
class Training:
    """One stage.

    Attributes:
        layout: what the adapter sees: a name in `generative.LAYOUTS`.
        transformer: folder of FLUX.1 in diffusers' layout (its `transformer` folder is taken), or of the transformer itself.
        prompts: file that the command `prompts` made.
        data: where latents come from.
        run: see `loop.Settings`; `precision` stays "no": weights are cast by `dtype`.
        optimizer: see `OptimizerSettings`.
        rank: of the adapter.
        modules: regular expression of the adapted layers, or "released" for those of the published files.
        start: adapter file to begin from, or None for a new one (A Gaussian, B zero).
        frozen: adapter file that stays as it is and that the new one is added to (the shape stage), or None.
        time: "logit_normal" (sigmoid of a normal number) or "uniform".
        guidance: FLUX's guidance while training.
        no_prompt: share of examples with the empty prompt.
        dtype: of FLUX's weights and of the computation; the adapter is kept in float32.
        checkpointing: recompute blocks in the backward pass to save memory.
        together: shards that are mixed at a time.
        validation: or None.
    """

    layout: str
    transformer: str
    prompts: str
    data: tuple[Data, ...]
    run: Settings
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    rank: int = 64
    modules: str = "released"
    start: str | None = None
    frozen: str | None = None
    time: str = "logit_normal"
    guidance: float = 1.0
    no_prompt: float = 0.0
    dtype: str = "bfloat16"
    checkpointing: bool = True
    together: int = 4
    validation: Validation | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"Unknown layout {self.layout!r}. Known: {', '.join(LAYOUTS)}.")
        if self.time not in TIMES:
            raise ValueError(f"time must be one of {', '.join(TIMES)}, got {self.time!r}.")
        if self.dtype not in ("bfloat16", "float32"):
            raise ValueError(f"dtype must be bfloat16 or float32, got {self.dtype!r}.")
        if self.run.precision != "no":
            raise ValueError("run.precision must be 'no': FLUX is cast as a whole, by `dtype`, and the adapter stays in float32.")
        if not self.data:
            raise ValueError("data: at least one source of latents is needed.")
        if self.start is not None and self.frozen is not None:
            raise ValueError("Give `start` (train this adapter on) or `frozen` (train another one beside it), not both.")
        if not 0 <= self.no_prompt < 1:
            raise ValueError(f"no_prompt must lie in 0..1, got {self.no_prompt}.")

    @property
    def sees(self) -> Layout:
        return LAYOUTS[self.layout]


# --- latents --------------------------------------------------------------------------------------------------------------

Encoder = Callable[[Tensor], Tensor]
"""Picture [1,3,H,W] in the autoencoder's range -> [1,2,C,H/8,W/8]: mean and standard deviation of latents as FLUX sees them."""


def vae_encoder(vae: Any) -> Encoder:
    """`Encoder` of diffusers' AutoencoderKL, with FLUX's shift and scale applied."""
    shift, scale = float(vae.config.shift_factor or 0), float(vae.config.scaling_factor)

    @torch.no_grad()
    def encode(picture: Tensor) -> Tensor:
        found = vae.encode(picture.to(vae.device, vae.dtype)).latent_dist
        return torch.stack([(found.mean - shift) * scale, found.std * scale], 1).float().cpu()

    return encode


def vae_decoder(vae: Any) -> Callable[[Tensor], Tensor]:
    """FLUX latents [B,C,h,w] -> pictures [B,3,H,W] in 0..1."""
    shift, scale = float(vae.config.shift_factor or 0), float(vae.config.scaling_factor)

    @torch.no_grad()
    def decode_(latents: Tensor) -> Tensor:
        picture = vae.decode((latents / scale + shift).to(vae.device, vae.dtype)).sample
        return (picture.float().cpu() / 2 + 0.5).clamp(0, 1)

    return decode_


def latents_of(sample: Mapping[str, Any], encode: Encoder) -> dict[str, Any]:
    """Members of a latent sample from those of a pair (see `data.pairs`): what a stage may need of it, as float16.

    Photos and apertures go into the autoencoder as -1..1, the defocus map as |radius| / 100 px in 0..1, as the released weights
    had it.
    """

    def photo(name: str) -> Tensor:
        return encode(sample[name][None].float() / 127.5 - 1)[0].half()

    out = {name: photo(f"{name}.png") for name in ("sharp", "blurred", "pre") if f"{name}.png" in sample}
    if "radius.npy" in sample:
        out["defocus"] = encode(defocus_picture(sample["radius.npy"][None].float()))[0].half()
    if "kernel.png" in sample:
        out["aperture"] = photo("kernel.png")
    return {"latents.safetensors": out, "json": sample.get("json", {})}


def encode_shards(pairs: Shards, encode: Encoder, out: Path, **options: Any) -> Written:
    """Latents of all pairs, in their order. `options` are those of `shards.write`; it can be stopped and run again."""
    counts = pairs.counts()

    def make(index: int) -> Mapping[str, Any]:
        for shard, count in enumerate(counts):
            if index < count:
                return latents_of(decode(pairs.sample(shard, index)[1]), encode)
            index -= count
        raise IndexError(index)

    return write(make, sum(counts), out, **options)


class LatentExample:
    """From a latent sample and its number to what the loss needs; all that is drawn depends on `seed` and the number alone.

    Returns `target` and `noise` [C,h,w], `condition_i` [C,h,w], `time` [] in 0..1, `no_prompt` [] (bool).
    """

    def __init__(self, layout: Layout, time: str, no_prompt: float, seed: int) -> None:
        self.layout, self.time, self.no_prompt, self.seed = layout, time, no_prompt, seed
        bokeh = layout.task == "bokeh"
        self.target, self.photo = ("blurred", "sharp") if bokeh else ("sharp", "blurred")

    def __call__(self, sample: Mapping[str, Any], index: int) -> dict[str, Any]:
        found: Mapping[str, Tensor] = sample["latents.safetensors"]
        rng = generator(self.seed, 41, index)

        def draw(name: str) -> Tensor:
            if name not in found:
                raise ValueError(
                    f"The latents hold {', '.join(found)}, but the layout '{self.layout.name}' needs '{name}'. "
                    "Encode pairs that have it."
                )
            mean, deviation = found[name].float().unbind(0)
            return mean + deviation * torch.randn(mean.shape, generator=rng)

        out: dict[str, Any] = {"target": draw(self.target)}
        out["noise"] = torch.randn(out["target"].shape, generator=rng)
        for i, source in enumerate(self.layout.conditions):
            if source == "black":
                raise ValueError(f"The layout '{self.layout.name}' is the superseded one of December 2025; it is not trained.")
            out[f"condition_{i}"] = draw(MEMBER[source] or self.photo)
        normal, even = torch.randn((), generator=rng), torch.rand((), generator=rng)
        out["time"] = normal.sigmoid() if self.time == "logit_normal" else even
        out["no_prompt"] = torch.rand((), generator=rng) < self.no_prompt
        return out


# --- the network ----------------------------------------------------------------------------------------------------------


class Conditioned(nn.Module):
    """FLUX.1 with the adapter that is trained, and perhaps a frozen one under it.

    With a frozen adapter the two are one of the sum of their ranks: [A_0; A_1] and [B_0, B_1].
    """

    text: Tensor
    pooled: Tensor
    no_text: Tensor
    no_pooled: Tensor

    def __init__(self, transformer: nn.Module, layout: Layout, prompt: Prompt, empty: Prompt | None, frozen: bool) -> None:
        super().__init__()
        self.transformer = transformer
        self.layout, self.frozen, self.drops_prompt = layout, frozen, empty is not None
        dtype = next(transformer.parameters()).dtype
        for name, p in (("", prompt), ("no_", empty or prompt)):
            self.register_buffer(f"{name}text", p.text[0].to(dtype), persistent=False)
            self.register_buffer(f"{name}pooled", p.pooled[0].to(dtype), persistent=False)

    def lora(self) -> Lora:
        """The adapter that condition tokens run through; the tensors are the parameters themselves (or made of them)."""
        trained = adapter_factors(self.transformer, ADAPTER)
        return Lora(joined(adapter_factors(self.transformer, FROZEN), trained) if self.frozen else trained)

    def forward(
        self, noisy: Tensor, conditions: Sequence[Tensor], time: Tensor, guidance: Tensor, no_prompt: Tensor | None = None
    ) -> Tensor:
        """Velocity [B,C,h,w] of noisy latents [B,C,h,w], given condition latents."""
        batch, _, h, w = noisy.shape
        like = self.text
        text, pooled = self.text.expand(batch, -1, -1), self.pooled.expand(batch, -1)
        if no_prompt is not None and self.drops_prompt:
            text = torch.where(no_prompt[:, None, None], self.no_text, text)
            pooled = torch.where(no_prompt[:, None], self.no_pooled, pooled)
        device = noisy.device
        tokens = run(
            bind_diffusers(self.transformer, self.lora(), like),
            latents=pack(noisy).to(like),
            conditions=[pack(c).to(like) for c in conditions],
            text=text,
            pooled=pooled,
            timestep=time.to(like),
            guidance=guidance.to(like),
            image_ids=position_ids(h // 2, w // 2, device=device),
            condition_ids=[
                position_ids(c.shape[-2] // 2, c.shape[-1] // 2, right, device)
                for c, right in zip(conditions, self.layout.columns, strict=True)
            ],
        )
        return unpack(tokens.float(), h // 2, w // 2)


def joined(first: Mapping[str, Factors], second: Mapping[str, Factors]) -> dict[str, Factors]:
    """One adapter that does what two do together: their additions B A x add up."""
    out = dict(first)
    for name, (a, b) in second.items():
        if name in first:
            a, b = torch.cat([first[name][0].to(a), a]), torch.cat([first[name][1].to(b), b], 1)
        out[name] = (a, b)
    return out


def build(settings: Training, transformer: nn.Module, prompts: Mapping[str, Prompt]) -> Conditioned:
    """The network of a stage, with its adapters in place; only `ADAPTER` requires gradients.

    Raises:
        ValueError: if a prompt is missing, or `start` has another rank or other layers than the settings say.
    """
    from peft import LoraConfig

    layout = settings.sees
    wanted = [layout.prompt] + ([""] if settings.no_prompt else [])
    missing = [p for p in wanted if p not in prompts]
    if missing:
        raise ValueError(f"{settings.prompts} lacks the prompt '{missing[0]}'. Make it again with the command `prompts`.")
    model: Any = transformer
    model.requires_grad_(False)
    modules = RELEASED_MODULES if settings.modules == "released" else settings.modules

    def add(name: str, rank: int, layers: str) -> dict[str, Factors]:
        # The forward pass takes B A x as it is, so alpha = rank: the scale 1 that peft would apply too.
        chosen = LoraConfig(r=rank, lora_alpha=rank, target_modules=layers, init_lora_weights="gaussian")
        model.add_adapter(chosen, adapter_name=name)
        return adapter_factors(model, name)

    def fill(name: str, rank: int, layers: str, lora: Lora) -> None:
        factors = add(name, rank, layers)
        if factors.keys() != lora.factors.keys() or lora.rank != rank:
            raise ValueError(
                f"{lora.name} has rank {lora.rank} on {len(lora.factors)} layers, the settings say {rank} on {len(factors)}."
            )
        for module, pair in factors.items():
            for parameter, value in zip(pair, lora.factors[module], strict=True):
                parameter.data.copy_(value)

    if settings.frozen is not None:
        base = load_lora(settings.frozen)
        fill(FROZEN, base.rank, "|".join(m.replace(".", r"\.") for m in base.factors), base)
    torch.manual_seed(settings.run.seed)
    if settings.start is None:
        add(ADAPTER, settings.rank, modules)
    else:
        fill(ADAPTER, settings.rank, modules, load_lora(settings.start))
    for name, p in model.named_parameters():
        p.requires_grad_(f".{ADAPTER}." in name)
        if "lora_" in name:
            p.data = p.data.float()
    if settings.checkpointing:
        model.enable_gradient_checkpointing()
    empty = prompts.get("") if settings.no_prompt else None
    return Conditioned(model, layout, prompts[layout.prompt], empty, settings.frozen is not None)


def flow_loss(guidance: float) -> Callable[[nn.Module, Mapping[str, Any]], tuple[Tensor, dict[str, float]]]:
    """The loss that `fit` takes: mean squared error of the velocity, at the time and with the noise that the example brings."""

    def loss(model: nn.Module, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, float]]:
        t, target, noise = batch["time"], batch["target"], batch["noise"]
        each = t.view(-1, 1, 1, 1)
        conditions = [batch[f"condition_{i}"] for i in range(sum(n.startswith("condition_") for n in batch))]
        predicted = model(torch.lerp(target, noise, each), conditions, t, torch.full_like(t, guidance), batch["no_prompt"])
        return (predicted - (noise - target)).square().mean(), {}

    return loss


# --- training -------------------------------------------------------------------------------------------------------------


def examples_of(settings: Training) -> Mixed:
    """The stage's data."""
    sources: list[ShardExamples] = []
    for number, data in enumerate(settings.data):
        seed = settings.run.seed + 7919 * number
        convert = LatentExample(settings.sees, settings.time, settings.no_prompt, seed)
        cache = None if data.cache is None else Path(data.cache)
        shards = Shards(data.shards, cache=cache, keep=max(16, settings.together + 1))
        sources.append(ShardExamples(shards, seed, convert, together=settings.together))
    return Mixed(sources, [d.parts for d in settings.data])


def validator(settings: Training, decode_latents: Callable[[Tensor], Tensor] | None) -> Callable[[nn.Module], dict[str, Any]]:
    """`fit`'s `validate`: the loss on held-out examples at fixed times; if they can be decoded, pictures with PSNR and SSIM."""
    chosen = settings.validation
    assert chosen is not None
    shards = Shards(chosen.shards)
    examples = ShardExamples(shards, 0, LatentExample(settings.sees, "uniform", 0.0, 1), together=1)
    loss = flow_loss(settings.guidance)

    @torch.no_grad()
    def validate(model: nn.Module) -> dict[str, Any]:
        net = cast(Conditioned, model)
        device = net.text.device
        out: dict[str, Any] = {}
        batches: list[dict[str, Tensor]] = []
        for i in range(min(chosen.count, len(examples))):
            batches.append({n: v[None].to(device) for n, v in examples[i].items()})
        for t in (0.1, 0.5, 0.9):
            values = [loss(net, {**b, "time": torch.full_like(b["time"], t)})[0] for b in batches]
            out[f"loss_at_{t}"] = float(torch.stack(values).mean())
        out["loss"] = sum(out[f"loss_at_{t}"] for t in (0.1, 0.5, 0.9)) / 3
        if decode_latents is not None and chosen.pictures:
            scores: list[tuple[float, float]] = []
            for i, b in enumerate(batches[: chosen.pictures]):
                made = decode_latents(sample_latents(net, b, chosen.steps, net.layout.guidance))[0]
                truth = decode_latents(b["target"])[0]
                conditions = [decode_latents(b[n])[0] for n in sorted(b) if n.startswith("condition_")]
                scores.append((float(-10 * (made - truth).square().mean().clamp_min(1e-10).log10()), ssim(made, truth)))
                out[f"picture_{i}"] = torch.cat([_high(p, truth.shape[1]) for p in (*conditions, made, truth)], 2)
            out["psnr"], out["ssim"] = (sum(s[k] for s in scores) / len(scores) for k in (0, 1))
        return out

    return validate


def _high(picture: Tensor, height: int) -> Tensor:
    scale = height / picture.shape[1]
    return picture if scale == 1 else F.interpolate(picture[None], scale_factor=scale, mode="bilinear")[0]


def sample_latents(model: Conditioned, batch: Mapping[str, Tensor], steps: int, guidance: float) -> Tensor:
    """Latents [B,C,h,w] by Euler steps from the example's noise, with the adapter as it is."""
    noise = batch["noise"]
    h, w = noise.shape[-2:]
    conditions = [batch[n] for n in sorted(batch) if n.startswith("condition_")]
    levels = sigmas(steps, h * w // 4)

    def predict(tokens: Tensor, level: float, _progress: object) -> Tensor:
        t = tokens.new_full((len(noise),), level)
        return pack(model(unpack(tokens, h // 2, w // 2), conditions, t, torch.full_like(t, guidance)))

    with torch.no_grad():
        return unpack(integrate(predict, pack(noise), levels), h // 2, w // 2)


_MAY_CHANGE = ("run", "validation", "checkpointing", "transformer", "prompts", "start", "frozen")
"""What a run that goes on may have other than the run that began: speed, places, and what the checkpoint itself holds."""


def _note_settings(settings: Training, out: Path) -> None:
    """Keep the settings beside the checkpoints; refuse to go on with others.

    Raises:
        ValueError: if `out` holds a run with another layout, data, or the like.
    """
    note = out / "training.json"
    values = json.loads(json.dumps(asdict(settings)))
    if note.is_file() and checkpoints(out):
        before = json.loads(note.read_text())
        changed = [n for n, v in values.items() if n not in _MAY_CHANGE and before.get(n) != v]
        if changed:
            raise ValueError(f"{out} was begun with other settings ({', '.join(changed)}). Train into another folder.")
    out.mkdir(parents=True, exist_ok=True)
    # Every process writes the same; a name of its own each, which no shared random seed makes equal.
    part = note.with_suffix(f".{uuid4().hex}.part")
    part.write_text(json.dumps(values, indent=1))
    part.replace(note)


def train(
    settings: Training,
    out: Path,
    *,
    transformer: nn.Module | None = None,
    decode_latents: Callable[[Tensor], Tensor] | None = None,
    time_limit_s: float | None = None,
) -> Conditioned:
    """Run or go on with a stage.

    Args:
        settings: of the stage.
        out: folder for checkpoints, logs and the settings.
        transformer: instead of loading `settings.transformer`.
        decode_latents: for pictures; None loads `settings.validation.vae` if pictures are wanted.
        time_limit_s: see `fit`.

    Returns:
        The network with averaged weights.
    """
    _note_settings(settings, out)
    model = build(
        settings,
        transformer or load_transformer(Path(settings.transformer), getattr(torch, settings.dtype)),
        load_prompts(settings.prompts),
    )
    optimizer = make_optimizer(model.parameters(), settings.optimizer)
    chosen = settings.validation
    validate = None
    if chosen is not None:
        if decode_latents is None and chosen.pictures:
            if chosen.vae is None:
                raise ValueError("validation.pictures needs validation.vae, the folder of FLUX's autoencoder.")
            decode_latents = vae_decoder(load_vae(Path(chosen.vae), torch.float32).requires_grad_(False))
        validate = validator(settings, decode_latents)
    fit(
        model,
        optimizer,
        examples_of(settings),
        flow_loss(settings.guidance),
        settings.run,
        out,
        validate=validate,
        time_limit_s=time_limit_s,
    )
    return model


def export(run_folder: Path, path: Path, *, averaged: bool = True, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write the newest checkpoint's adapter in the released layout (which ComfyUI reads as well).

    A stage with a frozen adapter writes both as one, so that the file is complete by itself.

    Args:
        run_folder: the `out` of `train`.
        path: a .safetensors file.
        averaged: the moving average of the weights, not the last ones.
        dtype: type in the file.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    found = checkpoints(run_folder)
    if not found or not (run_folder / "training.json").is_file():
        raise FileNotFoundError(f"{run_folder} holds no checkpoint of a training run.")
    settings = config.build(Training, json.loads((run_folder / "training.json").read_text()), str(run_folder / "training.json"))
    weights = found[-1] / ("average.safetensors" if averaged and settings.run.ema else "model.safetensors")
    sides: dict[str, dict[str, Tensor]] = {}
    for key, value in read_safetensors(weights).items():
        module, _, rest = key.removeprefix("transformer.").partition(".lora_")
        sides.setdefault(module, {})[rest[0]] = value
    factors: Mapping[str, Factors] = {m: (s["A"], s["B"]) for m, s in sides.items()}
    if settings.frozen is not None:
        factors = joined(load_lora(settings.frozen).factors, factors)
    step = json.loads((found[-1] / "state.json").read_text())["step"]
    save_lora(path, factors, layout=settings.layout, dtype=dtype, metadata={"refocus.steps": str(step)})


# --- command line ---------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if it succeeded."""
    parser = argparse.ArgumentParser(prog="python -m refocus_core.train.genfocus", description="Fine-tune FLUX.1 with LoRA.")
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("prompts", help="embed the prompts of all stages")
    p.add_argument("flux", type=Path, help="folder of FLUX.1-dev in diffusers' layout")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--device", default="cpu")
    p = commands.add_parser("encode", help="latents of pairs")
    p.add_argument("pairs", nargs="+", help="shards of `python -m refocus_core.train.genfocus.data`")
    p.add_argument("--vae", type=Path, required=True, help="folder of FLUX.1-dev or of its autoencoder")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--per-shard", type=int, default=256)
    p.add_argument("--process", type=int, default=0)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--device", default="cpu")
    p = commands.add_parser("train", help="run a stage, or go on with it")
    p.add_argument("settings", help="YAML file")
    p.add_argument("out", type=Path)
    p.add_argument("--time-limit-s", type=float)
    p = commands.add_parser("export", help="the newest checkpoint as an adapter file")
    p.add_argument("run", type=Path, help="folder of a training run")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--last", action="store_true", help="the last weights instead of their moving average")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if args.command == "prompts":
            wanted = sorted({layout.prompt for layout in LAYOUTS.values()} | {""})
            save_prompts(args.out, encode_prompts(args.flux, wanted, torch.device(args.device), torch.bfloat16))
        elif args.command == "encode":
            encoder = vae_encoder(load_vae(args.vae, torch.float32).to(args.device))
            done = encode_shards(
                Shards(args.pairs), encoder, args.out, per_shard=args.per_shard, process=args.process, processes=args.processes
            )
            log.info("%s: %d samples, %d rejected", args.out, done.samples, len(done.rejected))
        elif args.command == "train":
            train(config.read(args.settings, Training), args.out, time_limit_s=args.time_limit_s)
        else:
            export(args.run, args.out, averaged=not args.last)
            log.info("%s", args.out)
    except (ValueError, OSError, ImportError) as error:
        log.error("error: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
