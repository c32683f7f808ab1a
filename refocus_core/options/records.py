"""What is said of an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number; whole where its default is an int.

    Attributes:
        name: id of the input in ComfyUI, and `--name` of the command line unless `flag` says otherwise.
        default: what it is when nobody sets it.
        limits: lowest and highest value.
        step: how far one click moves it in ComfyUI.
        unit: what it counts, for people; empty for a share or a factor.
        text: what it does, in English: tooltip and help.
        advanced: whether the page folds it away.
        flag: name of its option of the command line, where a photographer would look for another word.
    """

    name: str
    default: float
    limits: tuple[float, float]
    step: float
    unit: str
    text: str
    advanced: bool = False
    flag: str = ""


@dataclass(frozen=True)
class Choice:
    """One of several words.

    Attributes:
        values: word -> what it does; empty where the word says it. Nodes may add words that only this machine knows.
        name, default, text, advanced, flag: as of `Number`.
    """

    name: str
    default: str
    values: Mapping[str, str]
    text: str
    advanced: bool = False
    flag: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """What can be chosen."""
        return tuple(self.values)

    @property
    def full_text(self) -> str:
        """The text, and a line for every word that has one."""
        return "\n".join([self.text, *(f"{word}: {text}" for word, text in self.values.items() if text)])


@dataclass(frozen=True)
class Switch:
    """On or off. Attributes: as of `Number`."""

    name: str
    default: bool
    text: str
    advanced: bool = False
    flag: str = ""


@dataclass(frozen=True)
class Text:
    """Words without a limit. Attributes: as of `Number`."""

    name: str
    text: str
    default: str = ""
    advanced: bool = False
    flag: str = ""


Option = Number | Choice | Switch | Text
"""Any of them."""
