"""Stored values, and how they become rows of the database and back."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import sqlite3
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airochat.conversation import Message, Provenance

_log = logging.getLogger(__name__)
_PROVENANCE = frozenset(Provenance.__dataclass_fields__)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A conversation without its messages; times are seconds since 1970, UTC, ``settings`` JSON values."""

    id: str
    title: str
    created: float
    updated: float
    head: str | None
    settings: Mapping[str, Any]
    deleted: bool


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One line of a list of conversations; ``messages`` is their number, all branches together."""

    id: str
    title: str
    updated: float
    messages: int
    deleted: bool


def storable(text: str) -> str:
    """Return ``text`` with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def session_row(record: SessionRecord) -> dict[str, Any]:
    """Return the columns of a session."""
    return {
        "id": record.id,
        "title": storable(record.title),
        "created": record.created,
        "updated": record.updated,
        "head": record.head,
        "settings": to_json(dict(record.settings)),
        "deleted": record.deleted,
    }


def session_from(row: sqlite3.Row) -> SessionRecord:
    """Return the session that a row holds."""
    return SessionRecord(
        row["id"],
        row["title"],
        row["created"],
        row["updated"],
        row["head"],
        _object(row["settings"], f"settings of session {row['id']}"),
        bool(row["deleted"]),
    )


def message_row(session_id: str, message: Message) -> dict[str, Any]:
    """Return the columns of a message; token ids are 32-bit little-endian integers in a blob."""
    return {
        "session": session_id,
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "name": storable(message.name),
        "text": storable(message.text),
        "created": message.created,
        "state": message.state,
        "tokens": struct.pack(f"<{len(message.tokens)}i", *message.tokens),
        "provenance": to_json(dataclasses.asdict(message.provenance)),
    }


def message_from(row: sqlite3.Row) -> Message:
    """Return the message that a row holds."""
    blob: bytes = row["tokens"]
    provenance = _object(row["provenance"], f"provenance of message {row['id']}")
    calls = provenance.get("calls")
    provenance["calls"] = tuple(filter(_is_object, calls)) if isinstance(calls, list) else ()
    return Message(
        id=row["id"],
        parent=row["parent"],
        role=row["role"],
        name=row["name"],
        text=row["text"],
        created=row["created"],
        state=row["state"],
        tokens=struct.unpack(f"<{len(blob) // 4}i", blob),
        provenance=Provenance(**{name: provenance[name] for name in _PROVENANCE & provenance.keys()}),
    )


def to_json(value: Any) -> str:
    """Return compact JSON in ASCII, which any text survives; `TypeError` for what JSON does not have."""
    return json.dumps(value, separators=(",", ":"))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _object(text: str, what: str) -> dict[str, Any]:
    """Parse a JSON object; a damaged one is empty, since the conversation is worth more than what is about it."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    _log.error("The %s are damaged: %.200s", what, text)
    return {}
