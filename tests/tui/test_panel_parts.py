"""The parts of panels by themselves: how columns, meters and texts are laid out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.hooks import Button, Field, Meter, Row, Rows, Setting, Text
from airochat.tui.widgets.panel_body import MOST, groups
from airochat.tui.widgets.panel_table import PanelTable, column_widths
from airochat.tui.widgets.panel_words import meters, words


def test_columns_share_the_room() -> None:
    assert column_widths([5, 10], 64) == [5, 10]
    assert column_widths([5, 40, 60], 64) == [5, 27, 28]
    assert column_widths([90, 90, 90], 40) == [12, 12, 12]
    assert column_widths([10, 10], 1) == [1, 1]
    assert column_widths([], 10) == []


@given(st.lists(st.integers(0, 300), max_size=8), st.integers(0, 200))
def test_columns_are_never_wider_than_the_room(natural: list[int], room: int) -> None:
    widths = column_widths(natural, room)
    gaps = 2 * max(0, len(natural) - 1)
    assert all(1 <= width <= max(1, wanted) for width, wanted in zip(widths, natural, strict=True))
    assert sum(widths) + gaps <= max(room, gaps + len(natural)) or 0 in natural


def test_wide_characters_do_not_move_the_columns() -> None:
    rows = (Row("a", ("灯灯灯", "x")), Row("b", ("lamp", "x")))
    table = PanelTable(Rows("t", ("what", "by"), rows))
    first, second = (table._draw(index, 40)[0] for index in (0, 1))
    assert first.cell_length == second.cell_length


@pytest.mark.parametrize(
    ("value", "of", "text", "full"),
    [
        (350, 1000, "350 of 1,000 words", 8),
        (3000, 1000, "3,000 of 1,000 words", 24),
        (-1, 1000, "-1 of 1,000 words", 0),
        (1, 0, "1 of 0 words", 0),
        (float("nan"), float("inf"), "? of ? words", 0),
    ],
)
def test_a_meter_is_a_bar_with_its_numbers(value: float, of: float, text: str, full: int) -> None:
    line = meters([Meter("today", value, of, "words")], 80).plain
    assert line.endswith(f"  {text}") and line.count("━") == full and line.count("━─") <= 1
    assert meters([Meter("today", value, of, "words")], 30).plain.split(" ", 1)[0] == "today"


def test_texts_share_one_widget_and_too_many_parts_are_cut() -> None:
    found = groups([Text("a"), Text("b"), Meter("m", 1, 2), Button("x", "X"), Button("y", "Y")])
    assert [len(group) for group in found] == [2, 1, 2]
    many = groups([Field(Setting(f"f{number}", "int", 0), 0) for number in range(MOST + 5)])
    assert len(many) == MOST + 1 and isinstance(many[-1][0], Text)
    assert words([Text("h", "heading"), Text("a"), Text("b")]).plain == "h\na\n\nb"
