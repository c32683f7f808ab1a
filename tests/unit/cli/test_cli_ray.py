"""`python -m refocus_core batch --ray`: the same files as the plain batch, from folders and from S3."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from refocus_core.batch.on_ray import run_on_ray
from refocus_core.batch.remote import FAILED, NEWLY, Batch
from refocus_core.batch.storage import Place
from refocus_core.cli import main
from tests.helpers import batch_work, motorcycle

pytest.importorskip("ray", reason="needs ray: run `bash scripts/setup.sh tests`")
pytestmark = pytest.mark.alone

OPTIONS = {"blur": 3, "deblur": "none", "quality": "draft", "save-depth": "depths/{name}.png"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three small crops in two folders, one with a mask of its own, and a file that is no picture."""
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    with Image.open(motorcycle.PHOTO) as im:
        whole = im.convert("RGB")
    for i, name in enumerate(("a.png", "trip/b.jpg", "trip/c.png")):
        whole.crop((40 * i, 20 * i, 40 * i + 160, 20 * i + 120)).save(folder / name)
    (folder / ".masks").mkdir()
    mask = Image.new("L", (160, 120))
    mask.paste(255, (90, 10, 140, 60))
    mask.save(folder / ".masks" / "c.png")
    (folder / "trip" / "c.png.refocus.json").write_text('{"focus-mask": "../.masks/c.png", "blur": 5}')
    (folder / "broken.jpg").write_text("no picture")
    (tmp_path / "recipe.json").write_text(json.dumps(OPTIONS))
    return folder


def results(out: Path) -> dict[str, bytes]:
    """Name -> content of what lies below a folder, without what batches keep there for themselves."""
    files = (p for p in out.rglob("*") if p.is_file() and ".refocus" not in p.parts)
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a storage like S3 on this machine."""
    server = pytest.importorskip("moto.server", reason="needs moto: run `bash scripts/setup.sh tests`")
    fs = pytest.importorskip("s3fs", reason="needs s3fs: run `bash scripts/setup.sh tests`")
    running = server.ThreadedMotoServer(port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",  # pragma: allowlist secret - of the stand-in above
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fs.S3FileSystem.clear_instance_cache()
    fs.S3FileSystem().mkdir("bucket")
    yield "s3://bucket"
    running.stop()
    fs.S3FileSystem.clear_instance_cache()


def test_two_actors_give_the_files_of_the_plain_batch_and_a_second_run_redoes_nothing(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--recipe", str(tmp_path / "recipe.json"), "--workers", "2"]
    plain, out = tmp_path / "plain", tmp_path / "out"
    assert main(["batch", str(photos), str(plain), *given]) == 1
    capsys.readouterr()
    assert main(["batch", str(photos), str(out), *given, "--ray"]) == 1
    said = capsys.readouterr().err
    assert "1 of 4 failed" in said and "broken.jpg is not a picture" in said
    assert results(out) == results(plain) and len(results(out)) == 2 * 3
    seen = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    (photos / "trip" / "b.jpg.refocus.json").write_text('{"blur": 1}')
    assert main(["batch", str(photos), str(out), *given, "--ray"]) == 1
    assert "2 of 4 were done already" in capsys.readouterr().err
    redone = {p.relative_to(out).as_posix() for p in seen if p.stat().st_mtime_ns != seen[p]}
    assert redone == {"trip/b.jpg", "depths/trip/b.png", ".refocus/done/trip/b.jpg.json"}


def test_photos_come_from_s3_and_go_there(photos: Path, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    import s3fs

    system = s3fs.S3FileSystem()
    system.put(str(photos) + "/", f"{storage}/photos/", recursive=True)
    given = ["--recipe", str(tmp_path / "recipe.json"), "--workers", "2"]
    assert main(["batch", str(photos), str(tmp_path / "plain"), *given]) == 1
    for _ in range(2):
        capsys.readouterr()
        assert main(["batch", f"{storage}/photos", f"{storage}/out", *given, "--ray"]) == 1
    said = capsys.readouterr().err
    assert "3 of 4 were done already" in said and "s3://bucket/photos/broken.jpg is not a picture" in said
    system.invalidate_cache()
    system.get(f"{storage}/out/", str(tmp_path / "got") + "/", recursive=True)
    assert results(tmp_path / "got") == results(tmp_path / "plain")


def test_a_picture_that_takes_its_process_down_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for k, text in enumerate(("die", "fail", "warn", "plain")):
        (folder / f"{k}.txt").write_text(text)
    out = Place(str(tmp_path / "out"))
    batch = Batch(out, {}, Place(str(tmp_path)), batch_work.NAMING, None)
    pictures = [(Place(str(folder)), f"{k}.txt") for k in range(4)]
    said = {Path(r.source).name: r for r in run_on_ray(pictures, batch, batch_work.set_up, 2, None)}
    assert [said[f"{k}.txt"].state for k in range(4)] == [FAILED, FAILED, NEWLY, NEWLY]
    assert "Its process ended" in said["0.txt"].reason
    assert said["1.txt"].reason == f"{out.address}/1.txt does not work"
    assert said["2.txt"].notes == ("mind the gap",)
    assert sorted(results(tmp_path / "out")) == ["2.txt", "3.txt"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["s3://bucket/photos", "{out}"], "Add --ray"),
        (["{photos}", "{photos}", "--ray"], "is both IN and OUT"),
        (["{out}", "{out}/o", "--ray"], "There is no folder"),
        (["{photos}", "{photos}", "{out}", "--ray"], "would have one result"),
        (["{photos}", "{out}", "--ray", "--recipe", "{recipe}"], "no option 'blurr'"),
    ],
)
def test_mistakes_end_the_run_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    (tmp_path / "bad.json").write_text('{"blurr": 2}')
    places = {"{photos}": photos, "{out}": tmp_path / "out", "{recipe}": tmp_path / "bad.json"}
    for word, place in places.items():
        given = [text.replace(word, str(place)) for text in given]
    assert main(["batch", *given]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_without_the_extra_it_is_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", str(photos), str(tmp_path / "out"), "--ray"]) == 2
    assert "pip install 'refocus-optics[batch]'" in capsys.readouterr().err
