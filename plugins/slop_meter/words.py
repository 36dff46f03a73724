"""Texts taken apart into words, and the list of clichés."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import tomli

FILE: Final = Path(__file__).parent / "cliches.toml"
_WORD = re.compile(r"\w+(?:['-]\w+)*")
_BREAK = re.compile(r"[^\w\s'-]|\n")
"""Ends a phrase: what stands on both sides of a comma is none."""
_BETWEEN: Final = r"[^\w]{1,3}"
_STRAIGHT = str.maketrans("’‘ʼ", "'''")


def plain(text: str) -> str:
    """Return a text in small letters, with straight apostrophes."""
    return text.translate(_STRAIGHT).lower()


def runs(text: str) -> list[list[str]]:
    """Return the words of a text, those between two punctuation marks together.

    >>> runs("She turns, slowly. *The lamp!*")
    [['she', 'turns'], ['slowly'], ['the', 'lamp']]
    """
    found = [_WORD.findall(part) for part in _BREAK.split(plain(text))]
    return [words for words in found if words]


@dataclass(frozen=True, slots=True)
class Cliche:
    """A phrase of the list: as it is written there, as a pattern, and as an entry of ``banned``."""

    written: str
    pattern: re.Pattern[str]
    ban: str


@cache
def cliches() -> tuple[Cliche, ...]:
    """Return the clichés of the list."""
    return tuple(cliche(written) for written in _data()["cliches"])


@cache
def small_words() -> frozenset[str]:
    """Return the words that say little by themselves."""
    return frozenset(_data()["small_words"].split())


def is_small(word: str) -> bool:
    """Return whether a word says little by itself, as all very short ones do."""
    return len(word) <= 2 or word in small_words()


def cliche(written: str) -> Cliche:
    """Return a phrase of the list, ready for use; one with ``~`` or ``*``, or of one word, is banned as a regex."""
    words = written.split()
    pattern = r"\b" + _BETWEEN.join(map(_piece, words)) + r"\b"
    simple = len(words) > 1 and not set("~*") & set(written)
    return Cliche(written, re.compile(pattern), written if simple else f"/{pattern}/i")


def _piece(word: str) -> str:
    if word == "*":
        return rf"\w+(?:{_BETWEEN}\w+)?"
    ending = r"\w*" if word.endswith("~") else ""
    return re.escape(word.removesuffix("~")).replace("'", "['’]") + ending


@cache
def _data() -> Mapping[str, Any]:
    return tomli.loads(FILE.read_text(encoding="utf-8"))
