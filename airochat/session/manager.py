"""The session manager: opens, lists and closes sessions, and holds what they share."""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airochat.backends.base import Backend, CacheReport, ModelInfo
from airochat.backends.states import forget_state, states_folder
from airochat.characters import Card, Persona, read_card
from airochat.conversation import Message, Tree, new_id
from airochat.errors import AirochatError, StoreError, UsageError
from airochat.hooks import Command, ModelFacts, PluginHost, Services
from airochat.paths import Home
from airochat.presets import Presets
from airochat.session.approval import Approvals, PendingCall
from airochat.session.asides import Asides
from airochat.session.embedding import Embedding
from airochat.session.events import ModelEvent, ModelReady, Notice
from airochat.session.exchange import Imports, import_chats
from airochat.session.listeners import Listeners
from airochat.session.model import CurrentModel
from airochat.session.profile import Profile
from airochat.session.session import Session
from airochat.settings import Settings, remember
from airochat.store import SessionRecord, SessionSummary, Store
from airochat.templates import Templates
from airochat.text import one_line

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
        self._loaded: ModelFacts | None = None
        """The model that the plugins know to be loaded."""
        self._lock = threading.RLock()
        self.store = Store(home.database)
        self.cards = self.store.cards(home.folder("cards"))
        """The library of cards."""
        self.personas = self.store.personas()
        """Who the user may be."""
        self.plugins = PluginHost(
            home.folder("plugins"),
            self.store.mapping,
            settings.plugins_enabled,
            self._notice,
            settings.plugins_disabled,
        )
        self.templates = Templates(home.folder("templates"), self.plugins.data_folders("templates"))
        self.approvals = Approvals(self.store)
        """What the user has decided about tools."""
        self.approver: Callable[[PendingCall], object] | None = None
        """Asks the user about a call that waits: set by a front end, called on a turn's thread, returns at once."""
        self.model = CurrentModel(settings, home, self.templates, self._tell, self.plugins)
        self.model.check_template(settings.template)
        self.asides = Asides(self)
        """Asks the model something beside the conversations, while nobody waits."""
        self.embedding = Embedding(self)
        """Turns texts into vectors for plugins, if the setting ``embedding_model`` names a model for that."""
        self.plugins.services = Services(
            self.asides.ask,
            self.model.count_tokens,
            lambda: self.model.n_ctx,
            home.folder("plugin-data"),
            self._notice,
            lambda: self.embedding if self.settings.embedding_model else None,
        )
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
        self._tell_unloaded()
        if remember:
            self.remember(model=ref)

    @property
    def model_state(self) -> ModelEvent | None:
        """The newest event about the model: loading, ready or failed; None before the start."""
        return self.model.state

    def wait_for_model(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; raises `ModelError` or `TimeoutError`."""
        return self.model.wait(timeout)

    def cache_report(self) -> CacheReport:
        """Tell what the model's engine keeps so that no token is read twice; empty before a model is loaded."""
        backend = self.model.current
        return CacheReport() if backend is None else backend.cache_report()

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
        card: str | Path | Card | Sequence[str | Path | Card] | None = None,
        persona: str | Persona | None = None,
        template: str | None = None,
        preset: str | None = None,
        title: str = "",
        system: str | None = None,
    ) -> Session:
        """Begin a conversation, with the greeting of ``card`` as its first message if it has one.

        ``card`` is a card, a file, or a name from the library; several make a group. ``persona`` is one, or the name of
        one; by default the one set for the card, or for all. ``preset`` names the sampling of this conversation.
        """
        self.model.check_template(template or "")
        given = [card] if isinstance(card, (str, Path, Card)) else list(card or ())
        for wrong in (one for one in given if not isinstance(one, (str, Path, Card))):
            raise UsageError(f"{wrong!r} is no card.", "Give a file, a name from the library, or a Card.")
        profile = Profile(self.settings, template=template or "", system=system or "")
        for one in given:
            profile = profile.with_card(*self.find_card(one))
        sampling = Presets(self.home.folder("presets")).get(preset).values if preset else {}
        profile = profile.changed(persona=self._persona(persona, profile), sampling=sampling)
        now = time.time()
        title = title or one_line(", ".join(profile.cast.names), 80)
        record = SessionRecord(new_id(), title, now, now, None, profile.stored(), False)
        self.store.create_session(record)
        session = self._open(record, Tree())
        session.greet()
        return session

    def load(self, key: str) -> Session:
        """Open a stored conversation by its id, the start of its id, or its exact title."""
        record = self.store.find_session(key)
        with self._lock:
            known = next((session for session in self._sessions if session.id == record.id), None)
        if known is not None:
            return known
        session = self._open(
            record, _with_partial_reply(Tree.build(self.store.messages(record.id), record.head))
        )
        for card_id in filter(None, session.profile.card_ids):
            self._refresh_card(session, card_id)
        return session

    def latest(self) -> Session | None:
        """Open the conversation that was changed last, or return None if there is none."""
        summaries = self.store.sessions()
        return self.load(summaries[0].id) if summaries else None

    def import_chats(self, path: str | os.PathLike[str], kind: str = "") -> Imports:
        """Read the chats in a file of another program, all or none; see `exchange.import_chats`."""
        return import_chats(self, path, kind)

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
        forget_state(states_folder(self.home.folder("cache")), session_id)
        if (backend := self.model.current) is not None:
            backend.forget(session_id)

    def restore(self, session_id: str) -> None:
        """Take a conversation out of the bin."""
        self.store.update_session(session_id, deleted=False)

    # -- characters ---------------------------------------------------------------------------------------------

    def find_card(self, card: str | Path | Card) -> tuple[Card, str]:
        """Return a card by value, file or name in the library, and its id there; the id is empty elsewhere."""
        if isinstance(card, Card):
            return card, ""
        path = Path(card).expanduser()
        if path.is_file() and path.resolve().parent != self.cards.folder.resolve():
            return read_card(path), ""
        try:
            entry = self.cards.find(card)
        except UsageError:
            if path.suffix and len(path.parts) > 1:
                return read_card(path), ""
            raise
        return self.cards.open(entry.id).card, entry.id

    def card_changed(self, card_id: str) -> None:
        """Let the open conversations with a card of the library see its present state; call it after an edit."""
        for session in list(self._sessions):
            if card_id in session.profile.card_ids:
                self._refresh_card(session, card_id)

    def _refresh_card(self, session: Session, card_id: str) -> None:
        try:
            card = self.cards.open(card_id).card
        except AirochatError:
            return  # the chat has a copy
        profile = session.profile.refreshed(card_id, card)
        if profile != session.profile:
            session.change_cast(profile)

    def _persona(self, persona: str | Persona | None, profile: Profile) -> Persona | None:
        if isinstance(persona, str):
            return self.personas.get(persona)
        if persona is not None:
            return persona
        return self.personas.for_card(profile.card_ids[0]) if profile.card_ids else self.personas.default

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
        self._tell_unloaded()
        self.plugins.close()
        self.embedding.close()
        self.model.close()
        self.store.close()

    def _open(self, record: SessionRecord, tree: Tree) -> Session:
        session = Session(self, record, tree)
        with self._lock:
            self._sessions.append(session)
        session.tell("on_session_opened")
        return session

    def _tell(self, event: ModelEvent) -> None:
        self._listeners.emit(event)
        if isinstance(event, ModelReady):
            info = event.info
            self._loaded = ModelFacts(info.name, info.fingerprint, info.n_ctx)
            self.plugins.notify("on_model_loaded", self.plugins.own_context, self._loaded)

    def _tell_unloaded(self) -> None:
        facts, self._loaded = self._loaded, None
        if facts is not None:
            self.plugins.notify("on_model_unloaded", self.plugins.own_context, facts)

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
    """Move the head onto the reply that was being written when the program was killed, if its turn was the newest."""
    newest: Message | None = next(reversed(tree.messages.values()), None)
    if newest is None or tree.head is None:
        return tree
    beside = (tree[one] for one in tree.siblings(newest.id))
    begun = [one.id for one in beside if one.state == "running" and one.created == newest.created]
    here = newest.parent in (tree.head, tree[tree.head].parent)
    return tree.move(begun[0]) if begun and here else tree


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
