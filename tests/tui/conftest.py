"""A terminal application on a real session manager, with a scripted model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

import airochat
from airochat.backends.scripted import ScriptedBackend, ScriptedTokenizer
from airochat.errors import ModelError
from airochat.session import Session, SessionManager
from airochat.themes import load_themes
from airochat.tui.app import AirochatApp
from airochat.tui.start import make_app

REPLY = '*She nods.* "The pass closes at dusk."'


class Terminal:
    """The application under test, and the questions that tests ask about it."""

    def __init__(self, manager: SessionManager, backend: ScriptedBackend) -> None:
        self.manager = manager
        self.backend = backend
        self.app: AirochatApp

    def run(
        self, session: Session | None = None, size: tuple[int, int] = (100, 34), theme: str | None = "ember"
    ) -> AbstractAsyncContextManager[Pilot[None]]:
        known = load_themes(self.manager.home)
        self.app = make_app(self.manager, session, known, known.get(theme) if theme else None)
        return self.app.run_test(size=size, notifications=True)

    @property
    def rows(self) -> list[str]:
        """The screen's rows as text."""
        return shown(self.app).split("\n")

    @property
    def text(self) -> str:
        """The screen as text."""
        return shown(self.app)

    @property
    def session(self) -> Session:
        """The session that is shown."""
        session = self.app.desk.session
        assert session is not None
        return session

    @property
    def said(self) -> list[str]:
        """The texts of the messages of the branch that is shown."""
        return [message.text for message in self.session.history]

    @property
    def idle(self) -> bool:
        """Whether a reply was finished and shown."""
        desk = self.app.desk
        return desk.session is not None and desk.session.turn is None and desk.conversation.live is None


def shown(app: App[None]) -> str:
    """Return what is on the screen as text."""
    rows = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in row).rstrip() for row in rows)


async def until(pilot: Pilot[None], fact: Callable[[], object], limit: float = 20.0) -> None:
    """Let the application run until something is true."""
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, f"it never became true on this screen:\n{shown(pilot.app)}"
        await pilot.pause()


async def write(pilot: Pilot[None], text: str) -> None:
    """Put a text into the composer, as if typed."""
    app = pilot.app
    assert isinstance(app, AirochatApp)
    app.chat.composer.insert(text)
    await pilot.pause()


async def say(terminal: Terminal, pilot: Pilot[None], text: str) -> None:
    """Send a text and wait for the end of the reply."""
    before = len(terminal.app.desk.conversation)
    await write(pilot, text)
    await pilot.press("enter")
    await until(pilot, lambda: terminal.idle and len(terminal.app.desk.conversation) >= before + 2)


def token_count(text: str) -> int:
    """Return how many tokens a reply of the script has."""
    return len(ScriptedTokenizer().tokens(text))


@pytest.fixture
def open_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    """Make a terminal with a scripted model; the arguments are those of `ScriptedBackend`."""
    opened: list[SessionManager] = []

    def make(*args: object, model: str = "scripted", **options: object) -> Terminal:
        backend = ScriptedBackend(*(args or ([REPLY],)), **options)  # type: ignore[arg-type]

        def create(ref: str, *_: object) -> ScriptedBackend:
            if ref.startswith("no-such"):
                raise ModelError(f"There is no model {ref!r}.", "Look again.")
            return backend

        monkeypatch.setattr("airochat.session.model.create_backend", create)
        manager = airochat.open(home=tmp_path / "home", model=model)
        opened.append(manager)
        return Terminal(manager, backend)

    yield make
    for manager in opened:
        manager.close()
