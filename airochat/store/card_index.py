"""What the database knows of the cards: a copy of what lists show, and what the user marked."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.store.database import Database
from airochat.store.records import storable, to_json


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from one card file: ``facts`` for lists, ``words`` to search in, casefolded.

    ``digest`` is the SHA-256 of the file's bytes in hexadecimal, empty if it could not be read.
    """

    file: str
    stamp: str
    digest: str
    facts: dict[str, Any]
    words: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The facts of an indexed card as of ``stamp``, and the user's marks on it."""

    stamp: str
    facts: dict[str, Any]
    favourite: bool
    persona: str | None


_LISTED = """
    SELECT card_index.file, stamp, facts, favourite, persona
    FROM card_index LEFT JOIN card_marks ON card_marks.file = card_index.file
"""


class CardIndex:
    """The tables about cards. File names are kept as bytes, since Linux allows names that are no text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stamps(self) -> dict[str, str]:
        """Return the stamp of every indexed file."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT file, stamp FROM card_index").fetchall()
        return {os.fsdecode(row["file"]): row["stamp"] for row in rows}

    def listed(self) -> dict[str, Listed]:
        """Return every indexed card with its marks."""
        with self._database.reading() as connection:
            rows = connection.execute(_LISTED).fetchall()
        return {os.fsdecode(row["file"]): _listed(row) for row in rows}

    def get(self, file: str) -> Listed | None:
        """Return one indexed card with its marks."""
        query = f"{_LISTED} WHERE card_index.file = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (os.fsencode(file),)).fetchone()
        return _listed(row) if row else None

    def containing(self, words: Iterable[str]) -> set[str]:
        """Return the files in whose texts all the (casefolded) words occur."""
        wanted = tuple(words)
        with self._database.reading() as connection:
            rows = connection.execute("SELECT file, words FROM card_index").fetchall()
        return {os.fsdecode(file) for file, text in rows if all(word in text for word in wanted)}

    def update(self, read: Iterable[Read], gone: Iterable[str]) -> None:
        """Take over what was read, and forget files that are gone."""
        with self._database.writing() as connection:
            for one in read:
                put(connection, one)
            connection.executemany(
                "DELETE FROM card_index WHERE file = ?", [(os.fsencode(name),) for name in gone]
            )

    def mark(self, file: str, favourite: bool) -> None:
        """Make a card a favourite, or an ordinary one."""
        with self._database.writing() as connection:
            _mark(connection, file, "favourite", favourite)

    def assign(self, file: str, persona: str | None) -> None:
        """Say who the user is with this card, None for nobody in particular; `UsageError` for an unknown persona."""
        with self._database.writing() as connection:
            known = {row["name"] for row in connection.execute("SELECT name FROM personas")}
            if persona is not None and persona not in known:
                raise UsageError(f"There is no persona {persona!r}.", did_you_mean(persona, known))
            _mark(connection, file, "persona", persona)


def put(connection: sqlite3.Connection, read: Read) -> None:
    """Index one file, in the transaction that is open."""
    connection.execute(
        "INSERT OR REPLACE INTO card_index VALUES (?, ?, ?, ?, ?)",
        (os.fsencode(read.file), read.stamp, read.digest, to_json(read.facts), storable(read.words)),
    )


def unmark(connection: sqlite3.Connection, file: str) -> None:
    """Forget the user's marks on a file name, in the transaction that is open."""
    connection.execute("DELETE FROM card_marks WHERE file = ?", (os.fsencode(file),))


def with_digest(connection: sqlite3.Connection, digest: str) -> dict[str, str]:
    """Return the indexed files that had these bytes, and the stamps that they had then."""
    rows = connection.execute("SELECT file, stamp FROM card_index WHERE digest = ?", (digest,)).fetchall()
    return {os.fsdecode(row["file"]): row["stamp"] for row in rows}


def _listed(row: sqlite3.Row) -> Listed:
    return Listed(row["stamp"], json.loads(row["facts"]), bool(row["favourite"]), row["persona"])


def _mark(connection: sqlite3.Connection, file: str, column: str, value: object) -> None:
    connection.execute(
        f"INSERT INTO card_marks (file, {column}) VALUES (?, ?) "
        f"ON CONFLICT (file) DO UPDATE SET {column} = excluded.{column}",
        (os.fsencode(file), value),
    )
