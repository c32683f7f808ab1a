"""The nodes in a real ComfyUI server, through its API."""

from __future__ import annotations

import io
import time
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import dng, portraits, rig, twin
from tests.helpers.graphs import fails, node, noise


def chain(server: rig.Server, batch: int = 1, width: int = 64, height: int = 48, **image: Any) -> rig.Graph:
    """Photo (1) and a depth picture (2) -> depth (3) -> defocus (4), kernel (5) -> reblur (6) -> preview (7)."""
    return {
        "1": noise(server, width, height, batch=batch, seed=1, **image),
        "2": noise(server, width, height, batch=batch, content="disc"),
        "3": node(server, "RefocusDepthEstimate", image=["1", 0], depth_image=["2", 0], source="depth_image"),
        "4": node(server, "RefocusDefocusMap", depth=["3", 0], image=["1", 0], focus="point", x=0.4, y=0.6, percent=6.0),
        "5": node(server, "RefocusBokehKernel", shape="heart", rotation_deg=20.0),
        "6": node(server, "RefocusReblur", image=["1", 0], defocus=["4", 0], kernel=["5", 0]),
        "7": node(server, "PreviewImage", images=["6", 0]),
    }


# --- what ComfyUI knows of us -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", rig.NODE_IDS)
def test_object_info(comfy_server: rig.Server, kind: str) -> None:
    info = comfy_server.get(f"/object_info/{kind}")[kind]
    assert info["category"] == "Refocus"
    assert info["display_name"] and info["description"]
    assert not info["output_node"], "it would run even where nothing needs it"
    inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    for name, spec in inputs.items():
        assert len(spec) > 1 and len(spec[1].get("tooltip", "")) > 10, f"{name} has no tooltip"
    assert all(info["output_tooltips"])


@pytest.mark.parametrize("kind", rig.NODE_IDS)
def test_help_page_names_every_input(comfy_server: rig.Server, kind: str) -> None:
    page = comfy_server.raw(f"/extensions/{rig.PACK}/docs/{kind}.md").decode()
    inputs = comfy_server.get(f"/object_info/{kind}")[kind]["input"]
    assert not [n for part in ("required", "optional") for n in inputs.get(part, {}) if n not in page]


def test_the_pack_loads_without_complaint(comfy_server: rig.Server) -> None:
    bad = [line for line in comfy_server.log_text().splitlines() if "WARN" in line and "refocus" in line.lower()]
    assert bad == []


# --- running ------------------------------------------------------------------------------------------------------------


def test_chain_is_what_the_core_gives_and_previews_appear(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server, width=128, height=96)
    graph["6"]["inputs"] |= {"exposure": -0.7, "grain": 1.0, "highlight_recovery": 1.0, "recover_in_focus": True}
    graph["6"]["inputs"] |= {"glass": True, "bloom": 0.2, "lateral_color": -0.5}
    run = comfy_server.run(twin.probed(graph, ("6", 0), ("6", 1), ("4", 2)))
    assert run.end == "execution_success", run.error
    reference = twin.Twin(comfy_server, graph)
    assert float((twin.read_probe(comfy_server, "6").movedim(-1, 1) - reference.value(["6", 0])).abs().max()) <= 1e-4
    mask = twin.read_probe(comfy_server, "6", 1)
    assert torch.equal(mask, reference.value(["6", 1])) and 0 < float(mask.mean()) < 1
    assert torch.equal(twin.read_probe(comfy_server, "4", 2), mask)
    for key, size in (("3", (128, 96)), ("4", (128, 96)), ("5", None), ("6", (128, 96))):
        (image,) = run.ui(key)["images"]
        picture = Image.open(io.BytesIO(comfy_server.view(image)))
        assert size is None or picture.size == size
        assert np.asarray(picture).std() > 1, f"the preview of node {key} is flat"


def test_batch_of_three_equals_three_singles(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server, batch=3)
    run = comfy_server.run(twin.probed(graph, ("6", 0), ("4", 0)))
    assert run.end == "execution_success", run.error
    assert len(run.ui("6")["images"]) == 1, "one frame of a clip is shown"
    out = twin.read_probe(comfy_server, "6")
    assert out.shape == (3, 48, 64, 3)
    # Each frame alone, with the defocus that the clip gave it: the depth range is the clip's, so it cannot be made alone.
    from refocus_core import bokeh, color
    from refocus_core.optics import BlurLaw
    from refocus_core.types import DefocusMap

    photo, found = twin.read_probe(comfy_server, "1").movedim(-1, 1), twin.read_probe(comfy_server, "4")
    kernel = twin.Twin(comfy_server, graph).value(["5", 0])
    for k in range(3):
        disparity, focus, gain = (found[name][k : k + 1] for name in ("disparity", "focus_disparity", "gain_px"))
        single = DefocusMap.from_law(disparity, BlurLaw.thin_lens(gain, focus))
        alone = color.linear_to_srgb(bokeh.render(color.srgb_to_linear(photo[k : k + 1]), single, kernel))
        assert float((out[k : k + 1].movedim(-1, 1) - alone).abs().max()) <= 1e-4


def test_alpha_is_blurred_along_and_highlights_pass(comfy_server: rig.Server) -> None:
    from refocus_core import bokeh, color
    from refocus_core.optics import BlurLaw
    from refocus_core.types import DefocusMap

    graph = chain(comfy_server, channels=4, content="highlight")
    run = comfy_server.run(twin.probed(graph, ("4", 0), ("6", 0)))
    assert run.end == "execution_success", run.error
    out, source = (twin.read_probe(comfy_server, n).movedim(-1, 1) for n in ("6", "1"))
    photo, alpha = color.srgb_to_linear(source[:, :3]), source[:, 3:]
    kernel = twin.Twin(comfy_server, graph).value(["5", 0])
    found = twin.read_probe(comfy_server, "4")
    law = BlurLaw.thin_lens(found["gain_px"], found["focus_disparity"])
    light, blurred = bokeh.render_with_alpha(photo, alpha, DefocusMap.from_law(found["disparity"], law), kernel)
    assert blurred is not None and float((blurred - alpha).abs().max()) > 0.1
    assert float((out[:, 3:] - blurred).abs().max()) <= 1e-4
    assert float((out[:, :3] - color.linear_to_srgb(light))[(blurred > 0.05).expand_as(light)].abs().max()) <= 1e-3
    sharp = {**graph, "4": node(comfy_server, "RefocusDefocusMap", depth=["3", 0], percent=0.0)}
    comfy_server.run(twin.probed(sharp, ("6", 0)))
    source[:, 3:].clamp_(max=1)  # more than opaque does not exist
    assert torch.allclose(twin.read_probe(comfy_server, "6").movedim(-1, 1), source, atol=1e-5), (
        "no blur must change nothing, above 1 either"
    )
    assert float(source.max()) == 4.0


def test_a_batch_is_steadied_as_a_clip(comfy_server: rig.Server) -> None:
    from refocus_core import depth

    graph = {
        "1": noise(comfy_server, batch=3, seed=1),
        "3": node(comfy_server, "RefocusDepthEstimate", image=["1", 0], model="refocus-depth-s", refine=0.0, steady_frames=2),
    }
    comfy_server.run(twin.probed(graph, ("1", 0), ("3", 0)))
    photo, found = twin.read_probe(comfy_server, "1").movedim(-1, 1), twin.read_probe(comfy_server, "3")["disparity"]
    model = depth.load("refocus-depth-s")
    steadied, alone = (depth.predict(model, photo, steady_frames=n).disparity for n in (2, 0))
    assert float((found - steadied).abs().max()) <= 1e-4 < float((found - alone).abs().max())


def test_depth_matte_is_what_the_core_gives(comfy_server: rig.Server) -> None:
    from refocus_core import bokeh, color, defocus

    graph = chain(comfy_server, content="disc")
    graph["9"] = node(comfy_server, "RefocusDepthMatte", image=["1", 0], depth=["3", 0], y=0.5, tolerance=0.2)
    run = comfy_server.run(twin.probed(graph, ("9", 0), ("9", 1), ("9", 2)))
    assert run.end == "execution_success", run.error
    photo = color.srgb_to_linear(twin.read_probe(comfy_server, "1").movedim(-1, 1)[:, :3])
    found = twin.Twin(comfy_server, graph).value(["3", 0])
    at_point = defocus.focus_disparity(found, defocus.FocusPoint(0.5, 0.5))
    cut = bokeh.depth_matte(photo, found, *bokeh.around(found, at_point, 0.2))
    assert float((twin.read_probe(comfy_server, "9", 0) - cut.coverage).abs().max()) <= 1e-4
    assert 0 < float(cut.coverage.mean()) < 1
    foreground, background = (twin.read_probe(comfy_server, "9", k).movedim(-1, 1) for k in (1, 2))
    assert foreground.shape[1] == 4 and torch.allclose(foreground[:, 3], cut.coverage, atol=1e-4)
    assert float((background - color.linear_to_srgb(cut.background)).abs().max()) <= 1e-3


def test_two_points_and_keyframes_are_what_the_core_makes_of_them(comfy_server: rig.Server) -> None:
    both = chain(comfy_server)
    both["4"]["inputs"].update(focus="two points", x2=0.9, y2=0.1, focus_range=0.1)
    keyed = chain(comfy_server, batch=3)
    keyed["4"]["inputs"]["keyframes"] = (
        '{"keys": [{"frame": 0, "x": 0.5, "y": 0.5, "percent": 6}, {"frame": 2, "x": 0.05, "y": 0.05, "percent": 2}]}'
    )
    for graph in (both, keyed):
        run = comfy_server.run(twin.probed(graph, ("4", 0)))
        assert run.end == "execution_success", run.error
        found, expected = twin.read_probe(comfy_server, "4"), twin.Twin(comfy_server, graph).value(["4", 0])
        assert torch.allclose(found["radius_px"], expected.radius_px, atol=1e-5)
        assert torch.allclose(found["gain_px"], expected.gain_px)
    assert len(set(found["focus_disparity"].tolist())) == 3 and len(set(found["gain_px"].tolist())) == 3
    keyed["4"]["inputs"]["keyframes"] = "{"
    assert "The keyframes are not JSON" in fails(comfy_server, keyed)


def test_depth_is_adjusted_isolated_and_shown_as_the_core_does_it(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    mask = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 64, "height": 48}}
    adjusted = {"depth": ["3", 0], "action": "pull", "amount": 0.5, "x": 0.1, "y": 0.9, "gamma": 1.5, "isolate": True}
    graph |= {"8": mask, "9": node(comfy_server, "RefocusAdjustDepth", mask=["8", 0], image=["1", 0], smooth=1.0, **adjusted)}
    graph["4"]["inputs"]["depth"] = ["9", 0]
    run = comfy_server.run(twin.probed(graph, ("9", 0), ("9", 1), ("4", 0)))
    assert run.end == "execution_success", run.error
    reference = twin.Twin(comfy_server, graph)
    found, want = twin.read_probe(comfy_server, "9"), reference.value(["9", 0])
    assert torch.allclose(found["disparity"], want.disparity, atol=1e-6)
    assert float((want.disparity - reference.value(["3", 0]).disparity).abs().max()) > 0.05
    assert torch.allclose(twin.read_probe(comfy_server, "9", 1), reference.value(["9", 1]), atol=1e-5)
    assert torch.allclose(twin.read_probe(comfy_server, "4")["disparity"], want.disparity, atol=1e-6)
    assert len(run.ui("9")["images"]) == 1
    untouched = {**graph, "9": node(comfy_server, "RefocusAdjustDepth", depth=["3", 0])}
    run = comfy_server.run(twin.probed(untouched, ("9", 0), ("9", 1)))
    assert run.end == "execution_success", run.error
    assert torch.equal(twin.read_probe(comfy_server, "9")["disparity"], reference.value(["3", 0]).disparity)
    assert not twin.read_probe(comfy_server, "9", 1).any()


def test_depth_and_defocus_go_out_as_pictures_and_come_back(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server, batch=2)
    graph |= {
        "10": node(comfy_server, "RefocusDepthToImage", depth=["3", 0], values="numbers"),
        "11": node(comfy_server, "RefocusDepthEstimate", image=["1", 0], depth_image=["10", 0], refine=0.0),
        "12": node(comfy_server, "RefocusDefocusToImage", defocus=["4", 0], signs="grey", unit="percent", white=25.0),
        "13": node(
            comfy_server, "RefocusDefocusFromImage", image=["12", 0], depth=["11", 0], signs="grey", unit="percent", white=25.0
        ),
        "14": node(comfy_server, "RefocusDefocusToImage", defocus=["4", 0], signs="unsigned", white=0.0),
        "15": node(comfy_server, "RefocusDefocusFromImage", image=["14", 0], depth=["3", 0], signs="unsigned", white=["14", 1]),
        "16": node(comfy_server, "RefocusReblur", image=["1", 0], defocus=["15", 0]),
        "17": node(comfy_server, "PreviewImage", images=["16", 0]),
    }
    graph["6"]["inputs"]["defocus"] = ["13", 0]
    run = comfy_server.run(twin.probed(graph, ("4", 0), ("3", 0), ("11", 0), ("13", 0), ("14", 0), ("15", 0)))
    assert run.end == "execution_success", run.error
    assert torch.equal(twin.read_probe(comfy_server, "11")["disparity"], twin.read_probe(comfy_server, "3")["disparity"])
    made, back = twin.read_probe(comfy_server, "4")["radius_px"], twin.read_probe(comfy_server, "13")["radius_px"]
    assert torch.allclose(made, back, atol=1e-4) and float(made.abs().max()) > 1
    image = twin.Twin(comfy_server, graph).value(["14", 0])
    assert torch.allclose(twin.read_probe(comfy_server, "14").movedim(-1, 1), image, atol=1e-5)
    assert float(image.max()) == pytest.approx(1.0)
    assert torch.allclose(twin.read_probe(comfy_server, "15")["radius_px"].abs(), made.abs(), atol=1e-4), "white_value tells"
    assert len(run.ui("13")["images"]) == 1, "the map is shown"


def test_nodes_show_the_frames_that_the_person_chose_in_small_pictures(comfy_server: rig.Server) -> None:
    def shown(chosen: object, width: int) -> tuple[list[tuple[str | None, tuple[int, int]]], Any]:
        comfy_server.raw("/settings/Refocus.Previews", chosen)
        run = comfy_server.run(chain(comfy_server, batch=3, width=width))
        assert run.end == "execution_success", run.error
        pictures = [Image.open(io.BytesIO(comfy_server.view(image))) for image in run.ui("3")["images"]]
        return [(p.format, p.size) for p in pictures], run.ui("6")

    try:
        assert shown("none", 80) == ([], {"images": [], "refocus_compare": [None]})
        pictures, reblur = shown("every frame", 1088)
        assert pictures == 3 * [("JPEG", (1024, 45))]
        assert len(reblur["images"]) == 3
        (numbers,) = reblur["refocus_compare"]
        assert Image.open(io.BytesIO(comfy_server.view(numbers["after"][0]))).size == (512, 23), "a clip's are smaller"
        assert len(shown({"damaged": 1}, 112)[0]) == 1
        assert "Refocus.Previews" in comfy_server.log_text(), "an unknown choice is told of in the log"
    finally:
        comfy_server.raw("/settings/Refocus.Previews", "first frame")
    pictures, reblur = shown("first frame", 96)
    assert len(pictures) == len(reblur["images"]) == 1


def test_a_draft_is_shown_while_a_long_run_goes_on(comfy_server: rig.Server) -> None:
    def sent_before_the_result(quality: str) -> list[dict[str, Any]]:
        graph = chain(comfy_server, batch=8)
        graph["6"]["inputs"]["quality"] = quality
        run = comfy_server.run(graph)
        assert run.end == "execution_success", run.error
        kinds = [kind for kind, data in run.events if kind == "refocus_meanwhile" or data.get("node") == "6"]
        assert kinds[-1] != "refocus_meanwhile", "it comes before the result"
        return run.of("refocus_meanwhile")

    (draft,) = sent_before_the_result("best")
    assert draft["node"] == "6"
    assert Image.open(io.BytesIO(comfy_server.view(draft["image"]))).size == (64, 48)
    assert sent_before_the_result("draft") == []


def test_unsigned_mask_needs_depth_and_one_picture_is_enough(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["8"] = {"class_type": "SolidMask", "inputs": {"value": 0.5, "width": 64, "height": 48}}
    graph["9"] = node(comfy_server, "RefocusDefocusFromImage", mask=["8", 0], signs="unsigned", white=8.0)
    graph["9"]["inputs"].update(focus="point", x=0.02, y=0.5)  # half way down the ground
    graph["6"]["inputs"]["defocus"] = ["9", 0]
    assert "Connect the depth" in fails(comfy_server, graph)
    graph["9"]["inputs"]["depth"] = ["3", 0]
    run = comfy_server.run(twin.probed(graph, ("9", 0)))
    assert run.end == "execution_success", run.error
    radius = twin.read_probe(comfy_server, "9")["radius_px"]
    assert torch.equal(radius, twin.Twin(comfy_server, graph).value(["9", 0]).radius_px)
    assert set(radius.unique().tolist()) == {-4.0, 4.0}
    graph["9"]["inputs"]["image"] = ["2", 0]
    assert "one of them" in fails(comfy_server, graph)


def test_thumbnails_for_the_page_hold_the_depth_and_both_pictures(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server, batch=3)
    run = comfy_server.run(twin.probed(graph, ("4", 0), ("6", 0)))
    (focus,), (compare,) = run.ui("4")["refocus_focus"], run.ui("6")["refocus_compare"]
    found = twin.read_probe(comfy_server, "4")
    for numbers, file, expected in (
        (focus, focus["depth"], found["disparity"]),
        (compare, compare["radius"], found["radius_px"]),
    ):
        assert (numbers["size"], numbers["shown"], numbers["frames"]) == ([64, 48], [0, 1, 2], 3)
        steps = np.frombuffer(zlib.decompress(comfy_server.view(file)), "<u2").reshape(3, 48, 64)
        codes = np.cumsum(steps, -1, dtype=np.uint16) & 32767
        values = numbers["low"] + codes / 32767 * (numbers["high"] - numbers["low"])
        assert np.abs(values - expected.numpy()).max() <= (numbers["high"] - numbers["low"]) / 32767
    for files, image in ((focus["photos"], ("1", 0)), (compare["before"], ("1", 0)), (compare["after"], ("6", 0))):
        pictures = np.stack([np.asarray(Image.open(io.BytesIO(comfy_server.view(f)))) for f in files]) / 255
        assert np.abs(pictures - twin.read_probe(comfy_server, *image).clamp(0, 1).numpy()).mean() < 0.03, "a JPEG of it"


def test_second_run_comes_from_the_cache_with_its_previews(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server, width=72)
    graph["5"]["inputs"]["softness"] = 0.35  # not in the cache from another test
    first = comfy_server.run(graph)
    assert {"3", "4", "5", "6"} <= first.executed
    second = comfy_server.run(graph)
    assert second.end == "execution_success"
    assert {"1", "2", "3", "4", "5", "6"} <= second.cached
    assert not second.of("progress"), "something was computed again"
    assert second.ui("6")["images"] == first.ui("6")["images"]
    changed = {**graph, "5": node(comfy_server, "RefocusBokehKernel", shape="ring")}
    third = comfy_server.run(changed)
    assert {"3", "4"} <= third.cached and not {"5", "6"} & third.cached


# --- photos --------------------------------------------------------------------------------------------------------------


def photo_graph(server: rig.Server, name: str, **defocus: Any) -> rig.Graph:
    """Photo (1) with its own depth and lens -> defocus (2) -> preview (3)."""
    given = {"depth": ["1", 4], "image": ["1", 0], "lens": ["1", 2], **defocus}
    return {
        "1": node(server, "RefocusLoadPhoto", image=name, refine=0.0),
        "2": node(server, "RefocusDefocusMap", **given),
        "3": node(server, "PreviewImage", images=["2", 1]),
    }


def portrait(server: rig.Server, name: str) -> None:
    """A photo of 64 x 48 into the input folder, with a slope of depth from 1 to 4 m at half that size."""
    distance = np.linspace(1, 4, 32)[None].repeat(24, 0)
    picture = portraits.encoded(distance, 1, 4, "RangeInverse", bits=16)
    photo = portraits.dynamic_depth(portraits.jpeg(), picture, Format="RangeInverse", Units="Meters", Near=1, Far=4)
    (server.base / "input" / name).write_bytes(photo)


def test_a_photo_is_loaded_with_its_lens_and_its_depth(comfy_server: rig.Server) -> None:
    from refocus_core import defocus, depth
    from refocus_core.files import pictures, stored_depth
    from refocus_core.optics import Lens

    portrait(comfy_server, "portrait.jpg")
    path = comfy_server.base / "input" / "portrait.jpg"
    camera = {"strength": "camera", "f_number": 0.0, "focal_mm": 0.0, "sensor": "the photo's own"}
    graph = photo_graph(comfy_server, path.name, focus="distance", distance_m=0.0, **camera)
    run = comfy_server.run(twin.probed(graph, ("1", 0), ("1", 1), ("1", 3), ("2", 0)))
    assert run.end == "execution_success", run.error
    photo = pictures.load(path)
    assert torch.equal(twin.read_probe(comfy_server, "1").movedim(-1, 1), photo.image)
    assert torch.equal(twin.read_probe(comfy_server, "1", 1), torch.zeros(1, 64, 64)), "as core's Load Image"
    assert photo.camera.sensor_mm is not None
    assert float(twin.read_probe(comfy_server, "1", 3)) == pytest.approx(photo.camera.focal_px(64))
    found = stored_depth.read_stored_depth(path, photo.camera)
    assert found is not None
    lens = Lens(6.81, 1.85, photo.camera.sensor_mm)
    made = defocus.from_lens(depth.fit(found, photo.image), lens, defocus.FocusDistance(1.6))
    assert torch.allclose(twin.read_probe(comfy_server, "2")["radius_px"], made.radius_px, atol=1e-5)
    (page,) = run.ui("2")["refocus_focus"]
    assert page["camera"]["f_number"] == pytest.approx(1.85) and page["camera"]["subject_m"] == pytest.approx(1.6)


def test_raw_files_and_an_iphones_portrait_are_loaded(comfy_server: rig.Server) -> None:
    from refocus_core import depth
    from refocus_core.files import pictures, stored_depth

    folder = comfy_server.base / "input"
    raw = dng.dng(folder / "shot.dng", dng.two_colours(), (0.5, 1.0, 0.7))
    lens = portraits.exif()
    lens[0x010F] = "Apple"
    values = np.linspace(10, 250, 64).astype(np.uint8)[None].repeat(48, 0)
    heic = folder / "portrait.heic"
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    heic.write_bytes(portraits.heic(photo, values, lens, representation_type=1, d_min=0.25, d_max=2.75))
    for path in (raw, heic):
        graph = {"1": node(comfy_server, "RefocusLoadPhoto", image=path.name, refine=0.0)}
        run = comfy_server.run(twin.probed(graph, ("1", 0), *([("1", 4)] if path == heic else [])))
        assert run.end == "execution_success", run.error
        assert torch.equal(twin.read_probe(comfy_server, "1").movedim(-1, 1), pictures.load(path).image)
    found = stored_depth.read_stored_depth(heic, pictures.load(heic).camera)
    assert found is not None and found.metric
    fitted = depth.fit(found, pictures.load(heic).image)
    assert torch.allclose(twin.read_probe(comfy_server, "1", 4)["disparity"], fitted.disparity, atol=1e-6)


def test_16_bits_and_transparency_come_through(comfy_server: rig.Server) -> None:
    from refocus_core.files import pictures

    image, alpha = torch.rand(1, 3, 20, 30), torch.rand(1, 1, 20, 30)
    path = comfy_server.base / "input" / "deep.png"
    pictures.save(path, image, alpha=alpha, bits=16)
    graph = {"1": node(comfy_server, "RefocusLoadPhoto", image=path.name)}
    run = comfy_server.run(twin.probed(graph, ("1", 0), ("1", 1)))
    assert run.end == "execution_success", run.error
    assert float((twin.read_probe(comfy_server, "1").movedim(-1, 1) - image).abs().max()) < 1 / 65535
    assert float((twin.read_probe(comfy_server, "1", 1) - (1 - alpha[:, 0])).abs().max()) < 1 / 65535
    before = run.executed
    pictures.save(path, 1 - image, alpha=alpha, bits=16)
    again = comfy_server.run(twin.probed(graph, ("1", 0), ("1", 1)))
    assert "1" in before and "1" in again.executed, "a file that has changed is read again"


def test_a_photo_without_depth_fails_only_where_its_depth_is_used(comfy_server: rig.Server) -> None:
    (comfy_server.base / "input" / "plain.jpg").write_bytes(portraits.jpeg())
    used = photo_graph(comfy_server, "plain.jpg")
    assert "plain.jpg holds no depth" in fails(comfy_server, used)
    unused = {"1": used["1"], "3": node(comfy_server, "PreviewImage", images=["1", 0])}
    assert comfy_server.run(unused).end == "execution_success"


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/hostname", "link.jpg", "missing.jpg", "../output/x.png [temp]"])
def test_nothing_outside_the_input_folder_is_read(comfy_server: rig.Server, name: str) -> None:
    (comfy_server.base / "secret.jpg").write_bytes(portraits.jpeg())
    link = comfy_server.base / "input" / "link.jpg"
    if not link.is_symlink():
        link.symlink_to(comfy_server.base / "secret.jpg")
    graph = {
        "1": node(comfy_server, "RefocusLoadPhoto", image=name),
        "3": node(comfy_server, "PreviewImage", images=["1", 0]),
    }
    with pytest.raises(RuntimeError, match="input folder"):
        comfy_server.run(graph)


def test_the_list_holds_every_kind_of_photo_and_nothing_else(comfy_server: rig.Server) -> None:
    for name in ("a.exr", "a.pfm", "a.heic", "a.dng", "a.jpg", "a.txt", "a.svg", "a.mp4"):
        (comfy_server.base / "input" / name).write_bytes(b"")
    (listed, spec) = comfy_server.get("/object_info/RefocusLoadPhoto")["RefocusLoadPhoto"]["input"]["required"]["image"]
    names = spec["options"] if listed == "COMBO" else listed
    assert spec["image_upload"] is True
    assert {n for n in names if n.startswith("a.")} == {"a.exr", "a.pfm", "a.heic", "a.dng", "a.jpg"}


# --- progress and interrupt ---------------------------------------------------------------------------------------------


def long_chain(server: rig.Server) -> rig.Graph:
    """A Reblur that would take minutes."""
    graph = chain(server, batch=4, width=700, height=500)
    graph["3"]["inputs"]["refine"] = 0.0
    graph["4"]["inputs"]["percent"] = 4.0
    graph["6"]["inputs"]["quality"] = "best"
    return graph


def test_progress_counts_up(comfy_server: rig.Server) -> None:
    run = comfy_server.run(chain(comfy_server, batch=2, width=200, height=160))
    steps = [(d["value"], d["max"]) for d in run.of("progress") if d["node"] == "6"]
    assert len(steps) >= 2
    assert [v for v, _ in steps] == sorted(v for v, _ in steps)
    assert steps[-1][0] == steps[-1][1]


def test_interrupt_stops_a_long_reblur(comfy_server: rig.Server) -> None:
    run = comfy_server.run(long_chain(comfy_server), interrupt_after="6")
    assert run.end == "execution_interrupted"
    (stopped,) = run.of("execution_interrupted")
    assert stopped["node_id"] == "6"
    assert run.of("progress")[-1]["value"] < run.of("progress")[-1]["max"]
    after = comfy_server.run(chain(comfy_server))  # and the server is as good as before
    assert after.end == "execution_success"


# --- messages -----------------------------------------------------------------------------------------------------------


def test_nan_in_the_photo(comfy_server: rig.Server) -> None:
    assert "NaN or infinite" in fails(comfy_server, chain(comfy_server, content="nan"))


def test_defocus_of_another_size(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["8"] = noise(comfy_server, 40, 30)
    graph["6"]["inputs"]["image"] = ["8", 0]
    message = fails(comfy_server, graph)
    assert "64" in message and "40" in message, message


def test_blur_is_painted_over_that_of_depth_and_lens(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    plain = comfy_server.run(twin.probed(graph, ("4", 0)))
    assert plain.end == "execution_success", plain.error
    before = twin.read_probe(comfy_server, "4")["radius_px"]
    _, h, w = before.shape
    graph["8"] = {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": w, "height": h}}
    graph["4"]["inputs"].update(blur_mask=["8", 0], mask_blur=10.0)
    run = comfy_server.run(twin.probed(graph, ("4", 0)))
    assert run.end == "execution_success", run.error
    after = twin.read_probe(comfy_server, "4")["radius_px"]
    assert torch.allclose(after.abs() - before.abs(), torch.full_like(before, 0.1 * max(h, w)), atol=1e-4)
    assert bool(((after < 0) == (before < 0)).all())


def test_empty_focus_mask_says_how_to_paint_one(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["8"] = {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": 64, "height": 64}}
    graph["4"]["inputs"].update(focus="mask", focus_mask=["8", 0])
    assert "MaskEditor" in fails(comfy_server, graph)


def test_a_negative_f_number_is_refused_before_anything_runs(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["4"]["inputs"].update(strength="camera", f_number=-1.0)
    with pytest.raises(RuntimeError, match="f_number"):
        comfy_server.run(graph)


def test_f_number_zero_needs_a_lens(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["3"]["inputs"].update(near_m=1.0, far_m=5.0)
    graph["4"]["inputs"].update(strength="camera", f_number=0.0)
    assert "no photo's lens data are given. Set f_number" in fails(comfy_server, graph)


def test_camera_without_metres(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["4"]["inputs"]["strength"] = "camera"
    assert "near_m and far_m" in fails(comfy_server, graph)


def test_coloured_depth_picture(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["2"]["inputs"]["content"] = "noise"
    assert "colour map cannot be read back" in fails(comfy_server, graph)


def test_source_that_is_not_connected(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["3"]["inputs"]["source"] = "da3_geometry"
    assert "nothing is connected" in fails(comfy_server, graph)


def test_aperture_from_nothing(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["5"]["inputs"]["shape"] = "image"
    assert "aperture_image or aperture_mask" in fails(comfy_server, graph)


def test_missing_depth_model_names_the_switch_and_the_folder(comfy_server: rig.Server) -> None:
    graph = chain(comfy_server)
    graph["3"] = node(comfy_server, "RefocusDepthEstimate", image=["1", 0], source="model", model="depth-pro")
    message = fails(comfy_server, graph)
    assert "allow_download" in message and str(comfy_server.base / "models" / "refocus") in message


def test_depth_estimate_runs_on_a_photo_with_nothing_set_and_nothing_downloaded(comfy_server: rig.Server) -> None:
    graph = {
        "1": noise(comfy_server, 80, 64, seed=5),
        "2": node(comfy_server, "RefocusDepthEstimate", image=["1", 0]),
        "3": node(comfy_server, "PreviewImage", images=["2", 1]),
    }
    run = comfy_server.run(twin.probed(graph, ("2", 1)))
    assert run.end == "execution_success", run.error
    shown = twin.read_probe(comfy_server, "2", 1)
    assert shown.shape == (1, 64, 80, 3) and float(shown.std()) > 0.01


def test_all_in_focus_needs_nothing_and_tells_the_blur(comfy_server: rig.Server) -> None:
    graph = {
        "1": noise(comfy_server, 80, 64, seed=5),
        "2": node(comfy_server, "RefocusAllInFocus", image=["1", 0]),
        "3": node(comfy_server, "RefocusReblur", image=["2", 0], defocus=["2", 1]),
        "4": node(comfy_server, "PreviewImage", images=["3", 0]),
    }
    run = comfy_server.run(twin.probed(graph, ("2", 0), ("3", 0)))
    assert run.end == "execution_success", run.error
    reference = twin.Twin(comfy_server, graph)
    for key in ("2", "3"):
        found = twin.read_probe(comfy_server, key).movedim(-1, 1)
        assert float((found - reference.value([key, 0])).abs().max()) <= 1e-4


def test_blind_deconvolution_takes_the_kernel_and_the_noise(comfy_server: rig.Server) -> None:
    def graph(**more: Any) -> rig.Graph:
        return {
            **chain(comfy_server, width=128, height=96),
            "8": node(comfy_server, "RefocusAllInFocus", image=["6", 0], method="blind-deconvolution", **more),
            "9": node(comfy_server, "PreviewImage", images=["8", 0]),
        }

    found: list[torch.Tensor] = []
    for more in ({}, {"kernel": ["5", 0]}, {"noise": 0.1}):
        run = comfy_server.run(twin.probed(graph(**more), ("8", 0)))
        assert run.end == "execution_success", run.error
        picture = twin.read_probe(comfy_server, "8").movedim(-1, 1)
        assert float((picture - twin.Twin(comfy_server, graph(**more)).value(["8", 0])).abs().max()) <= 2e-4
        found.append(picture)
    assert all(float((other - found[0]).abs().max()) > 0.01 for other in found[1:])


def test_all_in_focus_without_radii_stops_what_needs_them(comfy_server: rig.Server) -> None:
    graph = {
        "1": noise(comfy_server),
        "2": node(comfy_server, "RefocusAllInFocus", image=["1", 0], method="none"),
        "3": node(comfy_server, "RefocusReblur", image=["2", 0], defocus=["2", 1]),
        "4": node(comfy_server, "PreviewImage", images=["3", 0]),
    }
    assert "does not know the blur" in fails(comfy_server, graph)


# --- models -------------------------------------------------------------------------------------------------------------


def with_models(server: rig.Server) -> rig.Graph:
    """A depth network and a restoration network, both from folders that only extra_model_paths.yaml names."""
    return {
        "1": noise(server, 80, 64, seed=5),
        "2": node(server, "RefocusDepthEstimate", image=["1", 0], source="model", model="tiny/model.safetensors"),
        "3": node(server, "RefocusAllInFocus", image=["1", 0], method="model:tiny_nafnet.safetensors"),
        "4": node(server, "RefocusDefocusMap", depth=["2", 0], percent=4.0),
        "5": node(server, "RefocusReblur", image=["3", 0], defocus=["4", 0]),
        "6": node(server, "PreviewImage", images=["5", 0]),
    }


def test_models_of_extra_model_paths_run_as_in_the_core(comfy_server: rig.Server) -> None:
    graph = with_models(comfy_server)
    run = comfy_server.run(twin.probed(graph, ("3", 0), ("5", 0)))
    assert run.end == "execution_success", run.error
    reference = twin.Twin(comfy_server, graph)
    for key in ("3", "5"):
        found = twin.read_probe(comfy_server, key).movedim(-1, 1)
        assert float((found - reference.value([key, 0])).abs().max()) <= 1e-4


def test_no_model_of_ours_stays_after_comfyui_frees_memory(comfy_server: rig.Server) -> None:
    graph = with_models(comfy_server)
    comfy_server.raw("/free", {"unload_models": True, "free_memory": True})  # what earlier tests have loaded
    # ComfyUI frees between two runs: one that is queued before it looks would be followed by it.
    assert comfy_server.run({"1": graph["1"], "6": {**graph["6"], "inputs": {"images": ["1", 0]}}}).end == "execution_success"
    run = comfy_server.run(graph)
    assert run.end == "execution_success", run.error
    before = comfy_server.get("/probe/models")
    classes = {"DepthModel", "DepthAnythingForDepthEstimation", "NAFNet"}
    assert classes <= set(before["classes"]), "the models are kept for the next run"
    assert before["loaded"].count("_Holder") == 2, "and ComfyUI knows them"
    comfy_server.raw("/free", {"unload_models": True, "free_memory": True})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        after = comfy_server.get("/probe/models")
        if not classes & set(after["classes"]):
            break
        time.sleep(0.5)
    assert not classes & set(after["classes"])
    assert "_Holder" not in after["loaded"]
    again = comfy_server.run(graph)
    assert again.end == "execution_success" and {"2", "3"} <= again.executed


def test_kept_models_are_not_loaded_twice(comfy_server: rig.Server) -> None:
    comfy_server.run(with_models(comfy_server))
    graph = with_models(comfy_server)
    graph["1"]["inputs"]["seed"] = 6
    comfy_server.run(graph)
    assert comfy_server.get("/probe/models")["loaded"].count("_Holder") == 2
