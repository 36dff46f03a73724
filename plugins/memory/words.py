"""Texts taken apart into words that can be looked for, whatever the language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import tomli

_RUN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_APART = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Scripts that write no spaces between words: these are taken in pairs of letters."""
_LONGEST: Final = 40
"""Letters of a word; what is longer is noise such as an address or a key."""
PREFIX: Final = 5
"""Letters of a stem from which on it may go on otherwise in a text."""
_ENDING: Final = 3
_ELISION = re.compile(r"^(?:[cdjlmnst]|qu)'(?=\w\w\w)")


def words(text: str) -> list[str]:
    """Return the words of a text in small letters, without accents.

    >>> words("Où est L'ÉTÉ? 灯塔の火")
    ['ou', 'est', "l'ete", '灯塔', '塔の', 'の火']
    """
    return list(_words(text))


def telling(text: str) -> list[str]:
    """Return the stems of a text's words that say something, each once, in their order.

    >>> telling("And where is the old lantern? The lantern!")
    ['old', 'lantern']
    """
    return list(dict.fromkeys(stem(word) for word in _words(text) if not is_small(word)))


@cache
def stop_words() -> frozenset[str]:
    """Return the words that say little by themselves, in several languages."""
    table = tomli.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    return frozenset(word for group in table.values() for word in group.split())


def is_small(word: str) -> bool:
    """Tell whether a word says little by itself: it is on the list, or one letter or digit."""
    return word in stop_words() or (len(word) < 2) or (word.isdecimal() and len(word) < 3)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return what is looked for of a word: without the ending of a plural or a genitive, or a French article.

    >>> stem("lanterns"), stem("maya's"), stem("bus"), stem("glass"), stem("l'ete")
    ('lantern', 'maya', 'bus', 'glass', 'ete')
    """
    bare = _ELISION.sub("", re.sub(r"'s?$", "", word))
    plural = len(bare) > 3 and bare.endswith("s") and not bare.endswith("ss")
    return (bare[:-1] if plural else bare).replace("'", "")


def stems(text: str) -> list[str]:
    """Return the stems of all words of a text, in their order."""
    return [stem(word) for word in _words(text)]


def fits(word: str, wanted: str) -> bool:
    """Tell whether a stem in a text is one that is looked for; long ones may have another ending.

    >>> fits("laternen", "laterne"), fits("catapult", "cat")
    (True, False)
    """
    if word == wanted:
        return True
    return len(wanted) >= PREFIX and word.startswith(wanted) and len(word) <= len(wanted) + _ENDING


def found_in(text: str, wanted: Iterable[str]) -> frozenset[str]:
    """Return which of the wanted stems a text has."""
    there = set(stems(text))
    return frozenset(one for one in wanted if one in there or any(fits(word, one) for word in there))


def _words(text: str) -> Iterator[str]:
    plain = "".join(
        one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one)
    )
    # Composed again, since the syllables of Korean come apart, too.
    for run in _RUN.findall(unicodedata.normalize("NFC", plain)):
        if _APART.search(run):
            yield from _pairs(run)
        elif len(run) <= _LONGEST:
            yield run.replace("’", "'")


def _pairs(run: str) -> Iterator[str]:
    for part in re.split(f"({_APART.pattern})", run):
        if _APART.fullmatch(part) and len(part) > 1:
            yield from (part[at : at + 2] for at in range(len(part) - 1))
        elif part and len(part) <= _LONGEST:
            yield part
