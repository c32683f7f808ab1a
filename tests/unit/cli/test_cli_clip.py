"""`python -m refocus_core clip.mp4 -o out.mp4`: the same pictures as the whole clip at once, and its messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from refocus_core import bokeh, defocus, depth, options
from refocus_core.cli import main
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import clips
from refocus_core.images import magnified
from refocus_core.optics import Blur
from refocus_core.types import DepthMap
from tests.helpers import clip_files, motorcycle

pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")

KEYS = json.dumps(
    {"keys": [{"frame": 0, "x": 0.5, "y": 0.8, "percent": 4}, {"frame": 9, "x": 0.9, "y": 0.1, "percent": 2, "ease": "linear"}]}
)
"""The second key lies beyond the end, so that it is measured in the last frame."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_files.pan(tmp_path_factory.mktemp("clip") / "a.mp4")


@pytest.mark.parametrize("keys", [KEYS, None], ids=["keyframes", "automatic"])
def test_frame_after_frame_equals_the_whole_clip_at_once(clip: Path, tmp_path: Path, keys: str | None) -> None:
    out = tmp_path / "o.mp4"
    given = [str(clip), "-o", str(out), "--blur", "3", "--deblur", "none", "--quality", "draft", "-q"]
    assert main([*given, *([] if keys is None else ["--keyframes", keys])]) == 0
    model = depth.load()
    frames = list(clips.frames(clip))
    found = [depth.frame_depth(model, f) for f in frames]
    aligner = depth.ClipAligner(model.metric)
    for f in found:
        aligner.add(f)
    scale = aligner.result()
    on_range = [scale.depth_map(i, f, model) for i, f in enumerate(found)]
    steady = depth.steadied(zip(frames, on_range, strict=True), int(options.depth.STEADY_FRAMES.default), 1.0)
    maps = [depth.refine(m, p) for m, p in zip(steady, frames, strict=True)]
    assert min(float(m.disparity.min()) for m in maps) < 0.02 and max(float(m.disparity.max()) for m in maps) > 0.98
    together = DepthMap(torch.cat([m.disparity for m in maps]), False, edge_px=maps[0].edge_px)
    automatic = defocus.FocusAuto(photo=torch.cat(frames))
    moved = {"keyframes": defocus.parse_keyframes(keys)} if keys else {"focus": automatic}
    made = defocus.from_lens(together, Blur(3), **moved)
    want = linear_to_srgb(bokeh.render(srgb_to_linear(torch.cat(frames)), made, quality="draft")).clamp(0, 1)
    got = torch.cat(list(clips.frames(out)))
    assert float((got - want).abs().mean()) < 0.01, "but for the encoder"
    assert float((want - torch.cat(frames)).abs().mean()) > 0.02, "which is far less than what the blur changes"
    assert clip_files.times_of(out) == list(clip_files.TIMES_MS)
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_a_rack_to_what_is_near_shows_it_larger_with_breathing(clip: Path, tmp_path: Path) -> None:
    keys = json.dumps({"keys": [{"frame": 0, "distance_m": 4.0}, {"frame": 3, "distance_m": 0.8}]})
    camera = ["--f-number", "11", "--focal-mm", "85", "--near-m", "0.8", "--far-m", "4", "--keyframes", keys]
    given = [str(clip), "--deblur", "none", "--quality", "draft", "-q", *camera]
    assert main([*given, "-o", str(tmp_path / "still.mp4")]) == 0
    assert main([*given, "--breathing", "1", "-o", str(tmp_path / "breathing.mp4")]) == 0
    still, breathing = (list(clips.frames(tmp_path / f"{name}.mp4")) for name in ("still", "breathing"))
    assert float((still[0] - breathing[0]).abs().mean()) < 0.01, "but for the encoder"
    size = (1 - 0.085 / 4) / (1 - 0.085 / 0.8)
    as_large = float((magnified(still[3], size) - breathing[3]).abs().mean())
    assert as_large < 0.4 * float((still[3] - breathing[3]).abs().mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--save-depth", "{out}/d.png"], "--save-depth is about one photo"),
        (["--deblur", "deconvolution"], "Choose another --deblur for a clip"),
        (["--breathing", "1", "--keyframes", KEYS], "--breathing is how a camera's picture grows"),
        (["-o", "{out}/o.png"], "clips are written as"),
        (["-o", "{clip}"], "is the input"),
        (["--keyframes", '{"keys": []}'], "There is no key"),
        (["--keyframes", "{out}/none.json"], "none.json"),
        (["--aperture", "pentagram"], "is neither a shape"),
        (["--save-aperture", "{out}/lens.json"], "--save-aperture is about one photo"),
        (["--keyframes", '{"keys": [{"frame": 0, "distance_m": 2}]}'], "needs depth in metres"),
    ],
)
def test_mistakes_about_a_clip(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    filled = [o.replace("{out}", str(tmp_path)).replace("{clip}", str(clip)) for o in options]
    assert main([str(clip), "-o", str(tmp_path / "o.mp4"), "--deblur", "none", "-q", *filled]) == 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [["--keyframes", KEYS], ["--steady-frames", "3"]], ids=lambda given: given[0])
def test_what_is_for_clips_is_refused_for_a_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str]) -> None:
    assert main([str(motorcycle.PHOTO), "-o", str(tmp_path / "o.png"), *given, "-q"]) == 2
    assert f"{given[0]} is for the frames of a clip" in capsys.readouterr().err
