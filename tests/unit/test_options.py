"""The records of options against the core that they describe, and the tables that the help pages show of them."""

from __future__ import annotations

import pytest

from refocus_core import bokeh, options, restore
from refocus_core.cli import build_parser
from refocus_core.options import Choice, Number, Switch
from refocus_core.options.records import CONNECTED, OFF, ON, OPEN
from tests.helpers.paths import REPO

EVERY = [(node, option) for node, given in options.NODES.items() for option in given]


@pytest.mark.parametrize(("node", "option"), EVERY, ids=lambda v: v if isinstance(v, str) else v.name)
def test_a_record_is_whole(node: str, option: options.Option) -> None:
    assert len(option.text) > 10 and option.text.endswith(".")
    if isinstance(option, Number):
        low, high = option.limits
        assert low <= option.default <= high and 0 < option.step <= high - low
        assert isinstance(option.default, int) == isinstance(option.step, int) == isinstance(low, int)
    if isinstance(option, Choice) and option.values:
        assert option.default in option.words


@pytest.mark.parametrize(("node", "option"), EVERY, ids=lambda v: v if isinstance(v, str) else v.name)
def test_cases_name_words_that_can_be_chosen(node: str, option: options.Option) -> None:
    """Of sockets, which only ComfyUI knows, tests/comfy/test_ui_inputs.py asks the page."""
    others = {o.name: o for o in options.NODES[node]}
    for case in option.when:
        assert option.name not in case
        for name, words in case.items():
            other = others.get(name)
            known = {CONNECTED, OPEN}
            if other is not None:
                assert isinstance(other, Choice | Switch), f"{option.name} depends on {name}, which is no choice"
                known = {ON, OFF}
            if isinstance(other, Choice):
                known = {*other.words, options.aperture.IMAGE, options.restore.OWN_MODEL, options.defocus.OTHER_SENSOR}
            assert set(words) <= known, f"{node}.{option.name}"


@pytest.mark.parametrize("node", options.NODES)
def test_a_node_shows_eight_options_at_most_as_it_is_placed(node: str) -> None:
    """Without what the page folds too: the classic canvas folds nothing."""
    said = {o.name: o.default for o in options.NODES[node]}
    shown = [
        o.name
        for o in options.NODES[node]
        if not o.when or any(all(said.get(k, OPEN) in w for k, w in c.items()) for c in o.when)
    ]
    assert 0 < len(shown) <= 8, shown


def test_names_are_unique_in_a_node() -> None:
    for node, given in options.NODES.items():
        names = [o.name for o in given]
        assert len(names) == len(set(names)), node


def test_words_are_those_of_the_core() -> None:
    assert options.aperture.SHAPE.words == tuple(bokeh.SHAPES)
    assert options.aperture.PRESET.words == (options.aperture.OWN, *bokeh.PRESETS)
    assert options.blur.QUALITY.words == tuple(bokeh.QUALITIES)
    assert options.restore.OWN_MODEL == restore.MODEL_PREFIX
    assert set(options.restore.METHOD.words) == {"auto", "generative", *restore.METHODS}


def test_the_command_line_has_every_flag() -> None:
    known = {flag for action in build_parser()._actions for flag in action.option_strings}
    assert {o.flag for _, o in EVERY if o.flag} <= known


@pytest.mark.parametrize("node", options.NODES)
@pytest.mark.parametrize("page", ["{}.md", "{}/zh.md"])
def test_help_pages_end_with_the_table_of_their_options(node: str, page: str) -> None:
    from tools.help_tables import LANGUAGES, section

    language = LANGUAGES["zh" if page.endswith("zh.md") else "en"]
    text = (REPO / "web" / "docs" / page.format(node)).read_text(encoding="utf-8")
    assert text.endswith(section(options.NODES[node], language)), "run python -m tools.help_tables"
