"""Methods and restoration networks: tiny random networks in the real layout, read by the real loader."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from refocus_core import restore
from refocus_core.restore.restoration_model import RestorationModel
from refocus_core.types import DefocusMap

spandrel = pytest.importorskip("spandrel", reason="needs spandrel: run `bash scripts/setup.sh tests`")
from safetensors.torch import save_file  # noqa: E402
from spandrel.architectures.Compact import Compact  # noqa: E402
from spandrel.architectures.DnCNN import DnCNN  # noqa: E402
from spandrel.architectures.NAFNet import NAFNet  # noqa: E402


def write(module: torch.nn.Module, path: Path, seed: int = 0) -> Path:
    """Random weights, scaled so that answers stay near 0..1; nothing is zero, so every part of the network takes part."""
    g = torch.Generator().manual_seed(seed)
    state = {
        k: v + 0.05 * torch.randn(v.shape, generator=g) if v.is_floating_point() else v for k, v in module.state_dict().items()
    }
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return path


def picture(h: int = 60, w: int = 83, batch: int = 1) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 9, h), torch.linspace(0, 12, w), indexing="ij")
    base = torch.stack([0.5 + 0.4 * torch.sin(x + 0.5 * y), 0.5 + 0.4 * torch.cos(y * x / 9), 0.5 + 0.3 * torch.sin(2 * y)])
    return torch.stack([base.roll(7 * i, -1) for i in range(batch)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    write(NAFNet(img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]), path / "nafnet.safetensors")
    write(DnCNN(in_nc=3, out_nc=3, nc=8, nb=9, act_mode="R"), path / "dncnn.safetensors")
    write(DnCNN(in_nc=1, out_nc=1, nc=8, nb=9, act_mode="R"), path / "grey.safetensors")
    write(Compact(num_feat=8, num_conv=2, upscale=2), path / "x2.safetensors")
    (path / "sub").mkdir()
    write(Compact(num_feat=8, num_conv=2, upscale=1), path / "sub" / "x1.safetensors")
    save_file({"a.weight": torch.zeros(3)}, path / "other.safetensors")
    (path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    (path / "old.pth").write_bytes(b"\x80\x02}q\0.")
    return path


@pytest.fixture(scope="module")
def local_net(folder: Path) -> RestorationModel:
    """A network that sees only a few pixels around each (DnCNN): tiled must equal untiled."""
    return restore.load_model(folder / "dncnn.safetensors")


@pytest.mark.parametrize("name", ["nafnet", "dncnn", "grey", "sub/x1"])
@pytest.mark.parametrize("size", [(60, 83), (1, 1), (1, 7), (33, 2)])
def test_real_loader_same_size_out(folder: Path, name: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    result = restore.all_in_focus(image, f"model:{name}.safetensors", folders=[folder])
    assert result.image.shape == image.shape and result.radius_px is None
    assert bool(torch.isfinite(result.image).all()) and not torch.equal(result.image, image)


def test_the_network_itself_is_what_runs(folder: Path) -> None:
    """The answer of the node's path equals the architecture called by hand with the file's weights."""
    image = picture(64, 64)
    net = restore.load_model(folder / "nafnet.safetensors")
    assert net.architecture == "NAFNet"
    by_hand = net.descriptor.model(image).clamp(0, 1)
    torch.testing.assert_close(restore.run_model(net, image), by_hand)
    half = restore.all_in_focus(image, "model:nafnet.safetensors", folders=[folder], strength=0.5).image
    torch.testing.assert_close(half, (image + by_hand) / 2)


@pytest.mark.parametrize("tile_px", [64, 97])
def test_tiled_equals_untiled(local_net: RestorationModel, tile_px: int) -> None:
    image = picture(150, 201)
    whole = restore.run_model(local_net, image, tile_px=512)
    tiled = restore.run_model(local_net, image, tile_px=tile_px)
    # The outermost pixels of a tile see its padding instead of the picture; the fade gives them little weight.
    difference = (whole - tiled).abs()
    assert float(difference.max()) < 0.01 and float(difference.mean()) < 3e-4


def test_tiles_of_a_network_that_changes_nothing_add_up(local_net: RestorationModel) -> None:
    identity = RestorationModel(_Descriptor(local_net, lambda image: image.clone()), "identity")
    image = picture(150, 201) * 1.6 - 0.2  # also below 0 and above 1
    torch.testing.assert_close(restore.run_model(identity, image, tile_px=64), image, atol=1e-6, rtol=0)


def test_highlights_keep_their_excess(local_net: RestorationModel) -> None:
    image = picture()
    bright = image.clone()
    bright[..., 20:30, 40:50] = 8.0
    result = restore.run_model(local_net, bright)
    expected = restore.run_model(local_net, bright.clamp(0, 1))
    expected[..., 20:30, 40:50] += 7.0
    torch.testing.assert_close(result, expected)


def test_batch_equals_singles_and_half_types(local_net: RestorationModel) -> None:
    frames = picture(70, 90, batch=3)
    both = restore.run_model(local_net, frames, tile_px=64)
    for i in range(3):
        torch.testing.assert_close(restore.run_model(local_net, frames[i : i + 1], tile_px=64)[0], both[i], atol=1e-6, rtol=0)
    half = restore.all_in_focus(frames.half(), "model:x", model=local_net, tile_px=64).image
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, both, atol=2e-3, rtol=0)


class _Descriptor:
    """A loaded network whose answer is replaced: stands for running out of memory, which no test can do for real everywhere."""

    def __init__(self, like: RestorationModel, answer) -> None:
        self.model, self.architecture, self.input_channels = torch.nn.Identity(), like.descriptor.architecture, 3
        self.supports_half = self.supports_bfloat16 = False
        self.answer = answer

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return self.answer(image)


def test_out_of_memory_halves_the_tile(local_net: RestorationModel, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def hungry(image: torch.Tensor) -> torch.Tensor:
        seen.append(max(image.shape[-2:]))
        if seen[-1] > 64:
            raise torch.OutOfMemoryError("test")
        return image.clone()

    image = picture(150, 150)
    with caplog.at_level(logging.WARNING):
        result = restore.run_model(RestorationModel(_Descriptor(local_net, hungry), "hungry"), image, tile_px=256)
    torch.testing.assert_close(result, image, atol=1e-6, rtol=0)
    assert seen[:3] == [150, 128, 64]
    assert [r.message for r in caplog.records] == [f"hungry: out of memory, trying again in tiles of {t} px" for t in (128, 64)]

    def starved(image: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("test")

    with pytest.raises(torch.OutOfMemoryError, match="even in tiles of 64 px"):
        restore.run_model(RestorationModel(_Descriptor(local_net, starved), "starved"), image)


def test_damaged_answers_are_refused(local_net: RestorationModel) -> None:
    image = picture()
    with pytest.raises(ValueError, match="non-finite"):
        restore.run_model(RestorationModel(_Descriptor(local_net, lambda i: i * float("nan")), "nan"), image)
    with pytest.raises(ValueError, match="not a 1x"):
        restore.run_model(RestorationModel(_Descriptor(local_net, lambda i: i[..., 1:]), "small"), image)


def test_progress_within_tiles_and_cancel(local_net: RestorationModel) -> None:
    calls: list[float] = []
    restore.run_model(local_net, picture(100, 130, batch=2), tile_px=64, progress=lambda d, t: calls.append(d / t))
    assert calls == sorted(calls) and calls[-1] == 1
    tiles = 2 * 2 * 3
    assert len(calls) > tiles, "called before the layers of the network too"
    assert all(any(abs(c - (i + 1) / tiles) < 1e-3 for c in calls) for i in range(tiles)), "and tiles count alike"

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore.run_model(local_net, picture(), progress=cancel)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x2.safetensors", "super-resolution model: it enlarges 2x"),
        ("other.safetensors", "no network that spandrel"),
        ("broken.safetensors", "not a readable safetensors file"),
        ("old.pth", "safetensors only"),
    ],
)
def test_wrong_files_say_what_to_do(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        restore.load_model(folder / name)


def test_where_models_are_looked_for(folder: Path, tmp_path: Path) -> None:
    def find(method: str, *folders: Path) -> Path:
        network = restore.choose(method, has_defocus=False).network
        assert network is not None
        return network.locate(folders)

    assert find("model:sub/x1.safetensors", tmp_path, folder) == folder / "sub" / "x1.safetensors"
    assert find(f"model:{folder / 'dncnn.safetensors'}") == folder / "dncnn.safetensors"
    for outside in ("model:../secret.safetensors", f"model:{folder / 'dncnn.safetensors'}", "model:..\\x.safetensors", "model:"):
        with pytest.raises(ValueError, match="model"):
            find(outside, folder)
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        find("model:missing.safetensors", folder)
    with pytest.raises(FileNotFoundError, match="no model file"):
        restore.load_model(tmp_path / "missing.safetensors")


def test_choice_of_method() -> None:
    image = picture()
    blurred = DefocusMap.from_radius(torch.full((1, *image.shape[-2:]), 2.0))
    assert torch.equal(restore.all_in_focus(image, "none").image, image)
    assert torch.equal(
        restore.all_in_focus(image, "auto", blurred).image, restore.all_in_focus(image, "deconvolution", blurred).image
    )
    assert torch.equal(restore.all_in_focus(image).image, restore.all_in_focus(image, "refocus-deblur-s").image)
    with pytest.raises(ValueError, match="needs defocus_map"):
        restore.all_in_focus(image, "deconvolution")
    with pytest.raises(ValueError, match="no method 'magic'"):
        restore.all_in_focus(image, "magic", blurred)


def test_the_table_of_methods_is_whole() -> None:
    assert all(name == method.name for name, method in restore.METHODS.items())
    assert set(restore.AUTO_ORDER) <= set(restore.METHODS)
    assert not restore.METHODS[restore.AUTO_ORDER[-1]].needs_defocus, "auto always has something to take"
    for method in restore.METHODS.values():
        if method.network is not None:
            assert isinstance(method.network.load(method.network.locate([])), method.network.kind)
