"""How likely the tokens of a reply were, and what else could have stood there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from airochat.backends.base import Candidate, Scored
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.chain import Logits
from airochat.backends.llama.context import OK
from airochat.backends.llama.model import Model
from airochat.errors import BackendError

MOST = 100
"""How many tokens are told for each place at most."""
_CHUNK = 256


class ScoreStopped(BackendError):
    """Something that somebody waits for came first; what was computed is still there."""

    def __init__(self) -> None:
        super().__init__("Looking at the reply was stopped.")


def score(cache: Cache, model: Model, tokens: tuple[int, ...], prompt: int, top: int) -> list[Scored]:
    """Return every token from number ``prompt`` on with its probability and the ``top`` likeliest ones in its place.

    The lane then holds all tokens. Raises `ScoreStopped`, or another `BackendError`.
    """
    _read(cache, tokens[:prompt])
    found = [_scored(model, -1, tokens[prompt], top)]
    rows = min(model.context.limits.outputs, model.n_batch)
    start = prompt
    while start < len(tokens):
        # Nothing is to be told of what would follow on the last token, but it belongs into the cache.
        count = min(rows, len(tokens) - start)
        if cache.evaluate(tokens[start : start + count], outputs=count) != OK:
            raise ScoreStopped
        cache.counts.evaluated += count
        following = enumerate(tokens[start + 1 : start + 1 + count])
        found += [_scored(model, row, token, top) for row, token in following]
        start += count
    return found


def _read(cache: Cache, prompt: tuple[int, ...]) -> None:
    reading = cache.read(prompt, _CHUNK)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            if not end.value:
                raise ScoreStopped from None
            return


def _scored(model: Model, row: int, token: int, top: int) -> Scored:
    vocab = model.vocab
    logits = np.ctypeslib.as_array(model.context.logits(row), (vocab.size,))
    highest = float(logits.max())
    if not np.isfinite(highest):
        raise BackendError("The model's numbers are not usable (NaN).", "The file may be damaged.")
    total = float(np.exp(logits - highest).sum())
    likeliest = _likeliest(logits, highest, min(top, MOST))

    def probability(one: int) -> float:
        return float(np.exp(logits[one] - highest)) / total

    others = tuple(Candidate(int(one), vocab.spelled[int(one)], probability(int(one))) for one in likeliest)
    return Scored(token, vocab.spelled[token], probability(token), others)


def _likeliest(logits: Logits, highest: float, count: int) -> Sequence[int] | np.ndarray[Any, Any]:
    """Return the likeliest tokens, sorted; of those far below the first only as many as are needed."""
    if count <= 0:
        return ()
    near = np.flatnonzero(logits > highest - 12)
    if len(near) < count:
        count = min(count, len(logits))
        near = np.argpartition(logits, -count)[-count:]
    return near[np.argsort(-logits[near], kind="stable")][:count]
