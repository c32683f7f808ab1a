"""Many pictures: what is planned, what counts as done, and processes that fail, die and are killed. The work is a stand-in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from refocus_core import batch
from refocus_core.batch import Journal, Value
from tests.helpers.batch_work import NAMING, set_up
from tests.helpers.paths import REPO, environment


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for name in ("a.txt", "sub/b.txt", "sub/deep/a.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".hidden.txt").write_text("x")
    (folder / "note.md").write_text("x")
    return folder


def plan(folder: Path, out: Path, recipe: Mapping[str, Value] | None = None, suffix: str | None = None) -> list[batch.Job]:
    jobs, failed = batch.plan([folder], out, recipe or {}, folder.parent, NAMING, suffix)
    assert not failed
    return jobs


def do(jobs: list[batch.Job], out: Path, workers: int = 1) -> dict[str, str]:
    """Do what is not done: names of those that were worked on -> why they failed."""
    with Journal(out) as journal:
        waiting = [(job, stamp) for job in jobs if not journal.is_done(job, stamp := batch.stamp(job))]
        journal.clean()
        tasks = [(job, journal.staged(job, i)) for i, (job, _) in enumerate(waiting)]
        found: dict[str, str] = {}
        for outcome in batch.run_jobs(tasks, set_up, workers):
            job, stamp = waiting[outcome.number]
            if not outcome.reason:
                journal.commit(job, stamp, tasks[outcome.number][1])
            found[job.source.name] = outcome.reason + "".join(outcome.notes)
        return found


def test_folders_keep_their_structure_and_other_files_are_left_out(photos: Path, tmp_path: Path) -> None:
    jobs = plan(photos, tmp_path / "out", suffix=".png")
    names = [job.targets[batch.RESULT].relative_to(tmp_path / "out").as_posix() for job in jobs]
    assert names == ["a.png", "sub/b.png", "sub/deep/a.png"]


def test_results_inside_the_input_folder_are_no_input(photos: Path) -> None:
    assert do(plan(photos, photos / "out"), photos / "out").keys() == {"a.txt", "b.txt"}
    assert len(plan(photos, photos / "out")) == 3


def test_a_file_beside_the_picture_goes_before_the_recipe(photos: Path, tmp_path: Path) -> None:
    (photos / "sub" / "b.txt.refocus.json").write_text('{"point": [0.1, 0.2], "strength": 3, "depth": "z.txt", "soft": null}')
    (photos / "sub" / "z.txt").write_text("z")
    recipe: dict[str, Value] = {"mask": "masks/{name}.png", "strength": 1, "soft": True, "depth": "z.txt"}
    a, b, *_ = plan(photos, tmp_path / "out", recipe)
    assert a.options == {"mask": str(tmp_path / "masks" / "a.png"), "strength": 1, "soft": True, "depth": "z.txt"}
    assert b.options == {"strength": 3, "point": [0.1, 0.2], "depth": str(photos / "sub" / "z.txt")}


def test_a_broken_file_beside_a_picture_is_that_pictures_failure(photos: Path, tmp_path: Path) -> None:
    (photos / "a.txt.refocus.json").write_text('{"point": ')
    jobs, failed = batch.plan([photos], tmp_path / "out", {}, tmp_path, NAMING)
    assert len(jobs) == 2 and failed[0].source == photos / "a.txt" and "is not JSON" in failed[0].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must hold one object"),
        ('{"a": {"b": 1}}', "'a' must be a number"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": 1,}', "line 1, column"),
    ],
)
def test_what_is_no_recipe_is_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        batch.read_recipe(tmp_path / "r.json")


def test_two_results_of_one_name_are_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would be the result of"):
        batch.plan([photos / "a.txt", photos / "sub" / "deep" / "a.txt"], tmp_path / "out", {}, tmp_path, NAMING)
    with pytest.raises(ValueError, match="one file for all pictures"):
        plan(photos, tmp_path / "out", {"save-map": "map.png"})
    with pytest.raises(ValueError, match="lies outside OUT"):
        plan(photos, tmp_path / "out", {"save-map": "../{name}.png"})
    with pytest.raises(ValueError, match="of one photo, twice"):
        plan(photos, tmp_path / "out", {"save-map": "{name}.txt"})
    assert not (tmp_path / "out").exists()


def test_a_result_never_replaces_a_photo_that_is_read(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="both IN and OUT"):
        plan(photos, photos)
    with pytest.raises(ValueError, match="would replace a photo"):
        batch.plan([photos / "a.txt"], photos, {}, tmp_path, NAMING)
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(ValueError, match="would replace a photo"):
        batch.plan([photos / "a.txt"], tmp_path / "link", {}, tmp_path, NAMING)


def test_what_is_done_is_not_done_again_until_something_changes(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe: dict[str, Value] = {"strength": 1, "save-map": "maps/{name}.txt", "mask": "mask.png"}
    (tmp_path / "mask.png").write_text("m")
    assert len(do(plan(photos, out, recipe), out)) == 2, "two of the three are called a.txt"
    assert (out / "maps" / "sub" / "b.txt").exists()
    assert do(plan(photos, out, recipe), out) == {}
    (photos / "sub" / "b.txt").write_text("another picture")
    assert do(plan(photos, out, recipe), out).keys() == {"b.txt"}
    (out / "maps" / "sub" / "b.txt").unlink()
    assert do(plan(photos, out, recipe), out).keys() == {"b.txt"}
    (out / "sub" / "b.txt").write_text("changed by somebody")
    assert do(plan(photos, out, recipe), out).keys() == {"b.txt"}
    (photos / "sub" / "b.txt.refocus.json").write_text('{"strength": 2}')
    assert do(plan(photos, out, recipe), out).keys() == {"b.txt"}
    (tmp_path / "mask.png").write_text("another mask")
    assert len(do(plan(photos, out, recipe), out)) == 2
    assert do(plan(photos, out, recipe), out) == {}


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_stop_no_other_picture(tmp_path: Path, workers: int) -> None:
    texts = {"1.txt": "fine", "2.txt": "fail", "3.txt": "die", "4.txt": "fault", "5.txt": "warn", "6.txt": "fine"}
    (tmp_path / "in").mkdir()
    for name, text in texts.items():
        (tmp_path / "in" / name).write_text(text)
    out = tmp_path / "out"
    found = do(plan(tmp_path / "in", out), out, workers)
    assert found["1.txt"] == found["6.txt"] == "" and found["5.txt"] == "mind the gap"
    assert found["2.txt"] == f"{out / '2.txt'} does not work"
    assert "ended by signal 9" in found["3.txt"] and found["4.txt"] == "KeyError: 'a fault'"
    assert sorted(p.name for p in out.glob("*.txt")) == ["1.txt", "5.txt", "6.txt"]
    assert do(plan(tmp_path / "in", out), out).keys() == {"2.txt", "3.txt", "4.txt"}


def test_workers_share_the_processors_and_live_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(6):
        (tmp_path / "in" / f"{i}.txt").write_text("fine")
    do(plan(tmp_path / "in", tmp_path / "out"), tmp_path / "out", 2)
    said = [json.loads(p.read_text()) for p in (tmp_path / "out").glob("*.txt")]
    assert {threads for *_, threads, _ in said} == {max(1, batch.processors() // 2)}
    assert len({pid for *_, pid in said}) <= 2


def test_a_kill_between_the_journal_and_the_name_loses_and_repeats_nothing(photos: Path, tmp_path: Path) -> None:
    """The state that it leaves: the line is written, the result still has its other name."""
    out = tmp_path / "out"
    jobs = plan(photos, out)
    do(jobs, out)
    line = json.loads((out / ".refocus" / "journal.jsonl").read_text().splitlines()[0])
    (staged,) = line["files"].values()
    final = out / line["name"]
    (out / line["staged"]).mkdir()
    shutil.move(final, out / line["staged"] / staged[0])
    with open(out / ".refocus" / "journal.jsonl", "a") as file:
        file.write('{"name": "a.txt", "sta')  # and a line that was cut off
    assert do(jobs, out) == {} and final.exists()
    assert not list((out / ".refocus").glob("staged-*"))
    final.unlink()
    assert len(do(jobs, out)) == 1
    assert do(jobs, out) == {}


def test_two_runs_on_one_folder_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(ValueError, match="Another run is at work"), Journal(tmp_path):
        pass
    with Journal(tmp_path):
        pass


PROGRAM = """
import sys
from pathlib import Path
from tests.unit.batch.test_batch import do, plan
if __name__ == "__main__":
    do(plan(Path(sys.argv[1]), Path(sys.argv[2])), Path(sys.argv[2]), 2)
"""


def test_a_run_that_is_killed_leaves_no_process_and_is_finished_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(12):
        (tmp_path / "in" / f"{i:02}.txt").write_text("wait 0.2")
    (tmp_path / "program.py").write_text(PROGRAM)
    out, seen = tmp_path / "out", {}
    for least in (2, 6):
        program = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "in"), str(out)]
        process = subprocess.Popen(program, env=environment(REPO))
        until = time.monotonic() + 120
        while len(list(out.glob("*.txt"))) < least and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = {p: p.stat().st_mtime_ns for p in out.glob("*.txt")}
        assert before.items() >= seen.items(), "what was done stays"
        assert len(before) >= least
        seen = before
    redone = do(plan(tmp_path / "in", out), out, 2)
    assert len(redone) + len(seen) <= 12 and len(list(out.glob("*.txt"))) == 12
    assert {p: p.stat().st_mtime_ns for p in seen} == seen
    made = {json.loads(p.read_text())[-1] for p in out.glob("*.txt")}
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in made) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in made)
