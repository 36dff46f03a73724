"""The model of a session manager: its backend, its loading, and the template chosen for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from airochat.backends import OpenBackend, create_backend, offered_name
from airochat.backends.base import Backend, Loaded, LoadEvent, LoadFailed, Loading, ModelInfo
from airochat.errors import AirochatError, ModelError
from airochat.hooks import PluginHost
from airochat.paths import Home
from airochat.prompt import count_tokens
from airochat.session.events import ModelEvent, ModelFailed, ModelLoading, ModelReady
from airochat.settings import Settings
from airochat.templates import OWN, Choice, Templates, choose

_NO_MODEL = ModelError(
    "No model is configured.",
    "Give one with --model: a GGUF file, a name from `airochat models list`, `demo`, or `remote:ADDRESS`.",
)


_log = logging.getLogger(__name__)


class CurrentModel:
    """Holds the backend that all sessions of a manager use, and exchanges it on request.

    ``emit`` receives a `ModelEvent` whenever something changes, on the thread where it happens.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        templates: Templates,
        emit: Callable[[ModelEvent], None],
        plugins: PluginHost | None = None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._templates = templates
        self._emit = emit
        self._plugins = plugins
        self._lock = threading.RLock()
        self._backend: Backend | None = None
        self._started = False
        self._choices: dict[tuple[str, str], Choice] = {}
        self.ref = settings.model
        """The name by which the model was asked for; empty if none is configured."""
        self.state: ModelEvent | None = None
        """The newest event."""

    def start(self) -> None:
        """Begin loading, unless that has been done; a wrong model name becomes a `ModelFailed` event."""
        with self._lock:
            if self._started or not self.ref:
                return
            self._started = True
            try:
                backend = self._open()
            except AirochatError as error:
                self._publish(ModelFailed(error.message, error.hint))
                self._started = False
                return
        backend.load(lambda event: self._on_load(backend, event))

    def use(self, ref: str) -> None:
        """Exchange the model: close the old one's backend and begin loading the new one.

        A name that means nothing is a `ModelError`, and the old model stays.
        """
        backend = self._create(ref)
        with self._lock:
            old, self._backend = self._backend, backend
            self.ref, self._started, self.state = ref, False, None
        if old is not None:
            old.close()
        self.start()

    def attach(self, backend: Backend) -> None:
        """Use a backend that somebody else made, in place of one made by name."""
        with self._lock:
            self._backend, self.ref = backend, type(backend).__name__

    def backend(self) -> Backend:
        """Return the backend, made if need be; raises `ModelError` if no model is configured or its name is wrong."""
        with self._lock:
            if not self.ref:
                raise _NO_MODEL
            self.start()
            return self._backend or self._open()

    def wait(self, timeout: float | None = None) -> ModelInfo:
        """Block until the model is ready; raises `ModelError` or `TimeoutError`."""
        info = self.backend().wait(timeout)
        if not isinstance(self.state, ModelReady):
            # The event that says so is on its way from the engine's thread.
            self.state = self._readiness(info)
        return info

    @property
    def current(self) -> Backend | None:
        """The backend in use, or None before one is made."""
        return self._backend

    @property
    def n_ctx(self) -> int:
        """Tokens that the context of the loaded model holds; 0 if none is loaded, or it does not tell."""
        info = self._backend.info if self._backend else None
        return info.n_ctx if info else 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes in the loaded model; estimates if none is loaded."""
        backend = self._backend
        tokenizer = backend.tokenizer if backend is not None and backend.info is not None else None
        return count_tokens(texts, tokenizer)

    def choose(self, template: str, info: ModelInfo | None) -> Choice:
        """Return the template of this name, or if it is empty the one that fits the model."""
        if info is None:
            return choose(template, self.ref, None, None, self._templates)
        key = template, info.fingerprint
        if key not in self._choices:
            # Trying the model's own template costs milliseconds, which a turn need not pay again.
            found = choose(template, info.path or info.name, info.metadata, info.vocabulary, self._templates)
            self._choices[key] = found
        return self._choices[key]

    def check_template(self, name: str) -> None:
        """Raise `TemplateError` unless there is a template of this name; an empty one lets the model decide."""
        if name and name != OWN:
            self._templates.get(name)

    def close(self) -> None:
        """Stop the engine and free the model."""
        with self._lock:
            backend, self._backend = self._backend, None
            self._started = True
        if backend is not None:
            backend.close()

    def _open(self) -> Backend:
        if self._backend is None:
            self._backend = self._create(self.ref)
        return self._backend

    def _create(self, ref: str) -> Backend:
        # Plugins are loaded only for a name that may mean one of theirs.
        wanted = offered_name(ref) and self._plugins is not None
        return create_backend(ref, self._settings, self._home, self._offers() if wanted else {})

    def _offers(self) -> dict[str, OpenBackend]:
        """Return what opens the backends of plugins, by name; each call into a plugin is isolated."""
        plugins = self._plugins
        if plugins is None:
            return {}

        def opener(name: str, owner: str, offer: Any) -> OpenBackend:
            return lambda rest, options: plugins.use(
                owner, f"in the backend {name}", lambda: offer.open(rest, options)
            )

        offered = plugins.offered("register_backends")
        return {name: opener(name, owner, offer) for name, (owner, offer) in offered.items()}

    def _on_load(self, backend: Backend, event: LoadEvent) -> None:
        if backend is not self._backend:
            return
        match event:
            case Loading(fraction, stage):
                self._publish(ModelLoading(fraction, stage))
            case LoadFailed(message, hint):
                self._publish(ModelFailed(message, hint))
            case Loaded(info):
                self._publish(self._readiness(info))

    def _readiness(self, info: ModelInfo) -> ModelEvent:
        try:
            choice = self.choose(self._settings.template, info)
        except AirochatError as error:
            return ModelFailed(error.message, error.hint)
        except Exception as error:  # else a front end would wait for ever
            _log.exception("Choosing a template failed")
            reason = f"{type(error).__name__}: {error}"
            return ModelFailed(f"No template could be chosen: {reason}.", "Choose one with --template.")
        return ModelReady(info, choice.template.name, choice.reasons, choice.doubts)

    def _publish(self, event: ModelEvent) -> None:
        self.state = event
        self._emit(event)
