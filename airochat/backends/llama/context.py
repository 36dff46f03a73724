"""A context of llama.cpp: lanes of tokens in one cache, and the calls on them, checked before C sees them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.errors import BackendError

L: Any = _llama
OK, NO_ROOM, ABORTED = 0, 1, 2
"""What ``llama_decode`` returns; anything negative is an error."""
_TO_THE_END = -1
State = np.ndarray[Any, Any]
"""The saved state of a lane, as bytes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tokens, tokens a batch, lanes and rows of logits a batch a context has."""

    n_ctx: int
    n_batch: int
    lanes: int
    outputs: int


class Context:
    """Owns a context of llama.cpp; used by one thread.

    ``handle`` is what llama.cpp calls it, ``stop`` the flag that ends what it computes. Positions in a lane are
    consecutive and begin with 0, unless a lane is empty.
    """

    def __init__(self, handle: Any, stop: StopFlag, limits: Limits) -> None:
        self.handle = handle
        self.stop = stop
        self.limits = limits
        self._memory = L.llama_get_memory(handle)
        self._shifted = False
        """Whether cells were moved and not computed since: then neither saving nor stopping is safe."""

    def close(self) -> None:
        """Free the context."""
        if self.handle:
            L.llama_free(self.handle)
            self.handle = None

    @property
    def can_shift(self) -> bool:
        """Whether llama.cpp says that cells of this cache can be moved."""
        return bool(L.llama_memory_can_shift(self._memory))

    # -- lanes ---------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Empty all lanes."""
        L.llama_memory_clear(self._memory, True)
        self._shifted = False

    def cut(self, lane: int, start: int, stop: int = _TO_THE_END) -> bool:
        """Remove the tokens of a lane from ``start`` on, or up to ``stop``; return whether that could be done."""
        return bool(L.llama_memory_seq_rm(self._memory, self._lane(lane), start, stop))

    def share(self, source: int, target: int, start: int = 0, stop: int = _TO_THE_END) -> None:
        """Let ``target`` have tokens of ``source``, too, at the same positions; nothing is copied.

        The target must not have any tokens there.
        """
        L.llama_memory_seq_cp(self._memory, self._lane(source), self._lane(target), start, stop)

    def shift(self, lane: int, start: int, stop: int, by: int) -> None:
        """Move tokens of a lane, which no other lane may share, to other positions of it."""
        if by:
            L.llama_memory_seq_add(self._memory, self._lane(lane), start, stop, by)
            self._shifted = True

    def end(self, lane: int) -> int:
        """Return the position behind the last token of a lane; 0 if it is empty."""
        return int(L.llama_memory_seq_pos_max(self._memory, self._lane(lane))) + 1

    # -- states --------------------------------------------------------------------------------------------------

    def state_size(self, lane: int) -> int:
        """Return the bytes that `save` would give."""
        return int(L.llama_state_seq_get_size(self.handle, self._lane(lane)))

    def save(self, lane: int) -> State | None:
        """Return the state of a lane, or None if it has none that could be brought back."""
        if self._shifted or self.end(lane) <= 0:
            return None
        size = self.state_size(lane)
        state = np.empty(size, np.uint8)
        written = L.llama_state_seq_get_data(self.handle, _bytes(state), size, self._lane(lane))
        return state if written == size else None

    def restore(self, lane: int, state: State) -> bool:
        """Give a lane a saved state in place of its own; return whether that went well, else the lane is empty."""
        read = L.llama_state_seq_set_data(self.handle, _bytes(state), state.size, self._lane(lane))
        if not state.size or read != state.size:
            self.cut(lane, 0)
            return False
        return True

    # -- computing -----------------------------------------------------------------------------------------------

    def compute(self, batch: Batch) -> int:
        """Evaluate a batch and return `OK`, `NO_ROOM` (nothing has changed) or `ABORTED` (some may be evaluated).

        `BackendError` if llama.cpp fails. The first batch after a shift must be short: it is not stopped, since
        llama.cpp would rotate layers twice.
        """
        if batch.count > self.limits.n_batch or batch.outputs > self.limits.outputs:
            raise BackendError(f"A batch of {batch.count} tokens is too large for this context.")
        if self._shifted:
            with self.stop.held():
                code = int(L.llama_decode(self.handle, batch.struct))
        else:
            code = int(L.llama_decode(self.handle, batch.struct))
        if code == OK:
            self._shifted = False
        elif code < 0:
            raise BackendError(
                f"llama.cpp could not compute (code {code}).",
                "If memory ran out: set a smaller n_ctx, or fewer n_gpu_layers. The engine's log says more.",
            )
        return code

    @property
    def shifted(self) -> bool:
        """Whether the next batch is the first one after a shift."""
        return self._shifted

    def logits(self, row: int) -> Any:
        """Return a pointer to the logits of token ``row`` of the last batch, null if there are none.

        -1 is the last token that has any; the next batch overwrites them.
        """
        return L.llama_get_logits_ith(self.handle, row)

    def _lane(self, lane: int) -> int:
        if not 0 <= lane < self.limits.lanes:
            raise BackendError(f"There is no lane {lane} in this context.")
        return lane


def _bytes(state: State) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
