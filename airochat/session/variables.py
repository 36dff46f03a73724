"""Variables that macros set: kept with the message whose turn set them, so that every branch has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airochat.conversation import Message
from airochat.prompt.macros import Variables
from airochat.store import Store

_OWNER = "variables"


class BranchVariables:
    """The macro variables of one chat, and those that all chats share."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._local = store.mapping(_OWNER, f"chat:{session_id}")
        self._everywhere = store.mapping(_OWNER, "global")
        self._known: dict[str, dict[str, Any]] | None = None

    def at(self, history: Sequence[Message]) -> Variables:
        """Return working copies of the variables as they are at the end of a branch."""
        known = self._read()
        local = next((known[message.id] for message in reversed(history) if message.id in known), {})
        return Variables(dict(local), dict(self._everywhere))

    def keep(self, message_id: str, variables: Variables) -> None:
        """Store what a turn or a message has set, from this message on."""
        if not variables.changed:
            return
        self._read()[message_id] = self._local[message_id] = dict(variables.local)
        for name in variables.everywhere.keys() | self._everywhere.keys():
            if name not in variables.everywhere:
                self._everywhere.pop(name, None)
            elif self._everywhere.get(name) != variables.everywhere[name]:
                self._everywhere[name] = variables.everywhere[name]

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._known is None:
            self._known = dict(self._local)
        return self._known
