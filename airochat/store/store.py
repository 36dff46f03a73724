"""The store: conversations, personas and what is known of cards in a SQLite database."""

from __future__ import annotations

import difflib
import sqlite3
import time
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from airochat.conversation import Message
from airochat.errors import StoreError, UsageError
from airochat.store import journal
from airochat.store.database import Database
from airochat.store.library import CardLibrary
from airochat.store.mapping import StoredMapping
from airochat.store.personas import Personas
from airochat.store.records import (
    SessionRecord,
    SessionSummary,
    message_from,
    message_row,
    session_from,
    session_row,
    storable,
    to_json,
)

_SHORTEST_ID = 4
"""Characters of an id's beginning or end that name a session, if no other has them."""
_INSERT_MESSAGE = """
    INSERT INTO messages (session, id, parent, role, name, text, created, state, tokens, provenance)
    VALUES (:session, :id, :parent, :role, :name, :text, :created, :state, :tokens, :provenance)
"""
# A late partial state never replaces the finished reply.
_SAVE_REPLY = f"""{_INSERT_MESSAGE}
    ON CONFLICT (session, id) DO UPDATE SET
        name = excluded.name, text = excluded.text, state = excluded.state,
        tokens = excluded.tokens, provenance = excluded.provenance
    WHERE messages.state = 'running' OR excluded.state != 'running'
"""


class Store:
    """All conversations of one data folder.

    Methods may be called from any thread, and several programs may have the same file open. What a method wrote
    is on the disk when it returns. Errors are `StoreError`, or `UsageError` for an unknown session.
    """

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        """Open the database, and make it if there is none.

        ``patience`` is how many seconds to wait for another program that is writing.
        """
        self.path = path
        self._database = Database(path, patience)

    def create_session(self, record: SessionRecord) -> None:
        """Add a conversation without messages."""
        with self._database.writing() as connection:
            _create(connection, record)

    def add_sessions(
        self,
        chats: Iterable[tuple[SessionRecord, Iterable[Message]]],
        kept: Iterable[tuple[str, str, str, Any]] = (),
    ) -> None:
        """Add conversations with their messages, all or none; their dates stay as they are.

        ``kept`` is what is kept beside them: the name, scope and key of a `mapping`, and the value.
        """
        with self._database.writing() as connection:
            for record, messages in chats:
                _create(connection, record)
                rows = (message_row(record.id, message) for message in messages)
                connection.executemany(_INSERT_MESSAGE, rows)
            values = ((*place, storable(key), to_json(value)) for *place, key, value in kept)
            connection.executemany("INSERT INTO plugin_data VALUES (?, ?, ?, ?)", values)

    def session(self, session_id: str) -> SessionRecord:
        """Return a conversation by its full id."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM sessions WHERE id = ?", (storable(session_id),)
            ).fetchone()
        if row is None:
            raise _unknown(session_id)
        return session_from(row)

    def find_session(self, key: str) -> SessionRecord:
        """Return a conversation by its id, at least 4 characters of the id's beginning or end, or its title.

        Deleted ones are found only if no other fits. Several that fit are a `UsageError` that lists them.
        """
        query = """
            SELECT * FROM sessions
            WHERE id = :key OR (title = :key AND :key != '') OR length(:key) >= :shortest
                AND (substr(id, 1, length(:key)) = :key OR substr(id, -length(:key)) = :key)
            ORDER BY id = :key DESC, deleted, updated DESC
        """
        with self._database.reading() as connection:
            rows = connection.execute(query, {"key": storable(key), "shortest": _SHORTEST_ID}).fetchall()
        found = [session_from(row) for row in rows]
        if not found:
            raise self._not_found(key)
        fitting = [record for record in found if record.deleted == found[0].deleted]
        if found[0].id == key or len(fitting) == 1:
            return found[0]
        listed = ", ".join(f"{record.id} {record.title!r}" for record in fitting[:8])
        more = f", and {len(fitting) - 8} more" if len(fitting) > 8 else ""
        raise UsageError(f"{len(fitting)} sessions fit {key!r}: {listed}{more}.", "Give one of these ids.")

    def sessions(self, deleted: bool = False) -> list[SessionSummary]:
        """List the conversations, newest first; with ``deleted`` also those."""
        query = """
            SELECT id, title, updated, deleted,
                (SELECT count(*) FROM messages WHERE messages.session = sessions.id) AS messages
            FROM sessions WHERE deleted <= ? ORDER BY updated DESC, id DESC
        """
        with self._database.reading() as connection:
            rows = connection.execute(query, (deleted,)).fetchall()
        return [
            SessionSummary(row["id"], row["title"], row["updated"], row["messages"], bool(row["deleted"]))
            for row in rows
        ]

    def update_session(
        self,
        session_id: str,
        *,
        title: str | None = None,
        settings: Mapping[str, Any] | None = None,
        deleted: bool | None = None,
    ) -> None:
        """Change what is not None; this does not move the conversation up in the list."""
        changes = {
            "title": None if title is None else storable(title),
            "settings": None if settings is None else to_json(dict(settings)),
            "deleted": deleted,
        }
        self._change_session(
            "title = coalesce(:title, title), settings = coalesce(:settings, settings), "
            "deleted = coalesce(:deleted, deleted)",
            {**changes, "id": storable(session_id)},
        )

    def add_messages(self, session_id: str, messages: Iterable[Message]) -> None:
        """Add finished messages, all or none; the head stays."""
        rows = [message_row(session_id, message) for message in messages]
        with self._database.writing() as connection:
            _touch(connection, session_id, None)
            connection.executemany(_INSERT_MESSAGE, rows)

    def add_message(self, session_id: str, message: Message) -> None:
        """Add a message and move the head to it; it is on the disk when this returns."""
        with self._database.writing() as connection:
            _touch(connection, session_id, message.id)
            try:
                connection.execute(_INSERT_MESSAGE, message_row(session_id, message))
            except sqlite3.IntegrityError:
                raise StoreError(f"The session {session_id} already has a message {message.id!r}.") from None

    def save_reply(self, session_id: str, message: Message, *, shown: bool = True) -> None:
        """Add a reply, or replace its stored state.

        The head moves to it once it is no longer running, unless it is not to be ``shown``.
        """
        with self._database.writing() as connection:
            head = message.id if shown and message.state != "running" else None
            _touch(connection, session_id, head)
            connection.execute(_SAVE_REPLY, message_row(session_id, message))

    def messages(self, session_id: str) -> list[Message]:
        """Return all messages of a conversation, in the order in which they were added."""
        query = "SELECT * FROM messages WHERE session = ? ORDER BY number"
        with self._database.reading() as connection:
            rows = connection.execute(query, (session_id,)).fetchall()
        return [message_from(row) for row in rows]

    def record_step(self, session_id: str, head: str | None) -> None:
        """Move the head, as a new step of the undo journal; steps that were undone are dropped."""
        with self._database.writing() as connection:
            journal.record(connection, session_id, head)

    def amend_step(self, session_id: str, head: str | None) -> None:
        """Move the head within the present step of the undo journal, such as a message sent whose reply has come."""
        with self._database.writing() as connection:
            journal.amend(connection, session_id, head)

    def undo(self, session_id: str) -> tuple[bool, str | None]:
        """Go a step back in the undo journal and set the head; return whether there was one, and the head."""
        with self._database.writing() as connection:
            return journal.travel(connection, session_id, -1)

    def redo(self, session_id: str) -> tuple[bool, str | None]:
        """Go a step forth in the undo journal and set the head; return whether there was one, and the head."""
        with self._database.writing() as connection:
            return journal.travel(connection, session_id, 1)

    def mapping(self, plugin: str, scope: str) -> MutableMapping[str, Any]:
        """Return what a plugin keeps in a scope such as ``global`` or ``chat:ID``, as a mapping."""
        return StoredMapping(self._database, plugin, scope)

    def cards(self, folder: Path) -> CardLibrary:
        """Return the library of the cards in a folder; it works until this store is closed."""
        return CardLibrary(folder, self._database)

    def personas(self) -> Personas:
        """Return the user's personas; they work until this store is closed."""
        return Personas(self._database)

    def close(self) -> None:
        """Close the database; further calls of this do nothing, of anything else raise `StoreError`."""
        self._database.close()

    def _change_session(self, assignments: str, values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            changed = connection.execute(f"UPDATE sessions SET {assignments} WHERE id = :id", values)
            if changed.rowcount == 0:
                raise _unknown(values["id"])

    def _not_found(self, key: str) -> UsageError:
        known = self.sessions()
        close = difflib.get_close_matches(key, [summary.title for summary in known if summary.title], n=1)
        newest = "; ".join(f"{summary.id} {summary.title!r}" for summary in known[:3])
        hint = f"Did you mean {close[0]!r}?" if close else f"The newest are: {newest or 'none'}."
        return UsageError(f"There is no session {key!r}.", hint)


def _create(connection: sqlite3.Connection, record: SessionRecord) -> None:
    try:
        connection.execute(
            "INSERT INTO sessions (id, title, created, updated, head, settings, deleted) "
            "VALUES (:id, :title, :created, :updated, :head, :settings, :deleted)",
            session_row(record),
        )
    except sqlite3.IntegrityError:
        raise StoreError(f"There already is a session {record.id!r}.") from None
    journal.begin(connection, record.id, record.head)


def _touch(connection: sqlite3.Connection, session_id: str, head: str | None) -> None:
    changed = connection.execute(
        "UPDATE sessions SET head = coalesce(?, head), updated = ? WHERE id = ?",
        (head, time.time(), session_id),
    )
    if changed.rowcount == 0:
        raise _unknown(session_id)


def _unknown(session_id: str) -> UsageError:
    return UsageError(f"There is no session {session_id!r}.")
