"""What is said between a `LlamaBackend` and its engine, and how it goes through a pipe."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from airochat.backends.base import Event, LoadEvent, Request
from airochat.errors import AirochatError
from airochat.settings import EngineOptions
from airochat.text import one_line

_LENGTH = struct.Struct(">I")


class Cancelled(Exception):
    """Loading was stopped by request."""


@dataclass(frozen=True, slots=True)
class Open:
    """The first command to an engine: which model to load, and how."""

    path: Path
    options: EngineOptions
    states: Path | None = None
    """Where saved states of conversations are kept; None keeps none."""


@dataclass(frozen=True, slots=True)
class OpenEmbedder:
    """The first command to an engine that tells the vectors of texts: which model to load, and how."""

    path: Path
    options: EngineOptions


@dataclass(frozen=True, slots=True)
class Generate:
    """Serve a request after those before it; its events carry ``run``."""

    run: int
    request: Request


@dataclass(frozen=True, slots=True)
class Stop:
    """End a run, whether it waits or is being served; a run that is over is ignored."""

    run: int


@dataclass(frozen=True, slots=True)
class Encode:
    """Tokenise texts as `Tokenizer.encode` does."""

    call: int
    texts: tuple[str, ...]
    continued: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Give the bytes of tokens as `Tokenizer.pieces` does."""

    call: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Tell how likely the tokens of a reply were, after the requests before it; see `Backend.score`."""

    call: int
    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    top: int


@dataclass(frozen=True, slots=True)
class Report:
    """Tell what is kept in caches; answered at once."""

    call: int


@dataclass(frozen=True, slots=True)
class Foresee:
    """Tell what reading a prompt would take now; answered at once."""

    call: int
    prompt: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """Write the cache of the conversation to the disk, after the requests before it."""

    call: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Keep nothing of a conversation on the disk, now and later."""

    chat: str


@dataclass(frozen=True, slots=True)
class Embed:
    """Give the vector of each text as the bytes of its 32-bit floats, after the calls before it."""

    call: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The value that a call asked for, or why there is none."""

    call: int
    value: Any = None
    error: AirochatError | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a run."""

    run: int
    event: Event


@dataclass(frozen=True, slots=True)
class LastWords:
    """What llama.cpp said right before it ended the engine."""

    text: str


Call = Encode | Pieces | Score | Report | Foresee | Keep | Embed
Opening = Open | OpenEmbedder
Command = Generate | Stop | Forget | Call
Message = LoadEvent | Answer | Happened | LastWords


def portable(request: Request) -> tuple[Request, tuple[str, ...]]:
    """Return a request that goes through a pipe, and sentences about logits processors that do not."""
    processors, notes = [], []
    for processor in request.processors:
        try:
            options = json.loads(json.dumps(processor.options, default=_table))
        except (TypeError, ValueError, RecursionError):
            name = one_line(processor.name)
            notes.append(
                f"The logits processor {name!r} is left out of this reply: its options are not JSON."
            )
        else:
            processors.append(replace(processor, options=options))
    if not request.processors:
        return request, ()
    return replace(request, processors=tuple(processors)), tuple(notes)


def _table(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def write_frame(stream: IO[bytes], value: object) -> None:
    """Write one value and flush; `OSError` if the other side is gone."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any:
    """Read one value; `EOFError` if the other side is gone, also in the middle of a value."""
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return pickle.loads(_read(stream, length))


def _read(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
