"""The arrays that llama.cpp reads tokens from, made once and filled for every batch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

L: Any = _llama


class Batch:
    """A batch of at most ``capacity`` tokens; ``struct`` is what llama.cpp takes."""

    def __init__(self, capacity: int, lanes: int) -> None:
        self.capacity = capacity
        self.count = 0
        """How many tokens it has."""
        self.outputs = 0
        """For how many of them logits are wanted."""
        self._numbers = np.arange(lanes, dtype=np.int32)
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._counts = np.ones(capacity, np.int32)
        self._lanes = np.full(capacity, self._numbers.ctypes.data, np.uint64)
        self._wanted = np.zeros(capacity, np.int8)
        self.struct = L.llama_batch()
        self.struct.token = _pointer(self._tokens, ctypes.c_int32)
        self.struct.pos = _pointer(self._positions, ctypes.c_int32)
        self.struct.n_seq_id = _pointer(self._counts, ctypes.c_int32)
        self.struct.seq_id = _pointer(self._lanes, ctypes.POINTER(ctypes.c_int32))
        self.struct.logits = _pointer(self._wanted, ctypes.c_int8)

    def fill(self, tokens: Sequence[int], start: int, *, outputs: int = 1) -> Batch:
        """Hold tokens of lane 0 from position ``start``, with logits for the last ``outputs`` of them."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(start, start + count)
        self._lanes[:count] = self._numbers.ctypes.data
        self._wanted[:count] = 0
        self._wanted[count - outputs : count] = 1
        self.struct.n_tokens = self.count = count
        self.outputs = outputs
        return self

    def one(self, token: int, position: int, lane: int = 0) -> Batch:
        """Hold a single token with logits."""
        self._tokens[0] = token
        self._positions[0] = position
        self._lanes[0] = self._numbers.ctypes.data + 4 * lane
        self._wanted[0] = 1
        self.struct.n_tokens = self.count = self.outputs = 1
        return self

    def many(self, entries: Sequence[tuple[int, int, int]]) -> Batch:
        """Hold one token a lane, given as token, position and lane, all with logits."""
        for number, (token, position, lane) in enumerate(entries):
            self._tokens[number] = token
            self._positions[number] = position
            self._lanes[number] = self._numbers.ctypes.data + 4 * lane
            self._wanted[number] = 1
        self.struct.n_tokens = self.count = self.outputs = len(entries)
        return self


def _pointer(array: np.ndarray[Any, Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
