"""The cache with models that remember in other ways: a sliding window, or one state for all tokens."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from airochat.backends.llama.cache import Cache, Counts
from airochat.backends.llama.context import OK
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import (
    GREEDY,
    bare_engine,
    divergence,
    listen,
    log_probabilities,
    read,
    request,
    text_tokens,
)
from tests.models import write_recurrent_model, write_window_model

WINDOW = 32
HEAD, REPLY, OTHER, NEXT = text_tokens(1, 200), text_tokens(2, 20), text_tokens(3, 25), text_tokens(4, 30)


@pytest.fixture(scope="module")
def window_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_window_model(tmp_path_factory.mktemp("models") / "window.gguf", WINDOW)


@pytest.fixture(scope="module")
def recurrent_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recurrent_model(tmp_path_factory.mktemp("models") / "recurrent.gguf")


class Pair:
    """An engine, and one that forgets everything before it reads."""

    def __init__(self, path: Path) -> None:
        self.engine, self._fresh = bare_engine(path, n_ctx=512), bare_engine(path, n_ctx=512)

    @property
    def cache(self) -> Cache:
        return self.engine._cache

    def read(self, prompt: tuple[int, ...], reply: tuple[int, ...] = ()) -> Counts:
        """Read a prompt, compare what is expected behind it, write a reply, and return the counts."""
        assert read(self.cache, prompt)
        assert tuple(self.cache.tokens) == prompt
        assert [self.cache.context.end(lane) for lane in range(2)] == [len(prompt), 0]
        self._fresh._cache.forget()
        assert read(self._fresh._cache, prompt)
        caches, n_vocab = (self._fresh._cache, self.cache), self.engine._model.vocab.size
        assert divergence(*(log_probabilities(cache, n_vocab) for cache in caches)) < 1e-6
        for token in reply:
            assert self.cache.step(token) == OK
        return self.cache.counts

    def close(self) -> None:
        for engine in (self.engine, self._fresh):
            engine.close()


@pytest.fixture
def window(window_model: Path) -> Iterator[Pair]:
    pair = Pair(window_model)
    yield pair
    pair.close()


@pytest.fixture
def recurrent(recurrent_model: Path) -> Iterator[Pair]:
    pair = Pair(recurrent_model)
    yield pair
    pair.close()


def test_a_window_goes_back_as_long_as_nothing_was_restored(window: Pair) -> None:
    assert window.read(HEAD, REPLY) == Counts(evaluated=200)
    assert window.read(HEAD, OTHER) == Counts(live=199, evaluated=1)
    assert window.read(HEAD[:90]) == Counts(live=89, evaluated=1)


def test_a_window_that_was_restored_goes_on_from_there(window: Pair) -> None:
    window.read(HEAD, REPLY)
    window.read(HEAD, OTHER)
    assert window.read(HEAD + REPLY + NEXT) == Counts(restored=220, evaluated=30)
    assert window.read(HEAD) == Counts(restored=199, evaluated=1)


def test_nothing_below_a_restored_window_is_reused(window: Pair) -> None:
    """The cells that the first tokens would look back at are gone, so it is read from its beginning."""
    window.read(HEAD, REPLY)
    window.read(HEAD, OTHER)
    window.read(HEAD + REPLY + NEXT)
    assert window.read(HEAD + REPLY[:10] + NEXT).reused in (0, 199)
    window.read(HEAD + REPLY + NEXT)
    assert window.read(HEAD[:100] + NEXT) == Counts(evaluated=130)
    assert window.read(HEAD[:100] + OTHER) == Counts(live=100, evaluated=25), "now it may go back again"


def test_nothing_is_moved_in_a_window(window: Pair) -> None:
    window.read(HEAD)
    assert window.read(NEXT + HEAD).moved == 0
    assert window.engine.report().mode == "exact"
    assert "sliding window" in window.engine.report().notes[0]


def test_one_state_goes_on_or_is_restored_or_is_read_again(recurrent: Pair) -> None:
    assert recurrent.read(HEAD, REPLY) == Counts(evaluated=200)
    assert recurrent.read(HEAD + REPLY + NEXT) == Counts(live=220, evaluated=30)
    assert recurrent.read(HEAD, OTHER) == Counts(restored=199, evaluated=1)
    assert recurrent.read(HEAD + REPLY + NEXT) == Counts(restored=249, evaluated=1)
    assert recurrent.read(HEAD + OTHER) == Counts(restored=199, evaluated=26)
    assert recurrent.read(HEAD[:150]) == Counts(evaluated=150)


@pytest.mark.parametrize("kind", ["window", "recurrent"])
@pytest.mark.parametrize("seed", range(3))
def test_a_walk_with_swipes_branches_and_undo(kind: str, seed: int, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(kind)
    chance = random.Random(seed)
    seen: list[tuple[int, ...]] = [HEAD[:50]]
    for step in range(40):
        prompt = chance.choice(seen)
        match chance.choice(("swipe", "append", "undo")):
            case "append":
                prompt += text_tokens(step, chance.randrange(1, 40))
            case "undo":
                prompt = prompt[: chance.randrange(1, len(prompt) + 1)]
        prompt = prompt[:480]
        reply = text_tokens(100 + step, chance.randrange(1, 30))
        counts = pair.read(prompt, reply)
        assert counts.reused + counts.evaluated == len(prompt)
        assert counts.moved == 0
        seen += [prompt, prompt + reply]
    assert pair.cache.hits


@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_a_shelf_of_such_states_stays_in_its_limit(kind: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(kind)
    pair.read(HEAD, REPLY)
    size = pair.cache.shelf.size
    assert size
    pair.cache.shelf.limit = 3 * size
    for seed in range(8):
        pair.read(HEAD[:150] + text_tokens(seed, 30), REPLY)
        assert pair.cache.shelf.size <= 3 * size
    pair.cache.shelf.clear()
    pair.cache.shelf.limit = 0
    pair.read(HEAD, REPLY)
    assert len(pair.cache.shelf) == 0


def test_replies_of_such_models_are_those_of_a_new_engine(
    open_model: Open, window_model: Path, recurrent_model: Path
) -> None:
    for path in (window_model, recurrent_model):
        warm, prompt = open_model(path), HEAD[:60]
        first = listen(warm, request(prompt))
        listen(warm, request(prompt[:30] + NEXT))
        again = listen(warm, request(prompt))
        assert again.text == first.text == listen(open_model(path), request(prompt)).text
        assert again.finished.usage.evaluated <= 30
        went_on = listen(warm, request(prompt + again.finished.tokens + NEXT)).finished.usage
        if again.finished.tokens:
            assert went_on.evaluated <= len(NEXT) + 1


def test_a_phrase_is_not_banned_where_the_model_cannot_go_back(
    open_model: Open, recurrent_model: Path
) -> None:
    backend = open_model(recurrent_model)
    info = backend.wait(60)
    assert "banned" not in info.sampling_fields
    plain = listen(backend, request(HEAD[:40], dataclasses.replace(GREEDY, max_tokens=8)))
    banned = listen(backend, request(HEAD[:40], GREEDY.replace(max_tokens=8, banned=[plain.text[:3]])))
    assert banned.text == plain.text
