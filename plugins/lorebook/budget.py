"""What lore may cost: a purse of tokens from which entries are paid in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .entry import Entry
from .options import Options


def limit(options: Options, room: int) -> int | None:
    """Return how many tokens lore may take of the ``room`` that the prompt has; None if neither is known."""
    cap = options.budget_cap or None
    if room <= 0:
        return cap
    share = max(round(options.budget * room / 100), 1)
    return share if cap is None else min(share, cap)


class Purse:
    """Pays for entries. ``used`` counts tokens; ``rank`` how many were paid."""

    def __init__(
        self, options: Options, total: int | None, books: Mapping[str, int], constants: int = 0
    ) -> None:
        """Begin with ``total`` tokens; ``books`` have limits of their own, and constant entries want ``constants``."""
        self.total = total
        self.used = 0
        self.rank = 0
        self.overflowed = False
        self._stops = options.overflow == "stop"
        self._books = books
        self._spent: Counter[str] = Counter()
        self._reserved = 0 if total is None else min(constants, total * options.constants_share // 100)

    def pay(self, entry: Entry, tokens: int) -> str:
        """Take the tokens for an entry, or return why they are not there."""
        if not entry.ignore_budget:
            why = self._refusal(entry, tokens)
            if why:
                self.overflowed = True
                return why
        if self._stops or not entry.ignore_budget:
            self.used += tokens
            self._spent[entry.book] += tokens
            if entry.constant:
                self._reserved = max(self._reserved - tokens, 0)
        self.rank += 1
        return ""

    def _refusal(self, entry: Entry, tokens: int) -> str:
        if self._stops:
            return self._stopped(tokens)
        book = self._books.get(entry.book)
        if book is not None and self._spent[entry.book] + tokens > book:
            left = book - self._spent[entry.book]
            return f"takes {tokens:,} tokens, and {left:,} of the book's own {book:,} are left"
        if self.total is None:
            return ""
        left = self.total - self.used - (0 if entry.constant else self._reserved)
        if tokens <= left:
            return ""
        kept = (
            f" ({self._reserved:,} are kept for constant entries)"
            if self._reserved and not entry.constant
            else ""
        )
        return f"takes {tokens:,} tokens, and {max(left, 0):,} of {self.total:,} are left{kept}"

    def _stopped(self, tokens: int) -> str:
        if self.overflowed:
            return "comes after one that did not fit"
        if self.total is not None and self.used + tokens >= self.total:
            return f"takes {tokens:,} tokens, which reaches the {self.total:,} that there are"
        return ""
