"""Small makers of values that the tests of the store share."""

from __future__ import annotations

from typing import Any

from airochat.conversation import Message, new_id
from airochat.store import SessionRecord, Store


def record(title: str = "", session_id: str = "", updated: float = 1.0, **settings: Any) -> SessionRecord:
    return SessionRecord(session_id or new_id(), title, 1.0, updated, None, settings, False)


def message(text: str, parent: str | None = None, message_id: str = "", **fields: Any) -> Message:
    return Message(message_id or new_id(), parent, fields.pop("role", "user"), "You", text, 1.0, **fields)


def begin(store: Store, title: str = "") -> str:
    made = record(title)
    store.create_session(made)
    return made.id
