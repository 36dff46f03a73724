"""Where parts stand in a longer sequence, against trying out every answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from plugins.textgen_compat.standing import standing

ITEM = st.sampled_from("ab")
PARTS = st.lists(st.lists(ITEM, min_size=1, max_size=2).map(tuple), min_size=1, max_size=5)


def every(parts: Sequence[tuple[str, ...]], new: Sequence[str], start: int) -> Iterator[list[int]]:
    if not parts:
        yield []
        return
    for place in range(start, len(new) - len(parts[0]) + 1):
        if tuple(new[place : place + len(parts[0])]) == parts[0]:
            yield from ([place, *rest] for rest in every(parts[1:], new, place + len(parts[0])))


def gaps(parts: Sequence[tuple[str, ...]], places: Sequence[int], first: int, end: int) -> int:
    ends = [first, *(place + len(part) for part, place in zip(parts, places, strict=True))]
    return sum(one != other for one, other in zip(ends, [*places, end], strict=True))


@given(PARTS, st.lists(ITEM, max_size=10), st.integers(0, 2), st.integers(0, 2))
def test_the_answer_is_one_with_the_fewest_gaps(
    parts: list[tuple[str, ...]], new: list[str], first: int, spare: int
) -> None:
    end = len(new) - spare
    answers = list(every(parts, new[: max(0, end)], 0))
    found = standing(parts, new, first, spare)
    if not answers:
        assert found is None
        return
    assert found in answers
    assert gaps(parts, found, first, end) == min(gaps(parts, answer, first, end) for answer in answers)


@given(PARTS, st.lists(st.tuples(st.integers(0, 10), ITEM), max_size=6))
def test_parts_are_found_whatever_is_put_between_them(
    parts: list[tuple[str, ...]], put: list[tuple[int, str]]
) -> None:
    made = list(parts)
    for place, item in put:
        made.insert(place, (item,))
    assert standing(parts, [item for part in made for item in part], 0, 0) is not None


def test_without_parts_there_is_nothing_to_find() -> None:
    assert standing([], ["a"], 0, 1) == []
    assert standing([("a",)], [], 0, 1) is None


def test_all_parts_are_found_where_each_could_stand_in_hundreds_of_places() -> None:
    found = standing([("a",)] * 300, ["b", *["a"] * 600, "c"], 0, 0)
    assert found == sorted(set(found or ())) and len(found) == 300
