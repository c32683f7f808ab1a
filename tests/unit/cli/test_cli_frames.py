"""`python -m refocus_core FRAMES -o OUT`: a folder of frames is a clip, and a stopped run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from refocus_core.cli import main
from refocus_core.files import pictures
from tests.helpers import motorcycle, paths

KEYS = json.dumps({"keys": [{"frame": 0, "x": 0.5, "y": 0.8}, {"frame": 3, "x": 0.9, "y": 0.1, "ease": "linear"}]})
GIVEN = ["--blur", "3", "--deblur", "none", "--quality", "draft", "--keyframes", KEYS]
NAMES = ("pan_8.png", "pan_9.png", "pan_10.png", "pan_11.png")
"""Their order is that of the pan only if numbers count as numbers."""


def frames(folder: Path, bits: int = 8) -> Path:
    """Four frames of a pan over the motorcycle."""
    folder.mkdir()
    whole = pictures.load(motorcycle.PHOTO).image
    for i, name in enumerate(NAMES):
        pictures.save(folder / name, whole[..., 100:228, 100 + 16 * i : 292 + 16 * i], bits=bits)
    (folder / "notes.txt").write_text("no frame")
    return folder


def read(folder: Path) -> torch.Tensor:
    """The frames in a folder, [4,3,H,W]."""
    return torch.cat([pictures.load(folder / name).image for name in NAMES])


def test_frames_come_out_as_those_of_a_clip(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")
    from refocus_core.files import clips

    source = frames(tmp_path / "in")
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        video = out.add_stream("libx264rgb", rate=10, options={"qp": "0"})
        video.width, video.height, video.pix_fmt = 192, 128, "rgb24"
        for name in NAMES:
            with Image.open(source / name) as im:
                out.mux(video.encode(av.VideoFrame.from_image(im)))
        out.mux(video.encode(None))
    assert torch.cat(list(clips.frames(tmp_path / "a.mkv"))).allclose(read(source), atol=1e-3)
    assert main([str(source), "-o", str(tmp_path / "out"), *GIVEN, "-q"]) == 0
    assert main([str(tmp_path / "a.mkv"), "-o", str(tmp_path / "b.mkv"), *GIVEN, "-q"]) == 0
    clip = torch.cat(list(clips.frames(tmp_path / "b.mkv")))
    assert float((read(tmp_path / "out") - clip).abs().mean()) < 0.01, "but for the encoder"
    assert float((read(tmp_path / "out") - read(source)).abs().mean()) > 0.02, "which is far less than what the blur changes"


def test_a_killed_run_goes_on_and_ends_with_the_same_files(tmp_path: Path) -> None:
    source = frames(tmp_path / "in", bits=16)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([str(source), "-o", str(whole), *GIVEN, "-q"]) == 0
    command = [sys.executable, "-m", "refocus_core", str(source), "-o", str(stopped), *GIVEN, "-q"]
    process = subprocess.Popen(command, cwd=tmp_path, env=paths.environment(paths.REPO))
    deadline = time.monotonic() + 120
    while not (stopped / NAMES[0]).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = [name for name in NAMES if (stopped / name).exists()]
    assert done, "the first frame is there before the last one is begun"
    times = {name: (stopped / name).stat().st_mtime_ns for name in done}
    assert main([str(source), "-o", str(stopped), *GIVEN, "-q"]) == 0
    assert all((stopped / name).stat().st_mtime_ns == at for name, at in times.items()), "what was whole is not done again"
    for name in NAMES:
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    assert pictures.load(whole / NAMES[0]).bits == 16


def test_other_options_or_frames_begin_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = frames(tmp_path / "in"), tmp_path / "out"
    assert main([str(source), "-o", str(out), *GIVEN]) == 0
    first = read(out)
    assert main([str(source), "-o", str(out), *GIVEN]) == 0
    assert "4 of them done before" in capsys.readouterr().out
    assert main([str(source), "-o", str(out), *GIVEN, "--focus-range", "0.3"]) == 0
    assert "0 of them done before" in capsys.readouterr().out and not torch.equal(read(out), first)
    steadied = read(out)
    assert main([str(source), "-o", str(out), *GIVEN, "--focus-range", "0.3", "--steady-frames", "0"]) == 0
    assert "0 of them done before" in capsys.readouterr().out and not torch.equal(read(out), steadied)
    moved = ["--focus-range", "0.3", "--keyframes", KEYS.replace("0.9", "0.2")]
    assert main([str(source), "-o", str(out), *GIVEN, *moved]) == 0
    assert "0 of them done before" in capsys.readouterr().out
    with Image.open(source / NAMES[3]) as im:
        im.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(source / NAMES[3])
    assert main([str(source), "-o", str(out), *GIVEN]) == 0
    assert "0 of them done before" in capsys.readouterr().out, "each frame depends on all of them"


def test_transparency_stays(tmp_path: Path) -> None:
    source = frames(tmp_path / "in")
    for name in NAMES:
        with Image.open(source / name) as im:
            im.putalpha(Image.new("L", im.size, 128))
            im.save(source / name)
    assert main([str(source), "-o", str(tmp_path / "out"), *GIVEN, "-q"]) == 0
    alpha = pictures.load(tmp_path / "out" / NAMES[2]).alpha
    assert alpha is not None and float((alpha - 128 / 255).abs().max()) < 0.003


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "{in}"], "is the input"),
        (["-o", "{in}/notes.txt"], "is a file"),
        (["-o", "{out}/none/out"], "does not exist. Create it first"),
        (["--save-depth", "{out}/d.png"], "--save-depth is about one photo"),
        (["--bits", "32f"], "cannot hold 32-bit"),
        (["--deblur", "deconvolution"], "Choose another --deblur"),
    ],
)
def test_mistakes_are_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    source = frames(tmp_path / "in")
    filled = [o.replace("{out}", str(tmp_path)).replace("{in}", str(source)) for o in options]
    assert main([str(source), "-o", str(tmp_path / "out"), *GIVEN, "-q", *filled]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_folder_without_frames_and_frames_of_two_sizes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), "-o", str(tmp_path / "out"), "-q"]) == 2
    assert "has no frame" in capsys.readouterr().err and not (tmp_path / "out").exists()
    source = frames(tmp_path / "in")
    with Image.open(source / NAMES[1]) as im:
        im.resize((100, 80)).save(source / NAMES[1])
    assert main([str(source), "-o", str(tmp_path / "out"), *GIVEN, "-q"]) == 2
    assert "pan_9.png has 100 x 80 px, and pan_8.png 192 x 128" in capsys.readouterr().err
