"""The editor of a card: its texts, one beside the list of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static, TextArea

from airochat.errors import AirochatError, StoreError
from airochat.session.events import ModelFailed, ModelReady
from airochat.text import clean, one_line
from airochat.tui import words
from airochat.tui.card_form import HELP, LISTS, UNSENT, CardForm, Part
from airochat.tui.counting import counter
from airochat.tui.latest import Latest
from airochat.tui.screens.ask import AskScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing
from airochat.tui.widgets.plain_area import PlainArea

if TYPE_CHECKING:
    from airochat.characters import Card
    from airochat.session import SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

_PAUSE = 0.5
"""Seconds after the last key until tokens are counted and the draft is kept."""
_KEYS: tuple[Hint, ...] = (
    ("ctrl+s", "save"),
    ("tab", "fields, text"),
    ("esc", "back"),
    ("ctrl+e", "your editor"),
    ("ctrl+g", "another greeting"),
    ("ctrl+d", "remove it"),
    ("ctrl+o", "back to the original"),
)


class CardEditor(Screen[None]):
    """Changes the texts of a card of the library; the imported file stays as it is.

    What was written and not saved is kept, also beyond the end of the program.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall")]
    BINDINGS = [
        Binding("escape", "back", "Back"),
        Binding("ctrl+s", "save", "Save", priority=True),
        Binding("ctrl+e", "outside", "Your editor", priority=True),
        Binding("ctrl+g", "add", "Another greeting", priority=True),
        Binding("ctrl+d", "remove", "Remove the greeting", priority=True),
        Binding("ctrl+o", "revert", "Back to the original", priority=True),
        Binding("ctrl+down", "step(1)", "Next field", priority=True),
        Binding("ctrl+up", "step(-1)", "Field before", priority=True),
    ]

    def __init__(self, manager: SessionManager, entry: CardEntry, card: Card) -> None:
        super().__init__()
        self._manager = manager
        self._entry = entry
        self._form = CardForm(card)
        self._from_outside = False
        self._areas: dict[Part, PlainArea] = {}
        self._tokens: dict[str, int] = {}
        self._unfinished = ""
        self._wants_text = False

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static("", id="editor-title", markup=False)
        with Horizontal(id="editor-body"):
            yield Listing(1, id="editor-fields")
            with Vertical(id="editor-text"):
                yield Static("", id="editor-help", markup=False)
        yield Activity(id="editor-activity")
        yield Hints(id="editor-hints")

    def on_mount(self) -> None:
        """Begin at the description, with what was written and not saved the last time."""
        self._counting = Latest(self._app.bridge)
        self._timer = self.set_interval(_PAUSE, self._settle, pause=True)
        self.listing, self.activity = self.query_one(Listing), self.query_one(Activity)
        self.query_one(Hints).show(_KEYS)
        if draft := self._draft():
            self._form.restore(draft)
            if self._form.changed:
                self.activity.problem(
                    "Here is what you wrote the last time and did not save.", "ctrl+s saves it."
                )
        self._fill(2)
        self.listing.focus()
        self._settle()

    @property
    def _app(self) -> AirochatApp:
        return cast("AirochatApp", self.app)

    @property
    def _part(self) -> Part:
        return self._form.parts[self.listing.chosen or 0]

    @property
    def changed(self) -> bool:
        """Whether something was not saved yet."""
        return self._from_outside or self._form.changed

    # Showing

    def _fill(self, chosen: int) -> None:
        self.listing.show(len(self._form.parts), self._row, chosen)
        self._describe()

    def _row(self, index: int, width: int) -> list[Content]:
        part = self._form.parts[index]
        counted = None if part.key in UNSENT else self._tokens.get(part.text)
        tokens = "" if counted is None else words.tokens(counted)
        title = self._form.title(part)
        gap = " " * max(1, width - 2 - len(title) - len(tokens) - 1)
        style = "$rp-ink" if part.text.strip() else "$rp-faint"
        mark = ("• " if part.changed else "  ", "$rp-accent")
        return [Content.assemble(mark, (title, style), gap, (tokens, "$rp-faint"))]

    def _describe(self) -> None:
        sums = [
            self._tokens.get(part.text, 0) for part in self._form.parts if part.key not in (*UNSENT, *LISTS)
        ]
        counted = f"{sum(sums):,} tokens are sent with it" if self._tokens else ""
        saved = "not saved" if self.changed else "edited by you" if self._entry.edited else ""
        facts = " · ".join(filter(None, (saved, counted)))
        name = ("Edit " + one_line(self._form.card.name, 40), "bold $rp-ink")
        self.query_one("#editor-title", Static).update(Content.assemble(name, "   ", (facts, "$rp-faint")))

    @on(Listing.Moved)
    async def _show_part(self) -> None:
        part = self._part
        if part not in self._areas:
            area = self._areas[part] = PlainArea(part.text)
            await self.query_one("#editor-text").mount(area)
        for other, area in self._areas.items():
            area.display = other is part
        self.query_one("#editor-help", Static).update(Content.styled(HELP[part.key], "$rp-faint"))

        if self._wants_text:
            self._wants_text = False
            self._areas[part].focus()

    @on(Listing.Picked)
    def _write_soon(self) -> None:
        """Go to the text, once it is there."""
        self._wants_text = True
        self.listing.post_message(Listing.Moved(self.listing))

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        for part, area in self._areas.items():
            if area is event.text_area and part.text != area.text:
                part.text = area.text
                self.activity.clear()
                self._settle_soon()
        self.listing.redraw()
        self._describe()

    def on_descendant_focus(self) -> None:
        """Where there is room for one thing only, show what has the focus."""
        self.set_class(isinstance(self.focused, TextArea), "-writing")

    # After a pause

    def _settle_soon(self) -> None:
        self._timer.reset()
        self._timer.resume()

    def _settle(self) -> None:
        """Count tokens and keep the draft."""
        self._timer.pause()
        self._keep_draft()
        count = counter(self._manager)
        texts = [part.text for part in self._form.parts if part.text not in self._tokens]
        if self._manager.settings.model and not isinstance(
            self._manager.model_state, (ModelReady, ModelFailed)
        ):
            self._settle_soon()
        elif count is not None and texts:
            self._counting.ask(lambda: dict(zip(texts, count(texts), strict=True)), self._counted)

    def _counted(self, result: dict[str, int] | AirochatError) -> None:
        if isinstance(result, AirochatError) or self not in self.app.screen_stack:
            return
        self._tokens.update(result)
        self.listing.redraw()
        self._describe()

    def _drafts(self) -> Any:
        return self._manager.store.mapping("tui", "cards")

    def _draft(self) -> Any:
        try:
            return self._drafts().get(self._entry.id)
        except StoreError:
            return None

    def _keep_draft(self) -> None:
        try:
            if self._form.changed:
                self._drafts()[self._entry.id] = self._form.written()
            else:
                self._drafts().pop(self._entry.id, None)
        except StoreError as error:
            self.activity.problem(error.message, error.hint)

    # Keys

    def action_step(self, by: int) -> None:
        """Go to the field below or above, and stay in the text if that is where one is."""
        writing = isinstance(self.focused, TextArea)
        self.listing.action_move(by)
        if writing:
            self._write_soon()

    def action_add(self) -> None:
        """Add another greeting."""
        self._fill(self._form.add_greeting())
        self._write_soon()

    def action_remove(self) -> None:
        """Remove the greeting; another text is emptied."""
        part, at = self._part, self.listing.chosen or 0
        self._form.remove(part)
        if part.key not in LISTS:
            self._areas[part].text = ""
            return
        if (area := self._areas.pop(part, None)) is not None:
            area.remove()
        self._fill(min(at, len(self._form.parts) - 1))
        self.listing.focus()
        self._settle_soon()

    def action_save(self, leave: bool = False) -> None:
        """Save the changes beside the original."""
        form, manager, card_id = self._form, self._manager, self._entry.id

        def save() -> tuple[CardEntry, Card]:
            from airochat.characters.edit import edited

            changes = form.changes()
            entry = manager.cards.replace_edits(card_id, edited(form.card, changes) if changes else form.card)
            manager.card_changed(card_id)
            return entry, manager.cards.open(card_id).card

        self._run(save, lambda result: self._saved(*result, leave=leave))

    def _saved(self, entry: CardEntry, card: Card, *, leave: bool) -> None:
        self._take(entry, card)
        if leave:
            self.dismiss(None)
        else:
            self.notify("Saved. The imported file is as it was.")

    def _take(self, entry: CardEntry, card: Card) -> None:
        self._entry, self._from_outside = entry, False
        self._load(card)
        self._keep_draft()

    def _load(self, card: Card) -> None:
        """Show another state of the card, at the same field."""
        at, writing = self.listing.chosen or 0, isinstance(self.focused, TextArea)
        for area in self._areas.values():
            area.remove()
        self._areas.clear()
        self._form = CardForm(card)
        self._fill(min(at, len(self._form.parts) - 1))
        if writing:
            self._write_soon()
        self._settle()

    def _run(self, work: Any, done: Any) -> None:
        def take(result: Any) -> None:
            if self not in self.app.screen_stack:
                return
            if isinstance(result, AirochatError):
                self.activity.problem(result.message, result.hint)
            else:
                done(result)

        self._app.bridge.run(work, take)

    def action_revert(self) -> None:
        """Go back to the card as it was imported, after asking."""
        if not self._entry.edited and not self.changed:
            self.activity.problem("The card is as it was imported.")
            return
        answers = [("revert", "go back to it; my changes move to the bin"), ("", "keep my changes")]
        screen = AskScreen("Go back to the card as it was imported?", answers)
        self.app.push_screen(screen, lambda answer: self._revert() if answer else None)

    def _revert(self) -> None:
        library, manager, card_id = self._manager.cards, self._manager, self._entry.id

        def revert() -> tuple[CardEntry, Card]:
            library.revert(card_id)
            manager.card_changed(card_id)
            return library.find(card_id), library.open(card_id).card

        self._run(revert, lambda result: self._take(*result))

    def action_outside(self) -> None:
        """Write the whole card in the user's own editor."""
        from airochat.characters.edit import as_text, edited, from_text
        from airochat.tui.outside import edit_text

        try:
            changes = self._form.changes()
            card = edited(self._form.card, changes) if changes else self._form.card
            text = self._unfinished or clean(as_text(card))
            with self.app.suspend():
                written = edit_text(text)
            self._unfinished = "" if written == text else written
            if self._unfinished:
                made = from_text(written, card)
                self._unfinished = ""
                self._from_outside = True
                self._load(made)
        except SuspendNotSupported:
            self.activity.problem("Another editor cannot be opened from here.")
        except AirochatError as error:
            hint = "ctrl+e opens what you wrote again." if self._unfinished else ""
            self.activity.problem(error.message, f"{error.hint} {hint}".strip())

    def action_back(self) -> None:
        """Go from the text to the fields, and from there away; ask if something was not saved."""
        if isinstance(self.focused, TextArea):
            self.listing.focus()
        elif not self.changed:
            self.dismiss(None)
        else:
            answers = [("save", "save them"), ("drop", "drop them"), ("", "go on writing")]
            self.app.push_screen(AskScreen("Save your changes?", answers), self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer == "save":
            self.action_save(leave=True)
        elif answer == "drop":
            self._form, self._from_outside = CardForm(self._form.card), False
            self._keep_draft()
            self.dismiss(None)
