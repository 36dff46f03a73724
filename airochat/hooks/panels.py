"""Panels: what a plugin shows and lets the user change, described once and drawn by every front end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airochat.hooks.settings import Setting

if TYPE_CHECKING:
    from airochat.hooks.context import ChatContext

Tone = Literal["plain", "soft", "heading", "warning"]
"""How a text is meant; a front end has its own look for each."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; line breaks count, everything else is shown as it is."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Meter:
    """How far something has come: ``value`` of ``of``, such as 350 of 1,000 words."""

    label: str
    value: float
    of: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """Something that can be changed; what is typed reaches the plugin by the next button, checked by ``setting``."""

    setting: Setting
    value: Any


@dataclass(frozen=True, slots=True)
class Button:
    """Something that can be done. ``confirm`` is asked before, if it cannot be taken back."""

    name: str
    label: str
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``key`` names it for the plugin. ``cells`` are as many as the table has columns."""

    key: str
    cells: tuple[str, ...]
    marked: bool = False
    """Whether it stands out, for instance since it is in the prompt now."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table from which one row is chosen; its buttons act on that row, the first one by Enter or a click."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    buttons: tuple[Button, ...] = ()
    empty: str = ""
    """What is shown if there are no rows."""


Part = Text | Meter | Field | Rows | Button
"""What a panel is made of, from top to bottom."""


@dataclass(frozen=True, slots=True)
class View:
    """What a panel shows at one place."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """What the user has done: pressed ``button`` at ``place``, with ``row`` chosen if the button is a table's.

    ``values`` are those of all fields, by the names of their settings, each checked.
    """

    place: str
    button: str
    row: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a panel does next: says something, and shows another place, or by default the same one anew.

    Front ends remember the places, so that the user can go back; a panel begins at the place ``""``.
    """

    message: str = ""
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: ``show`` gets the chat and a place and returns what is there; ``act`` gets what the user did.

    An `AirochatError` that they raise is shown to the user; any other exception switches the plugin off.
    """

    name: str
    """Lower-case letters, digits, ``-`` and ``_``; usually that of the plugin."""
    title: str
    summary: str
    show: Callable[[ChatContext, str], View]
    act: Callable[[ChatContext, Act], Outcome]
