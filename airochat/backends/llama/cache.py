"""The KV cache of the chat: what lane 0 holds, and how it becomes the next prompt with the fewest tokens evaluated."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

from airochat.backends import kv
from airochat.backends.base import PromptProgress
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.context import ABORTED, OK, Context, State
from airochat.backends.shelf import Saved, Shelf
from airochat.errors import BackendError

_log = logging.getLogger(__name__)
Kind = Literal["plain", "window", "recurrent"]
"""How a model remembers: a cell for every token, only the newest cells once a state was saved, or one state for all."""
CHAT, _SPARE, _PARKING = 0, 1, 2
LEAST_LANES = _PARKING + kv.MOST_MOVES
"""The lane of the chat, one to bring saved states back through, and those where stretches wait that are moved."""
_LEAST_SAVED = 4
"""A shorter tail is sooner read again than it is saved."""
_CANDIDATES = 4
"""How many saved sequences are tried as the beginning of a plan."""


@dataclass(slots=True)
class Counts:
    """Tokens of the prompt that is being read."""

    live: int = 0
    moved: int = 0
    restored: int = 0
    evaluated: int = 0

    @property
    def reused(self) -> int:
        """All that were not evaluated."""
        return self.live + self.moved + self.restored


class Cache:
    """Owns lane 0 of a context, and a shelf of what was in it before; used by the engine's thread.

    ``tokens`` are those in the lane. With ``shift``, stretches may be moved to other positions.
    """

    def __init__(
        self, context: Context, batch: Batch, kind: Kind, shelf: Shelf[State], *, shift: bool
    ) -> None:
        self.context = context
        self.tokens: list[int] = []
        self.shelf = shelf
        self.shift = shift
        self.counts = Counts()
        """Those of the newest prompt."""
        self.hits = 0
        """How often something was brought back from the shelf."""
        self._batch = batch
        self._kind: Kind = kind
        self._floor = 0
        """Tokens that can only be forgotten all together, since older cells than these are not there any more."""

    # -- reading a prompt ----------------------------------------------------------------------------------------

    def read(self, wanted: tuple[int, ...], chunk: int) -> Generator[PromptProgress, None, bool]:
        """Bring a prompt into the lane, in pieces of ``chunk`` tokens; return whether that was done, or stopped.

        The last token's logits are there afterwards. Raises `BackendError`.
        """
        counts = self.counts = Counts()
        live = self._prepare(wanted)
        plan = self._plan(wanted)
        try:
            self._leave(plan.keep, plan)
            if len(self.tokens) < plan.keep:
                plan = kv.Plan(len(wanted), len(self.tokens))
            counts.live = min(live, len(self.tokens))
            counts.restored = len(self.tokens) - counts.live
            self.hits += counts.restored > 0
            yield PromptProgress(len(self.tokens), len(wanted), counts.reused)
            for start, stop, move in plan.gaps():
                if not (yield from self._evaluate_all(wanted[start:stop], len(wanted), chunk)):
                    return False
                if move is not None:
                    self._land(plan.moves.index(move), move, wanted)
        finally:
            for lane in range(_PARKING, min(LEAST_LANES, self.context.limits.lanes)):
                self.context.cut(lane, 0)
        return True

    def _evaluate_all(
        self, tokens: Sequence[int], total: int, chunk: int
    ) -> Generator[PromptProgress, None, bool]:
        done = 0
        while done < len(tokens):
            # Right after a shift one token goes alone, since that cannot be stopped.
            size = (
                1 if self.context.shifted else self._piece(len(self.tokens), len(tokens) - done, total, chunk)
            )
            before = len(self.tokens)
            code = self.evaluate(tokens[done : done + size])
            done += len(self.tokens) - before
            self.counts.evaluated += len(self.tokens) - before
            if code == ABORTED:
                return False
            if code != OK:
                raise BackendError("The context has no room for the prompt.", "Set a larger n_ctx.")
            yield PromptProgress(len(self.tokens), total, self.counts.reused)
        return True

    def _piece(self, at: int, left: int, total: int, chunk: int) -> int:
        """Return how many tokens to evaluate at once; a state that cannot be cut is saved before the last token."""
        size = min(chunk, self._batch.capacity, left)
        if self._kind == "plain" or at + size < total:
            return size
        if size > 1:
            return size - 1
        self._save_whole()
        return 1

    def evaluate(self, tokens: Sequence[int], *, outputs: int = 1) -> int:
        """Compute tokens behind those in the lane and return llama.cpp's code; what was computed is in ``tokens``."""
        return self.computed(self._batch.fill(tokens, len(self.tokens), outputs=outputs), tokens)

    def computed(self, batch: Batch, tokens: Sequence[int]) -> int:
        """Compute a batch of tokens of the lane; see `evaluate`."""
        code = self.context.compute(batch)
        if code == OK:
            self.tokens += tokens
        elif code == ABORTED:
            self._keep_finished(tokens)
        return code

    def _keep_finished(self, tokens: Sequence[int]) -> None:
        """After an abort the micro-batches that were finished are still in the cache."""
        if self._kind == "recurrent":
            self.forget()
            return
        self.tokens += tokens[: max(0, self.context.end(CHAT) - len(self.tokens))]

    def step(self, token: int) -> int:
        """Compute one token behind those in the lane and return llama.cpp's code."""
        code = self.context.compute(self._batch.one(token, len(self.tokens)))
        if code == OK:
            self.tokens.append(token)
        elif code == ABORTED and self._kind == "recurrent":
            self.forget()
        return code

    def forget(self) -> None:
        """Empty all lanes, without saving anything."""
        self.context.clear()
        self.tokens.clear()
        self._floor = 0

    def cut(self, length: int) -> bool:
        """Forget all but the first tokens, without saving them; return whether that could be done."""
        if length >= len(self.tokens):
            return True
        if length < self._floor or self._kind == "recurrent" or not self.context.cut(CHAT, length):
            return False
        del self.tokens[length:]
        return True

    # -- the way to a prompt -------------------------------------------------------------------------------------

    def _plan(self, wanted: tuple[int, ...], cached: Sequence[int] | None = None) -> kv.Plan:
        tokens = self.tokens if cached is None else cached
        rewind = self._kind != "recurrent"
        if rewind and self._floor and cached is None:
            rewind = kv.reusable(tokens, wanted) >= self._floor
        return kv.plan(tokens, wanted, can_shift=self.shift, can_rewind=rewind)

    def foresee(self, wanted: tuple[int, ...]) -> kv.Plan:
        """Return how a prompt would be brought into the lane now; nothing is changed."""
        return self._best(wanted)[0]

    def _prepare(self, wanted: tuple[int, ...]) -> int:
        """Bring a saved sequence into the lane if the way from there is shorter; return how many tokens just stayed."""
        plan, saved = self._best(wanted)
        if saved is None:
            return len(self.tokens)
        return self._switch(saved, saved.tokens if plan.moves or saved.whole else saved.tokens[: plan.keep])

    def _best(self, wanted: tuple[int, ...]) -> tuple[kv.Plan, Saved[State] | None]:
        """Return the shortest way to a prompt, and the saved sequence that it begins with, None for the lane itself."""
        best, source = self._plan(wanted), None
        for saved in self.shelf.candidates(wanted, _CANDIDATES):
            if saved.whole:
                usable = saved.reach(wanted) == len(saved.tokens) < len(wanted)
                plan = kv.Plan(len(wanted), len(saved.tokens) if usable else 0)
            else:
                plan = self._plan(wanted, saved.tokens)
            if _cost(plan) < _cost(best) and self._complete(saved, plan):
                best, source = plan, saved
        return best, source

    def _complete(self, saved: Saved[State], plan: kv.Plan) -> bool:
        """Return whether everything that a plan wants of a saved sequence can be had."""
        if saved.whole:
            return True
        target = saved.tokens if plan.moves else saved.tokens[: plan.keep]
        live = kv.shared(self.tokens, target)
        chain = self.shelf.cover(target, live)
        return bool(chain) and chain[-1].reach(target) == len(target)

    def _switch(self, saved: Saved[State], target: tuple[int, ...]) -> int:
        """Make the lane hold ``target``, by what it has of it and what is on the shelf; or a part, if a state fails.

        Return how many tokens it had.
        """
        live = 0 if saved.whole else kv.shared(self.tokens, target)
        chain = [saved] if saved.whole else self.shelf.cover(target, live)
        self.shelf.use(chain)
        self._leave(live)
        for one in chain:
            if not saved.whole and len(self.tokens) + len(one.tokens) - one.start > self.context.limits.n_ctx:
                self.cut(one.start)
                live = min(live, one.start)
            if not self._bring(one, min(one.reach(target), len(target))):
                _log.warning("A saved state of %d tokens could not be brought back", len(one.tokens))
                self.shelf.drop(one)
                break
        return live

    def _bring(self, saved: Saved[State], reach: int) -> bool:
        if saved.whole:
            self.context.cut(CHAT, 0)
            self.tokens.clear()
            if not self.context.restore(CHAT, saved.state):
                self._floor = 0
                return False
            self.tokens += saved.tokens
            self._floor = len(saved.tokens)
            return True
        if not self.context.restore(_SPARE, saved.state):
            return False
        at = len(self.tokens)
        self.context.share(_SPARE, CHAT, at, reach)
        self.context.cut(_SPARE, 0)
        self.tokens += saved.tokens[at:reach]
        return True

    def _leave(self, keep: int, plan: kv.Plan | None = None) -> None:
        """Give up the tokens from ``keep`` on: save them, and park those stretches that a plan moves."""
        if keep >= len(self.tokens):
            return
        self._save(keep)
        for number, move in enumerate(plan.moves if plan else ()):
            self.context.share(CHAT, _PARKING + number, move.start, move.stop)
        if keep and self._kind != "recurrent" and self.context.cut(CHAT, keep):
            del self.tokens[keep:]
        else:
            self.context.cut(CHAT, 0)
            self.tokens.clear()
            self._floor = 0
        for number, move in enumerate(plan.moves if plan else ()):
            self.context.shift(_PARKING + number, move.start, move.stop, move.to - move.start)

    def _land(self, number: int, move: kv.Move, wanted: Sequence[int]) -> None:
        self.context.share(_PARKING + number, CHAT, move.to, move.end)
        self.context.cut(_PARKING + number, 0)
        self.tokens += wanted[move.to : move.end]
        self.counts.moved += move.end - move.to

    # -- saving --------------------------------------------------------------------------------------------------

    def _save(self, keep: int) -> None:
        """Put the tokens from ``keep`` on onto the shelf, unless they are there or are too few."""
        if self._kind != "plain":
            self._save_whole()
            return
        tokens = tuple(self.tokens)
        chain = self.shelf.cover(tokens, keep)
        reach = chain[-1].reach(tokens) if chain else keep
        self.shelf.use(chain)
        if len(tokens) - reach >= _LEAST_SAVED:
            self.save_lane(CHAT, tokens, reach)

    def put(self, saved: Saved[State]) -> None:
        """Take a sequence that was saved elsewhere; one that holds nothing new, or finds no room, is left."""
        if len(saved.tokens) > self.context.limits.n_ctx:
            return
        if self._kind != "plain":
            saved = Saved(saved.tokens, 0, saved.state, saved.size, whole=True)
        chain = self.shelf.cover(saved.tokens, kv.shared(self.tokens, saved.tokens))
        if not chain or chain[-1].reach(saved.tokens) < len(saved.tokens):
            self.shelf.put(saved)

    def save_lane(self, lane: int, tokens: tuple[int, ...], start: int) -> None:
        """Put a lane's tokens from ``start`` on onto the shelf; ``tokens`` are all that it has."""
        if self._kind != "plain":
            self._put(lane, tokens, 0, whole=True)
            return
        chain = self.shelf.cover(tokens, start)
        if not self.shelf.limit or (chain and chain[-1].reach(tokens) == len(tokens)):
            self.shelf.use(chain)
            return
        if lane == _SPARE:
            self.context.cut(_SPARE, 0, start)
        else:
            self.context.share(lane, _SPARE, start)
        self._put(_SPARE, tokens, start, whole=False)
        self.context.cut(_SPARE, 0)

    def _save_whole(self) -> None:
        tokens = tuple(self.tokens)
        if len(tokens) >= _LEAST_SAVED and not self.shelf.cover(tokens, len(tokens) - 1):
            self._put(CHAT, tokens, 0, whole=True)

    def _put(self, lane: int, tokens: tuple[int, ...], start: int, *, whole: bool) -> None:
        if self.context.state_size(lane) > self.shelf.limit:
            return
        state = self.context.save(lane)
        if state is not None:
            self.shelf.put(Saved(tokens, start, state, state.size, whole=whole))


def _cost(plan: kv.Plan) -> tuple[int, int]:
    """Return what a plan takes; moved tokens are only nearly what they would be."""
    return plan.evaluated, plan.moved
