"""Model files: found in every layout, downloaded only when allowed, resumed, checked. The server is real, on loopback."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from refocus_core import models
from refocus_core.models import ModelEntry, ModelFile, WeightsMismatchError, WeightsMissingError

constants = pytest.importorskip("huggingface_hub.constants", reason="needs huggingface_hub: run `bash scripts/setup.sh tests`")

DATA = save({"w": torch.arange(200_000, dtype=torch.float32)})
SHA = hashlib.sha256(DATA).hexdigest()
REVISION = "0123456789abcdef0123456789abcdef01234567"


def make_entry(**file: object) -> ModelEntry:
    values: dict = {"bytes": len(DATA), "sha256": SHA, "repo_id": "someone/some-model", "revision": REVISION, **file}
    return ModelEntry(
        "tiny", "Tiny Model", (ModelFile("tiny.safetensors", **values),), "MIT", "https://example.org/tiny", "depth"
    )


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this machine's models, tokens or caches."""
    monkeypatch.setenv("REFOCUS_MODELS", str(tmp_path / "default"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


class Hub:
    """What a model hub answers for one file; knobs to misbehave."""

    def __init__(self) -> None:
        self.data, self.etag, self.cut_after, self.ranges = DATA, SHA, None, True
        self.asked: list[tuple[str, str, str | None]] = []

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def answer(self, body: bool) -> None:
                wanted = self.headers.get("Range")
                hub.asked.append((self.command, self.path, wanted))
                if self.path != f"/someone/some-model/resolve/{REVISION}/model.safetensors":
                    self.send_error(404)
                    return
                start = int(re.findall(r"\d+", wanted)[0]) if wanted and hub.ranges else 0
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(hub.data) - 1}/{len(hub.data)}")
                self.send_header("ETag", f'"{hub.etag}"')
                self.send_header("X-Repo-Commit", REVISION)
                self.send_header("Content-Length", str(len(hub.data) - start))
                self.end_headers()
                if body:
                    self.wfile.write(hub.data[start:])

            def do_HEAD(self) -> None:
                self.answer(False)

            def do_GET(self) -> None:
                self.answer(True)

        return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), state.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "place", ["tiny.safetensors", "tiny/tiny.safetensors", "tiny/model.safetensors", "some-model/model.safetensors"]
)
def test_found_in_every_layout_without_network(tmp_path: Path, no_network: None, place: str) -> None:
    expected = put(tmp_path / "b" / place)
    assert models.locate(make_entry(), [tmp_path / "a", tmp_path / "b"], allow_download=True, verify_hash=True) == (expected,)


def test_found_in_the_default_folder(tmp_path: Path, no_network: None) -> None:
    expected = put(tmp_path / "default" / "tiny.safetensors")
    assert models.find(make_entry()) == (expected,)


@pytest.mark.parametrize("ref", ["commit", "main"])
def test_found_in_the_hub_cache_without_network(tmp_path: Path, no_network: None, ref: str) -> None:
    repo = tmp_path / "hub" / "models--someone--some-model"
    commit = REVISION if ref == "commit" else "f" * 40
    expected = put(repo / "snapshots" / commit / "model.safetensors")
    if ref == "main":
        put(repo / "refs" / "main", commit.encode())
    assert models.locate(make_entry(), [tmp_path], allow_download=True) == (expected,)


def test_shipped_file_is_found_first_and_stays_inside_the_package() -> None:
    entry = make_entry(shipped="models/__init__.py", bytes=None, sha256=None)  # any file of the package stands for the weights
    (path,) = models.locate(entry, [])
    assert path == Path(models.__file__).resolve()
    with pytest.raises(ValueError, match="inside the package"):
        make_entry(shipped="../../x.safetensors")


@pytest.mark.parametrize("name", ["../x.safetensors", "a/b.safetensors", "a\\b.safetensors", "x.pt", ".safetensors", ""])
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        ModelFile(name)
    with pytest.raises(ValueError, match="inside its repository"):
        ModelFile("x.safetensors", filename="../x.safetensors")


def test_missing_file_says_what_where_how_big_and_the_switch(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(WeightsMissingError) as error:
        models.locate(make_entry(), [tmp_path / "models"])
    text = str(error.value)
    for part in ("tiny.safetensors", str(tmp_path / "models"), "someone/some-model", "1 MB", "MIT", "allow_download"):
        assert part in text, part
    assert not (tmp_path / "models").exists()


def test_wrong_size_and_wrong_hash_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "tiny.safetensors", DATA[:-1])
    with pytest.raises(WeightsMismatchError, match="incomplete"):
        models.locate(make_entry(), [tmp_path])
    path = put(tmp_path / "tiny.safetensors", DATA[:-1] + b"x")
    assert models.locate(make_entry(), [tmp_path]) == (path,)
    with pytest.raises(WeightsMismatchError, match="SHA-256"):
        models.locate(make_entry(), [tmp_path], verify_hash=True)


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    torch.save({"w": torch.zeros(3)}, path)
    with pytest.raises(WeightsMismatchError, match="safetensors"):
        models.read_safetensors(path)
    assert models.read_safetensors(put(path))["w"].shape == (200_000,)


def test_download_with_progress(tmp_path: Path, hub: Hub) -> None:
    seen: list[tuple[int, int]] = []
    (path,) = models.locate(make_entry(), [tmp_path], allow_download=True, progress=lambda d, t: seen.append((d, t)))
    assert path == tmp_path / "tiny" / "tiny.safetensors" and path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA)) and len(seen) > 3 and seen == sorted(seen)
    assert [p.name for p in path.parent.iterdir()] == ["tiny.safetensors"]
    before = len(hub.asked)
    assert models.locate(make_entry(), [tmp_path], allow_download=True) == (path,)
    assert len(hub.asked) == before


@pytest.mark.parametrize("ranges", [True, False])
def test_cancelled_download_is_resumed(tmp_path: Path, hub: Hub, ranges: bool) -> None:
    class CancelledError(OSError):
        pass

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise CancelledError

    with pytest.raises(CancelledError):
        models.locate(make_entry(), [tmp_path], allow_download=True, progress=stop)
    (part,) = (tmp_path / "tiny").iterdir()
    assert part.suffix == ".part" and 0 < part.stat().st_size < len(DATA)
    assert models.find(make_entry(), [tmp_path]) is None
    hub.ranges = ranges
    size = part.stat().st_size
    (path,) = models.locate(make_entry(), [tmp_path], allow_download=True)
    assert path.read_bytes() == DATA and not part.exists()
    assert hub.asked[-1][2] == f"bytes={size}-"


@pytest.mark.parametrize("known", [SHA, None])
def test_damaged_download_leaves_nothing_behind(tmp_path: Path, hub: Hub, known: str | None) -> None:
    hub.data = DATA[:-1] + b"x"  # the right size and ETag, the wrong content
    with pytest.raises(WeightsMismatchError, match="not the published file"):
        models.locate(make_entry(sha256=known), [tmp_path], allow_download=True)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_without_a_known_hash_the_hub_states_it(tmp_path: Path, hub: Hub) -> None:
    unknown = make_entry(sha256=None, bytes=None)
    assert models.locate(unknown, [tmp_path / "a"], allow_download=True)[0].read_bytes() == DATA
    hub.etag = hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()  # how the hub marks files that are not in LFS
    assert models.locate(unknown, [tmp_path / "b"], allow_download=True)[0].read_bytes() == DATA
    hub.etag = "W/none"
    with pytest.raises(WeightsMismatchError, match="no hash"):
        models.locate(unknown, [tmp_path / "c"], allow_download=True)


def test_a_changed_publication_is_refused_before_it_is_fetched(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(WeightsMismatchError, match="has changed"):
        models.locate(make_entry(sha256="0" * 64), [tmp_path], allow_download=True)
    with pytest.raises(WeightsMismatchError, match="has changed"):
        models.locate(make_entry(bytes=5), [tmp_path], allow_download=True)
    assert all(method == "HEAD" for method, _, _ in hub.asked) and not (tmp_path / "tiny").exists()


def test_unreachable_or_unknown_file_says_where_to_put_it(tmp_path: Path, hub: Hub) -> None:
    entry = make_entry()
    wrong = replace(entry, files=(replace(entry.files[0], repo_id="someone/else"),))
    with pytest.raises(WeightsMissingError, match="by hand"):
        models.locate(wrong, [tmp_path], allow_download=True)
    nowhere = replace(entry, files=(replace(entry.files[0], repo_id=None),))
    with pytest.raises(WeightsMissingError, match="cannot be downloaded"):
        models.locate(nowhere, [tmp_path], allow_download=True)


def test_a_shipped_file_that_is_missing_or_changed_wants_a_new_installation(tmp_path: Path, no_network: None) -> None:
    gone = make_entry(shipped="models/none.safetensors", repo_id=None)
    with pytest.raises(WeightsMissingError, match="install the package again"):
        models.locate(gone, [tmp_path], allow_download=False)
    changed = make_entry(shipped="models/__init__.py")
    with pytest.raises(WeightsMismatchError, match="install the package again"):
        models.locate(changed, [tmp_path])
