"""Choosing with which greeting a chat begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from airochat.prompt.macros import Macros, Scope
from airochat.text import one_line
from airochat.tui import card_texts
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from airochat.characters import Card

_LINES = 3
_KEYS: tuple[Hint, ...] = (("enter", "begin"), ("esc", "back"), ("← →", "in the chat: the others"))


def greetings(card: Card) -> tuple[str, ...]:
    """Return the greetings that a chat with one character can begin with."""
    return tuple(text for text in (card.first_mes, *card.alternate_greetings) if text.strip())


class GreetingScreen(Dialog[int | None]):
    """Shows how each greeting begins, and gives back the number of one, from 0; or None."""

    def __init__(self, card: Card, texts: tuple[str, ...], user: str, persona: str = "") -> None:
        super().__init__()
        self._card = card
        self._texts = texts
        self._scope = Scope(user=user, persona=persona, cards=(card,))

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        heading = f"How does it begin? {len(self._texts):,} greetings of {one_line(self._card.called, 40)}"
        with Vertical(classes="panel"):
            yield Static(heading, classes="heading", markup=False)
            yield Listing(_LINES + 1, id="greeting-list")
            yield Hints(_KEYS)

    def on_mount(self) -> None:
        """Begin at the first."""
        listing = self.query_one(Listing)
        listing.show(len(self._texts), self._row)
        listing.focus()

    def _row(self, index: int, width: int) -> list[Content]:
        # Macros that draw lots may fall otherwise in the chat; variables are set only there.
        text = Macros(self._scope).expand(self._texts[index][:2000], card=self._card)
        lines = card_texts.preview(text, _LINES, max(8, width - 5))
        number = f"{index + 1:>3}  "
        return [
            Content.assemble((number if not row else " " * len(number), "$rp-accent"), line)
            for row, line in enumerate(lines)
        ]

    @on(Listing.Picked)
    def _picked(self) -> None:
        self.dismiss(self.query_one(Listing).chosen)
