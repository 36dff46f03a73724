"""Conversations from a JSON file, for looking at the prompt that they give."""

from __future__ import annotations

import json
from typing import Any

from airochat.cli.reading import read_file
from airochat.conversation import Message, Role
from airochat.errors import UsageError
from airochat.text import whole

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_SHAPE = 'It is a list like [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}].'


def read_history(path: str | None, user: str, character: str) -> list[Message]:
    """Read messages from a file, oldest first, or none from None; `UsageError` names the message that is wrong.

    Each is an object with ``role`` (system, user, assistant), ``text`` or ``content``, and perhaps ``name``, which
    else is ``user`` or ``character``.
    """
    if path is None:
        return []
    try:
        value = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}.", _SHAPE) from None
    if not isinstance(value, list):
        raise UsageError(f"{path} holds no list of messages.", _SHAPE)
    names = {"user": user, "assistant": character, "system": "System"}
    found: list[Message] = []
    for number, entry in enumerate(value, 1):
        role, text = _checked(entry, f"Message {number} of {path}")
        name = str(entry.get("name") or names[role])
        parent = found[-1].id if found else None
        found.append(Message(f"history{number}", parent, role, name, text))
    return found


def _checked(entry: Any, what: str) -> tuple[Role, str]:
    if not isinstance(entry, dict):
        raise UsageError(f"{what} is not an object.", _SHAPE)
    text = entry.get("text", entry.get("content"))
    if not isinstance(text, str):
        raise UsageError(f"{what} has no text.", _SHAPE)
    role = entry.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise UsageError(f"{what} has the role {role!r}.", "Known: system, user, assistant.")
    # JSON can spell half of a surrogate pair, which no tokenizer takes.
    return _ROLES[role], whole(text)
