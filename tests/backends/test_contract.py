"""What every backend with a tokenizer keeps to, tried on the scripted one and on llama.cpp in both ways to run it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airochat.backends.base import (
    Backend,
    Event,
    Failed,
    Finished,
    Loaded,
    LoadEvent,
    LoadFailed,
    PromptProgress,
    Request,
    TextDelta,
    Usage,
)
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import AirochatError, ModelError
from airochat.sampling import LogitsProcessor, Sampling
from tests.backends.llama.support import GREEDY, WAIT_S, LoadEvents, chat, listen, llama, request

N_CTX = 512
KINDS = ("scripted", "thread", "process")
LONG = Sampling(temperature=0, seed=1, max_tokens=400)
SCRIPT = "The lantern — ☕ — gutters while she reads the letter twice, and then once more, aloud. " * 20
Make = Callable[[], Backend]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, demo_model: Path, tmp_path: Path) -> Iterator[Make]:
    """Make fresh backends, which are closed at the end."""
    made: list[Backend] = []

    def new() -> Backend:
        kind = request.param
        one: Backend = (
            ScriptedBackend([SCRIPT], n_ctx=N_CTX)
            if kind == "scripted"
            else llama(demo_model, kind, tmp_path / "log", n_ctx=N_CTX)
        )
        made.append(one)
        return one

    yield new
    for backend in made:
        backend.close()


@pytest.fixture(scope="module", params=KINDS)
def backend(
    request: pytest.FixtureRequest, demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A loaded backend that several tests share."""
    log = tmp_path_factory.mktemp("engine") / "log"
    one: Backend
    if request.param == "scripted":
        one = ScriptedBackend([SCRIPT], n_ctx=N_CTX)
    else:
        one = llama(demo_model, request.param, log, n_ctx=N_CTX)
    one.wait(WAIT_S)
    yield one
    one.close()


def joined(backend: Backend, tokens: tuple[int, ...]) -> str:
    assert backend.tokenizer is not None
    return b"".join(backend.tokenizer.pieces(tokens)).decode()


def long_prompt(backend: Backend, words: str) -> tuple[int, ...]:
    return chat(backend, f"{words} " * 400)[:450]


def test_the_events_of_a_reply_come_in_order_and_add_up(backend: Backend) -> None:
    prompt = chat(backend, "Tell me about the river.")
    heard = listen(backend, request(prompt))
    kinds = [PromptProgress, TextDelta, Finished]
    assert [kinds.index(kind) for kind in heard.order] == sorted(kinds.index(kind) for kind in heard.order)
    assert heard.progress[-1].done == heard.progress[-1].total == len(prompt)
    done = [step.done for step in heard.progress]
    assert done == sorted(done)
    usage = heard.finished.usage
    assert usage.prompt == usage.reused + usage.evaluated == len(prompt)
    assert usage.generated == GREEDY.max_tokens == sum(delta.tokens for delta in heard.deltas)
    assert heard.finished.reason == "length"
    assert len(heard.finished.tokens) == GREEDY.max_tokens
    assert joined(backend, heard.finished.tokens) == heard.text
    assert heard.finished.timings.first_token_s > 0
    assert heard.finished.timings.tokens_per_s > 0


def test_the_next_turn_evaluates_only_what_is_new(backend: Backend) -> None:
    prompt = chat(backend, "Name a colour.")
    reply = listen(backend, request(prompt, GREEDY.replace(ignore_eos=True))).finished.tokens
    new = chat(backend, "And another.")
    usage = listen(backend, request(prompt + reply + new)).finished.usage
    # The last token of a reply has been chosen, but never been read.
    assert usage.reused == len(prompt) + len(reply) - 1
    assert usage.evaluated == len(new) + 1


def test_another_prompt_keeps_only_the_common_beginning(backend: Backend) -> None:
    first = chat(backend, "The lantern is lit.")
    listen(backend, request(first))
    second = (*first[:5], first[5] + 1, *first[6:])
    assert listen(backend, request(second)).finished.usage.reused == 5


def test_the_same_prompt_again_evaluates_one_token(backend: Backend) -> None:
    prompt = chat(backend, "Once upon a time")
    listen(backend, request(prompt))
    assert listen(backend, request(prompt)).finished.usage == Usage(
        len(prompt), len(prompt) - 1, 1, GREEDY.max_tokens
    )


def test_the_same_seed_gives_the_same_text(backend: Backend) -> None:
    prompt = chat(backend, "Write a line about rain.")
    sampling = Sampling(temperature=1.2, seed=77, max_tokens=20)
    listen(
        backend, request(prompt, sampling)
    )  # numbers depend in their last bits on what is in the cache already
    texts = [listen(backend, request(prompt, sampling)).text for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0]


def test_stop_ends_a_reply_and_keeps_what_was_written(backend: Backend) -> None:
    prompt = chat(backend, "Tell me a very long story.")
    asked = request(prompt, LONG)

    def stop(event: Event) -> None:
        if isinstance(event, TextDelta):
            backend.stop(asked.id)

    heard = listen(backend, asked, stop)
    assert heard.finished.reason == "user"
    assert 0 < heard.finished.usage.generated < 200
    assert joined(backend, heard.finished.tokens) == heard.text
    again = listen(backend, request(prompt + heard.finished.tokens + chat(backend, "Go on.")))
    assert again.finished.usage.reused >= len(prompt) + len(heard.finished.tokens) - 1


def test_stop_works_while_the_prompt_is_read_and_what_was_read_is_kept(backend: Backend) -> None:
    prompt = long_prompt(backend, "stop")
    asked = request(prompt)

    def stop(event: Event) -> None:
        if isinstance(event, PromptProgress):
            backend.stop(asked.id)

    heard = listen(backend, asked, stop)
    assert (heard.finished.reason, heard.text) == ("user", "")
    usage = heard.finished.usage
    assert usage.prompt == usage.reused + usage.evaluated < len(prompt)
    assert usage.generated == 0
    again = listen(backend, request(prompt, dataclasses.replace(GREEDY, max_tokens=2)))
    assert again.finished.usage.reused == usage.prompt
    assert again.finished.usage.prompt == len(prompt)


def test_stop_before_the_first_event_is_not_lost(backend: Backend) -> None:
    asked = request(chat(backend, "Hello"))
    events = backend.generate(asked)
    backend.stop(asked.id)
    assert [type(event) for event in events] == [Finished]
    early = request(chat(backend, "Hello"))
    backend.stop(early.id)
    assert listen(backend, early).finished.reason == "user"


def test_leaving_the_events_early_stops_the_request(backend: Backend) -> None:
    prompt = chat(backend, "Tell me everything.")
    sampling = Sampling(temperature=0, max_tokens=150)
    listen(backend, request(prompt, sampling))
    whole = listen(backend, request(prompt, sampling)).finished.tokens
    listen(backend, request(prompt))
    for event in backend.generate(request(prompt, sampling)):
        if isinstance(event, TextDelta):
            break
    after = listen(backend, request((*prompt, *whole), GREEDY)).finished.usage
    assert after.reused - after.restored < len(prompt) + len(whole) // 2, "the reply went on unseen"


def test_a_stop_text_ends_the_reply_and_is_not_shown(backend: Backend) -> None:
    prompt = chat(backend, "Describe a lantern.")
    listen(backend, request(prompt))
    text = listen(backend, request(prompt)).text
    stop = text[len(text) // 2 : len(text) // 2 + 7]
    heard = listen(backend, request(prompt, stop=("never", stop)))
    assert heard.finished.reason == "stop"
    assert heard.text == text[: text.index(stop)]
    assert heard.finished.tokens == () or joined(backend, heard.finished.tokens) == heard.text


def test_text_that_only_began_like_a_stop_text_is_shown_at_the_end(backend: Backend) -> None:
    prompt = chat(backend, "Describe a door.")
    listen(backend, request(prompt))
    text = listen(backend, request(prompt)).text
    heard = listen(backend, request(prompt, stop=(text[-9:] + "\0",)))
    assert heard.text == text
    assert heard.finished.reason == "length"


def test_stop_tokens_end_the_reply_and_are_no_part_of_it(backend: Backend) -> None:
    prompt = chat(backend, "Describe a tree.")
    listen(backend, request(prompt))
    tokens = listen(backend, request(prompt)).finished.tokens
    last = tokens[7]
    heard = listen(backend, request(prompt, stop_tokens=(last,)))
    assert heard.finished.reason == "eos"
    assert heard.finished.usage.generated == tokens.index(last)
    assert backend.tokenizer is not None
    before = b"".join(backend.tokenizer.pieces(tokens[: tokens.index(last)]))
    assert heard.text == before.decode(errors="ignore")


def test_a_waiting_request_can_be_stopped_while_another_runs(backend: Backend) -> None:
    prompt = chat(backend, "Go.")
    running, waiting = request(prompt, LONG), request(chat(backend, "And you?"))
    events = backend.generate(running)
    while not isinstance(next(events), TextDelta):
        pass
    ends: list[Event] = []
    second = threading.Thread(target=lambda: ends.extend(backend.generate(waiting)))
    second.start()
    backend.stop(waiting.id)
    second.join(WAIT_S)
    assert [event for event in ends if isinstance(event, (Finished, Failed))] == ends
    assert isinstance(ends[0], Finished)
    assert ends[0].reason == "user"
    backend.stop(running.id)
    end = list(events)[-1]
    assert isinstance(end, Finished)
    assert end.usage.generated < LONG.max_tokens
    after = listen(backend, request(prompt)).finished.usage
    assert after.reused == len(prompt) - 1, "the stopped request was read all the same"


def test_requests_are_served_one_after_the_other(backend: Backend) -> None:
    asked = [request(chat(backend, f"Count from {number}.")) for number in range(3)]
    heard: dict[str, str] = {}

    def run(one: Request) -> None:
        heard[one.id] = listen(backend, one).text

    threads = [threading.Thread(target=run, args=(one,)) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert set(heard) == {one.id for one in asked}
    assert all(heard.values())


@pytest.mark.parametrize(
    "prompt", [(), (1,) * N_CTX, (-1,), (2**31,)], ids=["empty", "too long", "negative", "unknown"]
)
def test_an_impossible_prompt_fails_with_words_and_nothing_breaks(
    backend: Backend, prompt: tuple[int, ...]
) -> None:
    good = chat(backend, "Hello")
    listen(backend, request(good))
    heard = listen(backend, request(prompt))
    assert heard.failed.message.endswith(".")
    assert heard.failed.usage == Usage()
    assert listen(backend, request(good)).finished.usage.evaluated == 1, "the cache is as it was"


def test_a_full_context_ends_the_reply(backend: Backend) -> None:
    assert backend.tokenizer is not None
    prompt = tuple(backend.tokenizer.encode(["one two " * 600], [False])[0][: N_CTX - 24])
    usage = listen(backend, request(prompt, LONG)).finished.usage
    assert usage.prompt == N_CTX - 24
    # The last token has been chosen when all places are taken.
    assert usage.generated == 25


def test_texts_survive_the_tokenizer_and_control_tokens_in_them_stay_text(backend: Backend) -> None:
    tokenizer = backend.tokenizer
    assert tokenizer is not None
    specials = tokenizer.vocabulary.specials
    texts = ["Hello world", "<|im_start|>system\nnothing<|im_end|>", "", "héllo 🦙\n\n\tx ", "</s><s>[INST]"]
    ids = tokenizer.encode(texts, [True] * len(texts))
    assert [b"".join(tokenizer.pieces(one)).decode() for one in ids] == texts
    assert not set(specials.values()).intersection(token for one in ids for token in one)
    assert tokenizer.encode(texts, [True] * len(texts)) == ids
    assert tokenizer.pieces([specials["<|im_end|>"]]) == [b"<|im_end|>"]


def test_loading_reports_its_steps_and_then_the_model(make: Make) -> None:
    backend, events = make(), LoadEvents()
    assert backend.info is None
    backend.load(events)
    loaded = events.wait_for(Loaded)
    assert isinstance(loaded, Loaded)
    assert loaded.info == backend.wait(0) == backend.info
    assert len(events.seen) > 1
    assert loaded.info.n_ctx == N_CTX


def test_waiting_can_time_out_and_starts_loading_by_itself(make: Make) -> None:
    backend = make()
    # A script may be loaded before one can look; a model never is.
    at_once = (
        contextlib.suppress(TimeoutError)
        if isinstance(backend, ScriptedBackend)
        else pytest.raises(TimeoutError)
    )
    with at_once:
        backend.wait(0)
    assert backend.wait(WAIT_S).n_vocab > 0


def test_a_load_can_be_cancelled(make: Make) -> None:
    backend = make()
    events: list[LoadEvent] = []
    over = threading.Event()

    def cancel(event: LoadEvent) -> None:
        events.append(event)
        backend.close()
        if isinstance(event, LoadFailed):
            over.set()

    backend.load(cancel)
    assert over.wait(WAIT_S)
    assert not any(isinstance(event, Loaded) for event in events)
    with pytest.raises(ModelError):
        backend.wait(WAIT_S)


def test_closing_ends_a_running_reply_and_keeps_its_text(make: Make) -> None:
    backend = make()
    backend.wait(WAIT_S)
    closed: list[bool] = []

    def close(event: Event) -> None:
        if isinstance(event, TextDelta) and not closed:
            closed.append(True)
            backend.close()

    heard = listen(backend, request(chat(backend, "Tell me a long story."), LONG), close)
    assert heard.finished.reason == "user"
    assert heard.text
    assert 0 < heard.finished.usage.generated < LONG.max_tokens


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_request_that_waits_for_the_model_can_be_ended(make: Make, how: str) -> None:
    backend = make()
    asked = request((1, 2, 3))
    ended: list[bool] = []

    def end(_event: LoadEvent) -> None:
        if not ended:
            ended.append(True)
            backend.stop(asked.id) if how == "stop" else backend.close()

    events = backend.generate(asked)
    backend.load(end)
    last = list(events)[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.usage) == ("user", Usage())


def test_after_closing_everything_is_refused_kindly(make: Make) -> None:
    backend = make()
    backend.wait(WAIT_S)
    prompt = chat(backend, "Hello")
    backend.close()
    backend.close()
    backend.stop("unknown")
    backend.load(lambda _event: None)
    assert backend.info is None
    assert listen(backend, request(prompt)).failed.message
    with pytest.raises(AirochatError):
        backend.wait(1)


def test_logits_processors_are_heeded_or_it_is_said_once_that_they_are_not(
    make: Make, tmp_path: Path
) -> None:
    backend = make()
    backend.wait(WAIT_S)
    file = tmp_path / "always.py"
    file.write_text(
        "def make(options):\n    def f(ids, logits):\n        logits[options['token']] += 1000\n    return f\n"
    )
    prompt = chat(backend, "Hello")
    short = GREEDY.replace(max_tokens=3)
    plain = listen(backend, request(prompt, short)).finished
    token = chat(backend, "word")[-4]
    wanted = (LogitsProcessor("always", str(file), "make", {"token": token}),)
    first, again = (listen(backend, request(prompt, short, processors=wanted)).finished for _ in range(2))
    assert again.notes == ()
    if first.notes:
        (note,) = first.notes
        assert "logits processors" in note
        assert note.endswith("Without effect: always.")
    else:
        assert first.tokens == again.tokens == (token,) * 3 != plain.tokens


def test_what_a_prompt_would_take_is_told_beforehand(backend: Backend) -> None:
    prompt = chat(backend, "What would this take?")
    listen(backend, request(prompt))
    longer = (*prompt, *chat(backend, "And this?"))
    told = backend.foresee(longer)
    assert told is not None
    usage = listen(backend, request(longer)).finished.usage
    assert (told.prompt, told.reused, told.evaluated) == (len(longer), usage.reused, usage.evaluated)
    again = backend.foresee(longer)
    assert again is not None
    assert again.evaluated == 1
    assert backend.foresee(()) is None
