"""The engine process: ``python -m airochat.backends.llama.child``, started by `airochat.backends.llama.process`.

Commands come as frames on standard input, messages go to what was standard output; standard error is the log.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from airochat.backends.llama.servers import AnyServer, server_for
from airochat.backends.llama.wire import LastWords, Message, read_frame, write_frame

ABORTED = 70
"""The exit status after an assert in llama.cpp failed."""
_LOG = 2


def main() -> None:
    """Serve one parent until it closes the pipe or ends; never returns."""
    inbox, outbox = _take_pipes()
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = threading.Lock()

    def send(message: Message) -> None:
        try:
            with lock:
                write_frame(outbox, message)
        except OSError:
            os._exit(0)

    server = server_for(read_frame(inbox), send, _LOG)
    threading.Thread(target=_work, args=(server, send), name="airochat-engine", daemon=True).start()
    try:
        while True:
            server.handle(read_frame(inbox))
    except EOFError:
        # There is nothing to save, and the engine may be deep in a computation: leave without asking it.
        os._exit(0)


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the pipes for ourselves, so that nothing that llama.cpp prints or reads can get between the frames."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(_LOG, 1)
    return inbox, outbox


def _work(server: AnyServer, send: Callable[[Message], None]) -> None:
    try:
        _keep.append(_catch_abort(send))
        server.run()
    except BaseException:  # an exit asked for by some import must not leave this process without its engine
        logging.exception("The engine failed")
        os._exit(1)
    os._exit(0)


def _catch_abort(send: Callable[[Message], None]) -> Any:
    """Have ggml's failed asserts told to the parent before the process ends; the callback must be kept."""
    try:
        from llama_cpp import llama_cpp as llama
    except ImportError:
        return None  # loading is going to say so

    def last_words(text: bytes) -> None:
        print(text.decode("utf-8", "replace"), file=sys.stderr, flush=True)
        threading.Timer(
            1.0, os._exit, [ABORTED]
        ).start()  # if the pipe's lock is held by the thread that failed
        send(LastWords(text.decode("utf-8", "replace")))
        os._exit(ABORTED)

    callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(last_words)
    register = llama._lib.ggml_set_abort_callback
    register.argtypes, register.restype = [type(callback)], ctypes.c_void_p
    register(callback)
    return callback


_keep: list[Any] = []

if __name__ == "__main__":
    main()
