"""Rules of the layout that a linter does not know. The direction of imports in the core is import-linter's (pyproject.toml)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import REPO, environment

CORE = sorted((REPO / "refocus_core").rglob("*.py"))
NODES = sorted((REPO / "nodes").rglob("*.py"))
NODE_FILES = [p for p in NODES if p.parent.name == "nodes" and p.name != "__init__.py"]
"""A file for each node. The rooms beside them, host/ and flux/, serve all of them and know ComfyUI's machinery."""
HOST = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "server", "nodes", "execution"}


def name(path: Path) -> str:
    return str(path.relative_to(REPO))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, module) of every import in a file, at any depth; level 0 = absolute."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def calls(path: Path, besides: str = "") -> Iterator[str]:
    """Dotted names of everything that a file calls, but for the function `besides`."""
    tree = ast.parse(path.read_text())
    tree.body = [part for part in tree.body if getattr(part, "name", "") != besides]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func)


def test_core_imports_without_comfyui_even_when_it_is_there(tmp_path: Path) -> None:
    """Modules named as ComfyUI's raise as soon as they are imported; every module of the core is imported beside them."""
    for module in HOST:
        (tmp_path / f"{module}.py").write_text("raise RuntimeError('the core imported its host')")
    program = (
        "import importlib, pkgutil, refocus_core\n"
        "names = [m.name for m in pkgutil.walk_packages(refocus_core.__path__, 'refocus_core.')]\n"
        "[importlib.import_module(n) for n in names if not n.endswith('__main__')]\n"
        "print(len(names))"
    )
    env = environment(tmp_path, REPO)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr[-2000:]
    assert int(result.stdout) >= len(CORE) - 1


@pytest.mark.parametrize("path", CORE, ids=name)
def test_core_file_names_no_host_and_no_absolute_self(path: Path) -> None:
    """In ComfyUI the core is a subpackage with another name, so only relative imports find it."""
    for level, module in imports(path):
        root = module.split(".")[0]
        assert level or root not in HOST, f"{name(path)} imports {module}"
        assert level or root != "refocus_core", f"{name(path)} imports {module} absolutely"


@pytest.mark.parametrize("path", CORE + NODES, ids=name)
def test_no_pickle_and_no_print(path: Path) -> None:
    modules = {module.split(".")[0] for level, module in imports(path) if not level}
    assert not modules & {"pickle", "dill", "joblib", "cloudpickle"}, f"{name(path)} reads pickles"
    called = set(calls(path))
    assert not called & {"torch.load", "torch.hub.load", "eval", "exec"}, f"{name(path)} can run what it loads"
    if path.parent.name != "cli" and path.name != "__main__.py":  # a command's main prints what it was asked for
        assert "print" not in set(calls(path, besides="main")), f"{name(path)} prints; use logging"


@pytest.mark.parametrize("path", NODE_FILES, ids=name)
def test_node_file_is_thin(path: Path) -> None:
    """A node converts, calls the core, converts back: it has no tensor mathematics and does not know ComfyUI's machinery."""
    for level, module in imports(path):
        root = module.split(".")[0]
        assert level or root not in (HOST - {"comfy_api"}) | {"refocus_core"}, f"{name(path)} imports {module}"
        assert level or root not in {"numpy", "scipy", "kornia", "PIL"}, f"{name(path)} imports {module}: mathematics"
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "torch":
            assert node.attr in {"Tensor", "dtype", "device"}, f"{name(path)} uses torch.{node.attr}; annotations only"
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 50, f"{name(path)}: {node.name} has {length} lines; move what is not conversion into the core"


def test_the_entry_point_is_v3_and_the_root_imports_nothing_of_comfyui() -> None:
    """ComfyUI would prefer NODE_CLASS_MAPPINGS and then ignore comfy_entrypoint; test tools import the root without ComfyUI."""
    tree = ast.parse((REPO / "__init__.py").read_text())
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {getattr(n, "name", "") for n in tree.body}
    assert "comfy_entrypoint" in names and "WEB_DIRECTORY" in names
    assert "NODE_CLASS_MAPPINGS" not in names
    top = {m.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) for m in [node.module or "."]}
    assert top <= {"__future__", "typing"}, f"the root imports {top} at its top"
