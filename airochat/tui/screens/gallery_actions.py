"""What the keys of the gallery do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual import events, on
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from airochat.errors import AirochatError
from airochat.text import clean, one_line
from airochat.tui import pasted, words
from airochat.tui.latest import Latest
from airochat.tui.picture import Drawn
from airochat.tui.screens.ask import AskScreen
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from airochat.session import Session, SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp
    from airochat.tui.screens.import_cards import Arrived


class GalleryActions(Screen["Session | None"]):
    """The keys of the gallery and their actions; `GalleryScreen` shows what comes of them."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-tall"), (30, "-high")]
    BINDINGS = [
        Binding("escape", "back", "Back"),
        Binding("slash", "search", "Search"),
        Binding("tab", "to_list", "To the list", show=False),
        Binding("right", "read", "Read"),
        Binding("left", "to_list", "To the list"),
        Binding("f", "favourite", "Favourite"),
        Binding("F", "favourites", "Only favourites"),
        Binding("t", "tags", "One tag"),
        Binding("space", "mark", "Mark for a group"),
        Binding("g", "group", "Begin a group"),
        Binding("i", "import", "Import"),
        Binding("e", "edit", "Edit"),
        Binding("x", "export", "Export"),
        Binding("l", "lint", "Check"),
        Binding("p", "persona", "Who you are with it"),
        Binding("delete", "remove", "Remove"),
    ]

    manager: SessionManager
    listing: Listing
    activity: Activity
    searching: Latest

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[CardEntry] = []
        self.marked: list[str] = []
        """The ids of the cards that a group shall have, in the order in which they were marked."""
        self.tag = ""
        self.only_favourites = False
        self._shown: Drawn | None = None
        self._waiting: Callable[[], None] | None = None
        self._beginning = False

    @property
    def chosen(self) -> CardEntry | None:
        """The card that keys act on."""
        index = self.listing.chosen
        return self.entries[index] if index is not None and index < len(self.entries) else None

    @property
    def _app(self) -> AirochatApp:
        return cast("AirochatApp", self.app)

    def reload(self, show: str = "") -> None:
        """Ask the library again."""
        raise NotImplementedError

    def marks_changed(self) -> None:
        """Show which cards are marked."""
        raise NotImplementedError

    def run_waiting(self) -> None:
        """Do what had to wait for the list."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def _attempt(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do something with the library off the screen's thread; a refusal is shown."""
        self.activity.clear()

        def take(result: Any) -> None:
            if isinstance(result, AirochatError):
                self.activity.problem(result.message, result.hint)
            else:
                done(result)

        self._app.bridge.run(work, take)

    def _with_chosen(self, action: Callable[[CardEntry], object], broken: bool = False) -> None:
        """Do something with the chosen card once the list is what was searched for; most need one that can be read."""
        if self.searching.busy:
            self._waiting = lambda: self._with_chosen(action, broken)
            return
        entry = self.chosen
        if entry is None:
            self.activity.problem("No card is chosen.", "i imports one.")
        elif entry.error and not broken:
            self.activity.problem(entry.error)
        else:
            action(entry)

    # Finding

    def action_search(self) -> None:
        """Type what to look for."""
        self.query_one(Input).focus()

    def action_to_list(self) -> None:
        """Go to the list."""
        self.listing.focus()

    def action_read(self) -> None:
        """Go to the page about the card."""
        self.query_one("#gallery-detail").focus()

    def action_back(self) -> None:
        """Go back by one step: to the list, to all cards, to the chat."""
        search = self.query_one(Input)
        if not self.listing.has_focus:
            self.listing.focus()
        elif search.value or self.tag or self.only_favourites:
            search.value, self.tag, self.only_favourites = "", "", False
            self.reload()
        else:
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Choose with the arrow keys also while searching."""
        if isinstance(self.focused, Input) and event.key in ("up", "down"):
            event.stop()
            self.listing.action_move(1 if event.key == "down" else -1)

    def action_favourites(self) -> None:
        """Show only the favourites, or all cards again."""
        self.only_favourites = not self.only_favourites
        self.reload()

    def action_tags(self) -> None:
        """Show only the cards with one tag."""
        self._attempt(self.manager.cards.entries, self._choose_tag)

    def _choose_tag(self, entries: list[CardEntry]) -> None:
        from airochat.tui.screens.choose import Choosable, ChooseScreen

        counts: dict[str, int] = {}
        for entry in entries:
            for tag in {tag.strip().casefold() for tag in entry.tags if tag.strip()}:
                counts[tag] = counts.get(tag, 0) + 1
        found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        tags = [Choosable(tag, tag, words.count(count, "card")) for tag, count in found]
        everything = Choosable("", "all cards", words.count(len(entries), "card"))
        self.app.push_screen(ChooseScreen("Cards with the tag", [everything, *tags]), self._tag_chosen)

    def _tag_chosen(self, tag: str | None) -> None:
        if tag is not None:
            self.tag = tag
            self.reload()

    # Beginning a chat

    @on(Listing.Picked)
    @on(Input.Submitted)
    def _picked(self) -> None:
        self._with_chosen(self._start)

    def _start(self, entry: CardEntry) -> None:
        self._attempt(lambda: self.manager.cards.open(entry.id), lambda file: self._greet(entry, file.card))

    def _greet(self, entry: CardEntry, card: Any) -> None:
        from airochat.tui.screens.greeting import GreetingScreen, greetings

        found = greetings(card)
        if len(found) < 2:
            self._begin([entry.id])
            return
        persona = self.manager.personas.for_card(entry.id)
        user = persona.name if persona else self.manager.settings.user_name
        screen = GreetingScreen(card, found, user, persona.description if persona else "")
        self.app.push_screen(
            screen, lambda number: None if number is None else self._begin([entry.id], number)
        )

    def _begin(self, refs: list[str], greeting: int = 0) -> None:
        if self._beginning:
            return
        self._beginning = True

        def begin() -> Session:
            session = self.manager.new(card=refs)
            siblings = session.tree.siblings(session.head) if session.head else ()
            if 0 < greeting < len(siblings):
                session.turn_to(siblings[greeting])
            return session

        def begun(result: Session | AirochatError) -> None:
            self._beginning = False
            if isinstance(result, AirochatError):
                self.activity.problem(result.message, result.hint)
            else:
                self.dismiss(result)

        self.activity.clear()
        self._app.bridge.run(begin, begun)

    def action_mark(self) -> None:
        """Mark the card for a group, or no more."""

        def mark(entry: CardEntry) -> None:
            if entry.id in self.marked:
                self.marked.remove(entry.id)
            else:
                self.marked.append(entry.id)
            self.marks_changed()
            self.listing.action_move(1)

        self._with_chosen(mark)

    def action_group(self) -> None:
        """Begin a chat with all marked characters."""
        if len(self.marked) < 2:
            self.activity.problem("A group needs two characters or more.", "space marks them.")
        else:
            self._begin(list(self.marked))

    # Bringing in and taking out

    def on_paste(self, event: events.Paste) -> None:
        """Import files whose paths are pasted here, or that are dropped on the terminal."""
        if found := pasted.card_paths(event.text):
            event.stop()
            self.import_(found)

    def action_import(self) -> None:
        """Ask for files to import."""
        self.import_(())

    def import_(self, paths: Sequence[Path]) -> None:
        """Import the files with these paths; without any, ask."""
        from airochat.tui.screens.import_cards import ImportScreen

        self.app.push_screen(ImportScreen(self.manager, paths), self._arrived)

    def _arrived(self, arrived: Arrived | None) -> None:
        if arrived is None or not arrived.ids:
            return
        self.query_one(Input).value, self.tag, self.only_favourites = "", "", False
        self.reload(arrived.ids[-1])
        self.notify(clean(arrived.said), markup=False)
        self.listing.focus()

    def action_export(self) -> None:
        """Write the card into a file."""
        from airochat.tui.screens.export_card import ExportScreen

        def exported(path: Path | None) -> None:
            if path is not None:
                self.notify(clean(f"Written: {path}"), markup=False)

        self._with_chosen(lambda entry: self.app.push_screen(ExportScreen(self.manager, entry), exported))

    def action_remove(self) -> None:
        """Move the card to the bin, after asking."""

        def remove(entry: CardEntry, answer: str | None) -> None:
            if answer:
                self._attempt(lambda: self.manager.cards.remove(entry.id), self._removed)

        def ask(entry: CardEntry) -> None:
            question = f"Remove {one_line(entry.name, 60)}?"
            text = f"{entry.id} moves to the folder .bin beside the cards. Chats with this character go on."
            screen = AskScreen(question, [("remove", "move it to the bin"), ("", "keep it")], text)
            self.app.push_screen(screen, lambda answer: remove(entry, answer))

        self._with_chosen(ask, broken=True)

    def _removed(self, path: Path) -> None:
        self.notify(clean(f"Moved to {path}"), markup=False)
        index = self.listing.chosen or 0
        after = self.entries[index + 1 : index + 2] or self.entries[max(0, index - 1) : index]
        self.reload(after[0].id if after else "")

    # Changing

    def action_favourite(self) -> None:
        """Make the card a favourite, or an ordinary one."""

        def toggle(entry: CardEntry) -> None:
            library, wanted = self.manager.cards, not entry.favourite
            self._attempt(lambda: library.set_favourite(entry.id, wanted), lambda _: self.reload(entry.id))

        self._with_chosen(toggle, broken=True)

    def action_edit(self) -> None:
        """Change the card's texts."""
        from airochat.tui.screens.card_editor import CardEditor

        def opened(entry: CardEntry, file: Any) -> None:
            self.app.push_screen(CardEditor(self.manager, entry, file.card), lambda _: self.reload(entry.id))

        def edit(entry: CardEntry) -> None:
            self._attempt(lambda: self.manager.cards.open(entry.id), lambda file: opened(entry, file))

        self._with_chosen(edit)

    def action_lint(self) -> None:
        """Tell what the card costs, and what is odd about it."""
        from airochat.tui.screens.lint import LintScreen

        self._with_chosen(lambda entry: self.app.push_screen(LintScreen(self.manager, entry)))

    def action_persona(self) -> None:
        """Say who the user is with this card."""
        from airochat.tui.screens.personas import PersonasScreen

        def ask(entry: CardEntry) -> None:
            self.app.push_screen(PersonasScreen(self.manager, entry.id), lambda _: self.reload(entry.id))

        self._with_chosen(ask, broken=True)
