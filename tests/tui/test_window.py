from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airochat.tui.widgets.window import Window

TRUE = st.lists(st.integers(1, 30), min_size=1, max_size=40)
STEP = st.one_of(
    st.tuples(st.just("move"), st.integers(-60, 60)),
    st.tuples(st.just("seek"), st.integers(0, 800)),
    st.tuples(st.just("reveal"), st.integers(0, 1000)),
    st.tuples(st.just("end"), st.just(0)),
)


def make(true: list[int], estimates: list[int], rows: int) -> Window:
    window = Window(lambda index: true[index])
    window.rows = rows
    window.reset(estimates)
    window.to_end()
    return window


def visible(window: Window) -> list[tuple[int, int]]:
    return [place for y in range(window.rows) if (place := window.at(y)) is not None]


@given(TRUE, st.integers(1, 25), st.lists(STEP, max_size=12), st.data())
def test_the_view_is_always_full_and_in_order(
    true: list[int], rows: int, steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    estimates = data.draw(st.lists(st.integers(1, 30), min_size=len(true), max_size=len(true)))
    every = [(index, row) for index, height in enumerate(true) for row in range(height)]
    window = make(true, estimates, rows)
    for what, value in steps:
        match what:
            case "move":
                window.move(value)
            case "seek":
                window.seek(value)
            case "reveal":
                window.reveal(value % len(true))
                assert any(index == value % len(true) for index, _ in visible(window))
            case _:
                window.to_end()
        shown = visible(window)
        start = every.index(shown[0])
        assert shown == every[start : start + rows]
        assert len(shown) == min(rows, len(every)), "no emptiness below the last message"
        assert window.follow == (shown[-1] == every[-1])


@given(TRUE, st.integers(1, 25), st.integers(1, 200))
def test_moving_is_exact_whatever_was_estimated(true: list[int], rows: int, up: int) -> None:
    every = [(index, row) for index, height in enumerate(true) for row in range(height)]
    window = make(true, [1] * len(true), rows)
    end = max(0, len(every) - rows)
    window.move(-up)
    assert (window.index, window.row) == every[max(0, end - up)]
    window.move(up)
    assert (window.index, window.row) == every[min(end, max(0, end - up) + up)]


def test_opening_measures_only_what_is_in_view() -> None:
    window = make([10] * 10_000, [7] * 10_000, 40)
    assert window.measured == 4
    window.move(-5)
    assert window.measured == 5


def test_a_new_tail_keeps_what_was_measured_before_it() -> None:
    true = [5] * 20
    window = make(true, [1] * 20, 10)
    window.jump(3, 2)
    true[18:] = [2, 2, 2]
    window.replace_tail(18, [9, 9, 9])
    window.settle()
    assert (window.index, window.row) == (3, 2)
    window.to_end()
    assert visible(window)[-1] == (20, 1)
