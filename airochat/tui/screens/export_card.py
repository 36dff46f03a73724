"""Writing a card of the library into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from airochat.errors import AirochatError
from airochat.store.atomic import write_file
from airochat.text import clean, one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hints
from airochat.tui.widgets.problem import Problem

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

_FORMS = {
    "png": "PNG: the picture with the card in it, for any program",
    "json": "JSON: the texts alone",
    "charx": "CHARX: version 3 with all assets",
    "yaml": "YAML: the texts alone, easily read",
}


class ExportScreen(Dialog[Path | None]):
    """Asks for form and path, and gives back where the card was written, or None."""

    BINDINGS = [Binding("down", "move(1)", show=False), Binding("up", "move(-1)", show=False)]

    def __init__(self, manager: SessionManager, entry: CardEntry) -> None:
        super().__init__()
        self._manager = manager
        self._entry = entry

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            heading = f"Export {one_line(self._entry.name, 60)}, with your changes"
            yield Static(heading, classes="heading", markup=False)
            options = [Option(Content(text), form) for form, text in _FORMS.items()]
            yield OptionList(*options, id="export-forms")
            yield Input(id="export-path", classes="line")
            yield Problem()
            yield Hints((("↑↓", "form"), ("enter", "write"), ("esc", "back")))

    def on_mount(self) -> None:
        """Begin in the path, with a picture if the card has one."""
        forms = list(_FORMS)
        self.query_one(OptionList).highlighted = forms.index(
            "png" if self._entry.form in ("png", "webp") else "json"
        )
        self.query_one(OptionList).can_focus = False
        path = Path.cwd() / f"{Path(self._entry.id).stem}.{self._form}"
        answer = self.query_one(Input)
        answer.value = clean(str(path))
        answer.focus()

    @property
    def _form(self) -> str:
        return list(_FORMS)[self.query_one(OptionList).highlighted or 0]

    def action_move(self, by: int) -> None:
        """Choose the form below or above."""
        listing = self.query_one(OptionList)
        listing.action_cursor_down() if by > 0 else listing.action_cursor_up()

    @on(OptionList.OptionHighlighted)
    def _form_chosen(self) -> None:
        answer = self.query_one(Input)
        path = Path(answer.value)
        if path.suffix.lstrip(".") in _FORMS:
            answer.value = str(path.with_suffix(f".{self._form}"))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        path = Path(self.query_one(Input).value.strip()).expanduser()
        if not path.name or path.is_dir():
            self._problem("Give the path of a file.")
        elif path.exists():
            answers = [("replace", "replace it"), ("", "keep it")]
            screen = AskScreen("There is a file of this name already.", answers, str(path))
            self.app.push_screen(screen, lambda answer: self._write(path) if answer else None)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        library, card_id, form = self._manager.cards, self._entry.id, self._form

        def work() -> Path:
            write_file(path, library.export(card_id, form))
            return path

        cast("AirochatApp", self.app).bridge.run(work, self._done)

    def _done(self, result: Path | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self._problem(str(result))
        else:
            self.dismiss(result)

    def _problem(self, text: str) -> None:
        self.query_one(Problem).say(text)
