"""Chats read from files of other programs, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from airochat.conversation.message import Message


@dataclass(frozen=True, slots=True)
class ImportedChat:
    """A chat read from a file: messages whose ``parent`` links them to a tree, parents first.

    A message without a name gets that of its role, and one with ``created`` 0 the date of the file.
    """

    title: str
    messages: Sequence[Message]
    warnings: tuple[str, ...] = ()
    """What could not be taken over, each with its place."""
    head: str = ""
    """The id of the message that is shown last; by default the last message."""
    system: str = ""
    """The system prompt of the chat; empty if it has none of its own."""
    scenario: str = ""
    """Where and when the chat takes place, instead of what the card says."""
    audiences: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For whispers, by the id of the message: the names of the characters that know of it."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Reads chats of another program; ``read`` gets the file's bytes and name.

    It returns None if the file is of another kind, and raises `AirochatError` if it is broken.
    """

    name: str
    """How ``airochat chats import --from NAME`` calls it."""
    summary: str
    read: Callable[[bytes, str], Sequence[ImportedChat] | None]
