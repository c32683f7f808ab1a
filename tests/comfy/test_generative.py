"""The generative nodes in a real ComfyUI server, on a tiny FLUX with random weights, against diffusers with the same weights.

The text encoders of FLUX are gigabytes, so none runs here: the prompts' embeddings come from the file that the nodes keep.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from refocus_core import bokeh, color, generative
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap
from tests.helpers import genfocus_twin, rig, twin
from tests.helpers.graphs import fails, node, noise


def loaders(server: rig.Server) -> rig.Graph:
    return {
        "flux": node(server, "UNETLoader", unet_name="flux1-dev.safetensors"),
        "vae": node(server, "VAELoader", vae_name="ae.safetensors"),
    }


def setup(server: rig.Server, **values: Any) -> rig.Graph:
    """Loaders, and a Genfocus Setup of them."""
    return loaders(server) | {"setup": node(server, "RefocusGenfocusSetup", model=["flux", 0], vae=["vae", 0], **values)}


def apply_graph(
    server: rig.Server, task: str, width: int, height: int, steps: int = 2, batch: int = 1, **apply: Any
) -> rig.Graph:
    """Photo -> Genfocus Apply -> KSampler -> VAE Decode."""
    graph = loaders(server) | {"photo": noise(server, width, height, batch=batch, seed=1)}
    if task == "bokeh":
        graph |= {
            "disc": noise(server, width, height, content="disc"),
            "depth": node(server, "RefocusDepthEstimate", image=["photo", 0], depth_image=["disc", 0], source="depth_image"),
            "defocus": node(server, "RefocusDefocusMap", depth=["depth", 0], focus="point", x=0.5, y=0.5, percent=8.0),
        }
        apply["defocus"] = ["defocus", 0]
    graph["apply"] = node(server, "RefocusGenfocusApply", model=["flux", 0], vae=["vae", 0], image=["photo", 0], **apply)
    graph["sampler"] = node(
        server,
        "KSampler",
        model=["apply", 0],
        latent_image=["apply", 1],
        positive=["apply", 2],
        negative=["apply", 2],
        seed=5,
        steps=steps,
        cfg=1.0,
        sampler_name="euler",
        scheduler="simple",
    )
    graph["decode"] = node(server, "VAEDecode", samples=["sampler", 0], vae=["vae", 0])
    return graph


def probed(graph: rig.Graph, *names: str) -> rig.Graph:
    """With a ProbeSave at output 0 of each."""
    more = {f"probe_{n}": {"class_type": "ProbeSave", "inputs": {"value": [n, 0], "name": f"probe_{n}_0"}} for n in names}
    return graph | more


def run(server: rig.Server, graph: rig.Graph, *names: str) -> list[Any]:
    done = server.run(probed(graph, *names))
    assert done.end == "execution_success", done.error
    found = [twin.read_probe(server, n) for n in names]
    return [f.movedim(-1, 1)[:, :3] if isinstance(f, torch.Tensor) else f for f in found]


@pytest.mark.parametrize(("task", "width", "height"), [("deblur", 64, 48), ("bokeh", 64, 48), ("deblur", 528, 512)])
def test_apply_gives_what_diffusers_gives(comfy_server: rig.Server, task: str, width: int, height: int) -> None:
    """Through core's KSampler. The large one is cut into two tiles."""
    steps = 2 if width < 100 else 1
    graph = apply_graph(comfy_server, task, width, height, steps, tiles_per_batch=1 if width > 100 else 4)
    names = ["decode", "photo", *(["defocus"] if task == "bokeh" else [])]
    got, photo, *defocus = run(comfy_server, graph, *names)
    sample = genfocus_twin.genfocus(comfy_server).sampler(genfocus_twin.lora(comfy_server, task), task, steps=steps, seed=5)
    radius = defocus[0]["radius_px"] if defocus else None
    expected = sample(generative.SampleRequest(photo, radius_px=radius))
    assert float((got - expected).abs().max()) <= 1e-4
    assert float(expected.std()) > 0.02
    if width > 100:
        return
    other = sample(generative.SampleRequest(photo.flip(-1), radius_px=radius))
    assert float((other - expected).abs().mean()) > 1e-3, "the photo has no effect"


def test_all_in_focus_is_the_same_run_at_any_size(comfy_server: rig.Server) -> None:
    graph = setup(comfy_server, steps=2, start_noise=7) | {
        "photo": noise(comfy_server, 70, 50, batch=2, seed=3, content="highlight"),
        "sharp": node(
            comfy_server, "RefocusAllInFocus", image=["photo", 0], method="generative", strength=0.75, genfocus=["setup", 0]
        ),
    }
    got, photo = run(comfy_server, graph, "sharp", "photo")
    sample = genfocus_twin.genfocus(comfy_server).sampler(genfocus_twin.lora(comfy_server, "deblur"), "deblur", steps=2, seed=7)
    expected = torch.lerp(photo, generative.deblur(photo, sample), 0.75)
    assert got.shape == photo.shape and float(photo.max()) == 4
    assert float((got - expected).abs().max()) <= 1e-4
    assert float((got - photo).abs().mean()) > 1e-2


@pytest.mark.parametrize("method", ["generative", "hybrid"])
def test_reblur(comfy_server: rig.Server, method: str) -> None:
    graph = apply_graph(comfy_server, "bokeh", 96, 80)
    for name in ("apply", "sampler", "decode"):
        del graph[name]
    graph |= setup(comfy_server, steps=4, start_noise=7, megapixels=0.1, bokeh_lora="bokehNet.safetensors")
    options = {"method": method, "quality": "draft", "genfocus": ["setup", 0], "redraw": 0.5}
    graph["defocus"]["inputs"]["percent"] = 4.0
    graph["defocus"]["inputs"]["y"] = 0.9  # on the ground, so that the disc is blurred in front
    graph["blur"] = node(comfy_server, "RefocusReblur", image=["photo", 0], defocus=["defocus", 0], **options)
    got, photo, defocus = run(comfy_server, graph, "blur", "photo", "defocus")
    model = genfocus_twin.genfocus(comfy_server)
    sample = model.sampler(genfocus_twin.lora(comfy_server, "bokeh"), "bokeh", steps=4, seed=7)
    radius = defocus["radius_px"]
    if method == "generative":
        expected = generative.blur(photo, radius, sample, megapixels=0.1)
        inside = radius[0].abs() < 0.5
        assert inside.any() and torch.equal(got[..., inside], photo[..., inside])
        assert float((got - expected).abs().max()) <= 1e-4
    else:
        defocus_map = DefocusMap.from_law(defocus["disparity"], BlurLaw.thin_lens(defocus["gain_px"], defocus["focus_disparity"]))
        render = color.linear_to_srgb(bokeh.render(color.srgb_to_linear(photo), defocus_map, quality="draft"))
        mask = generative.revealed_mask(bokeh.revealed(defocus_map))
        outside = mask[0] == 0
        assert outside.any() and float((got - render)[..., outside].abs().max()) <= 1e-6
        assert float((got - render)[..., mask[0] > 0.9].abs().mean()) > 1e-3
        # The sampler is ComfyUI's, whose mask and noise levels are applied in its own order: alike, not equal.
        expected = generative.redraw(photo, radius, render, mask, sample, strength=0.5, megapixels=0.1)
        assert float((got - expected).abs().mean()) < 0.02


def test_a_batch_equals_its_frames_and_the_model_is_left_alone(comfy_server: rig.Server) -> None:
    def plain() -> rig.Graph:
        graph = apply_graph(comfy_server, "deblur", 64, 48)
        graph["sampler"]["inputs"]["model"] = ["flux", 0]
        return graph

    (before,) = run(comfy_server, plain(), "decode")
    both, photos = run(comfy_server, apply_graph(comfy_server, "deblur", 64, 48, batch=2), "decode", "photo")
    plain_again = plain()
    plain_again["sampler"]["inputs"]["steps"] = 3  # another number first, so that nothing comes from the cache
    run(comfy_server, plain_again, "decode")
    (after,) = run(comfy_server, plain(), "decode")
    assert torch.equal(before, after), "Genfocus Apply has changed the MODEL it was given"
    sample = genfocus_twin.genfocus(comfy_server).sampler(genfocus_twin.lora(comfy_server, "deblur"), "deblur", steps=2, seed=5)
    for i in range(2):
        assert float((both[i] - sample(generative.SampleRequest(photos[i : i + 1]))[0]).abs().max()) <= 1e-4


def test_size_and_latent(comfy_server: rig.Server) -> None:
    graph = apply_graph(comfy_server, "deblur", 70, 50, steps=1)
    graph["crop"] = node(comfy_server, "ImageCrop", image=["decode", 0], width=["apply", 3], height=["apply", 4], x=0, y=0)
    cropped, whole = run(comfy_server, graph, "crop", "decode")
    assert cropped.shape[-2:] == (50, 70) and whole.shape[-2:] == (64, 80)


def test_errors_say_what_to_do(comfy_server: rig.Server) -> None:
    graph = apply_graph(comfy_server, "deblur", 64, 48)
    wrong = {k: dict(v, inputs=dict(v["inputs"])) for k, v in graph.items()}
    wrong["apply"]["inputs"]["lora"] = "bokehNet.safetensors"
    assert "adapter for 'bokeh'" in fails(comfy_server, probed(wrong, "decode"))
    wrong["apply"]["inputs"]["lora"] = "auto"
    wrong["sd"] = node(comfy_server, "CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors")
    wrong["apply"]["inputs"]["model"] = ["sd", 0]
    assert "not FLUX.1" in fails(comfy_server, probed(wrong, "decode"))
    wrong["apply"]["inputs"] |= {"model": ["flux", 0], "vae": ["sd", 2]}
    assert "16 channels" in fails(comfy_server, probed(wrong, "decode"))
    alone = {
        "photo": noise(comfy_server),
        "sharp": node(comfy_server, "RefocusAllInFocus", image=["photo", 0], method="generative"),
    }
    assert "connect genfocus" in fails(comfy_server, probed(alone, "sharp"))


def test_interrupt_between_tiles(comfy_server: rig.Server) -> None:
    graph = setup(comfy_server, steps=200) | {
        "photo": noise(comfy_server, 528, 528, seed=4),
        "sharp": node(comfy_server, "RefocusAllInFocus", image=["photo", 0], method="generative", genfocus=["setup", 0]),
    }
    done = comfy_server.run(probed(graph, "sharp"), interrupt_after="sharp", seconds=200)
    assert done.end == "execution_interrupted"
    values = [(p["value"], p["max"]) for p in done.of("progress") if p["node"] == "sharp"]
    assert values[0] == (4, 800), "the four tiles of the first step"


def test_other_models_are_not_asked_for(comfy_server: rig.Server) -> None:
    """Reblur by the renderer does not load the FLUX that is connected to it."""
    graph = apply_graph(comfy_server, "bokeh", 72, 56)
    for name in ("apply", "sampler", "decode"):
        del graph[name]
    graph["other"] = node(comfy_server, "UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="fp8_e4m3fn")
    graph["setup"] = node(comfy_server, "RefocusGenfocusSetup", model=["other", 0], vae=["vae", 0])
    graph["blur"] = node(
        comfy_server, "RefocusReblur", image=["photo", 0], defocus=["defocus", 0], quality="draft", genfocus=["setup", 0]
    )
    done = comfy_server.run(probed(graph, "blur"))
    assert done.end == "execution_success" and not {"other", "setup"} & done.executed


def test_a_prompt_of_ones_own_reaches_all_in_focus(comfy_server: rig.Server) -> None:
    """Genfocus Apply gives the usual prompt out; in other words it changes the picture, and the same one does not."""
    graph = apply_graph(comfy_server, "deblur", 64, 48) | setup(comfy_server, steps=1)
    graph["sharp"] = node(comfy_server, "RefocusAllInFocus", image=["photo", 0], method="generative", genfocus=["setup", 0])
    (usual,) = run(comfy_server, graph, "sharp")
    graph["guidance"] = node(comfy_server, "FluxGuidance", conditioning=["apply", 2], guidance=3.5)
    graph["setup"]["inputs"]["conditioning"] = ["guidance", 0]
    (same,) = run(comfy_server, graph, "sharp")
    graph["guidance"]["inputs"]["guidance"] = 30.0
    (other,) = run(comfy_server, graph, "sharp")
    assert torch.equal(same, usual) and float((other - usual).abs().max()) > 1e-3


def test_they_say_that_they_are_experimental(comfy_server: rig.Server) -> None:
    for kind in ("RefocusGenfocusSetup", "RefocusGenfocusApply"):
        assert comfy_server.get(f"/object_info/{kind}")[kind]["experimental"]
    for kind in ("RefocusAllInFocus", "RefocusReblur"):
        methods = comfy_server.get(f"/object_info/{kind}")[kind]["input"]["required"]["method"][1]["tooltip"]
        assert "generative: (experimental)" in methods


def test_eight_bit_weights(comfy_server: rig.Server) -> None:
    """fp8 storage, as ComfyUI offers it for large models: near the full-precision picture."""
    graph = apply_graph(comfy_server, "deblur", 64, 48, steps=1)
    (full,) = run(comfy_server, graph, "decode")
    graph["flux"]["inputs"]["weight_dtype"] = "fp8_e4m3fn"
    (small,) = run(comfy_server, graph, "decode")
    assert 0 < float((small - full).abs().mean()) < 0.1


def test_a_lora_for_the_whole_model_may_come_before(comfy_server: rig.Server) -> None:
    """LoraLoaderModelOnly changes the base weights of all tokens; the adapter comes on top, on condition tokens."""
    graph = apply_graph(comfy_server, "deblur", 64, 48)
    graph["style"] = node(
        comfy_server, "LoraLoaderModelOnly", model=["flux", 0], lora_name="bokehNet.safetensors", strength_model=0.5
    )
    graph["apply"]["inputs"]["model"] = ["style", 0]
    got, photo = run(comfy_server, graph, "decode", "photo")
    model = genfocus_twin.genfocus(comfy_server)
    lora = genfocus_twin.lora(comfy_server, "deblur")
    plain = model.sampler(lora, "deblur", steps=2, seed=5)(generative.SampleRequest(photo))
    with torch.no_grad():
        for name, (a, b) in genfocus_twin.lora(comfy_server, "bokeh").factors.items():
            model.transformer.get_submodule(name).weight += 0.5 * b @ a
    expected = model.sampler(lora, "deblur", steps=2, seed=5)(generative.SampleRequest(photo))
    assert float((expected - plain).abs().mean()) > 1e-3
    assert float((got - expected).abs().max()) <= 1e-3


def test_a_prompt_and_guidance_of_ones_own(comfy_server: rig.Server) -> None:
    graph = apply_graph(comfy_server, "deblur", 64, 48)
    (usual,) = run(comfy_server, graph, "decode")
    graph["first"] = dict(graph["apply"], inputs=graph["apply"]["inputs"] | {"image": ["other", 0]})
    graph["other"] = noise(comfy_server, 96, 80, seed=8)
    graph["guidance"] = node(comfy_server, "FluxGuidance", conditioning=["first", 2], guidance=30.0)
    graph["apply"] = node(
        comfy_server,
        "RefocusGenfocusApply",
        model=["first", 0],  # guided by another photo, which this one replaces
        vae=["vae", 0],
        image=["photo", 0],
        conditioning=["guidance", 0],
    )
    (other,) = run(comfy_server, graph, "decode")
    assert float((other - usual).abs().max()) > 1e-3
    graph["guidance"]["inputs"]["guidance"] = 3.5
    (same,) = run(comfy_server, graph, "decode")
    assert torch.equal(same, usual)
