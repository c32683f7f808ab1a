"""The command line of the data engine."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ... import depth, generative, restore
from ...files import pictures
from ...types import DepthMap
from ..common import config
from . import exif, pairs, shards, synthetic
from .sheet import contact_sheet


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if it succeeded."""
    parser = argparse.ArgumentParser(prog="python -m refocus_core.train.genfocus.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    p = commands.add_parser("depth", help="estimate depth of FOLDER/photos into FOLDER/depth")
    p.add_argument("folder", type=Path)
    _model_options(p)
    p.set_defaults(run=_depth)

    p = commands.add_parser("synthetic", help="pairs rendered from FOLDER/photos and FOLDER/depth")
    p.add_argument("folder", type=Path)
    p.add_argument("--recipe", default="data_synthetic", help="YAML file, or data_synthetic, data_lens, data_shapes")
    p.add_argument("--count", type=int, required=True, help="pairs to make in all")
    p.add_argument("--device", default="cpu")
    _shard_options(p)
    p.set_defaults(run=_synthetic)

    p = commands.add_parser("exif", help="what EXIF says of the lens of each photo, and how often it cannot be believed")
    p.add_argument("folder", type=Path, help="folder of photos")
    p.add_argument("-o", "--out", type=Path, help="JSON report")
    p.set_defaults(run=_exif)

    p = commands.add_parser("wild", help="pairs from real photos: FOLDER/photos, FOLDER/masks")
    p.add_argument("folder", type=Path)
    _restoration_options(p, "--all-in-focus", "auto", "how the sharp counterpart is made")
    p.add_argument("--least-confidence", type=float, default=0.3)
    p.add_argument("--size", type=int, default=512)
    _model_options(p)
    _shard_options(p)
    p.set_defaults(run=_wild)

    p = commands.add_parser("series", help="pairs from real aperture series: FOLDER/SCENE/series.json")
    p.add_argument("folder", type=Path)
    p.add_argument("--threshold", type=float, default=0.85, help="smallest SSIM that is accepted")
    p.add_argument("--size", type=int, default=512)
    _model_options(p)
    _shard_options(p)
    p.set_defaults(run=_series)

    p = commands.add_parser("deblur", help="real deblurring pairs: FOLDER/blurred, FOLDER/sharp")
    p.add_argument("folder", type=Path)
    p.add_argument("--crops", type=int, default=4, help="cuts of each pair")
    p.add_argument("--size", type=int, default=512)
    _restoration_options(p, "--pre", None, "makes the second condition")
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=0)
    _shard_options(p)
    p.set_defaults(run=_deblur)

    p = commands.add_parser("remake", help="make a pair again from its JSON")
    p.add_argument("metadata", type=Path, help="JSON member of a sample")
    p.add_argument("folder", type=Path, help="the photos and depth that it was made from")
    p.add_argument("-o", "--out", type=Path, required=True, help="folder for sharp.png and blurred.png")
    p.set_defaults(run=_remake)

    p = commands.add_parser("sheet", help="contact sheet of shards")
    p.add_argument("shards", nargs="+", help="folders, files or addresses")
    p.add_argument("-o", "--out", type=Path, required=True)
    p.add_argument("--count", type=int, default=12)
    p.add_argument("--skip", type=int, default=0)
    p.add_argument("--tile", type=int, default=160, help="side of a picture in px")
    p.add_argument("--cache", type=Path, help="folder for remote shards")
    p.set_defaults(run=_sheet)

    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run: Callable[[argparse.Namespace], None] = args.run
        with torch.no_grad():
            run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


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
    if not any(a.dest == "seed" for a in p._actions):
        p.add_argument("--seed", type=int, default=0)


def _depth_of(args: argparse.Namespace) -> pairs.Depth:
    def run(image: Tensor) -> DepthMap:
        return depth.estimate(image, args.model, allow_download=args.allow_download, device=args.device)

    return run


def _depth(args: argparse.Namespace) -> None:
    photos = synthetic.photos_in(args.folder / "photos")
    if not photos:
        raise ValueError(f"{args.folder / 'photos'} holds no photo.")
    out = args.folder / "depth"
    out.mkdir(exist_ok=True)
    note = out / synthetic.DEPTH_FILE
    before = json.loads(note.read_text()) if note.is_file() else None
    if before is not None and before.get("model") != args.model:
        raise ValueError(f"{note} says that the depth there is by {before.get('model')}. Remove {out} to make it anew.")
    estimate = _depth_of(args)
    for photo in tqdm(photos):
        target = out / f"{photo.stem}.npy"
        if target.is_file():
            continue
        found = estimate(pictures.load(photo).image)
        note.write_text(json.dumps({"metric": found.metric, "model": args.model, "source": found.source}))
        pictures.save_map(target, found.disparity[0])
    print(f"{len(photos)} photos have depth in {out}")


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
    print(f"{args.out}: {done.made} shard(s) made, {done.kept} were there; {done.samples} samples, {len(done.rejected)} rejected")
    for index, why in list(done.rejected.items())[:20]:
        print(f"  {index}: {why}")
    if len(done.rejected) > 20:
        print(f"  ... and {len(done.rejected) - 20} more, in the .json files beside the shards")


def _synthetic(args: argparse.Namespace) -> None:
    recipe = config.read(args.recipe, synthetic.Recipe)
    make = pairs.Synthetic(synthetic.Sources(args.folder), recipe, args.seed, args.device)
    _write(args, make, args.count)


def _exif(args: argparse.Namespace) -> None:
    photos = synthetic.photos_in(args.folder)
    if not photos:
        raise ValueError(f"{args.folder} holds no photo.")
    report = exif.survey(photos)
    for name, r in report.files.items():
        lens = f"{r.lens.focal_mm:g} mm f/{r.lens.f_number:g} on {r.lens.sensor_mm:.3g} mm" if r.lens else ""
        print(f"{name}: {r.status} {lens}{'; '.join((*r.contradictions, *('no ' + m for m in r.missing)))}")
    for name, why in report.unreadable.items():
        print(f"{name}: {why}")
    print("\n" + "\n".join(f"{n:6d}  {what}" for what, n in report.counts.items()))
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
    make = pairs.Wild(args.folder, _restorer(args), _depth_of(args), args.size, args.least_confidence)
    _write(args, make, len(make.photos))


def _series(args: argparse.Namespace) -> None:
    make = pairs.Series(args.folder, _depth_of(args), args.size, args.threshold)
    if not make.frames:
        raise ValueError(f"{args.folder} holds no SCENE/series.json.")
    _write(args, make, len(make.frames))


def _deblur(args: argparse.Namespace) -> None:
    pre = None if args.method is None else _restorer(args)
    make = pairs.DeblurPairs(args.folder, args.size, args.crops, args.seed, pre)
    _write(args, make, len(make.files) * args.crops)


def _remake(args: argparse.Namespace) -> None:
    pair = synthetic.make(pairs.spec_of(json.loads(args.metadata.read_text())), synthetic.Sources(args.folder))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in (("sharp", pair.sharp), ("blurred", pair.blurred)):
        pictures.save(args.out / f"{name}.png", picture[None].float() / 255)


def _sheet(args: argparse.Namespace) -> None:
    sheet = contact_sheet(shards.Shards(args.shards, cache=args.cache), count=args.count, skip=args.skip, tile_px=args.tile)
    sheet.save(args.out)
    print(args.out)


if __name__ == "__main__":
    sys.exit(main())
