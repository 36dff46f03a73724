"""How the characters of a chat are brought before the conversation, as a model was trained with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_FIELD = re.compile(r"\{(\w+)\}")
_TEXT = "{text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneForm:
    """The texts that stand around those of cards and persona; an empty one leaves the paragraph out.

    In them ``{name}`` is whom a paragraph is about, ``{user}`` the user, ``{names}`` all with the user last,
    ``{count}`` their number, and ``{mark}`` the sign around actions; ``{text}`` is what card or persona say. Newlines
    at the sides of a text are the room that it wants: between two texts stands as much as the one that wants more.
    """

    header: str = ""
    """The first line; without one, the system text comes first, as it does without characters."""
    character: str = f"\n\n{{name}}: {_TEXT}\n\n"
    personality: str = f"\n\n{{name}}'s personality: {_TEXT}\n\n"
    example: str = f"\n\nExample of how {{name}} speaks:\n{_TEXT}\n\n"
    persona: str = f"\n\n{{name}}: {_TEXT}\n\n"
    known_as: str = ""
    """How the user's name is told where the turns have another one."""
    user_as: str = "{user}"
    """The user among the ``{names}``."""
    stay: str = f"\n\n{_TEXT}\n\n"
    """The system text of the card."""
    usual_stay: str = ""
    """Stands in the place of that where there is none."""
    setting: str = f"\n\n{_TEXT}\n\n"
    actions: str = ""
    start: str = ""
    """The line that begins the conversation."""
    end: str = ""
    """What ends it all, exactly."""
    opening: str = ""
    """The user's first words where a character speaks first."""
    labels: Literal["none", "replies", "all"] = "none"
    """Whose turns begin with a name, in templates that leave it to the chat."""
    labels_if: Literal["always", "several"] = "always"
    """Whether that is so with a single character, too."""


NEEDS_TEXT = ("character", "personality", "example", "persona", "stay", "setting")
"""The texts that must have a place for what card or persona say."""


@dataclass(frozen=True, slots=True)
class Framing:
    """A text of a `SceneForm` for one name, parted where the card's own text stands."""

    before: str
    after: str
    margins: tuple[int, int]
    """The newlines wanted above and below."""


def framing(text: str, values: Mapping[str, str]) -> Framing:
    r"""Return a text of a `SceneForm` with its fields filled in; what a value says is not looked at again.

    >>> framing("\n\n{name}: {text}\n", {"name": "{text}"})
    Framing(before='{text}: ', after='', margins=(2, 1))
    """
    body = text.strip("\n")
    above = len(text) - len(text.lstrip("\n"))
    below = len(text) - len(text.rstrip("\n"))
    before, _, after = body.partition(_TEXT)
    return Framing(_filled(before, values), _filled(after, values), (above, below))


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), text)
