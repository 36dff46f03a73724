"""The cache of the chat with a real model: what it expects after a way through the cache, and after none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import OK
from airochat.backends.llama.engine import Engine
from tests.backends.llama.support import bare_engine, divergence, log_probabilities, read

N_CTX = 1024
HEAD = (
    "You are Mara, who keeps the ferry at the bend of the river. You are patient and dry, you know every boat, and "
    "you never say where the lantern came from. The year is old, the water is high, and the road ends at your door.\n"
)
NOTE = "[Mara is tired tonight and wants the visitor to leave before the rain begins.]\n"
SAID = (
    "Traveller: Is the ferry still going across tonight?\nMara: It goes when the water lets it, which is not now.\n",
    "Traveller: I can pay twice the price, and I have no luggage.\nMara: Then you can also wait twice as long.\n",
    "Traveller: What is that light over there, behind the willows?\nMara: Somebody who lost his way, like you did.\n",
    "Traveller: It looks like a lantern to me, and a rather old one.\nMara: All lanterns are old at this hour.\n",
    "Traveller: May I at least sit by the fire until the morning comes?\nMara: If you keep your boots off the rug.\n",
    "Traveller: Who was here before you, Mara? Who built this house?\nMara: A man who counted boats and drowned.\n",
    "Traveller: Did you know him well?\nMara: I knew his handwriting; it is all over the ledger in the drawer.\n",
    "Traveller: Will you show me the ledger?\n",
)
CUE = "Mara:"


@pytest.fixture(scope="module")
def engines(demo_model: Path) -> Iterator[tuple[Engine, Engine, Engine]]:
    """One that moves, one that does not, and one that forgets everything before it reads."""
    made = [bare_engine(demo_model, n_ctx=N_CTX, kv_reuse=mode) for mode in ("shift", "exact", "exact")]
    yield made[0], made[1], made[2]
    for engine in made:
        engine.close()


def tokens(engine: Engine, *texts: str) -> tuple[int, ...]:
    return tuple(token for text in texts for token in engine._model.vocab.encode(text, True))


def expects(
    cache: Cache, prompt: tuple[int, ...], n_vocab: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    assert read(cache, prompt)
    assert tuple(cache.tokens) == prompt
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = log_probabilities(cache, n_vocab)
    return found


def test_moving_a_note_is_nearly_the_same_as_reading_all(engines: tuple[Engine, Engine, Engine]) -> None:
    engine, _, fresh = engines
    n_vocab = engine._model.vocab.size
    before = tokens(engine, HEAD, *SAID[:4], NOTE, *SAID[4:6], CUE)
    after = tokens(engine, HEAD, *SAID[:6], NOTE, *SAID[6:], CUE)
    read(engine._cache, before)
    found = expects(engine._cache, after, n_vocab)
    counts = engine._cache.counts
    assert counts.moved > 40
    assert counts.evaluated < len(tokens(engine, NOTE, *SAID[6:], CUE)) + 5
    fresh._cache.forget()
    expected = expects(fresh._cache, after, n_vocab)
    assert divergence(expected, found) < 0.3
    assert expected.argmax() == found.argmax()


def test_dropping_the_oldest_messages_is_nearly_the_same_as_reading_all(
    engines: tuple[Engine, Engine, Engine],
) -> None:
    engine, _, fresh = engines
    n_vocab = engine._model.vocab.size
    before, after = tokens(engine, HEAD, *SAID[:7]), tokens(engine, HEAD, *SAID[2:], CUE)
    read(engine._cache, before)
    found = expects(engine._cache, after, n_vocab)
    counts = engine._cache.counts
    assert counts.moved > 120
    assert counts.evaluated < len(tokens(engine, SAID[7], CUE)) + 5
    fresh._cache.forget()
    expected = expects(fresh._cache, after, n_vocab)
    assert divergence(expected, found) < 0.3
    assert expected.argmax() == found.argmax()


@pytest.mark.slow
def test_swipes_branches_and_undo_are_the_same_as_reading_all(
    engines: tuple[Engine, Engine, Engine],
) -> None:
    _, engine, fresh = engines
    cache, n_vocab = engine._cache, engine._model.vocab.size
    prompt = tokens(engine, HEAD, *SAID[:2], CUE)
    first, second = (
        tokens(engine, " Not before the rain stops."),
        tokens(engine, " Ask the river, it decides."),
    )
    longer = tokens(engine, "\n", SAID[2], CUE)
    ways = [
        (prompt, first, None),
        (prompt, second, 1),
        (prompt + first + longer, (), len(longer)),
        (prompt + second + longer, (), len(longer)),
        (prompt + first + longer, (), 1),
        (prompt, (), 1),
        (prompt[:-20], (), 1),
        (prompt + second, (), 1),
    ]
    expected: dict[tuple[int, ...], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for wanted, reply, evaluated in ways:
        found = expects(cache, wanted, n_vocab)
        assert evaluated is None or cache.counts.evaluated == evaluated
        assert cache.counts.moved == 0
        if wanted not in expected:
            fresh._cache.forget()
            expected[wanted] = expects(fresh._cache, wanted, n_vocab)
        # As much as another split of the same prompt into batches costs.
        assert divergence(expected[wanted], found) < 0.05
        for token in reply:
            assert cache.step(token) == OK
