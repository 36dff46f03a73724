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
from airochat.backends.llama.vocab import Vocab
from airochat.errors import BackendError

MOST = 100
"""How many tokens are told for each place at most."""
_CHUNK = 256
_STOPPED = BackendError("Looking at the reply was stopped.")


def score(cache: Cache, model: Model, tokens: tuple[int, ...], prompt: int, top: int) -> list[Scored]:
    """Return every token from number ``prompt`` on with its probability and the ``top`` likeliest ones in its place.

    The lane then holds all tokens. Raises `BackendError`.
    """
    # All but the last token of the prompt; the logits of that one tell of the reply's first.
    start = max(prompt - 1, 0)
    if start:
        reading = cache.read(tokens[:start], _CHUNK)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                if not end.value:
                    raise _STOPPED from None
                break
    else:
        cache.forget()
    cache.counts.evaluated += len(tokens) - start
    rows = min(model.context.limits.outputs, model.n_batch)
    found: list[Scored] = []
    while start < len(tokens) - 1:
        count = min(rows, len(tokens) - 1 - start)
        if cache.evaluate(tokens[start : start + count], outputs=count) != OK:
            raise _STOPPED
        for row in range(count):
            pointer = model.context.logits(row)
            logits = np.ctypeslib.as_array(pointer, (model.vocab.size,))
            found.append(_scored(logits, tokens[start + row + 1], min(top, MOST), model.vocab))
        start += count
    if cache.evaluate(tokens[-1:]) != OK:
        raise _STOPPED
    return found


def _scored(logits: Logits, token: int, top: int, vocab: Vocab) -> Scored:
    highest = float(logits.max())
    if not np.isfinite(highest):
        raise BackendError("The model's numbers are not usable (NaN).", "The file may be damaged.")
    total = float(np.exp(logits - highest).sum())
    likeliest = _likeliest(logits, highest, top)

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
