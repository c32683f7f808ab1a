"""Every entry point of the core on devices without float64: on stand-ins that refuse what Apple's and Intel's GPUs refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, color, defocus, depth, restore
from refocus_core.defocus import FocusAuto, FocusBetween, FocusLike, FocusPoint
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap, Restored
from tests.helpers.accelerator import Accelerator, RefusedError

H, W = 24, 36
ROUNDING = 1e-4
"""What a device may be off from the CPU: the stand-in computes as the CPU does, but single-threaded and by other operators."""

IMAGE = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
DISTANCE = torch.linspace(1.5, 6, H).view(1, H, 1).repeat(1, 1, W)
DISTANCE[:, 6:18, 10:22] = 1.2
KEYS = '{"keys": [{"frame": 0, "x": 0.3, "y": 0.5, "f_number": 2}, {"frame": 3, "distance_m": 2}]}'

Case = Callable[[torch.device], Tensor]


def _metres(device: torch.device) -> DepthMap:
    return DepthMap(1 / DISTANCE.to(device), True)


def _defocus(device: torch.device) -> DefocusMap:
    return defocus.from_lens(_metres(device), Blur(8), (0.4, 0.5), focus_range=0.1)


def _geometry(device: torch.device) -> dict[str, Tensor]:
    d = DISTANCE.to(device)
    eye = torch.eye(3, device=device)[None]
    return {"depth": d, "sky": (d > 5).float(), "mask": d < 5, "normal": d, "intrinsics": eye}


def _adapters() -> dict[str, Case]:
    distance = DISTANCE.to
    return {
        "da3": lambda d: depth.from_da3(_geometry(d), 50.0).disparity,
        "da3 metric": lambda d: depth.from_da3(_geometry(d), 50.0, metric=True).disparity,
        "moge": lambda d: depth.from_moge(_geometry(d)).disparity,
        "disparity": lambda d: depth.from_image(5 / distance(d)).disparity,
        "depth": lambda d: depth.from_image(distance(d), "depth", unknown=1.5).disparity,
        "metres": lambda d: depth.from_image(distance(d), "depth", metres_per_unit=1).disparity,
        "range": lambda d: depth.from_image(distance(d) / 6, "depth", near_m=1, far_m=6).disparity,
        "larger": lambda d: depth.fit(_metres(d), torch.zeros(1, 3, 2 * H, 2 * W, device=d)).disparity,
        "smaller": lambda d: depth.fit(_metres(d), torch.zeros(1, 3, 16, 24, device=d)).disparity,
        "refined": lambda d: depth.refine(_metres(d), IMAGE.to(d), strength=0.7).disparity,
        "network": lambda d: depth.estimate(IMAGE.to(d), "refocus-depth-s").disparity,
        "shown": lambda d: depth.preview(_metres(d)),
    }


def _focus(focus: Callable[[torch.device], FocusLike]) -> Case:
    return lambda d: defocus.from_lens(_metres(d), Lens(50, 1.8), focus(d)).radius_px


def _maps() -> dict[str, Case]:
    keys = defocus.parse_keyframes(KEYS)
    known = DISTANCE < 5
    return {
        "auto": _focus(lambda d: FocusAuto()),
        "point": _focus(lambda d: (0.3, 0.4)),
        "two points": _focus(lambda d: FocusBetween(FocusPoint(0.2, 0.2), FocusPoint(0.8, 0.8))),
        "mask": _focus(lambda d: (DISTANCE < 2).float().to(d)),
        "small mask": _focus(lambda d: torch.ones(1, 17, 25, device=d)),
        "large mask": _focus(lambda d: torch.ones(1, 50, 75, device=d)),
        "distance": _focus(lambda d: 2.0),
        "keyframes": lambda d: defocus.from_lens(_metres(d), Lens(), keyframes=keys).radius_px,
        "percent": lambda d: _defocus(d).radius_px,
        "from radius": lambda d: DefocusMap.from_radius(_defocus(d).radius_px, 1 / DISTANCE.to(d)).gain_px,
        "shown": lambda d: defocus.preview(_defocus(d), IMAGE.to(d), focus=FocusPoint()),
        "thumbnail": lambda d: torch.from_numpy(
            defocus.thumbnail(DISTANCE.to(d), 20, valid=known.to(d)).codes.astype("int32")
        ).float(),
    }


def _render(device: torch.device, quality: str, **options: object) -> Tensor:
    light = color.srgb_to_linear(IMAGE).to(device)
    return bokeh.render(light, _defocus(device), quality=quality, **options)  # pyright: ignore[reportArgumentType] # by name


def _premultiplied(light: Tensor, alpha: Tensor | None) -> Tensor:
    """Where nothing is, a colour says nothing."""
    return light if alpha is None else light * alpha


def _renderings(quality: str) -> dict[str, Case]:
    coloured = bokeh.kernel_from_image(torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(1)))
    subject = (DISTANCE < 2).float()
    light = color.srgb_to_linear(IMAGE)
    return {
        f"{quality}": lambda d: _render(d, quality, highlight_boost=2.0, cache=bokeh.SurfaceCache()),
        f"{quality} coloured": lambda d: _render(d, quality, kernel=coloured),
        f"{quality} plate": lambda d: _render(d, quality, background=IMAGE.flip(-1).to(d)),
        f"{quality} matte": lambda d: _render(d, quality, matte=subject.to(d)),
        f"{quality} alpha": lambda d: _premultiplied(
            *bokeh.render_with_alpha(light.to(d), subject[:, None].to(d), _defocus(d), quality=quality)
        ),
        f"{quality} soft": lambda d: bokeh.render(light.to(d), replace(_defocus(d), edge_px=2.0), quality=quality),
        f"{quality} radius": lambda d: bokeh.render(light.to(d), DefocusMap.from_radius(_defocus(d).radius_px), quality=quality),
    }


def _kernels() -> dict[str, Case]:
    picture = torch.rand(3, 30, 41, generator=torch.Generator().manual_seed(2))
    return {
        "from a picture": lambda d: bokeh.kernel_from_image(picture.to(d), softness=0.1, center=True).raster,
        "shown": lambda d: bokeh.kernel_preview(bokeh.make_kernel("star", size=100).to(d)),
        "revealed": lambda d: bokeh.revealed(_defocus(d)),
    }


def _picture(result: Restored) -> Tensor:
    return result.image


def _restored() -> dict[str, Case]:
    heart = bokeh.make_kernel("heart")
    return {
        "deconvolution": lambda d: _picture(restore.all_in_focus(IMAGE.to(d), "deconvolution", _defocus(d))),
        "heart": lambda d: _picture(restore.all_in_focus(IMAGE.to(d), "deconvolution", _defocus(d), kernel=heart)),
        "network": lambda d: _picture(restore.all_in_focus(IMAGE.to(d), "refocus-deblur-s")),
        "network with a map": lambda d: _picture(restore.all_in_focus(IMAGE.to(d), "refocus-deblur-s", _defocus(d))),
        "blind": lambda d: _picture(restore.all_in_focus(IMAGE.to(d), "blind-deconvolution")),
    }


GROUPS: dict[str, dict[str, Case]] = {
    "depth": _adapters(),
    "defocus": _maps(),
    "bokeh": _kernels() | _renderings("draft") | _renderings("normal") | _renderings("best"),
    "restore": _restored(),
}
CASES = {f"{room}: {name}": case for room, cases in GROUPS.items() for name, case in cases.items()}


def _same(name: str, device_name: str) -> None:
    expected = CASES[name](torch.device("cpu"))
    with Accelerator(device_name) as accelerator:
        found = CASES[name](accelerator.device).cpu()
    assert float((found - expected).abs().max()) <= ROUNDING


@pytest.mark.parametrize("name", CASES)
def test_an_apple_gpu_gives_what_the_cpu_gives(name: str) -> None:
    _same(name, "mps")


@pytest.mark.parametrize("name", ["defocus: auto", "bokeh: normal", "restore: deconvolution"])
def test_an_intel_gpu_without_float64_gives_what_the_cpu_gives(name: str) -> None:
    _same(name, "xpu")


@pytest.mark.parametrize("name", ["depth: network", "defocus: auto", "bokeh: draft", "bokeh: normal"])
def test_directml_gives_what_the_cpu_gives_though_it_has_no_transforms(name: str) -> None:
    _same(name, "privateuseone")


def test_the_stand_in_refuses_what_the_devices_refuse() -> None:
    refused: list[Callable[[Tensor], object]] = [
        lambda x: x.double(),
        lambda x: x.sum(dtype=torch.float64),
        lambda x: torch.zeros(2, device=x.device, dtype=torch.float64),
        lambda x: x.to(torch.complex128),
        lambda x: x.numpy(),
        lambda x: x + torch.ones(3),
        lambda x: x.kthvalue(1),
    ]
    with Accelerator("mps"):
        x = torch.rand(3).to("mps")
        assert x.device.type == "mps" and (2 * x).device.type == "mps" and x.cpu().double().device.type == "cpu"
        for operation in refused:
            with pytest.raises(RefusedError):
                operation(x)
