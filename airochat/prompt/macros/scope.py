"""What macros can see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from airochat.characters import Card
from airochat.conversation import Message


def local_now() -> datetime:
    """Return the present time with the local time zone."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The people, the chat and the moment that a prompt is made for."""

    user: str = "You"
    persona: str = ""
    """The text about the user; its author is the user, so that macros in it are expanded."""
    cards: tuple[Card, ...] = ()
    """The cast; the first one is ``{{char}}`` unless `Macros.expand` is told another."""
    history: tuple[Message, ...] = ()
    model: str = ""
    seed: str = ""
    """What ``{{pick}}`` draws from: the same in the chat and its branches."""
    turn: str = ""
    """What ``{{random}}`` and ``{{roll}}`` draw from besides the seed: the same each time that one turn is made."""
    now: Callable[[], datetime] = local_now
    """Tells the time, with a time zone."""
    input: str = ""
    """What the user is sending right now; empty at other times."""
    system: str = ""
    """The system text in use; inserted as it is."""
    max_prompt: int = 0
    """How many tokens the prompt may have."""
    swipe: tuple[int, int] = (0, 0)
    """Which of how many alternatives the newest message is, counted from 1; (0, 0) if there is none."""
    muted: frozenset[str] = frozenset()
    """Names of those in the cast who do not speak."""
