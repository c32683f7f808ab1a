"""Twenty runs in a row leave nothing behind."""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings

import pytest
import torch
from torch import Tensor

from bench.lib.resident import resident_mib
from refocus_core import bokeh, clip, defocus, depth, restore
from refocus_core.color import srgb_to_linear
from refocus_core.depth.model import FrameDepth
from refocus_core.images import resized
from refocus_core.optics import Blur
from tests.helpers import motorcycle

SIZE = (480, 640)
"""A picture takes 3.5 MiB in float32."""
RUNS, SETTLED = 20, 6
"""What is kept for the next run is there after so many."""
MOST_MIB = 24
"""What the heap may grow meanwhile by fragments; a picture kept in each run would be 49."""


def settled_mib() -> float:
    """What is resident, less what the allocator only keeps for later."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident_mib()


def tensors() -> tuple[int, int]:
    """How many tensors Python holds, and their bytes."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other objects that are asked for their class
        held = [o for o in gc.get_objects() if isinstance(o, Tensor)]
    return len(held), sum(t.numel() * t.element_size() for t in held)


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read as Linux tells it")
def test_twenty_runs_of_the_chain_leak_nothing() -> None:
    photo = resized(motorcycle.photo(), SIZE)
    model = depth.load("refocus-depth-s")
    small = resized(photo, (96, 128))
    after: list[tuple[int, int]] = []
    resident: list[float] = []
    for run in range(RUNS):
        found = depth.estimate(small, model)
        made = defocus.from_lens(depth.fit(found, photo), Blur(2), (0.3 + 0.02 * run, 0.6))
        sharp = restore.all_in_focus(small, "refocus-deblur-s").image
        out = bokeh.render(srgb_to_linear(photo), made, quality="draft")
        assert out.shape == photo.shape and sharp.shape == small.shape
        del found, made, sharp, out
        after.append(tensors())
        resident.append(settled_mib())
    assert len(set(after[SETTLED:])) == 1, f"tensors held after each run, and their bytes: {after}"
    assert resident[-1] - resident[SETTLED] < MOST_MIB, f"MiB resident after each run: {resident}"


def test_a_clip_holds_as_many_frames_as_it_looks_ahead() -> None:
    """However long it is: what is held after ten frames and after sixty."""
    model = depth.load("refocus-depth-s")
    first = depth.frame_depth(model, resized(motorcycle.photo(), (48, 64)))
    held: list[int] = []

    class Quick(depth.DepthModel):
        """As the network, without its time."""

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.name, self.metric = "quick", False

        def forward(self, frame: Tensor, focal_px: float | None = None) -> FrameDepth:
            return first

    def frame(number: int) -> Tensor:
        return resized(motorcycle.photo(), (48, 64)).roll(number, -1)

    steps = clip.rendering_steps(Quick(), None, clip.Rendering(quality="draft"))
    work = clip.Clip(steps, clip.ClipOptions(Blur(2), (0.5, 0.6), steady_frames=3), torch.device("cpu"))
    plan = work.planned(frame(n) for n in range(60))
    in_order = work.in_order(plan, lambda first: (frame(n) for n in range(first, 60)))
    for number in range(50):
        work.frame(plan, number, frame(number), None, in_order)
        held.append(tensors()[1])
    assert len(set(held[10:])) == 1, held
