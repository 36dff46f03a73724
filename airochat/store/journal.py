"""The undo journal: the heads that a conversation has had, and a cursor among them."""

from __future__ import annotations

import sqlite3

from airochat.errors import UsageError


def begin(connection: sqlite3.Connection, session_id: str, head: str | None) -> None:
    """Write the first step, to which the last undo returns."""
    connection.execute("INSERT INTO steps VALUES (?, 0, ?)", (session_id, head))


def record(connection: sqlite3.Connection, session_id: str, head: str | None) -> None:
    """Append a step after the cursor and drop the steps that were undone."""
    number = _cursor(connection, session_id) + 1
    connection.execute("DELETE FROM steps WHERE session = ? AND number >= ?", (session_id, number))
    connection.execute("INSERT INTO steps VALUES (?, ?, ?)", (session_id, number, head))
    _go(connection, session_id, number, head)


def amend(connection: sqlite3.Connection, session_id: str, head: str | None) -> None:
    """Give the step under the cursor another head."""
    number = _cursor(connection, session_id)
    connection.execute(
        "UPDATE steps SET head = ? WHERE session = ? AND number = ?", (head, session_id, number)
    )
    _go(connection, session_id, number, head)


def travel(connection: sqlite3.Connection, session_id: str, by: int) -> tuple[bool, str | None]:
    """Move the cursor one step back or forth, if there is one; return whether it moved, and the head."""
    number = _cursor(connection, session_id) + by
    query = "SELECT head FROM steps WHERE session = ? AND number = ?"
    step = connection.execute(query, (session_id, number)).fetchone()
    if step is None:
        (head,) = connection.execute("SELECT head FROM sessions WHERE id = ?", (session_id,)).fetchone()
        return False, head
    _go(connection, session_id, number, step["head"])
    return True, step["head"]


def _go(connection: sqlite3.Connection, session_id: str, number: int, head: str | None) -> None:
    connection.execute("UPDATE sessions SET cursor = ?, head = ? WHERE id = ?", (number, head, session_id))


def _cursor(connection: sqlite3.Connection, session_id: str) -> int:
    row = connection.execute("SELECT cursor FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise UsageError(f"There is no session {session_id!r}.")
    return int(row["cursor"])
