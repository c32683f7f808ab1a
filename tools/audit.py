"""Looks up known weaknesses of every Python and npm package that is installed here. It asks pypi.org and registry.npmjs.org.

Not a part of CI: what is known changes from day to day, and a mirror of packages does not have it. Where nothing can be looked up
it says so and ends with 2; with 1 where a weakness is known.

.venv/bin/python -m tools.audit
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

from tests.helpers.paths import REPO

FOUND, NOT_LOOKED_UP = 1, 2
"""Exit statuses; the larger one of both registries is returned."""


def python_verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit status and lines for people, from the report of pip-audit."""
    packages: list[dict[str, Any]] = report["dependencies"]
    unknown = sorted(p["name"] for p in packages if "skip_reason" in p)
    lines = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'no version yet'}"
        for p in packages
        for v in p.get("vulns", ())
    ]
    if len(unknown) == len(packages):
        return NOT_LOOKED_UP, ["PyPI tells nothing of any package: a mirror? Run this where pypi.org itself can be reached."]
    status = FOUND if lines else 0
    lines.append(f"Python: {len(packages) - len(unknown)} packages looked up, {len(lines)} weaknesses known.")
    if unknown:
        lines.append(f"PyPI does not have these versions: {', '.join(unknown)}.")
    return status, lines


def npm_verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit status and lines for people, from the report of `npm audit`."""
    if "vulnerabilities" not in report:
        said = report.get("message") or report.get("error", {}).get("summary") or "no answer"
        return NOT_LOOKED_UP, [f"npm's registry tells nothing ({said}). Run this where registry.npmjs.org itself can be reached."]
    found: dict[str, dict[str, Any]] = report["vulnerabilities"]
    lines = [f"npm {name}: {entry['severity']}, versions {entry['range']}" for name, entry in sorted(found.items())]
    return FOUND if found else 0, [*lines, f"npm: {len(lines)} packages with known weaknesses."]


def _report(command: list[str]) -> dict[str, Any]:
    """What a command prints as JSON; nothing where it prints none."""
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)  # noqa: S603 - fixed words
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"dependencies": [], "message": done.stderr.strip()[-200:]}


def main() -> int:
    python = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json", "--progress-spinner", "off"]
    npm = [shutil.which("npm") or "npm", "--prefix", "web_src", "audit", "--json"]
    verdicts = [python_verdict(_report(python)), npm_verdict(_report(npm))]
    for _, lines in verdicts:
        print("\n".join(lines))
    return max(status for status, _ in verdicts)


if __name__ == "__main__":
    sys.exit(main())
