"""What the registry would publish: its description, its requirements beside ComfyUI's own, and its archive in a real server."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from tests.helpers import paths, rig

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="needs tomli: run `bash scripts/setup.sh tests`")

PROJECT: dict[str, Any] = tomllib.loads((paths.REPO / "pyproject.toml").read_text())
NEVER_NAMED_WITH_A_VERSION = ("torch", "torchvision", "torchaudio", "numpy")
THROUGH = {"huggingface-hub": "transformers"}
"""What ComfyUI's list does not name, and the package on it that needs it."""


def requirements(path: Path) -> dict[str, Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {canonicalize_name(r.name): r for r in (Requirement(line) for line in lines if line and not line.startswith("-"))}


OURS = requirements(paths.REPO / "requirements.txt")


@pytest.fixture(scope="module")
def comfyui() -> dict[str, Requirement]:
    folder = rig.comfy_dir()
    if folder is None:
        pytest.skip("needs ComfyUI: run `bash scripts/setup.sh tests`, or set REFOCUS_COMFYUI to a checkout")
    return requirements(folder / "requirements.txt")


def test_requirements_name_only_what_comfyui_installs_and_narrow_nothing(comfyui: dict[str, Requirement]) -> None:
    """Manager runs `pip install -r requirements.txt`: what is satisfied stays as it is, so nothing may ask for more."""
    for name, requirement in OURS.items():
        assert not requirement.url and not requirement.extras and requirement.marker is None, requirement
        if name in NEVER_NAMED_WITH_A_VERSION:
            assert not requirement.specifier, f"{requirement} would move it"
        if name in THROUGH:
            needs = {canonicalize_name(Requirement(r).name) for r in importlib.metadata.requires(THROUGH[name]) or ()}
            assert name in needs and THROUGH[name] in comfyui
            assert not requirement.specifier
            continue
        assert name in comfyui, f"{name} is not among ComfyUI's requirements"
        asked, given = set(requirement.specifier), set(comfyui[name].specifier)
        assert asked <= given, f"{requirement} asks for more than ComfyUI's own {comfyui[name]}"


def test_pip_would_change_nothing_beside_comfyui() -> None:
    """The real resolver, in the environment in which the server of these tests runs, without a network."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--disable-pip-version-check"]
    found = subprocess.run([*command, "-r", str(paths.REPO / "requirements.txt")], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Would install" not in found.stdout


def test_the_command_line_needs_nothing_that_the_nodes_do_not() -> None:
    project = PROJECT["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["models"]]
    assert {str(r) for r in map(Requirement, named)} <= {str(r) for r in OURS.values()}


def test_the_description_is_complete() -> None:
    project, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
    assert re.fullmatch(r"[a-z](?:[-_.]?[a-z0-9])*", project["name"]) and "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert re.search(rf"^## {re.escape(project['version'])} \(", (paths.REPO / "CHANGELOG.md").read_text(), re.M)
    assert (paths.REPO / project["license"]["file"]).is_file() and (paths.REPO / project["readme"]).is_file()
    assert project["description"] and project["urls"]["Repository"].startswith("https://")
    assert comfy["DisplayName"] and comfy["PublisherId"]
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    assert "web" not in comfy, "WEB_DIRECTORY says it already; both would load the page's part twice"
    icon = comfy["Icon"]
    assert icon.startswith("https://") and (paths.REPO / "web" / icon.rsplit("/", 1)[1]).is_file()
    with Image.open(paths.REPO / "web" / comfy["Banner"].rsplit("/", 1)[1]) as banner:
        assert banner.width * 9 == banner.height * 21
    head = (paths.REPO / "web" / "icon.svg").read_text()[:200]
    assert 'width="400" height="400"' in head  # the largest that the registry takes


def test_placeholders_are_marked_until_all_are_filled_in() -> None:
    """Every address that has no owner yet says OWNER; once one is filled in, all must be."""
    comfy, urls = PROJECT["tool"]["comfy"], PROJECT["project"]["urls"]
    action = (paths.REPO / ".github" / "workflows" / "publish.yaml").read_text()
    owner = re.findall(r"repository_owner == '(\w+)'", action)
    values = [comfy["PublisherId"], comfy["Icon"], comfy["Banner"], *urls.values(), *owner]
    assert len({"OWNER" in value for value in values}) == 1, f"some of these are filled in and some are not: {values}"


def archive() -> list[str]:
    """The files that the registry's archive holds: tracked by git, and not named by .comfyignore."""

    def listed(*arguments: str) -> set[str]:
        command = ["git", "-c", "core.quotepath=off", "ls-files", "-z", "--cached", *arguments]
        out = subprocess.run(command, cwd=paths.REPO, capture_output=True, check=True).stdout.decode()
        return set(filter(None, out.split("\0")))

    return sorted(listed() - listed("--ignored", "--exclude-from=.comfyignore"))


def test_the_archive_leaves_out_what_only_development_needs() -> None:
    files = archive()
    roots = {f.split("/")[0] for f in files}
    assert {"__init__.py", "nodes", "refocus_core", "web", "workflows", "locales", "subgraphs", "tests", "LICENSE"} <= roots
    assert not roots & {"bench", "scripts", "docs", ".ci", ".github", "web_src", "node_modules"}
    assert all(f.startswith("tests/data/") for f in files if f.startswith("tests/"))


def test_the_pack_runs_from_the_archive_alone(tmp_path: Path) -> None:
    comfy = rig.comfy_dir()
    if comfy is None:
        pytest.skip("needs ComfyUI: run `bash scripts/setup.sh tests`, or set REFOCUS_COMFYUI to a checkout")
    pack = tmp_path / "refocus-optics"  # as the registry's installer names it
    for file in archive():
        (pack / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.REPO / file, pack / file)
    inputs = tmp_path / "base" / "input"
    inputs.mkdir(parents=True)
    (inputs / "refocus_coffee.png").write_bytes(b"somebody's own")
    server = rig.Server(tmp_path / "base", comfy, links={pack.name: pack})
    try:
        server.wait()
        nodes = server.get("/object_info")
        assert set(rig.NODE_IDS) <= set(nodes)
        assert {n for n in nodes if n.startswith("Refocus")} == set(rig.NODE_IDS)
        graphs = sorted(f.stem for f in (paths.REPO / "workflows").glob("*.json"))
        assert sorted(server.get("/workflow_templates")[pack.name]) == graphs
        assert set(server.get("/i18n")) >= {"en", "zh"}
        blueprints = [b["name"] for b in server.get("/global_subgraphs").values() if b["source"] == "custom_node"]
        assert blueprints == ["Refocus"]
        for node_id in rig.NODE_IDS:
            assert server.raw(f"/extensions/{pack.name}/docs/{node_id}.md")
        assert f"Cannot import {pack}" not in server.log_text()
        shipped = {f"refocus_{f.rsplit('/', 1)[1]}" for f in archive() if f.startswith("tests/data/") and not f.endswith(".md")}
        assert {f.name for f in inputs.iterdir() if f.is_file()} == shipped
        assert (inputs / "refocus_coffee.png").read_bytes() == b"somebody's own"
        assert f"Refocus: copied {len(shipped) - 1} pictures of its templates into {inputs}" in server.log_text()
    finally:
        server.stop()
    written = sorted(str(f.relative_to(pack)) for f in pack.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    assert written == archive(), "the pack wrote into its own folder"


def test_no_id_is_both_an_input_and_an_output(comfy_server: rig.Server) -> None:
    """ComfyUI 0.3.64 refuses the whole pack for one node that has such an id."""
    nodes = comfy_server.get("/object_info")
    for node_id in rig.NODE_IDS:
        inputs = {name for group in nodes[node_id]["input"].values() for name in group}
        assert not inputs & set(nodes[node_id]["output_name"]), node_id
