"""Cards and personas as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TALKATIVENESS = 0.5
"""How talkative a character is of which nothing is said."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the user is in a conversation."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that belongs to a card (version 3): a picture, a sound, or anything else.

    ``uri`` is an http address, a data URL, ``embeded://PATH`` in a CHARX file (spelled so in the specification), or
    ``ccdefault:`` for the card's own picture.
    """

    type: str
    """``icon``, ``background``, ``user_icon``, ``emotion``, or ``x_`` and anything."""
    uri: str
    name: str
    ext: str
    """The file's suffix in small letters without a dot, or ``unknown``."""


@dataclass(frozen=True, slots=True)
class Card:
    """A character. Field names are those of the card formats; texts hold their macros unexpanded."""

    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    first_mes: str = ""
    """The greeting."""
    alternate_greetings: tuple[str, ...] = ()
    group_only_greetings: tuple[str, ...] = ()
    """Further greetings, for group chats only."""
    mes_example: str = ""
    """Example dialogue, in blocks that begin with ``<START>``."""
    system_prompt: str = ""
    """Takes the place of the default system text, for which ``{{original}}`` in it stands."""
    post_history_instructions: str = ""
    """Stands after the newest message."""
    creator_notes: str = ""
    """For the user; never part of a prompt."""
    creator_notes_multilingual: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The notes by two-letter language code."""
    nickname: str = ""
    """What ``{{char}}`` stands for, if it is not the name."""
    tags: tuple[str, ...] = ()
    creator: str = ""
    character_version: str = ""
    source: tuple[str, ...] = ()
    """Where the card came from: addresses or ids."""
    creation_date: int | None = None
    """Seconds since 1970, UTC; 0 if withheld."""
    modification_date: int | None = None
    """Seconds since 1970, UTC; 0 if withheld."""
    assets: tuple[Asset, ...] = ()
    character_book: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    """The embedded lorebook as it stands in the file; for whoever reads lorebooks."""
    talkativeness: float = TALKATIVENESS
    """How readily the character speaks up in a group, from 0 to 1."""
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """What programs keep in the card beyond the format's own fields, talkativeness left out."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole file as it was, with all that airochat does not know."""

    @property
    def called(self) -> str:
        """The name under which the character speaks: the nickname, or else the name."""
        return self.nickname.strip() or self.name

    def notes(self, language: str = "en") -> str:
        """Return the creator's notes in a language, or else the plain ones; plain ones count as English."""
        return self.creator_notes_multilingual.get(language, self.creator_notes)

    def fields(self) -> dict[str, Any]:
        """Return what `parse_card` makes this card from: the file as it was, with what is different in this card."""
        from airochat.characters.forms import own_form

        return own_form(self)
