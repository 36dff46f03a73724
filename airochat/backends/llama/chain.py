"""The chain of samplers in llama.cpp, built from sampling parameters in the order that they ask for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.llama.vocab import Vocab
from airochat.sampling import Sampling

L: Any = _llama
_COLDEST = 1e-3
"""Below this temperature the likeliest token is as good as certain, and dividing by it could overflow."""
_NIL = 1e-12
"""Tokens this much less likely than the first, such as those ruled out, are dropped before samplers that take
logarithms of probabilities, or that may leave only the unlikeliest."""
_MIROSTAT_M = 100
"""How many tokens mirostat 1 estimates its exponent from; the value of its paper."""
_LONGEST_MEMORY = 65_536
_REMEMBERS = ("penalties", "dry")


Logits = np.ndarray[Any, Any]
"""One number for each token of a vocabulary."""
Candidates = np.ndarray[Any, Any]
"""Tokens with their logits, in the layout of ``llama_token_data``."""
_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])


def candidates(logits: Logits) -> Candidates:
    """Return all tokens of a vocabulary as candidates, in new memory."""
    found = np.empty(len(logits), _CANDIDATE)
    found["id"], found["logit"], found["p"] = np.arange(len(logits), dtype=np.int32), logits, 0
    return found


def candidate_array(found: Candidates) -> Any:
    """Return what llama.cpp's samplers take; valid as long as the candidates live."""
    pointer = found.ctypes.data_as(ctypes.POINTER(L.llama_token_data))
    return L.llama_token_data_array(pointer, len(found), -1, False)


def is_cold(sampling: Sampling) -> bool:
    """Return whether the likeliest token is always taken."""
    return sampling.temperature < _COLDEST


class Chain:
    """Owns a chain of samplers; ``handle`` is what llama.cpp calls it."""

    def __init__(self) -> None:
        parameters = L.llama_sampler_chain_default_params()
        parameters.no_perf = True
        self.handle = L.llama_sampler_chain_init(parameters)

    def add(self, sampler: Any) -> None:
        """Add a sampler, which the chain frees from now on."""
        L.llama_sampler_chain_add(self.handle, sampler)

    def fill(self, vocab: Vocab, sampling: Sampling, history: Sequence[int], *, cold: bool) -> None:
        """Add what the parameters ask for; the last sampler selects the token."""
        for name in sampling.samplers:
            if name in _REMEMBERS:
                self._add_memory(_MEMORIES[name](vocab, sampling, _window(name, sampling, history)), history)
            elif not cold and not sampling.mirostat and name in _MAKERS:
                for sampler in _MAKERS[name](sampling):
                    self.add(sampler)
        self.add(L.llama_sampler_init_greedy() if cold else self._selector(vocab.size, sampling))

    def _selector(self, n_vocab: int, sampling: Sampling) -> Any:
        seed = L.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed
        if sampling.mirostat:
            for sampler in (L.llama_sampler_init_min_p(_NIL, 1), *_temperature(sampling)):
                self.add(sampler)
            tau, eta = sampling.mirostat_tau, sampling.mirostat_eta
            if sampling.mirostat == 1:
                return L.llama_sampler_init_mirostat(n_vocab, seed, tau, eta, _MIROSTAT_M)
            return L.llama_sampler_init_mirostat_v2(seed, tau, eta)
        if sampling.adaptive_target >= 0:
            return L.llama_sampler_init_adaptive_p(sampling.adaptive_target, sampling.adaptive_decay, seed)
        return L.llama_sampler_init_dist(seed)

    def _add_memory(self, made: tuple[Any, int] | None, history: Sequence[int]) -> None:
        """Add a sampler that looks back, after showing it what was written before."""
        if made is None:
            return
        sampler, window = made
        for token in history[-window:]:
            L.llama_sampler_accept(sampler, token)
        self.add(sampler)

    def pick(self, found: Candidates) -> int | None:
        """Return the chain's choice among candidates, None if it makes none; `accept` must follow."""
        array = candidate_array(found)
        L.llama_sampler_apply(self.handle, ctypes.byref(array))
        if not 0 <= array.selected < array.size:
            return None
        return int(array.data[array.selected].id)

    def accept(self, token: int) -> None:
        """Let the samplers remember a token that was chosen."""
        L.llama_sampler_accept(self.handle, token)

    def clone(self) -> Chain:
        """Return a chain that goes on from here by itself."""
        copy = object.__new__(Chain)
        copy.handle = L.llama_sampler_clone(self.handle)
        return copy

    def close(self) -> None:
        """Free the chain and its samplers."""
        if self.handle:
            L.llama_sampler_free(self.handle)
            self.handle = None


def _window(name: str, sampling: Sampling, history: Sequence[int]) -> int:
    """Return how many tokens a sampler looks back on; llama.cpp would take -1 for none."""
    asked = sampling.dry_penalty_last_n if name == "dry" else sampling.repeat_last_n
    everything = len(history) + min(sampling.max_tokens, _LONGEST_MEMORY)
    return everything if asked < 0 else min(asked, everything)


def _penalties(vocab: Vocab, sampling: Sampling, window: int) -> tuple[Any, int] | None:
    strengths = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    if not window or strengths == (1, 0, 0):
        return None
    return L.llama_sampler_init_penalties(vocab.size, window, *strengths), window


def _dry(vocab: Vocab, sampling: Sampling, window: int) -> tuple[Any, int] | None:
    if not window or not sampling.dry_multiplier:
        return None
    texts = [text.encode("utf-8", "replace") for text in sampling.dry_sequence_breakers]
    breakers = (ctypes.c_char_p * len(texts))(*texts)
    strength = (sampling.dry_multiplier, sampling.dry_base, sampling.dry_allowed_length)
    return L.llama_sampler_init_dry(vocab.handle, *strength, window, breakers, len(texts)), window


def _temperature(sampling: Sampling) -> list[Any]:
    if sampling.dynatemp_range:
        return [
            L.llama_sampler_init_temp_ext(
                sampling.temperature, sampling.dynatemp_range, sampling.dynatemp_exponent
            )
        ]
    return [L.llama_sampler_init_temp(sampling.temperature)]


def _xtc(sampling: Sampling) -> list[Any]:
    if not sampling.xtc_probability:
        return []
    seed = L.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed
    xtc = L.llama_sampler_init_xtc(sampling.xtc_probability, sampling.xtc_threshold, 1, seed)
    return [L.llama_sampler_init_min_p(_NIL, 1), xtc]


def _typical(sampling: Sampling) -> list[Any]:
    if sampling.typical_p >= 1:
        return []
    return [L.llama_sampler_init_min_p(_NIL, 1), L.llama_sampler_init_typical(sampling.typical_p, 1)]


def _top_n_sigma(sampling: Sampling) -> list[Any]:
    return [L.llama_sampler_init_top_n_sigma(sampling.top_n_sigma)] if sampling.top_n_sigma > 0 else []


def _top_k(sampling: Sampling) -> list[Any]:
    return [L.llama_sampler_init_top_k(sampling.top_k)] if sampling.top_k else []


def _top_p(sampling: Sampling) -> list[Any]:
    return [L.llama_sampler_init_top_p(sampling.top_p, 1)] if sampling.top_p < 1 else []


def _min_p(sampling: Sampling) -> list[Any]:
    return [L.llama_sampler_init_min_p(sampling.min_p, 1)] if sampling.min_p > 0 else []


_MEMORIES: Mapping[str, Callable[[Vocab, Sampling, int], tuple[Any, int] | None]] = {
    "penalties": _penalties,
    "dry": _dry,
}
_MAKERS: Mapping[str, Callable[[Sampling], list[Any]]] = {
    "top_n_sigma": _top_n_sigma,
    "top_k": _top_k,
    "typ_p": _typical,
    "top_p": _top_p,
    "min_p": _min_p,
    "xtc": _xtc,
    "temperature": _temperature,
}
