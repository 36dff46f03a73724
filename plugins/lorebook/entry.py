"""Lorebooks and their entries as values, whatever file they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from airochat.conversation import Role

Position = Literal[
    "before_char",
    "after_char",
    "note_top",
    "note_bottom",
    "depth",
    "examples_top",
    "examples_bottom",
    "outlet",
]
POSITIONS: Final[tuple[Position, ...]] = (
    "before_char",
    "after_char",
    "note_top",
    "note_bottom",
    "depth",
    "examples_top",
    "examples_bottom",
    "outlet",
)
"""The places of an entry, by the numbers that world files have for them."""
ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant")
"""Who says an entry at a depth, by number."""
AND_ANY, NOT_ALL, NOT_ANY, AND_ALL = range(4)
"""How secondary keys count: one is there, not all are, none is, all are."""
TRIGGERS: Final[Mapping[str, str]] = {
    "normal": "a reply",
    "continue": "going on with a reply",
    "impersonate": "what you say next",
    "swipe": "another reply",
    "regenerate": "another reply",
    "quiet": "questions beside the chat, for which there is no lore here",
}
"""How a reply is asked for, by the words that entries have for it, and what that is."""
SOURCES: Final[Mapping[str, str]] = {
    "match_persona_description": "the persona",
    "match_character_description": "the description",
    "match_character_personality": "the personality",
    "match_character_depth_prompt": "the character's note",
    "match_scenario": "the scenario",
    "match_creator_notes": "the creator's notes",
}
"""What an entry's keys may be looked for in besides the messages, by the fields that say so."""


@dataclass(frozen=True, slots=True)
class Decorators:
    """What the decorators at the top of an entry say beyond the fields that they replace."""

    only_after: int = 0
    """Not before so many replies."""
    every: int = 0
    """Only when the number of replies can be divided by this; 0 is always."""
    keep_after_match: bool = False
    never_after_match: bool = False
    activate: bool = False
    never: bool = False
    greeting: int | None = None
    """Only under the greeting of this number, from 0."""
    additional: tuple[tuple[str, ...], ...] = ()
    """Lists of keys of each of which one must be there."""
    exclude: tuple[str, ...] = ()
    reverse_depth: int | None = None
    """Stands so many messages below the top."""
    drop_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a lorebook. The fields are those of world files, with what holds where a file leaves one out."""

    book: str
    uid: str
    title: str = ""
    content: str = ""
    """The text, without decorators, macros unexpanded."""
    keys: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    selective: bool = True
    """Whether the secondary keys count."""
    logic: int = AND_ANY
    enabled: bool = True
    constant: bool = False
    use_regex: bool = False
    order: int = 100
    """Entries of a higher order come later in the prompt, and are the first to get what the budget has."""
    priority: float | None = None
    position: Position = "before_char"
    placed: bool = True
    """Whether the file says where it stands."""
    depth: int = 4
    role: Role = "system"
    outlet: str = ""
    exclude_recursion: bool = False
    prevent_recursion: bool = False
    delay_until_recursion: int = 0
    probability: float = 100.0
    """Percent."""
    groups: tuple[str, ...] = ()
    group_override: bool = False
    group_weight: float = 100.0
    group_scoring: bool | None = None
    scan_depth: int | None = None
    case_sensitive: bool | None = None
    whole_words: bool | None = None
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0
    """The three in messages; 0 is off."""
    ignore_budget: bool = False
    triggers: tuple[str, ...] = ()
    sees: frozenset[str] = frozenset()
    """Keys of `SOURCES`."""
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude: bool = False
    """Whether ``names`` and ``tags`` are the characters for whom it is not, instead of those for whom it is."""
    decorators: Decorators = Decorators()
    digest: str = ""
    """Changes with whatever is changed in an entry that has a lasting effect; empty for others."""

    @property
    def key(self) -> str:
        """What an entry is called in what is kept of it: book and number."""
        return f"{self.book}/{self.uid}"

    @property
    def name(self) -> str:
        """What people call it: its title, or its first key, or its number."""
        return self.title or (self.keys[0] if self.keys else "") or self.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A lorebook.

    ``scan_depth`` (messages), ``token_budget`` and ``recursive`` are the book's own wishes, None if it has none.
    """

    name: str
    entries: tuple[Entry, ...] = ()
    scan_depth: int | None = None
    token_budget: int | None = None
    recursive: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The book with the fields of version 3, from which files are written."""
