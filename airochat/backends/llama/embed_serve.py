"""The side of an engine that tells the vectors of texts: loads its model and answers one call after the other."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TYPE_CHECKING

from airochat.backends.base import Loaded, Loading
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.answers import answered, load_failure
from airochat.backends.llama.wire import Cancelled, Command, Embed, Message, OpenEmbedder

if TYPE_CHECKING:
    from airochat.backends.llama.embed_model import EmbedModel


class EmbedServer:
    """Loads a model and embeds texts; `run`, `handle` and `close` as those of `Server`."""

    def __init__(self, opening: OpenEmbedder, send: Callable[[Message], None], log: int) -> None:
        self._opening, self._send, self._log = opening, send, log
        self._stop = StopFlag()
        self._closing = False
        self._calls: queue.SimpleQueue[Embed | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Load the model, then serve until `close`; returns early if loading fails."""
        try:
            model = self._load()
        except Exception as error:
            self._send(load_failure(error))
            return
        try:
            self._send(Loaded(model.info))
            while (call := self._calls.get()) is not None and not self._closing:
                texts = call.texts
                self._send(answered(call.call, lambda texts=texts: model.embed(texts)))  # type: ignore[misc]
        finally:
            model.close()

    def handle(self, command: Command) -> None:
        """Take a call; everything else is ignored."""
        if isinstance(command, Embed):
            self._calls.put(command)

    def close(self) -> None:
        """Stop loading or computing soon; `run` then returns."""
        self._closing = True
        self._stop.set()
        self._calls.put(None)

    def _load(self) -> EmbedModel:
        self._send(Loading(0.0, "starting llama.cpp"))
        from airochat.backends.llama.embed_model import EmbedModel
        from airochat.backends.llama.log import EngineLog

        model = EmbedModel(
            self._opening.path, self._opening.options, EngineLog(self._log), self._stop, self._goes_on
        )
        if self._closing:
            model.close()
            raise Cancelled
        return model

    def _goes_on(self) -> bool:
        return not self._closing
