"""``%chat``, ``%%chat`` and ``%airochat``: a conversation as notebook cells, and the panels of plugins."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import airochat
from airochat.errors import AirochatError, UsageError
from airochat.notebook.cell import ChatError, print_turn, run_turn
from airochat.notebook.panel_state import list_view, plain, wire
from airochat.session import Session
from airochat.session.panels import find, panels, show
from airochat.session.session import MAX_REPLIES

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from airochat.session import SessionManager, Turn

_SAMPLING = ("seed", "max_tokens", "temperature", "top_p", "top_k", "min_p")


def register(shell: InteractiveShell) -> None:
    """Give an IPython the line magic and the cell magic ``chat``, and the line magic ``airochat``."""
    magics = ChatMagics(shell)
    register_function: Callable[..., None] = shell.magics_manager.register_function
    register_function(_magic(magics.configure, _line_options()), "line", "chat")
    register_function(_magic(magics.say, _cell_options()), "cell", "chat")
    register_function(_magic(magics.panel, _panel_options()), "line", "airochat")


class ChatMagics:
    """What the magics share: a session manager, opened when first needed, and the current session."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._manager: SessionManager | None = None
        self._session: Session | None = None
        self._swipes = 1

    def configure(self, args: argparse.Namespace) -> object:
        """Take the options of ``%chat`` and return the current session's widget."""
        if args.name:
            self._session = self._variable(args.name)
        if args.model:
            self._use_model(args.model)
        if args.session:
            self._session = self._open_manager().load(args.session)
        if args.new or args.card or args.persona:
            self._session = self._open_manager().new(card=args.card, persona=args.persona)
        session = self._current()
        if args.swipes is not None:
            self._swipes = args.swipes
        given = {name: getattr(args, name) for name in ("system", "template")}
        session.set(**{name: value for name, value in given.items() if value is not None})
        return None if args.quiet else self._show(session, args.swipes)

    def say(self, args: argparse.Namespace, cell: str) -> None:
        """Send the text of a cell, as it stands, and show the reply while it is written."""
        if args.into and not args.into.isidentifier():
            raise UsageError(f"--into {args.into!r} is not a name for a variable.")
        sampling = {name: getattr(args, name) for name in _SAMPLING if getattr(args, name) is not None}
        session, swipes = self._current(), args.swipes or self._swipes
        turn = session.send(cell.strip("\n"), n=swipes, **sampling)
        self._follow(turn)
        while swipes == 1 and turn.reason not in ("user", "failed") and session.group.due():
            turn = session.speak(**sampling)
            self._follow(turn)
        if args.into:
            texts = [message.text for message in turn.messages]
            self._shell.user_ns[args.into] = turn.text if swipes == 1 else texts

    def panel(self, args: argparse.Namespace) -> object:
        """Return the widget of a panel of the current session, or of the list of all; in a terminal print it."""
        if args.what == "panel" and not args.name:
            raise UsageError("%airochat panel: no name is given.", "%airochat panels lists them.")
        name = args.name if args.what == "panel" else ""
        if self._in_kernel():
            from airochat.notebook.panel import show_panel

            return show_panel(self._current(), name)
        session = self._current()
        view = show(session, find(session, name).name) if name else list_view(panels(session))
        print(plain(wire(view)))
        return None

    def _follow(self, turn: Turn) -> None:
        if self._in_kernel():
            run_turn(turn, self._manager)
        else:
            print_turn(turn)

    def _open_manager(self, model: str | None = None) -> SessionManager:
        if self._manager is None:
            self._manager = airochat.open(model=model)
        return self._manager

    def _use_model(self, ref: str) -> None:
        if self._manager is None:
            self._open_manager(ref).start()
        else:
            self._manager.use_model(ref)

    def _current(self) -> Session:
        if self._session is None:
            self._session = self._open_manager().new()
        return self._session

    def _variable(self, name: str) -> Session:
        found = self._shell.user_ns.get(name)
        if not isinstance(found, Session):
            raise UsageError(
                f"{name!r} is not a variable that holds a session.", "Make one with manager.new()."
            )
        return found

    def _in_kernel(self) -> bool:
        return getattr(self._shell, "kernel", None) is not None

    def _show(self, session: Session, swipes: int | None) -> object:
        if not self._in_kernel():
            print(f"Current chat: {session.title or 'a new one'}. Say something with %%chat.")
            return None
        from airochat.notebook.widget import show

        widget = show(session)
        if swipes is not None:
            widget.replies = swipes
        return widget


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", f"See {self.prog}? for its options.")


def _line_options() -> argparse.ArgumentParser:
    options = _Options(
        "%chat", description="Show the current chat as a widget; options choose what it is.", add_help=False
    )
    options.add_argument(
        "name", nargs="?", help="a Python variable that holds a session: make it the current one"
    )
    options.add_argument("--model", help="the model: a path, a known name, demo, or remote:ADDRESS")
    options.add_argument(
        "--session", help="go on with a stored chat: its id, the start of its id, or its title"
    )
    options.add_argument("--new", action="store_true", help="begin a new chat")
    options.add_argument(
        "--card",
        action="append",
        help="begin a new chat with this character: a file, or a name from the library",
    )
    options.add_argument("--persona", help="who you are in a new chat")
    options.add_argument(
        "--swipes", metavar="N", type=_number, help="write N alternatives at once, here and in cells"
    )
    options.add_argument("--system", help="the system prompt of the chat")
    options.add_argument("--template", help="the prompt template of the chat")
    options.add_argument("-q", "--quiet", action="store_true", help="do not show the widget")
    return options


def _cell_options() -> argparse.ArgumentParser:
    options = _Options(
        "%%chat", description="Send the cell's text, as it stands, to the current chat.", add_help=False
    )
    options.add_argument("--seed", type=int, help="the same seed gives the same reply")
    options.add_argument("--max-tokens", type=int, help="the length of the reply, at most")
    options.add_argument("--temperature", type=float, help="0 always takes the likeliest token")
    options.add_argument("--top-p", type=float)
    options.add_argument("--top-k", type=int)
    options.add_argument("--min-p", type=float)
    options.add_argument(
        "--swipes", metavar="N", type=_number, help="write N alternatives, and go on with the first"
    )
    options.add_argument(
        "--into",
        metavar="NAME",
        help="a Python variable that receives the text of the reply, or a list of those of its alternatives",
    )
    return options


def _panel_options() -> argparse.ArgumentParser:
    options = _Options(
        "%airochat", description="Show a panel of a plugin, or the list of all panels.", add_help=False
    )
    options.add_argument(
        "what", choices=["panel", "panels"], help="`panel NAME` shows one, `panels` lists all"
    )
    options.add_argument(
        "name", nargs="?", help="the panel; a plugin without one has a form for its settings"
    )
    return options


def _number(text: str) -> int:
    """Return a number of replies, for argparse."""
    if not (text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= MAX_REPLIES):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_REPLIES}")
    return int(text)


def _magic(function: Callable[..., Any], options: argparse.ArgumentParser) -> Callable[..., Any]:
    """Return the callable that IPython wants: it parses the line, and tells errors in two sentences."""

    def magic(line: str, *cell: str) -> Any:
        try:
            return function(_parsed(options, line), *cell)
        except ChatError:
            raise
        except AirochatError as error:
            raise ChatError(error.message, error.hint) from None

    magic.__doc__ = options.format_help()
    return magic


def _parsed(options: argparse.ArgumentParser, line: str) -> argparse.Namespace:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{options.prog}: {error}.", "Close the quotation marks.") from None
    return options.parse_args(words)
