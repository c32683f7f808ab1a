"""Long work tells how far it is, evenly, and ends where the callback raises, wherever that is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from refocus_core import bokeh, depth, restore
from refocus_core.progress import UNITS, share, shares, silent
from refocus_core.types import DefocusMap, DepthMap, Progress
from tests.helpers.renderings import mixed_radii, noise

H, W = 96, 128


def two_walls() -> DepthMap:
    """A near wall before a far one, with a soft edge between them."""
    step = torch.sigmoid((torch.arange(W) - W / 2) / 2).expand(1, H, W).contiguous()
    return DepthMap(step, False, None, None, "drawn")


def deconvolution(progress: Progress) -> None:
    radius = DefocusMap.from_radius(torch.linspace(1, 5, W).expand(1, H, W).contiguous())
    restore.all_in_focus(noise(H, W), "deconvolution", radius, progress=progress)


def blind(progress: Progress) -> None:
    restore.all_in_focus(noise(H, W), "blind-deconvolution", progress=progress)


def learned(progress: Progress) -> None:
    restore.all_in_focus(noise(H, W), "refocus-deblur-s", progress=progress)


def rendering(quality: str) -> Callable[[Progress], None]:
    def run(progress: Progress) -> None:
        bokeh.render(noise(H, W), DefocusMap.from_radius(mixed_radii(H, W)), quality=quality, progress=progress)

    return run


def refinement(progress: Progress) -> None:
    depth.refine(two_walls(), noise(H, W), progress=progress)


def matte(progress: Progress) -> None:
    near = two_walls()
    bokeh.depth_matte(noise(H, W), near, *bokeh.between(near, 1.0, 0.6), progress=progress)


def estimation(progress: Progress) -> None:
    depth.estimate(noise(H, W), progress=progress)


WORK = {
    "deconvolution": (deconvolution, 40),
    "blind-deconvolution": (blind, 60),
    "refocus-deblur-s": (learned, 40),
    "draft": (rendering("draft"), 5),
    "normal": (rendering("normal"), 10),
    "best": (rendering("best"), 10),
    "refine": (refinement, 2),
    "matte": (matte, 10),
    "depth": (estimation, 40),
}
"""What may take long, and how often it looks at the least while it works on a small picture."""


class StopError(BaseException):
    """As ComfyUI's: nothing that looks for errors may catch it."""


@pytest.mark.parametrize("name", WORK)
def test_work_moves_evenly_to_its_end_and_ends_at_once_where_it_is_cancelled(name: str) -> None:
    run, least = WORK[name]
    at: list[float] = []
    run(lambda done, total: at.append(done / total))
    assert len(at) >= least
    assert at == sorted(at) and at[-1] == 1 and at[0] < 0.5
    for nth in sorted({1, (least + 1) // 2}):
        calls = 0

        def stop(done: int, total: int, nth: int = nth) -> None:
            nonlocal calls
            calls += 1
            if calls == nth:
                raise StopError

        with pytest.raises(StopError):
            run(stop)
        assert calls == nth, "nothing went on after it"


def test_shares_of_shares_add_up_to_the_whole() -> None:
    seen: list[tuple[int, int]] = []
    first, second = shares(lambda done, total: seen.append((done, total)), (1, 3))
    inner = share(second, 0.5, 1.0)
    first(1, 1), second(1, 4), inner(1, 2), inner(5, 2)
    assert seen == [(UNITS // 4, UNITS), (7 * UNITS // 16, UNITS), (13 * UNITS // 16, UNITS), (UNITS, UNITS)]
    assert share(None, 0, 1) is silent


def test_each_frame_of_a_clip_takes_its_part() -> None:
    at: list[float] = []
    radius = DefocusMap.from_radius(mixed_radii(40, 50))
    bokeh.render(noise(40, 50, batch=4), radius, progress=lambda done, total: at.append(done / total))
    for frame in range(4):
        assert any(abs(a - (frame + 1) / 4) < 1e-3 for a in at)
