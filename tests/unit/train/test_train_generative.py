"""Fine-tuning on a FLUX of toy size: every stage trains, goes on exactly, and its adapter works where the released ones do."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from diffusers import FluxTransformer2DModel
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from bench.eval.__main__ import main as eval_main
from refocus_core.files import pictures
from refocus_core.generative import LAYOUTS, Guide, Tiling, adapter_factors, bind_diffusers, conditional_forward, load_lora, run
from refocus_core.generative.prompts import Prompt, load_prompts, save_prompts
from refocus_core.generative.tokens import pack, position_ids
from refocus_core.models import read_safetensors
from refocus_core.train import Settings
from refocus_core.train.common import config
from refocus_core.train.common.checkpoints import checkpoints
from refocus_core.train.common.optimizers import OptimizerSettings, make_optimizer
from refocus_core.train.genfocus import Data, Shards, Training, Validation, network, write
from refocus_core.train.genfocus import latents as latents_room
from refocus_core.train.genfocus import run as stages
from refocus_core.train.genfocus.commands import main
from refocus_core.train.genfocus.sample_files import decode
from refocus_core.train.genfocus.training import CONFIGS
from tests.helpers import tiny_flux
from tests.helpers.launched import run_on_processes

STAGES = {
    "synthetic": "bokeh",
    "mixed": "bokeh",
    "deblur": "deblur",
    "pre_deblur": "pre_deblur",
    "shape": "bokeh_shape",
}
STEPS = 4
MEMBERS = ("sharp", "blurred", "pre", "defocus", "aperture")


def latents(index: int) -> dict[str, Any]:
    """A sample as `encode` makes it, of 2 x 3 tokens; the aperture has 2 x 2."""
    g = torch.Generator().manual_seed(index)
    out = {n: torch.randn(2, 16, 4, 4 if n == "aperture" else 6, generator=g).half() for n in MEMBERS}
    for value in out.values():
        value[1] = 0.05
    return {"latents.safetensors": out, "json": {"i": index}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of latents, prompts, and the toy FLUX in diffusers' layout."""
    out = tmp_path_factory.mktemp("stage")
    write(latents, 6, out / "synthetic", per_shard=3, show=False)
    write(lambda i: latents(100 + i), 4, out / "real", per_shard=2, show=False)
    g = torch.Generator().manual_seed(9)
    save_prompts(
        out / "prompts.safetensors",
        {
            wording: Prompt(torch.randn(1, 5, tiny_flux.TEXT, generator=g), torch.randn(1, tiny_flux.POOLED, generator=g))
            for wording in (LAYOUTS["bokeh"].prompt, LAYOUTS["deblur"].prompt, "")
        },
    )
    tiny_flux.transformer().save_pretrained(out / "flux" / "transformer")
    return out


def settings(folder: Path, layout: str, **changes: Any) -> Training:
    base = Training(
        layout=layout,
        transformer=str(folder / "flux"),
        prompts=str(folder / "prompts.safetensors"),
        data=(Data(str(folder / "synthetic")),),
        run=Settings(steps=STEPS, batch_size=2, warmup_steps=1, ema=0.9, save_every=2, log_every=1, seed=4),
        optimizer=OptimizerSettings(rate=0.01),
        rank=3,
        dtype="float32",
    )
    return replace(base, **changes)


def stage(folder: Path, name: str, first: Path) -> Training:
    """Settings of a stage; `first` is the adapter of the one before."""
    changes: dict[str, Any] = {}
    if name == "mixed":
        changes = {"start": str(first), "data": (Data(str(folder / "synthetic"), 1), Data(str(folder / "real"), 2))}
    elif name == "shape":
        changes = {"frozen": str(first), "rank": 2}
    return settings(folder, STAGES[name], **changes)


@pytest.fixture(scope="module")
def first(folder: Path) -> Path:
    """The adapter of the first stage, as `export` writes it."""
    stages.train(settings(folder, "bokeh"), folder / "first")
    stages.export(folder / "first", folder / "first.safetensors", dtype=torch.float32)
    return folder / "first.safetensors"


def trained(model: nn.Module) -> dict[str, Tensor]:
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The forked child has none of the threads that torch may have used before: with more than one it would wait for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def killed_at(config_: Training, out: Path, example: int) -> None:
    """A process that trains and is killed when it asks for this example."""

    def work() -> None:
        class Deadly:
            def __init__(self) -> None:
                self.inner = stages.examples_of(config_)

            def __getitem__(self, index: int) -> Mapping[str, Any]:
                if index == example:
                    os.kill(os.getpid(), signal.SIGKILL)
                return self.inner[index]

        stages.train(config_, out, examples=Deadly())

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_goes_on_exactly_after_a_kill_and_its_adapter_works(name: str, folder: Path, first: Path, tmp_path: Path) -> None:
    chosen = stage(folder, name, first)
    whole = stages.train(chosen, tmp_path / "whole")
    killed_at(chosen, tmp_path / "killed", example=7)  # in the last step; the checkpoint is of step 2
    assert [c.name for c in checkpoints(tmp_path / "killed")] == ["checkpoint-00000002"]
    again = stages.train(chosen, tmp_path / "killed")
    for (n, a), b in zip(trained(whole).items(), trained(again).values(), strict=True):
        assert torch.equal(a, b), n
    assert all("." + network.ADAPTER + "." in n for n in trained(whole))

    stages.export(tmp_path / "killed", tmp_path / "out.safetensors", dtype=torch.float32)
    lora = load_lora(tmp_path / "out.safetensors")
    assert lora.layout(chosen.sees.task, pre_deblurred=name == "pre_deblur") is chosen.sees
    assert lora.rank == (3 + 2 if name == "shape" else 3)
    example = latents_room.LatentExample(chosen.sees, "uniform", 0.0, 0)(latents(50), 0)
    flux = tiny_flux.transformer()
    with torch.no_grad():
        by_file, bare = (velocity(flux, chosen, example, lora if used else None) for used in (True, False))
        conditions = [example[f"condition_{i}"][None] for i in range(len(chosen.sees.conditions))]
        t = example["time"][None]
        in_training = whole.eval()(example["noise"][None], conditions, t, torch.ones(1))
    torch.testing.assert_close(by_file, pack(in_training), atol=1e-5, rtol=1e-4)
    assert float((by_file - bare).abs().max()) > 1e-4


def velocity(flux: Any, chosen: Training, example: Mapping[str, Tensor], lora: Any) -> Tensor:
    """What the route for users predicts: an adapter file on an untouched FLUX."""
    stored = load_prompts(chosen.prompts)[chosen.sees.prompt]
    tokens = pack(example["noise"][None])
    return run(
        bind_diffusers(flux, lora, tokens),
        latents=tokens,
        conditions=[pack(example[f"condition_{i}"][None]) for i in range(len(chosen.sees.conditions))],
        text=stored.text.float(),
        pooled=stored.pooled.float(),
        timestep=example["time"][None],
        guidance=torch.ones(1),
        image_ids=position_ids(2, 3),
        condition_ids=[
            position_ids(2, example[f"condition_{i}"].shape[-1] // 2, right) for i, right in enumerate(chosen.sees.columns)
        ],
    )


def test_the_shape_stage_leaves_the_first_adapter_as_it_is(folder: Path, first: Path, tmp_path: Path) -> None:
    chosen = stage(folder, "shape", first)
    model = stages.train(chosen, tmp_path / "run")
    base = load_lora(first).factors
    frozen = adapter_factors(model.transformer, network.FROZEN)
    stages.export(tmp_path / "run", tmp_path / "out.safetensors", dtype=torch.float32)
    both = load_lora(tmp_path / "out.safetensors").factors
    for module, (a, b) in base.items():
        assert torch.equal(frozen[module][0], a) and torch.equal(frozen[module][1], b)
        assert torch.equal(both[module][0][:3], a) and torch.equal(both[module][1][:, :3], b)
    with pytest.raises(ValueError, match="picture of the aperture"):
        no_encoder: Any = lambda x: x  # noqa: E731 - never called
        Guide.of(chosen.sees, torch.zeros(1, 3, 16, 16), no_encoder, radius_px=torch.zeros(1, 16, 16), tiling=Tiling())
    # Two adapters at once are the sum of what each adds.
    name = next(iter(base))
    own = adapter_factors(model.transformer, network.ADAPTER)[name]
    torch.testing.assert_close(both[name][1] @ both[name][0], base[name][1] @ base[name][0] + own[1] @ own[0])


def test_one_batch_is_learnt_to_nearly_no_loss(folder: Path) -> None:
    """Made by another adapter, so that a solution exists: what only conditions change cannot reach any picture."""
    one = load_prompts(folder / "prompts.safetensors")
    chosen = settings(folder, "bokeh", rank=8)
    g = torch.Generator().manual_seed(3)
    teacher = network.build(replace(chosen, rank=4), tiny_flux.transformer(), one)
    for n, p in teacher.named_parameters():
        if "lora_B" in n:
            p.data = torch.randn(p.shape, generator=g)
    x, c0, c1 = (torch.randn(2, 16, 4, 4, generator=g) for _ in range(3))
    t = torch.tensor([0.4, 0.7])
    with torch.no_grad():
        v = teacher(x, [c0, c1], t, torch.ones(2))
    each = t.view(-1, 1, 1, 1)
    batch = {
        "target": x - each * v,
        "noise": x + (1 - each) * v,
        "condition_0": c0,
        "condition_1": c1,
        "time": t,
        "no_prompt": torch.zeros(2, dtype=torch.bool),
    }
    model = network.build(chosen, tiny_flux.transformer(), one)
    loss = network.flow_loss(1.0)
    optimizer = make_optimizer(model.parameters(), OptimizerSettings(rate=0.02, weight_decay=0))
    values: list[float] = []
    for _ in range(80):
        value, _numbers = loss(model, batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[0] > 1e-3
    assert min(values[-10:]) < 1e-3 * values[0]


def test_the_loss_is_that_of_the_publics_forward(folder: Path) -> None:
    """Velocity of noise to picture at x_t, by `conditional_forward` on peft's adapter."""
    chosen = settings(folder, "deblur")
    model = network.build(chosen, tiny_flux.transformer(), load_prompts(chosen.prompts))
    for n, p in model.named_parameters():
        if "lora_B" in n:
            p.data.normal_(generator=torch.Generator().manual_seed(len(n)))
    example = stages.examples_of(chosen)[3]
    batch = {n: v[None] for n, v in example.items()}
    value, _ = network.flow_loss(1.0)(model, batch)
    t = float(example["time"])
    stored = load_prompts(chosen.prompts)[chosen.sees.prompt]
    v = conditional_forward(
        model.transformer,
        latents=pack((1 - t) * batch["target"] + t * batch["noise"]),
        conditions=[pack(batch["condition_0"])],
        text=stored.text.float(),
        pooled=stored.pooled.float(),
        timestep=torch.tensor([t]),
        guidance=torch.ones(1),
        image_ids=position_ids(2, 3),
        condition_ids=[position_ids(2, 3)],
        adapter=network.ADAPTER,
    )
    torch.testing.assert_close(value, (v - pack(batch["noise"] - batch["target"])).square().mean())


def test_checkpointing_changes_no_gradient(folder: Path) -> None:
    gradients: list[list[Tensor]] = []
    for saving in (False, True):
        chosen = settings(folder, "bokeh", checkpointing=saving)
        model = network.build(chosen, tiny_flux.transformer(), load_prompts(chosen.prompts))
        batch = {n: v[None] for n, v in stages.examples_of(chosen)[0].items()}
        network.flow_loss(1.0)(model, batch)[0].backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad and p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_in_bfloat16_only_the_adapter_is_float32(folder: Path, tmp_path: Path) -> None:
    chosen = settings(folder, "deblur", dtype="bfloat16")
    model = stages.train(chosen, tmp_path)
    assert {p.dtype for n, p in model.named_parameters() if "lora_" in n} == {torch.float32}
    assert {p.dtype for n, p in model.named_parameters() if "lora_" not in n} == {torch.bfloat16}


def test_an_example_is_a_function_of_its_number(folder: Path) -> None:
    chosen = settings(folder, "bokeh_shape", no_prompt=0.5)
    one, other = stages.examples_of(chosen), stages.examples_of(chosen)
    late = other[9]
    for name, value in one[9].items():
        assert torch.equal(value, late[name]), name
    drawn = [one[i] for i in range(40)]
    times = torch.stack([d["time"] for d in drawn])
    assert len(times.unique()) == 40 and 0.3 < float(times.mean()) < 0.7
    assert 8 < sum(bool(d["no_prompt"]) for d in drawn) < 32
    # The same latents in the next round come with other noise.
    assert not torch.equal(one[0]["noise"], one[6]["noise"])


def test_the_empty_prompt_is_used_where_it_is_drawn(folder: Path) -> None:
    chosen = settings(folder, "deblur", no_prompt=0.5)
    stored = load_prompts(chosen.prompts)
    model = network.build(chosen, tiny_flux.transformer(), stored)
    x, c, t = torch.randn(2, 16, 4, 4), torch.randn(2, 16, 4, 4), torch.full((2,), 0.5)
    with torch.no_grad():
        mixed = model(x, [c], t, torch.ones(2), torch.tensor([True, False]))
        plain = model(x, [c], t, torch.ones(2))
    torch.testing.assert_close(mixed[1], plain[1])
    assert float((mixed[0] - plain[0]).abs().max()) > 1e-4


def pair(index: int) -> dict[str, Any]:
    g = torch.Generator().manual_seed(index)
    shown = {f"{n}.png": torch.randint(256, (3, 32, 48), generator=g, dtype=torch.uint8) for n in ("sharp", "blurred")}
    radius = torch.linspace(-150, 150, 32 * 48).view(32, 48)
    return {
        **shown,
        "radius.npy": radius.half(),
        "kernel.png": torch.full((3, 32, 32), 255, dtype=torch.uint8),
        "json": {"i": index},
    }


def test_pairs_are_encoded_as_the_released_weights_had_them(folder: Path, tmp_path: Path) -> None:
    tiny_flux.autoencoder().save_pretrained(tmp_path / "flux" / "vae")
    write(pair, 3, tmp_path / "pairs", per_shard=2, show=False)
    command = ["encode", str(tmp_path / "pairs"), "--vae", str(tmp_path / "flux"), "-o", str(tmp_path / "latents")]
    assert main(command) == 0
    vae = tiny_flux.autoencoder()
    read = [decode(content) for _, content in Shards(tmp_path / "latents")]
    assert [r["json"]["i"] for r in read] == [0, 1, 2]
    for name, picture in (
        ("sharp", pair(1)["sharp.png"][None].float() / 127.5 - 1),
        ("defocus", (pair(1)["radius.npy"].float().abs() / 100).clamp(0, 1).expand(1, 3, -1, -1)),
    ):
        with torch.no_grad():
            found = vae.encode(picture).latent_dist
        mean, deviation = read[1]["latents.safetensors"][name].float().unbind(0)
        torch.testing.assert_close(mean, (found.mean[0] - 0.1159) * 0.3611, atol=2e-3, rtol=2e-3)
        torch.testing.assert_close(deviation, found.std[0] * 0.3611, atol=2e-3, rtol=2e-3)
    assert read[0]["latents.safetensors"]["aperture"].shape == (2, 16, 4, 4)


def test_validation_shows_pictures_and_numbers(folder: Path, tmp_path: Path) -> None:
    tiny_flux.autoencoder().save_pretrained(tmp_path / "flux" / "vae")
    validation = Validation(str(folder / "real"), count=3, pictures=1, steps=2, vae=str(tmp_path / "flux"))
    run = replace(settings(folder, "bokeh").run, steps=2, validate_every=1)
    stages.train(settings(folder, "bokeh", validation=validation, run=run), tmp_path / "run")
    events = EventAccumulator(str(next((tmp_path / "run" / "logs").rglob("events*")).parent)).Reload()
    assert {"validation/loss", "validation/psnr", "validation/ssim", "validation/loss_at_0.9"} <= set(events.Tags()["scalars"])
    assert len(events.Scalars("validation/loss")) == 2
    shown = events.Images("validation/picture_0")[0]
    assert (shown.width, shown.height) == (4 * 48, 32)  # two conditions, the result, the truth


def test_other_settings_and_files_that_do_not_fit_are_refused(folder: Path, first: Path, tmp_path: Path) -> None:
    chosen = settings(folder, "bokeh", run=replace(settings(folder, "bokeh").run, steps=2))
    stages.train(chosen, tmp_path / "run")
    with pytest.raises(ValueError, match=r"other settings \(guidance\)"):
        stages.train(replace(chosen, guidance=3.5), tmp_path / "run")
    with pytest.raises(ValueError, match=r"has rank 3 on .* the settings say 5"):
        stages.train(replace(chosen, start=str(first), rank=5), tmp_path / "other")
    with pytest.raises(ValueError, match="not both"):
        replace(chosen, start=str(first), frozen=str(first))
    with pytest.raises(ValueError, match="Unknown layout"):
        replace(chosen, layout="bokhe")
    with pytest.raises(ValueError, match="needs 'pre'"):
        convert = latents_room.LatentExample(LAYOUTS["pre_deblur"], "uniform", 0, 0)
        convert({"latents.safetensors": {"sharp": torch.zeros(2, 16, 2, 2), "blurred": torch.zeros(2, 16, 2, 2)}}, 0)
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        stages.export(tmp_path / "nothing", tmp_path / "x.safetensors")
    with pytest.raises(ImportError, match="pip install bitsandbytes"):
        make_optimizer([nn.Parameter(torch.zeros(2))], OptimizerSettings("paged_adamw_8bit"))
    with pytest.raises(ValueError, match="Unknown optimiser"):
        make_optimizer([nn.Parameter(torch.zeros(2))], OptimizerSettings("sgd"))


def test_prodigy_goes_on_exactly(folder: Path, tmp_path: Path) -> None:
    chosen = settings(folder, "deblur", optimizer=OptimizerSettings("prodigy", rate=1.0))
    whole = stages.train(chosen, tmp_path / "whole")
    stages.train(chosen, tmp_path / "parts", time_limit_s=0)
    again = stages.train(chosen, tmp_path / "parts")
    for a, b in zip(trained(whole).values(), trained(again).values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["deblur", "pre_deblur", "bokeh_synthetic", "bokeh_mixed", "bokeh_shape"])
def test_settings_that_ship_are_valid(name: str) -> None:
    chosen = config.read(name, Training, CONFIGS)
    assert chosen.rank == (128 if name == "deblur" else 64)
    assert chosen.validation is not None
    assert chosen.run.batch_size % chosen.run.accumulation == 0


@pytest.mark.parametrize("name", ["one_machine", "two_machines", "sharded"])
def test_accelerate_reads_the_settings_that_ship(name: str) -> None:
    found = load_config_from_file(str(CONFIGS / "accelerate" / f"{name}.yaml"))
    assert str(found.distributed_type).endswith("FSDP" if name == "sharded" else "MULTI_GPU")
    # The batch of every stage can be shared by so many processes.
    for stage_name in ("deblur", "pre_deblur", "bokeh_synthetic", "bokeh_mixed", "bokeh_shape"):
        run = config.read(stage_name, Training, CONFIGS).run
        assert run.batch_size % found.num_processes == 0


def curve(out: Path, name: str = "loss") -> list[float]:
    events = EventAccumulator(str(next((out / "logs").rglob("events*")).parent)).Reload()
    return [e.value for e in events.Scalars(name)]


def test_processes_of_one_seed_note_their_settings_beside_each_other(folder: Path, tmp_path: Path) -> None:
    """Threads stand for processes: none takes the file away that another one is about to put in place."""
    chosen = settings(folder, "bokeh")

    def note(_number: int) -> None:
        torch.manual_seed(0)
        stages.note_settings(chosen, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(64)))
    assert [p.name for p in tmp_path.iterdir()] == ["training.json"]
    assert json.loads((tmp_path / "training.json").read_text())["layout"] == "bokeh"


@pytest.mark.alone
def test_two_processes_have_the_loss_curve_of_one_also_with_spread_weights(folder: Path, tmp_path: Path) -> None:
    """By accelerate's launcher and our command line: FLUX whole on each process, then spread (configs/accelerate/sharded.yaml).

    Accelerate does not offer FSDP on CPUs, so the script switches it on, with the settings of that file.
    """
    shipped = yaml.safe_load((CONFIGS / "accelerate" / "sharded.yaml").read_text())["fsdp_config"]
    chosen = settings(folder, "bokeh", validation=Validation(str(folder / "real"), count=1), checkpointing=True)
    stages.train(chosen, tmp_path / "one")
    (tmp_path / "stage.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(chosen)))))
    (tmp_path / "run.py").write_text(
        "from accelerate.state import AcceleratorState\n"
        "from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin\n"
        "from refocus_core.train.common import loop\n"
        "from refocus_core.train.genfocus.commands import main\n"
        "AcceleratorState.destroy_process_group = lambda self, group=None: None\n"  # the second run needs it again
        f"stage, out = {str(tmp_path / 'stage.yaml')!r}, {str(tmp_path)!r}\n"
        "assert main(['train', stage, out + '/two']) == 0\n"
        "AcceleratorState._reset_state()\n"
        "class Sharded(loop.Accelerator):\n"
        "    def __init__(self, **options):\n"
        "        super().__init__(**options)\n"
        "        self.state.distributed_type = DistributedType.FSDP\n"
        "        self.state.fsdp_plugin = FullyShardedDataParallelPlugin(\n"
        f"            fsdp_version={shipped['fsdp_version']},\n"
        f"            auto_wrap_policy={shipped['fsdp_auto_wrap_policy'].lower()!r},\n"
        f"            transformer_cls_names_to_wrap=[{shipped['fsdp_transformer_layer_cls_to_wrap']!r}],\n"
        f"            ignored_modules={shipped['fsdp_ignored_modules']!r},\n"
        f"            reshard_after_forward={shipped['fsdp_reshard_after_forward']},\n"
        f"            state_dict_type={shipped['fsdp_state_dict_type'].lower()!r},\n"
        f"            cpu_ram_efficient_loading={shipped['fsdp_cpu_ram_efficient_loading']})\n"
        "loop.Accelerator = Sharded\n"
        "assert main(['train', stage, out + '/spread']) == 0\n"
    )
    run_on_processes(2, tmp_path / "run.py")
    assert len(curve(tmp_path / "one")) == STEPS
    kept = {n: read_safetensors(checkpoints(tmp_path / n)[-1] / "average.safetensors") for n in ("one", "two", "spread")}
    for name in ("two", "spread"):
        for numbers in ("loss", "validation/loss"):
            assert curve(tmp_path / name, numbers) == pytest.approx(curve(tmp_path / "one", numbers), abs=1e-5)
        for n, value in kept["one"].items():
            torch.testing.assert_close(kept[name][n], value, atol=1e-5, rtol=1e-4)


def test_the_commands_of_the_docs_follow_one_another(tmp_path: Path) -> None:
    """From photos with depth to a scored adapter, by command lines only."""
    image, disparity = torch.rand(1, 3, 6, 8), torch.linspace(0.2, 1, 96).expand(64, 96)
    for name in ("photos", "depth"):
        (tmp_path / "source" / name).mkdir(parents=True)
    image = torch.nn.functional.interpolate(image, (64, 96), mode="bicubic").clamp(0, 1)
    pictures.save(tmp_path / "source" / "photos" / "a.png", image)
    pictures.save_map(tmp_path / "source" / "depth" / "a.npy", disparity)
    (tmp_path / "source" / "depth" / "depth.json").write_text('{"metric": true}')
    recipe = {"size_px": 48, "crop": [0.8, 1.0], "largest_radius_px": [2, 4], "quality": "draft"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    flux = tmp_path / "flux"
    tiny_flux.transformer().save_pretrained(flux / "transformer")
    tiny_flux.autoencoder().save_pretrained(flux / "vae")
    g = torch.Generator().manual_seed(9)
    words = {
        layout.prompt: Prompt(torch.randn(1, 5, tiny_flux.TEXT, generator=g), torch.randn(1, tiny_flux.POOLED, generator=g))
        for layout in LAYOUTS.values()
    }
    save_prompts(tmp_path / "prompts.safetensors", words)
    stage_file = {
        "layout": "bokeh",
        "transformer": str(flux),
        "prompts": str(tmp_path / "prompts.safetensors"),
        "data": [{"shards": str(tmp_path / "latents")}],
        "rank": 2,
        "dtype": "float32",
        "run": {"steps": 2, "batch_size": 2, "save_every": 1},
    }
    (tmp_path / "stage.yaml").write_text(yaml.safe_dump(stage_file))
    for name in ("input", "target", "depth"):
        (tmp_path / "eval" / name).mkdir(parents=True)
    for name in ("input", "target"):
        pictures.save(tmp_path / "eval" / name / "a.png", image)
    pictures.save_map(tmp_path / "eval" / "depth" / "a.npy", disparity)
    (tmp_path / "eval" / "depth" / "depth.json").write_text('{"metric": true}')
    (tmp_path / "eval" / "cases.json").write_text('{"a": {"focus": 0.6, "gain_px": 10}}')

    def at(name: str) -> str:
        return str(tmp_path / name)

    assert main(["synthetic", at("source"), "--recipe", at("recipe.yaml"), "--count", "3", "-o", at("pairs")]) == 0
    assert main(["encode", at("pairs"), "--vae", str(flux), "-o", at("latents")]) == 0
    assert main(["train", at("stage.yaml"), at("run")]) == 0
    assert main(["export", at("run"), "-o", at("adapter.safetensors")]) == 0
    options = ["--flux", str(flux), "--prompts", at("prompts.safetensors"), "--bokeh-lora", at("adapter.safetensors")]
    command = [at("eval"), "--task", "bokeh", "--methods", "generative", "--metrics", "psnr", "--steps", "1"]
    assert eval_main([*command, *options, "--out", at("out")]) == 0
    assert json.loads((tmp_path / "out" / "eval.json").read_text())["methods"]["generative"]["mean"]["psnr"] > 0


def test_at_full_size_the_adapter_has_as_many_numbers_as_the_released_one() -> None:
    """bokehNet.safetensors: rank 64, 686 tensors of 463,703,368 bytes in bfloat16, their header included."""
    from bench.run.train_generative import FULL

    with torch.device("meta"):
        flux = FluxTransformer2DModel(**FULL)
        prompt = Prompt(torch.zeros(1, 512, 4096), torch.zeros(1, 768))
        chosen = Training("bokeh", "", "", (Data("none"),), Settings(steps=1, batch_size=1))
        model = network.build(chosen, flux, {chosen.sees.prompt: prompt})
    parts = [p for p in model.parameters() if p.requires_grad]
    assert len(parts) == 686
    count = sum(p.numel() for p in parts)
    assert count == 64 * 3_621_952
    assert 0 < 463_703_368 - 2 * count < 200_000
