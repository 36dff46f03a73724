"""The cache of the chat on small models: a conversation that goes anywhere, against an engine that forgets all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_cpp import llama_cpp as bindings

from airochat.backends.base import PromptProgress
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import OK
from airochat.backends.llama.engine import Engine
from tests.backends.llama.support import bare_engine, divergence, log_probabilities, read, text_tokens

L: Any = bindings
N_CTX = 512
Opened = Callable[..., Engine]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open engines in this thread, with the options given; closed at the end."""
    made: list[Engine] = []

    def new(path: Path, **options: Any) -> Engine:
        made.append(bare_engine(path, n_ctx=options.pop("n_ctx", N_CTX), **options))
        return made[-1]

    yield new
    for engine in made:
        engine.close()


def check_lanes(cache: Cache) -> None:
    """Check that llama.cpp has the same tokens in the lane of the chat, and none in others."""
    context = cache.context
    memory = L.llama_get_memory(context.handle)
    ends = [L.llama_memory_seq_pos_max(memory, lane) for lane in range(context.limits.lanes)]
    assert ends == [len(cache.tokens) - 1] + [-1] * (context.limits.lanes - 1)
    assert L.llama_memory_seq_pos_min(memory, 0) in (0, -1)


def check_counts(cache: Cache, total: int) -> None:
    counts = cache.counts
    assert min(counts.live, counts.moved, counts.restored) >= 0
    assert counts.reused == counts.live + counts.moved + counts.restored
    assert counts.reused + counts.evaluated == total
    assert counts.evaluated >= 1


class Walk:
    """A conversation that is appended to, swiped, branched, undone, noted and shortened, by chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._head, self._note = text_tokens(1, 60), text_tokens(2, 30)
        self._messages = [self.message()]
        self._depth = 1
        self._seen: list[list[tuple[int, ...]]] = []

    def message(self) -> tuple[int, ...]:
        return text_tokens(self._chance.randrange(10**6), self._chance.randrange(8, 60))

    def prompt(self) -> tuple[int, ...]:
        at = max(0, len(self._messages) - self._depth)
        parts = (self._head, *self._messages[:at], self._note, *self._messages[at:])
        return tuple(token for part in parts for token in part)

    def step(self) -> tuple[int, ...]:
        """Do something to the conversation and return its prompt."""
        self._seen.append(list(self._messages))
        match self._chance.choice(("append", "append", "append", "swipe", "branch", "undo", "note", "drop")):
            case "append":
                self._messages.append(self.message())
            case "swipe":
                self._messages[-1] = self.message()
            case "branch":
                self._messages = list(self._chance.choice(self._seen))
            case "undo":
                self._messages = self._messages[:-1] or self._messages
            case "note":
                self._depth = self._chance.randrange(4)
            case "drop":
                self._drop()
        while len(self.prompt()) >= N_CTX:
            self._drop()
        return self.prompt()

    def _drop(self) -> None:
        if len(self._messages) > 1:
            del self._messages[: 1 + len(self._messages) // 4]


def walk(
    cache: Cache, seed: int, steps: int, look: Callable[[tuple[int, ...]], None] = lambda _prompt: None
) -> None:
    """Take a walk, with a reply of a few tokens after each prompt."""
    way = Walk(seed)
    for _ in range(steps):
        prompt = way.step()
        assert read(cache, prompt, 64)
        assert tuple(cache.tokens) == prompt
        check_lanes(cache)
        check_counts(cache, len(prompt))
        look(prompt)
        for token in way.message()[: N_CTX - len(prompt)]:
            assert cache.step(token) == OK
        check_lanes(cache)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_walk_leaves_in_the_cache_is_what_a_new_engine_reads(
    opened: Opened, spm_model: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine, fresh = opened(spm_model, kv_reuse="exact"), opened(spm_model)._cache
    n_vocab = engine._model.vocab.size

    def look(prompt: tuple[int, ...]) -> None:
        assert not engine._cache.counts.moved
        fresh.forget()
        read(fresh, prompt)
        expected, found = (log_probabilities(cache, n_vocab) for cache in (fresh, engine._cache))
        assert divergence(expected, found) < 1e-4

    walk(engine._cache, seed, 60, look)
    assert engine._cache.hits
    assert not caplog.records, "every state that was saved could be brought back"


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_in_which_stretches_are_moved(
    opened: Opened, spm_model: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine, fresh = opened(spm_model), opened(spm_model)._cache
    n_vocab, moved = engine._model.vocab.size, 0

    def look(prompt: tuple[int, ...]) -> None:
        nonlocal moved
        moved += engine._cache.counts.moved
        fresh.forget()
        read(fresh, prompt)
        expected, found = (log_probabilities(cache, n_vocab) for cache in (fresh, engine._cache))
        assert divergence(expected, found) < 0.1

    walk(engine._cache, seed, 60, look)
    assert moved
    assert not caplog.records


@pytest.mark.parametrize("limit", [0, 40_000])
def test_a_small_shelf_costs_time_and_nothing_else(opened: Opened, spm_model: Path, limit: int) -> None:
    engine = opened(spm_model)
    engine._cache.shelf.limit = limit
    walk(engine._cache, 5, 30)
    assert engine._cache.shelf.size <= limit


def test_going_back_and_forth_evaluates_one_token_and_gives_the_same_bits(
    opened: Opened, spm_model: Path
) -> None:
    engine = opened(spm_model)
    cache, n_vocab = engine._cache, engine._model.vocab.size
    head = text_tokens(1, 100)
    branches = [(*head, *text_tokens(seed, 80)) for seed in (2, 3, 4)]
    found: dict[int, list[bytes]] = {}
    for number in (0, 1, 2, 0, 1, 2, 0, 2, 1):
        read(cache, branches[number])
        found.setdefault(number, []).append(log_probabilities(cache, n_vocab).tobytes())
        if len(found[number]) > 1:
            assert cache.counts.evaluated == 1
            assert cache.counts.restored == 79
    # The first time the last token was computed together with others, which costs the last bits.
    assert all(len(set(each[1:])) == 1 for each in found.values())


def test_bringing_a_long_stretch_back_makes_room_first(
    opened: Opened, spm_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The saved stretch begins far before the place where the branches part, so both do not fit in."""
    engine = opened(spm_model)
    cache, whole = engine._cache, text_tokens(1, 500)
    read(cache, whole)
    read(cache, (*whole[:50], *text_tokens(2, 20)))  # saves 450 tokens from number 50 on
    read(cache, whole)
    read(cache, (*whole[:300], *text_tokens(3, 190)))
    read(cache, whole)
    assert cache.counts.evaluated == 1
    assert not caplog.records
    check_lanes(cache)
    check_counts(cache, 500)


def test_an_exact_way_is_taken_before_one_that_moves(opened: Opened, spm_model: Path) -> None:
    engine = opened(spm_model)
    cache, head, note, tail = engine._cache, text_tokens(1, 60), text_tokens(2, 30), text_tokens(3, 80)
    read(cache, (*head, *tail))
    read(cache, (*head, *note, *tail))
    assert cache.counts.moved == 79
    read(cache, (*head, *tail))
    assert (cache.counts.moved, cache.counts.restored, cache.counts.evaluated) == (0, 79, 1)


def test_a_state_that_fails_is_dropped_and_its_tokens_are_read(
    opened: Opened, spm_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = opened(spm_model)
    cache, one, other = engine._cache, text_tokens(1, 100), text_tokens(2, 90)
    read(cache, one)
    read(cache, other)
    (saved,) = cache.shelf.candidates(one, 9)
    saved.state = saved.state[:-1000].copy()
    read(cache, one)
    assert tuple(cache.tokens) == one
    assert cache.counts.evaluated == 100
    assert saved not in cache.shelf.candidates(one, 9)
    assert len(caplog.records) == 1
    check_lanes(cache)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_reading_that_is_left_halfway_leaves_nothing_in_other_lanes(
    opened: Opened, spm_model: Path, after: int
) -> None:
    engine = opened(spm_model)
    cache, head, tail = engine._cache, text_tokens(1, 60), text_tokens(3, 90)
    read(cache, (*head, *tail))
    wanted = (*head, *text_tokens(2, 70), *tail, 7)
    reading = cache.read(wanted, 32)
    for _ in range(after + 1):
        assert isinstance(next(reading), PromptProgress)
    reading.close()
    check_lanes(cache)
    assert tuple(cache.tokens) == wanted[: len(cache.tokens)]
    read(cache, wanted)
    assert tuple(cache.tokens) == wanted
    check_lanes(cache)


def test_a_stop_during_the_first_computation_after_a_shift_is_heard_after_it(
    opened: Opened, spm_model: Path
) -> None:
    """An abort there would rotate layers twice; the stop comes while llama.cpp computes, from its own callback."""
    engine, calm = opened(spm_model), opened(spm_model)._cache
    cache, stop, head, tail = engine._cache, engine._stop, text_tokens(1, 60), text_tokens(3, 90)
    wanted = (*head, *text_tokens(2, 70), *tail, 7)
    heard: list[int] = []
    abort_callback = L.ggml_abort_callback

    def stopping(_data: object) -> bool:
        stop.set()
        heard.append(len(cache.tokens))
        return bool(stop._text[0] != b"\0")

    for one in (cache, calm):
        read(one, (*head, *tail))
    callback = abort_callback(stopping)
    L.llama_set_abort_callback(engine._model.context.handle, callback, None)
    assert not read(cache, wanted)
    assert len(cache.tokens) == len(head) + 1, "one token was computed all the same"
    assert set(heard) == {len(head), len(head) + 1}
    check_lanes(cache)
    L.llama_set_abort_callback(engine._model.context.handle, abort_callback(0), None)
    stop.clear()
    for one in (cache, calm):
        assert read(one, wanted)
        assert one.counts.moved == len(tail)
    n_vocab = engine._model.vocab.size
    assert divergence(log_probabilities(calm, n_vocab), log_probabilities(cache, n_vocab)) < 1e-4


def test_no_state_is_saved_before_a_shift_is_computed(opened: Opened, spm_model: Path) -> None:
    """llama.cpp rotates the cells of a shift with the next batch; what is saved before is garbage."""
    cache = opened(spm_model)._cache
    read(cache, text_tokens(1, 60))
    context = cache.context
    assert context.save(0) is not None
    assert context.cut(0, 10, 20)
    context.shift(0, 20, 60, -10)
    assert context.save(0) is None
    del cache.tokens[10:20]
    assert cache.step(5) == OK
    assert context.save(0) is not None


def test_no_room_is_told_and_the_cache_goes_on(opened: Opened, spm_model: Path) -> None:
    engine = opened(spm_model)
    cache = engine._cache
    read(cache, text_tokens(1, N_CTX - 1))
    assert cache.step(5) == OK
    assert cache.step(5) != OK
    assert len(cache.tokens) == N_CTX
    read(cache, text_tokens(2, N_CTX - 1))
    check_lanes(cache)
