"""Which server an engine runs, by the first command that it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from airochat.backends.llama.embed_serve import EmbedServer
from airochat.backends.llama.serve import Server
from airochat.backends.llama.wire import Command, Message, OpenEmbedder, Opening


class AnyServer(Protocol):
    """What an engine runs; see `Server`."""

    def run(self) -> None:
        """Load the model and serve until `close`."""
        ...

    def handle(self, command: Command) -> None:
        """Take a command; returns at once."""
        ...

    def close(self) -> None:
        """Stop loading or computing soon; `run` then returns."""
        ...


def server_for(opening: Opening, send: Callable[[Message], None], log: int) -> AnyServer:
    """Return the server that an engine is to run; see `Server` for the arguments."""
    if isinstance(opening, OpenEmbedder):
        return EmbedServer(opening, send, log)
    return Server(opening, send, log)
