"""What a measurement leaves: numbers and the whole report in out/bench, which git ignores, and a short table in bench/results."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests.helpers.paths import REPO

RAW = REPO / "out" / "bench"
"""Of the last run of each command: NAME.json, NAME.md and pictures."""
RESULTS = REPO / "bench" / "results"
"""One table a command, written with --write only: it changes when the figures of the README do."""
WEBP_QUALITIES = (90, 80, 70, 60, 50)
"""Tried from the best on until a picture is small enough."""


def save(name: str, data: Any, report: str = "") -> None:
    """The numbers and, where there is one, the report of a run."""
    RAW.mkdir(parents=True, exist_ok=True)
    (RAW / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if report:
        (RAW / f"{name}.md").write_text(report, encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    """The numbers of the last run; empty if there was none."""
    file = RAW / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def write_summary(name: str, text: str) -> None:
    """The table that git keeps."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(f"Written: {(RESULTS / name).relative_to(REPO)}.md")


def save_sheet(sheet: Image.Image, file: Path, most_bytes: int) -> None:
    """A WebP of at most so many bytes, as good as that allows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for quality in WEBP_QUALITIES:
        sheet.save(file, "WEBP", quality=quality, method=6)
        if file.stat().st_size <= most_bytes:
            break
    print(f"{file}: {sheet.width} x {sheet.height} px, {file.stat().st_size // 1000} kB")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """A cell; a dash for None and NaN."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "load_at_start": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }


def describe(m: dict[str, Any]) -> str:
    """A machine in a sentence."""
    return (
        f"{m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, device {m['device']}, torch {m['torch']} with "
        f"{m['torch_threads']} threads, Python {m['python']}. System load at the start: {m['load_at_start']}."
    )
