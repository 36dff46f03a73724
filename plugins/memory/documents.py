"""Documents: files cut into parts and indexed, each for a chat, a character, or all chats."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from airochat.conversation import new_id
from airochat.errors import StoreError, UsageError
from airochat.hooks import Block, ChatContext
from airochat.text import one_line

from . import ranking, reader
from .chunks import Count, paragraphs, parts

Reach = Literal["chat", "character", "always"]
FILE: Final = "documents.db"
PRIORITY: Final = 15
MOST_PARTS: Final = 200_000
_FUSION: Final = 60
_PATIENCE: Final = 30
"""Seconds for which a change waits for another document to be read."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, place TEXT NOT NULL, path TEXT NOT NULL, added REAL NOT NULL,
    parts INTEGER NOT NULL, characters INTEGER NOT NULL, UNIQUE (name, place)
);
CREATE TABLE IF NOT EXISTS parts (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id), number INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS parts_by_document ON parts(document, number);
"""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is kept."""

    id: int
    name: str
    place: str
    path: str
    added: float
    parts: int
    characters: int

    @property
    def reach(self) -> Reach:
        """Where it counts."""
        kind = self.place.partition(":")[0]
        return "chat" if kind == "chat" else "character" if kind == "card" else "always"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document that is put into the prompt, and why."""

    document: str
    number: int
    text: str
    reason: str

    @property
    def title(self) -> str:
        """How it is cited."""
        return f"{self.document}#{self.number}"


def places(context: ChatContext, *, making: bool = False) -> dict[Reach, str]:
    """Return where documents may be that count for a chat; ``making`` gives the character a place if it has none."""
    found: dict[Reach, str] = {"chat": f"chat:{context.session_id}", "always": "global"}
    if context.cards:
        card = context.storage("card")
        key = card.get("documents")
        if not isinstance(key, str) and making:
            key = card["documents"] = new_id()
        if isinstance(key, str):
            found["character"] = f"card:{key}"
    return found


class Library:
    """All documents of one data folder. May be used from any thread, and by several programs at once."""

    def __init__(self) -> None:
        self._adding: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def every(self, context: ChatContext) -> list[Document]:
        """Return the documents that count for a chat, by name."""
        if not (context.folder / FILE).exists():
            return []
        wanted = list(places(context).values())
        marks = ", ".join("?" * len(wanted))
        with _opened(context.folder) as connection:
            rows = connection.execute(
                f"SELECT * FROM documents WHERE place IN ({marks}) ORDER BY name, id", wanted
            )
            return [Document(*row) for row in rows]

    def add(self, context: ChatContext, path: Path, reach: Reach) -> Document:
        """Read a file and keep it, all or nothing; one of the same name takes the place of the former.

        Raises `DocumentError` and `StoreError`. Large files take minutes.
        """
        found = places(context, making=reach == "character")
        if reach not in found:
            raise UsageError("This chat has no character.", "Add the document for the chat, or always.")
        name, place = _named(path), found[reach]
        with self._lock:
            if (name, place) in self._adding:
                raise UsageError(f"{name} is being read already.")
            self._adding.add((name, place))
        try:
            texts = parts(paragraphs(reader.lines(path)))
            with self._writing, _opened(context.folder) as connection:
                return _kept(connection, texts, name, place, str(path))
        finally:
            with self._lock:
                self._adding.discard((name, place))

    def drop(self, context: ChatContext, name: str) -> Document:
        """Take a document out by its name, or its number in the list; the one of the chat before others."""
        known = self.every(context)
        found = [one for one in known if one.name == name.strip()]
        if not found and name.strip().isdecimal() and 0 < int(name.strip()[:9]) <= len(known):
            found = [known[int(name.strip()) - 1]]
        if not found:
            raise UsageError(f"There is no document {one_line(name, 60)!r}.", "/memory documents lists them.")
        one = min(found, key=lambda each: ("chat", "character", "always").index(each.reach))
        return self.drop_id(context, one.id)

    def drop_id(self, context: ChatContext, key: int) -> Document:
        """Take a document of this chat out by its id."""
        one = next((each for each in self.every(context) if each.id == key), None)
        if one is None:
            raise UsageError("This document is not there any more.", "/memory documents lists them.")
        if not self._writing.acquire(timeout=_PATIENCE):
            raise StoreError("Another document is being read.", "Try again when it is there.")
        try:
            with _opened(context.folder) as connection, _written(connection):
                _remove(connection, one.id)
        finally:
            self._writing.release()
        return one

    def search(
        self,
        context: ChatContext,
        question: str,
        threshold: float,
        alike: Callable[[dict[int, str]], Sequence[int]],
    ) -> list[Part]:
        """Return the parts that are about a question, the best first; ``alike`` orders parts by their meaning."""
        known = {one.id: one for one in self.every(context)}
        if not known:
            return []
        with _opened(context.folder) as connection:
            total = connection.execute("SELECT coalesce(sum(parts), 0) FROM documents").fetchone()[0]

            def row_of(key: int) -> tuple[int, int, str] | None:
                row = connection.execute(
                    "SELECT document, number, text FROM parts WHERE id = ?", (key,)
                ).fetchone()
                return row if row is not None and row[0] in known else None

            def text_of(key: int) -> str | None:
                row = row_of(key)
                return None if row is None else row[2]

            hits = ranking.search(connection, question, total, text_of, threshold)
            scores = {hit.key: 1 / (_FUSION + hit.rank) for hit in hits}
            reasons = {hit.key: f"words {', '.join(hit.words[:6])}, rank {hit.rank}" for hit in hits}
            for place, key in enumerate(alike(self._texts(connection, list(known))), 1):
                scores[key] = scores.get(key, 0.0) + 1 / (_FUSION + place)
                told = f"like in meaning, rank {place}"
                reasons[key] = f"{reasons[key]}; {told}" if key in reasons else told
            found = []
            for key in sorted(scores, key=lambda one: (-scores[one], one)):
                row = row_of(key)
                if row is not None:
                    found.append(Part(known[row[0]].name, row[1], row[2], reasons[key]))
            return found

    def texts(self, context: ChatContext) -> list[str]:
        """Return the texts of all parts that count for a chat, at most some thousands."""
        known = [one.id for one in self.every(context)]
        if not known:
            return []
        with _opened(context.folder) as connection:
            return list(self._texts(connection, known).values())

    def _texts(self, connection: sqlite3.Connection, documents: Sequence[int]) -> dict[int, str]:
        marks = ", ".join("?" * len(documents))
        query = f"SELECT id, text FROM parts WHERE document IN ({marks}) ORDER BY id LIMIT 20000"
        return dict(connection.execute(query, documents).fetchall())


def chosen(
    found: Sequence[Part], most: int, tokens: int, count: Count, *, form: Callable[[Part], str]
) -> list[Part]:
    """Return the best parts, at most so many and within so many tokens as ``form`` writes them."""
    wanted = found[: most * 2]
    taken: list[Part] = []
    for one, size in zip(wanted, count([form(one) for one in wanted]), strict=True):
        if size <= tokens and len(taken) < most:
            taken.append(one)
            tokens -= size
    return taken


def blocks(found: Sequence[Part], depth: int, form: Callable[[Part], str]) -> list[Block]:
    """Return parts of documents as blocks, the best last, where it is nearest to what is asked."""
    return [
        Block(
            f"plugin:memory/documents/{one.title.replace('/', '-')}",
            form(one),
            depth,
            priority=PRIORITY,
            reason=f"from a document: {one.reason}",
            order=1,
        )
        for one in reversed(found)
    ]


def _named(path: Path) -> str:
    name = one_line(path.name, 80).replace("#", "-")
    if not name:
        raise UsageError("Which file?", "/memory add FILE [chat|character|always]")
    return name


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(folder / FILE, timeout=3, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)
            ranking.create(connection)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"The documents in {folder / FILE} cannot be used: {error}.") from None


@contextmanager
def _written(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, also if the program is killed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _kept(connection: sqlite3.Connection, texts: Iterator[str], name: str, place: str, path: str) -> Document:
    with _written(connection):
        former = connection.execute(
            "SELECT id FROM documents WHERE name = ? AND place = ?", (name, place)
        ).fetchone()
        if former is not None:
            _remove(connection, former[0])
        added = time.time()
        values = (name, place, path.encode("utf-8", "replace").decode(), added)
        insert = (
            "INSERT INTO documents(name, place, path, added, parts, characters) VALUES (?, ?, ?, ?, 0, 0)"
        )
        key = connection.execute(insert, values).lastrowid or 0
        number = size = 0
        for text in texts:
            number, size = number + 1, size + len(text)
            if number > MOST_PARTS:
                raise reader.DocumentError(
                    f"{name} has more than {MOST_PARTS:,} parts.", "Take a part of it."
                )
            row = connection.execute(
                "INSERT INTO parts(document, number, text) VALUES (?, ?, ?)", (key, number, text)
            )
            ranking.add(connection, row.lastrowid or 0, text)
        if not number:
            raise reader.DocumentError(f"{name} has no text in it.")
        connection.execute("UPDATE documents SET parts = ?, characters = ? WHERE id = ?", (number, size, key))
    return Document(key, name, place, path, added, number, size)


def _remove(connection: sqlite3.Connection, key: int) -> None:
    rows = connection.execute("SELECT id FROM parts WHERE document = ?", (key,)).fetchall()
    ranking.remove(connection, [row[0] for row in rows])
    connection.execute("DELETE FROM parts WHERE document = ?", (key,))
    connection.execute("DELETE FROM documents WHERE id = ?", (key,))
