"""Chat files that the tests write themselves, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airochat.conversation import ImportedChat, Message, Tree

Read = Callable[[bytes, str], Any]


def lines(*values: Any) -> bytes:
    """Write a file of JSON lines; a text is a line as it is."""
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in values).encode()


def only(read: Read, data: bytes, name: str = "chat.jsonl") -> ImportedChat:
    """Read the one chat in a file."""
    found = read(data, name)
    assert found is not None and len(found) == 1
    chat = found[0]
    assert isinstance(chat, ImportedChat)
    return chat


def tree(chat: ImportedChat) -> Tree:
    """Return a chat as a session would have it."""
    known: set[str] = set()
    for message in chat.messages:
        assert message.parent is None or message.parent in known
        known.add(message.id)
    return Tree.build(chat.messages, chat.head or chat.messages[-1].id)


def shown(chat: ImportedChat) -> list[tuple[str, str]]:
    """Return role and text of the branch that is shown."""
    return [(message.role, message.text) for message in tree(chat).history]


def beside(chat: ImportedChat, place: int) -> list[str]:
    """Return the texts of the alternatives of a message of the branch that is shown."""
    whole = tree(chat)
    return [whole[one].text for one in whole.siblings(whole.history[place].id)]


def said(*texts: str) -> list[Message]:
    """Return a chat of messages one after the other, by the user and the character in turn."""
    return [
        Message(
            f"m{number}", f"m{number - 1}" if number else None, "assistant" if number % 2 else "user",
            "Maya" if number % 2 else "Rook", text, created=1_700_000_000.5 + number,
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip
