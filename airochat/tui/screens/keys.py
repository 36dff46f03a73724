"""All keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from airochat.tui.screens.dialog import Dialog

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Writing",
        (
            ("enter", "send; empty: let the model go on"),
            ("ctrl+j", "new line; in some terminals shift+enter, too"),
            ("↑ in the first row", "what you sent before"),
            ("/", "a command, such as /note; // for a text that begins with /"),
            ("tab", "to the messages, and back"),
        ),
    ),
    (
        "The reply",
        (
            ("esc", "stop it; what is there stays"),
            ("ctrl+r  ctrl+g", "another one, go on with this one"),
            ("ctrl+s", "four at once, to what you wrote, or again"),
            ("ctrl+t", "let the model write what you say"),
            ("← →", "the alternatives, also while they grow"),
            ("ctrl+z  ctrl+y", "undo and redo steps, while nothing is written"),
        ),
    ),
    (
        "Messages (after tab, or a click)",
        (
            ("↑ ↓", "choose"),
            ("e  c", "edit, copy"),
            ("r  s  b", "another reply here, four, go on from here"),
            ("t", "look at its words, and exchange one"),
            ("page up, page down", "move; ctrl+end to the end"),
        ),
    ),
    (
        "Elsewhere",
        (
            ("ctrl+n  ctrl+k", "new chat, find a chat"),
            ("ctrl+p", "everything: chats, themes, templates, models"),
            ("F2", "characters; a card's path can be pasted anywhere"),
            ("F5  F6", "who is here, who you are"),
            ("F3  F4", "what the model sees, choose a model"),
            ("F7", "plugins, their panels and settings; /panel NAME"),
            ("ctrl+q", "quit; nothing is lost"),
        ),
    ),
)
"""Groups of keys with what they do."""

_COLUMN = 20


class KeysScreen(Dialog[None]):
    """Lists the keys."""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with VerticalScroll(classes="panel"):
            for title, keys in KEYS:
                yield Static(title, classes="heading", markup=False)
                lines = [_line(key, meaning) for key, meaning in keys]
                yield Static(Content("\n").join(lines), classes="text")
            yield Static("esc  back", classes="faint", markup=False)

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


def _line(key: str, meaning: str) -> Content:
    gap = " " * max(2, _COLUMN - len(key))
    return Content.assemble((key, "$rp-ink"), gap, (meaning, "$rp-faint"))
