"""SillyTavern's chats: JSON Lines with a header, and alternatives of a message as its swipes.

The format as SillyTavern 1.12 writes it and newer ones extend it: what a line may have was gathered from its source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airochat.conversation import ImportedChat, Message, Role, Tree
from airochat.formats.dates import seconds_of
from airochat.formats.draft import Draft, Version, with_shown
from airochat.formats.parsing import (
    Notes,
    begins_with,
    list_in,
    name_in,
    objects,
    table_in,
    text_in,
    title_of,
    utf8,
)
from airochat.text import one_line, whole

_NARRATOR = "narrator"
_LOST = {
    "reasoning": "its reasoning was left out.",
    "image": "its picture was left out.",
    "file": "its attached file was left out.",
    "memory": "the summary kept with it was left out.",
}
"""Fields of a message's ``extra`` that airochat has no place for."""
_SETTINGS = {"note_prompt": "author's note", "world_info": "lorebook", "persona": "persona"}
"""Fields of the header's ``chat_metadata`` that airochat keeps elsewhere."""


def from_sillytavern(data: bytes, name: str) -> list[ImportedChat] | None:
    """Read a chat of SillyTavern, of one character or of a group; None if the file is of another kind.

    Swipes become alternatives, of which the chosen one is shown. What was hidden from the model is not hidden here.
    """
    data = utf8(data)
    if b'"mes"' not in data and b'"chat_metadata"' not in data:
        return None
    if not begins_with(data, lambda record: _is_header(record) or _is_message(record)):
        return None
    notes, draft = Notes(), Draft(name)
    header: dict[str, Any] = {}
    for number, record in objects(data, notes):
        if _is_message(record):
            _take(record, number, draft, notes)
        elif _is_header(record) and not header:
            header = record
        else:
            notes.add("it is no message; the line was left out.", number)
    settings = table_in(header.get("chat_metadata"))
    for key, what in _SETTINGS.items():
        if said := one_line(text_in(settings.get(key)), 200):
            notes.add(f"the chat's {what} was not taken over: {said}", 1)
    return [draft.finish(title_of(name), notes, scenario=text_in(settings.get("scenario")))]


def to_sillytavern(tree: Tree, user: str, character: str) -> str:
    """Return the branch that is shown as a chat of SillyTavern; alternatives of a reply become its swipes."""
    history = tree.history
    header = {
        "user_name": user,
        "character_name": character,
        "create_date": _stamp(history[0].created if history else 0.0),
        "chat_metadata": {},
    }
    return "\n".join(json.dumps(one) for one in (header, *_lines(tree, history)))


def _is_header(record: dict[str, Any]) -> bool:
    return "mes" not in record and (
        "chat_metadata" in record or {"user_name", "character_name"} <= record.keys()
    )


def _is_message(record: dict[str, Any]) -> bool:
    return "mes" in record and bool({"is_user", "name", "send_date"} & record.keys())


def _take(record: dict[str, Any], number: int, draft: Draft, notes: Notes) -> None:
    extra = table_in(record.get("extra"))
    kind, hidden = extra.get("type"), record.get("is_system") is True
    if hidden and (extra.get("tool_invocations") or (isinstance(kind, str) and kind != _NARRATOR)):
        notes.add("it is a comment or a notice of the program; the line was left out.", number)
        return
    versions, chosen = _versions(record)
    if not versions:
        notes.add("it is an empty message; the line was left out.", number)
        return
    if hidden:
        notes.add("it was hidden from the model; here the model sees it.", number)
    for key, what in _LOST.items():
        if extra.get(key):
            notes.add(what, number)
    role: Role = "user" if record.get("is_user") is True else "assistant"
    if kind == _NARRATOR:
        role = "system"
    draft.choose(role, "" if role == "system" else name_in(record.get("name")), versions, chosen)


def _versions(record: dict[str, Any]) -> tuple[list[Version], int]:
    """Return the texts of a message that are not empty, and which of them is shown."""
    texts = [_text(swipe) for swipe in list_in(record.get("swipes"))]
    facts = dict(enumerate(map(table_in, list_in(record.get("swipe_info")))))
    swipes = [_version(text, facts.get(number, {})) for number, text in enumerate(texts)]
    return with_shown(_version(_text(record.get("mes")), record), swipes, record.get("swipe_id"))


def _version(text: str, facts: dict[str, Any]) -> Version:
    model = text_in(table_in(facts.get("extra")).get("model"))
    return Version(text, seconds_of(facts.get("send_date")), model)


def _text(value: Any) -> str:
    # Chub's files have an object in the place of the text.
    return text_in(value.get("message") if isinstance(value, dict) else value)


def _lines(tree: Tree, history: tuple[Message, ...]) -> Iterator[dict[str, Any]]:
    for message in history:
        line: dict[str, Any] = {
            "name": whole(message.name),
            "is_user": message.role == "user",
            "is_system": False,
            "send_date": _stamp(message.created),
            "mes": whole(message.text),
            "extra": _extra(message),
        }
        swipes = _swipes(tree, message)
        if len(swipes) > 1:
            line["swipe_id"] = swipes.index(message)
            line["swipes"] = [whole(one.text) for one in swipes]
            line["swipe_info"] = [{"send_date": _stamp(one.created), "extra": _extra(one)} for one in swipes]
        yield line


def _swipes(tree: Tree, message: Message) -> list[Message]:
    """Return a reply and its alternatives by the same character; SillyTavern has swipes for nothing else."""
    if message.role != "assistant":
        return [message]
    beside = (tree[one] for one in tree.siblings(message.id))
    return [one for one in beside if (one.role, one.name) == (message.role, message.name)]


def _extra(message: Message) -> dict[str, Any]:
    if message.role == "system":
        return {"type": _NARRATOR}
    return {"model": whole(message.provenance.model)} if message.provenance.model else {}


def _stamp(created: float) -> int:
    """Return a date as whole milliseconds, which every version of SillyTavern reads."""
    return round(created * 1000)
