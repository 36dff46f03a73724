"""Bringing cards into the library, by their paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static, TextArea

from airochat.errors import AirochatError
from airochat.text import clean
from airochat.tui import pasted, words
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.plain_area import PlainArea
from airochat.tui.widgets.problem import Problem

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.store.library import Imported
    from airochat.tui.app import AirochatApp

_BATCH = 20
"""Files between two updates of the screen."""
_KEYS: tuple[Hint, ...] = (("enter", "import"), ("ctrl+j", "another line"), ("esc", "back"))


@dataclass(slots=True)
class Arrived:
    """What came of an import: the ids of the cards, how many of them were known, and what could not be read."""

    ids: list[str] = field(default_factory=list)
    known: int = 0
    warnings: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, result: Imported | AirochatError) -> None:
        """Count one file."""
        if isinstance(result, AirochatError):
            self.problems.append(str(result))
            return
        self.ids.append(result.entry.id)
        self.known += result.known
        self.warnings += bool(result.warnings)

    @property
    def said(self) -> str:
        """The count in words."""
        facts = [words.count(len(self.ids) - self.known, "card") + " imported"]
        if self.known:
            facts.append(f"{self.known:,} known already")
        if self.warnings:
            facts.append(f"{self.warnings:,} with oddities (l shows them)")
        return ", ".join(facts) + "."


class ImportScreen(Dialog[Arrived | None]):
    """Imports what is pasted here; gives back what came of it, or None."""

    BINDINGS = [
        Binding("enter", "import", "Import", priority=True),
        Binding("ctrl+j,shift+enter", "newline", "Another line", priority=True, show=False),
    ]

    def __init__(self, manager: SessionManager, paths: Sequence[Path] = ()) -> None:
        super().__init__()
        self._manager = manager
        self._paths = paths
        self._waiting: list[Path] = []
        self._total = 0
        self._arrived = Arrived()

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        explanation = (
            "Paste the paths of PNG, JSON, WEBP, YAML or CHARX files, or of a folder with cards. "
            "They are copied; the originals stay as they are."
        )
        with Vertical(classes="panel"):
            yield Static("Import characters", classes="heading", markup=False)
            yield Static(explanation, classes="text", markup=False)
            yield PlainArea("\n".join(map(str, self._paths)))
            yield Static("", classes="text", id="import-progress", markup=False)
            with VerticalScroll(id="import-problems", can_focus=False):
                yield Problem()
            yield Hints(_KEYS)

    def on_mount(self) -> None:
        """Begin in the text; paths that were given are imported at once."""
        self._area.focus()
        self._area.move_cursor(self._area.document.end)
        self.query_one("#import-problems").display = False
        self._begin(self._paths)

    @property
    def _area(self) -> TextArea:
        return self.query_one(TextArea)

    def action_newline(self) -> None:
        """Begin another line."""
        self._area.insert("\n")

    def action_import(self) -> None:
        """Import what is written."""
        if not self._waiting:
            self._begin(pasted.paths(self._area.text))

    def _begin(self, paths: Sequence[Path]) -> None:
        self._waiting = [each for path in paths for each in pasted.expand(path)]
        self._total, self._arrived.problems = len(self._waiting), []
        if self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        library = self._manager.cards

        def work() -> list[Imported | AirochatError]:
            results: list[Imported | AirochatError] = []
            for path in batch:
                try:
                    results.append(library.import_(path))
                except AirochatError as error:
                    results.append(error)
            return results

        cast("AirochatApp", self.app).bridge.run(work, self._take)

    def _take(self, results: list[Imported | AirochatError] | AirochatError) -> None:
        for result in [results] if isinstance(results, AirochatError) else results:
            self._arrived.add(result)
        if self not in self.app.screen_stack:
            return
        if self._waiting:
            self._tell(f"{self._total - len(self._waiting):,} of {self._total:,} …")
            self._go_on()
        elif self._arrived.problems:
            self._tell(self._arrived.said if self._arrived.ids else "")
            self._complain()
        else:
            self.dismiss(self._arrived)

    def _tell(self, text: str) -> None:
        self.query_one("#import-progress", Static).update(Content(text))

    def _complain(self) -> None:
        problems = self._arrived.problems
        shown = "\n".join(clean(problem) for problem in problems[:50])
        left = f"\nand {len(problems) - 50:,} more" if len(problems) > 50 else ""
        scroll = self.query_one("#import-problems")
        scroll.display = True
        scroll.query_one(Problem).say(shown + left)

    def action_cancel(self) -> None:
        """Leave, with what was imported so far."""
        self._waiting.clear()
        self.dismiss(self._arrived if self._arrived.ids else None)
