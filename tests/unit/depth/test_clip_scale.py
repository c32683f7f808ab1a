"""One range of depth for frames that come one after another, each with a scale and an offset of its own."""

from __future__ import annotations

import pytest
import torch

from refocus_core.depth import ClipAligner
from refocus_core.depth.model import FrameDepth


def scene(number: int = 0) -> torch.Tensor:
    """Disparity [60,80]: a slanted floor, a box, and something small that moves in front."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 60), torch.linspace(0, 1, 80), indexing="ij")
    d = 1 + 2 * y + 0.3 * x
    d[20:40, 50:70] = 3.5
    at = 5 + 3 * number
    d[10:25, at : at + 8] = 5.0
    return d


def frame(d: torch.Tensor) -> FrameDepth:
    return FrameDepth(d, None)


def test_frames_of_any_scale_and_offset_lie_on_one_range() -> None:
    torch.manual_seed(0)
    aligner = ClipAligner(metric=False)
    given = [scene(i) * (0.5 + 1.5 * torch.rand(()).item()) + 2 * torch.rand(()).item() for i in range(20)]
    fits = [aligner.add(frame(d)) for d in given]
    first = scene(0)[40:] * ((given[0][-1, 0] - given[0][0, 0]) / 2)  # the floor, which nothing hides
    aligned = [(d * f.scale + f.shift)[40:] for d, f in zip(given, fits, strict=True)]
    for a in aligned:
        assert float((a - aligned[0]).abs().max()) < 0.02 * float(first.max() - first.min())


def test_hundreds_of_noisy_frames_keep_their_span() -> None:
    """A regression's slope is too flat by the noise, and a mean of frames has less of it: either would shrink this to nothing."""
    torch.manual_seed(0)
    aligner = ClipAligner(metric=False)
    for _ in range(300):
        d = scene() + 0.15 * torch.randn(60, 80)
        fit = aligner.add(frame(d.clamp_min(0) * 1.0))
    assert 0.9 < fit.scale < 1.1


def test_a_cut_fills_the_range_of_the_clip() -> None:
    aligner = ClipAligner(metric=False)
    for _ in range(5):
        aligner.add(frame(scene()))
    other = scene().flip(0).flip(1) * 40 + 7
    aligner.add(frame(other))
    scale = aligner.result()
    low, high = scale.relative(5, float(other.min())), scale.relative(5, float(other.max()))
    assert low == pytest.approx(0, abs=0.02) and high == pytest.approx(1, abs=0.02)


def test_metres_get_a_scale_and_no_offset() -> None:
    aligner = ClipAligner(metric=True)
    fits = [aligner.add(FrameDepth(scene() * s, 100.0 * s)) for s in (1.0, 1.2, 0.9)]
    assert [f.shift for f in fits] == [0, 0, 0]
    assert [f.scale for f in fits] == pytest.approx([1, 1 / 1.2, 1 / 0.9], rel=1e-3)
    assert aligner.result().focal_px == 100.0


def test_flat_and_unknown_depth_are_no_obstacle() -> None:
    aligner = ClipAligner(metric=False)
    for d in (torch.full((60, 80), 2.0), torch.full((60, 80), 3.0), scene().where(scene() < 3, torch.nan)):
        assert all(torch.isfinite(torch.tensor(aligner.add(frame(d)))))
    with pytest.raises(ValueError, match="no frame"):
        ClipAligner(metric=False).result()
