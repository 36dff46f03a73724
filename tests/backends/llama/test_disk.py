"""The cache of a conversation outlives the program, and no damaged file is ever taken for a good one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.base import CacheReport, Usage
from airochat.backends.llama import disk
from airochat.backends.llama.disk import MAGIC, read_state, write_state
from airochat.backends.states import DRAFT_SUFFIX, forget_state, state_file
from tests.backends.llama.support import (
    GREEDY,
    Heard,
    chat_context,
    listen,
    llama,
    request,
    server_of,
    text_tokens,
)
from tests.models import write_adapter, write_model, write_recurrent_model, write_window_model

ONE = GREEDY.replace(max_tokens=1)
PROMPT = text_tokens(1, 600)
CHAT = "a chat/with: a name"


class Program:
    """Opens the model, has a conversation, and closes it, each time anew."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.states, self.model, self._log = folder / "states", model, folder / "log"
        self.report = CacheReport()

    def run(
        self, prompt: tuple[int, ...] = PROMPT, chat: str = CHAT, engine: str = "thread", **options: Any
    ) -> Usage:
        """Serve one prompt and close the engine; return what it took."""
        backend = llama(self.model, engine, self._log, self.states, **options)
        try:
            heard: Heard = listen(backend, request(prompt, ONE, chat=chat))
            return heard.finished.usage
        finally:
            backend.close()

    @property
    def file(self) -> Path:
        return state_file(self.states, CHAT)

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.states.iterdir()} if self.states.exists() else set()


@pytest.fixture
def program(tmp_path: Path, spm_model: Path) -> Program:
    return Program(tmp_path, spm_model)


@pytest.mark.parametrize("engine", ["thread", "process"])
def test_a_conversation_is_gone_on_with_after_the_program_was_closed(program: Program, engine: str) -> None:
    assert program.run(engine=engine) == Usage(600, 0, 600, 1)
    assert program.names == {program.file.name}
    assert program.file.stat().st_mode & 0o077 == 0
    assert program.run(engine=engine) == Usage(600, 599, 1, 1, 0, 599)
    longer = (*PROMPT, *text_tokens(2, 20))
    assert program.run(longer, engine=engine) == Usage(620, 600, 20, 1, 0, 600)
    assert program.run(longer, engine=engine).evaluated == 1, "and the longer one was written"


@pytest.mark.parametrize("write", [write_recurrent_model, write_window_model])
def test_models_that_remember_in_other_ways(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    program = Program(tmp_path, write(tmp_path / "m.gguf"))
    program.run()
    assert program.run((*PROMPT, 9)) == Usage(601, 600, 1, 1, 0, 600)


def test_what_is_gone_on_with_is_what_a_new_engine_writes(program: Program, tmp_path: Path) -> None:
    program.run()
    texts = []
    for states in (program.states, None):
        backend = llama(program.model, "thread", tmp_path / "log", states)
        texts.append(listen(backend, request((*PROMPT, 9), GREEDY, chat=CHAT)).text)
        backend.close()
    assert texts[0] == texts[1] != ""


def test_only_long_conversations_with_a_name_are_written(program: Program) -> None:
    program.run(chat="")
    program.run(PROMPT[:100])
    assert program.names == set()


def test_each_conversation_has_its_file_and_the_oldest_go(program: Program) -> None:
    for number in range(5):
        program.run(text_tokens(number, 600), chat=f"chat {number}", cache_disk=1)
    kept = [number for number in range(5) if state_file(program.states, f"chat {number}").exists()]
    assert kept == [2, 3, 4]
    assert sum(path.stat().st_size for path in program.states.iterdir()) <= 1 << 20
    # Being used counts, not only being written.
    assert program.run(text_tokens(2, 600), chat="chat 2", cache_disk=1).evaluated == 1
    program.run(text_tokens(7, 600), chat="chat 7", cache_disk=1)
    assert state_file(program.states, "chat 2").exists()
    assert not state_file(program.states, "chat 3").exists()


@pytest.mark.parametrize("options", [{"cache_disk": 0}, {"cache_disk": 1, "type_k": "f32", "type_v": "f32"}])
def test_nothing_is_written_where_nothing_may_be_or_that_is_larger_than_all(
    program: Program, options: dict[str, Any]
) -> None:
    if options["cache_disk"]:
        options = {**options, "n_ctx": 2048}
        program.run(text_tokens(1, 1200), **options)
    else:
        program.run(**options)
    assert program.names == set()


def test_the_report_tells_of_the_files(program: Program, tmp_path: Path) -> None:
    program.run()
    backend = llama(program.model, "thread", tmp_path / "log", program.states)
    listen(backend, request(PROMPT, ONE, chat=CHAT))
    report = backend.cache_report()
    backend.close()
    assert (report.disk_files, report.disk_bytes) == (1, program.file.stat().st_size)
    assert report.disk_limit == 2048 << 20
    assert (report.requests, report.hits, report.restored, report.evaluated) == (1, 1, 599, 1)


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"n_ctx": 2048}, True),
        ({"n_seq_max": 2}, True),
        ({"n_batch": 64, "n_ubatch": 64}, True),
        ({"n_ctx": 512}, False),
        ({"type_k": "q8_0"}, False),
        ({"type_v": "f32"}, False),
        ({"flash_attn": "off"}, True),
        ({"flash_attn": "on"}, False),
        ({"rope_freq_base": 5000.0}, False),
        ({"kv_reuse": "exact"}, False),
        ({"lora": True}, False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_state_is_used_with_the_settings_that_it_was_made_with(
    program: Program, tmp_path: Path, options: dict[str, Any], used: bool, caplog: pytest.LogCaptureFixture
) -> None:
    program.run(PROMPT if options != {"n_ctx": 512} else text_tokens(1, 900))
    if "lora" in options:
        options = {"lora": ((str(write_adapter(tmp_path / "lora.gguf")), 1.0),)}
    prompt = PROMPT if options != {"n_ctx": 512} else PROMPT[:300]
    usage = program.run(prompt, **options)
    assert usage.evaluated == (1 if used else len(prompt))
    assert not caplog.records, "what does not fit is not tried"


def test_another_model_does_not_use_it(program: Program, tmp_path: Path) -> None:
    program.run()
    program.model = write_model(tmp_path / "other.gguf", seed=1)
    assert program.run() == Usage(600, 0, 600, 1)
    assert program.run().evaluated == 1, "what it had written itself"


def _nested(data: bytes) -> bytes:
    header = b"[" * 200_000
    return MAGIC + len(header).to_bytes(4, "little") + header


def _with_header(**changes: object) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        start = len(MAGIC) + 4
        end = start + int.from_bytes(data[len(MAGIC) : start], "little")
        header = json.dumps({**json.loads(data[start:end]), **changes}).encode()
        return MAGIC + len(header).to_bytes(4, "little") + header + data[end:]

    return change


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "cut in the header": lambda data: data[:20],
    "cut in the state": lambda data: data[: len(data) // 2],
    "one bit": lambda data: data[:-5000] + bytes([data[-5000] ^ 1]) + data[-4999:],
    "other magic": lambda data: b"x" + data[1:],
    "noise": lambda data: os.urandom(5000),
    "huge header": lambda data: MAGIC + b"\xff\xff\xff\xff" + data,
    "null header": lambda data: MAGIC + b"\x04\0\0\0" + b"null" + data,
    "nested header": _nested,
    "too many tokens": _with_header(tokens=10**30),
    "nothing": _with_header(tokens=0, bytes=0),
    "negative size": _with_header(bytes=-5),
    "true for a number": _with_header(tokens=True),
    "no key": _with_header(key=None),
    "a text for a number": _with_header(crc32="1"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_costs_time_and_nothing_else(
    program: Program, damage: Callable[[bytes], bytes]
) -> None:
    program.run()
    program.file.write_bytes(damage(program.file.read_bytes()))
    assert program.run() == Usage(600, 0, 600, 1)
    assert program.run().evaluated == 1, "it has been written anew"


KEY: dict[str, Any] = {"model": "m", "lora": [["x", 1.0]], "rope": 0.5}
TOKENS, STATE = tuple(range(40)), np.frombuffer(np.random.default_rng(1).bytes(500), np.uint8)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("states") / "one.kv"
    write_state(path, KEY, TOKENS, STATE)
    tokens, state = read_state(path, KEY)
    assert tokens == TOKENS
    assert state.tobytes() == STATE.tobytes()
    return path


@given(st.data())
def test_a_file_that_is_cut_anywhere_is_refused(container: Path, data: st.DataObject) -> None:
    whole = container.read_bytes()
    cut = container.with_name("cut.kv")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError):
        read_state(cut, KEY)


@given(st.data())
def test_a_file_with_other_bytes_is_refused_or_means_the_same(container: Path, data: st.DataObject) -> None:
    whole = bytearray(container.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
    changed = container.with_name("changed.kv")
    changed.write_bytes(whole)
    try:
        tokens, state = read_state(changed, KEY)
    except ValueError:
        return
    assert (tokens, state.tobytes()) == (TOKENS, STATE.tobytes())


@given(st.binary(max_size=200))
def test_anything_else_is_refused(container: Path, data: bytes) -> None:
    other = container.with_name("other.kv")
    for content in (data, MAGIC + data):
        other.write_bytes(content)
        with pytest.raises(ValueError):
            read_state(other, KEY)


def test_a_folder_that_cannot_be_is_no_obstacle(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    program.states.write_text("a file", encoding="utf-8")
    assert program.run().evaluated == 600
    assert program.run().evaluated == 600
    assert "not saved" in caplog.text


def test_a_file_that_cannot_be_replaced_is_no_obstacle(program: Program) -> None:
    (program.file / "inside").mkdir(parents=True)
    assert program.run().evaluated == 600
    assert program.names == {program.file.name}, "no draft is left"


def test_what_cannot_be_written_is_not_tried_over_and_over(program: Program, tmp_path: Path) -> None:
    program.states.write_text("a file", encoding="utf-8")
    backend = llama(program.model, "thread", tmp_path / "log", program.states)
    chat_context(backend)
    listen(backend, request(PROMPT, ONE, chat=CHAT))
    engine = server_of(backend)._engine
    assert engine is not None
    assert engine.unkept
    engine.keep()
    assert not engine.unkept
    backend.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from airochat.backends.llama import disk
from tests.backends.llama.test_disk import Program

disk.os.replace = lambda *_paths: os.kill(os.getpid(), signal.SIGKILL)
Program(Path(sys.argv[1]), Path(sys.argv[2])).run()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_an_engine_that_is_killed_while_it_writes_leaves_nothing_that_is_used(
    program: Program, tmp_path: Path
) -> None:
    program.run(PROMPT[:400])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(program.model)], capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    (draft,) = (path for path in program.states.iterdir() if path.suffix == DRAFT_SUFFIX)
    usage = program.run((*PROMPT[:400], 9))
    assert usage.evaluated == 1, "the file from before is whole"
    assert draft.exists(), "another engine may be writing it"
    old = time.time() - disk._DRAFT_S - 60
    os.utime(draft, (old, old))
    program.run((*PROMPT[:400], 9, 10))
    assert program.names == {program.file.name}


def test_a_conversation_that_is_deleted_takes_its_drafts_along(program: Program) -> None:
    program.run()
    program.run(chat="another")
    program.file.with_suffix(f".12345678{DRAFT_SUFFIX}").write_bytes(b"half")
    forget_state(program.states, CHAT)
    assert program.names == {state_file(program.states, "another").name}
    forget_state(program.states / "nowhere", CHAT)


def test_two_engines_at_once_leave_one_whole_file(program: Program, tmp_path: Path) -> None:
    backends = [llama(program.model, "thread", tmp_path / "log", program.states) for _ in range(2)]
    prompts = [PROMPT, (*PROMPT[:300], *text_tokens(8, 300))]
    for backend, prompt in zip(backends, prompts, strict=True):
        listen(backend, request(prompt, ONE, chat=CHAT))
    for backend in backends:
        backend.close()
    assert program.names == {program.file.name}
    assert program.run(prompts[1]).evaluated == 1


def test_another_conversation_is_brought_when_it_is_asked_for(program: Program, tmp_path: Path) -> None:
    other = text_tokens(5, 500)
    program.run()
    program.run(other, chat="other")
    backend = llama(program.model, "thread", tmp_path / "log", program.states)
    evaluated = [
        listen(backend, request(prompt, ONE, chat=chat)).finished.usage.evaluated
        for prompt, chat in ((PROMPT, CHAT), (other, "other"), (PROMPT, CHAT), (other, "other"))
    ]
    backend.close()
    assert evaluated == [1, 1, 1, 1]


def test_a_deleted_conversation_is_not_written_again(program: Program) -> None:
    program.run()
    assert program.names == {program.file.name}
    backend = llama(program.model, "thread", program.states.parent / "log", program.states)
    listen(backend, request((*PROMPT, *text_tokens(2, 20)), ONE, chat=CHAT))
    backend.forget(CHAT)
    assert not program.names, "at once"
    backend.close()
    assert not program.names
