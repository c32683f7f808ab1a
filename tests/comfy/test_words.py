"""What a person reads: translations and help, against the nodes that a real server registers."""

from __future__ import annotations

import re

import pytest

from tests.helpers import rig
from tools import locales

LANGUAGES = ("en", "zh")
HINT = "run `python -m tools.locales`"
HAN = re.compile(r"[\u4e00-\u9fff]")
UNTRANSLATABLE = re.compile(r"^[\W\d_]*$")


def texts(language: str) -> dict[str, str]:
    return {
        f"{file}:{key}": text
        for file in ("main.json", "nodeDefs.json", "settings.json")
        for key, text in locales.flat(locales.read(language, file))
    }


def test_english_is_what_the_server_says(comfy_server: rig.Server) -> None:
    said = locales.english(comfy_server.get("/object_info"))
    assert set(said) == set(rig.NODE_IDS)
    assert locales.read("en", "nodeDefs.json") == said, HINT


def test_every_text_is_there_in_every_language_and_none_is_left_over() -> None:
    assert sorted(p.name for p in locales.LOCALES.iterdir()) == sorted(LANGUAGES)
    source = texts("en")
    for language in LANGUAGES[1:]:
        found = texts(language)
        missing, extra = sorted(set(source) - set(found)), sorted(set(found) - set(source))
        assert not missing, f"locales/{language} lacks {missing}"
        assert not extra, f"locales/{language} has what English has not: {extra}; {HINT}"


def test_chinese_is_chinese() -> None:
    """A text that was only copied has no Chinese character in it."""
    copied = [k for k, text in texts("zh").items() if not UNTRANSLATABLE.match(texts("en")[k]) and not HAN.search(text)]
    assert copied == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_means_something_to_the_message_format(language: str) -> None:
    for key, text in texts(language).items():
        assert text.strip(), f"{language}: {key} is empty; every input and output needs a tooltip"
        if not key.endswith("tooltip"):  # tooltips are shown as they are
            assert not set(text) & set(locales.SPECIAL), f"{language}: {key}: one of {locales.SPECIAL} in {text!r}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_server_serves_the_translations(language: str, comfy_server: rig.Server) -> None:
    given = comfy_server.get("/i18n")[language]
    assert given["nodeDefs"] == locales.read(language, "nodeDefs.json")
    assert given["nodeCategories"] == locales.read(language, "main.json")["nodeCategories"]


@pytest.mark.parametrize("node_id", rig.NODE_IDS)
def test_help_has_a_small_picture_and_names_every_input_in_both_languages(node_id: str, comfy_server: rig.Server) -> None:
    """The page asks for docs/NODE/zh.md in Chinese and for docs/NODE.md in every other language; both name the picture as if
    they lay in docs/, because the page resolves it from there."""
    picture = comfy_server.raw(f"/extensions/{rig.PACK}/docs/{node_id}.webp")
    assert picture[8:12] == b"WEBP" and len(picture) < 60_000
    said = locales.read("en", "nodeDefs.json")[node_id]
    for address in (f"{node_id}.md", f"{node_id}/zh.md"):
        text = comfy_server.raw(f"/extensions/{rig.PACK}/docs/{address}").decode()
        assert f"]({node_id}.webp)" in text, f"{address} does not show its picture"
        names = {*said["inputs"], *(output["name"] for output in said["outputs"].values())}
        missing = sorted(name for name in names if not re.search(rf"\b{name}\b", text.lower()))
        assert not missing, f"{address} does not mention {missing}"
