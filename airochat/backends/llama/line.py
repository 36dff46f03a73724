"""One reply while it is written: the choice of its tokens, what of them is shown, and why it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from airochat.backends.bans import NO_BANS, BanReport, BanRun
from airochat.backends.base import StopReason, TextDelta
from airochat.backends.llama.chain import Logits
from airochat.backends.llama.context import Context
from airochat.backends.llama.form import NothingAllowed
from airochat.backends.llama.processors import Processors, usable
from airochat.backends.llama.sampler import Sampler
from airochat.backends.llama.vocab import Vocab
from airochat.backends.reply import Reply
from airochat.errors import BackendError

_UNUSABLE = (
    "The model's numbers are not usable (NaN), so no token can be chosen.",
    "The file may be damaged, or needs other settings: try type_k, type_v and flash_attn at their defaults.",
)


@dataclass(slots=True)
class _Before:
    """Logits and samplers as they were before a token was chosen."""

    logits: Logits
    sampler: Sampler


class Line:
    """The reply number ``index``, in a lane behind a prompt of ``prompt`` tokens.

    It ends at one of the tokens ``ends``, or with ``limit`` tokens. With ``bans``, tokens may be taken back; what
    ``processors`` made of the logits at a place is then used again, so that these are called once for each token.
    """

    def __init__(
        self,
        vocab: Vocab,
        sampler: Sampler,
        reply: Reply,
        *,
        prompt: int,
        ends: Collection[int],
        limit: int,
        index: int = 0,
        lane: int = 0,
        bans: BanRun | None = None,
        processors: Processors | None = None,
    ) -> None:
        self.lane, self.index, self.prompt, self.limit = lane, index, prompt, limit
        self.reply = reply
        self.reason: StopReason | None = None
        """Why the reply has ended; None while it goes on."""
        self._vocab, self._sampler, self._ends = vocab, sampler, ends
        self._bans, self._processors = bans, processors
        self._before: dict[int, _Before] = {}

    @property
    def tokens(self) -> list[int]:
        """The tokens that stand so far; those behind the last one computed are to be computed next."""
        return self.reply.tokens if self._bans is None else self._bans.tokens

    @property
    def position(self) -> int:
        """Where the next token to compute stands in the lane."""
        return self.prompt + len(self.tokens) - 1

    def advance(self, context: Context, row: int) -> TextDelta | None:
        """Choose the next token by the logits of token ``row`` of the last batch; return text to send, if there is any.

        Afterwards ``reason`` is set, or the last of ``tokens`` is to be computed. Raises `BackendError`.
        """
        size = self._vocab.size
        logits = context.logits(row)
        if not logits or math.isnan(logits[0]):
            raise BackendError(*_UNUSABLE)
        if self._bans is not None:
            copy = np.ctypeslib.as_array(logits, (size,)).copy()
            return self._choose_unbanned(self._processed(copy), self._bans)
        if self._processors is not None:
            self._processed(np.ctypeslib.as_array(logits, (size,)))
        token = self._sampler.choose(context.handle, row)
        if not 0 <= token < size or not math.isfinite(logits[token]):
            raise BackendError(*_UNUSABLE)
        return self._take(token)

    def advance_from(self, logits: Logits) -> TextDelta | None:
        """Choose the next token by a copy of logits, which is left as it is; see `advance`."""
        if math.isnan(logits[0]):
            raise BackendError(*_UNUSABLE)
        if self._processors is not None:
            logits = self._processed(logits.copy())
        if self._bans is None:
            token = self._sampler.choose_from(logits)
            if not math.isfinite(logits[token]):
                raise BackendError(*_UNUSABLE)
            return self._take(token)
        return self._choose_unbanned(logits, self._bans)

    def cut(self) -> TextDelta | None:
        """End the reply where it stands, since the user wants that or no more fits; return text to send."""
        if self._bans is None:
            return None
        self._bans.cut()
        return self._hand_over(self._bans)

    def report(self) -> BanReport:
        """Return what was done about banned phrases."""
        return NO_BANS if self._bans is None else self._bans.report()

    @property
    def processed(self) -> bool:
        """Whether logits processors were asked for."""
        return self._processors is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told about the logits processors."""
        return () if self._processors is None else tuple(self._processors.notes)

    def close(self) -> None:
        """Free the samplers."""
        self._sampler.close()
        for before in self._before.values():
            before.sampler.close()
        self._before.clear()

    def _processed(self, logits: Logits) -> Logits:
        """Return logits after the processors have changed them in place."""
        if self._processors:
            if not usable(logits):
                raise BackendError(*_UNUSABLE)
            self._processors.apply(self.tokens, logits)
        return logits

    def _take(self, token: int) -> TextDelta | None:
        now = time.perf_counter()
        if token in self._ends:
            self.reply.tick(now)
            self.reason = "eos"
            return None
        delta = self.reply.add(token, now)
        if self.reply.stopped:
            self.reason = "stop"
        elif len(self.reply.tokens) >= self.limit:
            self.reason = "length"
        return delta

    # -- banned phrases ------------------------------------------------------------------------------------------

    def _choose_unbanned(self, logits: Logits, bans: BanRun) -> TextDelta | None:
        while True:
            self._before[len(bans.tokens)] = _Before(logits, self._sampler.clone())
            back = self._offer(logits, bans)
            if back is None:
                break
            logits = self._go_back(back)
        if self.reason is None:
            for position in [one for one in self._before if one < len(self.reply.tokens)]:
                self._before.pop(position).sampler.close()
        return self._hand_over(bans)

    def _offer(self, logits: Logits, bans: BanRun) -> int | None:
        """Choose a token and return where to go back to, or None if it stands."""
        token = self._choose_but(logits, bans.banned)
        self.reply.tick(time.perf_counter())
        if token is None:
            back = bans.stuck()
            if back is None:
                raise NothingAllowed("There is no token to go on with, so the reply ends here.")
            return back
        if token in self._ends:
            back = bans.end()
            self.reason = "eos" if back is None else None
            return back
        back = bans.offer(token, self._vocab.shown[token])
        if back is None and bans.stopped:
            self.reason = "stop"
        elif back is None and len(bans.tokens) >= self.limit:
            back = bans.end()
            self.reason = "length" if back is None else None
        return back

    def _choose_but(self, logits: Logits, banned: Collection[int]) -> int | None:
        if banned:
            logits = logits.copy()
            logits[list(banned)] = -np.inf
        try:
            token = self._sampler.choose_from(logits)
        except NothingAllowed:
            if not banned:
                raise
            return None
        if math.isfinite(logits[token]):
            return token
        if not banned:
            raise BackendError(*_UNUSABLE)
        return None

    def _go_back(self, position: int) -> Logits:
        self._sampler.close()
        for later in [one for one in self._before if one > position]:
            self._before.pop(later).sampler.close()
        before = self._before.pop(position)
        self._sampler = before.sampler
        return before.logits

    def _hand_over(self, bans: BanRun) -> TextDelta | None:
        """Give the reply the tokens that are final now, and return text to send."""
        text, tokens = "", 0
        now = time.perf_counter()
        for token in bans.take():
            delta = self.reply.add(token, now)
            if delta is not None:
                text, tokens = text + delta.text, tokens + delta.tokens
        return TextDelta(text, tokens) if text else None
