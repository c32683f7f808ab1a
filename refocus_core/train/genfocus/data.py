"""Commands of the data engine: pairs for training, from sharp photos with depth, from photos with EXIF, from aperture series."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ... import depth, generative, restore
from ...files import pictures
from ...types import DepthMap
from ..common import config
from ..common.say import say
from . import exif, pairs, photo_folder, real, shards, synthetic
from .recipe import Recipe
from .sheet import contact_sheet
from .training import CONFIGS

_SHOWN_REJECTIONS = 20
"""Rejected samples that are listed with their reasons; the others are in the notes beside the shards."""


def add_commands(commands: Any) -> None:
    """Add the data engine's commands to an argument parser's; each sets `execute`, a function of the arguments."""
    _add_preparation(commands)
    _add_pairs(commands)
    _add_inspection(commands)


def _add_preparation(commands: Any) -> None:
    p = commands.add_parser("depth", help="estimate depth of FOLDER/photos into FOLDER/depth")
    p.add_argument("folder", type=Path)
    _model_options(p)
    p.set_defaults(execute=_depth)

    p = commands.add_parser("exif", help="what EXIF says of the lens of each photo, and how often it cannot be believed")
    p.add_argument("folder", type=Path, help="folder of photos")
    p.add_argument("-o", "--out", type=Path, help="JSON report")
    p.set_defaults(execute=_exif)


def _add_pairs(commands: Any) -> None:
    p = commands.add_parser("synthetic", help="pairs rendered from FOLDER/photos and FOLDER/depth")
    p.add_argument("folder", type=Path)
    p.add_argument("--recipe", default="data_synthetic", help="YAML file, or data_synthetic, data_lens, data_shapes")
    p.add_argument("--count", type=int, required=True, help="pairs to make in all")
    p.add_argument("--device", default="cpu")
    _shard_options(p)
    p.set_defaults(execute=_synthetic)

    p = commands.add_parser("wild", help="pairs from real photos: FOLDER/photos, FOLDER/masks")
    p.add_argument("folder", type=Path)
    _restoration_options(p, "--all-in-focus", "auto", "how the sharp counterpart is made")
    p.add_argument("--least-confidence", type=float, default=0.3)
    p.add_argument("--size", type=int, default=512)
    _model_options(p)
    _shard_options(p)
    p.set_defaults(execute=_wild)

    p = commands.add_parser("series", help="pairs from real aperture series: FOLDER/SCENE/series.json")
    p.add_argument("folder", type=Path)
    p.add_argument("--threshold", type=float, default=0.85, help="smallest SSIM that is accepted")
    p.add_argument("--size", type=int, default=512)
    _model_options(p)
    _shard_options(p)
    p.set_defaults(execute=_series)

    p = commands.add_parser("deblur", help="real deblurring pairs: FOLDER/blurred, FOLDER/sharp")
    p.add_argument("folder", type=Path)
    p.add_argument("--crops", type=int, default=4, help="cuts of each pair")
    p.add_argument("--size", type=int, default=512)
    _restoration_options(p, "--pre", None, "makes the second condition")
    p.add_argument("--device", default="cpu")
    _shard_options(p)
    p.set_defaults(execute=_deblur)


def _add_inspection(commands: Any) -> None:
    p = commands.add_parser("remake", help="make a pair again from its JSON")
    p.add_argument("metadata", type=Path, help="JSON member of a sample")
    p.add_argument("folder", type=Path, help="the photos and depth that it was made from")
    p.add_argument("-o", "--out", type=Path, required=True, help="folder for sharp.png and blurred.png")
    p.set_defaults(execute=_remake)

    p = commands.add_parser("sheet", help="contact sheet of shards")
    p.add_argument("shards", nargs="+", help="folders, files or addresses")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--count", type=int, default=12)
    p.add_argument("--skip", type=int, default=0)
    p.add_argument("--tile", type=int, default=160, help="side of a picture in px")
    p.add_argument("--cache", type=Path, help="folder for remote shards")
    p.set_defaults(execute=_sheet)


def _model_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", default="auto", help="depth model (see refocus_core.depth), or a .safetensors file")
    p.add_argument("--allow-download", action="store_true", help="fetch the depth model if it is not here")
    p.add_argument("--device", default="cpu")


def _restoration_options(p: argparse.ArgumentParser, name: str, default: str | None, what: str) -> None:
    text = f"{what}: a method of refocus_core.restore (none, auto, model:FILE, ...), or generative"
    p.add_argument(name, dest="method", default=default, help=text)
    p.add_argument("--flux", type=Path, help="folder of FLUX.1-dev, for generative")
    p.add_argument("--deblur-lora", type=Path, help="DeblurNet's adapter, for generative")
    p.add_argument("--prompts", type=Path, help="embedded prompts, for generative")


def _shard_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", "--out", type=Path, required=True, help="folder of the shards")
    p.add_argument("--per-shard", type=int, default=256)
    p.add_argument("--workers", type=int, default=0, help="processes on this machine")
    p.add_argument("--process", type=int, default=0, help="number of this machine, from 0")
    p.add_argument("--processes", type=int, default=1, help="machines in all")
    p.add_argument("--seed", type=int, default=0)


def _depth_of(args: argparse.Namespace) -> real.Depth:
    def run(image: Tensor) -> DepthMap:
        return depth.estimate(image, args.model, allow_download=args.allow_download, device=args.device)

    return run


def _depth(args: argparse.Namespace) -> None:
    photos = photo_folder.photos_in(args.folder / "photos")
    if not photos:
        raise ValueError(f"{args.folder / 'photos'} holds no photo.")
    out = args.folder / "depth"
    out.mkdir(exist_ok=True)
    note = out / photo_folder.DEPTH_FILE
    before = json.loads(note.read_text()) if note.is_file() else None
    if before is not None and before.get("model") != args.model:
        raise ValueError(f"{note} says that the depth there is by {before.get('model')}. Remove {out} to make it anew.")
    estimate = _depth_of(args)
    for photo in tqdm(photos):
        target = out / f"{photo.stem}.npy"
        if target.is_file():
            continue
        depth_map = estimate(pictures.load(photo).image)
        note.write_text(json.dumps({"metric": depth_map.metric, "model": args.model, "source": depth_map.source}))
        pictures.save_map(target, depth_map.disparity[0])
    say(f"{len(photos)} photos have depth in {out}")


def _write(args: argparse.Namespace, make: shards.Maker, count: int) -> None:
    done = shards.write(
        make,
        count,
        args.out,
        per_shard=args.per_shard,
        workers=args.workers,
        process=args.process,
        processes=args.processes,
    )
    say(f"{args.out}: {done.made} shard(s) made, {done.kept} were there; {done.samples} samples, {len(done.rejected)} rejected")
    for index, why in list(done.rejected.items())[:_SHOWN_REJECTIONS]:
        say(f"  {index}: {why}")
    if len(done.rejected) > _SHOWN_REJECTIONS:
        say(f"  ... and {len(done.rejected) - _SHOWN_REJECTIONS} more, in the .json files beside the shards")


def _synthetic(args: argparse.Namespace) -> None:
    recipe = config.read(args.recipe, Recipe, CONFIGS)
    make = pairs.Synthetic(photo_folder.Sources(args.folder), recipe, args.seed, args.device)
    _write(args, make, args.count)


def _exif(args: argparse.Namespace) -> None:
    photos = photo_folder.photos_in(args.folder)
    if not photos:
        raise ValueError(f"{args.folder} holds no photo.")
    report = exif.survey(photos)
    for name, r in report.files.items():
        lens = f"{r.lens.focal_mm:g} mm f/{r.lens.f_number:g} on {r.lens.sensor_mm:.3g} mm" if r.lens else ""
        say(f"{name}: {r.status} {lens}{'; '.join((*r.contradictions, *('no ' + m for m in r.missing)))}")
    for name, why in report.unreadable.items():
        say(f"{name}: {why}")
    say("\n" + "\n".join(f"{n:6d}  {what}" for what, n in report.counts.items()))
    if args.out:
        args.out.write_text(json.dumps(report.to_json(), indent=1, default=str))


def _restorer(args: argparse.Namespace) -> pairs.AllInFocus:
    if args.method != "generative":
        return partial(_restored, method=args.method)
    if args.flux is None or args.deblur_lora is None:
        raise ValueError("The method 'generative' needs --flux and --deblur-lora.")
    dtype = torch.float32 if args.device == "cpu" else torch.bfloat16
    flux = generative.Genfocus.from_pretrained(args.flux, prompts=args.prompts, device=args.device, dtype=dtype)
    return partial(generative.deblur, sample=flux.sampler(args.deblur_lora, "deblur"))


def _restored(image: Tensor, method: str) -> Tensor:
    return restore.all_in_focus(image, method).image


def _wild(args: argparse.Namespace) -> None:
    make = real.Wild(args.folder, _restorer(args), _depth_of(args), args.size, args.least_confidence)
    _write(args, make, len(make.photos))


def _series(args: argparse.Namespace) -> None:
    make = real.Series(args.folder, _depth_of(args), args.size, args.threshold)
    if not make.frames:
        raise ValueError(f"{args.folder} holds no SCENE/series.json.")
    _write(args, make, len(make.frames))


def _deblur(args: argparse.Namespace) -> None:
    pre = None if args.method is None else _restorer(args)
    make = pairs.DeblurPairs(args.folder, args.size, args.crops, args.seed, pre)
    _write(args, make, len(make.files) * args.crops)


def _remake(args: argparse.Namespace) -> None:
    pair = synthetic.make(pairs.spec_of(json.loads(args.metadata.read_text())), photo_folder.Sources(args.folder))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in (("sharp", pair.sharp), ("blurred", pair.blurred)):
        pictures.save(args.out / f"{name}.png", picture[None].float() / 255)


def _sheet(args: argparse.Namespace) -> None:
    sheet = contact_sheet(shards.Shards(args.shards, cache=args.cache), count=args.count, skip=args.skip, tile_px=args.tile)
    sheet.save(args.out)
    say(f"{args.out}")
