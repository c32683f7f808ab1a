"""Work for the processes of a batch that needs no network: a result is its picture's text in capitals, and its options."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from refocus_core.batch import RESULT, Job, Naming, Work

NAMING = Naming((".txt",), ("save-map",), ("mask",), ("depth",), {"point": ("mask",)})


def set_up(threads: int | None) -> Work:
    """As `cli.batch_command.set_up`. A picture's text says what shall happen."""

    def work(job: Job, files: Mapping[str, Path]) -> None:
        text = job.source.read_text()
        if text == "fail":
            raise ValueError(f"{files[RESULT]} does not work")
        if text == "fault":
            raise KeyError("a fault")
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if text.startswith("wait"):
            time.sleep(float(text.split()[1]))
        if text == "warn":
            logging.getLogger("work").warning("mind the %s", "gap")
        for name, path in files.items():
            path.write_text(json.dumps([name, text.upper(), dict(job.options), threads, os.getpid()]))

    return work
