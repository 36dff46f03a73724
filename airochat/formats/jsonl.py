"""JSON Lines: a conversation with all its branches, for scripts and for keeping."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from airochat.conversation import Message


def to_jsonl(messages: Iterable[Message]) -> str:
    """Return one JSON object a message, each on a line of its own; nothing is lost but the token ids.

    ``parent`` links the messages to a tree, ``created`` is seconds since 1970, UTC. The lines are ASCII, so that
    they survive every reader and no escape sequence in a text reaches a terminal.
    """
    return "".join(_line(message) for message in messages)


def _line(message: Message) -> str:
    record = dataclasses.asdict(message)
    # Token ids mean nothing without the very model file, and are ten times the text.
    del record["tokens"]
    return json.dumps(record) + "\n"
