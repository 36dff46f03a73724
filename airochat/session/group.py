"""The characters of a session: who is here, who speaks next, and who knows of which message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airochat.characters import Card
from airochat.conversation import Message
from airochat.session.cast import NARRATOR, Cast, may_see

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.session.task import Task
    from airochat.store import Store

AUDIENCES = "audience"
"""Under which name it is kept who knows of which message."""


class Group:
    """The cast of one session; works for one character as well, and for none."""

    def __init__(self, session: Session, store: Store) -> None:
        self._session = session
        self._audiences = store.mapping(AUDIENCES, f"chat:{session.id}")
        self._known: dict[str, tuple[str, ...]] | None = None

    @property
    def cast(self) -> Cast:
        """The characters as a value."""
        return self._session.profile.cast

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the characters, in the order in which they joined."""
        return self.cast.names

    def due(self) -> list[str]:
        """Return who still wants to answer what the user said last; empty when it is the user's turn."""
        history = self._session.history
        said = next((message for message in reversed(history) if message.role == "user"), None)
        audience = self.audience(said.id) if said else ()
        due = self.cast.due(history, self._session.id)
        return [name for name in due if not audience or name in audience]

    def next(self) -> str:
        """Return the name of who speaks next if nobody is told to; empty without characters."""
        return self._session.profile.speaker(self._session.history, self._session.id)

    def add(self, card: str | Path | Card) -> Card:
        """Let a character join: a file, a name from the library, or a card."""
        return self._session.add_card(card)

    def remove(self, name: str) -> None:
        """Let a character leave; what it said stays."""
        self._session.change_cast(self._session.profile.without_card(name))

    def mute(self, name: str, on: bool = True) -> None:
        """Let a character speak only when told to, or freely again."""
        called = self.cast.member(name).called
        others = tuple(one for one in self._session.profile.muted if one != called)
        self._session.set(muted=(*others, called) if on else others)

    # -- who knows what -----------------------------------------------------------------------------------------

    def audience(self, message_id: str) -> tuple[str, ...]:
        """Return which characters know of a message; empty if all do."""
        return self._read().get(message_id, ())

    def show_only_to(self, message_id: str, names: Iterable[str]) -> None:
        """Let only these characters know of a message; with no names, all. The user always does."""
        self.keep(message_id, tuple(dict.fromkeys(self.cast.member(name).called for name in names)))

    def inherit(self, message_id: str, task: Task) -> None:
        """Let the answer of somebody who was whispered to be known to those only who heard the whisper."""
        names = self.audience(task.continued.id if task.continued else task.parent or "")
        if task.speaker in names and task.role == "assistant":
            self.keep(message_id, names)

    def renamed(self, names: dict[str, str]) -> None:
        """Keep whispers known to those who heard them when characters get other names; old names to new ones."""
        for message_id, heard in list(self._read().items()):
            if names.keys() & set(heard):
                self.keep(message_id, tuple(names.get(name, name) for name in heard))

    def seen_by(self, speaker: str, history: Sequence[Message]) -> tuple[Message, ...]:
        """Return the messages that somebody knows of; the user and the narrator know all."""
        if speaker == NARRATOR or speaker not in self.names or not any(self._read().values()):
            return tuple(history)
        return tuple(one for one in history if may_see(speaker, one, self.audience(one.id)))

    def keep(self, message_id: str, chosen: tuple[str, ...]) -> None:
        """Store an audience by names that may be those of characters who have left."""
        self._read()[message_id] = chosen
        if chosen:
            self._audiences[message_id] = list(chosen)
        else:
            self._audiences.pop(message_id, None)

    def _read(self) -> dict[str, tuple[str, ...]]:
        if self._known is None:
            self._known = {key: tuple(names) for key, names in self._audiences.items()}
        return self._known

    def __repr__(self) -> str:
        return f"<Group {', '.join(self.names) or 'nobody'}>"
