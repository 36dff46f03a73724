"""Conversations as lists of roles and contents: what the chat APIs take, and what models are trained with."""

from __future__ import annotations

from typing import Any

from airochat.conversation import ImportedChat, Role
from airochat.formats.dates import seconds_of
from airochat.formats.draft import Draft
from airochat.formats.parsing import (
    Notes,
    begins_with,
    check_count,
    document,
    list_in,
    name_in,
    objects,
    text_in,
    title_of,
    utf8,
)
from airochat.text import one_line

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
"""The roles of the APIs, and those of the ShareGPT form."""
_LISTS = ("messages", "conversations", "conversation", "history")


def from_openai(data: bytes, name: str) -> list[ImportedChat] | None:
    """Read a list of ``role`` and ``content``, also as ``from`` and ``value``; None if the file is of another kind.

    It may stand alone, under ``messages`` or ``conversations``, or be one of several, each on a line of its own. What
    the system says first is the chat's system prompt.
    """
    data = utf8(data)
    if not (b'"role"' in data and b'"content"' in data) and not (b'"from"' in data and b'"value"' in data):
        return None
    if begins_with(data, lambda record: bool(_list_in(record)) or _is_message(record), 1):
        return _from_lines(data, name)
    if data.lstrip()[:1] not in (b"[", b"{"):
        return None
    value = document(data, name)
    if isinstance(value, list) and value and all(_list_in(one) for one in value):
        return _several([_list_in(one) for one in value], name, Notes("chat"))
    messages = value if isinstance(value, list) else _list_in(value)
    if not any(map(_is_message, messages)):
        return None
    return [_chat(messages, name, _title(value) or title_of(name), Notes("message"))]


def _from_lines(data: bytes, name: str) -> list[ImportedChat]:
    notes = Notes()
    records = [record for _, record in objects(data, notes)]
    if len(records) == 1 and _list_in(records[0]):
        return [_chat(_list_in(records[0]), name, _title(records[0]) or title_of(name), notes)]
    if any(map(_list_in, records)):
        return _several([_list_in(record) for record in records], name, notes)
    return [_chat(records, name, title_of(name), notes)]


def _several(chats: list[list[Any]], name: str, notes: Notes) -> list[ImportedChat]:
    """Return a chat for each list of messages, numbered; what befell the lines is told with the first."""
    check_count(sum(map(len, chats)), name)
    title = title_of(name)
    found = [
        _chat(messages, name, f"{title} {number}", Notes("message") if number > 1 else notes)
        for number, messages in enumerate(chats, 1)
    ]
    return [chat for chat in found if chat.messages]


def _chat(messages: list[Any], name: str, title: str, notes: Notes) -> ImportedChat:
    draft, system = Draft(name), ""
    for number, one in enumerate(messages, 1):
        if not _is_message(one):
            notes.add("it is no message; it was left out.", number)
            continue
        role = _ROLES.get(str(one.get("role", one.get("from"))).lower())
        text = _text(one.get("content", one.get("value")), number, notes)
        if role is None or not text.strip():
            notes.add("it is empty, or not by the user or the model; it was left out.", number)
        elif role == "system" and not len(draft) and not system:
            system = text
        else:
            date = next(
                (date for key in ("created", "timestamp", "date") if (date := seconds_of(one.get(key)))), 0.0
            )
            draft.say(role, "" if role == "system" else name_in(one.get("name")), text, date)
    return draft.finish(title, notes, system)


def _list_in(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    found = (list_in(value.get(key)) for key in _LISTS)
    return next((one for one in found if any(map(_is_message, one))), [])


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and (
        {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()
    )


def _text(value: Any, number: int, notes: Notes) -> str:
    """Return the text of a message, whose content may be in parts."""
    if not isinstance(value, list):
        return text_in(value)
    parts = [one for one in value if isinstance(one, dict) and isinstance(one.get("text"), str)]
    if len(parts) < len(value):
        notes.add("what is no text in it was left out.", number)
    return "\n\n".join(text_in(one["text"]) for one in parts)


def _title(value: Any) -> str:
    return one_line(text_in(value.get("title")), 80) if isinstance(value, dict) else ""
