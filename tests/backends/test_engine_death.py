"""The engine process dies at every bad moment, by a real SIGKILL: nothing else does."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airochat.backends.base import (
    Event,
    Failed,
    Finished,
    Loaded,
    LoadEvent,
    LoadFailed,
    Loading,
    PromptProgress,
    TextDelta,
)
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.wire import Command
from airochat.errors import ModelError
from airochat.sampling import Sampling
from tests.backends.llama.support import WAIT_S, LoadEvents, chat, listen, llama, request

LONG = Sampling(temperature=0, seed=1, max_tokens=600)
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watching a process needs pidfd_open")


@pytest.fixture
def backend(demo_model: Path, tmp_path: Path) -> Iterator[LlamaBackend]:
    one = llama(demo_model, "process", tmp_path / "engine.log")
    yield one
    one.close()


def kill(backend: LlamaBackend) -> int:
    pid = backend.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def gone(pid: int) -> bool:
    """Return whether a process has ended, waiting for it; a zombie has ended too."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], WAIT_S)[0])
    finally:
        os.close(descriptor)


def exists(pid: int) -> bool:
    """Return whether there still is an entry for a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def test_death_while_idle_is_told_and_the_next_request_works(backend: LlamaBackend) -> None:
    events = LoadEvents()
    backend.load(events)
    events.wait_for(Loaded)
    prompt = chat(backend, "Hello")
    pid = kill(backend)
    lost = events.wait_for(LoadFailed)
    assert isinstance(lost, LoadFailed)
    assert "signal 9" in lost.message
    assert "memory" in lost.message
    assert "n_ctx" in lost.hint
    assert not exists(pid)
    assert backend.info is None
    assert isinstance(listen(backend, request(prompt)).end, Finished)
    events.wait_for(Loaded)
    assert backend.pid not in (None, pid)


@pytest.mark.parametrize("moment", [PromptProgress, TextDelta])
def test_death_while_a_request_runs_ends_it_with_the_reason(backend: LlamaBackend, moment: type) -> None:
    backend.wait(WAIT_S)
    prompt = chat(backend, "story " * 300)
    killed: list[int] = []

    def on_event(event: Event) -> None:
        if isinstance(event, moment) and not killed:
            killed.append(kill(backend))

    heard = listen(backend, request(prompt, LONG), on_event)
    assert "signal 9" in heard.failed.message
    assert heard.failed.hint
    usage = heard.failed.usage
    assert usage.prompt == usage.reused + usage.evaluated == heard.progress[-1].done
    assert usage.generated == sum(delta.tokens for delta in heard.deltas)
    assert bool(heard.text) == (moment is TextDelta)
    assert not exists(killed[0])
    again = listen(backend, request(prompt, Sampling(temperature=0, max_tokens=3)))
    assert again.finished.usage.evaluated == len(prompt), "a new engine remembers nothing"


def test_a_waiting_request_is_told_too(backend: LlamaBackend) -> None:
    backend.wait(WAIT_S)
    running = backend.generate(request(chat(backend, "Tell me a story."), LONG))
    while not isinstance(next(running), TextDelta):
        pass
    ends: list[Event] = []
    waiting = threading.Thread(
        target=lambda: ends.extend(backend.generate(request(chat(backend, "And then?"))))
    )
    waiting.start()
    kill(backend)
    assert isinstance(list(running)[-1], Failed)
    waiting.join(WAIT_S)
    assert isinstance(ends[-1], Finished), "it had not begun, so the new engine serves it"


def test_a_request_that_a_dying_engine_never_saw_is_served_by_the_next(
    backend: LlamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.wait(WAIT_S)
    asked = request(chat(backend, "Hello"))
    pid = backend.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    given = threading.Event()
    life = backend._life
    assert life is not None
    send = life.transport.send

    def watched(command: Command) -> None:
        send(command)
        given.set()

    monkeypatch.setattr(life.transport, "send", watched)
    ends: list[Event] = []
    thread = threading.Thread(target=lambda: ends.extend(backend.generate(asked)))
    thread.start()
    assert given.wait(WAIT_S)
    kill(backend)
    thread.join(WAIT_S)
    assert isinstance(ends[-1], Finished)


def test_death_while_tokenising_is_not_noticed(backend: LlamaBackend) -> None:
    backend.wait(WAIT_S)
    assert backend.tokenizer is not None
    kill(backend)
    assert backend.tokenizer.encode(["Hello"], [False])[0]


def test_death_while_loading_fails_the_load_and_the_next_try_works(backend: LlamaBackend) -> None:
    killed: list[int] = []

    def on_load(event: LoadEvent) -> None:
        if isinstance(event, Loading) and backend.pid is not None and not killed:
            killed.append(kill(backend))

    backend.load(on_load)
    with pytest.raises(ModelError, match="signal 9"):
        backend.wait(WAIT_S)
    assert backend.wait(WAIT_S).n_vocab


def test_closing_leaves_no_process_and_no_thread(backend: LlamaBackend) -> None:
    before = threading.active_count()
    backend.wait(WAIT_S)
    pid = backend.pid
    assert pid is not None
    backend.close()
    assert not exists(pid)
    assert threading.active_count() == before


PARENT = """
import sys
from pathlib import Path
from airochat.backends.base import Request, TextDelta
from airochat.backends.llama.client import LlamaBackend
from airochat.sampling import Sampling
from airochat.settings import EngineOptions

backend = LlamaBackend(Path(sys.argv[1]), EngineOptions(n_ctx=1024, n_threads=1), Path(sys.argv[2]))
backend.wait()
assert "llama_cpp" not in sys.modules
print(backend.pid, flush=True)
for event in backend.generate(Request("1", (1, 2, 3), Sampling(seed=1, max_tokens=900))):
    if isinstance(event, TextDelta):
        print("text", flush=True)
"""


def test_the_engine_ends_when_its_parent_is_killed_in_the_middle_of_a_reply(
    demo_model: Path, tmp_path: Path
) -> None:
    # No `if __name__ == "__main__"` in it: the engine process must not run the user's script again.
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
    }
    with subprocess.Popen(
        [sys.executable, script, demo_model, tmp_path / "log"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "text\n"
        parent.kill()
        assert gone(pid)


def test_a_failed_assert_in_llama_cpp_is_quoted(tmp_path: Path) -> None:
    code = (
        "from airochat.backends.llama import child\n"
        "from llama_cpp import llama_cpp\n"
        "keep = child._catch_abort(lambda message: print(message.text, flush=True))\n"
        "llama_cpp._lib.ggml_abort(b'file.c', 7, b'out of memory')\n"
    )
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 70
    assert "out of memory" in done.stdout


def test_a_stopped_engine_process_cannot_hold_up_closing(backend: LlamaBackend) -> None:
    backend.wait(WAIT_S)
    pid = backend.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    backend.stop("unknown")
    backend.close()
    assert not exists(pid)


def test_an_interrupt_of_the_terminal_does_not_reach_the_engine(backend: LlamaBackend) -> None:
    backend.wait(WAIT_S)
    assert backend.pid is not None
    assert os.getpgid(backend.pid) != os.getpgid(0)
    os.kill(backend.pid, signal.SIGINT)
    assert listen(backend, request(chat(backend, "Hello"))).finished.usage.prompt
