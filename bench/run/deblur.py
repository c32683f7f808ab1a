"""How well All in Focus takes lens blur out: photos that were never trained on, blurred here, and layered scenes.

    python -m bench.run.deblur [--only photos|scenes|seams|pairs] [--pictures FOLDER] [--pairs FOLDER]

Writes bench/results/deblur.md and deblur.json. The photos are scikit-image's astronaut, cat and coffee and the six that
`refocus_core.train.common.photos` sets aside (fetched from Debian packages when they are missing), reduced, and of each the part
with the most fine detail: a photo's own bokeh is no truth. The blur is added in linear light, clipped, and stored in 8 bits. PSNR
in dB of the displayed picture, without a frame of 12 px. "True radius" and "told" mean that the method was given the radius;
otherwise the network finds it by itself.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor

from bench.lib import focus_pairs, perceptual
from bench.lib import layered_scenes as scenes
from refocus_core import bokeh, color, psf, restore
from refocus_core.bokeh import reference
from refocus_core.restore import network
from refocus_core.train.common import photos
from refocus_core.types import DefocusMap
from tests.helpers.paths import REPO

RESULTS = REPO / "bench" / "results"
DATA = REPO / "tests" / "data"
SIDE_PX = 208
FRAME_PX = 12
UNSHARP = tuple((sigma, amount) for sigma in (0.7, 1.2, 2.0, 3.5) for amount in (0.5, 1.0, 2.0, 4.0))
NETWORK = "refocus-deblur-s"
PERCEIVED = ("input", "unsharp", "deconvolution", "network", "blind")


def pictures() -> dict[str, Tensor]:
    """name -> [1,3,H,W] sRGB in 0..1: the part of each photo that is in focus, 208 px square (less where it is smaller)."""
    out: dict[str, Tensor] = {}
    small = {"astronaut": 1.25, "chelsea": 1.25, "coffee": 1.25}  # as distributed they are soft
    files = {name: DATA / f"{name}.png" for name in small} | {f.stem: f for f in photos.held_out()}
    for name, file in files.items():
        picture = photos.load(file)[None].float() / 255
        h, w = picture.shape[-2:]
        factor = small.get(name, max(min(h, w) / 720, 1.5))
        size = (round(h / factor), round(w / factor))
        linear = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True)
        sharp = eight_bits(color.linear_to_srgb(linear))
        out[name] = photos.sharpest(sharp, min(SIDE_PX, *size))
    return out


def eight_bits(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).round() / 255


def convolve(linear: Tensor, kernel: Tensor) -> Tensor:
    """[1,C,H,W] with [1,m,m], the picture continued by reflection."""
    m = kernel.shape[-1] // 2
    wide = F.pad(linear, (m, m, m, m), "reflect")
    return F.conv2d(wide.movedim(1, 0), kernel[None]).movedim(0, 1)


def blurred(sharp: Tensor, radius: float, shape: str = "circle", noise: float = 0.0, seed: int = 0) -> Tensor:
    """Defocused in linear light; noise as standard deviation in sRGB units."""
    linear = color.srgb_to_linear(sharp)
    if radius:
        kernel = psf.disc(radius) if shape == "circle" else psf.rasterize(bokeh.make_kernel(shape).raster, radius)
        linear = convolve(linear, kernel)
    srgb = color.linear_to_srgb(linear.clamp(0, 1))
    return eight_bits(srgb + noise * torch.randn(srgb.shape, generator=torch.Generator().manual_seed(seed)))


def inner(image: Tensor) -> Tensor:
    return image.clamp(0, 1)[..., FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Over `mask` [h,w], which lacks the frame already, or over everything but the frame."""
    error = (inner(a) - inner(b)).double().square().mean(1)[0]
    if mask is not None:
        error = error[mask]
    return float(-10 * torch.log10(error.mean() + 1e-10))


def ssim(a: Tensor, b: Tensor) -> float:
    x, y = (inner(t)[0].permute(1, 2, 0).double().numpy() for t in (a, b))
    return float(structural_similarity(x, y, channel_axis=2, data_range=1.0))


def unsharp(image: Tensor, sigma: float, amount: float) -> Tensor:
    half = max(round(3 * sigma), 1)
    k = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma) ** 2)
    k = (k / k.sum())[:, None] * (k / k.sum())[None]
    return (image + amount * (image - convolve(image, k[None]))).clamp(0, 1)


def best_unsharp(image: Tensor, sharp: Tensor) -> Tensor:
    """The best of 16 settings, chosen by looking at the truth."""
    return max((unsharp(image, s, a) for s, a in UNSHARP), key=lambda t: psnr(t, sharp))


def wiener(image: Tensor, radius: float) -> Tensor:
    """One filter of the network's kind, at the true radius."""
    if not radius:
        return image
    light = convolve(color.srgb_to_linear(image), network.inverse_filter(radius).float()[None])
    return color.linear_to_srgb(light.clamp(0, 1))


def even(image: Tensor, radius: float) -> DefocusMap:
    return DefocusMap.from_radius(image.new_full((1, *image.shape[-2:]), radius))


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


def photo_rows(save: Path | None) -> list[dict[str, Any]]:
    """One row per condition: means over the photos, and the worst of them."""
    found = pictures()
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
BANDS = ((0.0, 0.5), (0.5, 2.0), (2.0, 4.0), (4.0, 8.0))


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


def report(result: dict[str, Any]) -> str:
    """The tables as Markdown."""
    lines = ["# All in Focus: measured", "", (__doc__ or "").split("\n\n", 2)[2].strip(), ""]
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
        for row in result["pairs"]:
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
    parser = argparse.ArgumentParser(description="Measure All in Focus.")
    parser.add_argument("--only", choices=("photos", "scenes", "seams", "pairs"))
    parser.add_argument("--pairs", type=Path, help="a folder of folders, each with photos of one view at several focus distances")
    parser.add_argument("--pictures", type=Path, help="write source, result and truth side by side into this folder")
    args = parser.parse_args()
    file = RESULTS / "deblur.json"
    result: dict[str, Any] = json.loads(file.read_text()) if args.only and file.exists() else {}
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
    file.write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "deblur.md").write_text(report(result))


if __name__ == "__main__":
    main()
