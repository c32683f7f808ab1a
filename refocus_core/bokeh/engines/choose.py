"""Which engine blurs and composites on which device: chosen by what a device proves to be able to do, and said in the log."""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Callable
from threading import Lock
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...types import Kernel
from ..bins import Bins
from ..plan import Piece, Plan, Quality
from ..surfaces.layers import Layers
from .torch_engine import TileEngine
from .triton_engine import TritonEngine, kernels

log = logging.getLogger(__name__)

SELF_TEST_WORST, SELF_TEST_MEAN = 2e-3, 1e-5
"""Largest and mean difference from plain torch, relative to the brightest pixel, at which a GPU's self-test passes. Rounding
gives 1e-6; a pixel whose coverage by a bin is just at `plan.PRESENT` may differ by up to that."""

MOST_TAPS = 1 << 14
"""Taps of one blur above which plain torch is quicker: an aperture without flat parts, above 70 px of its resolution."""

_MINIMUM_CAPABILITY = (7, 5)


class Engine(Protocol):
    """What blurs and composites windows of layers by a plan: see `tiles.TileEngine`."""

    def composite(
        self,
        layers: Layers,
        reach: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        nearer: Tensor | None = None,
    ) -> None: ...


def choose_engine(plan: Plan, device: torch.device) -> Engine:
    """The engine for a plan on a device: Triton kernels where they are proven to work, else plain torch.

    Never fails because of the choice. What is chosen for a device, and why, is logged once: INFO, or WARNING where a GPU cannot
    do what it should. The environment variable REFOCUS_TRITON=0 switches Triton off, 1 tries it on ROCm too, `interpret` uses it
    on the CPU (with TRITON_INTERPRET=1; for tests).
    """
    setting = os.environ.get("REFOCUS_TRITON", "").strip().lower()
    if device.type == "mps" and not fft_works(device):
        return _OnCpu(plan)
    if not _uses_triton(device, setting):
        return TileEngine(plan)
    engine = TritonEngine(plan)
    if engine.largest > MOST_TAPS:
        log.info("Aperture without flat parts and a large radius (%d taps): plain torch renders.", engine.largest)
        return TileEngine(plan)
    return engine


_lock = Lock()
_uses: dict[tuple[str, str], bool] = {}
_fft: dict[str, bool] = {}


def forget_choices() -> None:
    """Judge all devices anew at their next use."""
    with _lock:
        _uses.clear()
        _fft.clear()


def _uses_triton(device: torch.device, setting: str) -> bool:
    with _lock:
        key = (str(device), setting)
        if key not in _uses:
            _uses[key] = _judge(device, setting)
        return _uses[key]


def _judge(device: torch.device, setting: str) -> bool:
    """Whether Triton is used on a device; says so in the log."""
    if device.type != "cuda" and not (device.type == "cpu" and setting == "interpret"):
        log.debug("Reblur on %s: plain torch.", device)
        return False
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU, interpreted"
    if setting in ("0", "off", "false", "no"):
        log.info("Reblur on %s: plain torch (REFOCUS_TRITON=%s).", name, setting)
        return False
    if device.type == "cuda" and torch.version.hip is not None:
        if setting != "1":
            log.info("Reblur on %s: plain torch (Triton was never run on ROCm; REFOCUS_TRITON=1 tries it).", name)
            return False
    elif device.type == "cuda" and torch.cuda.get_device_capability(device) < _MINIMUM_CAPABILITY:
        log.info("Reblur on %s: plain torch (Triton needs compute capability %d.%d).", name, *_MINIMUM_CAPABILITY)
        return False
    try:
        kernels()
    except ImportError as error:
        log.warning("Reblur on %s: plain torch, many times slower, as Triton is missing (%s).", name, error)
        return False
    try:
        worst, mean = self_test(device)
    except Exception as error:  # a compiler or driver fails in many ways, and none of them may cost the picture
        log.warning("Reblur on %s: plain torch, many times slower, as Triton fails (%s: %s).", name, type(error).__name__, error)
        return False
    if not (worst <= SELF_TEST_WORST and mean <= SELF_TEST_MEAN):
        log.warning(
            "Reblur on %s: plain torch, many times slower, as Triton's kernels give a wrong picture (off by %.1g, mean %.1g).",
            name,
            worst,
            mean,
        )
        return False
    log.info("Reblur on %s: Triton kernels (self-test difference %.1g)", name, worst)
    return True


def self_test(device: torch.device) -> tuple[float, float]:
    """Largest and mean difference of `TritonEngine` and `tiles.TileEngine` on a small scene, relative to the brightest pixel.

    Two surfaces, radii of both signs, bins at full and half resolution; an off-axis aperture in four pieces, with and without the
    light of what is nearer than the focus, and a coloured one.
    """
    size = 96 if device.type == "cuda" else 16
    worst = mean = 0.0
    generator = torch.Generator().manual_seed(0)
    for colour, watch in ((False, False), (True, False), (False, True)):
        raster = torch.zeros(3 if colour else 1, 16, 16)
        raster[0, 1:9, 4:14] = 1
        if colour:
            raster[1, 3:12, 2:12], raster[2, 5:15, 6:15] = 1, 1
        kernel = Kernel((raster / raster.sum((1, 2), keepdim=True)).to(device))
        reach = 10
        n = size + 2 * reach
        x = torch.linspace(0, 1, n).expand(n, n)
        inside = (x - 0.5).square() + (x.T - 0.5).square() < 0.08
        radius = torch.where(inside, -5.0, 7.5 * x)
        front = torch.cat([torch.rand(3, n, n, generator=generator), torch.ones(1, n, n)])
        back = torch.cat([torch.rand(3, n, n, generator=generator), torch.ones(1, n, n)])
        layers = Layers(*(t.to(device) for t in (front, radius, back, 7.5 * x, inside)))
        quality = Quality(resolution_px=3, bin_step=2.5, pieces=1 if colour else 4, snap=False)
        plan = Plan(kernel, Bins.of(torch.cat([layers.front_radius, layers.back_radius]), quality.bin_step), quality)
        pictures: list[Tensor] = []
        # TF32 in the plain engine's convolutions is a coarser ruler than what is measured.
        with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False):
            for engine in (TileEngine(plan), TritonEngine(plan)):
                out = layers.front[:3, reach:-reach, reach:-reach].clone()
                nearer = layers.front.new_zeros(4, size, size) if watch else None
                engine.composite(layers, (reach, reach), (-reach, 5), out, lambda _: None, nearer)
                pictures.append(out if nearer is None else torch.cat([out, nearer]))
        difference = (pictures[0] - pictures[1]).abs() / pictures[0].amax()
        worst = max(worst, float(difference.nan_to_num(math.inf).max()))
        mean = max(mean, float(difference.nan_to_num(math.inf).mean()))
    return worst, mean


def fft_works(device: torch.device) -> bool:
    """Whether transforms on a device give right results: some versions of torch do not on MPS (issues 124096 and 126649).

    Small convolutions by real and complex transforms are compared with sums on the CPU; once per device, a failure is logged.
    """
    with _lock:
        key = str(device)
        if key not in _fft:
            error = _fft_error(device)
            _fft[key] = error < 1e-4
            if not _fft[key]:
                log.warning(
                    "Fourier transforms on %s are wrong (by %.1g): the blur is computed on the CPU, slowly.", device, error
                )
        return _fft[key]


def _fft_error(device: torch.device) -> float:
    """Largest relative error of convolutions by transforms on a device; infinite if they fail."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for h, w in ((16, 16), (24, 40), (27, 45), (192, 160)):
        image, kernel = torch.rand(4, h, w, generator=generator), torch.rand(2, 1, 5, 3, generator=generator)
        padded = F.pad(image[:, None], (1, 1, 2, 2), mode="circular")
        expected = F.conv2d(padded, kernel.flip(-2, -1)).movedim(1, 0)  # [2,4,h,w]
        # As the tile engine does: strided input, kernels of a batch, a part of the result.
        there = torch.zeros(8, h, w, device=device)
        there[::2] = image.to(device)
        spread = torch.zeros(2, 1, h, w, device=device)
        spread[..., :5, :3] = kernel.to(device)
        spread = spread.roll((-2, -1), (-2, -1))
        try:
            real = torch.fft.irfft2(torch.fft.rfft2(there[::2]) * torch.fft.rfft2(spread), s=(h, w))
            pair = torch.complex(there[0:4:2], there[4:8:2])
            both = torch.fft.ifft2(torch.fft.fft2(pair) * torch.fft.fft2(spread))
            results = [real, torch.cat([both.real, both.imag], 1)]
        except RuntimeError as error:
            log.debug("Transforms on %s fail: %s", device, error)
            return math.inf
        for result in results:
            difference = (result.cpu() - expected).abs().max() / expected.max()
            worst = max(worst, float(difference.nan_to_num(math.inf)))
    return worst


class _OnCpu:
    """The plain engine on the CPU, for layers on a device whose transforms are wrong."""

    def __init__(self, plan: Plan) -> None:
        here = copy.copy(plan)
        here.whole, here.pieces = ([Piece(p.raster.cpu(), p.weight.cpu()) for p in group] for group in (plan.whole, plan.pieces))
        self._engine = TileEngine(here)

    def composite(
        self,
        layers: Layers,
        reach: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        nearer: Tensor | None = None,
    ) -> None:
        part = (layers.front, layers.front_radius, layers.back, layers.back_radius, layers.edge)
        result = out.cpu()
        if result is out:
            result = out.clone()
        cover = None if nearer is None else torch.zeros_like(nearer, device="cpu")
        self._engine.composite(Layers(*(t.cpu() for t in part)), reach, origin, result, advance, cover)
        out.copy_(result)
        if nearer is not None and cover is not None:
            nearer.copy_(cover)
