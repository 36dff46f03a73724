"""The chain of samplers that chooses a token."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from llama_cpp import llama_cpp as _llama

from airochat.sampling import Sampling

L: Any = _llama
_COLDEST = 1e-3
"""Below this temperature the likeliest token is as good as certain, and dividing by it could overflow."""


class Sampler:
    """llama.cpp's chain for one reply: penalties, top-k, top-p, min-p, temperature, and a seeded choice.

    ``history`` are the tokens before the reply, of which the penalties remember the last ones, and ``ends`` those that
    end it, which are never chosen if they are to be ignored; ids must be in range.
    """

    def __init__(
        self, n_vocab: int, sampling: Sampling, history: Sequence[int], ends: Collection[int] = ()
    ) -> None:
        parameters = L.llama_sampler_chain_default_params()
        parameters.no_perf = True
        self.chain = L.llama_sampler_chain_init(parameters)
        if sampling.ignore_eos and ends:
            biases = (L.llama_logit_bias * len(ends))(*((token, -math.inf) for token in ends))
            L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_logit_bias(n_vocab, len(ends), biases))
        self._add_penalties(n_vocab, sampling, history)
        if sampling.temperature < _COLDEST:
            L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_greedy())
            return
        if sampling.top_k:
            L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_min_p(sampling.min_p, 1))
        L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_temp(sampling.temperature))
        seed = L.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed
        L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_dist(seed))

    def _add_penalties(self, n_vocab: int, sampling: Sampling, history: Sequence[int]) -> None:
        last = min(sampling.repeat_last_n, len(history) + sampling.max_tokens)
        strengths = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        if not last or strengths == (1, 0, 0):
            return
        L.llama_sampler_chain_add(self.chain, L.llama_sampler_init_penalties(n_vocab, last, *strengths))
        for token in history[-last:]:
            L.llama_sampler_accept(self.chain, token)

    def close(self) -> None:
        """Free the chain and its samplers."""
        if self.chain:
            L.llama_sampler_free(self.chain)
            self.chain = None
