"""Which engine renders on which device, what is said about it in the log, and that no fault of a device costs the picture."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.engines import choose
from refocus_core.bokeh.engines.choose import choose_engine, fft_works, forget_choices, uses_triton
from refocus_core.bokeh.engines.torch_engine import TileEngine
from refocus_core.bokeh.engines.triton import engine as triton_engine
from refocus_core.bokeh.engines.triton.engine import TritonEngine
from refocus_core.bokeh.limits import Limits
from refocus_core.bokeh.plan import Plan, Quality
from tests.helpers.layered import layered


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Devices are judged anew; the log from INFO on."""
    monkeypatch.delenv("REFOCUS_TRITON", raising=False)
    forget_choices()
    caplog.set_level(logging.INFO, logger="refocus_core")
    yield caplog
    forget_choices()


def _plan(**kernel: Any) -> Plan:
    return Plan(bokeh.make_kernel("circle", **kernel), Bins((-3.0, 4.0), (-4.0, 5.3)), Quality(24, 1.0, 1))


def _pretend_cuda(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0)) -> torch.device:
    """What is asked of a CUDA device before anything runs on it."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    return torch.device("cuda", 0)


def test_cpu_gets_plain_torch_without_a_word(choices: pytest.LogCaptureFixture) -> None:
    assert isinstance(choose_engine(_plan(), torch.device("cpu")), TileEngine)
    assert choices.text == ""


@pytest.mark.usefixtures("interpreted")
def test_interpreter_is_chosen_after_a_self_test(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it, on the CPU: the self-test passes, the line says so once, and the engine is Triton's."""
    monkeypatch.setenv("REFOCUS_TRITON", "interpret")
    for _ in range(2):
        assert isinstance(choose_engine(_plan(), torch.device("cpu")), TritonEngine)
    (line,) = choices.messages
    assert "Triton kernels (self-test difference" in line
    assert choices.records[0].levelno == logging.INFO


@pytest.mark.usefixtures("interpreted")
def test_wrong_kernels_are_found_and_not_used(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that reads its taps one pixel off fails the self-test."""
    monkeypatch.setenv("REFOCUS_TRITON", "interpret")
    right = triton_engine.make_taps

    def off_by_one(*args: Any) -> Any:
        taps = right(*args)
        return replace(taps, dx=taps.dx + 4)

    monkeypatch.setattr(triton_engine, "make_taps", off_by_one)
    assert isinstance(choose_engine(_plan(), torch.device("cpu")), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "wrong picture" in record.message and "plain torch" in record.message


@pytest.mark.parametrize("setting", ["0", "off"])
def test_switched_off(setting: str, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_TRITON", setting)
    device = _pretend_cuda(monkeypatch)
    assert not uses_triton(device, setting)
    assert isinstance(choose_engine(_plan(), device), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.INFO and f"REFOCUS_TRITON={setting}" in record.message and "H100" in record.message


def test_missing_triton_is_named(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith(f"{triton_engine.__package__}.kernels")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "triton", None)  # as if it were not installed
    assert isinstance(choose_engine(_plan(), _pretend_cuda(monkeypatch)), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "triton" in record.message and "missing" in record.message


@pytest.mark.parametrize("error", [RuntimeError("ptxas is not there"), AssertionError("no GPU")])
@pytest.mark.usefixtures("interpreted")
def test_a_failing_compiler_is_named(
    error: Exception, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: torch.device) -> None:
        raise error

    monkeypatch.setattr(choose, "engines_differ_by", fails)
    assert isinstance(choose_engine(_plan(), _pretend_cuda(monkeypatch)), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and str(error) in record.message


def test_old_and_unproven_gpus_get_plain_torch(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    device = _pretend_cuda(monkeypatch, (7, 0))
    assert isinstance(choose_engine(_plan(), device), TileEngine)
    forget_choices()
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert isinstance(choose_engine(_plan(), device), TileEngine)
    assert ["capability" in m for m in choices.messages] == [True, False]
    assert "ROCm" in choices.messages[1]


@pytest.mark.usefixtures("interpreted")
def test_a_soft_aperture_at_a_huge_radius_stays_with_transforms(
    choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFOCUS_TRITON", "interpret")
    cpu, plan = torch.device("cpu"), _plan(softness=1.0)
    assert isinstance(choose_engine(plan, cpu, Limits(most_taps=20)), TileEngine)
    assert "flat" in choices.text
    assert isinstance(choose_engine(plan, cpu, Limits(most_taps=1000)), TritonEngine)


def test_transforms_are_right_here(choices: pytest.LogCaptureFixture) -> None:
    assert fft_works(torch.device("cpu"))
    assert choices.text == ""


@pytest.mark.parametrize("name", ["irfft2", "ifft2"])
def test_broken_transforms_are_found(name: str, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for a Mac, which nobody could test on: a transform that mixes up rows."""
    right = getattr(torch.fft, name)
    monkeypatch.setattr(torch.fft, name, lambda *a, **k: right(*a, **k).roll(1, -2))
    assert not fft_works(torch.device("cpu"))
    assert not fft_works(torch.device("cpu"))
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "the CPU computes the blur" in record.message


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="here the device is real")
def test_a_device_without_transforms_is_rendered_around(choices: pytest.LogCaptureFixture) -> None:
    """A device of type "mps" on paper."""
    layers = layered(40, 44, -3.0, 4.0)
    plan = Plan(bokeh.make_kernel("heart"), Bins.of(layers.front_radius, 3.0), Quality(2, 3.0, 4))
    expected, out = (layers.front[:3, 6:34, 6:38].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)
    engine = choose_engine(plan, torch.device("mps"))
    assert not isinstance(engine, TileEngine) and "mps" in choices.text
    steps: list[int] = []
    engine.composite(layers, (6, 6), (0, 0), out, steps.append)
    assert torch.equal(out, expected) and sum(steps) == 1


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("quality", list(bokeh.QUALITIES))
def test_the_benchmark_times_the_calls_of_a_render(quality: str) -> None:
    from bench.run import gpu  # imports the kernels, so after TRITON_INTERPRET is set

    scene = gpu.Scene.of(96, 72, 8.0, torch.device("cpu"))
    calls = gpu.calls_of(scene, quality, TileEngine)
    made: list[Tensor] = []

    class Watched(TileEngine):
        def composite(self, layers, halo_px, origin, out, advance, near_blur=None) -> None:  # pyright: ignore
            super().composite(layers, halo_px, origin, out, advance, near_blur)
            made.append(out.clone() if near_blur is None else torch.cat([out, near_blur]))

    with gpu.engine_is(Watched):
        scene.render(quality)
    assert len(calls) == len(made) > 0
    for call, picture in zip(calls, made, strict=True):
        assert torch.equal(call.run(TileEngine(call.plan), call.photo.clone()), picture)
