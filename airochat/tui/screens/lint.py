"""What a card costs in tokens, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from airochat.errors import AirochatError
from airochat.text import clean, one_line
from airochat.tui import words
from airochat.tui.card_form import TITLES
from airochat.tui.counting import counter
from airochat.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from airochat.characters.lint import CardReport
    from airochat.session import SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

_BAR = 1
"""Cells that the scroll bar takes once there is one."""
_NAME, _FIGURE = 14, 8
"""Cells of the narrowest name and of a figure."""
_SHOWN = 200
"""Findings that are shown."""


class LintScreen(Dialog[None]):
    """Shows the report about one card of the library."""

    def __init__(self, manager: SessionManager, entry: CardEntry) -> None:
        super().__init__()
        self._manager = manager
        self._entry = entry

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with VerticalScroll(classes="panel"):
            yield Static(f"{one_line(self._entry.name, 60)}, checked", classes="heading", markup=False)
            yield Static("reading …", id="lint-report", markup=False)
            yield Static("esc  back", classes="faint", markup=False)

    def on_mount(self) -> None:
        """Read and check the card."""
        self.query_one(VerticalScroll).focus()
        cast("AirochatApp", self.app).bridge.run(self._check, self._take)

    def _check(self) -> CardReport:
        from airochat.characters.lint import lint

        count = counter(self._manager)
        one = None if count is None else lambda text: count([text])[0]
        return lint(self._manager.cards.open(self._entry.id), one)

    def _take(self, result: CardReport | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        shown = self.query_one("#lint-report", Static)
        shown.update(_shown(result, shown.content_size.width - _BAR))


def _shown(result: CardReport | AirochatError, width: int) -> Content:
    if isinstance(result, AirochatError):
        return Content.styled(clean(str(result)), "$rp-error")
    return report(result, width)


def _table(found: CardReport, width: int) -> list[Content]:
    from airochat.characters.lint import CONTEXTS, FieldTokens

    # The shares of contexts are the first to go where there is little room.
    sizes = CONTEXTS if width >= _NAME + _FIGURE * (1 + len(CONTEXTS)) else ()
    room = min(40, width - _FIGURE * (1 + len(sizes)))
    head = f"{'tokens':>{room + _FIGURE}}" + "".join(
        f"{'of ' + words.tokens(size):>{_FIGURE}}" for size in sizes
    )
    lines = [Content.styled(head, "$rp-faint")]
    for field in (*found.fields, FieldTokens("in all", found.total, found.shares)):
        figures = "".join(f"{share:>{_FIGURE}.0%}" for share, _ in zip(field.shares, sizes, strict=False))
        style = "bold $rp-ink" if field.field == "in all" else "$rp-soft"
        name = one_line(TITLES.get(field.field, field.field.replace("_", " ")), room)
        line = f"{name:<{room}}{field.tokens:>{_FIGURE},}"
        lines.append(Content.assemble((line, style), (figures, "$rp-faint")))
    return lines


def report(found: CardReport, width: int) -> Content:
    """Return a report as text of at most ``width`` cells: a table of tokens, then what was found."""
    lines = _table(found, width)
    lines += (
        [Content.styled("Estimated; a loaded model counts them.", "$rp-faint")] if found.estimated else []
    )
    lines.append(Content(""))
    lines += [Content.styled("Nothing is odd about it.", "$rp-soft")] if not found.findings else []
    for finding in found.findings[:_SHOWN]:
        lines.append(Content.assemble(("· ", "$rp-accent"), (one_line(finding.message, 400), "$rp-soft")))
    left = len(found.findings) - _SHOWN
    lines += [Content.styled(f"and {left:,} more", "$rp-faint")] if left > 0 else []
    return Content("\n").join(lines)
