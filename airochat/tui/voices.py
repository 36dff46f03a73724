"""Which speaker has which colour."""

from __future__ import annotations

from collections.abc import Iterable

from airochat.prompt import NARRATOR

COUNT = 6
"""Colours for characters in a theme; more characters begin again with the first."""

NARRATED = "narrator"
"""The voice of whoever tells what happens."""


class Voices:
    """Gives every name of a chat a voice, ``1`` to `COUNT`, and keeps it as long as the chat is open."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def meet(self, names: Iterable[str]) -> None:
        """Learn names in the order in which they get their voices."""
        for name in names:
            if name != NARRATOR:
                self._known.setdefault(name, len(self._known))

    def of(self, name: str) -> str:
        """Return the voice of a name."""
        if name == NARRATOR:
            return NARRATED
        self.meet((name,))
        return str(self._known[name] % COUNT + 1)
