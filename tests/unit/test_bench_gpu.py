"""The GPU benchmark follows the renderer: what it times is what a render does. (Its figures need a GPU.)"""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="bench/gpu.py compares with Triton's kernels")

from bench import gpu
from refocus_core import bokeh
from refocus_core.bokeh.tiles import TileEngine


@pytest.mark.parametrize("quality", list(bokeh.QUALITIES))
def test_the_calls_that_are_timed_are_those_of_a_render(quality: str) -> None:
    scene = gpu.Scene.of(96, 72, 8.0, torch.device("cpu"))
    calls = gpu.calls_of(scene, quality, TileEngine)
    made: list[torch.Tensor] = []

    class Watched(TileEngine):
        def composite(self, layers, reach, origin, out, advance, nearer=None) -> None:  # pyright: ignore
            super().composite(layers, reach, origin, out, advance, nearer)
            made.append(out.clone() if nearer is None else torch.cat([out, nearer]))

    with gpu.engine_is(Watched):
        scene.render(quality)
    assert len(calls) == len(made) > 0
    for call, picture in zip(calls, made, strict=True):
        assert torch.equal(call.run(TileEngine(call.plan), call.photo.clone()), picture)
