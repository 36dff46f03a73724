"""Looking things up in the chat: where something was said, and how many words were."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.text import clean, one_line

MOST = 8
"""How many places are told."""
_AROUND = 100
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def find(history: Sequence[Message], wanted: str) -> str:
    """Return where all words of a text were said, newest first, with the words around.

    Messages with the text as it stands come before those that have its words somewhere.
    """
    phrase = " ".join(wanted.casefold().split())
    words = _WORD.findall(phrase)
    if not words:
        raise UsageError("There is nothing to look for.", "Give a word or a few.")
    exact, loose = [], []
    for number, message in enumerate(history, 1):
        folded = " ".join(clean(message.text).split())
        low = folded.casefold()
        if phrase in low:
            exact.append(_told(number, message, folded, low.find(phrase)))
        elif all(word in low for word in words):
            loose.append(_told(number, message, folded, low.find(max(words, key=len))))
    found = [*reversed(exact), *reversed(loose)]
    if not found:
        return f"Nobody has said {one_line(wanted, 60)!r}."
    more = f"\n… and {len(found) - MOST} more messages" if len(found) > MOST else ""
    return "\n".join(found[:MOST]) + more


def count(history: Sequence[Message], of: str) -> str:
    """Return how many words the chat has, or its last reply if ``of`` is ``last``."""
    replies = [message for message in history if message.role == "assistant"]
    if of == "last":
        told = "The last reply has" if replies else "There is no reply yet; it has"
        return f"{told} {_words(replies[-1:]):,} words."
    return f"The chat has {_words(history):,} words in {len(history):,} messages; {_words(replies):,} are in replies."


def _words(messages: Sequence[Message]) -> int:
    return sum(len(_WORD.findall(message.text)) for message in messages)


def _told(number: int, message: Message, text: str, at: int) -> str:
    start, end = max(0, at - _AROUND), at + _AROUND
    before, after = "…" if start else "", "…" if end < len(text) else ""
    return f"Message {number}, {one_line(message.name, 40)}: {before}{text[start:end].strip()}{after}"
