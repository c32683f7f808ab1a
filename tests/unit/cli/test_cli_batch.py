"""`python -m refocus_core batch` on real photos, killed and finished, and recipes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from refocus_core.batch import Value
from refocus_core.cli import main
from refocus_core.cli.parser import build_parser
from refocus_core.cli.recipe_options import parse_recipe, recipe_options, to_arguments, to_recipe
from tests.helpers import motorcycle
from tests.helpers.paths import REPO, environment

OPTIONS: dict[str, Value] = {"blur": 3, "deblur": "refocus-deblur-s", "quality": "draft", "save-depth": "depths/{name}.png"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six small crops in two folders, one with its own focus, and a file that is no picture."""
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    with Image.open(motorcycle.PHOTO) as im:
        whole = im.convert("RGB")
    for i in range(6):
        name = f"{'trip/' if i % 2 else ''}p{i}.{'jpg' if i < 3 else 'png'}"
        whole.crop((40 * i, 20 * i, 40 * i + 160, 20 * i + 120 + i)).save(folder / name)
    (folder / "trip" / "p3.png.refocus.json").write_text('{"focus": [0.9, 0.1], "blur": 5}')
    (folder / "broken.jpg").write_text("no picture")
    (tmp_path / "recipe.json").write_text(json.dumps(OPTIONS))
    return folder


def lines(out: Path) -> int:
    journal = out / ".refocus" / "journal.jsonl"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def test_a_run_killed_twice_and_finished_equals_single_runs_byte_for_byte(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["batch", str(photos), str(out), "--recipe", str(tmp_path / "recipe.json")]
    for least in (1, 3):
        process = subprocess.Popen([sys.executable, "-m", "refocus_core", *given], cwd=tmp_path, env=environment(REPO))
        until = time.monotonic() + 600
        while lines(out) < least and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert lines(out) >= least
    seen = {p: p.stat().st_mtime_ns for p in out.rglob("*.*") if ".refocus" not in p.parts}
    assert main(given) == 1
    said = capsys.readouterr().err
    assert "1 of 7 failed" in said and "broken.jpg is not a picture" in said
    assert {p: p.stat().st_mtime_ns for p in seen} == seen, "what was done is not done again"
    assert len([p for p in out.rglob("*.*") if p.is_file() and ".refocus" not in p.parts]) == 2 * 6
    assert [p.name for p in (out / ".refocus").iterdir() if p.name.startswith("staged")] == []
    for photo in [p for p in photos.rglob("p*") if p.suffix != ".json"]:
        name = photo.relative_to(photos)
        own = ["--focus", "0.9,0.1", "--blur", "5"] if photo.name == "p3.png" else ["--blur", "3"]
        single, depth = tmp_path / f"single{photo.suffix}", tmp_path / "single_depth.png"
        more = ["--deblur", "refocus-deblur-s", "--quality", "draft", "--save-depth", str(depth), "-o", str(single), "-q"]
        assert main([str(photo), *own, *more]) == 0
        assert single.read_bytes() == (out / name).read_bytes(), name
        assert depth.read_bytes() == (out / "depths" / name.with_suffix(".png")).read_bytes(), name


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"blurr": 2}, "has no option 'blurr'. Did you mean 'blur'?"),
        ({"focus_distance": 2}, "Did you mean 'focus-distance'?"),
        ({"output": "o.png"}, "'output' belongs to a run"),
        ({"blur": 80}, "must lie in 0..50"),
        ({"blur": "much"}, "'much' is not a number"),
        ({"blur": True}, "'blur' in a recipe takes its value"),
        ({"exif-lens": 1}, "'exif-lens' in a recipe takes true or false"),
        ({"focus": [0.5, 2]}, "they are not pixels"),
        ({"focus": [0.5, 0.5], "focus-distance": 2}, "not allowed with argument"),
        ({"blur": 2, "f-number": 2}, "both set the strength"),
        ({"save-depth": "d.png"}, "one file for all pictures"),
    ],
)
def test_a_mistake_in_a_recipe_ends_the_run_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: dict[str, Value], message: str
) -> None:
    (tmp_path / "r.json").write_text(json.dumps(recipe))
    assert main(["batch", str(photos), str(tmp_path / "out"), "--recipe", str(tmp_path / "r.json")]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said and len(said.splitlines()) == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "given",
    [
        ["--focus", "0.25,0.5", "--blur", "2.5", "--aperture", "polygon", "--blades", "7"],
        ["--f-number", "1.4", "--focus-distance", "2", "--near-m", "1", "--far-m", "9", "--exif-lens", "--models", "a"],
        ["--deblur", "none", "--quality", "best", "--bits", "16", "--models", "a", "--models", "b", "--rotation", "-12.5"],
        [],
    ],
)
def test_a_recipe_means_what_its_options_meant(given: list[str]) -> None:
    args = build_parser().parse_args(["p.png", "-o", "o.png", "-q", *given])
    again = parse_recipe(json.loads(json.dumps(to_recipe(args))), args.photo, args.output)
    differ = {k for k, v in vars(args).items() if getattr(again, k) != v}
    assert differ <= {"models"}
    assert (again.models or []) == [p.absolute() for p in args.models or []]


def test_every_option_of_a_photo_can_be_in_a_recipe() -> None:
    values = {"blades": 5, "bits": "8", "jpeg-quality": 90, "focus": [0.5, 0.5], "taken-focus": [0.5, 0.5], "taken-blur": 1}
    for name, action in recipe_options().items():
        value: Value = True if action.nargs == 0 else values.get(name, action.default)
        if value is None:
            value = "x.tif" if action.type is Path else next(iter(action.choices or (3,)))
        arguments = to_arguments({name: value})
        assert build_parser().parse_args(["p.png", "-o", "o.png", *arguments]), name


def test_the_single_run_keeps_its_recipe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Image.open(motorcycle.PHOTO) as im:
        im.resize((96, 64)).save(tmp_path / "p.png")
    Image.new("L", (96, 64), 255).save(tmp_path / "mask.png")
    given = [tmp_path / "p.png", "-o", tmp_path / "o.png", "--deblur", "none", "--focus-mask", tmp_path / "mask.png"]
    kept = ["--save-recipe", tmp_path / "r.json", "--save-depth", tmp_path / "d.png", "-q"]
    assert main([str(v) for v in (*given, "--quality", "draft", *kept)]) == 0
    recipe = json.loads((tmp_path / "r.json").read_text())
    assert recipe == {"focus-mask": str(tmp_path / "mask.png"), "deblur": "none", "quality": "draft"}
    assert "without --save-depth" in caplog.text
    before = (tmp_path / "o.png").read_bytes()
    arguments = to_arguments(recipe)
    assert main([str(tmp_path / "p.png"), "-o", str(tmp_path / "again.png"), *arguments, "-q"]) == 0
    assert (tmp_path / "again.png").read_bytes() == before


def test_a_recipe_never_replaces_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "p.png")
    given = [str(tmp_path / "p.png"), "-o", str(tmp_path / "o.png"), "-q", "--save-recipe"]
    assert main([*given, str(tmp_path / "r.txt")]) == 2
    assert "a recipe is written as .json" in capsys.readouterr().err
    assert main([*given, str(tmp_path / "none" / "r.json")]) == 2
    assert "does not exist. Create it first" in capsys.readouterr().err


def _takes_interrupts() -> None:
    """What runs in the background of a script, as these tests may, has Ctrl-C switched off."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt_ends_the_workers_and_says_how_to_go_on(photos: Path, tmp_path: Path) -> None:
    for i in range(40):  # more than are done before the interrupt
        shutil.copy(motorcycle.PHOTO, photos / f"large{i}{motorcycle.PHOTO.suffix}")
    given = [sys.executable, "-m", "refocus_core", "batch", str(photos), str(tmp_path / "out"), "--recipe"]
    process = subprocess.Popen(
        [*given, str(tmp_path / "recipe.json"), "--workers", "2"],
        cwd=tmp_path,
        env=environment(REPO),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_takes_interrupts,
    )
    until = time.monotonic() + 600
    while not (tmp_path / "out" / ".refocus" / "journal.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all its processes
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130 and "the same command goes on where it was" in said and "Traceback" not in said
    assert not list((tmp_path / "out" / ".refocus").glob("staged-*"))
