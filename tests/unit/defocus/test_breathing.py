"""Focus breathing: how large the frames of a rack show the scene, and that picture and blur are magnified alike."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, defocus
from refocus_core.color import srgb_to_linear
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap

LENS = Lens(85, 2.0)
RACK = '{"keys": [{"frame": 0, "distance_m": 4.0}, {"frame": 1, "distance_m": 1.0}, {"frame": 2, "distance_m": 2.0}]}'
H, W = 90, 141


def scene(frames: int = 3) -> DepthMap:
    """A wall at 4 m with a square at 1 m in its upper right quarter."""
    disparity = torch.full((frames, H, W), 0.25)
    disparity[:, 20:35, 100:120] = 1.0
    return DepthMap(disparity, metric=True)


def racked(amount: float) -> DefocusMap:
    return defocus.from_lens(scene(), LENS, keyframes=defocus.parse_keyframes(RACK), breathing=amount)


def image_distance_mm(distance_m: float) -> float:
    return 1 / (1 / LENS.focal_mm - 1 / (distance_m * 1000))


def centre(weight: Tensor) -> list[float]:
    """Centre of gravity [H,W] in px from the middle, along y and x."""
    y = (weight.sum(1) * (torch.arange(H) + 0.5 - H / 2)).sum()
    x = (weight.sum(0) * (torch.arange(W) + 0.5 - W / 2)).sum()
    return [float(y / weight.sum()), float(x / weight.sum())]


def test_the_scene_grows_as_the_image_moves_away_from_the_lens() -> None:
    sizes = racked(1.0).magnification
    assert sizes is not None
    expected = [image_distance_mm(s) / image_distance_mm(4.0) for s in (4.0, 1.0, 2.0)]
    assert sizes.tolist() == pytest.approx(expected, rel=1e-5) and expected[1] > 1.06
    half = racked(0.5).magnification
    assert half is not None and half.tolist() == pytest.approx([(1 + e) / 2 for e in expected], rel=1e-5)
    assert racked(0.0).magnification is None


def test_the_frame_focused_farthest_stays_bit_for_bit_and_the_others_keep_their_middle() -> None:
    picture = torch.rand(3, 3, H, W, generator=torch.Generator().manual_seed(1))
    _, out, alpha = defocus.imaged(racked(1.0), picture, torch.ones(1, 1, H, W))
    assert torch.equal(out[0], picture[0]) and not torch.equal(out[1], picture[1])
    assert alpha is not None and torch.equal(alpha, torch.ones(3, 1, H, W))
    even = torch.full((3, 3, H, W), 0.7)
    torch.testing.assert_close(defocus.imaged(racked(1.0), even)[1], even, atol=1e-6, rtol=0)


def test_picture_and_map_are_magnified_about_the_middle_alike() -> None:
    rack, near = racked(1.0), scene().disparity.gt(0.5).float()
    after, picture, _ = defocus.imaged(rack, near[:, None].expand(-1, 3, -1, -1).contiguous())
    assert rack.magnification is not None
    for frame, size in enumerate(rack.magnification.tolist()):
        expected = [c * size for c in centre(near[frame])]
        assert centre(srgb_to_linear(picture[frame, 0])) == pytest.approx(expected, abs=0.15)
        assert centre(after.disparity[frame].gt(0.5).float()) == pytest.approx(expected, abs=0.5)
        light = srgb_to_linear(picture[frame, 0])
        assert float(light.sum() / near[frame].sum()) == pytest.approx(size**2, rel=0.03)


def test_blur_in_the_shown_frame_is_the_lens_law_s() -> None:
    """K grows with the distance of the image: magnifying a frame that was blurred by less gives the same disc."""
    still, breathing = racked(0.0), racked(1.0)
    shown, *_ = defocus.imaged(breathing, torch.zeros(3, 3, H, W))
    for frame in range(3):
        assert float(shown.radius_px[frame].max()) == pytest.approx(float(still.radius_px[frame].max()), rel=1e-5)
        assert float(shown.radius_px[frame].min()) == pytest.approx(float(still.radius_px[frame].min()), rel=1e-5)
    assert float(breathing.radius_px[1].max()) < float(still.radius_px[1].max())


def test_a_light_out_of_focus_becomes_a_disc_of_the_lens_s_radius() -> None:
    picture = torch.zeros(3, 3, H, W)
    picture[:, :, 60, 70] = 20.0
    rack = racked(1.0)
    _, out, _ = defocus.imaged(rack, bokeh.render(picture, rack))
    lit = (out[1, 0] > 0.5 * out[1, 0].max()).sum()
    assert float((lit / torch.pi).sqrt()) == pytest.approx(float(racked(0.0).radius_px[1, 0, 0]), abs=0.35)


def test_frames_one_by_one_are_as_the_whole_clip() -> None:
    whole, focus = racked(1.0), (0.25, 1.0, 0.5)
    for frame, disparity in enumerate(focus):
        alone = defocus.from_lens(scene(1), LENS, defocus.FocusDisparity(disparity), breathing=1.0, farthest_focus=0.25)
        assert alone.magnification is not None and whole.magnification is not None
        assert float(alone.magnification) == pytest.approx(float(whole.magnification[frame]), rel=1e-6)
        torch.testing.assert_close(alone.radius_px[0], whole.radius_px[frame])


def test_a_picture_alone_does_not_breathe() -> None:
    made = defocus.from_lens(scene(1), LENS, defocus.FocusDistance(1.0), breathing=1.0)
    picture = torch.rand(1, 3, H, W)
    assert defocus.imaged(made, picture)[1] is picture


def test_what_cannot_be_says_so() -> None:
    with pytest.raises(ValueError, match="breathing needs a camera"):
        defocus.from_lens(scene(), Blur(2), breathing=1.0)
    with pytest.raises(ValueError, match="breathing must lie in"):
        racked(1.5)
    with pytest.raises(ValueError, match="magnification must hold 3"):
        DefocusMap(
            *(getattr(racked(0), n) for n in ("radius_px", "disparity", "focus_disparity", "gain_px")),
            magnification=torch.ones(2),
        )
