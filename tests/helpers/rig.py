"""Starts a real ComfyUI server and talks to it. Standard library and websocket-client only."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket

from tests.helpers import paths

HERE = paths.TESTS / "comfy"
PACK = "refocus"
"""Name of our folder in custom_nodes."""
NODE_IDS = (
    "RefocusLoadPhoto",
    "RefocusDepthEstimate",
    "RefocusAdjustDepth",
    "RefocusDepthToImage",
    "RefocusDefocusMap",
    "RefocusDefocusFromImage",
    "RefocusDefocusToImage",
    "RefocusAllInFocus",
    "RefocusReblur",
    "RefocusBokehKernel",
    "RefocusDepthMatte",
    "RefocusVideo",
    "RefocusGenfocusSetup",
    "RefocusGenfocusApply",
)
FRONTENDS = paths.REPO / ".comfy" / "frontends"
"""Other versions of ComfyUI's front end than the one it brings, a folder each; scripts/setup.sh fetches them."""
Graph = dict[str, dict[str, Any]]
"""A prompt in API form: node id -> {"class_type": ..., "inputs": {name: value or [node id, output index]}}."""


def comfy_dir() -> Path | None:
    """The checkout to test with: $REFOCUS_COMFYUI, or what scripts/setup.sh fetched, or None."""
    path = Path(os.environ.get("REFOCUS_COMFYUI") or paths.REPO / ".comfy" / "ComfyUI")
    return path if (path / "main.py").is_file() else None


def chromium() -> str | None:
    """A Chromium or Chrome executable: $REFOCUS_CHROMIUM, or one on the PATH, or None."""
    names = (os.environ.get("REFOCUS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@dataclass
class Run:
    """What a prompt did, from the websocket and the history."""

    prompt_id: str
    end: str
    """execution_success, execution_error or execution_interrupted"""
    events: list[tuple[str, dict[str, Any]]]
    history: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Data of all events of one kind."""
        return [data for name, data in self.events if name == kind]

    @property
    def error(self) -> str:
        """The message of a failed run."""
        (data,) = self.of("execution_error")
        return f"{data['exception_type']}: {data['exception_message']}"

    @property
    def executed(self) -> set[str]:
        """Ids of nodes that ran (not those taken from the cache)."""
        return {d["node"] for d in self.of("executing") if d.get("node")}

    @property
    def cached(self) -> set[str]:
        """Ids of nodes taken from the cache."""
        return {n for d in self.of("execution_cached") for n in d["nodes"]}

    def ui(self, node: str) -> dict[str, Any]:
        """What node `node` gave to the page."""
        return self.history["outputs"].get(node, {})


def _die_with_parent() -> None:
    """In the child: ask Linux for SIGTERM when the test process is gone, however it went."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Server:
    """One ComfyUI process on a free port with its own base folder. `input`, `output` and `models` are in `base`.

    `packages` is a folder of packages that it imports in place of those of this environment.
    """

    def __init__(
        self,
        base: Path,
        comfy: Path,
        *,
        links: dict[str, Path],
        arguments: tuple[str, ...] = (),
        packages: Path | None = None,
    ) -> None:
        self.base = base
        self.log = base / "server.log"
        for name in ("custom_nodes", "input", "output", "temp", "models", "user/default"):
            (base / name).mkdir(parents=True, exist_ok=True)
        for name, target in links.items():
            (base / "custom_nodes" / name).symlink_to(target, target_is_directory=True)
        (base / "user/default/comfy.settings.json").write_text(
            json.dumps({"Comfy.TutorialCompleted": True, "Comfy.InstalledVersion": "1.47.12"})  # no first-run dialogs
        )
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(base / "hf"), "DO_NOT_TRACK": "1"}
        command = f"main.py --cpu --listen 127.0.0.1 --port {port} --disable-api-nodes --disable-auto-launch".split()
        command += ["--fp32-text-enc"]  # in half precision, which it takes here, MoGe does not run on a CPU
        command += ["--base-directory", str(base), "--database-url", "sqlite:///:memory:", *arguments]
        python_path = [str(folder) for folder in (packages, HERE / "shim") if folder]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=comfy,
                env={**os.environ, **offline, "PYTHONPATH": os.pathsep.join(python_path), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def wait(self, seconds: float = 180) -> None:
        """Until it answers.

        Raises:
            RuntimeError: with the end of its log, if it ends or takes longer.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/system_stats")
                return
            time.sleep(0.2)
        state = "took too long to start" if self.process.poll() is None else f"ended with {self.process.returncode}"
        self.stop()
        raise RuntimeError(f"ComfyUI {state}. The end of its log:\n{self.log_text()[-4000:]}")

    def stop(self) -> None:
        """End it and everything it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)

    def log_text(self) -> str:
        """All it has logged so far."""
        return self.log.read_text(errors="replace")

    # --- HTTP ---

    def raw(self, path: str, body: object = None) -> bytes:
        """GET, or POST with a JSON body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read()

    def get(self, path: str) -> Any:
        """GET a JSON value."""
        return json.loads(self.raw(path))

    def view(self, image: dict[str, str]) -> bytes:
        """The file behind an entry of `ui.images`."""
        return self.raw("/view?" + "&".join(f"{k}={urllib.request.quote(v)}" for k, v in image.items()))

    # --- running ---

    def run(self, graph: Graph, *, interrupt_after: str | None = None, seconds: float = 240) -> Run:
        """Queue `graph` and wait for its end; with `interrupt_after`, POST /interrupt at the first progress of that node.

        Raises:
            RuntimeError: if the server rejects the graph before running it; the text is the server's.
            TimeoutError: if it does not end in time.
        """
        client = uuid.uuid4().hex
        ws = websocket.create_connection(f"ws{self.url[4:]}/ws?clientId={client}", timeout=seconds)
        try:
            try:
                reply = json.loads(self.raw("/prompt", {"prompt": graph, "client_id": client}))
            except urllib.error.HTTPError as e:
                raise RuntimeError(e.read().decode()) from None
            prompt, events, deadline = reply["prompt_id"], [], time.monotonic() + seconds
            while time.monotonic() < deadline:
                message = ws.recv()
                if not isinstance(message, str):
                    continue  # a binary preview
                event = json.loads(message)
                kind, data = event["type"], event["data"]
                if data.get("prompt_id", prompt) != prompt:
                    continue
                events.append((kind, data))
                if kind == "progress" and interrupt_after is not None and data["node"] == interrupt_after:
                    interrupt_after = None
                    self.raw("/interrupt", {})
                if kind in ("execution_success", "execution_error", "execution_interrupted"):
                    return Run(prompt, kind, events, self._history(prompt))
        finally:
            ws.close()
        raise TimeoutError(f"The prompt did not end within {seconds:g} s:\n{self.log_text()[-2000:]}")

    def _history(self, prompt: str) -> dict[str, Any]:
        for _ in range(50):  # written just after the last event
            if entry := self.get(f"/history/{prompt}").get(prompt):
                return entry
            time.sleep(0.1)
        return {"outputs": {}}


def fill_inputs(folder: Path) -> None:
    """The pictures of tests/data, also at half the size, in ComfyUI's input folder. What the workflows name the pack brings."""
    for picture in sorted((paths.REPO / "tests" / "data").iterdir()):
        if picture.suffix in (".png", ".jpg"):
            shutil.copy(picture, folder)
            halve(picture, folder / f"half_{picture.stem}.png")


def halve(picture: Path, out: Path) -> None:
    """The picture, or every frame of it, at half the size and with 8 bits."""
    from PIL import Image, ImageSequence

    frames = []
    for frame in ImageSequence.Iterator(Image.open(picture)):
        frame = frame.convert("RGBA" if "A" in frame.getbands() else "RGB")
        frames.append(frame.resize((max(frame.width // 2, 1), max(frame.height // 2, 1)), Image.Resampling.BOX))
    frames[0].save(out, save_all=len(frames) > 1, append_images=frames[1:])


@contextlib.contextmanager
def prepared_server(base: Path, comfy: Path, *arguments: str) -> Iterator[Server]:
    """A running server with our pack, the probe pack, the sample pictures, and tiny models.

    Depth and restoration models of ours lie in `base/elsewhere`, which only extra_model_paths.yaml names.
    """
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    config = base / "extra_model_paths.yaml"
    config.write_text(f"elsewhere:\n  base_path: {elsewhere}\n  refocus: depth\n  upscale_models: restore\n")
    subprocess.run(
        [sys.executable, str(HERE / "make_models.py"), str(base / "models"), str(elsewhere)],
        cwd=comfy,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE / "shim"), str(comfy)])},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    links = {PACK: paths.REPO, "probe_pack": HERE / "probe_pack"}
    server = Server(base, comfy, links=links, arguments=("--extra-model-paths-config", str(config), *arguments))
    try:
        fill_inputs(base / "input")
        server.wait()
        yield server
    finally:
        server.stop()
