"""The handles that the scripted backend gives to tests of front ends."""

from __future__ import annotations

import threading

import pytest

from airochat.backends.base import Event, Finished, Loaded, LoadFailed, TextDelta
from airochat.backends.scripted import REPLIES, ScriptedBackend
from airochat.errors import ModelError
from airochat.sampling import Sampling
from tests.backends.llama.support import WAIT_S, LoadEvents, chat, listen, request

PLENTY = Sampling(seed=1, max_tokens=1000)


def test_replies_come_in_turn_and_whole() -> None:
    backend = ScriptedBackend()
    texts = [listen(backend, request(chat(backend, "Hello"), PLENTY)).text for _ in range(len(REPLIES) + 1)]
    assert texts == [*REPLIES, REPLIES[0]]


def test_a_function_can_answer_the_prompt() -> None:
    backend = ScriptedBackend(lambda prompt: prompt.upper())
    heard = listen(backend, request(chat(backend, "hello"), PLENTY))
    assert "USER\nHELLO" in heard.text
    assert heard.finished.reason == "eos"


def test_a_gate_lets_exactly_so_many_tokens_pass() -> None:
    backend = ScriptedBackend(["one two three"], gated=True)
    asked = request(chat(backend, "Hello"), PLENTY)
    events: list[Event] = []
    seen = threading.Event()

    def run() -> None:
        for event in backend.generate(asked):
            events.append(event)
            if isinstance(event, TextDelta):
                seen.set()

    thread = threading.Thread(target=run)
    thread.start()
    backend.allow(1)
    assert seen.wait(WAIT_S)
    backend.stop(asked.id)
    thread.join(WAIT_S)
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.generated) == ("user", 1)
    backend.allow()
    assert listen(backend, request(chat(backend, "Hello"), PLENTY)).text == "one two three"


def test_a_held_load_ends_when_the_test_says_so() -> None:
    backend, events = ScriptedBackend(held=True), LoadEvents()
    backend.load(events)
    with pytest.raises(TimeoutError):
        backend.wait(0)
    backend.finish_loading()
    events.wait_for(Loaded)
    assert backend.wait(WAIT_S) == backend.info


def test_a_held_load_can_fail() -> None:
    backend, events = ScriptedBackend(held=True), LoadEvents()
    backend.load(events)
    backend.finish_loading("No.")
    assert events.wait_for(LoadFailed) == LoadFailed("No.")
    with pytest.raises(ModelError, match="No"):
        backend.wait(WAIT_S)


def test_the_engine_can_die_after_some_tokens_and_come_back() -> None:
    backend, events = ScriptedBackend(["one two three"], fail_after=2), LoadEvents()
    backend.load(events)
    events.wait_for(Loaded)
    heard = listen(backend, request(chat(backend, "Hello"), PLENTY))
    assert heard.failed.usage.generated == 2
    assert heard.text == "one tw"
    events.wait_for(LoadFailed)
    assert listen(backend, request(chat(backend, "Hello"), PLENTY)).text == "one two three"
    events.wait_for(Loaded)
