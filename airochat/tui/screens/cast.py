"""Who is here: the characters of the open chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from airochat.errors import AirochatError
from airochat.prompt import NARRATOR
from airochat.roleplay import ORDERS
from airochat.text import one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.screens.choose import Choosable, ChooseScreen
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing
from airochat.tui.widgets.problem import Problem

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

_KEYS: tuple[Hint, ...] = (
    ("enter", "let speak"),
    ("m", "mute"),
    ("a", "add"),
    ("del", "let go"),
    ("o", "order"),
    ("p", "persona"),
    ("esc", "back"),
)
_ORDERS = {
    "mention": "who was named answers, or who spoke last",
    "talkative": "also who feels like it",
    "round": "each in turn",
    "hand": "only who is told to",
}


class CastScreen(Dialog[str | None]):
    """Lists the characters of a session and the narrator; gives back who shall speak now, or None."""

    BINDINGS = [
        Binding("m", "mute", "Mute"),
        Binding("a", "add", "Add"),
        Binding("delete", "remove", "Let go"),
        Binding("o", "order", "Order"),
        Binding("p", "persona", "Who you are"),
    ]

    def __init__(self, manager: SessionManager, session: Session) -> None:
        super().__init__()
        self._manager = manager
        self._session = session

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            yield Static("Who is here", classes="heading", markup=False)
            yield Listing(1, id="cast-list")
            yield Static("", classes="text", id="cast-facts", markup=False)
            yield Problem()
            yield Hints(_KEYS)

    def on_mount(self) -> None:
        """Begin with who speaks next."""
        self.listing = self.query_one(Listing)
        self._fill(self._session.group.next())
        self.listing.focus()

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._session.group.names, NARRATOR)

    @property
    def _chosen(self) -> str:
        return self._names[self.listing.chosen or 0]

    def _fill(self, show: str = "") -> None:
        names = self._names
        self.listing.show(len(names), self._row, names.index(show) if show in names else 0)
        order = self._session.profile.effective_roleplay.group_order
        said = f"You are {one_line(self._session.user_name, 40)}."
        if len(names) > 2:
            said += f" Who answers: {order}, that is, {_ORDERS[order]}."
        self.query_one("#cast-facts", Static).update(Content(said))

    def _row(self, index: int, width: int) -> list[Content]:
        name = self._names[index]
        facts = []
        if name in self._session.profile.muted:
            facts.append("muted")
        if name == NARRATOR:
            facts.append("tells what happens")
        elif name == self._session.group.next():
            facts.append("speaks next")
        return [Content.assemble((one_line(name, 60), "$rp-ink"), "  ", (", ".join(facts), "$rp-faint"))]

    @on(Listing.Picked)
    def _picked(self) -> None:
        self.dismiss(self._chosen)

    def action_mute(self) -> None:
        """Let the chosen one speak only when told to, or freely again."""
        name = self._chosen
        if name != NARRATOR:
            muted = name in self._session.profile.muted
            self._attempt(lambda: self._session.group.mute(name, not muted))

    def action_remove(self) -> None:
        """Let the chosen one leave, after asking."""
        name = self._chosen
        if name == NARRATOR:
            return

        def leave(answer: str | None) -> None:
            if answer:
                self._attempt(lambda: self._session.group.remove(name))

        answers = [("leave", "let go; what was said stays"), ("", "stay")]
        self.app.push_screen(AskScreen(f"Shall {one_line(name, 60)} leave this chat?", answers), leave)

    def action_order(self) -> None:
        """Say who of the group answers."""
        now = self._session.profile.effective_roleplay.group_order
        orders = sorted(ORDERS, key=lambda order: order != now)
        answers = [(order, f"{order}: {_ORDERS[order]}") for order in orders]

        def chosen(order: str | None) -> None:
            if order:
                roleplay = {**self._session.profile.roleplay, "group_order": order}
                self._attempt(lambda: self._session.set(roleplay=roleplay))

        self.app.push_screen(AskScreen("Who of the group answers?", answers), chosen)

    def action_persona(self) -> None:
        """Say who the user is in this chat."""
        from airochat.tui.screens.personas import PersonasScreen

        screen = PersonasScreen(self._manager, session=self._session)
        self.app.push_screen(screen, lambda _: self._fill(self._chosen))

    def action_add(self) -> None:
        """Let a character of the library join."""
        cast("AirochatApp", self.app).bridge.run(self._manager.cards.entries, self._choose)

    def _choose(self, result: list[CardEntry] | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self._problem(result)
            return
        cards = [
            Choosable(entry.id, one_line(entry.name, 60), one_line(", ".join(entry.tags), 60))
            for entry in result
            if not entry.error
        ]
        self.app.push_screen(ChooseScreen("Who shall join?", cards), self._join)

    def _join(self, card_id: str | None) -> None:
        if card_id is not None:
            self._attempt(lambda: self._session.group.add(card_id), added=True)

    def _attempt(self, action: Callable[[], object], added: bool = False) -> None:
        try:
            action()
        except AirochatError as error:
            self._problem(error)
            return
        self.query_one(Problem).say()
        names = self._session.group.names
        self._fill(names[-1] if added and names else self._chosen if self.listing.chosen is not None else "")

    def _problem(self, error: AirochatError) -> None:
        self.query_one(Problem).say(error)
