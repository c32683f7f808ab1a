"""How a run is judged. Nothing here imports torch or ComfyUI."""

from __future__ import annotations

import contextlib
import os

import pytest

# Triton's own functions read TRITON_INTERPRET when they are defined, and other libraries import triton before its tests do.
with pytest.MonkeyPatch.context() as _patch, contextlib.suppress(ImportError):
    _patch.setenv("TRITON_INTERPRET", "1")
    import triton.language  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say what was left out, and that CI does not accept it (pytest's own -ra lists each reason)."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} part(s) skipped, see above for what each needs. `bash scripts/test.sh` installs all of it."
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With REFOCUS_NO_SKIPS a skipped test fails the run: there everything that tests need is installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("REFOCUS_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
