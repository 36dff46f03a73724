"""The form that a reply may be bound to: a grammar, or a JSON schema that is turned into one."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat import grammar
from airochat.backends.llama.chain import Candidates, Chain, Logits, candidate_array, candidates
from airochat.backends.llama.vocab import Vocab
from airochat.errors import AirochatError, BackendError, PromptError
from airochat.sampling import Sampling

L: Any = _llama
STUCK = (
    "The grammar or JSON schema allows no further token, so the reply ends here.",
    "Look at it, and at logit_bias; what it asks for may have no spelling in this model's tokens.",
)
"""What is said where the form allows nothing, or nothing but what ``logit_bias`` rules out."""


class NothingAllowed(BackendError):
    """There is no token that a reply may go on with."""


class Form:
    """A grammar at work on one reply. Only tokens that it has allowed are shown to it: others end the process."""

    def __init__(self, vocab: Vocab, text: str) -> None:
        self._handle = L.llama_sampler_init_grammar(vocab.handle, text.encode("utf-8", "replace"), b"root")
        if not self._handle:
            raise PromptError(
                "llama.cpp cannot read the grammar.",
                "A rule must not begin with itself; see llama.cpp's page on GBNF grammars.",
            )
        self._one = candidates(np.zeros(1, np.float32))

    @classmethod
    def of(cls, vocab: Vocab, sampling: Sampling) -> Form | None:
        """Return the form that the parameters ask for, or None."""
        text = sampling.grammar or (_from_schema(sampling.json_schema) if sampling.json_schema else "")
        return cls(vocab, text) if text else None

    def choose(self, logits: Logits, chain: Chain) -> int:
        """Return the chain's choice among what the form allows, and remember it; `NothingAllowed` if that is nothing.

        Asking the form about one token costs far less than about all, so that is tried first.
        """
        token = self._pick(candidates(logits), chain)
        if not self._allows(token):
            found = candidates(logits)
            L.llama_sampler_apply(self._handle, ctypes.byref(candidate_array(found)))
            token = self._pick(found[np.isfinite(found["logit"])], chain)
            if not self._allows(token):
                raise NothingAllowed(*STUCK)
        L.llama_sampler_accept(self._handle, token)
        chain.accept(token)
        return token

    def clone(self) -> Form:
        """Return a form that goes on from here by itself."""
        copy = object.__new__(Form)
        copy._handle, copy._one = L.llama_sampler_clone(self._handle), self._one.copy()
        return copy

    def close(self) -> None:
        """Free the grammar."""
        if self._handle:
            L.llama_sampler_free(self._handle)
            self._handle = None

    def _pick(self, found: Candidates, chain: Chain) -> int:
        token = chain.pick(found) if len(found) else None
        if token is None:
            raise NothingAllowed(*STUCK)
        return token

    def _allows(self, token: int) -> bool:
        self._one[0] = (token, 1.0, 0.0)
        L.llama_sampler_apply(self._handle, ctypes.byref(candidate_array(self._one)))
        return bool(np.isfinite(self._one["logit"][0]))


def _from_schema(text: str) -> str:
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        made: str = json_schema_to_gbnf(text)
        grammar.check(made)
    except AirochatError as error:
        raise PromptError(f"The JSON schema is too large. {error.message}", "Simplify it.") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PromptError(f"The JSON schema cannot be used: {reason}.", "Simplify it.") from None
    return made
