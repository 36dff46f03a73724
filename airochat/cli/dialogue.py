"""The conversation of ``airochat repl``: reads a line, does what it says, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from airochat.checks import did_you_mean
from airochat.cli.approve import Approver, interactive
from airochat.cli.common import Opening, put
from airochat.cli.lazy import report
from airochat.cli.lines import Lines
from airochat.cli.stream import Diagnostics, load_model, print_alternatives, stream
from airochat.errors import AirochatError, UsageError
from airochat.session import Session, SessionManager, Turn
from airochat.session.commands import CHAT_COMMANDS, run_command
from airochat.text import clean, one_line

_HELP = {
    "/help": "list the commands",
    "/swipe": "write another alternative of the last reply",
    "/swipe K": "show its alternative number K",
    "/alternatives": "print all its alternatives",
    "/previous, /next": "show another alternative, of a greeting, too",
    "/go": "go on with the last reply",
    "/impersonate": "let the model write what you say next",
    "/undo": "take back the last step",
    "/redo": "take it again",
    "/panel NAME": "print a plugin's panel, or list the panels",
    "/model NAME": "tell the model, or change to another one",
    "/new": "begin a new chat",
    "/quit": "end, as Ctrl-D does",
}


class Dialogue:
    """One run of the line mode; replies and answers go to stdout, all else to stderr."""

    def __init__(
        self,
        manager: SessionManager,
        opening: Opening,
        sampling: dict[str, Any],
        allow_tools: Sequence[str] = (),
    ) -> None:
        self._manager = manager
        self._opening = opening
        self._sampling = sampling
        self._lines = Lines()
        self._diagnostics = Diagnostics()
        self._approver = Approver(allow_tools, interactive())
        manager.approver = self._approver
        self._session: Session | None = None
        self._failed = False
        self._commands: dict[str, Callable[[str], None]] = {
            "help": lambda _: self._help(),
            "swipe": self._swipe,
            "previous": lambda _: self._leaf(self._chat().previous_swipe()),
            "next": lambda _: self._leaf(self._chat().next_swipe()),
            "alternatives": lambda _: print_alternatives(self._chat()),
            "impersonate": lambda _: self._show(lambda: self._chat().impersonate(**self._sampling)),
            "go": lambda _: self._show(lambda: self._chat().continue_(**self._sampling)),
            "undo": lambda _: self._travel(self._chat().undo(), "There is nothing to undo."),
            "redo": lambda _: self._travel(self._chat().redo(), "There is nothing to redo."),
            "panel": self._panel,
            "model": self._model,
            "new": lambda _: self._new(),
        }

    def run(self) -> int:
        """Read and answer messages until the end of input or ``/quit``; return the exit code.

        With a person at the keyboard that is 0; otherwise it is 1 if a line failed.
        """
        if self._lines.interactive:
            self._greet()
        while True:
            try:
                line = self._lines.read()
                if line.strip() == "/quit":
                    break
                self._answer(line)
            except EOFError:
                break
            except KeyboardInterrupt:
                if not self._lines.interactive:
                    raise
                _tell("\nCtrl-D or /quit ends the chat.")
            except AirochatError as error:
                self._failed = True
                report(error.message, error.hint)
        return int(self._failed and not self._lines.interactive)

    def _answer(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        if not line.startswith("/") or line.startswith("//"):
            text = line.removeprefix("/") if line.startswith("//") else line
            if text.strip():
                self._show(lambda: self._chat().send(text, **self._sampling))
        elif name in self._commands:
            self._commands[name](rest.strip())
        else:
            self._command(line)

    def _command(self, line: str) -> None:
        chat = self._chat()
        name = line[1:].split(" ")[0]
        known = {*self._commands, *CHAT_COMMANDS, *self._manager.commands()}
        if name not in known:
            raise UsageError(f"There is no command /{one_line(name, 40)}.", did_you_mean(name, known))
        answer = run_command(chat, line, **self._sampling)
        if isinstance(answer, Turn):
            self._show(lambda: answer)
        elif answer:
            put(answer)

    def _chat(self) -> Session:
        """Return the chat; a new one is made by the first line that needs it."""
        if self._session is None:
            session = self._opening.session()
            self._approver.check(session)
            session.subscribe(self._diagnostics)
            self._session = session
        return self._session

    def _show(self, begin: Callable[[], Turn]) -> None:
        load_model(self._manager, self._diagnostics)
        turn = begin()
        while True:
            interrupted = stream(turn, self._chat(), self._diagnostics, approver=self._approver)
            self._failed |= turn.reason == "failed"
            if interrupted and not self._lines.interactive:
                raise KeyboardInterrupt
            if len(turn.messages) > 1:
                number, count = self._chat().swipe_position()
                _tell(f"{number} of {count} is shown; /swipe K shows number K.")
                return  # one of them is to be chosen before the chat goes on
            if interrupted or turn.reason == "failed" or not self._chat().group.due():
                return
            turn = self._chat().speak(**self._sampling)

    def _greet(self) -> None:
        self._manager.start()
        title = one_line(self._opening.found.title) if self._opening.found else ""
        _tell(f"{title or 'A new chat'}. /help lists the commands.")
        if self._opening.found or self._opening.cards:
            self._last()

    def _last(self) -> None:
        history = self._chat().history
        _tell(f"{one_line(history[-1].name)}: {history[-1].text}" if history else "The chat is empty.")

    def _travel(self, moved: bool, otherwise: str) -> None:
        if not moved:
            raise UsageError(otherwise)
        self._last()

    def _leaf(self, moved: bool) -> None:
        number, count = self._chat().swipe_position()
        _tell(f"{number} of {count}" if count else "There is nothing yet.")
        if moved:
            self._last()

    def _swipe(self, number: str) -> None:
        """Write another alternative of the last reply, or show the one of this number."""
        chat = self._chat()
        if not number:
            self._show(lambda: chat.swipe(**self._sampling))
            return
        count = chat.swipe_position()[1]
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= count and chat.head):
            there = f"There are {count}." if count else "There is nothing yet."
            raise UsageError(f"There is no alternative {one_line(number, 40)}.", there)
        chat.turn_to(chat.tree.siblings(chat.head)[int(number) - 1])
        self._leaf(True)

    def _model(self, name: str) -> None:
        if name:
            self._manager.use_model(name)
        _tell(load_model(self._manager, self._diagnostics).name)

    def _panel(self, name: str) -> None:
        from airochat.cli.panel_text import as_text, listing
        from airochat.session import panels

        if not name:
            put(listing(panels.panels(self._manager)))
            return
        entry = panels.find(self._manager, name)
        put(as_text(panels.show(self._chat() if entry.needs_chat else self._manager, entry.name)))

    def _new(self) -> None:
        self._session = self._opening.begin()
        self._session.subscribe(self._diagnostics)
        _tell("A new chat.")

    def _help(self) -> None:
        commands = {f"/{name}": command.summary for name, command in self._manager.commands().items()}
        about_cast = {command.usage: command.summary for command in CHAT_COMMANDS.values()}
        for name, summary in (_HELP | about_cast | commands).items():
            _tell(f"{name:20} {one_line(summary)}")


def _tell(text: str) -> None:
    click.echo(clean(text), err=True)
