"""Who one talks to, below the list of conversations."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Static

from airochat.text import one_line
from airochat.tui.widgets.avatar import Avatar

ROOM = (20, 12)
"""Columns and rows that the picture may take."""

_ABOUT = 54
"""Characters about the character: two lines."""


class Portrait(Vertical):
    """A picture with a name and a word below it; takes no room without any."""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Avatar()
        yield Static("", id="portrait-about", markup=False)

    def on_mount(self) -> None:
        """Begin with nobody."""
        self.display = False

    def show(self, strips: Sequence[Strip], name: str, about: str) -> None:
        """Show somebody else; no name shows nobody."""
        self.display = bool(name)
        self.query_one(Avatar).show(strips)
        said = Content.assemble(
            (one_line(name, 26), "bold $rp-ink"), "\n", (one_line(about, _ABOUT), "$rp-faint")
        )
        self.query_one("#portrait-about", Static).update(said)
