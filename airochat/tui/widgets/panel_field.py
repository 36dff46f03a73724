"""A field of a panel: what it is called, the control for its kind, and what it takes."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from airochat.errors import SettingsError
from airochat.hooks import Field
from airochat.session import panels
from airochat.text import one_line
from airochat.tui.widgets.plain_area import PlainArea


class Pick(Widget, can_focus=True):
    """One of a few values: Space takes the next one, Enter asks where there are more than two."""

    BINDINGS = [
        Binding("space,right", "step(1)", "Next", show=False),
        Binding("left", "step(-1)", "Before", show=False),
        Binding("enter", "pick", "Choose", show=False),
    ]

    index: reactive[int] = reactive(0, init=False)
    """Which value is taken."""

    class Changed(Message):
        """Another value is taken."""

    class Wanted(Message):
        """The values are to be listed, so that one can be chosen."""

        def __init__(self, pick: Pick) -> None:
            super().__init__()
            self.pick = pick

    def __init__(self, names: tuple[str, ...], index: int, switch: bool) -> None:
        super().__init__()
        self.names = names
        """The values as they are shown."""
        self._switch = switch
        self.set_reactive(Pick.index, index)

    def watch_index(self) -> None:
        """Tell that another value is taken."""
        self.post_message(self.Changed())

    def render(self) -> Content:
        """Draw the value."""
        name = one_line(self.names[self.index], 60) if self.names else ""
        if self._switch:
            return Content.assemble(("■ " if self.index else "□ ", "$rp-accent"), name)
        return Content.assemble(name, (f"   {self.index + 1} of {len(self.names)}", "$rp-faint"))

    def action_step(self, by: int) -> None:
        """Take the value after or before this one."""
        if self.names:
            self.index = (self.index + by) % len(self.names)

    def action_pick(self) -> None:
        """Take the other value, or ask for one of several."""
        if len(self.names) > 2:
            self.post_message(self.Wanted(self))
        else:
            self.action_step(1)

    def on_click(self) -> None:
        """Do what Enter does."""
        self.action_pick()


class PanelField(Horizontal):
    """Draws a `Field`: its name at the left, and the control with its explanation at the right."""

    class Changed(Message):
        """Something was typed or chosen."""

    def __init__(self, part: Field) -> None:
        super().__init__(classes="panel-field")
        self.part = part
        self._options = _options(part)
        self._shown = self._text_of(part)
        self._control = self._made()
        self._label = Static("", classes="panel-label", markup=False)
        self._help = Static("", classes="panel-help", markup=False)
        self._problem = Static("", classes="panel-problem", markup=False)

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield self._label
        with Vertical(classes="panel-value"):
            yield self._control
            yield self._help
            yield self._problem

    def on_mount(self) -> None:
        """Show what the field says of itself."""
        self._describe()

    def _describe(self) -> None:
        setting = self.part.setting
        self._label.update(Content(panels.title_of(setting)))
        told = panels.help_of(setting)
        self._help.update(Content(told))
        self.check()

    def _made(self) -> Input | PlainArea | Pick:
        if self._options is not None:
            names = tuple(panels.written(self.part.setting, value) for value in self._options)
            return Pick(names, int(self._shown), self.part.setting.kind == "bool")
        if self.part.setting.kind == "lines" or "\n" in self._shown:
            return PlainArea(self._shown)
        return Input(self._shown, classes="line")

    def _text_of(self, part: Field) -> str:
        """Return what stands in the control for a value; for a choice the number of the option."""
        if self._options is None:
            return panels.written(part.setting, part.value)
        return str(self._options.index(part.value) if part.value in self._options else 0)

    # What is in it

    @property
    def name_of_setting(self) -> str:
        """The name under which the plugin knows the field."""
        return self.part.setting.name

    @property
    def control(self) -> Widget:
        """What takes the focus."""
        return self._control

    @property
    def typed(self) -> str:
        """What stands in the control."""
        match self._control:
            case Pick():
                return str(self._control.index)
            case PlainArea():
                return self._control.text
            case _:
                return self._control.value

    @property
    def edited(self) -> bool:
        """Whether something else stands there than what the panel showed."""
        return self.typed != self._shown

    def value(self) -> Any:
        """Return the value that was typed; raises `SettingsError` if the setting does not take it.

        Of a field that is not `edited` it may be less than the panel's own value, since what is shown is cleaned.
        """
        if self._options is not None:
            return self._options[int(self.typed)]
        return self.part.setting.parsed(self.typed)

    def check(self) -> bool:
        """Say what is wrong with what was typed; true if nothing is."""
        wrong = ""
        if self.edited and self._options is None:
            try:
                self.value()
            except SettingsError:
                wrong = panels.refusal(self.part.setting, self.typed)
        self._problem.update(Content(wrong))
        self._problem.display = bool(wrong)
        self._help.display = not wrong and bool(panels.help_of(self.part.setting))
        return not wrong

    def type(self, text: str) -> None:
        """Put a text into the control, as if it had been typed."""
        if text == self.typed:
            return
        match self._control:
            case Pick():
                self._control.index = min(int(text), len(self._control.names) - 1) if text.isdigit() else 0
            case PlainArea():
                self._control.text = text
            case _:
                self._control.value = text

    def fits(self, part: Field) -> bool:
        """Return whether another field can be shown by the same control."""
        old, new = self.part.setting, part.setting
        same = (old.name, old.kind, old.choices) == (new.name, new.kind, new.choices)
        return same and not (isinstance(self._control, Input) and "\n" in self._text_of(part))

    def take(self, part: Field) -> None:
        """Show another value of the same field; what was typed goes away."""
        self.part = part
        self._shown = self._text_of(part)
        self.type(self._shown)
        self._describe()

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Pick.Changed)
    def _changed(self) -> None:
        self.check()
        self.post_message(self.Changed())


def _options(part: Field) -> tuple[Any, ...] | None:
    if part.setting.kind == "bool":
        return (False, True)
    return part.setting.choices if part.setting.kind == "choice" else None
