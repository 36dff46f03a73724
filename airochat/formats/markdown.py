"""Markdown: one branch of a conversation, for reading."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airochat.conversation import Message
from airochat.text import clean, one_line

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~])")
_ENDINGS = {"stopped": "*(stopped here)*", "failed": "*(broke off here)*", "running": "*(broke off here)*"}


def to_markdown(title: str, history: Iterable[Message]) -> str:
    """Return the messages under a heading, each after its author's name.

    The texts keep the Markdown that their authors wrote; control characters are left out, as everywhere.
    """
    parts = [f"# {_escaped(title) or 'Conversation'}"]
    for message in history:
        parts.append(f"**{_escaped(message.name) or message.role}**")
        parts.append(clean(message.text).strip("\n"))
        if message.state in _ENDINGS:
            parts.append(_ENDINGS[message.state])
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", one_line(text, 200))
