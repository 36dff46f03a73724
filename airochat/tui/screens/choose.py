"""Choosing one of many things by typing a part of its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from airochat.text import one_line
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hints
from airochat.tui.widgets.listing import Listing


@dataclass(frozen=True, slots=True)
class Choosable:
    """One thing to choose: its key, its name, and something about it."""

    key: str
    name: str
    about: str = ""


class ChooseScreen(Dialog[str | None]):
    """Gives back the key of what was chosen, or None."""

    BINDINGS = [Binding("down", "move(1)", show=False), Binding("up", "move(-1)", show=False)]

    def __init__(
        self, heading: str, things: Sequence[Choosable], placeholder: str = "part of the name"
    ) -> None:
        super().__init__()
        self._heading = heading
        self._things = things
        self._found = list(things)
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            yield Static(one_line(self._heading, 300), classes="heading", markup=False)
            yield Input(placeholder=self._placeholder)
            yield Listing(id="choose-list")
            yield Hints(
                (
                    ("enter", "choose"),
                    ("esc", "back"),
                )
            )

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one(Listing).can_focus = False
        self.query_one(Input).focus()
        self._fill()

    @on(Input.Changed)
    def _fill(self) -> None:
        wanted = self.query_one(Input).value.casefold().split()
        self._found = [one for one in self._things if all(word in one.name.casefold() for word in wanted)]
        self.query_one(Listing).show(len(self._found), self._row)

    def _row(self, index: int, width: int) -> list[Content]:
        one = self._found[index]
        name = Content(one_line(one.name, 60))
        about = one_line(one.about, max(8, width - name.cell_length - 2))
        return [Content.assemble(name, "  ", (about, "$rp-faint"))]

    @on(Input.Submitted)
    @on(Listing.Picked)
    def _chosen(self) -> None:
        listing = self.query_one(Listing)
        if listing.chosen is not None:
            self.dismiss(self._found[listing.chosen].key)

    def action_move(self, by: int) -> None:
        """Choose the thing below or above."""
        self.query_one(Listing).action_move(by)
