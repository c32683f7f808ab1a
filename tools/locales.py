"""Writes locales/en/nodeDefs.json from what a real ComfyUI says about the nodes, and brings the other languages into its shape.

    python -m tools.locales

Run it after a node's inputs, outputs or words change. A text that a language lacks is listed at the end and has to be written
by hand into that language's file; texts whose input is gone are dropped. Nothing is translated here.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.helpers import rig
from tests.helpers.paths import REPO

LOCALES = REPO / "locales"
"""A folder for each language."""
Texts = dict[str, Any]
"""Nested: node id -> display_name, description, inputs -> name -> (name, tooltip), outputs -> index -> (name, tooltip)."""
SPECIAL = "{}|@"
"""vue-i18n gives these a meaning in names and descriptions."""


def english(object_info: Mapping[str, Any]) -> Texts:
    """The texts of our nodes, from ComfyUI's /object_info, in the shape of a nodeDefs.json."""
    texts: Texts = {}
    for node_id in rig.NODE_IDS:
        node = object_info[node_id]
        inputs: dict[str, dict[str, str]] = {}
        for group in ("required", "optional"):
            for name, (_, *options) in node["input"].get(group, {}).items():
                given = options[0] if options else {}
                inputs[name] = {"name": given.get("display_name") or name, "tooltip": given.get("tooltip", "")}
        outputs = {
            str(k): {"name": name, "tooltip": tooltip or ""}
            for k, (name, tooltip) in enumerate(zip(node["output_name"], node["output_tooltips"], strict=True))
        }
        texts[node_id] = {
            "display_name": node["display_name"],
            "description": node["description"],
            "inputs": inputs,
            "outputs": outputs,
        }
    return texts


def flat(texts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(path with dots, text) of every text."""
    for key, value in texts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def shaped(texts: Mapping[str, Any], like: Mapping[str, Any]) -> Texts:
    """`texts` in the order of `like`, without what `like` has not."""
    return {
        key: shaped(texts[key], value) if isinstance(value, Mapping) else texts[key]
        for key, value in like.items()
        if key in texts
    }


def read(language: str, file: str) -> Texts:
    """One file of a language; empty if there is none."""
    path = LOCALES / language / file
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(language: str, file: str, texts: Texts) -> None:
    """One file of a language."""
    (LOCALES / language / file).write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    comfy = rig.comfy_dir()
    if comfy is None:
        sys.exit("No ComfyUI: run scripts/setup.sh tests, or set REFOCUS_COMFYUI.")
    with tempfile.TemporaryDirectory() as base:
        server = rig.Server(Path(base), comfy, links={rig.PACK: REPO})
        try:
            server.wait()
            nodes = english(server.get("/object_info"))
        finally:
            server.stop()
    write("en", "nodeDefs.json", nodes)
    for file in ("main.json", "nodeDefs.json"):
        source = read("en", file)
        for folder in sorted(LOCALES.iterdir()):
            if folder.name == "en":
                continue
            found = shaped(read(folder.name, file), source)
            write(folder.name, file, found)
            have = dict(flat(found))
            for key, text in flat(source):
                if key not in have:
                    print(f"locales/{folder.name}/{file} lacks {key}: {text}")


if __name__ == "__main__":
    main()
