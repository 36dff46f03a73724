"""The form that a reply may be bound to: a grammar, or a JSON schema that is turned into one."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat import grammar
from airochat.backends.llama.vocab import Vocab
from airochat.errors import AirochatError, BackendError, PromptError
from airochat.sampling import Sampling

L: Any = _llama
_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
"""The layout of ``llama_token_data``."""

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
        self._ids = np.arange(vocab.size, dtype=np.int32)
        self._one = np.zeros(1, _CANDIDATE)

    @classmethod
    def of(cls, vocab: Vocab, sampling: Sampling) -> Form | None:
        """Return the form that the parameters ask for, or None."""
        text = sampling.grammar or (_from_schema(sampling.json_schema) if sampling.json_schema else "")
        return cls(vocab, text) if text else None

    def choose(self, logits: Any, chain: Any) -> int:
        """Return the chain's choice among what the form allows, and remember it; `NothingAllowed` if that is nothing.

        Asking the form about one token costs far less than about all, so that is tried first.
        """
        values = np.ctypeslib.as_array(logits, (len(self._ids),))
        token = self._pick(values, chain, bound=False)
        if not self._allows(token):
            token = self._pick(values, chain, bound=True)
            if not self._allows(token):
                raise NothingAllowed(*STUCK)
        L.llama_sampler_accept(self._handle, token)
        L.llama_sampler_accept(chain, token)
        return token

    def close(self) -> None:
        """Free the grammar."""
        if self._handle:
            L.llama_sampler_free(self._handle)
            self._handle = None

    def _pick(self, values: np.ndarray[Any, Any], chain: Any, *, bound: bool) -> int:
        found = np.empty(len(values), _CANDIDATE)
        found["id"], found["logit"], found["p"] = self._ids, values, 0
        if bound:
            L.llama_sampler_apply(self._handle, ctypes.byref(_array(found)))
            found = found[np.isfinite(found["logit"])]
        if not len(found):
            raise NothingAllowed(*STUCK)
        candidates = _array(found)
        L.llama_sampler_apply(chain, ctypes.byref(candidates))
        if not 0 <= candidates.selected < candidates.size:
            raise NothingAllowed(*STUCK)
        return int(candidates.data[candidates.selected].id)

    def _allows(self, token: int) -> bool:
        self._one[0] = (token, 1.0, 0.0)
        L.llama_sampler_apply(self._handle, ctypes.byref(_array(self._one)))
        return bool(np.isfinite(self._one["logit"][0]))


def _array(candidates: np.ndarray[Any, Any]) -> Any:
    pointer = candidates.ctypes.data_as(ctypes.POINTER(L.llama_token_data))
    return L.llama_token_data_array(pointer, len(candidates), -1, False)


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
