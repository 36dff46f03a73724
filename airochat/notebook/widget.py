"""The chat widget of a notebook cell: one anywidget over one session."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.display import publish_display_data

from airochat.notebook.bridge import Bridge
from airochat.notebook.comms import Sender, answer_on_own_thread
from airochat.notebook.panel import PanelWidget, show_panel
from airochat.notebook.static import transcript_bundle
from airochat.notebook.transcript import State

if TYPE_CHECKING:
    from airochat.session import Session

_HERE = Path(__file__).parent


class ChatWidget(anywidget.AnyWidget):
    """A conversation in a cell: type, watch the reply grow, stop it, ask again.

    The widget follows its session, whoever drives it: ``session.send("…")`` in another cell shows up too. Displayed in
    several cells it is the same chat. Below it stands a copy of the transcript as plain HTML, seen only where no
    kernel runs, for instance on a page that shows notebooks.
    """

    _esm = _HERE / "chat_widget.js"
    _css = _HERE / "chat_widget.css"
    snapshot = traitlets.Dict().tag(sync=True)
    """What was shown when the last reply ended; saved with the notebook."""
    panels = traitlets.Unicode().tag(sync=True)
    """The id of the widget with the panels of plugins that is shown below, or empty."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._display_id = ""
        self._sender = Sender()
        self._panels: PanelWidget | None = None
        self._bridge = Bridge(session, self._publish, self._keep)
        super().__init__(snapshot=self._bridge.full())
        answer_on_own_thread(self.comm)
        self.on_msg(self._received)
        self._bridge.start()

    @property
    def replies(self) -> int:
        """How many alternatives a message, or asking again, gets at once; 1 to 16."""
        return self._bridge.replies

    @replies.setter
    def replies(self, number: int) -> None:
        self._bridge.replies = number

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until no reply is growing and the page was sent everything; False after ``timeout`` seconds.

        Programs that run notebooks, such as nbclient, take what is sent on behalf of the running cell and nothing else,
        so a cell that drives the session ends with this.
        """
        self._sender.remember()
        turn = self.session.turn
        return (turn is None or turn.wait(timeout)) and self._bridge.flush(timeout)

    def panel(self, name: str = "") -> PanelWidget:
        """Return a panel of a plugin, to be displayed by the cell; without a name the list of all panels.

        Raises `UsageError` if there is no such panel.
        """
        return show_panel(self.session, name)

    def close(self) -> None:
        """Remove the widget from all cells; the session goes on."""
        self._bridge.close()
        if self._panels is not None:
            self._panels.close()
        super().close()

    def _received(self, widget: object, message: object, buffers: object) -> None:
        self._sender.remember()
        if isinstance(message, dict) and message.get("type") == "panels":
            self._turn_panels()
        elif isinstance(message, dict):
            self._bridge.ask(message)

    def _turn_panels(self) -> None:
        """Show the list of panels below the chat, or put it away."""
        if self._panels is None:
            self._panels = PanelWidget(self.session)
            self.panels = self._panels.model_id
        else:
            self.panels = ""
            self._panels.close()
            self._panels = None

    def _publish(self, message: State) -> None:
        self._sender.run(self.send, message)

    def _keep(self, full: State) -> None:
        if full == self.snapshot:
            self._sender.run(self.send_state, "snapshot")
        else:
            self._sender.run(setattr, self, "snapshot", full)
        if self._display_id:
            self._sender.run(self._show_static, True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/plain": "Chat: the live view; the transcript is below."}, metadata

    def _ipython_display_(self, **kwargs: Any) -> None:
        data, metadata = self._repr_mimebundle_()
        publish_display_data(data, metadata)
        self._display_id = f"airochat-{self.model_id}"
        self._show_static(False)

    def _show_static(self, update: bool) -> None:
        bundle = transcript_bundle(self.snapshot["state"])
        publish_display_data(bundle, {}, transient={"display_id": self._display_id}, update=update)


_shown: weakref.WeakKeyDictionary[Session, ChatWidget] = weakref.WeakKeyDictionary()


def show(session: Session) -> ChatWidget:
    """Return the session's widget, the same one each time until it is closed, to be displayed by the cell."""
    widget = _shown.get(session)
    if widget is None or widget.comm is None:
        widget = _shown[session] = ChatWidget(session)
    return widget
