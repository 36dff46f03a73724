"""What the author's note of a chat is: its text, where it stands, and when it is there.

Each value is the chat's own, or else the one that is kept for all chats with the character. What is kept, under the
same keys in both: ``text``, ``position``, ``depth``, ``every`` and ``role``; and for a chat, ``off``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from airochat.conversation import Message, Role
from airochat.errors import SettingsError
from airochat.hooks import Setting

DEPTH: Final = 4
"""How many messages stand below the note; the usual place in other programs, too."""
DEEPEST: Final = 1000
MOST_EVERY: Final = 1000
Place = Literal["depth", "head"]
SETTINGS: Final[Mapping[str, Setting]] = {
    one.name: one
    for one in (
        Setting("text", "lines", "", "What the model reads; macros are expanded.", label="note"),
        Setting(
            "position",
            "choice",
            "depth",
            "Between the messages, or above the chat.",
            choices=("depth", "head"),
        ),
        Setting("depth", "int", DEPTH, "Messages below it.", 0, DEEPEST),
        Setting("every", "int", 1, "With each such message of yours: 1 is always, 0 never.", 0, MOST_EVERY),
        Setting("role", "choice", "system", "Who says it.", choices=("system", "user", "assistant")),
    )
}
"""What can be set, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note as it counts in a chat; without a text there is none."""

    text: str = ""
    position: Place = "depth"
    depth: int = DEPTH
    every: int = 1
    role: Role = "system"
    of_card: bool = False
    """Whether the text is the character's, since the chat has none of its own."""

    @property
    def words(self) -> str:
        """Where and when it stands, in words: ``at depth 4``."""
        where = "at the top" if self.position == "head" else f"at depth {self.depth}"
        who = "" if self.role == "system" else f", said by {self.role}"
        when = {0: ", never", 1: ""}.get(self.every, f", with one in {self.every} of your messages")
        return f"{where}{who}{when}"

    def wait(self, messages: Sequence[Message]) -> int:
        """Return how many messages of the user must come before it is in the prompt; 0 if it is, -1 for never."""
        if self.every < 2:
            return self.every - 1
        said = sum(message.role == "user" for message in messages)
        return -said % self.every if said else self.every


def note_of(chat: Mapping[str, Any], card: Mapping[str, Any]) -> Note:
    """Return the note of a chat from what is kept for it and for its character."""
    own, shared = _valid(chat), _valid(card)
    both = {**shared, **own}
    if not own.get("text"):
        both["text"] = "" if chat.get("off") else shared.get("text", "")
    return Note(**both, of_card=bool(both["text"]) and not own.get("text"))


def _valid(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept, without what has been damaged."""
    found = {}
    for name, setting in SETTINGS.items():
        try:
            found[name] = setting.checked(kept[name])
        except (KeyError, SettingsError):
            continue
    return found
