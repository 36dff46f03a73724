"""The texts of a card as a form: what can be written, and what was changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airochat.text import clean

if TYPE_CHECKING:
    from airochat.characters import Card

TITLES = {
    "name": "name",
    "nickname": "nickname",
    "description": "description",
    "personality": "personality",
    "scenario": "scenario",
    "first_mes": "greeting",
    "alternate_greetings": "other greeting",
    "group_only_greetings": "greeting in groups",
    "mes_example": "example dialogue",
    "system_prompt": "system prompt",
    "post_history_instructions": "after the history",
    "creator_notes": "creator's notes",
    "tags": "tags",
    "creator": "creator",
    "character_version": "version",
}
"""The fields in their order, by what they are called on the screen."""

HELP = {
    "name": "who it is, on one line",
    "nickname": "what it is called in the chat, if not by its name",
    "description": "who the character is; always sent",
    "personality": "a summary; always sent",
    "scenario": "where and when; always sent",
    "first_mes": "the first message of a chat",
    "alternate_greetings": "another first message, shown by ← and → in the chat",
    "group_only_greetings": "another first message, for groups only",
    "mes_example": "how it talks; blocks begin with <START>; dropped first when room is scarce",
    "system_prompt": "instead of the system prompt, which {{original}} stands for",
    "post_history_instructions": "sent after the newest message",
    "creator_notes": "for whoever uses the card; never sent",
    "tags": "one a line; never sent",
    "creator": "never sent",
    "character_version": "never sent",
}
"""What a field is for."""

LISTS = ("alternate_greetings", "group_only_greetings")
"""Fields that are lists of texts, each of which is a part of the form."""

UNSENT = ("name", "nickname", "creator_notes", "tags", "creator", "character_version")
"""Fields whose tokens do not matter, since they never reach the prompt as such."""


@dataclass(eq=False, slots=True)
class Part:
    """One text of the form; compared by identity, since two greetings may say the same."""

    key: str
    original: str
    """As the card has it."""
    shown: str
    """The same, safe to be shown."""
    text: str
    """As it was written here."""

    @property
    def changed(self) -> bool:
        """Whether it says something else than the card."""
        return self.text != self.shown

    @property
    def value(self) -> str:
        """What the card shall say."""
        return self.text if self.changed else self.original


class CardForm:
    """All texts of one card."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.parts = [part for key in TITLES for part in _parts(card, key)]

    @property
    def changed(self) -> bool:
        """Whether saving would change anything."""
        return bool(self.changes())

    def title(self, part: Part) -> str:
        """Return what a part is called; greetings are numbered."""
        if part.key not in LISTS:
            return TITLES[part.key]
        return f"{TITLES[part.key]} {self._list(part.key).index(part) + 1}"

    def add_greeting(self) -> int:
        """Add an empty greeting behind the others; return its place."""
        place = 1 + max(
            number
            for number, part in enumerate(self.parts)
            if part.key in ("first_mes", "alternate_greetings")
        )
        self.parts.insert(place, Part("alternate_greetings", "", "", ""))
        return place

    def remove(self, part: Part) -> None:
        """Remove a greeting; other texts are emptied instead."""
        if part.key in LISTS:
            self.parts.remove(part)
        else:
            part.text = ""

    def changes(self) -> dict[str, Any]:
        """Return the fields that are to be changed, with their values."""
        found: dict[str, Any] = {}
        for part in self.parts:
            if part.key not in LISTS and part.changed:
                found[part.key] = _tags(part.text) if part.key == "tags" else part.value
        for key in LISTS:
            texts = [part.value for part in self._list(key) if part.value.strip() or part.original]
            if tuple(texts) != getattr(self.card, key):
                found[key] = texts
        return found

    def written(self) -> list[list[str]]:
        """Return all texts as they stand here, for a draft."""
        return [[part.key, part.text] for part in self.parts]

    def restore(self, written: Iterable[Iterable[str]]) -> None:
        """Write what `written` returned, as far as it fits."""
        kept: dict[str, list[str]] = {}
        for key, text in written:
            kept.setdefault(key, []).append(text)
        for key in LISTS:
            have = self._list(key)
            for part in have[len(kept.get(key, ())) :]:
                self.parts.remove(part)
            for _ in range(len(kept.get(key, ())) - len(have)):
                self._append(key)
        for key, texts in kept.items():
            for part, text in zip(self._list(key), texts, strict=False):
                part.text = text

    def _append(self, key: str) -> None:
        order = list(TITLES)
        later = order[order.index(key) + 1 :]
        place = next(number for number, part in enumerate(self.parts) if part.key in later)
        self.parts.insert(place, Part(key, "", "", ""))

    def _list(self, key: str) -> list[Part]:
        return [part for part in self.parts if part.key == key]


def _parts(card: Card, key: str) -> Iterable[Part]:
    value = getattr(card, key)
    texts = value if key in LISTS else ("\n".join(value) if key == "tags" else value,)
    for text in texts:
        shown = clean(text)
        yield Part(key, text, shown, shown)


def _tags(text: str) -> list[str]:
    return [tag.strip() for line in text.split("\n") for tag in line.split(",") if tag.strip()]
