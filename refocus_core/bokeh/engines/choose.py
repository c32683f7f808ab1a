"""Which engine blurs and composites on which device: chosen by what a device proves to be able to do, and said in the log."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from ..limits import Limits
from ..plan import Plan
from ..surfaces.layers import Layers
from .selftest import MOST_FFT_ERROR, MOST_MEAN, MOST_WORST, engines_differ_by, fft_error
from .torch_engine import TileEngine
from .triton.engine import TritonEngine, kernels

log = logging.getLogger(__name__)

MINIMUM_CAPABILITY = (7, 5)
"""Least compute capability of an NVIDIA GPU on which Triton's kernels are tried."""

TRANSFORMS = ("cpu", "cuda")
"""Types of devices whose Fourier transforms are right in every version of torch; others are tried first."""

SWITCHED_OFF = ("0", "off", "false", "no")
"""Values of REFOCUS_TRITON that switch Triton off."""


class Engine(Protocol):
    """What blurs and composites windows of layers by a plan: see `torch_engine.TileEngine`."""

    def composite(
        self,
        layers: Layers,
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        near_blur: Tensor | None = None,
    ) -> None: ...


def choose_engine(plan: Plan, device: torch.device, limits: Limits | None = None) -> Engine:
    """The engine for a plan on a device: Triton kernels where they are proven to work, else plain torch.

    Never fails because of the choice. What is chosen for a device, and why, is logged once: INFO, or WARNING where a GPU cannot
    do what it should. The environment variable REFOCUS_TRITON=0 switches Triton off, 1 tries it on ROCm too, `interpret` uses it
    on the CPU (with TRITON_INTERPRET=1; for tests).
    """
    limits = limits or Limits()
    setting = os.environ.get("REFOCUS_TRITON", "").strip().lower()
    if device.type not in TRANSFORMS and not fft_works(device):
        return CpuEngine(plan, limits)
    if plan.any_even or not uses_triton(device, setting):
        return TileEngine(plan, limits)
    if plan.field is not None:
        log.info(
            "Reblur on %s: plain torch, as the aperture changes over the picture (cat_eye, barn_doors, swirl, coma).",
            _name(device),
        )
        return TileEngine(plan, limits)
    engine = TritonEngine(plan, limits)
    if engine.most_taps > limits.most_taps:
        log.info("Aperture without flat parts and a large radius (%d taps): plain torch renders.", engine.most_taps)
        return TileEngine(plan, limits)
    return engine


_lock = Lock()
_triton_devices: dict[tuple[str, str], bool] = {}
_fft_devices: dict[str, bool] = {}


def forget_choices() -> None:
    """Judge all devices anew at their next use."""
    with _lock:
        _triton_devices.clear()
        _fft_devices.clear()


def uses_triton(device: torch.device, setting: str) -> bool:
    """Whether Triton renders on a device, with REFOCUS_TRITON as `setting`; judged once, and said in the log then."""
    with _lock:
        key = (str(device), setting)
        if key not in _triton_devices:
            _triton_devices[key] = _is_wanted(device, setting) and _is_proven(device)
        return _triton_devices[key]


def fft_works(device: torch.device) -> bool:
    """Whether transforms on a device give right results; judged once, a failure is logged then."""
    with _lock:
        key = str(device)
        if key not in _fft_devices:
            error = fft_error(device)
            _fft_devices[key] = error < MOST_FFT_ERROR
            if not _fft_devices[key]:
                log.warning("Fourier transforms on %s are wrong (by %.1g): the CPU computes the blur, slowly.", device, error)
        return _fft_devices[key]


def _is_wanted(device: torch.device, setting: str) -> bool:
    """Whether Triton may be tried on a device at all."""
    if device.type != "cuda":
        if device.type == "cpu" and setting == "interpret":
            return True
        log.debug("Reblur on %s: plain torch.", device)
        return False
    name = _name(device)
    if setting in SWITCHED_OFF:
        log.info("Reblur on %s: plain torch (REFOCUS_TRITON=%s).", name, setting)
        return False
    if torch.version.hip is not None:
        if setting != "1":
            log.info("Reblur on %s: plain torch (Triton was never run on ROCm; REFOCUS_TRITON=1 tries it).", name)
            return False
    elif torch.cuda.get_device_capability(device) < MINIMUM_CAPABILITY:
        log.info("Reblur on %s: plain torch (Triton needs compute capability %d.%d).", name, *MINIMUM_CAPABILITY)
        return False
    return True


def _is_proven(device: torch.device) -> bool:
    """Whether Triton is there and passes the self-test on a device."""
    name = _name(device)
    try:
        kernels()
    except ImportError as error:
        log.warning("Reblur on %s: plain torch, many times slower, as Triton is missing (%s).", name, error)
        return False
    try:
        worst, mean = engines_differ_by(device)
    except Exception as error:  # a compiler or driver fails in many ways, and none of them may cost the picture
        log.warning("Reblur on %s: plain torch, many times slower, as Triton fails (%s: %s).", name, type(error).__name__, error)
        return False
    if not (worst <= MOST_WORST and mean <= MOST_MEAN):
        log.warning(
            "Reblur on %s: plain torch, many times slower, as Triton's kernels give a wrong picture (off by %.1g, mean %.1g).",
            name,
            worst,
            mean,
        )
        return False
    log.info("Reblur on %s: Triton kernels (self-test difference %.1g)", name, worst)
    return True


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU, interpreted"


class CpuEngine:
    """The plain engine on the CPU, for layers on a device whose transforms are wrong."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        here = copy.copy(plan)
        here.field = None if plan.field is None else plan.field.to("cpu")
        here.whole, here.segments = ([p.to("cpu") for p in group] for group in (plan.whole, plan.segments))
        self._engine = TileEngine(here, limits)

    def composite(
        self,
        layers: Layers,
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        near_blur: Tensor | None = None,
    ) -> None:
        """As `torch_engine.TileEngine.composite`."""
        part = (layers.front, layers.front_radius, layers.back, layers.back_radius, layers.edge)
        result = out.cpu()
        if result is out:
            result = out.clone()
        near = None if near_blur is None else torch.zeros_like(near_blur, device="cpu")
        self._engine.composite(Layers(*(t.cpu() for t in part)), halo_px, origin, result, advance, near)
        out.copy_(result)
        if near_blur is not None and near is not None:
            near_blur.copy_(near)
