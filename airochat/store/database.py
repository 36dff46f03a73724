"""One connection to the database file, shared by this program's threads and safe beside other programs."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airochat.errors import StoreError
from airochat.store.migrations import migrate

_creating = threading.Lock()
_RESTORE = (
    "Nothing in it was changed. Move it away to start anew, or put a copy in its place; "
    "`sqlite3 FILE .recover` saves what can be read."
)
_CAUSES = (
    ("not a database", "is damaged, or is not a database", _RESTORE),
    ("malformed", "is damaged", _RESTORE),
    ("disk is full", "cannot be written: the disk is full", "Make room, then try again."),
    ("readonly", "is read-only", "Give yourself write access, or set AIROCHAT_HOME to another folder."),
    ("locked", "is kept busy by another program", "Close that program, or try again in a moment."),
    ("unable to open", "cannot be opened", "Set AIROCHAT_HOME to a folder that you can write to."),
    ("closed database", "has been closed", ""),
    (
        "disk I/O",
        "cannot be read or written",
        "Look for room on the disk, for its limits, and for its health.",
    ),
)


class Database:
    """The SQLite file in WAL mode; every commit is on the disk when it returns.

    ``patience`` is how many seconds a call waits for another program that is writing. Errors are `StoreError`.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._lock = threading.RLock()
        with explained(path):
            _create(path)
            self.connection = sqlite3.connect(
                path, timeout=patience, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self) -> None:
        connection = self.connection
        connection.row_factory = sqlite3.Row
        # A message with a damaged byte is better than none.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        with self.writing():
            migrate(connection, self._path)
        # Only now, since it changes the file, which might have been another program's.
        connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one query."""
        with self._lock, explained(self._path):
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection in a transaction, which ends with a commit, or on any error with a rollback."""
        with self._lock, explained(self._path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after some errors, such as a full disk.
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        with self._lock, explained(self._path):
            self.connection.close()


def _create(path: Path) -> None:
    """Make an empty file for the owner only, if there is none; SQLite gives its side files the same mode.

    A file that exists is not opened here: closing it would drop the locks that SQLite holds on it in this process.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _creating, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into a `StoreError` that names the file and says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be opened: {error.strerror}.",
            "Set AIROCHAT_HOME to a folder that you can write to.",
        ) from error
    except sqlite3.Error as error:
        # Python 3.10 has no error codes; the texts are SQLite's own and stable.
        for text, cause, hint in _CAUSES:
            if text in str(error):
                raise StoreError(f"The database {path} {cause}.", hint) from error
        raise StoreError(
            f"The database {path} cannot be used: {error}.", "The log file has the details."
        ) from error
