"""The shelf of saved stretches, against a search through all ways to put them together."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airochat.backends.shelf import Saved, Shelf

LIMIT = 100
TOKENS = st.lists(st.integers(0, 1), min_size=1, max_size=8).map(tuple)


def saved(tokens: Sequence[int], start: int = 0, size: int = 10, *, whole: bool = False) -> Saved[str]:
    return Saved(tuple(tokens), start, "state", size, whole)


@st.composite
def stretches(draw: st.DrawFn) -> Saved[str]:
    tokens = draw(TOKENS)
    if draw(st.booleans()) and draw(st.booleans()):
        return saved(tokens, whole=True, size=1)
    return saved(tokens, draw(st.integers(0, len(tokens) - 1)), size=1)


def furthest(kept: Sequence[Saved[str]], wanted: Sequence[int], live: int) -> int:
    """Return how far one can get, by trying every stretch at every place."""
    reached = {live}
    for _ in kept:
        for one in kept:
            same = 0
            while same < min(len(one.tokens), len(wanted)) and one.tokens[same] == wanted[same]:
                same += 1
            if one.whole and same < len(one.tokens):
                continue
            if any(one.start <= at < same for at in reached):
                reached.add(same)
    return max(reached)


@given(st.lists(stretches(), max_size=10), TOKENS, st.integers(0, 8))
def test_a_cover_goes_without_a_gap_as_far_as_one_can_get(
    kept: list[Saved[str]], wanted: tuple[int, ...], live: int
) -> None:
    live = min(live, len(wanted))
    shelf: Shelf[str] = Shelf(LIMIT)
    for one in kept:
        shelf.put(one)
    at = live
    for one in shelf.cover(wanted, live):
        reach = one.reach(wanted)
        assert one.start <= at < reach
        assert one.tokens[:reach] == wanted[:reach]
        assert not one.whole or reach == len(one.tokens)
        at = reach
    assert at == furthest(kept, wanted, live)


def test_the_shorter_of_two_that_reach_as_far_is_taken() -> None:
    shelf: Shelf[str] = Shelf(LIMIT)
    for start in (1, 3, 0, 2):
        shelf.put(saved([1, 2, 3, 4, 5, 6], start))
    assert [one.start for one in shelf.cover([1, 2, 3, 4, 5, 6, 7], 2)] == [2]


def test_a_whole_state_serves_only_what_goes_on_where_it_ends() -> None:
    shelf: Shelf[str] = Shelf(LIMIT)
    shelf.put(saved([1, 2, 3], whole=True))
    assert len(shelf.cover([1, 2, 3, 4], 0)) == 1
    assert len(shelf.cover([1, 2, 3], 0)) == 1
    assert shelf.cover([1, 2, 4], 0) == []
    assert shelf.cover([1, 2], 0) == []


@given(st.lists(TOKENS, max_size=8), TOKENS, st.integers(0, 4))
def test_the_candidates_are_those_with_the_longest_common_beginning(
    kept: list[tuple[int, ...]], wanted: tuple[int, ...], count: int
) -> None:
    shelf: Shelf[str] = Shelf(LIMIT)
    for tokens in kept:
        shelf.put(saved(tokens))

    def common(tokens: tuple[int, ...]) -> int:
        return next(
            (at for at, pair in enumerate(zip(tokens, wanted, strict=False)) if pair[0] != pair[1]),
            min(len(tokens), len(wanted)),
        )

    lengths = [common(one.tokens) for one in shelf.candidates(wanted, count)]
    assert lengths == sorted(map(common, kept), reverse=True)[:count]


def test_whole_states_that_do_not_fit_are_no_candidates_before_those_that_do() -> None:
    shelf: Shelf[str] = Shelf(LIMIT)
    fits = saved([1, 2], whole=True)
    for one in (fits, *(saved([1, 2, 3, number], whole=True) for number in range(5))):
        shelf.put(one)
    assert shelf.candidates([1, 2, 3], 1) == [fits]


def test_the_part_that_others_stand_on_is_dropped_last() -> None:
    shelf: Shelf[str] = Shelf(30)
    head, middle, tail = saved([1, 2]), saved([1, 2, 3, 4], 2), saved([1, 2, 3, 4, 5], 4)
    for one in (tail, head, middle):
        shelf.put(one)
    shelf.use([head, middle, tail])
    shelf.put(saved([9]))
    assert shelf.cover([1, 2, 3, 4, 5], 0) == [head, middle]
    shelf.put(saved([8]))
    assert shelf.cover([1, 2, 3, 4, 5], 0) == [head]


class ShelfMachine(RuleBasedStateMachine):
    """Puts, uses and drops, beside a list that is in the order of use."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf: Shelf[str] = Shelf(LIMIT)
        self.model: list[Saved[str]] = []
        """The one that was used the longest time ago comes first."""
        self.gone: list[Saved[str]] = []

    @rule(size=st.integers(1, LIMIT + 20))
    def put(self, size: int) -> None:
        one = saved([len(self.model), len(self.gone)], size=size)
        self.shelf.put(one)
        if size > LIMIT:
            self.gone.append(one)
            return
        self.model.append(one)
        while sum(each.size for each in self.model) > LIMIT:
            self.gone.append(self.model.pop(0))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.model))
        self.shelf.use([one])
        self.model.remove(one)
        self.model.append(one)

    @precondition(lambda self: self.model or self.gone)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from([*self.model, *self.gone]))
        self.shelf.drop(one)
        if one in self.model:
            self.model.remove(one)
            self.gone.append(one)

    @rule()
    def clear(self) -> None:
        self.shelf.clear()
        self.gone += self.model
        self.model.clear()

    @invariant()
    def the_shelf_holds_what_the_list_does(self) -> None:
        assert self.shelf.size == sum(one.size for one in self.model) <= LIMIT
        assert len(self.shelf) == len(self.model)
        for one in self.model:
            assert one in self.shelf.cover(one.tokens, 0) or any(
                other.tokens == one.tokens for other in self.model if other is not one
            )
        there = self.shelf.candidates([], 1000)
        assert not any(one is other for one in self.gone for other in there)


TestShelfMachine = ShelfMachine.TestCase
