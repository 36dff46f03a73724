"""Where the user writes."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea

from airochat.text import clean
from airochat.tui.pasted import card_paths, chat_paths

NEWLINES = frozenset({"ctrl+j", "shift+enter", "shift+\r", "alt+enter", "ctrl+enter"})
"""Keys that begin a new line; terminals other than the newest only ever send the first."""

BIG = 20_000
"""Characters of pasted text above which a stand-in is shown, since every key would cost time otherwise."""


class Composer(TextArea):
    """A multi-line input in which Enter sends.

    It keeps its text until the screen says that it was sent, so that nothing written is ever lost.
    """

    BINDINGS = [
        Binding("ctrl+z,super+z", "undo", "Undo", show=False),
        Binding("ctrl+y,super+y", "redo", "Redo", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]

    class Submitted(Message):
        """The user wants to send what is written; pasted texts stand in their places."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Wanted(Message):
        """A key that means nothing in the text, and so something for the conversation.

        ``what`` is ``previous``, ``next``, ``undo``, ``redo``, ``page_up`` or ``page_down``.
        """

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    class FilesPasted(Message):
        """What was pasted names files that may be cards, or files that may be chats."""

        def __init__(self, text: str, paths: list[Path]) -> None:
            super().__init__()
            self.text = text
            self.paths = paths

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(soft_wrap=True, show_line_numbers=False, tab_behavior="focus", compact=True, id=id)
        self.highlight_cursor_line = False
        self.sent: list[str] = []
        """What was sent before, oldest first."""
        self._at: int | None = None
        self._draft = ""
        self._pasted: list[str] = []

    @property
    def full_text(self) -> str:
        """What is written, with pasted texts in the places of their stand-ins."""
        text = self.text
        for number, pasted in enumerate(self._pasted, 1):
            text = text.replace(_stand_in(number), pasted)
        return text

    def accept(self) -> None:
        """Empty the composer, since its text was sent."""
        if self.text.strip():
            self.sent.append(self.full_text if len(self.full_text) <= BIG else self.text)
        self.restore("")

    def restore(self, text: str) -> None:
        """Write a draft, in place of what stands there."""
        self._at = None
        self._pasted.clear()
        self._put(self._shortened(text))
        self.history.clear()

    def prompt_with(self, text: str) -> None:
        """Say in the empty composer what it is for."""
        self.placeholder = Content(text)

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted(self.full_text))
        elif event.key in NEWLINES:
            event.stop()
            event.prevent_default()
            self._replace_via_keyboard("\n", *self.selection)
        elif event.key in ("left", "right") and not self.text:
            event.stop()
            event.prevent_default()
            self.post_message(self.Wanted("previous" if event.key == "left" else "next"))
        elif event.key.startswith("alt+"):
            # An unbound Alt+letter would type its letter.
            event.prevent_default()
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if result := self._replace_via_keyboard(self._shortened(clean(event.text)), *self.selection):
            self.move_cursor(result.end_location)
        if found := card_paths(event.text) or chat_paths(event.text):
            self.post_message(self.FilesPasted(clean(event.text), found))

    def _shortened(self, text: str) -> str:
        if len(text) <= BIG:
            return text
        self._pasted.append(text)
        return _stand_in(len(self._pasted))

    def action_undo(self) -> None:
        """Take back the last change of the text, or else of the conversation."""
        if self.history._undo_stack:
            super().action_undo()
        else:
            self.post_message(self.Wanted("undo"))

    def action_redo(self) -> None:
        """Make the last change again that was taken back: in the text, or else in the conversation."""
        if self.history._redo_stack:
            super().action_redo()
        else:
            self.post_message(self.Wanted("redo"))

    def action_page(self, direction: int) -> None:
        """Move the transcript, not the few lines here."""
        self.post_message(self.Wanted("page_down" if direction > 0 else "page_up"))

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up; from the first row, to what was sent before."""
        first = self.wrapped_document.location_to_offset(self.cursor_location).y == 0
        if first and not select and self.sent:
            self._older()
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down; from the last row, back towards the draft."""
        last = (
            self.wrapped_document.location_to_offset(self.cursor_location).y
            >= self.wrapped_document.height - 1
        )
        if last and not select and self._at is not None:
            self._newer()
        else:
            super().action_cursor_down(select)

    def _older(self) -> None:
        if self._at is None:
            self._draft, self._at = self.text, len(self.sent)
        if self._at > 0:
            self._at -= 1
            self._put(self._shortened(self.sent[self._at]))

    def _newer(self) -> None:
        self._at = (self._at or 0) + 1
        if self._at < len(self.sent):
            self._put(self._shortened(self.sent[self._at]))
        else:
            self._at = None
            self._put(self._draft)

    def _put(self, text: str) -> None:
        self.text = text
        self.move_cursor(self.document.end)


def _stand_in(number: int) -> str:
    return f"[pasted text {number}]"
