"""A full-text index: which of many texts are about the same as a question, by SQLite's FTS5 and BM25."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from .words import PREFIX, found_in, stems, telling

TERMS: Final = 24
"""Words that are looked for at most, the rarest of them."""
CANDIDATES: Final = 80
"""Texts that are looked at more closely, the best by BM25."""
_SCANNED: Final = 5_000
"""Texts that are looked through at most for so many that may be taken."""
_CORE: Final = 3
"""The rarest words, by which it is judged how much of a question a text has."""
COMMON: Final = 0.2
"""The share of a chat's texts from which on a word says nothing any more, such as a name."""
_FEW: Final = 2
"""Texts that may have a word in any case."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found: its key, its place among the found from 1, and the words that it has."""

    key: int
    rank: int
    words: tuple[str, ...]
    strength: float
    """How much of the question's rarest words it has, weighted by how rare they are: from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of a question that some text has, with their weights, the rarest first."""

    weights: dict[str, float]

    @property
    def match(self) -> str:
        """The question in the language of FTS5."""
        return " OR ".join(f'"{word}"{"*" if len(word) >= PREFIX else ""}' for word in self.weights)

    def strength(self, found: Iterable[str]) -> float:
        """Return how much of the question a text has that has these words."""
        whole = sum(list(self.weights.values())[:_CORE])
        return min(sum(self.weights[word] for word in found) / whole, 1.0) if whole else 0.0


@cache
def has_fts5() -> bool:
    """Return whether this Python's SQLite has FTS5."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5(words)")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def create(connection: sqlite3.Connection) -> None:
    """Make the tables of an index, unless they are there."""
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS found USING fts5(words, tokenize='unicode61 remove_diacritics 2')"
    )
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS terms USING fts5vocab(found, 'row')")


def add(connection: sqlite3.Connection, key: int, text: str) -> None:
    """Index a text under a key of which there is none yet."""
    connection.execute("INSERT INTO found(rowid, words) VALUES (?, ?)", (key, " ".join(stems(text))))


def remove(connection: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Take texts out of the index."""
    connection.executemany("DELETE FROM found WHERE rowid = ?", ((key,) for key in keys))


def wanted(connection: sqlite3.Connection, question: str, texts: int, common: float = 1.0) -> Wanted:
    """Return what of a question can be looked for among so many texts: not what none has, nor more than ``common``."""
    weights: dict[str, float] = {}
    for word in telling(question):
        end = word + "\U0010ffff" if len(word) >= PREFIX else word + "\0"
        query = "SELECT max(doc) FROM terms WHERE term >= ? AND term < ?"
        count = connection.execute(query, (word, end)).fetchone()[0] or 0
        if count and count <= max(texts * common, _FEW):
            weights[word] = math.log1p(max(texts - count, 0.0) / (count + 0.5) + 0.1)
    rarest = sorted(weights.items(), key=lambda one: -one[1])[:TERMS]
    return Wanted(dict(rarest))


def search(
    connection: sqlite3.Connection,
    question: str,
    texts: int,
    text_of: Callable[[int], str | None],
    threshold: float,
    common: float = 1.0,
) -> list[Hit]:
    """Return the texts that are about a question, the best first; none rather than ones below the ``threshold``.

    ``text_of`` returns the text of a key, or None for one that may not be taken.
    """
    looked_for = wanted(connection, question, texts, common)
    if not looked_for.weights:
        return []
    hits: list[Hit] = []
    query = "SELECT rowid FROM found WHERE found MATCH ? ORDER BY rank, rowid LIMIT ?"
    looked_at = 0
    for (key,) in connection.execute(query, (looked_for.match, _SCANNED)):
        text = text_of(key)
        if text is None:
            continue
        looked_at += 1
        there = found_in(text, looked_for.weights)
        words = [word for word in looked_for.weights if word in there]
        strength = looked_for.strength(words)
        if words and strength >= threshold:
            hits.append(Hit(key, len(hits) + 1, tuple(words), strength))
        if looked_at >= CANDIDATES:
            break
    return hits


@lru_cache(maxsize=16)
def rank(texts: tuple[str, ...], question: str, threshold: float) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return the places of those of a few texts that are about a question, the best first, with the words they have."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection)
        for number, text in enumerate(texts, 1):
            add(connection, number, text)
        hits = search(connection, question, len(texts), lambda key: texts[key - 1], threshold)
    return tuple((hit.key - 1, hit.words) for hit in hits)
