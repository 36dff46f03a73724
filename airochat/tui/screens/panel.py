"""A plugin's panel, or the form for its settings: what it shows, and what is done in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static, TextArea

from airochat.errors import AirochatError
from airochat.hooks import Act, Button, Outcome, View
from airochat.hooks.forms import RESET
from airochat.session import Session, panels
from airochat.session.events import SessionEvent, TextAdded, TreeChanged, TurnEnded
from airochat.session.panels import PanelEntry
from airochat.text import clean, one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.screens.choose import Choosable, ChooseScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.panel_body import Kept, PanelBody
from airochat.tui.widgets.panel_button import PanelButton
from airochat.tui.widgets.panel_field import Pick
from airochat.tui.widgets.panel_table import PanelTable

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.tui.app import AirochatApp

R = TypeVar("R")
_PAUSE = 0.5
"""Seconds after something happened in the chat until the panel is asked anew."""


class PanelScreen(Screen[None]):
    """Draws one panel. Showing and acting are done on another thread; what comes too late is dropped."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]
    BINDINGS = [
        Binding("escape", "back", "Back"),
        Binding("ctrl+s", "first", "The button below", priority=True),
        Binding("ctrl+r", "again", "Show anew", priority=True),
        Binding("up", "app.focus_previous", "Above", show=False),
        Binding("down", "app.focus_next", "Below", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]

    class Happened(Message):
        """Something has changed in the chat that the panel may be about."""

    def __init__(self, where: Session | SessionManager, entry: PanelEntry) -> None:
        super().__init__()
        self._where = where
        self._entry = entry
        self._before: list[Kept] = []
        """The places that lead here, and what was done there."""
        self._place = ""
        self._number = 0
        """Counts what was asked for; answers to what came before are dropped."""
        self._busy = False
        """Whether something is being done, or another place was asked for."""
        self._stale = False
        self._unsubscribe: Callable[[], None] = lambda: None
        self._heading = Static("", id="panel-title", markup=False)
        self.body = PanelBody()
        self.activity = Activity(id="panel-activity")
        self._hints = Hints(id="panel-hints")

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield self._heading
        yield self.body
        yield self.activity
        yield self._hints

    def on_mount(self) -> None:
        """Ask the panel what it shows."""
        if isinstance(self._where, Session):
            self._unsubscribe = self._where.subscribe(self._heard)
        self._title(self._entry.title)
        self._hint()
        self._go("", [], Kept())

    def on_unmount(self) -> None:
        """Hear nothing any more."""
        self._unsubscribe()

    # Asking the panel

    def _run(
        self, work: Callable[[], R], done: Callable[[R], None], failed: Callable[[], None] = lambda: None
    ) -> None:
        """Do ``work`` on another thread; an error is shown, and a result that nobody waits for any more is dropped."""
        self._number += 1
        number = self._number

        def take(result: R | AirochatError) -> None:
            if number != self._number or not self.is_attached:
                return
            self._busy = False
            if isinstance(result, AirochatError):
                self.activity.problem(result.message, result.hint)
                failed()
            else:
                done(result)

        cast("AirochatApp", self.app).bridge.run(work, take)

    def _show(self, kept: Kept) -> None:
        """Ask again what is here, and have typed and chosen in it what is ``kept``."""
        where, name, place = self._where, self._entry.name, self._place

        def take(view: View) -> None:
            if view != self.body.view or kept.typed != self.body.kept().typed:
                self._draw(view, kept, moved=False)

        self._run(lambda: panels.show(where, name, place), take)

    def _go(self, place: str, before: list[Kept], kept: Kept, back: bool = False) -> None:
        """Go to another place, to which ``before`` leads; what is shown here stays until the panel has answered.

        If the panel cannot show a place that the user comes ``back`` to, it is empty.
        """
        where, name = self._where, self._entry.name

        def take(view: View) -> None:
            self._place, self._before = place, before
            self._draw(view, kept, moved=True)

        def failed() -> None:
            if back:
                take(View(kept.title, ()))

        self._run(lambda: panels.show(where, name, place), take, failed)
        self._busy = True

    def _draw(self, view: View, kept: Kept, moved: bool) -> None:
        self._title(view.title)
        self.body.call_next(self.body.show, view, kept, moved)
        self.body.call_next(self._hint)

    def _heard(self, event: SessionEvent) -> None:
        # On the thread of the turn; one message is enough until the panel was asked.
        if isinstance(event, (TurnEnded, TreeChanged, TextAdded)) and not self._stale:
            self._stale = True
            self.post_message(self.Happened())

    def on_panel_screen_happened(self) -> None:
        """Ask the panel before long."""
        self.set_timer(_PAUSE, self._refresh_quietly)

    def _refresh_quietly(self) -> None:
        self._stale = False
        if not self._busy and not self.body.edited and self.body.view is not None:
            self._show(self.body.kept())

    def action_again(self) -> None:
        """Ask the panel anew; what was typed stays."""
        if self._busy:
            return
        self.activity.clear()
        if self.body.view is None:
            self._go(self._place, self._before, Kept())
        else:
            self._show(self.body.kept())

    # Doing something

    @on(PanelButton.Pressed)
    def _pressed(self, event: PanelButton.Pressed) -> None:
        self._press(event.button)

    @on(PanelTable.Wanted)
    def _wanted(self, event: PanelTable.Wanted) -> None:
        self._press(event.button, event.row, of_table=True)

    def _press(self, button: Button, row: str = "", of_table: bool = False, leave: bool = False) -> None:
        if self._busy:
            self.activity.problem("The panel is still at work.")
            return
        self.activity.clear()
        values, wrong = self.body.values()
        if button.name == RESET and not panels.needs_chat(self._entry.name):
            values, wrong = {}, None  # what is typed into the form does not matter for that
        if wrong is not None:
            wrong.control.focus()
            self.activity.problem(f"{panels.title_of(wrong.part.setting)}: this cannot be taken.")
            return
        done = Act(self._place, button.name, row, values)

        def go(answer: str | None = "go") -> None:
            if answer:
                self._act(done, of_table, leave)

        if button.confirm:
            answers = [("go", button.label), ("", "don't")]
            self.app.push_screen(AskScreen(button.confirm, answers), go)
        else:
            go()

    def _act(self, done: Act, of_table: bool, leave: bool) -> None:
        where, name = self._where, self._entry.name
        self._run(lambda: panels.act(where, name, done), lambda outcome: self._done(outcome, of_table, leave))
        self._busy = True

    def _done(self, outcome: Outcome, of_table: bool, leave: bool) -> None:
        if outcome.message:
            self.notify(clean(outcome.message), markup=False)
        kept = self.body.kept(self._place)
        if not of_table:
            kept.typed = {}  # the button has taken it
        place = self._place if outcome.place is None else outcome.place
        known = [each.place for each in self._before]
        if leave:
            self._go_back()
        elif place == self._place:
            self._show(kept)
        elif place in known:
            self._go_back(known.index(place))
        else:
            self._go(place, [*self._before, kept], Kept())

    # Places

    def _go_back(self, at: int = -1) -> None:
        """Go back to a place that led here, by default the last one; or away if there is none."""
        if self._before:
            kept = self._before[at]
            self._go(kept.place, self._before[: self._before.index(kept)], kept, back=True)
        else:
            self.dismiss(None)

    def action_back(self) -> None:
        """Go back to the place before, or away; ask if something was typed that no button has taken."""
        self.activity.clear()
        if self._busy and self.body.view is not None:
            self._number += 1  # what is waited for is not wanted any more
            self._busy = False
        elif not self.body.edited:
            self._go_back()
        else:
            self._ask_before_leaving()

    def _ask_before_leaving(self) -> None:
        typed = next((each for each in self.body.fields if each.edited), None)
        first = self.body.button_below(typed)
        save = [("save", one_line(first.label, 60))] if first is not None else []

        def leave(answer: str | None) -> None:
            if answer == "save" and first is not None:
                self._press(first, leave=True)
            elif answer == "drop":
                self._go_back()

        answers = [*save, ("drop", "drop what I typed"), ("", "go on")]
        self.app.push_screen(AskScreen("You have typed something here. Leave?", answers), leave)

    # Keys

    def action_first(self) -> None:
        """Press the first button below what has the focus."""
        if (button := self.body.button_below(self.focused)) is not None:
            self._press(button)

    def action_page(self, direction: int) -> None:
        """Move what is shown by a page."""
        self.body.scroll_relative(y=direction * max(1, self.body.size.height - 2), animate=False)

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    @on(Pick.Wanted)
    def _choose(self, event: Pick.Wanted) -> None:
        pick = event.pick
        things = [Choosable(str(number), one_line(name, 60)) for number, name in enumerate(pick.names)]

        def take(key: str | None) -> None:
            if key is not None and pick.is_attached:
                pick.index = int(key)

        self.app.push_screen(ChooseScreen("Which one?", things), take)

    def on_descendant_focus(self) -> None:
        """Show the keys of what has the focus now."""
        self._hint()

    def _hint(self) -> None:
        focused = self.focused
        first = self.body.button_below(focused)
        save: tuple[Hint, ...] = (("ctrl+s", first.label.lower()),) if first is not None else ()
        table = next((each for each in self.body.tables if each.listing.has_focus), None)
        own: tuple[Hint, ...] = ()
        if table is not None:
            own = tuple(("enter", button.label.lower()) for button in table.part.buttons[:1])
            own += tuple((key, button.label.lower()) for key, button in table.keys.items())
        elif isinstance(focused, Pick):
            own = (("space", "change"),)
        elif isinstance(focused, PanelButton):
            own = (("enter", focused.button.label.lower()),)
            save = () if focused.button is first else save
        elif not isinstance(focused, (Input, TextArea)):
            own = (("↑↓", "read on"),)
        self._hints.show((*own, *save, ("esc", "back"), ("tab", "next")))
        self._hints.refresh(layout=True)

    def _title(self, title: str) -> None:
        way = "".join(f"{one_line(each.title, 30)} › " for each in self._before)
        chat = self._where.title if isinstance(self._where, Session) else ""
        about = f"   {one_line(chat, 40)}" if chat else ""
        shown = Content.assemble((way, "$rp-faint"), (title, "bold $rp-ink"), (about, "$rp-faint"))
        self._heading.update(shown)
