"""How one reply's tokens are chosen: llama.cpp's chain of samplers, and the form that a reply may be bound to."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.llama.chain import Chain, Logits, candidates, is_cold
from airochat.backends.llama.form import STUCK, Form, NothingAllowed
from airochat.backends.llama.vocab import Vocab
from airochat.errors import PromptError
from airochat.sampling import FORBIDDEN, Sampling

L: Any = _llama
_CLOSED = ("Every token is ruled out, so the reply ends here.", "Look at logit_bias and ignore_eos.")


class Sampler:
    """Chooses the tokens of one reply as a `Sampling` says.

    ``history`` are the tokens before the reply, which penalties look at, and ``ends`` those that end it; ids must be
    in range. Making one raises `PromptError` if a token or the form cannot be had with this model.
    """

    def __init__(
        self, vocab: Vocab, sampling: Sampling, history: Sequence[int], ends: Collection[int] = ()
    ) -> None:
        # A reply that is bound to a form ends where the form does.
        endless = sampling.ignore_eos and not (sampling.grammar or sampling.json_schema)
        biases = {**dict.fromkeys(ends if endless else (), -math.inf), **_biases(vocab, sampling)}
        self._banned = frozenset(token for token, bias in biases.items() if bias == -math.inf)
        self._size = vocab.size
        self._form = Form.of(vocab, sampling)
        self._chain = Chain()
        self._add_biases(vocab.size, biases)
        self._chain.fill(vocab, sampling, history, cold=is_cold(sampling))

    def choose(self, context: Any, row: int) -> int:
        """Return the next token by the context's logits of token ``row`` of its last batch, which must have some.

        `NothingAllowed` if there is none.
        """
        if self._form is None:
            return self._checked(int(L.llama_sampler_sample(self._chain.handle, context, row)))
        logits = np.ctypeslib.as_array(L.llama_get_logits_ith(context, row), (self._size,))
        return self._checked(self._form.choose(logits, self._chain))

    def choose_from(self, logits: Logits) -> int:
        """Return the next token after these logits, which are left as they are; `NothingAllowed` if there is none."""
        if self._form is not None:
            return self._checked(self._form.choose(logits, self._chain))
        token = self._chain.pick(candidates(logits))
        if token is None:
            raise NothingAllowed(*_CLOSED)
        self._chain.accept(token)
        return self._checked(token)

    def clone(self) -> Sampler:
        """Return a sampler that goes on from here by itself."""
        copy = object.__new__(Sampler)
        copy._size, copy._banned, copy._chain = self._size, self._banned, self._chain.clone()
        copy._form = None if self._form is None else self._form.clone()
        return copy

    def _checked(self, token: int) -> int:
        if token in self._banned:
            raise NothingAllowed(*(_CLOSED if self._form is None else STUCK))
        return token

    def close(self) -> None:
        """Free the samplers."""
        self._chain.close()
        if self._form is not None:
            self._form.close()

    def _add_biases(self, n_vocab: int, biases: Mapping[int, float]) -> None:
        if biases:
            pairs = (L.llama_logit_bias * len(biases))(*biases.items())
            self._chain.add(L.llama_sampler_init_logit_bias(n_vocab, len(biases), pairs))


def _biases(vocab: Vocab, sampling: Sampling) -> dict[int, float]:
    """Return what is added to the logit of each token; a text counts for all of its tokens."""
    found: dict[int, float] = {}
    for wanted, bias in sampling.logit_bias:
        for token in _tokens(vocab, wanted):
            found[token] = -math.inf if bias == FORBIDDEN else bias
    return found


def _tokens(vocab: Vocab, wanted: str | int) -> Sequence[int]:
    if isinstance(wanted, str):
        special = vocab.vocabulary.specials.get(wanted)
        return vocab.encode(wanted, True) if special is None else [special]
    if wanted >= vocab.size:
        raise PromptError(
            f"logit_bias has the token {wanted}, but this model's tokens end at {vocab.size - 1}.",
            "Give its text instead.",
        )
    return [wanted]
