"""Rules of taste that can be counted: lengths, words for constants, names of modules, no edit of the module search path.

A room that does not keep a rule yet has its count of exceptions here. Lower it when you mend one; never raise it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import REPO

MOST_FILE_LINES = 400
"""Of a file of the core, the nodes or the page; more than a reader keeps in mind at once."""
MOST_FUNCTION_LINES = 60
"""Of a function, its docstring included."""
PYTHON = [
    p
    for part in ("refocus_core", "nodes", "bench", "tools", "tests")
    for p in sorted((REPO / part).rglob("*.py"))
    if ".cache" not in p.parts  # packages that benches have fetched
]
PRODUCT = [p for p in PYTHON if p.is_relative_to(REPO / "refocus_core") or p.is_relative_to(REPO / "nodes")]
PAGE = sorted((REPO / "web_src" / "src").rglob("*.ts"))

RECORDS = {"Number", "Choice", "Switch", "Text", "Workflow"}
"""Classes whose instances describe themselves."""

LONG_FILES: dict[str, int] = {}
"""Room -> files over the limit."""
LONG_FUNCTIONS = {"refocus_core/bokeh": 1}
"""Room -> functions over the limit."""
UNDOCUMENTED: dict[str, int] = {}
"""Room -> module constants without a sentence right after them."""
SHARED_NAMES = {
    "run": "trains one network each",
    "pairs": "what a network learns from: sharp and blurred, photo and condition",
    "shards": "files of training examples, of depth and of Genfocus",
    "focus": "of a lens, and of a training example",
    "exif": "read from a user's photo, and drawn for a training example",
    "scores": "of depth while it is trained, and of pictures on public sets",
    "network": "one architecture each, of depth and of restoration",
    "registry": "the one of models, and the entries of depth and of restoration",
    "prompts": "what the core makes of a prompt, and what a node keeps of it",
    "paths": "of weights, and of this project",
    "build": "surfaces of a picture, and graphs",
    "methods": "of restoration, and what is compared on public sets",
    "bins": "of like radius, to blur and to sharpen",
}
"""Module names that several rooms have, and what they are there; nothing is imported by such a name alone."""


def room(path: Path) -> str:
    """The first two parts of a path, of the training room three: refocus_core/bokeh, nodes, refocus_core/train/depth."""
    parts = path.relative_to(REPO).parts[:-1]
    return "/".join(parts[: 3 if "train" in parts[:2] else 2])


def over(counts: Counter[str], allowed: dict[str, int]) -> dict[str, int]:
    """Rooms that exceed their exceptions."""
    return {name: n for name, n in counts.items() if n > allowed.get(name, 0)}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def silent_constants(path: Path) -> Iterator[str]:
    """Module constants, private ones too, that no docstring follows; a record of ours has its words inside."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        value = getattr(node, "value", None)
        record = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in RECORDS
        if not told and not record:
            yield from (n for n in names if re.fullmatch(r"_?[A-Z][A-Z0-9_]+", n))


def test_files_are_short() -> None:
    long = [p for p in PRODUCT + PAGE if len(p.read_text(encoding="utf-8").splitlines()) > MOST_FILE_LINES]
    assert not over(Counter(map(room, long)), LONG_FILES), [str(p.relative_to(REPO)) for p in long]


def test_functions_are_short() -> None:
    """A schema is data that ComfyUI wants in a function."""
    long = [(p, f, n) for p in PRODUCT for f, n in functions(p) if n > MOST_FUNCTION_LINES and f != "define_schema"]
    found = [f"{p.relative_to(REPO)}: {f} has {n} lines" for p, f, n in long]
    assert not over(Counter(room(p) for p, _, _ in long), LONG_FUNCTIONS), found


def test_constants_say_what_they_are() -> None:
    silent = [(p, n) for p in PYTHON if not p.is_relative_to(REPO / "tests") for n in silent_constants(p)]
    excess = over(Counter(room(p) for p, _ in silent), UNDOCUMENTED)
    assert not excess, {r: [f"{p.name}: {n}" for p, n in silent if room(p) == r] for r in excess}


def test_no_two_modules_have_one_name() -> None:
    """Commands of bench are named by what they measure, and nobody imports them; tests have their own prefix."""
    apart = {"__init__", "__main__", "conftest"}
    stems = Counter(p.stem for p in PYTHON if p.stem not in apart and not p.is_relative_to(REPO / "bench" / "run"))
    twice = {name for name, n in stems.items() if n > 1}
    assert twice <= set(SHARED_NAMES), sorted(twice - set(SHARED_NAMES))


@pytest.mark.parametrize("folder", ["refocus_core", "nodes", "bench", "tools", "tests"])
def test_nobody_edits_the_search_path(folder: str) -> None:
    """Programs that a test starts find the project by `tests.helpers.paths.environment`."""
    edit = re.compile(r"sys\.path\s*(\.(insert|append|extend)|\[|\+?=)")
    found = [p for p in sorted((REPO / folder).rglob("*.py")) if p != Path(__file__) and edit.search(p.read_text("utf-8"))]
    assert not found, [str(p.relative_to(REPO)) for p in found]
