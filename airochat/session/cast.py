"""Who takes part in a chat, and who of them speaks next: pure functions over cards and history."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from airochat.characters import Card
from airochat.checks import did_you_mean
from airochat.conversation import Message
from airochat.errors import UsageError
from airochat.prompt import NARRATOR as NARRATOR


@dataclass(frozen=True, slots=True)
class Cast:
    """The characters of a chat, in the order in which they joined; ``muted`` ones speak only when told to."""

    cards: tuple[Card, ...]
    order: str = "mention"
    muted: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which they speak."""
        return tuple(card.called for card in self.cards)

    def find(self, name: str) -> Card:
        """Return the character of this name, in any case, or the narrator; a `UsageError` lists those there are."""
        known = [card.called.casefold() for card in self.cards] + [
            card.name.casefold() for card in self.cards
        ]
        wanted = name.strip().casefold()
        return Card(NARRATOR) if wanted == NARRATOR.casefold() and wanted not in known else self.member(name)

    def member(self, name: str) -> Card:
        """Return the character of this name as `find` does, but never the narrator."""
        wanted = name.strip().casefold()
        for card in self.cards:
            if wanted in (card.called.casefold(), card.name.casefold()):
                return card
        raise UsageError(f"Nobody here is called {name!r}.", did_you_mean(name, self.names))

    def due(self, history: Sequence[Message], seed: str = "") -> list[str]:
        """Return who still wants to answer what the user said last, in this order; each answers it once.

        ``seed`` makes the dice of the ``talkative`` order fall the same way for the same message.
        """
        speakers = [name for name in self.names if name not in self.muted]
        since = [message for message in _since_user(history) if not message.is_results]
        if len(self.cards) < 2 or not speakers or not since:
            return []
        spoken = {message.name for message in since[1:]}
        waiting = [name for name in _line(self.order, speakers, self.cards, history, since, seed)]
        return [name for name in waiting if name not in spoken]

    def next(self, history: Sequence[Message], seed: str = "") -> Card:
        """Return who speaks next: the first of those who are due, else whoever was not the last to speak.

        After the results of calls that is whoever made them.
        """
        caller = history[-2].name if len(history) > 1 and history[-1].is_results else ""
        if caller in (*self.names, NARRATOR):
            return self.find(caller)
        waiting = self.due(history, seed)
        if waiting:
            return self.find(waiting[0])
        speakers = [name for name in self.names if name not in self.muted] or list(self.names)
        recent = [message.name for message in reversed(history) if message.name in speakers]
        if self.order == "round":
            return self.find(_after(speakers, recent)[0])
        if history and history[-1].role == "user" and recent:
            return self.find(recent[0])
        return self.find(_after(speakers, recent)[0])


def mentioned(text: str, names: Sequence[str]) -> list[str]:
    """Return the names that occur in a text as whole words, in any case, first mentioned first.

    The first word of a longer name counts, too, unless it is an article.
    """
    found: list[tuple[int, str]] = []
    for name in names:
        first = name.split()[0] if name.split() else ""
        forms = (
            [name] if len(first) < 3 or first.casefold() in ("the", "der", "die", "das") else [name, first]
        )
        pattern = "|".join(re.escape(form) for form in forms)
        if match := re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE):
            found.append((match.start(), name))
    return [name for _, name in sorted(found, key=lambda one: one[0])]


def may_see(speaker: str, message: Message, audience: Collection[str]) -> bool:
    """Return whether a character knows of a message; an empty audience is everybody."""
    return not audience or speaker in audience or message.name == speaker


def _since_user(history: Sequence[Message]) -> Sequence[Message]:
    """Return the user's last message and what came after it; empty if the user said nothing yet."""
    for number in range(len(history) - 1, -1, -1):
        if history[number].role == "user":
            return history[number:]
    return ()


def _line(
    order: str,
    speakers: Sequence[str],
    cards: Sequence[Card],
    history: Sequence[Message],
    since: Sequence[Message],
    seed: str,
) -> list[str]:
    before = history[: len(history) - len(since)]
    recent = [message.name for message in reversed(before) if message.name in speakers]
    named = [name for message in since for name in mentioned(message.text, speakers) if name != message.name]
    named = list(dict.fromkeys(named))
    match order:
        case "hand":
            return []
        case "round":
            return _after(speakers, recent)[:1]
        case "talkative":
            eager = _eager(cards, speakers, named, recent, f"{seed}:{since[0].id}")
            return list(dict.fromkeys((*named, *eager)))
        case _:
            # Whoever was talked to before answers, unless somebody has answered already.
            return named or ([] if since[1:] else recent[:1] or [speakers[0]])


def _after(speakers: Sequence[str], recent: Sequence[str]) -> list[str]:
    """Return the speakers in their order, beginning after the one who spoke last."""
    start = speakers.index(recent[0]) + 1 if recent else 0
    return [*speakers[start:], *speakers[:start]]


def _eager(
    cards: Sequence[Card], speakers: Sequence[str], named: Sequence[str], recent: Sequence[str], seed: str
) -> list[str]:
    """Return who feels like speaking, by dice weighted with talkativeness; somebody if nobody was named."""
    dice = random.Random(seed)
    present = [card for card in cards if card.called in speakers]
    rolled = [card.called for card in present if dice.random() < card.talkativeness]
    dice.shuffle(rolled)
    if len(speakers) > 1:
        # Who had the last word waits for somebody else, as people do.
        rolled = [name for name in rolled if name not in recent[:1]]
    if rolled or named:
        return rolled
    weights = [max(card.talkativeness, 0.01) for card in present]
    return [dice.choices([card.called for card in present], weights)[0]]
