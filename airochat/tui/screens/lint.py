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
from airochat.tui.counting import counter
from airochat.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from airochat.characters.lint import CardReport
    from airochat.session import SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

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
        self.query_one("#lint-report", Static).update(_shown(result))


def _shown(result: CardReport | AirochatError) -> Content:
    if isinstance(result, AirochatError):
        return Content.styled(clean(str(result)), "$rp-error")
    return report(result)


def report(found: CardReport) -> Content:
    """Return a report as text: a table of tokens, then what was found."""
    from airochat.characters.lint import CONTEXTS

    how = "estimated; a loaded model counts" if found.estimated else "as the loaded model counts"
    sizes = "".join(f"{words.tokens(size):>7}" for size in CONTEXTS)
    lines = [Content.styled(f"{'tokens, ' + how:<42}{'':>8}{sizes}", "$rp-faint")]
    rows = [(field.field.replace("_", " "), field.tokens, field.shares) for field in found.fields]
    for name, tokens, shares in (*rows, ("in all", found.total, found.shares)):
        figures = "".join(f"{share:>7.0%}" for share in shares)
        style = "bold $rp-ink" if name == "in all" else "$rp-soft"
        lines.append(Content.assemble((f"{name:<42}{tokens:>8,}", style), (figures, "$rp-faint")))
    lines.append(Content(""))
    lines += [Content.styled("Nothing is odd about it.", "$rp-soft")] if not found.findings else []
    for finding in found.findings[:_SHOWN]:
        lines.append(Content.assemble(("· ", "$rp-accent"), (one_line(finding.message, 400), "$rp-soft")))
    left = len(found.findings) - _SHOWN
    lines += [Content.styled(f"and {left:,} more", "$rp-faint")] if left > 0 else []
    return Content("\n").join(lines)
