"""How likely the tokens of a reply were, against llama.cpp called by its own high-level interface."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from airochat.backends.base import Scored
from airochat.backends.llama.client import LlamaBackend
from airochat.errors import AirochatError, BackendError
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import (
    GREEDY,
    WAIT_S,
    Asked,
    Gate,
    aside_context,
    chat,
    chat_context,
    listen,
    request,
    server_of,
    text_tokens,
)
from tests.models import write_model, write_recurrent_model, write_window_model

PROMPT, REPLY = text_tokens(1, 120), text_tokens(2, 40)
ONE = GREEDY.replace(max_tokens=1)


def expected(
    path: Path, tokens: tuple[int, ...], start: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the probabilities of all tokens, for every token from number ``start`` on."""
    model = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False)
    try:
        model.eval(list(tokens))
        logits = model.scores[start - 1 : len(tokens) - 1].astype(np.float64)
    finally:
        model.close()
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = weights / weights.sum(axis=1, keepdims=True)
    return found


def check(
    path: Path,
    scored: list[Scored],
    prompt: tuple[int, ...],
    reply: tuple[int, ...],
    near: float,
    off: float = 1e-4,
) -> None:
    probabilities = expected(path, prompt + reply, len(prompt))
    assert [one.token for one in scored] == list(reply)
    for one, row in zip(scored, probabilities, strict=True):
        assert one.probability == pytest.approx(row[one.token], rel=near, abs=off)
        for other in one.others:
            assert other.probability == pytest.approx(row[other.token], rel=near, abs=off)
        told = [other.probability for other in one.others]
        assert told == sorted(told, reverse=True)
        assert sum(told) <= 1 + 1e-6
        assert min(told) >= np.sort(row)[-len(told)] * (1 - near) - off, "no likelier one is left out"
        assert len({other.token for other in one.others}) == len(told)


@pytest.mark.parametrize("top", [1, 10, 100])
def test_probabilities_are_those_of_llama_cpp(open_model: Open, spm_model: Path, top: int) -> None:
    backend = open_model(spm_model)
    scored = backend.score(PROMPT, REPLY, top)
    check(spm_model, scored, PROMPT, REPLY, 0.01)
    assert {len(one.others) for one in scored} == {top}


def test_probabilities_of_a_real_model(open_model: Open, demo_model: Path) -> None:
    backend = open_model(demo_model, n_ctx=512)
    backend.wait(WAIT_S)
    prompt = chat(backend, "What is the capital of France?")
    reply = listen(backend, request(prompt, GREEDY.replace(max_tokens=8))).finished.tokens
    scored = backend.score(prompt, reply)
    check(demo_model, scored, prompt, reply, 0.2, 0.05)  # batches of other sizes round otherwise
    assert backend.tokenizer is not None
    assert [one.piece for one in scored] == backend.tokenizer.pieces(reply)
    # What is the likeliest is what was taken, but where two are as likely.
    assert all(one.probability > 0.9 * one.others[0].probability for one in scored)


@pytest.mark.parametrize("top", [0, -3, 10**6])
def test_any_number_of_others_may_be_asked_for(open_model: Open, spm_model: Path, top: int) -> None:
    scored = open_model(spm_model).score(PROMPT, REPLY[:2], top)
    assert {len(one.others) for one in scored} == {100 if top > 0 else 0}


def test_all_of_the_probability_is_told_of_a_vocabulary_of_few(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain={5: 6, 6: 7}))
    first, second = backend.score((9, 5), (6, 300), 3)
    assert first.probability > 0.9
    assert (first.others[0].token, second.others[0].token) == (6, 7)
    assert second.probability < 0.01


@pytest.mark.parametrize(("prompt", "reply"), [(1, 1), (1, 5), (60, 1), (60, 17), (60, 16), (900, 100)])
def test_afterwards_everything_is_in_the_cache(
    open_model: Open, spm_model: Path, prompt: int, reply: int
) -> None:
    backend = open_model(spm_model)
    asked, answer = text_tokens(1, prompt), text_tokens(2, reply)
    assert len(backend.score(asked, answer)) == reply
    usage = listen(backend, request((*asked, *answer, 9, 10), ONE)).finished.usage
    assert (usage.reused, usage.evaluated) == (prompt + reply, 2)
    assert len(backend.score(asked, answer)) == reply, "and once more"


def test_looking_at_a_reply_that_was_just_written_reads_it_only(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    listen(backend, request((*PROMPT, *REPLY), ONE))
    before = backend.cache_report()
    backend.score(PROMPT, REPLY)
    after = backend.cache_report()
    assert after.evaluated - before.evaluated == len(REPLY) + 1


@pytest.mark.parametrize("write", [write_recurrent_model, write_window_model])
def test_models_that_remember_in_other_ways(
    open_model: Open, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "m.gguf")
    backend = open_model(path)
    listen(backend, request((*PROMPT, *REPLY), ONE))
    check(path, backend.score(PROMPT, REPLY), PROMPT, REPLY, 0.01)
    usage = listen(backend, request((*PROMPT, *REPLY, 9), ONE)).finished.usage
    assert usage.evaluated <= 2


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [((), (5,)), ((5,), ()), ((), ()), ((5,), (10**6,)), ((-1,), (5,)), ((5,) * 1000, (6,) * 100)],
)
def test_what_cannot_be_looked_at_is_refused_and_costs_nothing(
    open_model: Open, spm_model: Path, prompt: tuple[int, ...], reply: tuple[int, ...]
) -> None:
    backend = open_model(spm_model)
    listen(backend, request(PROMPT, ONE))
    with pytest.raises(AirochatError):
        backend.score(prompt, reply)
    assert listen(backend, request(PROMPT, ONE)).finished.usage.evaluated == 1


def test_a_model_whose_numbers_are_broken_is_told(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", broken="all"))
    with pytest.raises(BackendError, match="NaN"):
        backend.score((5, 6), (7, 8))


class Looking:
    """A look at the reply in a thread of its own; the engine has been asked when this returns."""

    def __init__(self, backend: LlamaBackend) -> None:
        self._backend, self.found, self.error = backend, [], None  # type: tuple[LlamaBackend, list[Scored], object]
        taken, take = threading.Event(), server_of(backend)._take_work

        def watched(work: object) -> None:
            take(work)  # type: ignore[arg-type]
            taken.set()

        server_of(backend)._take_work = watched  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        assert taken.wait(WAIT_S)
        server_of(backend)._take_work = take  # type: ignore[method-assign]

    def _look(self) -> None:
        try:
            self.found = self._backend.score(PROMPT, REPLY)
        except AirochatError as error:
            self.error = error

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> list[Scored]:
        self._thread.join(WAIT_S)
        assert self.error is None
        return self.found


@pytest.mark.parametrize("passed", [0, 1, 2])
def test_a_reply_comes_first_and_then_it_is_looked_at(open_model: Open, spm_model: Path, passed: int) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    looking = Looking(backend)
    gate.wait(passed)
    reply = Asked(backend, request(PROMPT, GREEDY))
    gate.open()
    usage = reply.end().finished.usage
    assert usage.reused == (0 if passed == 0 else 119)
    assert [one.token for one in looking.end()] == list(REPLY)


def test_a_reply_that_waits_behind_it_comes_first(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    running = Asked(backend, request(PROMPT, GREEDY))
    gate.wait()
    looking = Looking(backend)
    order: list[str] = []
    do = server_of(backend)._do

    def noted(engine, work):  # type: ignore[no-untyped-def]
        order.append(type(work).__name__)
        do(engine, work)

    server_of(backend)._do = noted  # type: ignore[method-assign]
    second = Asked(backend, request(PROMPT, GREEDY))
    gate.open()
    assert running.end().text == second.end().text
    looking.end()
    assert order == ["Generate", "Score"]


def test_reading_ahead_waits_for_it_and_gives_way_to_it(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    ahead = Asked(backend, request(text_tokens(7, 300), GREEDY, purpose="prepare"))
    gate.wait(passed=1)
    looking = Looking(backend)
    assert server_of(backend)._stop, "what is read ahead is broken off"
    later = Asked(backend, request((*PROMPT, *REPLY, 9), GREEDY, purpose="prepare"))
    gate.open()
    assert ahead.end().finished.reason == "user"
    assert ahead.heard.finished.usage.evaluated < 200
    assert len(looking.end()) == len(REPLY)
    assert later.end().finished.usage.evaluated == 1, "it was not broken off, so all is there"


def test_what_is_written_in_the_background_pauses_for_it(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(aside_context(backend))
    background = Asked(backend, request(text_tokens(7, 60), GREEDY, purpose="background"))
    gate.wait(passed=2)
    looking = Looking(backend)
    gate.open()
    assert len(looking.end()) == len(REPLY)
    assert background.end().text


def test_closing_ends_it(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    looking = Looking(backend)
    gate.wait()
    closing = threading.Thread(target=backend.close)
    closing.start()
    gate.open()
    closing.join(WAIT_S)
    looking._thread.join(WAIT_S)
    assert looking.over
    assert looking.found or isinstance(looking.error, BackendError)
