"""What would end the process in llama.cpp is refused before it gets there, with words, and the engine lives on."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airochat.backends.base import Failed, Usage
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.context import OK, Context
from airochat.backends.llama.engine import Engine
from airochat.errors import BackendError, ModelError, SettingsError
from airochat.sampling import FORBIDDEN, Sampling
from airochat.settings import EngineOptions
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import (
    GREEDY,
    WAIT_S,
    bare_engine,
    listen,
    llama,
    read,
    request,
    text_tokens,
)
from tests.models import spm_tokens, write_model

ONE = GREEDY.replace(max_tokens=1)
PROMPT = text_tokens(1, 100)


@pytest.fixture(scope="module")
def alive(spm_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    """An engine in a process of its own, which has to outlive all tests of this module that use it."""
    backend = llama(spm_model, "process", tmp_path_factory.mktemp("logs") / "log", n_ctx=512)
    backend.wait(WAIT_S)
    pid = backend.pid
    yield backend
    assert backend.pid == pid
    backend.close()


@pytest.fixture
def engine(spm_model: Path) -> Iterator[Engine]:
    one = bare_engine(spm_model, n_ctx=512)
    yield one
    one.close()


@pytest.fixture
def context(engine: Engine) -> Context:
    return engine._model.context


VOCABULARY = len(spm_tokens())


@pytest.mark.parametrize(
    "changes",
    [
        {"grammar": 'root ::= "a"', "logit_bias": [[token, FORBIDDEN] for token in range(VOCABULARY)]},
        {"logit_bias": [[token, FORBIDDEN] for token in range(VOCABULARY)]},
        {"logit_bias": [[token, FORBIDDEN] for token in range(VOCABULARY)], "banned": ["a"]},
        {"grammar": 'root ::= "é🦙" root2\nroot2 ::= "z"', "top_k": 1},
        {"grammar": 'root ::= "x"', "top_p": 1e-6, "min_p": 1.0, "top_k": 1, "temperature": 1.0},
        {"grammar": "root ::= root"},
        {"grammar": 'start ::= "a"'},
        {"grammar": "root ::= [unclosed"},
        {"json_schema": '{"type": "nonsense"}'},
        {"json_schema": '{"$ref": "https://nowhere.invalid/x"}'},
        {"logit_bias": [[VOCABULARY, 1.0]]},
        {"adaptive_target": 0.2, "banned": ["a", "e", "/[aeiou]/", "the"], "temperature": 1.0},
        {"mirostat": 2, "mirostat_tau": 0.0, "temperature": 1.0},
        {"dry_multiplier": 1.0, "dry_sequence_breakers": ["", "\0", "é" * 200], "dry_penalty_last_n": -1},
        {"repeat_last_n": -1, "repeat_penalty": 1.3, "max_tokens": 10**6},
        {"temperature": 1e-30},
        {"temperature": 100.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "xtc_probability": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 3])
def test_every_request_ends_and_the_engine_lives(
    alive: LlamaBackend, changes: dict[str, Any], n: int
) -> None:
    try:
        sampling = GREEDY.replace(**{"max_tokens": 12, **changes})
    except SettingsError:
        return
    heard = listen(alive, request(PROMPT, sampling, n=n))
    assert heard.end is not None
    if isinstance(heard.end, Failed):
        assert heard.end.message.endswith(".")
    else:
        assert heard.finished.usage.prompt == len(PROMPT)
    assert listen(alive, request(PROMPT, ONE)).finished.usage.generated == 1


@pytest.mark.parametrize(
    "prompt", [(), (-1,), (VOCABULARY,), (2**31,), (5,) * 512, (5,) * 100_000], ids=lambda prompt: len(prompt)
)
@pytest.mark.parametrize("purpose", ["reply", "prepare", "background"])
def test_an_impossible_prompt_is_refused(alive: LlamaBackend, prompt: tuple[int, ...], purpose: Any) -> None:
    failed = listen(alive, request(prompt, ONE, purpose=purpose)).failed
    assert failed.message.endswith(".")
    assert failed.usage == Usage()


def test_a_request_that_is_refused_counts_no_tokens(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    listen(backend, request(PROMPT, ONE))
    before = backend.cache_report()
    listen(backend, request((-1,), ONE))
    after = backend.cache_report()
    assert (before.requests, after.requests) == (1, 2)
    assert before.evaluated == after.evaluated == len(PROMPT)


@pytest.mark.parametrize("n", [0, 100])
def test_any_number_of_replies(alive: LlamaBackend, n: int) -> None:
    heard = listen(alive, request(PROMPT[:20], GREEDY.replace(max_tokens=2), n=n))
    assert len(heard.others) == n
    assert listen(alive, request(PROMPT, ONE)).finished.usage.generated == 1


def test_every_token_of_the_vocabulary_can_be_read(alive: LlamaBackend) -> None:
    for start in range(0, VOCABULARY, 200):
        prompt = tuple(range(start, min(start + 200, VOCABULARY)))
        assert listen(alive, request(prompt, ONE)).finished.usage.prompt == len(prompt)


@pytest.mark.parametrize("lane", [-1, 9, 255, 256, 10**6])
def test_a_lane_that_is_none_is_refused(context: Context, lane: int) -> None:
    state = np.zeros(100, np.uint8)
    for call in (
        lambda: context.cut(lane, 0),
        lambda: context.share(0, lane),
        lambda: context.share(lane, 0),
        lambda: context.shift(lane, 0, 1, 1),
        lambda: context.end(lane),
        lambda: context.save(lane),
        lambda: context.restore(lane, state),
        lambda: context.state_size(lane),
    ):
        with pytest.raises(BackendError, match="lane"):
            call()


def test_a_batch_that_is_too_large_is_refused(context: Context) -> None:
    batch = Batch(2048, context.limits.lanes)
    with pytest.raises(BackendError, match="too large"):
        context.compute(batch.fill([5] * (context.limits.n_batch + 1), 0))
    with pytest.raises(BackendError, match="too large"):
        context.compute(batch.fill([5] * 100, 0, outputs=context.limits.outputs + 1))
    most = context.limits.outputs
    assert context.compute(batch.fill([5] * 100, 0, outputs=most)) == OK


def test_a_state_that_is_none_leaves_an_empty_lane(engine: Engine, context: Context) -> None:
    read(engine._cache, PROMPT)
    state = context.save(0)
    assert state is not None
    assert context.save(1) is None, "llama.cpp would take it back without emptying the lane"
    chance = np.random.default_rng(1)
    for damaged in (state[:-1], state[:16], state[:0], chance.integers(0, 255, 5000).astype(np.uint8)):
        assert context.restore(1, state)
        assert context.end(1) == len(PROMPT)
        assert not context.restore(1, damaged.copy())
        assert context.end(1) == 0
    assert context.end(0) == len(PROMPT)


def test_a_cache_that_llama_cpp_cannot_rotate_is_not_moved(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model, type_k="bf16", type_v="bf16")
    head, note, tail = text_tokens(1, 60), text_tokens(2, 30), text_tokens(3, 80)
    listen(backend, request((*head, *tail), ONE))
    usage = listen(backend, request((*head, *note, *tail), ONE)).finished.usage
    assert (usage.moved, usage.evaluated) == (0, 110)
    report = backend.cache_report()
    assert report.mode == "exact"
    assert "bf16" in report.notes[0]


@pytest.mark.parametrize(
    ("head_size", "types", "moves"),
    [
        (64, ("q8_0", "q8_0"), True),
        (64, ("q4_0", "q4_0"), True),
        (32, ("f32", "f32"), True),
        (32, ("f16", "q8_0"), True),
        (32, ("q8_0", "q8_0"), False),
        (32, ("q4_0", "f16"), False),
    ],
)
def test_other_types_of_cache_are_moved_where_llama_cpp_survives_it(
    open_model: Open, tmp_path: Path, head_size: int, types: tuple[str, str], moves: bool
) -> None:
    """It crashes when quantised keys are moved that it does not rotate, which depends on the size of a head."""
    path = write_model(tmp_path / "m.gguf", head_size=head_size)
    backend = open_model(path, type_k=types[0], type_v=types[1])
    head, note, tail = text_tokens(1, 60), text_tokens(2, 30), text_tokens(3, 80)
    listen(backend, request((*head, *tail), ONE))
    assert listen(backend, request((*head, *note, *tail), ONE)).finished.usage.moved == 79 * moves
    report = backend.cache_report()
    assert report.mode == ("shift" if moves else "exact")
    assert bool(report.notes) == (not moves)
    usage = listen(backend, request((*head, *tail), ONE)).finished.usage
    assert (usage.restored, usage.evaluated) == (79, 1)


def test_the_smallest_context_works(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model, n_ctx=64)
    assert backend.wait().n_ctx == 64
    usage = listen(backend, request(PROMPT[:60], GREEDY.replace(max_tokens=50), n=3)).finished.usage
    assert usage.generated == 15
    assert listen(backend, request(PROMPT[:64], ONE)).failed.hint
    with pytest.raises(SettingsError):
        EngineOptions(n_ctx=63)


def test_a_context_beyond_all_memory_is_refused_with_words(demo_model: Path, tmp_path: Path) -> None:
    backend = llama(demo_model, "process", tmp_path / "log", n_ctx=10_000_000)
    try:
        with pytest.raises(ModelError) as refusal:
            backend.wait(WAIT_S)
        assert "memory" in refusal.value.message
        assert refusal.value.hint
    finally:
        backend.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL, and to remove a file that is open")
def test_a_model_file_that_goes_away_is_missed_at_the_next_start_only(
    spm_model: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(spm_model, tmp_path / "gone.gguf"))
    backend = llama(path, "process", tmp_path / "log")
    try:
        backend.wait(WAIT_S)
        path.unlink()
        assert listen(backend, request(PROMPT, GREEDY)).finished.usage.generated == GREEDY.max_tokens
        assert listen(backend, request(PROMPT, GREEDY, purpose="background")).finished.usage.generated
        assert backend.pid is not None
        os.kill(backend.pid, signal.SIGKILL)
        messages = [listen(backend, request(PROMPT, GREEDY)).failed.message for _ in range(2)]
        assert "gone.gguf" in messages[-1]
        shutil.copy(spm_model, path)
        assert listen(backend, request(PROMPT, ONE)).finished.usage.generated == 1
    finally:
        backend.close()


def test_a_broken_computation_is_told_and_nothing_of_it_stays(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", broken="all"))
    for purpose in ("reply", "background", "reply", "background"):
        failed = listen(backend, request(PROMPT, Sampling(seed=1), purpose=purpose)).failed
        assert "NaN" in failed.message
        assert failed.usage == Usage(100, 0, 100, 0)
    assert backend.cache_report().tokens == 0


def test_a_stop_while_it_must_not_be_heard_is_heard_afterwards() -> None:
    flag = StopFlag()
    with flag.held():
        flag.set()
        assert flag
        assert flag._text.raw[:1] == b"\0", "what is computed goes on"
    assert flag._text.raw[:1] == b"\1"
    with flag.held():
        assert flag._text.raw[:1] == b"\0", "also one that came before"
    assert flag._text.raw[:1] == b"\1"
    with flag.held():
        flag.clear()
    assert not flag
    assert flag._text.raw[:1] == b"\0"
