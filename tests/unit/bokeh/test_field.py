"""An aperture that changes over the picture: the physics of each control, and the renderer against its slow twin."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, restore
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.engines.choose import choose_engine
from refocus_core.bokeh.engines.torch_engine import TileEngine
from refocus_core.bokeh.lattice import Lattice
from refocus_core.bokeh.plan import QUALITIES, Plan, alike
from refocus_core.color import linear_to_srgb
from refocus_core.types import DefocusMap, Kernel, PupilField
from tests.helpers import field_twin

FIELDS = [
    *(PupilField(cat_eye=1.0), PupilField(swirl=1.0), PupilField(coma=-1.0), PupilField(0.6, 0.7, 0.8)),
    *(PupilField(barn_doors=1.0), PupilField(0.5, 0.4, 0.3, 0.8)),
]
CORNER = (0.8, -0.6)
"""The upper right corner of a 4:3 picture."""
MOST_LIGHT_OFF = 1.1 * 12 / 125
"""The light of a point may change by about its radius over the half diagonal: see `field`."""
QUARTER_GRAIN = 4
"""Side of the squares of the textured pictures, in px: as fine as their blur leaves something of."""


def _through(field: PupilField | None, shape: str = "circle") -> Kernel:
    return replace(bokeh.make_kernel(shape), field=field)


def _texture(h: int, w: int, seed: int = 0) -> Tensor:
    coarse = torch.rand(1, 3, h // QUARTER_GRAIN, w // QUARTER_GRAIN, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")[0].square()


def _light(at: tuple[int, int], radius: float, field: PupilField | None, quality: str = "normal") -> Tensor:
    """[150,200] what a point light becomes at a place of a 4:3 picture."""
    picture = torch.zeros(1, 3, 150, 200)
    picture[:, :, at[0], at[1]] = 100.0
    defocus_map = DefocusMap.from_radius(torch.full((1, 150, 200), radius))
    return bokeh.render(picture, defocus_map, _through(field), quality=quality)[0].mean(0)


def _moments(light: Tensor, at: tuple[int, int]) -> tuple[float, float, float, float]:
    """Energy, shift of the centre of gravity away from the picture's centre, and standard deviations along and across it."""
    h, w = light.shape
    y, x = torch.meshgrid(torch.arange(h) - at[0], torch.arange(w) - at[1], indexing="ij")
    out = torch.tensor([at[0] - h / 2, at[1] - w / 2])
    out = out / out.norm()
    along, across = y * out[0] + x * out[1], x * out[0] - y * out[1]
    energy = light.sum()
    means = [(light * t).sum() / energy for t in (along, across)]
    spreads = [((light * (t - m).square()).sum() / energy).sqrt() for t, m in zip((along, across), means, strict=True)]
    return float(energy), float(means[0]), float(spreads[0]), float(spreads[1])


def _psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (linear_to_srgb(a) - linear_to_srgb(b)).square().mean().log10())


@pytest.mark.parametrize(("quality", "least_db"), [("normal", 42), ("best", 44), ("draft", 38)])
def test_a_picture_is_what_the_rays_through_each_pixels_pupil_give(quality: str, least_db: float) -> None:
    """Halving costs a draft most of what it loses here, without a field too."""
    h, w = 120, 160
    picture = _texture(h, w)
    for field, radius in zip(FIELDS if quality == "normal" else FIELDS[::3], (6.0, -6.0, 6.0, -6.0, 6.0, -6.0), strict=False):
        defocus_map = DefocusMap.from_radius(torch.full((1, h, w), radius))
        shown = bokeh.render(picture[None], defocus_map, _through(field), quality=quality)[0]
        twin = field_twin.rendered([field_twin.Layer(picture, torch.ones(h, w), radius)], field, 128)
        assert _psnr(shown, twin) > least_db, field


def test_surfaces_before_one_another_are_seen_through_each_pixels_pupil() -> None:
    """Hidden parts are given as a plate, so that only the rendering is asked."""
    h, w = 120, 160
    near, far = _texture(h, w, 1), _texture(h, w, 2)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    disc = ((y - 40).square() + (x - 110).square() < 900).float()
    picture = near * disc + far * (1 - disc)
    radius = torch.where(disc > 0, -5.0, 6.0)[None]
    plate = bokeh.Plate(far[None], torch.full((1, h, w), 6.0))
    field = PupilField(0.8, 0.3, 0.3)
    shown = bokeh.render(picture[None], DefocusMap.from_radius(radius), _through(field), background=plate, matte=disc[None])[0]
    layers = [field_twin.Layer(near * disc, disc, -5.0), field_twin.Layer(far, torch.ones(h, w), 6.0)]
    assert _psnr(shown, field_twin.rendered(layers, field, 128)) > 40


def test_a_cats_eye_is_cut_off_outside_behind_the_focus_and_inside_in_front_of_it() -> None:
    at = (30, 170)
    behind, front = (_moments(_light(at, r, PupilField(1.0)), at) for r in (12.0, -12.0))
    plain = _moments(_light(at, 12.0, None), at)
    assert behind[1] < -2 and front[1] > 2, "its light lies to the other side"
    for energy, _, along, across in (behind, front):
        assert energy == pytest.approx(plain[0], rel=MOST_LIGHT_OFF)
        assert along < 0.75 * plain[2] and along < 0.8 * across


def test_lights_get_smaller_with_the_cats_eye_and_with_the_distance_from_the_centre() -> None:
    def sizes(kernels: list[Kernel]) -> list[float]:
        return [float((k.raster > 0).float().mean()) for k in kernels]

    stronger = sizes([bokeh.kernel_at(_through(PupilField(c)), *CORNER) for c in (0.1, 0.4, 0.7, 1.0)])
    farther = sizes([bokeh.kernel_at(_through(PupilField(1.0)), 0.8 * t, -0.6 * t) for t in (0.0, 0.3, 0.6, 1.0)])
    assert all(a > b for a, b in itertools.pairwise(stronger)) and all(a > b for a, b in itertools.pairwise(farther))
    # Two discs of one size, one radius apart, share 2/3 - sqrt(3)/(2 pi) of their area.
    assert farther[-1] / farther[0] == pytest.approx(2 / 3 - 3**0.5 / (2 * torch.pi), abs=0.01)


def test_barn_doors_cut_with_straight_edges_from_the_sides_that_a_place_lies_at() -> None:
    lens = _through(PupilField(barn_doors=1.0))
    n = lens.raster.shape[-1]
    axis = (torch.arange(n) + 0.5) * 2 / n - 1
    for px, py in ((0.8, 0.0), (0.0, -0.6), CORNER):
        lit = bokeh.kernel_at(lens, px, py).raster[0] > 0
        limits = [(axis[lit.any(1 - dim)].min(), axis[lit.any(1 - dim)].max()) for dim in (1, 0)]
        for (low, high), p in zip(limits, (px, py), strict=True):
            assert float(low) == pytest.approx(max(-1, -1 - p), abs=0.03)
            assert float(high) == pytest.approx(min(1, 1 - p), abs=0.03)
    right = bokeh.kernel_at(lens, 0.8, 0.0).raster[0]
    edge = int(((0.2 + 1) / 2) * n) - 2
    assert bool((right[n // 4 : 3 * n // 4, edge] > 0.9 * right[n // 2, n // 4]).all()), "the edge is straight"


def test_barn_doors_are_cut_off_outside_behind_the_focus_and_inside_in_front_of_it() -> None:
    at = (75, 180)
    behind, front = (_moments(_light(at, r, PupilField(barn_doors=1.0)), at) for r in (12.0, -12.0))
    assert behind[1] < -2 and front[1] > 2, "its light lies to the other side"
    plain = _moments(_light(at, 12.0, None), at)
    assert behind[0] == pytest.approx(plain[0], rel=2 * MOST_LIGHT_OFF) and behind[2] < 0.85 * plain[2]


def test_swirl_turns_blurs_around_the_centre_behind_the_focus_and_towards_it_in_front() -> None:
    at = (25, 30)
    for swirl in (0.8, -0.8):
        (_, _, along, across), (_, _, along_front, across_front) = (
            _moments(_light(at, r, PupilField(swirl=swirl)), at) for r in (12.0, -12.0)
        )
        assert (along < 0.85 * across) == (swirl > 0) and (along_front > across_front / 0.85) == (swirl > 0)


def test_coma_has_its_tail_on_one_side_whatever_is_in_front_or_behind() -> None:
    at = (25, 30)
    shifts = [_moments(_light(at, r, PupilField(coma=c)), at)[1] for c in (-0.8, 0.0001, 0.8) for r in (12.0, -12.0)]
    assert shifts[0] < -0.5 and shifts[1] < -0.5 and abs(shifts[2]) < 0.1 and shifts[4] > 0.5 and shifts[5] > 0.5


@pytest.mark.parametrize("field", FIELDS, ids=str)
@pytest.mark.parametrize("quality", ["normal", "draft"])
def test_the_picture_gets_no_darker_and_what_is_in_focus_stays(field: PupilField, quality: str) -> None:
    uniform = torch.full((1, 3, 70, 110), 0.3)
    radius = torch.linspace(-9, 12, 110).expand(1, 70, 110)
    shown = bokeh.render(uniform, DefocusMap.from_radius(radius), _through(field), quality=quality)
    torch.testing.assert_close(shown, uniform, atol=2e-5, rtol=0)
    picture = _texture(60, 80)[None]
    assert torch.equal(bokeh.render(picture, DefocusMap.from_radius(torch.zeros(1, 60, 80)), _through(field)), picture)


def test_at_the_centre_the_aperture_is_as_it_is_without_a_field() -> None:
    for shape in ("heart", "ring"):
        plain = bokeh.make_kernel(shape)
        middle = bokeh.kernel_at(_through(PupilField(1.0, 1.0, 1.0), shape), 0, 0)
        assert float((middle.raster - plain.raster).abs().sum()) < 0.02
        assert bokeh.kernel_at(plain, *CORNER) is plain


def test_a_coloured_aperture_in_segments_keeps_a_uniform_picture_uniform() -> None:
    lens = bokeh.ApertureSettings("ring", fringe=0.8, spherical=0.5, cat_eye=0.9, swirl=0.5, coma=0.5).kernel()
    radius = torch.full((1, 60, 90), 8.0)
    radius[:, 20:40, 30:60] = -6.0
    shown = bokeh.render(torch.full((1, 3, 60, 90), 0.5), DefocusMap.from_radius(radius), lens, quality="best")
    torch.testing.assert_close(shown, torch.full_like(shown, 0.5), atol=1e-4, rtol=0)


def test_transparency_is_blurred_through_the_same_pupil() -> None:
    """An opaque white square: its alpha is its light."""
    alpha = torch.zeros(1, 1, 80, 100)
    alpha[..., 10:30, 60:90] = 1
    defocus_map = DefocusMap.from_radius(torch.full((1, 80, 100), 6.0))
    light, blurred = bokeh.render_with_alpha(torch.ones(1, 3, 80, 100), alpha, defocus_map, _through(PupilField(1.0)))
    plain = bokeh.render_with_alpha(torch.ones(1, 3, 80, 100), alpha, defocus_map, _through(None))[1]
    assert blurred is not None and plain is not None
    torch.testing.assert_close(light[(blurred > 0.01).expand_as(light)], torch.ones(()).expand(int((blurred > 0.01).sum()) * 3))
    assert float((blurred - plain).abs().max()) > 0.1


def test_tiles_lie_within_cells_and_tell_all_their_work() -> None:
    steps: list[int] = []
    picture = _texture(140, 330)[None]
    defocus_map = DefocusMap.from_radius(torch.full((1, 140, 330), 9.0))
    lens = _through(PupilField(1.0))
    whole = bokeh.render(picture, defocus_map, lens, progress=lambda done, total: steps.append(done * 1000 // total))
    assert steps == sorted(steps) and steps[-1] == 1000
    parts = bokeh.render(picture, defocus_map, lens, limits=bokeh.Limits(tile_px=32, cpu_part_px=96))
    torch.testing.assert_close(parts, whole, atol=2e-5, rtol=0)


def test_a_lattice_shares_every_pixel_among_the_nodes_of_its_cell() -> None:
    lattice = Lattice((90, 141), PupilField(1.0), 0.25)
    for y, x in ((0, 0), (89, 140), (44, 71)):
        cell = lattice.cell(y, x)
        shares = lattice.shares(cell, (y, y + 1), (x, x + 1), torch.device("cpu")).flatten()
        assert float(shares.sum()) == pytest.approx(1)
        places = [lattice.place(node) for node in cell.nodes]
        mean = [float(sum(s * p[i] for s, p in zip(shares, places, strict=True))) for i in (0, 1)]
        half_diagonal = (90**2 + 141**2) ** 0.5 / 2
        assert mean == pytest.approx([(x + 0.5 - 70.5) / half_diagonal, (y + 0.5 - 45) / half_diagonal], abs=1e-5)


def test_triton_leaves_such_apertures_to_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refocus_core.bokeh.engines.choose.uses_triton", lambda device, setting: True)
    plan = Plan(_through(PupilField(0.5)), Bins.of(torch.tensor([3.0])), QUALITIES["normal"], size=(64, 64))
    assert isinstance(choose_engine(plan, torch.device("cpu")), TileEngine)


def test_what_cannot_be_says_so() -> None:
    for values in ({"cat_eye": 1.5}, {"swirl": -2.0}, {"coma": float("nan")}, {"barn_doors": -0.1}):
        with pytest.raises(ValueError, match=next(iter(values))):
            PupilField(**values)
    edge = torch.zeros(64, 64)
    edge[:, 60:] = 1
    with pytest.raises(ValueError, match="covers all of the aperture"):
        bokeh.kernel_at(replace(bokeh.kernel_from_image(edge), field=PupilField(1.0)), 1.0, 0.0)
    with pytest.raises(ValueError, match="one aperture for the whole picture"):
        restore.all_in_focus(torch.rand(1, 3, 32, 32), kernel=_through(PupilField(1.0)))


def test_blue_that_is_as_red_is_computed_once_and_the_same() -> None:
    """Beside an aperture whose blue differs from its red by next to nothing."""
    lens = bokeh.ApertureSettings(fringe=0.6, cat_eye=0.8, coma=0.5).kernel()
    assert lens.near is not None
    rasters = lens.raster.clone()
    rasters[2] *= 1 + 1e-6
    picture = _texture(60, 80)[None]
    radius = torch.linspace(-7, 9, 80).expand(1, 60, 80)
    for field in (lens.field, None):
        both = [replace(lens, field=field), replace(lens, raster=rasters, field=field)]
        assert [alike(k) for k in both] == [2, 3]
        one, other = (bokeh.render(picture, DefocusMap.from_radius(radius), k) for k in both)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
