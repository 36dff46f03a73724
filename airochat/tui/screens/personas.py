"""Personas: who the user is, by default, with a card, and in the chat that is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from airochat.characters import Persona
from airochat.errors import AirochatError, UsageError
from airochat.text import clean, one_line
from airochat.tui.screens.ask import AskScreen
from airochat.tui.screens.dialog import Dialog
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing
from airochat.tui.widgets.plain_area import PlainArea
from airochat.tui.widgets.problem import Problem

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager

_KEYS: tuple[Hint, ...] = (("a", "add"), ("e", "edit"), ("d", "default"), ("del", "delete"), ("esc", "back"))
_FIRST = "There is no persona yet. a adds one: a name, and what the characters should know about you."


class PersonasScreen(Dialog[None]):
    """Lists the personas. Enter takes one for the given card of the library, or for the given chat, or as default."""

    BINDINGS = [
        Binding("a", "add", "Add"),
        Binding("e", "edit", "Edit"),
        Binding("d", "default", "Default"),
        Binding("delete", "remove", "Delete"),
    ]

    def __init__(self, manager: SessionManager, card_id: str = "", session: Session | None = None) -> None:
        super().__init__()
        self._manager = manager
        self._card_id = card_id
        self._session = session
        self._personas: list[Persona] = []
        self._default = ""
        self._taken: str | None = None

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical(classes="panel"):
            yield Static(self._heading(), classes="heading", markup=False)
            yield Listing(1, id="persona-list")
            with VerticalScroll(id="persona-about", can_focus=False):
                yield Static("", classes="text", markup=False)
            yield Problem()
            yield Hints((("enter", self._purpose()), *_KEYS))

    def _heading(self) -> str:
        if self._card_id:
            return f"Who are you with {one_line(self._card_id.rpartition('.')[0], 40)}?"
        return "Who are you in this chat?" if self._session else "Who are you?"

    def _purpose(self) -> str:
        return "for this card" if self._card_id else "for this chat" if self._session else "default"

    def on_mount(self) -> None:
        """Show all."""
        self.listing = self.query_one(Listing)
        self._fill()
        self.listing.focus()

    def _fill(self, show: str = "") -> None:
        self._attempt(self._read)
        names = [persona.name for persona in self._personas]
        wanted = show or self._taken or self._default
        # The first line stands for nobody in particular.
        chosen = 1 + names.index(wanted) if wanted in names else 0
        self.listing.show(1 + len(names), self._row, chosen)

    def _read(self) -> None:
        personas = self._manager.personas
        self._personas = personas.all()
        default = personas.default
        self._default = default.name if default else ""
        if self._card_id:
            self._taken = self._manager.cards.find(self._card_id).persona
        elif self._session is not None:
            self._taken = self._session.persona.name if self._session.persona else ""

    def _row(self, index: int, width: int) -> list[Content]:
        if not index:
            nobody = "whoever is the default" if self._card_id else self._manager.settings.user_name
            return [
                Content.assemble((one_line(nobody, 40), "$rp-soft"), "  ", (self._mark(""), "$rp-accent"))
            ]
        persona = self._personas[index - 1]
        name = Content.styled(one_line(persona.name, 40), "$rp-ink")
        mark = self._mark(persona.name)
        about = one_line(persona.description, max(8, width - name.cell_length - len(mark) - 4))
        return [
            Content.assemble(name, "  ", (mark + ("  " if mark else ""), "$rp-accent"), (about, "$rp-faint"))
        ]

    def _mark(self, name: str) -> str:
        taken = self._taken is not None and name == self._taken
        here = (
            ("this card" if self._card_id else "this chat")
            if taken or (not name and self._taken == "")
            else ""
        )
        default = "default" if name and name == self._default else ""
        return ", ".join(filter(None, (here, default)))

    @property
    def _chosen(self) -> Persona | None:
        index = self.listing.chosen or 0
        return self._personas[index - 1] if index else None

    @on(Listing.Moved)
    def _about(self) -> None:
        persona = self._chosen
        said = clean(persona.description)[:4000] if persona else "" if self._personas else _FIRST
        self.query_one("#persona-about Static", Static).update(Content(said))

    @on(Listing.Picked)
    def _picked(self) -> None:
        persona = self._chosen
        if self._attempt(lambda: self._use(persona)):
            self.dismiss(None)

    def _use(self, persona: Persona | None) -> None:
        name = persona.name if persona else None
        if self._card_id:
            self._manager.cards.set_persona(self._card_id, name)
        elif self._session is not None:
            self._session.set(persona=persona)
        else:
            self._manager.personas.set_default(name)

    def action_default(self) -> None:
        """Be this one wherever nothing else is said."""
        persona = self._chosen
        if self._attempt(lambda: self._manager.personas.set_default(persona.name if persona else None)):
            self._fill(persona.name if persona else "")

    def action_add(self) -> None:
        """Write a new one."""
        self.app.push_screen(PersonaScreen(self._manager), self._written)

    def action_edit(self) -> None:
        """Change the chosen one."""
        if (persona := self._chosen) is not None:
            self.app.push_screen(PersonaScreen(self._manager, persona), self._written)

    def _written(self, persona: Persona | None) -> None:
        if persona is not None:
            self._fill(persona.name)

    def action_remove(self) -> None:
        """Delete the chosen one, after asking."""
        if (persona := self._chosen) is None:
            return
        answers = [("delete", "delete it; chats that have it keep it"), ("", "keep it")]

        def delete(answer: str | None) -> None:
            if answer and self._attempt(lambda: self._manager.personas.delete(persona.name)):
                self._fill()

        self.app.push_screen(AskScreen(f"Delete {one_line(persona.name, 60)}?", answers), delete)

    def _attempt(self, action: Callable[[], object]) -> bool:
        problem = self.query_one(Problem)
        try:
            action()
        except AirochatError as error:
            problem.say(error)
            return False
        problem.say()
        return True


class PersonaScreen(Dialog["Persona | None"]):
    """Writes one persona, and gives it back once it is kept; or None."""

    BINDINGS = [Binding("ctrl+s", "save", "Save", priority=True)]

    def __init__(self, manager: SessionManager, persona: Persona | None = None) -> None:
        super().__init__()
        self._manager = manager
        self._persona = persona

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        old = self._persona or Persona("")
        with Vertical(classes="panel"):
            yield Static("A persona", classes="heading", markup=False)
            yield Input(one_line(old.name, 100), placeholder="name", classes="line")
            yield PlainArea(old.description)
            explanation = "What characters know about you. {{user}} is your name, {{char}} theirs."
            yield Static(explanation, classes="faint", markup=False)
            yield Problem()
            yield Hints((("ctrl+s", "save"), ("tab", "name, text"), ("esc", "back")))

    def on_mount(self) -> None:
        """Begin with what is missing."""
        if self._persona is None:
            self.query_one(Input).focus()
        else:
            self.query_one(PlainArea).focus()

    @on(Input.Submitted)
    def _named(self) -> None:
        self.query_one(PlainArea).focus()

    def action_save(self) -> None:
        """Keep it."""
        area = self.query_one(PlainArea)
        old = self._persona or Persona("")
        text = old.description if area.text == clean(old.description) else area.text
        persona = Persona(self.query_one(Input).value.strip(), text)
        try:
            if persona.name != old.name and persona.name in self._manager.personas.names():
                raise UsageError(f"There is a persona {persona.name!r} already.", "Edit that one.")
            self._manager.personas.put(persona)
            if old.name and old.name != persona.name:
                self._rename(old.name, persona.name)
        except AirochatError as error:
            self.query_one(Problem).say(error)
            return
        self.dismiss(persona)

    def _rename(self, old: str, new: str) -> None:
        personas, cards = self._manager.personas, self._manager.cards
        if personas.default and personas.default.name == old:
            personas.set_default(new)
        for entry in cards.entries():
            if entry.persona == old:
                cards.set_persona(entry.id, new)
        personas.delete(old)

    def action_cancel(self) -> None:
        """Leave; ask first if something was written."""
        old = self._persona or Persona("")
        area = self.query_one(PlainArea)
        if area.text == clean(old.description) and self.query_one(Input).value == one_line(old.name, 100):
            self.dismiss(None)
            return
        answers = [("save", "save it"), ("drop", "drop what I wrote"), ("", "go on writing")]
        self.app.push_screen(AskScreen("Save your persona?", answers), self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer == "save":
            self.action_save()
        elif answer == "drop":
            self.dismiss(None)
