"""Where llama.cpp's own messages go."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

_DEBUG, _ERROR, _CONTINUED = 1, 4, 5
"""ggml's log levels (ggml.h): debug, error, and more of the line before."""
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
    """Writes llama.cpp's messages to a descriptor and remembers what is needed of them.

    llama.cpp has one log for the whole process: the newest object gets it.
    """

    def __init__(self, descriptor: int) -> None:
        from llama_cpp import llama_cpp as bindings

        llama: Any = bindings
        self._descriptor = descriptor
        self._level = 0
        self.errors: list[str] = []
        """The newest messages of errors; the first of a failure is the most precise."""
        self.rotates_keys = False
        """Whether the newest cache has its keys rotated (``attn_rot_k``), as llama.cpp does with quantised ones."""
        self._callback = llama.llama_log_callback(self._write)
        llama.llama_log_set(self._callback, None)
        _alive[:] = [self]

    def _write(self, level: int, text: bytes, _data: object) -> None:
        if level != _CONTINUED:
            self._level = level
        if self._level <= _DEBUG:
            return
        if level == _ERROR:
            self.errors = [*self.errors[-9:], text.decode("utf-8", "replace").strip()]
        if b"attn_rot_k = " in text:
            self.rotates_keys = b"attn_rot_k = 1" in text
        with contextlib.suppress(OSError):  # a full disk is no reason to stop
            os.write(self._descriptor, text)


_alive: list[EngineLog] = []
"""Keeps the callback that llama.cpp holds a pointer to."""
