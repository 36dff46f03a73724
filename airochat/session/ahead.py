"""Reading the next prompt before it is needed, for instance while the user still types."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from airochat.backends.base import Request
from airochat.conversation import new_id
from airochat.errors import AirochatError
from airochat.power import on_battery
from airochat.prompt import PromptPlan
from airochat.sampling import Sampling

if TYPE_CHECKING:
    from airochat.session.session import Session

_log = logging.getLogger(__name__)
_STAND_IN = "…"
"""Stands for a message of which nothing is known yet."""


class Ahead:
    """Lets the model read what will stand before the coming reply, as far as that is known.

    Whatever was asked for before is given up for the newest wish, and all of it for a turn.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._wish: str | None = None
        self._request = ""
        self._working = False

    def read(self, text: str) -> None:
        """Read the prompt for a message that begins with ``text``, on a thread of its own; returns at once."""
        if not self._may():
            return
        with self._changed:
            self._wish = text
            self._give_up()
            if self._working:
                return
            self._working = True
        threading.Thread(target=self._work, name="airochat-ahead", daemon=True).start()

    def stop(self) -> None:
        """Give up what is being read; what was read until now is reused."""
        with self._changed:
            self._wish = None
            self._give_up()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being read, at most so many seconds; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._working, timeout)

    def _may(self) -> bool:
        session = self._session
        info = session.loaded_model
        if info is None or "prepare" not in info.abilities or session.turn is not None:
            return False
        return session.read_ahead and not on_battery()

    def _give_up(self) -> None:
        if self._request:
            self._session.backend.stop(self._request)

    def _work(self) -> None:
        while True:
            with self._changed:
                wish, self._wish = self._wish, None
                if wish is None or self._session.turn is not None:
                    self._working, self._request = False, ""
                    self._changed.notify_all()
                    return
                self._request = new_id()
            try:
                self._read(wish, self._request)
            except AirochatError as error:
                _log.info("A prompt was not read ahead: %s", error.message)
            except Exception:
                _log.exception("A prompt could not be read ahead")

    def _read(self, text: str, request_id: str) -> None:
        settled = settled_words(text)
        plan, source = self._session.coming(settled or _STAND_IN)
        tokens = settled_tokens(plan, source, begun=bool(settled))
        if tokens:
            request = Request(request_id, tokens, Sampling(), purpose="prepare", chat=self._session.id)
            for _ in self._session.backend.generate(request):
                pass


def settled_words(text: str) -> str:
    """Return what of a text stays if more is typed: all but the last word, and the space before it.

    >>> settled_words("The old ligh"), settled_words("The old "), settled_words("Th")
    ('The old', 'The old', '')
    """
    if text[-1:].isspace():
        return text.rstrip()
    words = text.split()
    return text[: len(text) - len(words[-1])].rstrip() if words else ""


def settled_tokens(plan: PromptPlan, source: str, *, begun: bool) -> tuple[int, ...]:
    """Return the tokens of a prompt up to the end of the part from ``source``, or up to its beginning.

    What the template writes behind a message changes its place as long as the message grows.
    """
    own = [number for number, one in enumerate(plan.sources or ()) if one == source]
    if not own or plan.tokens is None:
        return ()
    return plan.tokens[: own[-1] + 1 if begun else own[0]]
