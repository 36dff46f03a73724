"""Between a session's plugins and the widget of a panel: one queue and one thread for each widget.

What the page asks for and what happens in the chat is only put into the queue. The bridge's own thread, which may wait
for a plugin, does one thing after the other and is the only one that publishes.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from airochat.errors import AirochatError
from airochat.hooks import Act, Button, Rows, View
from airochat.notebook.panel_state import State, key_of, list_view, row_of, typed, wire
from airochat.session import panels
from airochat.session.events import SessionEvent, TreeChanged, TurnEnded
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.session import Session

LIST = ""
"""Stands where the name of a panel would, for the list of all panels."""

EMPTY: State = {"at": 0, "title": "", "parts": []}
"""What is shown before a panel has been asked."""

_PAGES = 16
_log = logging.getLogger(__name__)

Publish = Callable[[State, State], None]


@dataclass(frozen=True, slots=True)
class _Flush:
    done: threading.Event


_CHANGED = object()
"""Stands in the queue for: the chat has gone on."""


class PanelBridge:
    """Connects the panels of a session's plugins with a widget, beginning with the one called ``name``.

    ``publish`` gets what is shown (``at``, ``title``, ``parts``, see `panel_state`) and the status: ``rev``, ``busy``,
    ``back`` (whether there is a way back), ``line`` (``kind``, ``text``, or None), ``wrong`` (a sentence for each field
    that was refused), ``edits`` (what was typed, by field) and ``seen`` (the last ``seq`` of each page). ``at`` changes
    with the place that is shown, so that a click meant for another place does nothing. ``resend`` sends both again.
    Both are called on the bridge's thread.
    """

    def __init__(self, session: Session, name: str, publish: Publish, resend: Callable[[], None]) -> None:
        self.session = session
        self._publish_both = publish
        self._resend = resend
        self._path: list[tuple[str, str]] = [(name, "")]
        self._at = 0
        self._rev = 0
        self._view = View("", ())
        self._shown = EMPTY
        self._line: State | None = None
        self._wrong: dict[str, str] = {}
        self._edits: dict[str, Any] = {}
        self._seen: dict[str, int] = {}
        self._queue: queue.SimpleQueue[Mapping[str, Any] | _Flush | object | None] = queue.SimpleQueue()
        self._due = False
        self._closed = False
        self._unsubscribe: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="airochat-panel", daemon=True)

    def status(self, busy: bool = False) -> State:
        """Return the status as it is now."""
        return {
            "rev": self._rev,
            "busy": busy,
            "back": len(self._path) > 1,
            "line": self._line,
            "wrong": self._wrong,
            "edits": self._edits,
            "seen": self._seen,
        }

    def start(self) -> None:
        """Show the panel, and from now on also what becomes of it."""
        self._unsubscribe = self.session.subscribe(self._hear)
        self._thread.start()

    def ask(self, message: Mapping[str, Any]) -> None:
        """Take a request of the page; returns at once, on whatever thread it comes."""
        self._queue.put(message)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was asked for is done and published; False after ``timeout`` seconds."""
        done = threading.Event()
        self._queue.put(_Flush(done))
        return done.wait(timeout)

    def close(self) -> None:
        """Stop listening and publishing."""
        self._closed = True
        self._unsubscribe()
        self._queue.put(None)

    def _hear(self, event: SessionEvent) -> None:
        over = isinstance(event, TurnEnded)
        if (over or (isinstance(event, TreeChanged) and self.session.turn is None)) and not self._due:
            self._due = True
            self._queue.put(_CHANGED)

    def _run(self) -> None:
        self._safely(self._show)
        self._publish()
        while (item := self._queue.get()) is not None:
            if isinstance(item, _Flush):
                item.done.set()
            elif item is _CHANGED:
                self._due = False
                self._safely(self._show)
                self._publish()
            elif isinstance(item, Mapping):
                self._safely(partial(self._obey, item))
                self._publish()

    def _safely(self, call: Callable[[], None]) -> None:
        """Show an error in the widget: raised in a thread of a kernel, it would be seen nowhere."""
        try:
            call()
        except Exception as error:
            self._tell_error(error)

    def _publish(self, busy: bool = False) -> None:
        if not self._closed:
            self._rev += 1
            self._publish_both(self._shown, self.status(busy))

    # -- what the page asks for ---------------------------------------------------------------------------------

    def _obey(self, message: Mapping[str, Any]) -> None:
        if message.get("type") == "resync":
            self._resend()
            return
        if message.get("type") == "refresh":
            self._line = None
            self._show()
            return
        if message.get("at") != self._at:
            return
        match message.get("type"):
            case "edit":
                self._take_edits(message)
            case "back" if len(self._path) > 1:
                self._path.pop()
                self._line = None
                self._moved()
                self._show()
            case "act":
                self._take_edits(message)
                self._act(str(message.get("button", "")), str(message.get("row", "")))

    def _take_edits(self, message: Mapping[str, Any]) -> None:
        edits, page, seq = message.get("edits"), message.get("page"), message.get("seq")
        if isinstance(edits, dict) and isinstance(page, str) and isinstance(seq, int):
            self._edits = edits
            self._wrong = {name: why for name, why in self._wrong.items() if name in edits}
            self._seen = dict(list({**self._seen, page: seq}.items())[-_PAGES:])

    def _act(self, button: str, row: str) -> None:
        values, self._wrong = typed(self._view, self._edits)
        self._line = None
        if self._wrong:
            count = len(self._wrong)
            self._tell("error", f"{'One value is' if count == 1 else f'{count} values are'} not right yet.")
            return
        self._publish(busy=True)
        name, place = self._path[-1]
        if name == LIST:
            self._go(row, "")
        else:
            known = {key_of(one): one for one in _buttons(self._view)}
            button = known.get(button, button)
            try:
                act = Act(place, button, row_of(self._view, button, row), values)
                outcome = panels.act(self.session, name, act)
            except Exception as error:
                self._tell_error(error)
            else:
                self._edits = {}
                self._tell("notice", outcome.message)
                self._go(name, place if outcome.place is None else outcome.place)
        self._show()

    # -- what is shown ------------------------------------------------------------------------------------------

    def _go(self, name: str, place: str) -> None:
        """Show a place from now on; the way there is cut back if it was shown before."""
        if (name, place) == self._path[-1]:
            return
        if (name, place) in self._path:
            self._path = self._path[: self._path.index((name, place)) + 1]
        else:
            self._path.append((name, place))
        self._moved()

    def _moved(self) -> None:
        self._at += 1
        self._edits, self._wrong = {}, {}

    def _show(self) -> None:
        """Ask the panel what is there now; if it fails, nothing is left but the reason."""
        name, place = self._path[-1]
        try:
            self._view = self._look(name, place)
            told = wire(self._view)
        except Exception as error:
            self._view = View(self._shown["title"] or one_line(name, 60), ())
            told = wire(self._view)
            if self._line is None or self._line["kind"] != "error":
                self._tell_error(error)
        self._shown = {"at": self._at, **told}

    def _look(self, name: str, place: str) -> View:
        if name == LIST:
            return list_view(panels.panels(self.session))
        return panels.show(self.session, name, place)

    def _tell(self, kind: str, text: str) -> None:
        self._line = {"kind": kind, "text": clean(text)} if text else None

    def _tell_error(self, error: Exception) -> None:
        if isinstance(error, AirochatError):
            self._tell("error", f"{error.message} {error.hint}".strip())
        else:
            _log.error("A panel failed", exc_info=error)
            words = one_line(f"{type(error).__name__}: {error}", 300)
            self._tell("error", f"{words}. This is a fault in airochat; the chat goes on.")


def _buttons(view: View) -> list[str]:
    """Return the names of all buttons of a view."""
    tables = (part.buttons for part in view.parts if isinstance(part, Rows))
    loose = (part for part in view.parts if isinstance(part, Button))
    return [one.name for one in (*chain.from_iterable(tables), *loose)]
