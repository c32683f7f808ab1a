"""Writes the table of limits and defaults at the end of every help page, from `refocus_core.options`.

.venv/bin/python -m tools.help_tables
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from refocus_core.options import NODES, Choice, Number, Option, Switch
from tests.helpers.paths import REPO

DOCS = REPO / "web" / "docs"
"""The help pages: a folder for each node, a file for each language."""


@dataclass(frozen=True)
class Language:
    """Words around the table; names of options are the same everywhere."""

    title: str
    columns: tuple[str, str, str]
    page: str
    """The page below web/docs, with the node's id for {}."""


LANGUAGES = {
    "en": Language("Defaults and limits", ("input", "default", "limits"), "{}.md"),
    "zh": Language("默认值与范围", ("输入", "默认值", "范围"), "{}/zh.md"),
}
"""Language -> words of its tables."""


def section(options: Iterable[Option], language: Language) -> str:
    """The last section of a page."""
    head = f"\n## {language.title}\n\n| {' | '.join(language.columns)} |\n|---|---|---|\n"
    return head + "".join(f"| `{o.name}` | {_default(o)} | {_limits(o)} |\n" for o in options)


def _default(option: Option) -> str:
    if isinstance(option, Switch):
        return "on" if option.default else "off"
    return f"{option.default:.10g}" if isinstance(option, Number) else option.default


def _limits(option: Option) -> str:
    if isinstance(option, Number):
        low, high = option.limits
        return f"{low:.10g} – {high:.10g} {option.unit}".rstrip()
    return ", ".join(option.words) if isinstance(option, Choice) else ""


def main() -> None:
    for node, options in NODES.items():
        for language in LANGUAGES.values():
            page = DOCS / language.page.format(node)
            text = page.read_text(encoding="utf-8").split(f"\n## {language.title}\n")[0]
            page.write_text(text.rstrip("\n") + "\n" + section(options, language), encoding="utf-8")


if __name__ == "__main__":
    main()
