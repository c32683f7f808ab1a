"""Nothing here imports torch or ComfyUI: only how a run is judged."""

from __future__ import annotations

import os

import pytest


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
