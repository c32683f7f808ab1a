"""Disks that are full or closed: no half file, the earlier one whole, a sentence with the file and what to do.

The fault is the system's own: a limit on the size of files, which fails a write in the midst as a full disk does.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("resource", reason="limits of a process are those of POSIX")

from refocus_core.cli import main
from refocus_core.files import clips, pictures
from refocus_core.files.output import write_whole
from tests.helpers import clip_files
from tests.helpers.disks import room, run_program

PICTURES = [("png", 8), ("png", 16), ("jpg", 8), ("webp", 8), ("tif", 8), ("tif", 16), ("tif", 32), ("pfm", 32), ("exr", 32)]
MAPS = ["npy", "pfm", "exr", "tif", "png"]
REMEDY = r"could not be written \(.+\)\. .*(disk|folder)"
OLD = b"the earlier file"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where nothing but the earlier file may be when the test is over."""
    (tmp_path / "out").mkdir()
    yield tmp_path / "out"
    left = sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file() and ".refocus" not in p.parts)
    assert [p.read_bytes() for p in left] == [OLD] * len(left), left


def earlier(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(OLD)
    return folder / name


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """A photo with its depth, and options that take no time."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    Image.fromarray(np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))).save(tmp_path / "depth.png")
    options = ["--refine", "0", "--deblur", "none", "--quality", "draft", "--blur", "1", "-q"]
    return [str(tmp_path / "photo.png"), "--depth", str(tmp_path / "depth.png"), *options]


def refused(argv: list[str], size: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says where files hold no more than `size` bytes."""
    with room(size):
        assert main(argv) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and len(said.strip().splitlines()) == 1, said
    return said


@pytest.mark.parametrize("kind,bits", PICTURES)
@pytest.mark.parametrize("size", [0, 700])
def test_a_picture_that_does_not_fit_leaves_the_earlier_one(folder: Path, kind: str, bits: int, size: int) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR")
    path = earlier(folder, f"a.{kind}")
    image = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(0))
    with room(size), pytest.raises(OSError, match=rf"a\.{kind} {REMEDY}"):
        pictures.save(path, image, bits=bits)
    assert os.listdir(folder) == [path.name]


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("size", [0, 700])
def test_a_map_that_does_not_fit_leaves_the_earlier_one(folder: Path, kind: str, size: int) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR")
    path = earlier(folder, f"a.{kind}")
    with room(size), pytest.raises(OSError, match=rf"a\.{kind} {REMEDY}"):
        pictures.save_map(path, torch.rand(30, 40, generator=torch.Generator().manual_seed(0)))
    assert os.listdir(folder) == [path.name]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("size", [0, 20, 700])
def test_a_clip_that_does_not_fit_leaves_the_earlier_one(
    tmp_path: Path, folder: Path, capfd: pytest.CaptureFixture[str], kind: str, size: int
) -> None:
    pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    clip_files.written(tmp_path / "in.mp4", (np.roll(noise, shift, 1) for shift in range(4)), range(0, 400, 100))
    path = earlier(folder, f"a.{kind}")
    with room(size), pytest.raises(OSError, match=rf"a\.{kind} {REMEDY}"):
        clips.rewrite(tmp_path / "in.mp4", path, lambda _, frame: frame)
    assert "Traceback" not in capfd.readouterr().err
    assert os.listdir(folder) == [path.name]


def test_the_command_line_says_what_did_not_fit(folder: Path, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = earlier(folder, "o.png")
    assert f"{path} could not be written (File too large). Free space" in refused([*given, "-o", str(path)], 700, capsys)
    path = earlier(folder, "d.npy")
    assert f"{path} could not be" in refused([*given, "-o", str(folder / "n.png"), "--save-depth", str(path)], 700, capsys)


@pytest.mark.parametrize("option", ["--save-recipe", "--save-aperture"])
def test_texts_that_do_not_fit_are_named(
    tmp_path: Path, folder: Path, given: list[str], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    path = earlier(folder, "o.json")
    Image.new("RGB", (48, 40)).save(tmp_path / "photo.png")
    said = refused([*given, "-o", str(tmp_path / "o.webp"), option, str(path)], 120, capsys)
    assert f"{path} could not be written" in said


def test_a_batch_tells_of_each_picture_and_the_next_run_ends_it(
    tmp_path: Path, folder: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(tmp_path / "photo.png", tmp_path / "in" / "a.png")
    Image.new("RGB", (48, 40)).save(tmp_path / "in" / "b.png")
    options = {"depth": str(tmp_path / "depth.png"), "refine": 0, "deblur": "none", "quality": "draft", "blur": 1}
    (tmp_path / "r.json").write_text(json.dumps(options))
    argv = ["batch", str(tmp_path / "in"), str(tmp_path / "batch"), "--recipe", str(tmp_path / "r.json"), "-q"]
    with room(3000):
        assert main(argv) == 1
    said = capsys.readouterr().err
    assert "1 of 2 failed" in said and "a.png could not be written (File too large). Free space" in said, said
    assert sorted(p.name for p in (tmp_path / "batch").iterdir()) == [".refocus", "b.png"]
    assert main(argv) == 0
    assert sorted(p.name for p in (tmp_path / "batch").iterdir()) == [".refocus", "a.png", "b.png"]
    assert sorted(p.name for p in (tmp_path / "batch" / ".refocus").iterdir()) == ["journal.jsonl", "lock"]


@pytest.mark.parametrize("size,named", [(0, "journal.jsonl"), (150, "journal.jsonl")])
def test_a_journal_that_does_not_fit_stays_readable(tmp_path: Path, size: int, named: str) -> None:
    from refocus_core.batch import RESULT, Job, Journal, stamp

    (tmp_path / "in.txt").write_text("x")
    job = Job(tmp_path / "in.txt", {RESULT: tmp_path / "out" / "a.txt"}, {})
    with Journal(tmp_path / "out") as journal:
        staged = journal.staged(job, 0)
        staged[RESULT].write_text("result")
        with room(size), pytest.raises(OSError, match=rf"{named} {REMEDY}"):
            journal.commit(job, stamp(job), staged)
        assert (tmp_path / "out" / ".refocus" / named).read_bytes() == b""
        journal.commit(job, stamp(job), staged)
    with Journal(tmp_path / "out") as journal:
        assert journal.is_done(job, stamp(job))


def test_a_folder_of_frames_names_the_frame_and_goes_on(
    tmp_path: Path, folder: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (48, 40)).save(tmp_path / "in" / "1.png")
    shutil.copy(tmp_path / "photo.png", tmp_path / "in" / "2.png")
    argv = [str(tmp_path / "in"), "-o", str(tmp_path / "frames"), "--deblur", "none", "--blur", "1", "--quality", "draft", "-q"]
    said = refused(argv, 3000, capsys)
    assert f"{tmp_path / 'frames' / '2.png'} could not be written (File too large). Free space" in said
    assert [p.name for p in (tmp_path / "frames").glob("*.png")] == ["1.png"]
    assert main(argv) == 0
    assert {p.name for p in (tmp_path / "frames").glob("*.png")} == {"1.png", "2.png"}


CLOSED = """
import os, sys
from refocus_core.files.output import write_whole
from tests.helpers.disks import become_nobody
os.chdir(sys.argv[1])
become_nobody()
from pathlib import Path
try:
    write_whole(Path("closed/a.png"), lambda file: file.write(b"x"))
except OSError as error:
    print(error)
"""


def test_a_closed_folder_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as place:  # whose parents, unlike pytest's, are open to all
        os.chmod(place, 0o755)
        closed = Path(place) / "closed"
        closed.mkdir()
        (closed / "a.png").write_bytes(OLD)
        closed.chmod(0o555)
        said, failed = run_program(CLOSED, place, cwd=tmp_path).communicate(timeout=120)
        assert said.startswith("closed/a.png could not be written (Permission denied). Allow writing there, or"), failed
        assert os.listdir(closed) == ["a.png"] and (closed / "a.png").read_bytes() == OLD
        closed.chmod(0o755)


def test_what_a_writer_cannot_read_is_no_fault_of_the_disk(folder: Path) -> None:
    path = earlier(folder, "a.png")
    with pytest.raises(FileNotFoundError, match="missing"):
        write_whole(path, lambda file: file.write(Path("missing").read_bytes()))
