"""What this process has resident in memory, as Linux tells."""

from __future__ import annotations

from pathlib import Path


def resident_mib() -> float:
    """Now."""
    return _status("VmRSS")


def highest_mib() -> float:
    """The most since `forget_highest`, or since the start."""
    return _status("VmHWM")


def forget_highest() -> None:
    """The high-water mark starts anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)
