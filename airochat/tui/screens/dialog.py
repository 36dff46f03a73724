"""What all screens that open over the chat have in common."""

from __future__ import annotations

from typing import TypeVar

from textual.binding import Binding
from textual.screen import ModalScreen

R = TypeVar("R")


class Dialog(ModalScreen[R]):
    """A panel over the chat that Esc closes without a result."""

    DEFAULT_CLASSES = "dialog"
    BINDINGS = [Binding("escape", "cancel", "Back")]

    def action_cancel(self) -> None:
        """Close without a result."""
        self.dismiss(None)
