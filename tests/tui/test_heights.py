from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airochat.tui.widgets.heights import Heights

HEIGHTS = st.lists(st.integers(1, 50), max_size=60)
EDIT = st.tuples(st.sampled_from(["set", "append"]), st.integers(0, 1000), st.integers(1, 50))


def check(heights: Heights, naive: list[int]) -> None:
    assert len(heights) == len(naive)
    assert heights.total == sum(naive)
    row = 0
    for index, height in enumerate(naive):
        assert heights[index] == height
        assert heights.before(index) == row
        assert heights.find(row) == (index, 0)
        assert heights.find(row + height - 1) == (index, height - 1)
        row += height
    if naive:
        assert heights.find(row + 5) == (len(naive) - 1, naive[-1] - 1)


@given(HEIGHTS, st.lists(EDIT, max_size=40))
def test_heights_agree_with_a_plain_list(start: list[int], edits: list[tuple[str, int, int]]) -> None:
    heights, naive = Heights(start), list(start)
    check(heights, naive)
    for what, index, height in edits:
        if what == "append":
            heights.append(height)
            naive.append(height)
        elif naive:
            heights[index % len(naive)] = height
            naive[index % len(naive)] = height
    check(heights, naive)


def test_rebuilding_forgets_the_old_heights() -> None:
    heights = Heights([3, 4, 5])
    heights.rebuild([2])
    check(heights, [2])
