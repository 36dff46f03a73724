"""The terminal application: themes, screens, and the flow of events into them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from airochat import themes
from airochat.errors import AirochatError
from airochat.session import Session, SessionManager
from airochat.session.events import SessionEvent
from airochat.themes import Theme, Themes
from airochat.tui.bridge import Bridge, Wake
from airochat.tui.desk import Desk
from airochat.tui.screens.chat import ChatScreen
from airochat.tui.theme import own_variables, to_textual

if TYPE_CHECKING:
    from textual.command import Provider


def _providers() -> type[Provider]:
    from airochat.tui.palette import Everything

    return Everything


class AirochatApp(App[None]):
    """airochat in the terminal.

    Nothing here waits for the model: the first paint comes before the session is read and the model is loaded.
    """

    CSS_PATH = "airochat.tcss"
    TITLE = "airochat"
    COMMANDS = {_providers}
    BINDINGS = [
        Binding("ctrl+q", "quit", "Quit", priority=True),
        Binding("f1", "keys", "Keys"),
        Binding("f4", "choose_model", "Choose a model"),
        Binding("f7", "plugins", "Plugins", priority=True),
    ]

    def __init__(
        self,
        manager: SessionManager,
        session: Session | None,
        known: Themes,
        theme: Theme,
        notices: Iterable[str] = (),
    ) -> None:
        no_color = "NO_COLOR" in os.environ
        theme = known.get(themes.ANSI) if no_color else theme
        self._default_theme = theme
        super().__init__(ansi_color=True if no_color else None)
        self.manager = manager
        self.known_themes = known
        for each in known.found.values():
            self.register_theme(to_textual(each))
        self.theme = theme.name
        self._first = session
        self._notices = tuple(notices)
        self._begun = False
        self.bridge = Bridge(self, self._receive)
        self.desk = Desk(manager, self.bridge.attach)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give the style sheet its colours also under a theme that is not airochat's."""
        return own_variables(self._default_theme)

    def get_default_screen(self) -> Screen[None]:
        """Return the chat."""
        self.chat = ChatScreen(self.manager, self.desk)
        return self.chat

    @property
    def plain_colors(self) -> bool:
        """Whether there are only the terminal's own colours, too few for pictures."""
        return self.native_ansi_color or self.current_theme.ansi

    def on_mount(self) -> None:
        """Go on once the first frame is on the screen; a request to end restores the terminal."""
        with contextlib.suppress(
            NotImplementedError, ValueError, RuntimeError
        ):  # not there, or not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.call_after_refresh(self.begin)

    def begin(self) -> None:
        """Read the session and begin to load the model, unless that was done."""
        if self._begun:
            return
        self._begun = True
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self.bridge.listen(self.manager)
        try:
            self.desk.show(self._first or self._latest())
            self.chat.show_current()
        except AirochatError as error:
            self.chat.activity.problem(error.message, error.hint)
        for notice in self._notices:
            self.chat.tell(notice)
        self.manager.start()
        if self.manager.model_state is not None:
            self.chat.show_model(self.manager.model_state)
        elif not self.manager.settings.model:
            self.action_choose_model()

    def _latest(self) -> Session | None:
        """Return the latest session in which something was said."""
        for summary in self.manager.sessions():
            if summary.messages:
                return self.manager.load(summary.id)
        return None

    def _receive(self, events: list[SessionEvent]) -> None:
        self.chat.receive(events)

    @on(Wake)
    def _wake(self) -> None:
        self.bridge.drain_later()

    def on_unmount(self) -> None:
        """Receive nothing any more, however the end came about."""
        self.bridge.close()

    async def action_quit(self) -> None:
        """Keep the draft and leave at once; the manager ends what is running."""
        self.chat.keep_draft()
        self.bridge.close()
        self.exit()

    def action_keys(self) -> None:
        """Show all keys."""
        from airochat.tui.screens.keys import KeysScreen

        self.push_screen(KeysScreen())

    def action_choose_model(self) -> None:
        """Choose a model."""
        self.chat.choose_model()

    def action_plugins(self) -> None:
        """Show the plugins, with the ways to their panels and settings."""
        from airochat.tui.screens.plugins import PluginsScreen

        if not any(isinstance(screen, PluginsScreen) for screen in self.screen_stack):
            self.push_screen(PluginsScreen(self.manager))

    def open_panel(self, name: str) -> None:
        """Open a panel, beginning a chat if it is about one and none is open; raises `AirochatError`."""
        from airochat.session import panels
        from airochat.tui.screens.panel import PanelScreen

        entry = panels.find(self.manager, name)
        where = self.desk.ensure() if entry.needs_chat else self.manager
        self.push_screen(PanelScreen(where, entry))

    def choose_panel(self, name: str) -> bool:
        """Open a panel, or the list of plugins if it has no name; a refusal is said in the chat. True if it is open."""
        return self._try(lambda: self.open_panel(name) if name else self.action_plugins())

    def choose_theme(self, name: str) -> None:
        """Take another theme, and remember it."""
        self.theme = name
        self._try(lambda: self.manager.remember(theme=name))

    def choose_template(self, name: str) -> None:
        """Take another prompt template for this chat; empty lets the model decide."""
        self._try(lambda: self.desk.ensure().set(template=name))
        self.chat.redraw()

    def choose_model_ref(self, ref: str) -> None:
        """Load another model, and remember it."""
        from airochat.tui.screens.model import choose_model

        self.bridge.run(lambda: choose_model(self.manager, ref), self._said)

    def _said(self, result: AirochatError | None) -> None:
        if result is not None:
            self.chat.activity.problem(result.message, result.hint)

    def _try(self, action: Callable[[], object]) -> bool:
        try:
            action()
        except AirochatError as error:
            self.chat.activity.problem(error.message, error.hint)
            return False
        return True

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return no commands of Textual's own: airochat's providers list what there is."""
        return ()
