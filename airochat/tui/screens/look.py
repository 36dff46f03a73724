"""The words of a reply: how likely the model found each, what else could stand there, and going on from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from airochat.backends.base import Candidate, Scored
from airochat.errors import AirochatError
from airochat.session.token_text import percent
from airochat.session.turn import Turn
from airochat.text import clean, one_line
from airochat.tui.tokens import candidates, label, to_words
from airochat.tui.widgets.heat import HeatText
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from airochat.conversation import Message
    from airochat.session import Session
    from airochat.tui.app import AirochatApp
    from airochat.tui.bridge import Bridge

TOP = 10
"""How many candidates are shown for each place; each has a key."""

_TEXT: tuple[Hint, ...] = (
    *(("←→ ↑↓", "word"), ("1–9 0", "take that"), ("enter", "list"), ("esc", "back"), ("n", "surprise")),
)
_LIST: tuple[Hint, ...] = (
    *(("↑↓", "choose"), ("enter", "take that, and go on"), ("esc", "to the text"), ("←→", "word")),
)


class LookScreen(Screen[bool]):
    """Gives back True if an alternative of the reply was begun here."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (28, "-narrow"), (76, "-wide"), (110, "-full")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (6, "-short"), (18, "-tall")]
    BINDINGS = [
        Binding("escape", "back", "Back"),
        Binding("left", "move(-1)", "Token before"),
        Binding("right", "move(1)", "Token after"),
        Binding("n", "surprise(1)", "Next surprise"),
        Binding("p", "surprise(-1)", "Surprise before"),
        Binding("enter", "list", "To the list"),
        *(Binding(str(number % 10), f"pick({number})", show=False) for number in range(1, TOP + 1)),
    ]

    def __init__(self, session: Session, message: Message) -> None:
        super().__init__()
        self._session = session
        self._message = message
        self._scored: Sequence[Scored] = ()
        self._candidates: tuple[Candidate, ...] = ()
        self._place = 0  # that the candidates are for; the cursor may be ahead of what is shown
        self._begins = False

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        name = one_line(self._message.name, 40)
        title = Content.assemble(("The words of the reply", "bold $rp-ink"), (f"   {name}", "$rp-faint"))
        yield Static(title, id="look-title")
        yield Static(self._legend(), id="look-legend", markup=False)
        with Horizontal(id="look-body"):
            yield HeatText(id="look-text")
            with Vertical(id="look-side"):
                yield Static("", id="look-about", markup=False)
                yield Listing(id="look-list")
        yield Static("reading the reply …", id="look-state", markup=False)
        yield Hints(_TEXT, id="look-hints")

    def on_mount(self) -> None:
        """Let the model read the reply again, which may take a while; nothing waits for it."""
        self._text, self._list = self.query_one(HeatText), self.query_one(Listing)
        self._text.focus()
        session, message_id = self._session, self._message.id
        self._bridge.run(lambda: session.alternatives(message_id, TOP), self._take)

    @property
    def _bridge(self) -> Bridge:
        return cast("AirochatApp", self.app).bridge

    def _legend(self) -> str:
        if cast("AirochatApp", self.app).plain_colors:
            return "underlined or bold: the model found it unlikely"
        return "the stronger the colour, the less likely the model found it"

    def _take(self, result: list[Scored] | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self._problem(result)
            return
        self._scored = result
        self._say("" if result else "The reply has no tokens.")
        self._text.show(to_words(result))

    def _say(self, text: str) -> None:
        self.query_one("#look-state", Static).update(Content.styled(text, "$rp-soft"))

    def _problem(self, error: AirochatError) -> None:
        told = Content.assemble((clean(error.message), "$rp-error"), (f"  {clean(error.hint)}", "$rp-soft"))
        self.query_one("#look-state", Static).update(told)

    # The place that is looked at

    @on(HeatText.Moved)
    def _moved(self) -> None:
        if not self._scored:
            return
        self._place = self._text.cursor
        token = self._scored[self._place]
        self._candidates = candidates(token)
        written = next(at for at, one in enumerate(self._candidates) if one.token == token.token)
        self.query_one("#look-about", Static).update(self._about(token, written))
        self._list.show(len(self._candidates), self._row, written)

    def _about(self, token: Scored, written: int) -> Content:
        rank = f"choice {written + 1}" if written < len(token.others) else f"below choice {TOP}"
        return Content.assemble(
            (label(token.piece), "bold $rp-ink"),
            (f"   {self._place + 1} of {len(self._scored)}", "$rp-faint"),
            (f"\n{percent(token.probability)} · {rank}", "$rp-soft"),
        )

    def _row(self, number: int, width: int) -> list[Content]:
        one = self._candidates[number]
        written = one.token == self._scored[self._place].token
        key = str((number + 1) % 10) if number < TOP else " "
        share = percent(one.probability).replace("under ", "<").rjust(5)
        named = max(4, min(18, width // 2 - 3))
        name = Content(label(one.piece)).truncate(named, ellipsis=True)
        room = max(0, width - 3 - named - 1 - len(share))
        # The bars compare what is listed, and the figures tell the shares of all there is.
        most = max(each.probability for each in self._candidates) or 1.0
        bar = "━" * round(room * one.probability / most)
        return [
            Content.assemble(
                (f"{key}  ", "$rp-faint"),
                (name.plain, "$rp-accent" if written else "$rp-ink"),
                " " * (named - name.cell_length),
                (bar.ljust(room), "$rp-accent" if written else "$rp-faint"),
                (f" {share}", "$rp-soft"),
            )
        ]

    # Keys

    def action_move(self, by: int) -> None:
        """Look at another token."""
        self._text.move(by)

    def action_surprise(self, by: int) -> None:
        """Look at the next surprising word, or the one before."""
        self._text.move_to_surprise(by)

    def action_list(self) -> None:
        """Go to the list of what else could stand there."""
        if self._candidates:
            self._list.focus()

    def on_descendant_focus(self) -> None:
        """Show the keys of what has the focus now."""
        self.query_one(Hints).show(_LIST if self._list.has_focus else _TEXT)

    @on(Listing.Picked)
    def _picked(self) -> None:
        if self._list.chosen is not None:
            self.action_pick(self._list.chosen + 1)

    def action_pick(self, number: int) -> None:
        """Write the reply anew from here on, with another token in this place."""
        if self._begins or not 1 <= number <= len(self._candidates):
            return
        self._begins = True
        self._say("going on from there …")
        session, message_id = self._session, self._message.id
        position, token = self._place, self._candidates[number - 1].token
        self._bridge.run(lambda: session.steer(message_id, position, token), self._begun)

    def _begun(self, result: Turn | AirochatError) -> None:
        self._begins = False
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self._problem(result)
        else:
            self.dismiss(True)

    def action_back(self) -> None:
        """Leave the list, or else the screen."""
        if self._list.has_focus:
            self._text.focus()
        else:
            self.dismiss(False)
