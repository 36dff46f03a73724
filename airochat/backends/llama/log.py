"""Where llama.cpp's own messages go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_DEBUG, _ERROR = 4, 3
_MAX_BYTES = 2_000_000
"""A log larger than this is set aside when an engine starts."""


def open_log(path: Path) -> int:
    """Open a log file for appending and return its descriptor; the null device if it cannot be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _MAX_BYTES:
            os.replace(path, path.with_suffix(".old"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


class EngineLog:
    """Writes llama.cpp's messages to a descriptor and remembers the last error.

    llama.cpp has one log for the whole process: the newest object gets it.
    """

    def __init__(self, descriptor: int) -> None:
        from llama_cpp import llama_cpp as bindings

        llama: Any = bindings
        self._descriptor = descriptor
        self._last_level = 0
        self.last_error = ""
        self._callback = llama.llama_log_callback(self._write)
        llama.llama_log_set(self._callback, None)
        _alive.append(self)
        del _alive[:-1]

    def _write(self, level: int, text: bytes, _data: object) -> None:
        if level <= _DEBUG:
            self._last_level = level
        if self._last_level == _DEBUG:
            return
        os.write(self._descriptor, text)
        if level == _ERROR:
            self.last_error = text.decode("utf-8", "replace").strip()


_alive: list[EngineLog] = []
"""Keeps the callback that llama.cpp holds a pointer to."""
