"""JSON Lines: a conversation with all its branches, for scripts and for keeping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast, get_args

from airochat.conversation import ImportedChat, Message, Provenance, Role, State, new_id
from airochat.formats.parsing import (
    Notes,
    begins_with,
    check_count,
    list_in,
    objects,
    table_in,
    text_in,
    title_of,
    utf8,
)
from airochat.text import one_line, whole

_ID = re.compile(r"[\x21-\x7e]{1,64}")
_FUTURE = 1e11
"""Seconds since 1970 that no chat has seen."""
# Token ids mean nothing without the very model file, and are ten times the text.
_FIELDS = tuple(name for name in Message.__dataclass_fields__ if name != "tokens")
_CALL: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "tool", "state", "text", "approved"), str),
    "arguments": dict,
    "seconds": (int, float),
}
_TEXTS = ("model", "fingerprint", "template", "stop_reason", "raw")


def to_jsonl(
    messages: Iterable[Message],
    chat: Mapping[str, Any] | None = None,
    audiences: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return one JSON object a message, each on a line of its own; nothing is lost but the token ids.

    ``parent`` links the messages to a tree, ``created`` is seconds since 1970, UTC. The first line also has ``chat``:
    what is known of the whole, such as its ``title``, and as ``head`` the message shown last; a whisper has as
    ``audience`` who heard it. The lines are ASCII, so that they survive every reader and no escape sequence in a text
    reaches a terminal.
    """
    facts = {"chat": dict(chat)} if chat else {}
    written = []
    for message in messages:
        heard = (audiences or {}).get(message.id)
        written.append(_line(message, {**facts, "audience": list(heard)} if heard else facts))
        facts = {}
    return "".join(written)


def from_jsonl(data: bytes, name: str) -> list[ImportedChat] | None:
    """Read what `to_jsonl` writes, the whole tree; None if the file is of another kind.

    A message whose parent is missing follows the one on the line before, so that a damaged line breaks no chat.
    """
    data = utf8(data)
    if b'"parent"' not in data or not begins_with(data, _is_message):
        return None
    reader = _Reader(name)
    for number, record in objects(data, reader.notes):
        reader.take(number, record)
    return [reader.chat()]


def _is_message(record: dict[str, Any]) -> bool:
    return {"id", "parent", "role", "text"} <= record.keys()


def _line(message: Message, more: Mapping[str, Any]) -> str:
    # Not by dataclasses.asdict, which copies every value and takes ten times as long.
    record = {name: getattr(message, name) for name in _FIELDS}
    made = {name: getattr(message.provenance, name) for name in Provenance.__dataclass_fields__}
    if not made["calls"]:
        del made["calls"]
    record["provenance"] = made
    return json.dumps({**record, **more}) + "\n"


class _Reader:
    """Links the messages of one file to a tree."""

    def __init__(self, name: str) -> None:
        self.notes = Notes()
        self._name = name
        self._messages: list[Message] = []
        self._ids: dict[Any, str | None] = {None: None}
        """For each id in the file the one in the tree."""
        self._stand_ins: dict[Any, str | None] = {}
        """For each missing message the one in whose place what follows it is put."""
        self._facts: dict[str, Any] = {}
        self._audiences: dict[str, tuple[str, ...]] = {}

    def take(self, number: int, record: dict[str, Any]) -> None:
        """Add the message of a line."""
        self._facts = self._facts or table_in(record.get("chat"))
        role, text, state = record.get("role"), record.get("text"), record.get("state")
        if role not in get_args(Role) or not isinstance(text, str):
            self.notes.add("it has no text, or not the role of a message; the line was left out.", number)
            return
        check_count(len(self._messages) + 1, self._name)
        message = Message(
            self._id(record.get("id"), number),
            self._parent(record.get("parent"), number),
            cast("Role", role),
            text_in(record.get("name")),
            whole(text),
            _date(record.get("created")),
            cast("State", state if state in get_args(State) else "finished"),
            provenance=_provenance(record.get("provenance")),
        )
        self._messages.append(message)
        self._ids.setdefault(_key(record.get("id")), message.id)
        if heard := tuple(name for name in map(text_in, list_in(record.get("audience"))) if name):
            self._audiences[message.id] = heard

    def chat(self) -> ImportedChat:
        """Return what was read."""
        title = one_line(text_in(self._facts.get("title")), 200) or title_of(self._name)
        head = self._ids.get(_key(self._facts.get("head"))) or ""
        system, scenario = (text_in(self._facts.get(key)) for key in ("system", "scenario"))
        warnings = self.notes.warnings()
        return ImportedChat(title, self._messages, warnings, head, system, scenario, self._audiences)

    def _id(self, given: Any, number: int) -> str:
        if isinstance(given, str) and _ID.fullmatch(given) and given not in self._ids:
            return given
        self.notes.add("its id cannot be used; it has a new one.", number)
        return new_id()

    def _parent(self, given: Any, number: int) -> str | None:
        key = _key(given)
        if key in self._ids:
            return self._ids[key]
        if key not in self._stand_ins:
            self._stand_ins[key] = self._messages[-1].id if self._messages else None
            self.notes.add("the message that it follows is missing; it follows the one before.", number)
        return self._stand_ins[key]


def _key(given: Any) -> Any:
    return given if given is None or isinstance(given, str) else repr(given)[:100]


def _date(value: Any) -> float:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _FUTURE
    return float(value) if known else 0.0


def _provenance(value: Any) -> Provenance:
    given = table_in(value)
    model, fingerprint, template, stop_reason, raw = (text_in(given.get(key)) for key in _TEXTS)
    usage = {key: count for key, count in table_in(given.get("usage")).items() if type(count) is int}
    calls = tuple(filter(_is_call, list_in(given.get("calls"))))
    sampling = table_in(given.get("sampling"))
    return Provenance(model, fingerprint, template, sampling, stop_reason, usage, raw, calls)


def _is_call(value: Any) -> bool:
    """Return whether a value is what `Provenance.calls` describes; whoever shows calls relies on that."""
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in _CALL.items())
