"""The built file that users get is the one that the sources give."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.paths import REPO
from tools import page_constants

BUILT = REPO / "web" / "refocus.js"


def test_committed_build_is_a_fresh_build(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (REPO / "web_src" / "node_modules" / "esbuild").is_dir():
        pytest.skip("needs node and the packages of web_src: run `bash scripts/setup.sh tests`")
    out = tmp_path / "refocus.js"
    subprocess.run([node, "build.mjs", str(out)], cwd=REPO / "web_src", check=True)
    assert out.read_bytes() == BUILT.read_bytes(), "run `npm --prefix web_src run build` and commit web/refocus.js"


@pytest.mark.parametrize("path", page_constants.FILES, ids=lambda p: p.name)
def test_what_is_shared_with_the_core_is_current(path: Path) -> None:
    written = path.read_text(encoding="utf-8")
    assert written == page_constants.FILES[path](), "run `python -m tools.page_constants` and build the page"


def test_it_is_one_small_file_that_asks_nobody_but_its_server() -> None:
    text = BUILT.read_text(encoding="utf-8")
    assert [f.name for f in (REPO / "web").glob("**/*.js")] == ["refocus.js"], "ComfyUI loads every .js file in there"
    assert len(text) < 150_000
    for address in ("http://", "https://"):
        assert text.count(address) == text.count(f"{address}www.w3.org/"), "no address but the names of XML spaces"
    for trace in ("prototype.", "eval(", "localStorage", "innerHTML", "console."):
        assert trace not in text


def test_every_word_of_the_views_has_its_chinese_and_none_is_left_over() -> None:
    root = REPO / "web_src" / "src"
    sources = {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*.ts")}
    words = sources.pop("ui/words.ts")
    english = {quoted or plain for quoted, plain in re.findall(r'^  (?:"([^"\n]+)"|(\w+)):\s', words, re.MULTILINE)}
    assert len(english) > 40
    code = "\n".join(sources.values())
    assert set(re.findall(r'\bt\(\s*"([^"]+)"', code)) <= english
    assert [w for w in english if f'"{w}"' not in code] == []
