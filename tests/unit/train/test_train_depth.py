"""Making of the depth network, in the small: examples, loss, a few steps, the file that ships, the encoder's conversion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from refocus_core import depth
from refocus_core.depth.network import Architecture, DepthNet, quantised, restored
from refocus_core.train import Settings, generator
from refocus_core.train.common import photos
from refocus_core.train.depth import dinov2, examples, losses, scenes, shards
from refocus_core.train.depth import run as training
from refocus_core.train.depth.scores import edge_f, score, spearman

TINY = {"width": 48, "heads": 3, "blocks": 3, "taps": [1, 3], "grid": 5, "channels": [16, 12, 8]}
SIDE = 96


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the commands leave it: a shard of scenes, one set aside, and an encoder (random and tiny)."""
    folder = tmp_path_factory.mktemp("work")
    for name, seed, count in (("shards", 1, 6), ("validation", 2, 2)):
        (folder / name).mkdir()
        shards.make_shard(folder / name / f"scenes-{seed}-00000.safetensors", [], seed, 0, count, SIDE)
    torch.manual_seed(3)
    save_file(DepthNet(Architecture.read(TINY)).encoder.state_dict(), folder / "dinov2.safetensors")
    return folder


def config(folder: Path, steps: int) -> training.Config:
    raw = json.loads(training.CONFIG.read_text())
    raw |= {"architecture": TINY, "frozen_blocks": 1, "decoder_rate": 3e-3}
    settings = {"steps": steps, "batch_size": 2, "ema": 0.8, "save_every": 3, "precision": "no", "warmup_steps": 2}
    raw["settings"] = settings
    path = folder / "config.json"
    path.write_text(json.dumps(raw))
    return training.Config.read(path)


# --- examples -----------------------------------------------------------------------------------------------------------


def test_shards_hold_what_they_say(work: Path) -> None:
    (path,) = shards.shard_files(work / "shards")
    shard = shards.read(path)
    assert shard["image"].shape == shard["blurred"].shape == (6, 3, SIDE, SIDE) and shard["image"].dtype == torch.uint8
    assert shard["disparity"].dtype == torch.float16 and float(shard["disparity"].min()) >= 0
    changed = (shard["image"] != shard["blurred"]).flatten(1).any(1)
    assert bool(changed.any()) and not bool(changed.all()), "some scenes are also out of focus, some are not"
    again = scenes.example([], 1, 3, SIDE)
    assert torch.equal((again.image[0] * 255).round().byte(), shard["image"][3])
    with pytest.raises(FileNotFoundError, match="depth data"):
        shards.shard_files(work)


def test_examples_depend_on_their_number_alone_and_fit_their_batch(work: Path) -> None:
    stored = shards.read_all(work / "shards")
    a, b = (examples.Examples(stored, 4, 2) for _ in range(2))
    b[0]
    for i in (5, 1):
        assert all(torch.equal(a[i][k], b[i][k]) for k in ("image", "target"))
    for i in range(0, 8, 2):
        assert a[i]["image"].shape == a[i + 1]["image"].shape
        h, w = a[i]["target"].shape
        assert a[i]["image"].shape == (3, h, w) and h % 16 == w % 16 == 0
        assert float(a[i]["image"].min()) >= 0 and float(a[i]["image"].max()) <= 1
    assert not torch.equal(a[0]["image"], a[1]["image"])


def test_crop_takes_picture_and_depth_alike() -> None:
    """A picture that shows its own depth still does so after it."""
    d = torch.linspace(0, 1, 64).expand(64, 64) * 0.5 + torch.linspace(0, 0.5, 64)[:, None]
    for i in range(6):
        image, disparity = examples.crop(d.expand(3, -1, -1).contiguous(), d, 48, 64, generator(1, i))
        assert image.shape == (3, 48, 64) and (image[0] - disparity).abs().max() < 0.02


def test_defocus_blurs_only_what_is_out_of_focus() -> None:
    g = generator(0)
    image = torch.rand(1, 3, 64, 64, generator=g)
    flat = shards.defocused(image, torch.full((1, 64, 64), 0.5), g)
    assert torch.allclose(flat, image, atol=2e-3), "one plane is in focus"
    steps = torch.cat([torch.full((1, 64, 32), 0.2), torch.full((1, 64, 32), 1.0)], 2)
    blurred = shards.defocused(image, steps, g)
    left, right = (blurred[..., s].diff(dim=-1).abs().mean() for s in (slice(0, 24), slice(40, 64)))
    assert float(torch.minimum(left, right)) < 0.7 * float(torch.maximum(left, right))


# --- loss and scores ----------------------------------------------------------------------------------------------------


def test_loss_forgives_scale_and_offset_and_nothing_else() -> None:
    g = generator(2)
    target = torch.rand(2, 32, 32, generator=g)
    same = losses.losses(target * 3 + 0.2, target)
    assert float(same["invariant"]) < 1e-4 and float(same["gradient"]) < 1e-3 and float(same["range"]) > 0.3
    exact = losses.losses(target, target)
    assert float(exact["range"]) == 0
    wrong = losses.losses(1 - target, target)
    assert float(wrong["invariant"]) > 1 and float(wrong["gradient"]) > 0.5


def test_scores() -> None:
    g = generator(3)
    truth = torch.rand(60, 80, generator=g) * 0.02 + 0.1
    truth[20:40, 30:60] += 0.6
    known = torch.ones(60, 80, dtype=torch.bool)
    perfect = score(truth * 4 - 1, truth, known)
    assert perfect.spearman == pytest.approx(1) and perfect.delta == pytest.approx(1) and perfect.edge_f > 0.95
    assert score(-truth, truth, known).spearman == pytest.approx(-1)
    flat = score(torch.ones(60, 80), truth, known)
    assert flat.spearman == 0 and flat.delta < 0.9
    moved = truth.roll(6, 1)
    assert edge_f(moved, truth, known) < 0.7 < edge_f(truth.roll(1, 1), truth, known)
    # ties share a rank, as in scipy
    from scipy.stats import spearmanr

    a, b = (torch.randint(0, 9, (500,), generator=g).float() for _ in range(2))
    assert spearman(a, b + a) == pytest.approx(float(spearmanr(a, b + a).statistic), abs=1e-9)


# --- training -----------------------------------------------------------------------------------------------------------


def test_a_few_steps_lower_the_loss_and_go_on_where_they_stopped(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the commands: train, go on, evaluate, export; the exported file loads as a model."""
    fixed = examples.Examples(shards.read_all(work / "shards"), 99, 4)
    batch = {k: torch.stack([fixed[i][k] for i in range(4)]) for k in ("image", "target")}
    done = config(work, 16)
    before = training.build(done, work / "dinov2.safetensors").eval()
    frozen = {n: p.detach().clone() for n, p in before.named_parameters() if not p.requires_grad}
    assert any("blocks.0" in n for n in frozen) and not any("blocks.2" in n for n in frozen)
    assert training.train(done, work, time_limit_s=0.0) == 1, "stopped after one step, with a checkpoint"
    assert training.train(done, work) == 16
    after = training.trained(done, work)
    with torch.inference_mode():
        values = [float(losses.loss(net, batch)[0]) for net in (before, after)]
    assert values[1] < 0.85 * values[0], values
    assert all(torch.equal(p, dict(after.named_parameters())[n]) for n, p in frozen.items())

    arguments = ["--config", str(work / "config.json"), "--work", str(work)]
    training.main(["evaluate", *arguments])
    assert "spearman" in capsys.readouterr().out
    out = tmp_path / "own" / "model.safetensors"
    training.main(["export", *arguments, "--out", str(out)])
    (out.parent / "config.json").write_text(json.dumps({"model_type": "refocus_depth", **TINY}))
    assert depth.is_depth_file(out)
    model = depth.load_model(out)
    assert model.family == "refocus_depth" and not model.metric
    found = depth.predict(model, batch["image"][:, :, :50, :70])
    assert found.disparity.shape == (4, 50, 70)
    with torch.inference_mode():
        assert (model.net(batch["image"]) - after(batch["image"])).abs().max() < 0.1


def test_settings_are_checked(tmp_path: Path) -> None:
    raw = json.loads(training.CONFIG.read_text())
    raw["settings"]["lerning_rate"] = 1
    (tmp_path / "c.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match="lerning_rate"):
        training.Config.read(tmp_path / "c.json")
    assert isinstance(training.Config.read().settings, Settings)
    with pytest.raises(FileNotFoundError, match="depth train"):
        training.trained(training.Config.read(), tmp_path)


# --- the file that ships ------------------------------------------------------------------------------------------------


def test_packed_weights_come_back() -> None:
    torch.manual_seed(0)
    state = DepthNet(Architecture(width=64, heads=2, blocks=1, taps=(1,), grid=37, channels=(64, 32, 32))).state_dict()
    packed = quantised(state)
    back = restored(packed)
    assert set(back) == set(state)
    for name, value in state.items():
        assert back[name].shape == value.shape
        error = (back[name] - value).abs().max()
        assert float(error) <= 0.018 * float(value.abs().max()) + 1e-6, name
    small = sum(v.numel() * v.element_size() for v in packed.values())
    assert small < 0.3 * sum(v.numel() * 4 for v in state.values())
    assert all(torch.equal(v, restored(state)[n]) for n, v in state.items()), "a file of floats is taken as it is"


def test_encoder_comes_out_of_onnx(tmp_path: Path) -> None:
    """A tiny ONNX file that names things as the one in the package does."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: run `bash scripts/setup.sh tests`")
    from onnx import helper, numpy_helper

    width, blocks, grid = 24, 2, 3
    torch.manual_seed(1)
    architecture = Architecture(width=width, heads=2, blocks=blocks, taps=(2,), grid=grid)
    want = {k: torch.randn_like(v) for k, v in DepthNet(architecture).encoder.state_dict().items()}
    arrays: dict[str, torch.Tensor] = {}
    nodes = []

    def matrix(layer: int, place: str, weight: torch.Tensor) -> None:
        key = f"onnx::MatMul_{len(arrays)}"
        arrays[key] = weight.T.contiguous()
        nodes.append(helper.make_node("MatMul", ["x", key], ["y"], name=f"/backbone/encoder/layer.{layer}/{place}/MatMul"))

    embeddings = "backbone.embeddings."
    arrays[f"{embeddings}patch_embeddings.projection.weight"] = want["patch.weight"]
    arrays[f"{embeddings}patch_embeddings.projection.bias"] = want["patch.bias"]
    arrays[f"{embeddings}cls_token"] = want["first"]
    arrays["onnx::Concat_1"] = want["first_position"]
    arrays["onnx::Reshape_2"] = want["position"].permute(0, 2, 3, 1).reshape(1, grid * grid, width).contiguous()
    for i in range(blocks):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        for n, (w, b) in enumerate(zip(want[new + "qkv.weight"].chunk(3), want[new + "qkv.bias"].chunk(3), strict=True)):
            part = ("query", "key", "value")[n]
            matrix(i, f"attention/attention/{part}", w)
            arrays[f"{old}attention.attention.{part}.bias"] = b
        for mine, theirs in (("proj", "attention.output.dense"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
            matrix(i, theirs.replace(".", "/"), want[f"{new}{mine}.weight"])
            arrays[f"{old}{theirs}.bias"] = want[f"{new}{mine}.bias"]
        for n in "12":
            arrays[f"{old}norm{n}.weight"], arrays[f"{old}norm{n}.bias"] = (
                want[f"{new}norm{n}.weight"],
                want[f"{new}norm{n}.bias"],
            )
            arrays[f"{old}layer_scale{n}.lambda1"] = want[f"{new}scale{n}"]
    initial = [numpy_helper.from_array(v.contiguous().numpy(), k) for k, v in arrays.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], initial)), str(tmp_path / "m.onnx"))
    got = dinov2.convert(tmp_path / "m.onnx")
    assert set(got) == set(want) and all(torch.equal(got[k], want[k]) for k in want)
    save_file(got, tmp_path / "e.safetensors")
    assert load_file(tmp_path / "e.safetensors").keys() == want.keys()


def test_scenes_set_aside_wear_other_photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Photos that may be trained on are red here, those set aside are blue; drawn patterns have any colour."""
    for p in photos.PHOTOS:
        Image.new("RGB", (64, 48), (0, 0, 255) if p.held_out else (255, 0, 0)).save(tmp_path / f"{p.name}.jpg")
    monkeypatch.setenv("REFOCUS_PHOTOS", str(tmp_path))
    raw = json.loads(training.CONFIG.read_text())
    raw["data"] = {"scenes": 4, "validation_scenes": 4, "side_px": 48, "seed": 1}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    training.main(["data", "--config", str(tmp_path / "config.json"), "--work", str(tmp_path / "work")])
    redness = {}
    for name in ("shards", "validation"):
        (shard,) = shards.read_all(tmp_path / "work" / name)
        red, _, blue = shard["image"].float().mean((0, 2, 3)).tolist()
        redness[name] = red - blue
    assert redness["shards"] > 10 and redness["validation"] < -10, redness
