"""Writes docs/licences.md: on which terms everything comes that Refocus uses or ships. From the files that name these things.

.venv/bin/python -m tools.licences
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from refocus_core.models.registry import ENTRIES
from tests.helpers.paths import DATA, REPO

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = REPO / "docs" / "licences.md"
"""What this tool writes."""

PACKAGES = {
    "accelerate": "Apache-2.0",
    "av": "BSD-3-Clause (its wheels also LGPL-3.0 and GPL-3.0: FFmpeg, x264, x265)",
    "bandit": "Apache-2.0",
    "basedpyright": "MIT",
    "detect-secrets": "Apache-2.0",  # pragma: allowlist secret - a package's name
    "diffusers": "Apache-2.0",
    "fsspec": "BSD-3-Clause",
    "huggingface_hub": "Apache-2.0",
    "hypothesis": "MPL-2.0",
    "import-linter": "BSD-2-Clause",
    "kornia": "Apache-2.0",
    "lpips": "BSD-2-Clause",
    "moderngl": "MIT",
    "moto": "Apache-2.0",
    "numpy": "BSD-3-Clause (its wheels also 0BSD, MIT, Zlib, CC0-1.0)",
    "onnx": "Apache-2.0",
    "OpenEXR": "BSD-3-Clause",
    "peft": "Apache-2.0",
    "Pillow": "MIT-CMU",
    "pillow-heif": "BSD-3-Clause (its wheels also LGPL-3.0 and GPL-2.0: libheif, x265)",
    "pip-audit": "Apache-2.0",
    "piq": "Apache-2.0",
    "playwright": "Apache-2.0",
    "prodigyopt": "MIT",
    "protobuf": "BSD-3-Clause",
    "pytest": "MIT",
    "pytest-timeout": "MIT",
    "pytest-xdist": "MIT",
    "pyyaml": "MIT",
    "rawpy": "MIT (its wheels also LGPL-2.1: LibRaw)",
    "ray": "Apache-2.0",
    "ruff": "MIT",
    "s3fs": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    "scikit-image": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "sentencepiece": "Apache-2.0",
    "setuptools": "MIT",
    "spandrel": "MIT",
    "tensorboard": "Apache-2.0",
    "torch": "BSD-3-Clause",
    "tqdm": "MPL-2.0 AND MIT",
    "transformers": "Apache-2.0",
    "triton": "MIT",
    "webdataset": "BSD-3-Clause",
    "websocket-client": "Apache-2.0",
}
"""Package -> licence, as its own metadata or licence file says. A test asks for an entry for every package that is named."""

SHOWN = {"run": "running Refocus", "extra": "optional parts", "test": "checks and tests, not installed for users"}
"""What packages are for, in the words of the page."""


def dependencies() -> dict[str, str]:
    """Python package -> a key of `SHOWN`, the first that holds, from the files that list them."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*_listed("requirements.txt"), *map(_name, project["project"]["dependencies"])]
    extras = [_name(line) for lines in project["project"]["optional-dependencies"].values() for line in lines]
    tests = [*_listed("scripts/requirements-tests.txt"), *map(_name, project["build-system"]["requires"])]
    found: dict[str, str] = {}
    for use, names in (("run", needed), ("extra", extras), ("test", tests)):
        for name in names:
            found.setdefault(name, use)
    return found


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0]


def _listed(file: str) -> Iterator[str]:
    lines = (line.split("#")[0].strip() for line in (REPO / file).read_text(encoding="utf-8").splitlines())
    return (_name(line) for line in lines if line)


def _npm() -> list[tuple[str, str]]:
    """Packages that build and check the page, with those they need, by licence; nothing of them is in the built file."""
    lock: dict[str, Any] = json.loads((REPO / "web_src" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    by_licence: dict[str, list[str]] = {}
    for path, package in lock.items():
        if path:
            by_licence.setdefault(package.get("license", "not stated"), []).append(path.split("node_modules/")[-1])
    return [(licence, ", ".join(sorted(set(names)))) for licence, names in sorted(by_licence.items())]


def _fetched() -> Iterator[tuple[str, str]]:
    """Packages whose photos benches and training fetch and do not ship."""
    measured = json.loads((REPO / "bench" / "data" / "measured_photos.json").read_text(encoding="utf-8"))
    yield from ((f"{p['name']} {p['version']}", p["licence"]) for p in measured["packages"].values())
    trained = json.loads((REPO / "refocus_core" / "train" / "common" / "photos.json").read_text(encoding="utf-8"))
    for photo in trained["photos"]:
        yield f"{photo['package']}: {photo['name']}", str(photo.get("licence", photo.get("license", "see the package")))


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells]) + "\n"


def page() -> str:
    """The text of docs/licences.md."""
    used = dependencies()
    packages = sorted(((SHOWN[use], name, PACKAGES[name]) for name, use in used.items()), key=lambda r: (r[0], r[1].lower()))
    weights = [(e.label, "in this repository" if e.files[0].shipped else e.url, e.licence) for e in ENTRIES]
    own = (DATA / "LICENSES.md").read_text(encoding="utf-8").split("\n\n")
    pictures = next(part for part in own if part.startswith("| file"))
    return (
        "# Licences\n\n"
        "Made by `python -m tools.licences` from the files that name these things; a test asks that it is current.\n\n"
        "Refocus itself is under [Apache-2.0](../LICENSE). The tests fetch ComfyUI (GPL-3.0) and run it beside this code;\n"
        "nothing of it is included.\n\n"
        f"## Python packages\n\n{_table(('for', 'package', 'licence'), packages)}\n"
        "## npm packages\n\nThey build and check the page; the built `web/refocus.js` holds code of this repository only.\n\n"
        f"{_table(('licence', 'packages'), _npm())}\n"
        f"## Weights\n\n{_table(('model', 'where', 'licence'), weights)}\n"
        f"## Pictures in this repository\n\nFolder `tests/data`.\n\n{pictures.rstrip()}\n\n"
        "## Photos that benches and training fetch\n\nNone of them ships.\n\n"
        f"{_table(('package', 'licence'), dict.fromkeys(_fetched()))}"
    )


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
