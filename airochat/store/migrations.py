"""The numbered steps that bring a database to the present layout, whichever version made it."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from airochat.errors import StoreError

APPLICATION_ID = 0x41495243
"""Marks a SQLite file as ours in its header: the letters AIRC."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE sessions (
            id       TEXT PRIMARY KEY,
            title    TEXT NOT NULL,
            created  REAL NOT NULL,
            updated  REAL NOT NULL,
            head     TEXT,
            settings TEXT NOT NULL,
            deleted  INTEGER NOT NULL,
            cursor   INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE messages (
            number     INTEGER PRIMARY KEY AUTOINCREMENT,
            session    TEXT NOT NULL REFERENCES sessions (id),
            id         TEXT NOT NULL,
            parent     TEXT,
            role       TEXT NOT NULL,
            name       TEXT NOT NULL,
            text       TEXT NOT NULL,
            created    REAL NOT NULL,
            state      TEXT NOT NULL,
            tokens     BLOB NOT NULL,
            provenance TEXT NOT NULL,
            UNIQUE (session, id)
        )
        """,
        """
        CREATE TABLE steps (
            session TEXT NOT NULL REFERENCES sessions (id),
            number  INTEGER NOT NULL,
            head    TEXT,
            PRIMARY KEY (session, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE plugin_data (
            plugin TEXT NOT NULL,
            scope  TEXT NOT NULL,
            key    TEXT NOT NULL,
            value  TEXT NOT NULL,
            PRIMARY KEY (plugin, scope, key)
        ) WITHOUT ROWID
        """,
    ),
    (
        """
        CREATE TABLE personas (
            name        TEXT PRIMARY KEY,
            description TEXT NOT NULL,
            is_default  INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE card_index (
            file   BLOB PRIMARY KEY,
            stamp  TEXT NOT NULL,
            digest TEXT NOT NULL,
            facts  TEXT NOT NULL,
            words  TEXT NOT NULL
        )
        """,
        "CREATE INDEX card_index_digest ON card_index (digest)",
        """
        CREATE TABLE card_marks (
            file      BLOB PRIMARY KEY,
            favourite INTEGER NOT NULL DEFAULT 0,
            persona   TEXT REFERENCES personas (name) ON UPDATE CASCADE ON DELETE SET NULL
        )
        """,
    ),
)
"""The statements of each step; the first step has number 1. A step that has been released never changes."""

_log = logging.getLogger(__name__)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the `MIGRATIONS` that the database lacks, all or none, within the transaction that is open.

    An existing database is copied beside itself before its first change. Raises `StoreError` for a database
    of another program, or of a newer version of this one.
    """
    version = _version(connection, path)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The database {path} has layout {version}; this airochat knows {len(MIGRATIONS)} and is older.",
            "Update airochat, or set AIROCHAT_HOME to another folder.",
        )
    if 0 < version < len(MIGRATIONS):
        copy = _backup(path, version)
        _log.info("Copied %s to %s before changing its layout", path, copy)
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, time.time()))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark == APPLICATION_ID:
        (version,) = connection.execute("SELECT max(version) FROM migrations").fetchone()
        return int(version or 0)
    if mark or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise StoreError(
            f"The file {path} is a database of another program.",
            "Move it away, or set AIROCHAT_HOME to another folder.",
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied REAL NOT NULL)")
    return 0


def _backup(path: Path, version: int) -> Path:
    """Copy the database as last committed; a second connection, since the first is in a transaction."""
    copy = path.with_name(f"{path.stem}-layout{version}-{time.time_ns()}{path.suffix}")
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except BaseException:
        copy.unlink()
        raise
    return copy
