"""Telling plugins what a reply grows by, a few times a second and never for each token."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airochat.hooks import TextFacts

if TYPE_CHECKING:
    from airochat.session.session import Session
    from airochat.session.turn import Turn

SECONDS = 0.25
"""How often plugins are told at most."""


class TextBatches:
    """Collects the text of one turn's replies; used by the turn's thread alone."""

    def __init__(self, session: Session, turn: Turn, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._turn = turn
        self._clock = clock
        self._texts: dict[int, list[str]] = {}
        self._told = clock()
        self._wanted = session.plugins.offers("on_text_added")

    def add(self, text: str, index: int) -> None:
        """Take text of the reply of this number, and tell what has come together if it is time."""
        if not self._wanted or not text:
            return
        self._texts.setdefault(index, []).append(text)
        if self._clock() - self._told >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what has not been told."""
        texts, self._texts = self._texts, {}
        for index, parts in sorted(texts.items()):
            message_id = self._turn.message_ids[index]
            facts = TextFacts(self._session.id, self._turn.id, message_id, "".join(parts), index)
            self._session.tell("on_text_added", facts)
        self._told = self._clock()
