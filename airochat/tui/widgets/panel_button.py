"""The buttons of a panel."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from airochat.hooks import Button

_EDGES = 6
"""Cells that a button takes beside its label: the bar, padding, and the gap to the next one."""


class PanelButton(Widget, can_focus=True):
    """One button on one line; Enter, Space or a click presses it."""

    BINDINGS = [Binding("enter,space", "press", "Press", show=False)]

    class Pressed(Message):
        """A button was pressed."""

        def __init__(self, button: Button) -> None:
            super().__init__()
            self.button = button

    def __init__(self, button: Button) -> None:
        super().__init__()
        self.button = button

    def take(self, button: Button) -> None:
        """Be another button of the same name."""
        self.button = button
        self.refresh(layout=True)

    def render(self) -> Content:
        """Draw the label."""
        return Content(self.button.label)

    def on_click(self, event: events.Click) -> None:
        """Be pressed."""
        event.stop()
        self.action_press()

    def action_press(self) -> None:
        """Be pressed."""
        self.post_message(self.Pressed(self.button))


class PanelButtons(Horizontal):
    """Buttons side by side, or one below the other where there is no room for that."""

    BINDINGS = [
        Binding("left", "screen.focus_previous", "The button before", show=False),
        Binding("right", "screen.focus_next", "The next button", show=False),
    ]

    def __init__(self, buttons: Sequence[Button]) -> None:
        super().__init__(classes="panel-buttons")
        self.buttons = [PanelButton(button) for button in buttons]
        """The widgets, from left to right."""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield from self.buttons

    def take(self, buttons: Sequence[Button]) -> None:
        """Be other buttons of the same names."""
        for widget, button in zip(self.buttons, buttons, strict=True):
            widget.take(button)
        self.on_resize()

    def on_resize(self) -> None:
        """Choose how the buttons stand."""
        needed = sum(cell_len(each.button.label) + _EDGES for each in self.buttons)
        self.set_class(needed > self.size.width, "-stacked")
