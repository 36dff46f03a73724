"""The tokens of a reply as running text: whole characters, nothing invisible, and rows of a width."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from airochat.backends.base import Candidate, Scored
from airochat.text import clean

LEVELS = 5
"""How many steps of surprise there are."""

_STEPS = (0.5, 0.2, 0.05, 0.01)
"""Probabilities at which the next step begins."""

_NOTHING = "∅"
_PARTS = re.compile(r"\n|[^\S\n]|\S+")

Row = list[tuple[int, str]]
"""Which words stand in a row, by their numbers, each with what of it stands there."""


@dataclass(frozen=True, slots=True)
class Word:
    """The smallest part of a reply that can be shown: a token, or several that share a character."""

    text: str
    first: int
    """The number of its first token, from 0."""
    count: int
    level: int
    """How surprising it is: 0 for what was likely, up to `LEVELS` - 1."""


def to_words(scored: Sequence[Scored]) -> list[Word]:
    """Join tokens that hold parts of one character; the text of every word is clean, and never empty."""
    found: list[Word] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    first, text = 0, ""
    for number, token in enumerate(scored):
        last = number == len(scored) - 1
        text += decoder.decode(token.piece, last)
        if last or not decoder.getstate()[0]:
            level = max(surprise(each.probability) for each in scored[first : number + 1])
            found.append(Word(_visible(text), first, number + 1 - first, level))
            first, text = number + 1, ""
    return found


def surprise(probability: float) -> int:
    """Return the step of surprise of a probability.

    >>> [surprise(each) for each in (0.9, 0.3, 0.1, 0.02, 0.001)]
    [0, 1, 2, 3, 4]
    """
    return sum(probability < step for step in _STEPS)


def label(piece: bytes) -> str:
    r"""Return a token as it stands in a list, with its spaces and line breaks to be seen.

    >>> label(b" lamp"), label(b".\n"), label(b""), label("…".encode()[:2])
    ('␣lamp', '.↵', '∅', 'bytes e2 80')
    """
    try:
        text = clean(piece.decode())
    except UnicodeDecodeError:
        return f"bytes {piece.hex(' ')}"
    return text.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥") or _NOTHING


def candidates(token: Scored) -> tuple[Candidate, ...]:
    """Return what could have stood in the place of a token, likeliest first, and what does stand there."""
    if any(other.token == token.token for other in token.others):
        return token.others
    return (*token.others, Candidate(token.token, token.piece, token.probability))


def _visible(text: str) -> str:
    text = clean(text).replace("\t", "⇥").replace("\n", "↵\n")
    return (text if text.strip() else text.replace(" ", "␣")) or _NOTHING


def wrap(words: Sequence[Word], width: int) -> list[Row]:
    """Break the text into rows of at most ``width`` cells: at spaces, or within what is longer than a row."""
    rows: list[Row] = [[]]
    room = width = max(2, width)
    together: Row = []  # since the last place where a row may end

    def put(parts: Row) -> None:
        nonlocal room
        for number, part in parts:
            if rows[-1] and rows[-1][-1][0] == number:
                part = rows[-1].pop()[1] + part
            rows[-1].append((number, part))
        room = width - sum(cell_len(part) for _, part in rows[-1])

    def new_row() -> None:
        nonlocal room
        rows.append([])
        room = width

    for number, part in _parts(words):
        if part.isspace():
            put(together)
            together = []
            if part == "\n":
                new_row()
            elif room:
                put([(number, part)])
            continue
        together.append((number, part))
        if sum(cell_len(each) for _, each in together) > room and rows[-1]:
            new_row()
        while sum(cell_len(each) for _, each in together) > width:
            fits, together = _split(together, width)
            put(fits)
            new_row()
    put(together)
    return rows if rows[-1] else rows[:-1]


def _parts(words: Sequence[Word]) -> Iterator[tuple[int, str]]:
    for number, word in enumerate(words):
        for part in _PARTS.findall(word.text):
            yield number, part


def _split(parts: Row, width: int) -> tuple[Row, Row]:
    """Split what has no place to break after as many cells as fit."""
    fits: Row = []
    for at, (number, part) in enumerate(parts):
        size = cell_len(part)
        if size > width:
            head = chop_cells(part, width)[0] if width > 1 else ""
            rest = [(number, part[len(head) :]), *parts[at + 1 :]]
            return [*fits, *([(number, head)] if head else [])], rest
        width -= size
        fits.append((number, part))
    return fits, []
