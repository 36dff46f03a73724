"""Choosing a model: the demo model, a file, or a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from airochat.errors import AirochatError
from airochat.text import clean
from airochat.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.tui.app import AirochatApp

_WAYS = {
    "demo": ("the demo model", "SmolLM2, 98 MB: small, quick, simple-minded"),
    "file": ("a GGUF file on this computer", "by its path"),
    "remote": (
        "a server",
        "of llama.cpp, or one like OpenAI's, by its address",
    ),
}
_QUESTIONS = {"file": "path of the GGUF file", "remote": "http://127.0.0.1:8080"}


class ModelScreen(Dialog[None]):
    """Loads what is chosen and remembers it; a wrong path or address is said here, and can be corrected."""

    BINDINGS = [Binding("down", "move(1)", show=False), Binding("up", "move(-1)", show=False)]

    def __init__(self, manager: SessionManager) -> None:
        super().__init__()
        self._manager = manager
        self._way = ""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        now = self._manager.settings.model
        said = (
            f"Now it is {clean(now)}."
            if now
            else "No model is chosen yet. A file runs on this computer, and nothing leaves it."
        )
        with Vertical(classes="panel"):
            yield Static("Which model shall reply?", classes="heading", markup=False)
            yield Static(said, classes="text", markup=False)
            yield OptionList(*(Option(_row(name), name) for name in _WAYS), id="model-ways")
            yield Input(id="model-answer")
            yield Static("", classes="problem", id="model-problem", markup=False)
            yield Static("enter  choose    esc  back", classes="faint", markup=False)

    def on_mount(self) -> None:
        """Begin with the list."""
        self.query_one(Input).display = False
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._way = event.option.id or ""
        if self._way == "demo":
            self._use("demo")
            return
        answer = self.query_one(Input)
        answer.placeholder, answer.display = _QUESTIONS[self._way], True
        answer.focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        given = event.value.strip()
        if given:
            self._use(f"remote:{given.removeprefix('remote:')}" if self._way == "remote" else given)

    def _use(self, ref: str) -> None:
        # Ending the old model's engine may take a moment.
        cast("AirochatApp", self.app).bridge.run(lambda: choose_model(self._manager, ref), self._done)

    def _done(self, result: AirochatError | None) -> None:
        if self not in self.app.screen_stack:
            return
        if result is None:
            self.dismiss(None)
        else:
            self.query_one("#model-problem", Static).update(Content(clean(str(result))))

    def action_move(self, by: int) -> None:
        """Go from the question back to the list."""
        if self.query_one(Input).has_focus:
            self.query_one(OptionList).focus()


def choose_model(manager: SessionManager, ref: str) -> None:
    """Exchange the model, and remember it unless its name is wrong, which is a `ModelError`; may block."""
    manager.use_model(ref, remember=True)


def _row(name: str) -> Content:
    title, explanation = _WAYS[name]
    return Content.assemble((title, "$rp-ink"), "\n", (explanation, "$rp-faint"), "\n")
