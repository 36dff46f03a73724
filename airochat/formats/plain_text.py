"""Plain text: one branch of a conversation, for reading where there is no Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from airochat.conversation import Message
from airochat.text import clean, one_line

_ENDINGS = {"stopped": "(stopped here)", "failed": "(broke off here)", "running": "(broke off here)"}


def to_text(title: str, history: Iterable[Message]) -> str:
    """Return the messages under a title, each after its author's name; control characters are left out."""
    parts = [one_line(title, 200) or "Conversation"]
    for message in history:
        parts.append(f"{one_line(message.name, 200) or message.role}: {clean(message.text).strip()}")
        if message.state in _ENDINGS:
            parts.append(_ENDINGS[message.state])
    return "\n\n".join(parts) + "\n"
