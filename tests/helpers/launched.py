"""Scripts on several processes of this machine, by accelerate's own launcher."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from pathlib import Path

import psutil

from .paths import REPO, environment


def run_on_processes(count: int, script: Path, *arguments: str, limit_s: float = 200) -> None:
    """Run a script on `count` processes, on the CPU with one thread each.

    Processes that share gradients have been seen not to end (once, on two cores, where the same run had ended a hundred times).
    Where each of them stood then becomes a warning, and the script runs once more.

    Raises:
        AssertionError: if it fails or hangs twice, with what it printed.
    """
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--mixed_precision", "no", "--num_machines", "1"]
    launch += ["--main_process_port", "0", "--dynamo_backend", "no", "--num_cpu_threads_per_process", "1"]
    # --multi_gpu is what starts several processes on one machine, ACCELERATE_USE_CPU keeps them on its processor.
    launch += [*["--multi_gpu"] * (count > 1), "--num_processes", str(count), str(script), *arguments]
    for last in (False, True):
        process = subprocess.Popen(
            launch,
            env=environment(REPO, ACCELERATE_USE_CPU="true", PYTHONFAULTHANDLER="1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            printed = process.communicate(timeout=limit_s)[1]
        except subprocess.TimeoutExpired:
            printed = _stop(process)
            assert not last, f"{script.name} did not end in {limit_s:g} s, twice:\n{printed[-9000:]}"
            warnings.warn(f"{script.name} did not end in {limit_s:g} s:\n{printed[-9000:]}", stacklevel=2)
            continue
        assert process.returncode == 0, printed[-9000:]
        return


def _stop(process: subprocess.Popen[str]) -> str:
    """Stop it and its children; what they printed, and the stack of each."""
    everyone = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in everyone:
        if one.is_running():
            one.send_signal(signal.SIGABRT)  # faulthandler prints the stacks of its threads
    psutil.wait_procs(everyone, timeout=10)
    for one in everyone:
        if one.is_running():
            one.kill()
    return process.communicate()[1]
