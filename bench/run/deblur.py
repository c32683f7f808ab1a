"""How well the methods of `restore.all_in_focus` take lens blur out: photos never trained on, blurred here, and layered scenes.

    python -m bench.run.deblur [--only photos|scenes|seams|pairs] [--pictures FOLDER] [--pairs FOLDER] [--write]

Keeps tables and numbers in out/bench; `--write` puts the summary into bench/results/deblur.md.

The photos are scikit-image's astronaut, cat and coffee and the six that `refocus_core.train.common.photos` sets aside (fetched
from Debian packages when they are missing), reduced, and of each the part with the most fine detail: a photo's own bokeh is no
truth. The blur is added in linear light, clipped, and stored in 8 bits. PSNR in dB of the displayed picture, without a frame of
12 px. "True radius" and "told" mean that the method was given the radius; otherwise the network finds it by itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import focus_pairs, perceptual, reporting
from bench.lib import layered_scenes as scenes
from bench.lib.blurred_photos import (
    FRAME_PX,
    UNSHARP,
    best_unsharp,
    blurred,
    eight_bits,
    even,
    inner,
    psnr,
    sharp_photos,
    ssim,
    unsharp,
    wiener,
)
from refocus_core import bokeh, color, restore
from refocus_core.bokeh import reference
from refocus_core.train.common import photos
from refocus_core.types import DefocusMap

NETWORK = "refocus-deblur-s"
"""The embedded network that is measured."""
PERCEIVED = ("input", "unsharp", "deconvolution", "network", "blind")
"""Results of which ST-LPIPS is taken too."""


CONDITIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sharp", {"radius": 0.0}),
    ("r 1", {"radius": 1.0}),
    ("r 2", {"radius": 2.0}),
    ("r 3", {"radius": 3.0}),
    ("r 5", {"radius": 5.0}),
    ("r 8", {"radius": 8.0}),
    ("r 3, hexagon", {"radius": 3.0, "shape": "polygon"}),
    ("sharp, noise 0.01", {"radius": 0.0, "noise": 0.01}),
    ("r 3, noise 0.01", {"radius": 3.0, "noise": 0.01}),
)
"""Label, and how the photos are blurred (arguments of `blurred`)."""


def photo_rows(save: Path | None) -> list[dict[str, Any]]:
    """One row per condition: means over the photos, and the worst of them."""
    found = sharp_photos()
    rows: list[dict[str, Any]] = []
    for label, how in CONDITIONS:
        radius = how["radius"]
        per: list[dict[str, float]] = []
        for name, sharp in found.items():
            source = blurred(sharp, **how)
            # What is sharp shall stay what it is, noise included.
            truth = source if not radius else sharp
            ours = restore.all_in_focus(source, NETWORK)
            assert ours.radius_px is not None
            told = restore.all_in_focus(source, NETWORK, even(source, radius)).image
            clean = restore.all_in_focus(source, "deconvolution", even(source, radius)).image if radius else source
            results = {
                "input": source,
                "unsharp": best_unsharp(source, truth) if radius else source,
                "wiener": wiener(source, radius),
                "deconvolution": clean,
                "network": ours.image,
                "network, told": told,
                "blind": restore.all_in_focus(source, "blind-deconvolution").image,
            }
            row = {k: psnr(made, truth) for k, made in results.items()}
            row["ssim input"], row["ssim network"] = ssim(source, truth), ssim(ours.image, truth)
            if radius and perceptual.available():
                row |= {f"st-lpips {k}": perceptual.st_lpips(inner(results[k]), inner(truth)) for k in PERCEIVED}
            row["radius"] = float(ours.radius_px[..., FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX].median())
            per.append(row)
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                strip = torch.cat([source, ours.image.clamp(0, 1), sharp], 3)
                to_file(strip, save / f"{name}_{label.replace(' ', '').replace(',', '_')}.png")
        row: dict[str, Any] = {"condition": label, **{k: float(np.mean([p[k] for p in per])) for k in per[0]}}
        for method in ("network", "blind"):  # least gain; of a sharp source, the lowest PSNR
            least = {n: p[method] - (p["input"] if radius else 0) for n, p in zip(found, per, strict=True)}
            worst = min(least, key=lambda n: least[n])
            row[f"{method} worst"], row[f"{method} worst photo"] = least[worst], worst
        row["per photo"] = {n: {k: round(v, 3) for k, v in p.items()} for n, p in zip(found, per, strict=True)}
        rows.append(row)
        print(
            f"{label:18s} " + "  ".join(f"{k} {row[k]:.2f}" for k in per[0]) + f"  worst {row['network worst']:.2f}", flush=True
        )
    return rows


SCENES: tuple[tuple[str, Callable[[], reference.LayeredScene]], ...] = (
    ("subject sharp, background 5 px", lambda: scenes.two(0, 5)),
    ("foreground 4 px, background sharp", lambda: scenes.two(-4, 0)),
    ("hair sharp, background 6 px", lambda: scenes.hair(0, 6)),
    ("eight cards, -6 to 6 px", lambda: scenes.deep(-6, 6)),
)
"""Label, and what builds the scene."""
BANDS = ((0.0, 0.5), (0.5, 2.0), (2.0, 4.0), (4.0, 8.0))
"""Ranges of true radius in px, scored apart."""


def scene_rows(save: Path | None) -> list[dict[str, Any]]:
    """PSNR gain over the source by band of true radius."""
    rows: list[dict[str, Any]] = []
    for label, build in SCENES:
        scene = build()
        sharp, radius = reference.pinhole(scene)
        light, _ = reference.render_reference(scene, bokeh.make_kernel("circle"))
        sharp, source = (eight_bits(color.linear_to_srgb(t.clamp(0, 1))) for t in (sharp, light))
        ours = restore.all_in_focus(source, NETWORK)
        true = DefocusMap.from_radius(radius)
        results = {
            "network": ours.image,
            "network, told": restore.all_in_focus(source, NETWORK, true).image,
            "deconvolution": restore.all_in_focus(source, "deconvolution", true).image,
            "blind": restore.all_in_focus(source, "blind-deconvolution").image,
        }
        size = radius.abs()[0, FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
        assert ours.radius_px is not None
        error = (ours.radius_px[0, FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX] - size).abs()
        for low, high in BANDS:
            mask = (size >= low) & (size < high)
            if int(mask.sum()) < 500:
                continue
            row: dict[str, Any] = {"scene": label, "band": f"{low:g} to {high:g} px", "input": psnr(source, sharp, mask)}
            row |= {k: psnr(v, sharp, mask) for k, v in results.items()}
            row["radius error"] = float(error[mask].median())
            rows.append(row)
            print(row, flush=True)
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            to_file(
                torch.cat([source, ours.image.clamp(0, 1), sharp], 3), save / f"scene_{label.split(',')[0].replace(' ', '_')}.png"
            )
    return rows


def seam_row() -> dict[str, float]:
    """Largest and typical difference between tiled and untiled on a photo of 1.7 MP, and the time it took."""
    file = next(f for f in photos.held_out() if f.stem == "life")
    picture = photos.load(file)[None].float() / 255
    picture = F.interpolate(picture, scale_factor=0.5, mode="bilinear", antialias=True)[..., :1000, :1500]
    source = blurred(picture, 3.0)
    start, cpu = time.perf_counter(), time.process_time()
    whole = restore.all_in_focus(source, NETWORK, tile_px=2048)
    took, busy = time.perf_counter() - start, time.process_time() - cpu
    tiled = restore.all_in_focus(source, NETWORK, tile_px=512)
    difference = (whole.image - tiled.image).abs()
    return {
        "megapixels": source.shape[-1] * source.shape[-2] / 1e6,
        "seconds": took,
        "cpu_seconds": busy,
        "largest": float(difference.max()),
        "mean": float(difference.mean()),
        "psnr": psnr(tiled.image, whole.image),
    }


def pair_rows(folder: Path) -> list[dict[str, Any]]:
    """Gains over the photo where another photo of the same view is sharper (see `focus_pairs`)."""
    rows: list[dict[str, Any]] = []
    for pair in focus_pairs.found(folder):
        mask = pair.mask[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
        ours = restore.all_in_focus(pair.photo, NETWORK)
        assert ours.radius_px is not None
        found = ours.radius_px[0, FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
        row: dict[str, Any] = {"pair": pair.name, "pixels": int(mask.sum()), "radius": float(found[mask].median())}
        row["input"] = psnr(pair.photo, pair.truth, mask)
        row["unsharp"] = max(psnr(unsharp(pair.photo, s, a), pair.truth, mask) for s, a in UNSHARP)
        row["filter"] = row["input"] + focus_pairs.best_filter(pair)
        row["network"] = psnr(ours.image, pair.truth, mask)
        row["blind"] = psnr(restore.all_in_focus(pair.photo, "blind-deconvolution").image, pair.truth, mask)
        rows.append(row)
        print(row, flush=True)
    return rows


def to_file(image: Tensor, path: Path) -> None:
    Image.fromarray((image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()).save(path)


def report(result: dict[str, Any], pairs: bool = True) -> str:
    """The tables as Markdown, with the rows of single pairs or without."""
    lines = ["# All-in-focus restoration: measured", "", (__doc__ or "").split("\n\n", 3)[3].strip(), ""]
    if "photos" in result:
        names = ["input", "unsharp", "wiener", "deconvolution", "network", "network, told", "blind"]
        head = ["input", "unsharp mask, best of 16", "Wiener, true radius", "deconvolution, true radius", "**refocus-deblur-s**"]
        lines += [
            "## Photos",
            "",
            f"Means over {len(next(iter(result['photos']))['per photo'])} photos; *worst* is the least gain on one of them "
            "(for sharp sources: the lowest PSNR), of the network and of blind deconvolution. Sharp sources are compared with "
            "themselves.",
            "",
            "| source | "
            + " | ".join(
                [
                    *head,
                    "refocus-deblur-s, told",
                    "blind deconvolution",
                    "SSIM before → after",
                    "radius found",
                    "worst",
                    "worst, blind",
                ]
            )
            + " |",
            "|---" * (len(names) + 5) + "|",
        ]
        for row in result["photos"]:
            cells = [f"{row[n]:.2f}" if row[n] < 99 else "same" for n in names]
            cells += [f"{row['ssim input']:.3f} → {row['ssim network']:.3f}", f"{row['radius']:.2f}"]
            sign = "" if row["condition"].startswith("sharp") else "+"
            cells += [f"{row[f'{m} worst']:{sign}.2f} ({row[f'{m} worst photo']})" for m in ("network", "blind")]
            lines.append(f"| {row['condition']} | " + " | ".join(cells) + " |")
        perceived = [row for row in result["photos"] if "st-lpips input" in row]
        if perceived:
            lines += [
                "",
                "ST-LPIPS, a learned distance to the sharp photo (lower is better; `bench/lib/perceptual.py`):",
                "",
                "| source | input | unsharp mask | deconvolution, true radius | refocus-deblur-s | blind deconvolution |",
                "|---" * (len(PERCEIVED) + 1) + "|",
            ]
            for row in perceived:
                lines.append(f"| {row['condition']} | " + " | ".join(f"{row[f'st-lpips {k}']:.3f}" for k in PERCEIVED) + " |")
    if "scenes" in result:
        lines += [
            "",
            "## Layered scenes",
            "",
            "A lens integrated over its aperture (`refocus_core/bokeh/reference.py`), by true radius; median radius error.",
            "",
            "| scene | radius | input | refocus-deblur-s | told the map | blind deconvolution | deconvolution, true map "
            "| radius error |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in result["scenes"]:
            cells = [f"{row[n]:.2f}" for n in ("input", "network", "network, told", "blind", "deconvolution")]
            lines.append(f"| {row['scene']} | {row['band']} | " + " | ".join(cells) + f" | {row['radius error']:.2f} |")
    if "pairs" in result:
        names = ("unsharp", "filter", "network", "blind")
        lines += [
            "",
            "## Real pairs",
            "",
            "Two photos of one view, focused at different distances (`bench/lib/focus_pairs.py`, `--pairs FOLDER`); dB gained",
            "where the other one is sharper. The unsharp mask is the best of 16 settings, chosen by the truth; the best filter",
            "is the symmetric linear one of 17 px fitted to each pair's truth: about what can be undone of a blur of one shape.",
            "The photos are not ours to pass on: the examples of github.com/PetteriAimonen/focus-stack (MIT) and test",
            "pictures of published work on focus stacking (github.com: cmcguinness/focusstack, bznick98/Focus_Stacking and the",
            "pairs collected in uzeful/Boundary-Finding-based-Multi-focus-Image-Fusion).",
            "",
            "| photo, by its truth | input | unsharp mask | best filter, by the truth | refocus-deblur-s | blind deconvolution "
            "| radius found |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in result["pairs"] if pairs else ():
            gains = [f"{row[n] - row['input']:+.2f}" for n in names]
            lines.append(f"| {row['pair']} | {row['input']:.2f} | " + " | ".join(gains) + f" | {row['radius']:.1f} |")
        for what, value in (("mean", np.mean), ("worst", np.min)):
            gains = [f"{value([row[n] - row['input'] for row in result['pairs']]):+.2f}" for n in names]
            lines.append(f"| **{what} of {len(result['pairs'])}** | | " + " | ".join(gains) + " | |")
    if "seams" in result:
        s = result["seams"]
        lines += [
            "",
            "## Tiles",
            "",
            f"{s['megapixels']:.1f} MP at radius 3: tiles of 512 px against one of 2048: {s['psnr']:.1f} dB, mean difference "
            f"{s['mean']:.6f}, largest {s['largest']:.4f} (1 is white). Untiled it took {s['seconds']:.1f} s "
            f"({s['cpu_seconds']:.1f} s of CPU time, {s['threads']} thread(s)).",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the methods of restore.all_in_focus.")
    parser.add_argument("--only", choices=("photos", "scenes", "seams", "pairs"))
    parser.add_argument("--pairs", type=Path, help="a folder of folders, each with photos of one view at several focus distances")
    parser.add_argument("--pictures", type=Path, help="write source, result and truth side by side into this folder")
    parser.add_argument("--write", action="store_true", help="put the summary into bench/results")
    args = parser.parse_args()
    result: dict[str, Any] = reporting.load("deblur") if args.only else {}
    if args.only in (None, "photos"):
        result["photos"] = photo_rows(args.pictures)
    if args.only in (None, "scenes"):
        result["scenes"] = scene_rows(args.pictures)
    if args.only in (None, "seams"):
        result["seams"] = seam_row() | {"threads": torch.get_num_threads()}
    if args.pairs is not None:
        result["pairs"] = pair_rows(args.pairs)
    elif args.only == "pairs":
        parser.error("--only pairs needs --pairs FOLDER")
    reporting.save("deblur", result, report(result))
    if args.write:
        reporting.write_summary("deblur", report(result, pairs=False))


if __name__ == "__main__":
    main()
