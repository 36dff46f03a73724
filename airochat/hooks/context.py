"""What plugins are given: frozen facts about a chat, and drafts that they may change."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.conversation import Message
from airochat.sampling import Sampling

if TYPE_CHECKING:
    from airochat.characters import Card, Persona


@dataclass(frozen=True, slots=True)
class ChatContext:
    """One chat as one plugin sees it."""

    session_id: str
    title: str
    history: tuple[Message, ...]
    """The messages of the branch in question, oldest first."""
    cards: tuple[Card, ...]
    """The characters; the chat's own one is the first."""
    persona: Persona | None
    user_name: str
    data: MutableMapping[str, Any]
    """What this plugin keeps for this chat, as JSON values; setting a key saves it."""
    log: logging.Logger
    """Writes into airochat's log file under the plugin's name."""
    expand: Callable[[str], str] = str
    """Expands the macros in a text that the user or an author wrote."""

    @property
    def card(self) -> Card | None:
        """The chat's own character, or None."""
        return self.cards[0] if self.cards else None


ContextFor = Callable[[str], ChatContext]
"""Makes the context of a chat for the plugin of a name."""


@dataclass(slots=True)
class UserMessageDraft:
    """What the user is about to say; it must keep some text."""

    text: str


@dataclass(slots=True)
class SamplingDraft:
    """The sampling parameters of the coming reply, changed by ``draft.sampling = draft.sampling.replace(…)``."""

    sampling: Sampling


@dataclass(slots=True)
class ReplyDraft:
    """A reply that has ended, before it is stored; it must keep some text."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """A turn: at its start without a message; at its end with the stored reply, or None if nothing was written.

    ``reason`` is then ``eos``, ``stop``, ``length``, ``user`` or ``failed``.
    """

    session_id: str
    turn_id: str
    message: Message | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A message that has been added to a chat."""

    session_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command: ``run`` gets the chat and what stands after the name, and returns the answer to show.

    An `AirochatError` that it raises is shown to the user; any other exception switches the plugin off.
    """

    name: str
    """Lower-case letters, digits, ``-`` and ``_``, without the slash."""
    summary: str
    usage: str
    """How to write it, for instance ``/note [TEXT | depth N | off]``."""
    run: Callable[[ChatContext, str], str]
