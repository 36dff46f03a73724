"""The gallery: all cards, found while one types, and the page about one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from airochat.errors import AirochatError
from airochat.text import one_line
from airochat.tui import card_texts, words
from airochat.tui.latest import Latest
from airochat.tui.picture import Drawn, read_and_draw
from airochat.tui.screens.gallery_actions import GalleryActions
from airochat.tui.widgets.activity import Activity
from airochat.tui.widgets.avatar import Avatar
from airochat.tui.widgets.hints import Hint, Hints
from airochat.tui.widgets.listing import Listing

if TYPE_CHECKING:
    from airochat.session import SessionManager
    from airochat.store.library import CardEntry
    from airochat.tui.app import AirochatApp

_LISTED: tuple[Hint, ...] = (
    ("enter", "chat"),
    ("/", "search"),
    ("i", "import"),
    ("e", "edit"),
    ("f", "favourite"),
    ("space g", "group"),
    ("t", "tag"),
    ("x", "export"),
    ("l", "check"),
    ("p", "persona"),
    ("del", "remove"),
    ("esc", "back"),
)
_SEARCHING: tuple[Hint, ...] = (("enter", "chat"), ("↑↓", "choose"), ("tab", "to the list"), ("esc", "back"))
_READING: tuple[Hint, ...] = (("↑↓", "read on"), ("esc", "to the list"))
_EMPTY = "There are no cards here yet. i imports one: paste its path, or drop the file here."


class GalleryScreen(GalleryActions):
    """Lists the cards of the library. Gives back the session that was begun with one, or None.

    The library is read off the screen's thread; what is shown is always one of its answers.
    """

    def __init__(self, manager: SessionManager, show: str = "") -> None:
        super().__init__()
        self.manager = manager
        self._wanted = show

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static("", id="gallery-title", markup=False)
        yield Input(placeholder="search: name, creator, tag, words", id="gallery-search", classes="line")
        with Horizontal(id="gallery-body"):
            yield Listing(2, id="gallery-list")
            with VerticalScroll(id="gallery-detail"):
                with Horizontal(id="gallery-facts"):
                    yield Avatar(id="gallery-avatar")
                    yield Static("", id="gallery-about", markup=False)
                yield Static("", id="gallery-page", markup=False)
        yield Activity(id="gallery-activity")
        yield Hints(id="gallery-hints")

    def on_mount(self) -> None:
        """Begin in the list; the library is read after the first paint."""
        bridge = cast("AirochatApp", self.app).bridge
        self.listing = self.query_one(Listing)
        self.activity = self.query_one(Activity)
        self.searching, self._reading = Latest(bridge), Latest(bridge)
        self.listing.focus()
        self._title("")
        self.call_after_refresh(self.reload, self._wanted)

    # The list

    def reload(self, show: str = "") -> None:
        """Ask the library again, and choose the card with the id ``show``, or the one chosen now."""
        chosen = self.chosen
        self._wanted = show or self._wanted or (chosen.id if chosen else "")
        search, tag, favourites = self.query_one(Input).value, self.tag, self.only_favourites
        library = self.manager.cards
        self.searching.ask(lambda: library.entries(search, tag, favourites), self._take)

    def _take(self, result: list[CardEntry] | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self.activity.problem(result.message, result.hint)
            return
        self.entries = result
        place = {entry.id: number for number, entry in enumerate(result)}
        self.marked = [card_id for card_id in self.marked if card_id in place] if self._all() else self.marked
        self.listing.show(len(result), self._row, place.get(self._wanted, 0), rows=self._rows())
        self._wanted = ""
        self._title(words.count(len(result), "card"))
        self.run_waiting()

    def _all(self) -> bool:
        return not (self.query_one(Input).value or self.tag or self.only_favourites)

    def _rows(self) -> int:
        return 1 if self.has_class("-short") else 3 if self.has_class("-high") else 2

    def _row(self, index: int, width: int) -> list[Content]:
        entry = self.entries[index]
        return card_texts.row(entry, width, entry.id in self.marked)

    def _title(self, count: str) -> None:
        tag = f"tag {one_line(self.tag, 30)}" if self.tag else ""
        facts = (count, tag, "favourites" if self.only_favourites else "", self._group())
        said = " · ".join(fact for fact in facts if fact)
        title = Content.assemble(("Characters", "bold $rp-ink"), "   ", (said, "$rp-faint"))
        self.query_one("#gallery-title", Static).update(title)

    def _group(self) -> str:
        return f"{len(self.marked)} marked: g begins a group" if self.marked else ""

    def marks_changed(self) -> None:
        """Show which cards are marked."""
        self.listing.redraw()
        self._title(words.count(len(self.entries), "card"))

    @on(Input.Changed)
    def _search(self) -> None:
        self.reload()

    def on_resize(self) -> None:
        """Show as many rows of each card as there is room for."""
        if len(self.entries):
            self.listing.show(len(self.entries), self._row, self.listing.chosen, rows=self._rows())

    # The page about one

    @on(Listing.Moved)
    def _show_chosen(self) -> None:
        self.activity.clear()
        entry = self.chosen
        if entry is None:
            self._show(None, _EMPTY if self._all() else "No card is like that.")
            return
        if self._shown is not None and self._shown.entry == entry:
            return
        self._show(Drawn(entry, None, ()))
        self._read(entry)

    def _read(self, entry: CardEntry) -> None:
        if entry.error:
            return
        library, room, background = self.manager.cards, self._room(), self._background()
        self._reading.ask(lambda: read_and_draw(library, entry, room, background), self._take_read)

    def _take_read(self, result: Drawn | AirochatError) -> None:
        if self not in self.app.screen_stack:
            return
        if isinstance(result, AirochatError):
            self.activity.problem(result.message, result.hint)
        elif self.chosen is not None and self.chosen.id == result.entry.id:
            self._show(Drawn(self.chosen, result.file, result.strips))

    def _show(self, drawn: Drawn | None, otherwise: str = "") -> None:
        fresh = drawn is None or self._shown is None or self._shown.entry.id != drawn.entry.id
        self._shown = drawn
        self.query_one(Avatar).show(drawn.strips if drawn else ())
        about = card_texts.facts(drawn.entry, drawn.file) if drawn else Content("")
        text = card_texts.page(drawn.entry, drawn.file) if drawn else Content.styled(otherwise, "$rp-soft")
        self.query_one("#gallery-about", Static).update(about)
        self.query_one("#gallery-page", Static).update(text)
        if fresh:
            self.query_one("#gallery-detail").scroll_home(animate=False)

    def _room(self) -> tuple[int, int]:
        """Return the columns and rows that a picture may take; none where there is no room or no colour."""
        if self._app.plain_colors or self.has_class("-short"):
            return 0, 0
        return (24, 14) if self.size.width >= 100 and self.size.height >= 30 else (16, 10)

    def _background(self) -> tuple[int, int, int]:
        return self.query_one("#gallery-detail").background_colors[1].rgb

    # What has the focus

    def on_descendant_focus(self) -> None:
        """Show the keys of what has the focus now; where there is room for one thing only, that is shown."""
        focused = self.focused
        reading = focused is not None and focused.id == "gallery-detail"
        self.set_class(reading, "-reading")
        hints = _READING if reading else _SEARCHING if isinstance(focused, Input) else _LISTED
        self.query_one(Hints).show(hints)
