"""The session manager: opens, lists and closes sessions, and holds what they share."""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airochat.backends.base import Backend, ModelInfo
from airochat.characters import Card, Persona, read_card
from airochat.conversation import Message, Tree, new_id
from airochat.errors import StoreError
from airochat.hooks import Command, PluginHost
from airochat.paths import Home
from airochat.prompt import greetings
from airochat.session.events import ModelEvent, Notice
from airochat.session.listeners import Listeners
from airochat.session.model import CurrentModel
from airochat.session.profile import Profile
from airochat.session.session import Session
from airochat.settings import Settings, remember
from airochat.store import SessionRecord, SessionSummary, Store
from airochat.templates import Templates

if TYPE_CHECKING:
    from airochat.backends.llama.library import Model


class SessionManager:
    """Opens the data folder and serves sessions on it; a context manager.

    Nothing here waits for the model: it is loaded in the background when first needed, or by `start`.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        home.ensure()
        _log_to(home.log)
        self.home = home
        self.settings = settings
        self._listeners: Listeners[ModelEvent | Notice] = Listeners()
        self._sessions: list[Session] = []
        self._lock = threading.RLock()
        self.store = Store(home.database)
        self.templates = Templates(home.folder("templates"))
        self.plugins = PluginHost(
            home.folder("plugins"),
            self.store.mapping,
            settings.plugins_enabled,
            self._notice,
            settings.plugins_disabled,
        )
        self.model = CurrentModel(settings, home, self.templates, self._listeners.emit)
        self.model.check_template(settings.template)
        atexit.register(self.close)

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the model ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin loading the configured model in the background, unless that has been done."""
        self.model.start()

    def use_model(self, ref: str, remember: bool = False) -> None:
        """Exchange the model and begin loading; ``remember`` makes it the default for the next start, too.

        A name that means nothing is a `ModelError`, and the old model stays.
        """
        self.model.use(ref)
        if remember:
            self.remember(model=ref)

    @property
    def model_state(self) -> ModelEvent | None:
        """The newest event about the model: loading, ready or failed; None before the start."""
        return self.model.state

    def wait_for_model(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; raises `ModelError` or `TimeoutError`."""
        return self.model.wait(timeout)

    def models(self) -> list[Model]:
        """List the model files that can be used: the demo model, and those in the folders for models."""
        from airochat.backends.llama import library

        found = library.known_models(library.model_folders(self.settings, self.home))
        return [model for model in found if not model.note]

    def subscribe(self, listener: Callable[[ModelEvent | Notice], None]) -> Callable[[], None]:
        """Call ``listener`` on every event about the model, and on notices; return what ends that."""
        return self._listeners.add(listener)

    # -- sessions -----------------------------------------------------------------------------------------------

    def new(
        self,
        card: str | Path | Card | None = None,
        persona: Persona | None = None,
        template: str | None = None,
        title: str = "",
        system: str | None = None,
    ) -> Session:
        """Begin a conversation, with the greeting of ``card`` as its first message if it has one."""
        self.model.check_template(template or "")
        if isinstance(card, (str, Path)):
            card = read_card(Path(card).expanduser())
        profile = Profile(self.settings, card, persona, template or "", system or "")
        now = time.time()
        title = title or (card.name if card else "")
        record = SessionRecord(new_id(), title, now, now, None, profile.stored(), False)
        self.store.create_session(record)
        return self._open(record, self._greeted(record.id, profile))

    def load(self, key: str) -> Session:
        """Open a stored conversation by its id, the start of its id, or its exact title."""
        record = self.store.find_session(key)
        with self._lock:
            known = next((session for session in self._sessions if session.id == record.id), None)
        if known is not None:
            return known
        return self._open(
            record, _with_partial_reply(Tree.build(self.store.messages(record.id), record.head))
        )

    def latest(self) -> Session | None:
        """Open the conversation that was changed last, or return None if there is none."""
        summaries = self.store.sessions()
        return self.load(summaries[0].id) if summaries else None

    def sessions(self) -> list[SessionSummary]:
        """List the stored conversations, newest first."""
        return self.store.sessions()

    def rename(self, session_id: str, title: str) -> None:
        """Give a conversation another title."""
        self.store.update_session(session_id, title=title)
        for session in list(self._sessions):
            if session.id == session_id:
                session.title = title

    def delete(self, session_id: str) -> None:
        """Move a conversation to the bin; `restore` brings it back."""
        self.store.update_session(session_id, deleted=True)

    def restore(self, session_id: str) -> None:
        """Take a conversation out of the bin."""
        self.store.update_session(session_id, deleted=False)

    # -- the rest -----------------------------------------------------------------------------------------------

    def commands(self) -> dict[str, Command]:
        """Return the slash commands that plugins offer, by name."""
        return {name: command for name, (_, command) in self.plugins.commands().items()}

    def remember(self, **changes: Any) -> None:
        """Change settings and write them into the settings file."""
        self.settings = self.settings.replace(changes)
        remember(self.home.settings, changes)

    def forget(self, session: Session) -> None:
        """Drop a session that has been closed."""
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)

    def close(self) -> None:
        """Stop running turns, free the model and close the database; further calls do nothing."""
        atexit.unregister(self.close)
        for session in list(self._sessions):
            try:
                session.close()
            except StoreError as error:
                logging.getLogger(__name__).error("Closing %s: %s", session.id, error)
        self.model.close()
        self.store.close()

    def _open(self, record: SessionRecord, tree: Tree) -> Session:
        session = Session(self, record, tree)
        with self._lock:
            self._sessions.append(session)
        self.plugins.notify("on_session_opened", session.context)
        return session

    def _greeted(self, session_id: str, profile: Profile) -> Tree:
        """Store the card's greetings as alternatives of a first message, and return the tree that shows the first."""
        tree = Tree()
        if profile.card is None:
            return tree
        for text in greetings(profile.card, profile.persona, profile.user_name):
            message = Message(new_id(), None, "assistant", profile.reply_name, text, time.time())
            self.store.add_message(session_id, message)
            tree = tree.append(message)
        first = next(iter(tree.messages), None)
        self.store.amend_step(session_id, first)
        return tree.move(first)

    def _notice(self, message: str, hint: str = "") -> None:
        self._listeners.emit(Notice(message, hint))


def open(
    home: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | Backend | None = None,
    settings: Mapping[str, Any] | None = None,
) -> SessionManager:
    """Open the data folder and return its session manager.

    ``home`` defaults to ``AIROCHAT_HOME`` or the platform's place for user data; ``model`` and ``settings`` override
    the settings file for this manager only. ``model`` may also be a backend, which the manager then closes. Raises
    `SettingsError` or `StoreError`.
    """
    place = Home.find(home)
    overrides = dict(settings or {})
    if isinstance(model, (str, os.PathLike)):
        overrides["model"] = os.fspath(model)
    manager = SessionManager(place, Settings.load(place.settings, overrides))
    if model is not None and not isinstance(model, (str, os.PathLike)):
        manager.model.attach(model)
    return manager


def _with_partial_reply(tree: Tree) -> Tree:
    """Move the head onto a reply that was being written when the program was killed, if it is the newest message."""
    newest: Message | None = next(reversed(tree.messages.values()), None)
    if newest is None or newest.state != "running" or tree.head is None:
        return tree
    beside = newest.parent == tree[tree.head].parent
    return tree.move(newest.id) if newest.parent == tree.head or beside else tree


def _log_to(path: Path) -> None:
    logger = logging.getLogger("airochat")
    if any(getattr(handler, "baseFilename", "") == str(path) for handler in logger.handlers):
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=1_000_000, backupCount=2, encoding="utf-8"
        )
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
