"""Pairs of real photos for the bench: registered, and judged where the other photo is sharper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import focus_pairs
from bench.lib.blurred_photos import blurred
from tests.helpers.paths import DATA


def sharp() -> Tensor:
    with Image.open(DATA / "astronaut.png") as im:
        picture = torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(picture, (320, 320), mode="bilinear", antialias=True)


def zoomed(photo: Tensor, by: float, right: float) -> Tensor:
    grid = F.affine_grid(torch.tensor([[[by, 0, right], [0, by, 0]]]), list(photo.shape), align_corners=False)
    return F.grid_sample(photo, grid, "bicubic", "reflection", align_corners=False).clamp(0, 1)


def test_the_other_photo_is_the_truth_where_it_is_sharper() -> None:
    truth = sharp()
    soft = blurred(truth, 3.0)
    photo = truth.clone()
    photo[..., 160:] = soft[..., 160:]
    other = truth.clone()
    other[..., :160] = soft[..., :160]
    pair = focus_pairs.matched("view", photo, zoomed(0.9 * other, 1.01, 0.01))
    assert pair is not None
    assert int(pair.mask[:, :140].sum()) < 0.02 * int(pair.mask.sum())
    error = (pair.truth - truth)[0].square().mean(0)[pair.mask].mean()
    before = (photo - truth)[0].square().mean(0)[pair.mask].mean()
    assert float(error) < 0.25 * float(before), "brought onto the photo, and to its brightness"


def test_photos_that_do_not_match_or_gain_nothing_are_no_pair() -> None:
    truth = sharp()
    assert focus_pairs.matched("same", truth, truth) is None
    assert focus_pairs.matched("turned", blurred(truth, 3.0), zoomed(truth, 1.4, 0.0)) is None


def test_views_are_folders(tmp_path: Path) -> None:
    (tmp_path / "view").mkdir()
    (tmp_path / "notes.txt").write_text("not a view")
    truth = sharp()
    for name, picture in (("a", blurred(truth, 3.0)), ("b", truth)):
        Image.fromarray((picture[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(tmp_path / "view" / f"{name}.png")
    (tmp_path / "view" / "readme.md").write_text("not a photo")
    assert [p.name for p in focus_pairs.found(tmp_path)] == ["view a by b"]


@pytest.mark.parametrize(("long_edge", "expected"), [(600, 600), (2100, 1050)])
def test_large_photos_are_reduced(tmp_path: Path, long_edge: int, expected: int) -> None:
    file = tmp_path / "large.png"
    Image.new("RGB", (long_edge, 64), (90, 120, 200)).save(file)
    assert focus_pairs._load(file).shape[-1] == expected  # pyright: ignore[reportPrivateUsage]


def test_the_best_filter_undoes_one_blur_and_no_shift() -> None:
    truth = sharp()
    photo = blurred(truth, 2.0)
    everywhere = torch.zeros(320, 320, dtype=torch.bool)
    everywhere[20:-20, 20:-20] = True
    known = focus_pairs.best_filter(focus_pairs.Pair("blurred", photo, truth, everywhere))
    moved = focus_pairs.best_filter(focus_pairs.Pair("moved", truth.roll(2, -1), truth, everywhere))
    assert known > 2
    assert 0 <= moved < 0.7 * known, "a shift is not symmetric"
