"""The settings of the lorebooks, and what SillyTavern does differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.text import one_line

LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How lorebooks are scanned. Numbers of messages unless it says otherwise."""

    scan_depth: int = 2
    """How many of the newest messages keys are looked for in."""
    include_names: bool = True
    """Whether the name before each message counts."""
    recursive: bool = True
    """Whether keys are looked for in the entries found."""
    max_recursion_steps: int = 0
    """How many times everything is looked through; 0 is as often as something new is found."""
    min_activations: int = 0
    """How many entries are wanted: older messages are read until there are so many."""
    min_activations_depth: int = 0
    """The oldest message that is read for that; 0 is the first one."""
    budget: int = 25
    """Percent of the prompt's tokens that lore may take."""
    budget_cap: int = 0
    """Tokens that lore may take at most; 0 is no limit but the percentage."""
    case_sensitive: bool = False
    whole_words: bool = True
    group_scoring: bool = False
    strategy: Literal["character", "global", "even"] = "character"
    """Whose entries come first: the character's books, or those of all chats, or neither's."""
    note_depth: int = 4
    """Where entries stand that belong to the author's note, if there is none."""
    compat: Literal["airochat", "sillytavern"] = "airochat"
    """Whose ways the rest is set to."""
    words: Literal["unicode", "ascii"] = "unicode"
    """Which letters make up words."""
    overflow: Literal["skip", "stop"] = "skip"
    """What does not fit is left out alone, or with all that comes after it."""
    constants_share: int = 50
    """Percent of the budget that constant entries get before all others."""
    book_limits: bool = True
    """Whether a book's own scan depth, budget and recursion count."""
    decorators: Literal["all", "sillytavern"] = "all"
    place: Literal["book", "late"] = "book"
    """Whether entries of the head that come and go stand there, or before the last message."""
    without_note: Literal["place", "lose"] = "place"
    """Whether entries that belong to the author's note are there without one."""
    depth_zero: Literal["recursion", "nothing"] = "recursion"
    """What an entry that reads no messages is found by."""
    delay_levels: Literal["found", "always"] = "found"
    """Whether levels of delayed recursion are tried only if there is something to look through."""


PARITY: Final[Mapping[str, Any]] = {
    "compat": "sillytavern",
    "words": "ascii",
    "overflow": "stop",
    "constants_share": 0,
    "book_limits": False,
    "decorators": "sillytavern",
    "without_note": "lose",
    "depth_zero": "nothing",
    "delay_levels": "always",
}
"""What SillyTavern does."""
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "strategy": ("character", "global", "even"),
    "compat": ("airochat", "sillytavern"),
    "words": ("unicode", "ascii"),
    "overflow": ("skip", "stop"),
    "decorators": ("all", "sillytavern"),
    "place": ("book", "late"),
    "without_note": ("place", "lose"),
    "depth_zero": ("recursion", "nothing"),
    "delay_levels": ("found", "always"),
}
"""The settings that are one of some words."""
PERCENT: Final = ("budget", "constants_share")
NAMES: Final = tuple(one.name for one in fields(Options))


def made(stored: Mapping[str, Any]) -> Options:
    """Return the settings of a table; ``compat`` comes first, and what is unknown or wrong is left out."""
    base = Options(**PARITY) if stored.get("compat") == "sillytavern" else Options()
    values: dict[str, Any] = {}
    for name, value in stored.items():
        try:
            values[name] = checked(name, value)
        except UsageError:
            continue
    return replace(base, **values)


def checked(name: str, value: Any) -> Any:
    """Return the value of a setting from a text or a stored value; `UsageError` says what it takes."""
    if name not in NAMES:
        raise UsageError(f"There is no setting {one_line(name, 40)!r}.", did_you_mean(name, NAMES))
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise UsageError(
                f"{one_line(str(value), 40)!r} is no {name}.", f"Choose from {', '.join(CHOICES[name])}."
            )
        return value
    if isinstance(getattr(Options(), name), bool):
        return _flag(name, value)
    text = str(value)
    most = 100 if name in PERCENT else LARGEST
    if isinstance(value, bool) or not (
        text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= most
    ):
        raise UsageError(
            f"{one_line(text, 40)!r} is no {name}.", f"It takes a whole number from 0 to {most:,}."
        )
    return int(text)


def _flag(name: str, value: Any) -> bool:
    words = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    found = words.get(str(value).lower())
    if found is None:
        raise UsageError(f"{one_line(str(value), 40)!r} is no {name}.", "It is on or off.")
    return found
