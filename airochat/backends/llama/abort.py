"""The flag that stops llama.cpp in the middle of a computation."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopFlag:
    """A flag that llama.cpp itself reads after every node of its graph.

    The abort callback is libc's ``strlen`` over a text of one character or none: a Python callback would take the
    interpreter lock some hundred times for each token.
    """

    def __init__(self) -> None:
        self._text = (ctypes.c_char * 2)(b"\0", b"\0")
        self._lock = threading.Lock()
        self._wanted = False
        self._held = False
        self.data = ctypes.addressof(self._text)
        """What the callback reads; valid as long as this object lives."""

    def set(self) -> None:
        """Stop what is computed now, and everything until `clear`."""
        with self._lock:
            self._wanted = True
            if not self._held:
                self._text[0] = b"\1"

    def clear(self) -> None:
        """Let computations run again."""
        with self._lock:
            self._wanted = False
            self._text[0] = b"\0"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a computation from being stopped; who asks for it meanwhile is heard right after it."""
        with self._lock:
            self._held = True
            self._text[0] = b"\0"
        try:
            yield
        finally:
            with self._lock:
                self._held = False
                if self._wanted:
                    self._text[0] = b"\1"

    def __bool__(self) -> bool:
        return self._wanted


@functools.cache
def callback_address() -> int:
    """Return the address of ``strlen``, which serves as ``bool (*)(void *data)``."""
    libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
    return ctypes.cast(libc.strlen, ctypes.c_void_p).value or 0
