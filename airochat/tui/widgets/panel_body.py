"""All parts of a panel, from top to bottom, and what has been typed there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from textual.containers import VerticalScroll
from textual.widget import Widget

from airochat.errors import SettingsError
from airochat.hooks import Button, Field, Meter, Rows, Text, View
from airochat.hooks.panels import Part
from airochat.tui.widgets.panel_button import PanelButtons
from airochat.tui.widgets.panel_field import PanelField
from airochat.tui.widgets.panel_table import PanelTable
from airochat.tui.widgets.panel_words import Meters, Words

MOST = 200
"""How many widgets a panel gets; texts, meters and buttons that follow each other share one, and so do all rows."""
_CUT = Text("There is more here than can be shown.", "warning")

Group = tuple[Part, ...]
Piece = Words | Meters | PanelField | PanelTable | PanelButtons


@dataclass(slots=True)
class Kept:
    """What the user had done at a place of a panel, for when it is shown again."""

    place: str = ""
    title: str = ""
    typed: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """By field: the value that the panel had shown, and what was typed over it."""
    rows: dict[str, str] = field(default_factory=dict)
    """By table: the key of the chosen row."""
    focus: str = ""
    """The name of the field, button or table that had the focus."""
    scroll: float = 0.0


def groups(parts: Sequence[Part]) -> list[Group]:
    """Return the parts in groups of which each is drawn by one widget; what is too much is left out and said."""
    found: list[Group] = []
    for kind, run in groupby(parts, type):
        same = tuple(run)
        found += [same] if kind in (Text, Meter, Button) else [(part,) for part in same]
    return found if len(found) <= MOST else [*islice(found, MOST), (_CUT,)]


class PanelBody(VerticalScroll, inherit_bindings=False, can_focus=True):
    """Draws the parts of a `View`; a view of the same parts is shown in place, so that nothing jumps."""

    def __init__(self) -> None:
        super().__init__(id="panel-body")
        self._groups: list[Group] = []
        self._pieces: list[Piece] = []
        self.view: View | None = None

    # Showing

    async def show(self, view: View, kept: Kept, moved: bool) -> None:
        """Show a view; ``kept`` is what to have typed and chosen in it. ``moved`` tells that it is of another place."""
        new = groups(view.parts)
        fits = len(new) == len(self._groups) and all(map(_fits, self._pieces, new))
        self.view, self._groups = view, new
        if fits and not moved:
            for piece, group in zip(self._pieces, new, strict=True):
                _take(piece, group)
            self.put_back(kept.typed)
            self.can_focus = not any(True for _ in self._stops())
            if kept.focus and kept.focus not in dict(self._stops()):
                self.focus_on("")  # what had the focus is hidden now, such as an empty table
            return
        with self.app.batch_update():
            await self.remove_children()
            self._pieces = [_piece(group) for group in new]
            await self.mount(*self._pieces)
            self.can_focus = not any(True for _ in self._stops())
            self._restore(kept)

    def _restore(self, kept: Kept) -> None:
        for table in self.tables:
            if key := kept.rows.get(table.part.name):
                table.take(table.part, key)
        self.put_back(kept.typed)
        self.focus_on(kept.focus)
        self.call_after_refresh(self.scroll_to, y=kept.scroll, animate=False)

    def put_back(self, typed: dict[str, tuple[Any, str]]) -> None:
        """Type again what had been typed into fields that still have the value that they had then."""
        for each in self.fields:
            base, text = typed.get(each.name_of_setting, (None, None))
            if text is not None and each.part.value == base:
                each.type(text)

    def focus_on(self, name: str) -> None:
        """Give the focus to what has a name, or else to the first thing that takes it."""
        stops = dict(self._stops())
        found = stops.get(name) or next(iter(stops.values()), self)
        found.focus(scroll_visible=name in stops)

    def _stops(self) -> Iterator[tuple[str, Widget]]:
        """Yield what takes the focus, with its name."""
        for piece in self._pieces:
            match piece:
                case PanelField():
                    yield piece.name_of_setting, piece.control
                case PanelTable() if piece.part.rows:
                    yield piece.part.name, piece.listing
                    yield from _buttons(piece.buttons)
                case PanelButtons():
                    yield from _buttons(piece)

    # What the user has done

    @property
    def fields(self) -> list[PanelField]:
        """The fields, from top to bottom."""
        return [piece for piece in self._pieces if isinstance(piece, PanelField)]

    def button_below(self, widget: Widget | None) -> Button | None:
        """Return the first button below a widget that belongs to no table, or else the first of all such buttons."""
        around = [] if widget is None else widget.ancestors_with_self
        at = next((number for number, piece in enumerate(self._pieces) if piece in around), 0)
        rows = (piece for piece in (*self._pieces[at:], *self._pieces) if isinstance(piece, PanelButtons))
        return next((row.buttons[0].button for row in rows), None)

    @property
    def tables(self) -> list[PanelTable]:
        """The tables."""
        return [piece for piece in self._pieces if isinstance(piece, PanelTable)]

    @property
    def edited(self) -> bool:
        """Whether something was typed that no button has taken yet."""
        return any(each.edited for each in self.fields)

    def values(self) -> tuple[dict[str, Any], PanelField | None]:
        """Return the values of the fields that were edited, and the first one that does not take what was typed."""
        values: dict[str, Any] = {}
        wrong: PanelField | None = None
        for each in self.fields:
            if each.edited:
                try:
                    values[each.name_of_setting] = each.value()
                except SettingsError:
                    each.check()
                    wrong = wrong or each
        return values, wrong

    def kept(self, place: str = "") -> Kept:
        """Return what the user has done here."""
        focused = self.screen.focused
        return Kept(
            place,
            self.view.title if self.view else "",
            {each.name_of_setting: (each.part.value, each.typed) for each in self.fields if each.edited},
            {table.part.name: table.chosen for table in self.tables},
            next((name for name, widget in self._stops() if widget is focused), ""),
            self.scroll_y,
        )


def _buttons(widget: PanelButtons | None) -> Iterator[tuple[str, Widget]]:
    for one in widget.buttons if widget is not None else ():
        yield one.button.name, one


def _piece(group: Group) -> Piece:
    match group[0]:
        case Field() as field_:
            return PanelField(field_)
        case Rows() as rows:
            return PanelTable(rows)
        case Button():
            return PanelButtons([part for part in group if isinstance(part, Button)])
        case Meter():
            return Meters([part for part in group if isinstance(part, Meter)])
    return Words([part for part in group if isinstance(part, Text)])


def _fits(piece: Piece, group: Group) -> bool:
    """Return whether a group can be shown by the widget of another one."""
    match piece, group[0]:
        case PanelField(), Field() as field_:
            return piece.fits(field_)
        case PanelTable(), Rows() as rows:
            return piece.part.name == rows.name and _names(piece.part.buttons) == _names(rows.buttons)
        case PanelButtons(), Button():
            return [one.button.name for one in piece.buttons] == _names(group)
        case (Words(), Text()) | (Meters(), Meter()):
            return True
    return False


def _take(piece: Piece, group: Group) -> None:
    """Show a group that `_fits`."""
    match piece, group[0]:
        case PanelField(), Field() as field_:
            piece.take(field_)
        case PanelTable(), Rows() as rows:
            piece.take(rows)
        case PanelButtons(), Button():
            piece.take([part for part in group if isinstance(part, Button)])
        case Words(), Text():
            piece.take([part for part in group if isinstance(part, Text)])
        case Meters(), Meter():
            piece.take([part for part in group if isinstance(part, Meter)])


def _names(parts: Sequence[Part]) -> list[str]:
    return [part.name for part in parts if isinstance(part, Button)]
