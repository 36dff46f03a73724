from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airochat.backends.remote.client import RemoteBackend
from tests.backends.remote.server import LoopbackServer, models


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A server with one model whose completions the test fills in."""
    server = LoopbackServer()
    server.script.routes["/v1/models"] = models("tiny")
    yield server
    server.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., RemoteBackend]]:
    """Make backends that are closed at the end."""
    made: list[RemoteBackend] = []

    def connect(address: str, n_ctx: int = 0) -> RemoteBackend:
        made.append(RemoteBackend(address, n_ctx))
        return made[-1]

    yield connect
    for backend in made:
        backend.close()


@pytest.fixture(scope="module")
def real_server(demo_model: Path) -> Iterator[str]:
    """The address of llama-cpp-python's own server with the demo model."""
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(demo_model), "--n_ctx", "2048"]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    lines = []
    running = None
    for line in process.stdout:
        lines.append(line)
        running = re.search(r"running on http://([\d.:]+)", line)
        if running:
            break
    assert running, "".join(lines[-20:])
    reader = threading.Thread(target=process.stdout.read)
    reader.start()
    yield running[1]
    process.terminate()
    process.wait(30)
    reader.join()
    process.stdout.close()
