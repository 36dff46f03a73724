"""Finding a chat by its title."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from airochat.errors import AirochatError
from airochat.text import clean, one_line
from airochat.tui import words
from airochat.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.store import SessionSummary

_KEYS = "enter  open    ctrl+e  rename    ctrl+d  delete    esc  back"


class FindScreen(Dialog[str | None]):
    """Gives back the id of the chosen session. Chats can be renamed and deleted here, too."""

    BINDINGS = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("ctrl+d", "delete", "Delete", priority=True),
        Binding("ctrl+e", "rename", "Rename", priority=True),
    ]

    def __init__(self, manager: SessionManager) -> None:
        super().__init__()
        self._manager = manager
        self._renaming = ""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            yield Static("Find a chat", classes="heading", id="find-heading", markup=False)
            yield Input(placeholder="part of its title", id="find-input")
            yield OptionList(id="find-list")
            yield Static(_KEYS, classes="faint", id="find-keys", markup=False)

    def on_mount(self) -> None:
        """Show all chats."""
        self.query_one(Input).focus()
        self.query_one(OptionList).can_focus = False
        self._fill()

    def _fill(self) -> None:
        wanted = "" if self._renaming else self.query_one(Input).value.casefold()
        now, listing = time.time(), self.query_one(OptionList)
        found = [each for each in self._sessions() if wanted in _title(each).casefold()]
        listing.set_options([Option(_row(each, now), each.id) for each in found[:500]])
        listing.highlighted = 0 if found else None

    def _sessions(self) -> list[SessionSummary]:
        try:
            return [each for each in self._manager.sessions() if each.messages]
        except AirochatError as error:
            self.notify(clean(str(error)), severity="error", markup=False)
            return []

    def _chosen(self) -> str | None:
        listing = self.query_one(OptionList)
        if listing.highlighted is None:
            return None
        return listing.get_option_at_index(listing.highlighted).id

    @on(Input.Changed)
    def _filter(self) -> None:
        if not self._renaming:
            self._fill()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self._renaming:
            self.dismiss(self._chosen())
        elif event.value.strip():
            self._attempt(lambda: self._manager.rename(self._renaming, event.value.strip()))
            self._end_renaming()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_move(self, by: int) -> None:
        """Choose the chat below or above."""
        listing = self.query_one(OptionList)
        listing.action_cursor_down() if by > 0 else listing.action_cursor_up()

    def action_rename(self) -> None:
        """Write another title for the chosen chat."""
        chosen = self._chosen()
        if chosen is not None and not self._renaming:
            titles = {each.id: _title(each) for each in self._sessions()}
            self._renaming = chosen
            self.query_one("#find-heading", Static).update("Another title")
            self.query_one(Input).value = titles.get(chosen, "")

    def _end_renaming(self) -> None:
        self._renaming = ""
        self.query_one("#find-heading", Static).update("Find a chat")
        self.query_one(Input).value = ""
        self._fill()

    def action_delete(self) -> None:
        """Move the chosen chat to the bin; with none chosen, or again, nothing is lost."""
        if (chosen := self._chosen()) is not None and not self._renaming:
            self._attempt(lambda: self._manager.delete(chosen))
            self._fill()
            self.notify(
                f"Moved to the bin. airochat chats restore {chosen[:14]} brings it back.", markup=False
            )

    def action_cancel(self) -> None:
        """Leave the renaming, or the screen."""
        if self._renaming:
            self._end_renaming()
        else:
            self.dismiss(None)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except AirochatError as error:
            self.notify(clean(str(error)), severity="error", markup=False)


def _title(session: SessionSummary) -> str:
    return one_line(words.session_title(session), 56)


def _row(session: SessionSummary, now: float) -> Content:
    facts = f"{words.count(session.messages, 'message')} · {words.clock(session.updated, now)}"
    return Content.assemble(_title(session), "  ", (facts, "$rp-faint"))
