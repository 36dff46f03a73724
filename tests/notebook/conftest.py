"""Sessions on a backend that says what it is told, when it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import airochat.session.model
from airochat.backends.scripted import ScriptedBackend
from airochat.session import Session, SessionManager, open


@dataclass
class Stage:
    """A manager with one session, and the backend behind them."""

    manager: SessionManager
    session: Session
    backend: ScriptedBackend


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A gated stage: each token of a reply waits for ``backend.allow``."""
    backend = ScriptedBackend(["One two three.", "Four five six."], gated=True)
    monkeypatch.setattr(airochat.session.model, "create_backend", lambda *_: backend)
    with open(model="scripted") as manager:
        yield Stage(manager, manager.new(title="stage"), backend)
