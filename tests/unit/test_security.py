"""What SECURITY.md says of the code, as far as the text of the files tells it."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import REPO
from tools import licences

SECRETS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}",
    "an AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "an API key": r"\bsk-[A-Za-z0-9_-]{30,}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a registry's login": r"_authToken|//[^/\s:@\"']+:[^/\s:@\"']+@",
}
"""What secrets look like."""
FROM_HTML = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|\beval\(|new Function\(")
"""Ways to make elements or code from a string."""
ROUTES = re.compile(r"\.routes\b|add_routes?\(|aiohttp")
"""Ways to add a route to ComfyUI's server."""


def tracked() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs git and the repository")
    yield from (p for p in map(REPO.joinpath, listed.stdout.splitlines()) if p.is_file())


def test_no_tracked_file_holds_a_secret() -> None:
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:4096] or path == Path(__file__):
            continue
        text = data.decode("utf-8", "replace")
        for what, pattern in SECRETS.items():
            assert not re.search(pattern, text), f"{path} seems to hold {what}"


def test_the_page_never_makes_elements_from_html_in_a_string() -> None:
    sources = sorted((REPO / "web_src" / "src").rglob("*.ts"))
    assert sources
    for path in (*sources, REPO / "web" / "refocus.js"):
        assert not FROM_HTML.search(path.read_text(encoding="utf-8")), path


def test_the_pack_adds_no_route_to_the_server() -> None:
    for path in (REPO / "__init__.py", *(REPO / "nodes").rglob("*.py")):
        assert not ROUTES.search(path.read_text(encoding="utf-8")), path


def test_the_list_of_licences_is_current() -> None:
    assert licences.PAGE.read_text(encoding="utf-8") == licences.page(), "run `python -m tools.licences`"


@pytest.mark.parametrize("name", sorted(licences.PACKAGES))
def test_a_package_has_the_licence_that_its_metadata_says(name: str) -> None:
    """As far as it says so in the words of SPDX: older metadata holds any text."""
    try:
        stated = importlib.metadata.metadata(name).get("License-Expression")
    except importlib.metadata.PackageNotFoundError:
        return
    if stated and name != "torch":  # whose expression also names all that is compiled into it
        assert set(re.findall(r"[\w.-]+", licences.PACKAGES[name])) & set(re.findall(r"[\w.-]+", stated))


def test_every_dependency_is_in_that_list_and_nothing_else() -> None:
    assert set(licences.dependencies()) == set(licences.PACKAGES)
