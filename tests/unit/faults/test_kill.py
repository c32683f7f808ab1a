"""Processes that are killed while they write: the earlier file stays whole, and the next run clears what they left.

The signal is the system's own; a program of its own writes, so nothing of it can tidy up.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("resource", reason="signals that cannot be caught are those of POSIX")

from refocus_core.cli import main
from refocus_core.files.output import write_whole
from refocus_core.files.unfinished import new_file, working_folder
from tests.helpers import clip_files
from tests.helpers.disks import run_program
from tests.helpers.paths import REPO, environment

OLD = b"the earlier file"
HEAD = """
import os, random, shutil, signal, sys
from pathlib import Path
from refocus_core.files.output import write_whole
from refocus_core.files.unfinished import new_file, working_folder

def say(text):
    print(text, flush=True)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
"""
"""What all programs here begin with."""
IN_THE_MIDST = """
def write(file):
    file.write(b"half" * 10000)
    file.flush()
    die()

write_whole(path, write)
"""
BEFORE_THE_NAME = """
os.replace = lambda *_: die()
write_whole(path, lambda file: file.write(b"whole"))
"""
BEFORE_THE_LOCK = """
import tempfile
tempfile.mkstemp(prefix=".refocus-", suffix=".png", dir=path.parent)
die()
"""
AGAIN_AND_AGAIN = """
def write(file):
    for _ in range(40):
        file.write(os.urandom(1000))
        file.flush()

say("begun")
while True:
    write_whole(path, write)
"""
SLOWLY = """
def write(file):
    file.write(b"first ")
    file.flush()
    say("begun")
    sys.stdin.readline()
    file.write(b"second")

write_whole(path, write)
"""
AT_ONCE = """
name = bytes(sys.argv[2], "ascii")
for _ in range(150):
    write_whole(path, lambda file: file.write(name * 1000))
    with working_folder(path.parent) as folder:
        (folder / "own").write_bytes(name)
        assert (folder / "own").read_bytes() == name
"""
IN_A_FOLDER = """
with working_folder(path.parent) as folder:
    (folder / "below").mkdir()
    (folder / "below" / "a.png").write_bytes(b"half")
    die()
"""


def killed(program: str, path: Path) -> None:
    """Run a program that kills itself."""
    child = run_program(HEAD + program, path, cwd=path.parent)
    _, said = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL, said


def hidden(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if "refocus-" in name]


@pytest.mark.parametrize("program", [IN_THE_MIDST, BEFORE_THE_NAME, BEFORE_THE_LOCK], ids=["midst", "name", "lock"])
def test_the_next_file_of_a_folder_takes_away_what_a_kill_left(tmp_path: Path, program: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(OLD)
    killed(program, path)
    assert path.read_bytes() == OLD and len(hidden(tmp_path)) == 1
    write_whole(tmp_path / "b.png", lambda file: file.write(b"whole"))
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"] and path.read_bytes() == OLD


def test_a_kill_at_any_moment_leaves_a_whole_file_and_nothing_after_the_next_run(tmp_path: Path) -> None:
    moments = random.Random(0)
    left = 0
    for _ in range(12):
        child = run_program(HEAD + AGAIN_AND_AGAIN, tmp_path / "a.png", cwd=tmp_path)
        assert child.stdout is not None and child.stdout.readline() == "begun\n"
        time.sleep(moments.uniform(0, 0.05))
        child.kill()
        child.communicate(timeout=60)
        left += len(hidden(tmp_path))
        assert not (tmp_path / "a.png").exists() or (tmp_path / "a.png").stat().st_size == 40_000
        write_whole(tmp_path / "b.png", lambda file: file.write(b"whole"))
        assert not hidden(tmp_path)
    assert left, "no kill came while a file was written: nothing was tried"


def test_a_file_that_another_process_is_writing_stays(tmp_path: Path) -> None:
    child = run_program(HEAD + SLOWLY, tmp_path / "a.png", cwd=tmp_path, stdin=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    write_whole(tmp_path / "b.png", lambda file: file.write(b"whole"))
    assert len(hidden(tmp_path)) == 1
    _, said = child.communicate("go on\n", timeout=60)
    assert child.returncode == 0, said
    assert (tmp_path / "a.png").read_bytes() == b"first second" and not hidden(tmp_path)


def test_processes_that_write_one_file_at_once_do_not_take_each_others(tmp_path: Path) -> None:
    children = [run_program(HEAD + AT_ONCE, tmp_path / "a.png", name, cwd=tmp_path) for name in "abc"]
    for child in children:
        _, said = child.communicate(timeout=240)
        assert child.returncode == 0, said
    data = (tmp_path / "a.png").read_bytes()
    assert data in {name * 1000 for name in (b"a", b"b", b"c")} and os.listdir(tmp_path) == ["a.png"]


def test_an_own_file_in_another_thread_stays(tmp_path: Path) -> None:
    file, path = new_file(tmp_path / "a.png")
    with file:
        write_whole(tmp_path / "b.png", lambda other: other.write(b"whole"))
        assert path.exists()
    path.unlink()


def test_files_of_other_names_stay(tmp_path: Path) -> None:
    names = [".refocus", ".refocus-notes.txt", ".refocus-abcdefgh.tar.gz", "refocus-abcdefgh.png", ".refocus-ABCDEFGH.png"]
    for name in names:
        (tmp_path / name).write_bytes(OLD)
    write_whole(tmp_path / "b.png", lambda file: file.write(b"whole"))
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "b.png"])


def test_the_next_working_folder_takes_away_what_a_kill_left(tmp_path: Path) -> None:
    killed(IN_A_FOLDER, tmp_path / "a.png")
    (tmp_path / "refocus-empty___").mkdir()  # of a kill before there was a lock
    (tmp_path / "refocus-results").mkdir()
    (tmp_path / "refocus-results" / "a.png").write_bytes(OLD)
    assert len(hidden(tmp_path)) == 3
    with working_folder(tmp_path) as folder, working_folder(tmp_path) as other:
        assert sorted(hidden(tmp_path)) == sorted([folder.name, other.name, "refocus-results"])
    assert hidden(tmp_path) == ["refocus-results"]


def test_a_run_of_the_command_line_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    clip_files.written(tmp_path / "in.mp4", (np.roll(noise, shift, 1) for shift in range(8)), range(0, 800, 100))
    (tmp_path / "out").mkdir()
    argv = [str(tmp_path / "in.mp4"), "-o", str(tmp_path / "out" / "o.mp4"), "--deblur", "none", "--blur", "1", "-q"]
    child = subprocess.Popen([sys.executable, "-m", "refocus_core", *argv], cwd=REPO, env=environment(REPO))
    while not hidden(tmp_path / "out"):
        assert child.poll() is None, "it ended before it wrote"
        time.sleep(0.05)
    child.kill()
    child.wait(60)
    assert len(hidden(tmp_path / "out")) == 1
    Image.fromarray(noise).save(tmp_path / "photo.png")
    Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))).save(tmp_path / "depth.png")
    options = ["--depth", str(tmp_path / "depth.png"), "--refine", "0", "--deblur", "none", "--blur", "1", "-q"]
    assert main([str(tmp_path / "photo.png"), *options, "-o", str(tmp_path / "out" / "photo.png")]) == 0
    assert os.listdir(tmp_path / "out") == ["photo.png"]
