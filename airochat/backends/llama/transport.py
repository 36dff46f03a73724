"""Where an engine runs: in a process of its own, or in a thread of this one."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

from airochat.backends.llama.log import open_log
from airochat.backends.llama.servers import AnyServer, server_for
from airochat.backends.llama.wire import Command, LastWords, Message, Opening, read_frame, write_frame
from airochat.errors import EngineDied

Deliver = Callable[[Message], None]
_GRACE_S = 2.0
"""How long a closed engine process may take to end before it is killed."""
_SPIN = "1000"
"""How often a thread of llama.cpp looks for the others before it sleeps (GNU OpenMP's ``GOMP_SPINCOUNT``).

By default it looks 300,000 times, so that as soon as another program needs one of the cores, all wait for it in turn:
measured, 1 to 10 tokens per second instead of 20 to 40. On an idle machine there is no difference.
"""


_NATIVE = {"GGML_NO_BACKTRACE": "1", "GOMP_SPINCOUNT": _SPIN}
"""What llama.cpp and its libraries read from the environment: no debugger is started on an abort."""


class Transport(Protocol):
    """One life of one engine."""

    @property
    def pid(self) -> int | None:
        """The process id of the engine, or None if it has no process."""
        ...

    def run(self, deliver: Deliver) -> None:
        """Start the engine and hand on its messages until it ends; `EngineDied` if nobody had asked for that."""
        ...

    def send(self, command: Command) -> None:
        """Give the engine a command; returns at once, and does nothing if the engine is gone."""
        ...

    def close(self) -> None:
        """End the engine, also while it is being started; `run` then returns."""
        ...

    def kill(self) -> None:
        """End an engine that hangs, as far as that can be done; returns at once."""
        ...


class ThreadTransport:
    """Runs the engine in the thread that calls `run`."""

    pid = None

    def __init__(self, opening: Opening, log: Path) -> None:
        self._opening, self._log = opening, log
        self._server: AnyServer | None = None
        self._closed = False
        self._lock = threading.Lock()

    def run(self, deliver: Deliver) -> None:
        """Load the model and serve until `close`."""
        for name, value in _NATIVE.items():
            os.environ.setdefault(name, value)
        with self._lock:
            if self._closed:
                return
            server = self._server = server_for(self._opening, deliver, _shared_log(self._log))
        server.run()

    def send(self, command: Command) -> None:
        """Give the engine a command."""
        if self._server is not None:
            self._server.handle(command)

    def close(self) -> None:
        """End the engine; `run` returns when its current step is done."""
        with self._lock:
            self._closed = True
            if self._server is not None:
                self._server.close()

    def kill(self) -> None:
        """Have the engine end once it goes on: a thread cannot be ended, so that its memory stays taken until then."""
        self.close()


class ProcessTransport:
    """Runs the engine in a child process that ends with this one."""

    def __init__(self, opening: Opening, log: Path) -> None:
        self._opening, self._log = opening, log
        self._outbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._last_words = ""

    @property
    def pid(self) -> int | None:
        """The process id of the engine, or None before it runs."""
        return self._process.pid if self._process else None

    def run(self, deliver: Deliver) -> None:
        """Start the process and hand on its messages until it ends."""
        process = self._start()
        if process is None:
            return
        writer = threading.Thread(
            target=self._write, args=(process.stdin,), name="airochat-to-engine", daemon=True
        )
        writer.start()
        try:
            self._read(process, deliver)
        finally:
            self._outbox.put(None)
            status = _reap(process)
            writer.join()
        if not self._closed and status != 0:
            raise EngineDied(*_explain(status, self._last_words, self._log))

    def send(self, command: Command) -> None:
        """Put a command into the queue; a thread writes it, since a pipe can be full."""
        self._outbox.put(command)

    def close(self) -> None:
        """Close the pipe, at which the child ends by itself; kill it if it does not."""
        with self._lock:
            self._closed = True
            process = self._process
        self._outbox.put(None)
        if process is not None:
            _reap(process)

    def kill(self) -> None:
        """Kill the process; `run` then raises."""
        if self._process is not None:
            self._process.kill()

    def _start(self) -> subprocess.Popen[bytes] | None:
        descriptor = open_log(self._log)
        try:
            with self._lock:
                if self._closed:
                    return None
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "airochat.backends.llama.child"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=descriptor,
                    cwd=_package_root(),
                    env=_environment(),
                    start_new_session=True,
                )
                return self._process
        except OSError as error:
            raise EngineDied(f"The engine process cannot be started: {error.strerror}.") from None
        finally:
            os.close(descriptor)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            write_frame(pipe, self._opening)
            while (command := self._outbox.get()) is not None:
                write_frame(pipe, command)
        except OSError:
            pass  # the engine is gone; the reading side says so
        finally:
            with contextlib.suppress(OSError):  # what was buffered for a process that is gone
                pipe.close()

    def _read(self, process: subprocess.Popen[bytes], deliver: Deliver) -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            while True:
                try:
                    message: Any = read_frame(pipe)
                except (EOFError, OSError):
                    return
                if isinstance(message, LastWords):
                    self._last_words = message.text
                else:
                    deliver(message)


@functools.cache
def _shared_log(path: Path) -> int:
    """Open a log once: llama.cpp may write to it as long as this process lives."""
    return open_log(path)


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that has closed its pipe, so that it leaves no zombie; return its status."""
    try:
        return process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _package_root() -> Path:
    return Path(__file__).resolve().parents[3]


def _environment() -> dict[str, str]:
    """Return the child's environment: it imports from where this process does, but never from the user's folder.

    A file such as ``random.py`` beside the user's texts must not be taken for a module.
    """
    here = {"", os.getcwd()}
    paths = [*(os.path.abspath(path) for path in sys.path if path not in here), str(_package_root())]
    return {**_NATIVE, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _explain(status: int, last_words: str, log: Path) -> tuple[str, str]:
    hint = f"Its log is {log}. Try a smaller n_ctx, fewer n_gpu_layers or a smaller model file."
    return f"The engine ended unexpectedly ({_cause(status, last_words)}).", hint


def _cause(status: int, last_words: str) -> str:
    from airochat.text import one_line

    if last_words:
        return f"llama.cpp says: {one_line(last_words, 200)}"
    match -status:
        case 9:
            return "killed by signal 9; the system may have run out of memory"
        case 4:
            return "killed by signal 4; llama-cpp-python was built for another processor"
        case signal if signal > 0:
            return f"killed by signal {signal}"
    return f"exit status {status}"
