"""Panels of plugins in a notebook cell: a widget that shows one, and the list of all."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from airochat.notebook.comms import Sender, answer_on_own_thread
from airochat.notebook.panel_bridge import EMPTY, LIST, PanelBridge
from airochat.notebook.panel_state import State, plain
from airochat.session.panels import find

if TYPE_CHECKING:
    from airochat.session import Session

_HERE = Path(__file__).parent
_PATIENCE = 10.0
"""Seconds that a cell waits for what a panel shows, before it shows the widget without."""


class PanelWidget(anywidget.AnyWidget):
    """What a plugin shows about a chat and lets the user change; without a name the list of all panels.

    The widget shows what is there anew after each turn; what was typed and not yet saved stays.
    """

    _esm = _HERE / "panel.js"
    _css = (_HERE / "chat_widget.css").read_text(encoding="utf-8") + (_HERE / "panel.css").read_text(
        encoding="utf-8"
    )
    shown = traitlets.Dict().tag(sync=True)
    """What the panel shows now; see `airochat.notebook.panel_state`."""
    status = traitlets.Dict().tag(sync=True)
    """Everything else that the page must know; see `airochat.notebook.panel_bridge`."""

    def __init__(self, session: Session, name: str = LIST) -> None:
        self._sender = Sender()
        self._bridge = PanelBridge(session, name, self._publish, self._resend)
        super().__init__(shown=EMPTY, status=self._bridge.status(busy=True))
        answer_on_own_thread(self.comm)
        self.on_msg(self._received)
        self._bridge.start()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until all that was asked for is done and shown; False after ``timeout`` seconds."""
        self._sender.remember()
        return self._bridge.flush(timeout)

    def close(self) -> None:
        """Remove the widget from all cells; the chat goes on."""
        self._bridge.close()
        super().close()

    def _received(self, widget: object, message: object, buffers: object) -> None:
        self._sender.remember()
        if isinstance(message, dict):
            self._bridge.ask(message)

    def _publish(self, shown: State, status: State) -> None:
        self._sender.run(self._set, shown, status)

    def _set(self, shown: State, status: State) -> None:
        with self.hold_sync():  # both arrive together
            self.shown = shown
            self.status = status

    def _resend(self) -> None:
        self._sender.run(self.send_state, ["shown", "status"])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/plain": plain(self.shown)}, metadata


_opened: weakref.WeakKeyDictionary[Session, dict[str, PanelWidget]] = weakref.WeakKeyDictionary()


def show_panel(session: Session, name: str = LIST) -> PanelWidget:
    """Return the widget of a panel, the same one each time until it is closed, to be displayed by the cell.

    The name of a plugin that has no panel means the form for its settings, and no name the list of all panels. Raises
    `UsageError` if there is no such panel.
    """
    name = find(session, name).name if name else LIST
    widgets = _opened.setdefault(session, {})
    widget = widgets.get(name)
    if widget is None or widget.comm is None:
        widget = widgets[name] = PanelWidget(session, name)
    widget.settle(_PATIENCE)
    return widget
