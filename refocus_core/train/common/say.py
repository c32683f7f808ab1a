"""What a command was asked for goes to standard output; how it gets on goes to the log."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(text + "\n")
