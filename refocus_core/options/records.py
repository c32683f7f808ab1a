"""What is said of an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CONNECTED, OPEN = "connected", "open"
"""Words of a socket in a `Case`: a link brings something, or none does."""
ON, OFF = "on", "off"
"""Words of a switch in a `Case`."""
Case = Mapping[str, tuple[str, ...]]
"""Input of the node -> its words; holds where each of these inputs has one of its words. A word that ends in ":" stands for all
that begin with it."""


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
        when: cases in which it has an effect, any of them; empty: always. Elsewhere the page hides it.
    """

    name: str
    default: float
    limits: tuple[float, float]
    step: float
    unit: str
    text: str
    advanced: bool = False
    flag: str = ""
    when: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Choice:
    """One of several words.

    Attributes:
        values: word -> what it does; empty where the word says it. Nodes may add words that only this machine knows.
        name, default, text, advanced, flag, when: as of `Number`.
    """

    name: str
    default: str
    values: Mapping[str, str]
    text: str
    advanced: bool = False
    flag: str = ""
    when: tuple[Case, ...] = ()

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
    when: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Text:
    """Words without a limit. Attributes: as of `Number`."""

    name: str
    text: str
    default: str = ""
    advanced: bool = False
    flag: str = ""
    when: tuple[Case, ...] = ()


Option = Number | Choice | Switch | Text
"""Any of them."""
