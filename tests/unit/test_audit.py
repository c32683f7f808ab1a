"""What is told of known weaknesses, from reports as pip-audit and npm write them."""

from __future__ import annotations

from tools.audit import FOUND, NOT_LOOKED_UP, npm_verdict, python_verdict

SOUND = {"name": "numpy", "version": "2.4.0", "vulns": []}
WEAK = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"], "aliases": []}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0+cpu)"}
NPM_WEAK = {"vulnerabilities": {"vite": {"severity": "high", "range": "<=5.0.4"}}}


def test_a_known_weakness_is_named_with_the_version_that_mends_it() -> None:
    status, lines = python_verdict({"dependencies": [SOUND, WEAK]})
    assert status == FOUND and lines[0] == "jinja2 2.4.1: PYSEC-2014-8, mended in 2.7.2"
    status, lines = npm_verdict(NPM_WEAK)
    assert status == FOUND and lines[0] == "npm vite: high, versions <=5.0.4"


def test_nothing_known_is_success_and_tells_what_was_not_looked_up() -> None:
    status, lines = python_verdict({"dependencies": [SOUND, UNKNOWN]})
    assert status == 0 and "1 packages looked up, 0 weaknesses" in lines[0] and "torch" in lines[1]
    assert npm_verdict({"vulnerabilities": {}})[0] == 0


def test_a_registry_that_tells_nothing_is_no_success() -> None:
    assert python_verdict({"dependencies": [UNKNOWN]})[0] == NOT_LOOKED_UP
    assert python_verdict({"dependencies": []})[0] == NOT_LOOKED_UP
    assert npm_verdict({"error": {"summary": "405 Method Not Allowed"}})[0] == NOT_LOOKED_UP
