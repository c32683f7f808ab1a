"""Downloads that are cut, refused or run twice at once: no half file under the name, and the next call goes on."""

from __future__ import annotations

import errno
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="needs huggingface_hub: run `bash scripts/setup.sh tests`")
pytest.importorskip("resource", reason="limits of a process are those of POSIX")

from huggingface_hub import constants, file_download

from refocus_core import models
from refocus_core.models import ModelEntry, ModelFile, WeightsMismatchError, WeightsMissingError
from tests.helpers.disks import room, run_program

DATA = bytes(range(256)) * 800
SHA = hashlib.sha256(DATA).hexdigest()
ENTRY = ModelEntry(
    "tiny",
    "Tiny Model",
    (ModelFile("tiny.safetensors", bytes=len(DATA), sha256=SHA, repo_id="someone/some-model", revision="0" * 40),),
    "MIT",
    "https://example.org/tiny",
    "depth",
)


class Hub:
    """A hub on loopback that misbehaves: `cut` ends an answer after so many bytes, `slow` waits between blocks."""

    def __init__(self) -> None:
        self.cut: int | None = None
        self.stated, self.loops, self.slow, self.served = len(DATA), False, 0.0, 0
        self.begun_at = 0
        """Where the last answer began."""
        self.stop = threading.Event()

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def head(self) -> int:
                wanted = re.findall(r"\d+", self.headers.get("Range") or "")
                start = int(wanted[0]) if wanted and self.command == "GET" else 0
                self.send_response(302 if hub.loops else 206 if start else 200)
                if hub.loops:
                    self.send_header("Location", self.path)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
                self.send_header("ETag", f'"{SHA}"')
                self.send_header("Content-Length", str(hub.stated - start))
                self.end_headers()
                return start

            def do_HEAD(self) -> None:
                self.head()

            def do_GET(self) -> None:
                if "/resolve/" not in self.path:  # what the library asks for itself
                    self.send_error(404)
                    return
                hub.begun_at = start = self.head()
                rest = DATA[start : None if hub.cut is None else max(hub.cut, start)]
                for at in range(0, len(rest), 20_000):
                    block = rest[at : at + 20_000]
                    hub.served += len(block)  # before whoever asked can have it
                    try:
                        self.wfile.write(block)
                    except OSError:  # whoever asked is gone
                        return
                    hub.stop.wait(hub.slow)
                self.close_connection = True

        return Handler


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), state.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("REFOCUS_MODELS", str(tmp_path / "default"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr(file_download.time, "sleep", lambda _: None)  # between the library's own attempts
    yield state
    state.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(folder: Path) -> Path:
    return models.locate(ENTRY, [folder], allow_download=True)[0]


@pytest.mark.parametrize("cut", [0, 1, 9_999, 10_000, len(DATA) // 2, len(DATA) - 1])
def test_a_download_cut_at_any_byte_goes_on_from_there(tmp_path: Path, hub: Hub, cut: int) -> None:
    hub.cut = cut
    with pytest.raises(WeightsMissingError, match=rf"stopped after \d+ of {len(DATA)} bytes .*Run it again"):
        fetch(tmp_path)
    assert models.find(ENTRY, [tmp_path]) is None
    (part,) = (tmp_path / "tiny").iterdir()
    kept = part.read_bytes()
    assert part.suffix == ".part" and kept == DATA[: len(kept)] and cut - len(kept) < 10_000
    hub.cut, hub.served = None, 0
    assert fetch(tmp_path).read_bytes() == DATA
    assert hub.served == len(DATA) - len(kept), "nothing is fetched twice"
    assert [p.name for p in (tmp_path / "tiny").iterdir()] == ["tiny.safetensors"]


def test_a_download_stopped_before_it_got_its_name_fetches_nothing(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / f"tiny.safetensors.{SHA[:12]}.part").write_bytes(DATA)
    assert fetch(tmp_path).read_bytes() == DATA and hub.served == 0
    (tmp_path / "tiny" / "tiny.safetensors").unlink()
    (tmp_path / "tiny" / f"tiny.safetensors.{SHA[:12]}.part").write_bytes(DATA + b"more")
    assert fetch(tmp_path).read_bytes() == DATA and hub.served == len(DATA)


def test_a_wrong_length_and_a_circle_of_redirects_end_in_words(tmp_path: Path, hub: Hub) -> None:
    hub.stated = len(DATA) + 1
    with pytest.raises(WeightsMismatchError, match=rf"has {len(DATA) + 1} bytes, expected {len(DATA)}"):
        fetch(tmp_path)
    hub.stated, hub.loops = len(DATA), True
    with pytest.raises(WeightsMissingError, match=r"could not be reached .*redirects.*by hand"):
        fetch(tmp_path)
    assert not (tmp_path / "tiny").exists()


def test_no_network_ends_in_words(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the port "discard", at which nobody listens
    with pytest.raises(WeightsMissingError, match=r"could not be reached .*put the file at .*tiny.safetensors by hand"):
        fetch(tmp_path)


def test_a_full_disk_names_the_file_and_the_next_call_goes_on(tmp_path: Path, hub: Hub) -> None:
    with room(50_000), pytest.raises(OSError, match=r"tiny\.safetensors could not be written \(File too large\)\. Free space"):
        fetch(tmp_path)
    assert models.find(ENTRY, [tmp_path]) is None
    assert fetch(tmp_path).read_bytes() == DATA and hub.begun_at == 50_000


FETCHED = """
import sys
from pathlib import Path
from huggingface_hub import constants
from refocus_core import models
constants.DOWNLOAD_CHUNK_SIZE = 10_000
from tests.unit.faults.test_download import ENTRY
print(models.locate(ENTRY, [Path(sys.argv[1])], allow_download=True)[0])
"""


def test_processes_that_fetch_one_file_at_once_fetch_it_once(tmp_path: Path, hub: Hub) -> None:
    hub.slow = 0.2
    children = [run_program(FETCHED, tmp_path / "models", cwd=tmp_path) for _ in range(2)]
    for child in children:
        said, failed = child.communicate(timeout=120)
        assert child.returncode == 0 and said.strip().endswith("tiny.safetensors"), failed
    assert (tmp_path / "models" / "tiny" / "tiny.safetensors").read_bytes() == DATA and hub.served == len(DATA)
    assert [p.name for p in (tmp_path / "models" / "tiny").iterdir()] == ["tiny.safetensors"]


def test_a_file_system_without_locks_is_told_and_used(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    assert fetch(tmp_path).read_bytes() == DATA
    assert "cannot be locked" in caplog.text


def test_a_killed_download_leaves_no_lock(tmp_path: Path, hub: Hub) -> None:
    hub.slow = 0.5
    child = run_program(FETCHED, tmp_path / "models", cwd=tmp_path)
    while hub.served < 60_000 and child.poll() is None:
        hub.stop.wait(0.02)
    child.kill()
    child.communicate(timeout=60)
    hub.slow = 0
    assert models.find(ENTRY, [tmp_path / "models"]) is None
    assert fetch(tmp_path / "models").read_bytes() == DATA
