"""A manager with one session on the scripted backend, and everything that the session told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.session import Session, SessionManager, Turn
from airochat.session.events import SessionEvent

PATIENCE = 30.0
"""Seconds after which something that should have happened is taken to be stuck."""


class Desk:
    """One conversation at a time."""

    def __init__(self, home: Path, backend: ScriptedBackend, settings: dict[str, Any] | None = None) -> None:
        self.backend = backend
        self.manager: SessionManager = airochat.open(home, backend, settings)
        self.session: Session = self.manager.new()
        self.events: list[SessionEvent] = []
        self.session.subscribe(self.events.append)

    def texts(self) -> list[str]:
        """What the branch now shown says."""
        return [message.text for message in self.session.history]

    def beside(self) -> list[str]:
        """The alternatives of the last message, in their order."""
        tree = self.session.tree
        assert tree.head is not None
        return [tree[one].text for one in tree.siblings(tree.head)]


def done(turn: Turn) -> Turn:
    """Wait for the end of a turn."""
    assert turn.wait(PATIENCE)
    return turn
