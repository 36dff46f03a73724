"""Three ways to call the command line: inside this process, as a program on pipes, and in a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from airochat.cli import root

Cli = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[bytes]"]
InTerminal = Callable[..., "Terminal"]
START = (sys.executable, "-m", "airochat")
PATIENCE = 100.0
"""Seconds of silence after which a program in a terminal is taken to be stuck."""

# Ctrl-C reaches a program only in the terminal that controls it.
_IN_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "airochat", *sys.argv[1:]])
"""


@pytest.fixture
def home() -> Path:
    return Path(os.environ["AIROCHAT_HOME"])


@pytest.fixture
def cli() -> Cli:
    """Call the command line in this process; errors other than an exit code are raised here."""

    def call(*arguments: str, **options: Any) -> Result:
        result = CliRunner().invoke(root, arguments, prog_name="airochat", **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def program() -> Program:
    """Start the program and wait for its end; stdin, stdout and stderr are bytes."""

    def call(
        *arguments: str | bytes, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*START, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
            env={**os.environ, **environment},
        )

    return call


class Terminal:
    """The program in a pseudo-terminal of its own, as a person would start it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.screen = ""
        self._unseen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_ITS_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", **environment},
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        """Type some keys."""
        os.write(self._ours, keys.encode())

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C until ``text`` appears.

        Python's readline takes a signal that comes just before it begins to wait only with the next one.
        """
        for _ in range(int(PATIENCE)):
            self.type("\x03")
            if select.select([self._ours], [], [], 1)[0]:
                break
        self.wait_for(text)

    def wait_for(self, text: str) -> None:
        """Read until ``text`` has appeared after what the last such wait was for."""
        while text not in self._unseen:
            new = self._read()
            assert new, f"{text!r} never appeared in {self.screen!r}"
            self._unseen += new
        self._unseen = self._unseen.partition(text)[2]

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self.process.wait()

    def close(self) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> str:
        assert select.select([self._ours], [], [], PATIENCE)[0], f"it is stuck after {self.screen!r}"
        try:
            text = os.read(self._ours, 4096).decode(errors="replace")
        except OSError:  # Linux reports the end of the other side like this.
            text = ""
        self.screen += text
        return text


@pytest.fixture
def terminal() -> Iterator[InTerminal]:
    """Start the program in a terminal; it is ended after the test."""
    started: list[Terminal] = []

    def start(*arguments: str, **environment: str) -> Terminal:
        started.append(Terminal(*arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        one.close()
