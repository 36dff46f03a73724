"""A small model that guesses what a large one will write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airochat.backends.llama.batch import Batch
from airochat.backends.llama.cache import Cache
from airochat.backends.llama.context import OK
from airochat.backends.llama.model import Model
from airochat.backends.shelf import Shelf
from airochat.errors import ModelError

_CHUNK = 256
_LEAST = 0.4
"""A token less probable than that is no guess."""


class DraftModel:
    """Guesses by a second model of the same vocabulary; making one raises `ModelError` if it has another one."""

    def __init__(self, model: Model, target: Model) -> None:
        _check_same_tokens(model, target)
        self._model = model
        batch = Batch(min(model.n_batch, _CHUNK), model.context.limits.lanes)
        self._cache = Cache(model.context, batch, model.kind, Shelf(0), shift=False)

    def propose(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return up to ``count`` tokens that may follow on ``tokens``."""
        count = min(count, self._model.n_ctx - len(tokens) - 1)
        if count < 1:
            return []
        reading = self._cache.read(tuple(tokens), _CHUNK)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                if not end.value:
                    return []
                break
        found: list[int] = []
        while len(found) < count:
            token = self._likeliest()
            if token is None:
                break
            found.append(token)
            if len(found) < count and self._cache.step(token) != OK:
                break
        return found

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def _likeliest(self) -> int | None:
        size = self._model.vocab.size
        logits = np.ctypeslib.as_array(self._model.context.logits(-1), (size,))
        token = int(logits.argmax())
        share = 1 / float(np.exp(logits - logits[token]).sum())
        return token if share >= _LEAST else None


def _check_same_tokens(model: Model, target: Model) -> None:
    vocab, other = model.vocab, target.vocab
    everything = range(target.vocab.size)
    if vocab.size == other.size and vocab.pieces(everything) == other.pieces(everything):
        return
    raise ModelError(
        f"The draft model {model.info.name} has another vocabulary than {target.info.name}.",
        "Take a smaller model of the same family, or set draft_model to nothing.",
    )
