"""Building a chat from a file that has its messages one after the other, some of them with alternatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airochat.conversation import ImportedChat, Message, Provenance, Role, new_id
from airochat.formats.parsing import Notes, check_count
from airochat.text import one_line, whole


@dataclass(frozen=True, slots=True)
class Version:
    """One of several alternatives of a message; ``created`` is 0 if it has no date."""

    text: str
    created: float = 0.0
    model: str = ""


def with_shown(shown: Version, versions: Sequence[Version], at: Any) -> tuple[list[Version], int]:
    """Return the alternatives of a message that are not empty, what is shown among them, and its place.

    ``at`` is that place as the file has it. What is shown may be newer than the version there, since it was edited.
    """
    texts = [one.text for one in versions]
    known = isinstance(at, int) and 0 <= at < len(texts)
    place = at if known else texts.index(shown.text) if shown.text in texts else len(texts)
    if place < len(texts) and not shown.created:
        shown = dataclasses.replace(shown, created=versions[place].created)
    found = [*versions[:place], shown, *versions[place + 1 :]]
    kept = [number for number, one in enumerate(found) if one.text.strip()]
    return [found[number] for number in kept], kept.index(place) if place in kept else len(kept) - 1


class Draft:
    """A chat that grows message by message; ``name`` is the file's, for errors."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._messages: list[Message] = []
        self._head: str | None = None
        self._date = 0.0

    def __len__(self) -> int:
        return len(self._messages)

    def say(self, role: Role, name: str, text: str, created: float = 0.0, model: str = "") -> None:
        """Add a message without alternatives."""
        self.choose(role, name, [Version(text, created, model)], 0)

    def choose(self, role: Role, name: str, versions: Sequence[Version], chosen: int) -> None:
        """Add a message with all its alternatives; what comes next follows the chosen one.

        Without a date of its own a message has that of the one before.
        """
        check_count(len(self._messages) + len(versions), self._name)
        parent, date = self._head, self._date
        for number, one in enumerate(versions):
            created = one.created or date
            made = Provenance(model=one_line(one.model, 200)) if one.model else Provenance()
            message = Message(new_id(), parent, role, name, whole(one.text), created, provenance=made)
            self._messages.append(message)
            if number == chosen:
                self._head, self._date = message.id, created

    def finish(self, title: str, notes: Notes, system: str = "", scenario: str = "") -> ImportedChat:
        """Return the chat. Messages before the first one with a date have that one's."""
        first = next((one.created for one in self._messages if one.created), 0.0)
        messages = [one if one.created else dataclasses.replace(one, created=first) for one in self._messages]
        return ImportedChat(title, messages, notes.warnings(), self._head or "", whole(system), scenario)
