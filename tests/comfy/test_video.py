"""Refocus Video in a real server: the same clip as from the command line, and no file left where it is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refocus_core.cli import main
from refocus_core.files import clips
from tests.helpers import clip_files, rig
from tests.helpers.graphs import fails, node

pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")

KEYS = json.dumps(
    {"keys": [{"frame": 0, "x": 0.5, "y": 0.8, "percent": 4}, {"frame": 9, "x": 0.9, "y": 0.1, "percent": 2, "ease": "linear"}]}
)


def refocused(server: rig.Server, name: str, **inputs: Any) -> rig.Graph:
    """A clip of the input folder (1) -> Refocus Video (2) -> saved (3)."""
    return {
        "1": node(server, "LoadVideo", file=name),
        "2": node(server, "RefocusVideo", video=["1", 0], quality="draft", **inputs),
        "3": node(server, "SaveVideo", video=["2", 0], filename_prefix="clip", codec="auto"),
    }


def temporary(server: rig.Server) -> set[str]:
    """Names of the clips in ComfyUI's temporary folder."""
    return {p.name for p in (server.base / "temp").iterdir() if p.suffix in (".mp4", ".mkv", ".mov")}


def result(server: rig.Server, graph: rig.Graph) -> Path:
    """The file that Refocus Video of `graph` has written."""
    run = server.run(graph)
    assert run.end == "execution_success", run.error
    (shown,) = run.ui("2")["images"]
    return server.base / shown["type"] / shown["filename"]


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ({"focus": "keyframes", "keyframes": KEYS, "percent": 3.0}, ["--keyframes", KEYS, "--blur", "3"]),
        (
            {"strength": "camera", "f_number": 2.0, "focal_mm": 85.0, "near_m": 1.0, "far_m": 20.0, "focus": "distance"}
            | {
                "distance_m": 3.0,
                "deblur": "refocus-deblur-s",
                "fine_tuning": True,
                "exposure": -0.5,
                "far_gain": 0.5,
                "bloom": 0.2,
            },
            [
                *("--f-number", "2", "--focal-mm", "85", "--near-m", "1", "--far-m", "20", "--focus-distance", "3"),
                *("--deblur", "refocus-deblur-s", "--exposure", "-0.5", "--far-gain", "0.5", "--bloom", "0.2"),
            ],
        ),
    ],
    ids=["keyframes", "camera"],
)
def test_a_clip_is_what_the_command_line_makes_of_it(
    comfy_server: rig.Server, tmp_path: Path, inputs: dict[str, Any], arguments: list[str]
) -> None:
    source = clip_files.pan(comfy_server.base / "input" / "pan.mp4", sound="aac")
    before = temporary(comfy_server)
    got = result(comfy_server, refocused(comfy_server, "pan.mp4", **inputs))
    assert temporary(comfy_server) == {*before, got.name}
    same = tmp_path / "same.mp4"
    options = ["--quality", "draft", "--depth", "refocus-depth-s", "-q", *arguments]
    assert main([str(source), "-o", str(same), *([] if "deblur" in inputs else ["--deblur", "none"]), *options]) == 0
    for ours, theirs, taken in zip(clips.frames(got), clips.frames(same), clips.frames(source), strict=True):
        assert ours.shape == taken.shape
        assert float((ours - theirs).abs().max()) <= 2 / 255, "two steps are the encoder's"
        assert float((ours - taken).abs().mean()) > 0.005
    (saved,) = (comfy_server.base / "output").glob("clip_*.mp4")
    for made in (got, saved):
        assert clip_files.times_of(made) == list(clip_files.TIMES_MS)
        assert clip_files.sound_of(made) == clip_files.sound_of(source)
    saved.unlink()


def test_frames_in_memory_and_a_trimmed_clip_go_through_and_leave_no_copy(comfy_server: rig.Server) -> None:
    clip_files.pan(comfy_server.base / "input" / "even.mp4", sound="aac", times_ms=tuple(range(0, 800, 100)))
    graph = refocused(comfy_server, "even.mp4")
    inputs = {"video": ["1", 0], "start_time": 0.2, "duration": 0.3, "strict_duration": False}
    trimmed = {"class_type": "Video Slice", "inputs": inputs}
    parts = node(comfy_server, "GetVideoComponents", video=["1", 0])
    rejoined = node(comfy_server, "CreateVideo", images=["4", 0], audio=["4", 1], fps=10.0)
    for more, count in (({"5": trimmed}, 3), ({"4": parts, "5": rejoined}, 8)):
        before = temporary(comfy_server)
        graph["2"]["inputs"]["video"] = ["5", 0]
        got = result(comfy_server, {**graph, **more})
        assert temporary(comfy_server) == {*before, got.name}
        assert clip_files.times_of(got) == [100 * k for k in range(count)]
        assert clip_files.sound_of(got)


def test_cancel_leaves_no_file_and_the_next_run_works(comfy_server: rig.Server) -> None:
    clip_files.pan(comfy_server.base / "input" / "long.mp4", sound="aac", times_ms=tuple(range(0, 40_000, 40)))
    before = temporary(comfy_server)
    run = comfy_server.run(refocused(comfy_server, "long.mp4"), interrupt_after="2")
    assert run.end == "execution_interrupted"
    assert run.of("progress")[-1]["value"] < run.of("progress")[-1]["max"]
    assert temporary(comfy_server) == before


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"focus": "mask"}, "nothing is connected to focus_mask"),
        ({"focus": "keyframes"}, "the input keyframes is empty"),
        ({"strength": "camera"}, "Give near_m and far_m"),
        ({"focus": "distance"}, "Give near_m and far_m"),
        ({"near_m": 2.0}, "Give both near_m and far_m"),
        ({"model": "depth-anything-v2-small"}, "allow_download"),
    ],
)
def test_mistakes_are_told_before_the_work(comfy_server: rig.Server, inputs: dict[str, Any], message: str) -> None:
    clip_files.pan(comfy_server.base / "input" / "pan.mp4", sound="aac")
    before = temporary(comfy_server)
    assert message in fails(comfy_server, refocused(comfy_server, "pan.mp4", **inputs))
    assert temporary(comfy_server) == before


def test_a_clip_that_is_none_is_named(comfy_server: rig.Server) -> None:
    (comfy_server.base / "input" / "broken.mp4").write_bytes(b"no clip")
    said = fails(comfy_server, refocused(comfy_server, "broken.mp4"))
    assert "video: " in said and "broken.mp4" in said and "Convert it" in said
