"""Depth networks: tiny random ones in the published layout, through the real loader."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from refocus_core import depth
from refocus_core.depth.model import network_size
from refocus_core.depth.ranges import FLAT
from refocus_core.models import ModelEntry, ModelFile, WeightsMismatchError, WeightsMissingError

transformers = pytest.importorskip("transformers", reason="needs transformers: run `bash scripts/setup.sh tests`")

ANYTHING = {
    "model_type": "depth_anything",
    "reassemble_hidden_size": 32,
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 8,
    "head_hidden_size": 4,
    "backbone_config": {
        "model_type": "dinov2",
        "image_size": 56,
        "patch_size": 14,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 4,
        "out_indices": [1, 2, 3, 4],
        "apply_layernorm": True,
        "reshape_hidden_states": False,
    },
}
_ENCODER = {
    "model_type": "dinov2",
    "num_hidden_layers": 4,
    "patch_size": 4,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "image_size": 16,
    "use_mask_token": False,
}
PRO = {
    "model_type": "depth_pro",
    "patch_size": 16,
    "fusion_hidden_size": 16,
    "intermediate_hook_ids": [3, 1],
    "intermediate_feature_dims": [8, 8],
    "scaled_images_feature_dims": [16, 16, 8],
    "merge_padding_value": 1,
    "use_fov_model": True,
    "num_fov_head_layers": 0,
    "image_model_config": _ENCODER,
    "patch_model_config": _ENCODER,
    "fov_model_config": _ENCODER,
}
CONFIGS = {"depth_anything": ANYTHING, "depth_pro": PRO}


def write(folder: Path, config: dict, seed: int = 0) -> Path:
    """A random model as `save_pretrained` writes it: the keys of the published files and a config.json."""
    kind = "DepthPro" if config["model_type"] == "depth_pro" else "DepthAnything"
    torch.manual_seed(seed)
    net = getattr(transformers, f"{kind}ForDepthEstimation")(
        getattr(transformers, f"{kind}Config").from_dict(copy.deepcopy(config))
    )
    with torch.no_grad():
        for key, value in net.named_parameters():
            if key.startswith("head") and key.endswith("bias"):
                value.fill_(0.5)  # the last ReLU must not end a random network in zeros
            if key == "fov_model.head.0.bias" or (key.startswith("fov_model.head") and key.endswith("bias")):
                value.fill_(60.0)
    net.save_pretrained(folder)
    return folder / "model.safetensors"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks are many small steps: on busy cores, threads wait for each other at every one of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: write(root / name, config) for name, config in CONFIGS.items()}


@pytest.fixture(scope="module")
def models(files: dict[str, Path]) -> dict[str, depth.DepthModel]:
    return {name: depth.load_model(path) for name, path in files.items()}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No models of this machine, and no network."""
    from huggingface_hub import constants

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setenv("REFOCUS_MODELS", str(tmp_path / "default"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def tiny_entry(config: dict, **file: object) -> ModelEntry:
    values: dict = {"repo_id": "someone/tiny-depth", **file}
    return ModelEntry("tiny", "Tiny Depth", (ModelFile("tiny.safetensors", **values),), "MIT", "url", "depth", options=config)


def photo(batch: int = 1, height: int = 45, width: int = 61) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


# --- loading -------------------------------------------------------------------------------------------------------------


def test_files_have_the_published_keys(files: dict[str, Path]) -> None:
    """The loader must read the keys on the hub, which newer transformers rename inside."""
    keys = set(load_file(files["depth_anything"]))
    for key in (
        "backbone.embeddings.cls_token",
        "backbone.encoder.layer.0.attention.attention.query.weight",
        "backbone.encoder.layer.0.attention.output.dense.bias",
        "backbone.encoder.layer.3.layer_scale1.lambda1",
        "neck.reassemble_stage.layers.0.resize.weight",
        "neck.fusion_stage.layers.0.residual_layer1.convolution1.weight",
        "head.conv3.bias",
    ):
        assert key in keys
    assert "depth_pro.encoder.patch_encoder.model.encoder.layer.0.attention.attention.query.weight" in set(
        load_file(files["depth_pro"])
    )


@pytest.mark.parametrize("family", list(CONFIGS))
def test_weights_arrive_and_the_same_input_gives_the_same_output(files: dict[str, Path], family: str) -> None:
    path = files[family]
    model = depth.load_model(path)
    saved = load_file(path)
    assert model.family == family and model.metric == (family == "depth_pro")
    assert sum(p.numel() for p in model.parameters()) == sum(v.numel() for v in saved.values())
    ours = sorted(float(p.double().sum()) for p in model.parameters())
    theirs = sorted(float(v.double().sum()) for v in saved.values())
    assert torch.allclose(torch.tensor(ours), torch.tensor(theirs))
    assert not any(p.requires_grad for p in model.parameters()) and not model.training
    again = depth.load_model(path)
    x = photo()
    assert torch.equal(depth.predict(model, x).disparity, depth.predict(again, x).disparity)


@pytest.mark.parametrize("family", list(CONFIGS))
def test_registry_architecture_needs_no_config_file(files: dict[str, Path], tmp_path: Path, family: str) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(files[family].read_bytes())
    entry = tiny_entry(CONFIGS[family])
    before = json.dumps(CONFIGS[family])
    assert depth.load_entry(entry, [tmp_path]).name == "Tiny Depth"
    assert json.dumps(CONFIGS[family]) == before, "the registry's options were changed"


def test_hub_cache_layout(files: dict[str, Path], tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "models--someone--tiny-depth"
    blob = repo / "blobs" / "abc"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(files["depth_anything"].read_bytes())
    snapshot = repo / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(blob)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("a" * 40)
    assert isinstance(depth.load_entry(tiny_entry(ANYTHING)), depth.DepthModel)


@pytest.mark.parametrize("name", [n for n, e in depth.MODELS.items() if e.files[0].shipped is None])
def test_registered_architectures_have_the_published_size(name: str) -> None:
    """Without weights: the number of parameters of each entry, built on the meta device."""
    entry = depth.MODELS[name]
    options = copy.deepcopy(dict(entry.options))
    kind = "DepthPro" if options.pop("model_type") == "depth_pro" else "DepthAnything"
    with torch.device("meta"):
        config = getattr(transformers, f"{kind}Config").from_dict(options)
        net = getattr(transformers, f"{kind}ForDepthEstimation")(config)
    millions = sum(p.numel() for p in net.parameters()) / 1e6
    published = {
        "depth-anything-v2-small": 24.8,
        "depth-anything-v2-base": 97.5,
        "depth-anything-v2-large": 335.3,
        "depth-pro": 952,
    }
    assert millions == pytest.approx(published[name], rel=0.01)
    known = entry.files[0].bytes
    if known is not None:  # float32 and a header that is small beside it
        assert 0 < known - 4e6 * millions < 200_000
    assert entry.licence and entry.url.startswith("https://")


def test_another_model_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatchError, match="missing keys"):
        depth.load_model(files["depth_pro"], ANYTHING)
    wider = {**ANYTHING, "head_hidden_size": 6}
    with pytest.raises(WeightsMismatchError, match="does not fit"):
        depth.load_model(files["depth_anything"], wider)
    state = load_file(files["depth_anything"])
    state.pop("head.conv1.weight")
    save_file({**state, "other": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"head\.conv1\.weight.*other"):
        depth.load_model(tmp_path / "model.safetensors", ANYTHING)
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(WeightsMismatchError, match="not a readable safetensors"):
        depth.load_model(tmp_path / "junk.safetensors", ANYTHING)


def test_a_file_without_a_known_config_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    lone = tmp_path / "m" / "model.safetensors"
    lone.parent.mkdir()
    lone.write_bytes(files["depth_anything"].read_bytes())
    assert not depth.is_depth_file(lone) and depth.is_depth_file(files["depth_anything"])
    with pytest.raises(WeightsMissingError, match=r"config\.json"):
        depth.load_model(lone)
    (lone.parent / "config.json").write_text('{"model_type": "bert"}')
    assert not depth.is_depth_file(lone)
    with pytest.raises(WeightsMismatchError, match="bert"):
        depth.load_model(lone)


def test_metric_fine_tune_gives_inverse_metres(tmp_path: Path) -> None:
    model = depth.load_model(write(tmp_path, {**ANYTHING, "depth_estimation_type": "metric", "max_depth": 20}))
    out = depth.predict(model, photo())
    assert out.metric and float(out.disparity.min()) >= 1 / 20


# --- choosing ------------------------------------------------------------------------------------------------------------


def place(folder: Path, name: str) -> None:
    """A file of the size of the published one, without its content and without the room on disk."""
    file = depth.MODELS[name].files[0]
    (folder / name).mkdir(parents=True)
    with (folder / name / file.name).open("wb") as f:
        f.truncate(file.bytes or 1000)


def test_auto_takes_the_first_of_its_order(tmp_path: Path) -> None:
    assert set(depth.AUTO_ORDER) == set(depth.MODELS)
    assert depth.choose("auto", [tmp_path]).name == depth.AUTO_ORDER[-1]
    for name in reversed(depth.AUTO_ORDER[:-1]):
        place(tmp_path, name)
        assert depth.choose("auto", [tmp_path]).name == name
    assert depth.available([tmp_path]) == depth.AUTO_ORDER


def test_auto_may_fetch_a_better_model_than_the_shipped_one(tmp_path: Path) -> None:
    chosen = depth.choose("auto", [tmp_path], allow_download=True)
    assert chosen.files[0].shipped is None and chosen.licence == "Apache-2.0"
    place(tmp_path, "depth-anything-v2-large")
    assert depth.choose("auto", [tmp_path], allow_download=True).name == "depth-anything-v2-large"


def test_unknown_and_missing_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="depth-pro"):
        depth.estimate(photo(), "midas")
    with pytest.raises(WeightsMissingError, match=r"depth_pro\.safetensors"):
        depth.estimate(photo(), "depth-pro", folders=[tmp_path])
    place(tmp_path, "depth-anything-v2-small")
    (tmp_path / "depth-anything-v2-small" / "depth_anything_v2_small.safetensors").write_bytes(b"cut short")
    with pytest.raises(WeightsMismatchError, match="9 bytes"):
        depth.estimate(photo(), folders=[tmp_path])


# --- running -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", list(CONFIGS))
@pytest.mark.parametrize(("height", "width"), [(45, 61), (1, 1), (1, 40), (33, 1), (7, 201)])
def test_size_out_is_size_in(models: dict[str, depth.DepthModel], family: str, height: int, width: int) -> None:
    out = depth.predict(models[family], photo(1, height, width))
    assert out.disparity.shape == (1, height, width) and out.valid is None
    assert out.metric == (family == "depth_pro")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_type(models: dict[str, depth.DepthModel], dtype: torch.dtype) -> None:
    x = photo()
    a, b = depth.predict(models["depth_anything"], x.to(dtype)), depth.predict(models["depth_anything"], x)
    assert a.disparity.dtype == torch.float32
    assert (a.disparity - b.disparity).abs().max() < 0.1


def test_relative_depth_has_one_range_over_the_clip(models: dict[str, depth.DepthModel]) -> None:
    """A frame whose depth spans half as much must not be stretched to the full range."""
    factors = iter([1.0, 0.5, 0.8])
    raw: list[torch.Tensor] = []

    def scaled(d: torch.Tensor) -> torch.Tensor:
        raw.append(d * next(factors))
        return raw[-1]

    x = photo(3, 56, 56)  # the network's own size: nothing is resized
    out = depth.predict(broken(models["depth_anything"], scaled), x).disparity
    values = torch.cat(raw)
    assert float(out.min()) == pytest.approx(0, abs=1e-6) and float(out.max()) == pytest.approx(1)
    assert torch.allclose(out, (values - values.min()) / (values.max() - values.min()), atol=1e-5), "not one line for all frames"


def test_depth_pro_batch_equals_singles_and_keeps_the_focal_length(models: dict[str, depth.DepthModel]) -> None:
    clip = torch.cat([photo(), 1 - photo()])
    both = depth.predict(models["depth_pro"], clip)
    assert both.focal_px is not None
    for i in range(2):
        one = depth.predict(models["depth_pro"], clip[i : i + 1])
        assert one.focal_px is not None
        assert torch.equal(one.disparity[0], both.disparity[i]) and float(one.focal_px[0]) == float(both.focal_px[i])
    # A known focal length replaces the estimate; metres go with it: 1/Z = output * width / f.
    f = float(both.focal_px[0])
    known = depth.predict(models["depth_pro"], clip[:1], focal_px=2 * f)
    assert torch.allclose(known.disparity[0], both.disparity[0] / 2, rtol=1e-4, atol=1e-4)
    assert known.focal_px is not None and float(known.focal_px[0]) == pytest.approx(2 * f)
    with pytest.raises(ValueError, match="focal_px"):
        depth.predict(models["depth_pro"], clip, focal_px=-1.0)


def test_depth_pro_matches_the_reference_processor(models: dict[str, depth.DepthModel]) -> None:
    """Its metres are those of transformers' own post-processing formula, written out here from its output."""
    model, x = models["depth_pro"], photo(1, 64, 64)
    with torch.inference_mode():
        raw = model.net(pixel_values=torch.nn.functional.interpolate((x - 0.5) / 0.5, (64, 64), mode="bilinear"))
    width = 64
    focal = 0.5 * width / torch.tan(0.5 * torch.deg2rad(raw.field_of_view))
    inverse = torch.nn.functional.interpolate(raw.predicted_depth[:, None] * width / focal, (64, 64), mode="bilinear")[:, 0]
    out = depth.predict(model, x)
    assert torch.allclose(out.disparity, inverse.clamp(1e-4, 1e4), rtol=1e-4)
    assert out.focal_px is not None and torch.allclose(out.focal_px, focal, rtol=1e-4)


def test_highlights_are_clipped_for_the_network_only(models: dict[str, depth.DepthModel]) -> None:
    x = photo()
    x[..., 10:20, 10:20] = 1.0
    brighter = x.clone()
    brighter[..., 10:20, 10:20] = 8.0
    assert torch.equal(
        depth.predict(models["depth_anything"], x).disparity, depth.predict(models["depth_anything"], brighter).disparity
    )


@pytest.mark.parametrize("bad", [torch.zeros(1, 4, 8, 8), torch.zeros(3, 8, 8), torch.full((1, 3, 8, 8), torch.nan)])
def test_bad_pictures_are_named(models: dict[str, depth.DepthModel], bad: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="image"):
        depth.predict(models["depth_anything"], bad)


def broken(model: depth.DepthModel, change: Callable[[torch.Tensor], torch.Tensor]) -> depth.DepthModel:
    """The model with a fault in its output, as an overflow in half precision makes it."""
    copied = copy.deepcopy(model)

    def hook(_module: torch.nn.Module, _args: object, output: object) -> object:
        output["predicted_depth"] = change(output["predicted_depth"])  # type: ignore[index]
        return output

    copied.net.register_forward_hook(hook)
    return copied


def test_faults_of_the_network_are_marked_filled_or_raised(models: dict[str, depth.DepthModel]) -> None:
    def hole(d: torch.Tensor) -> torch.Tensor:
        d = d.clone()
        d[:, :10, :10] = torch.nan
        return d

    out = depth.predict(broken(models["depth_anything"], hole), photo())
    assert out.valid is not None and not bool(out.valid[0, 0, 0]) and bool(out.valid[0, -1, -1])
    with pytest.raises(RuntimeError, match="float32"):
        depth.predict(broken(models["depth_anything"], lambda d: d * torch.nan), photo())
    flat = depth.predict(broken(models["depth_anything"], lambda d: torch.full_like(d, 3.0)), photo())
    assert torch.equal(flat.disparity, torch.full_like(flat.disparity, FLAT))


def test_progress_and_cancel(models: dict[str, depth.DepthModel]) -> None:
    seen: list[float] = []
    depth.predict(models["depth_anything"], photo(3), progress=lambda d, t: seen.append(d / t))
    assert seen == sorted(seen) and seen[-1] == 1
    assert len(seen) > 9, "called before the layers of the network too"
    assert all(any(abs(s - (i + 1) / 3) < 1e-3 for s in seen) for i in range(3)), "frames count alike"

    class StopError(BaseException):
        pass

    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        depth.predict(models["depth_anything"], photo(3), progress=stop)


def test_estimate_from_a_file_refines(files: dict[str, Path]) -> None:
    x = photo()
    plain = depth.estimate(x, files["depth_anything"], refine=False)
    assert torch.equal(depth.estimate(x, str(files["depth_anything"])).disparity, depth.refine(plain, x).disparity)
    assert depth.estimate(x, files["depth_anything"], dtype=torch.bfloat16, refine=0.5).disparity.dtype == torch.float32


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (518, 686)),
        ((518, 518), (518, 518)),
        ((1, 1), (518, 518)),
        ((100, 10_000), (14, 2072)),
        ((3000, 2000), (784, 518)),
    ],
)
def test_network_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """480x640 -> 518x686 is what the published preprocessing does."""
    assert network_size(*size, 518, 14) == expected
