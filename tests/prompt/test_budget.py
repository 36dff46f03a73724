from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import PromptError
from airochat.prompt.budget import BlockSize, Fit, TurnSize, fit

blocks = st.lists(st.builds(BlockSize, st.integers(0, 300), st.integers(-2, 2), st.booleans()), max_size=8)
sizes = st.lists(st.integers(1, 200), max_size=60)


def talk(tokens: list[int]) -> list[TurnSize]:
    return [TurnSize(size, size + 2, border=number % 2 == 0) for number, size in enumerate(tokens)]


def taken(chosen: Fit, some: list[BlockSize], turns: list[TurnSize]) -> int:
    kept = sum(block.tokens for block, stays in zip(some, chosen.blocks, strict=True) if stays)
    return kept + sum(turn.tokens for turn in turns[chosen.first :])


@given(blocks, sizes, st.integers(0, 100), st.integers(1, 3000))
def test_what_stays_fits_and_what_is_pinned_stays(
    some: list[BlockSize], said: list[int], base: int, budget: int
) -> None:
    turns = talk(said)
    least = base + sum(block.tokens for block in some if block.pinned) + (said[-1] if said else 0)
    if least > budget:
        with pytest.raises(PromptError, match=f"at least {least:,} tokens"):
            fit(some, turns, base, budget)
        return
    chosen = fit(some, turns, base, budget)
    assert base + taken(chosen, some, turns) <= budget
    assert all(stays for block, stays in zip(some, chosen.blocks, strict=True) if block.pinned)
    assert not said or chosen.first < len(said)


@given(blocks, sizes, st.integers(1, 3000))
def test_the_order_of_eviction(some: list[BlockSize], said: list[int], budget: int) -> None:
    try:
        chosen = fit(some, talk(said), 0, budget)
    except PromptError:
        return
    gone = [block.priority for block, stays in zip(some, chosen.blocks, strict=True) if not stays]
    stay = [
        block.priority for block, stays in zip(some, chosen.blocks, strict=True) if stays and not block.pinned
    ]
    assert not gone or not stay or max(gone) <= min(stay)
    if chosen.first:
        assert all(priority >= 0 for priority in stay), "example dialogue goes before any message"
    if any(priority >= 0 for priority in gone):
        assert chosen.first == len(said) - 1 or not said or chosen.first <= len(said) - 1


@given(st.lists(st.integers(5, 60), min_size=40, max_size=120), st.integers(400, 1200), st.integers(0, 150))
def test_the_cut_stays_for_many_turns(said: list[int], budget: int, head: int) -> None:
    turns = talk(said)
    cuts = [fit([BlockSize(head, 0, True)], turns[:end], 0, budget).first for end in range(1, len(turns) + 1)]
    assert cuts == sorted(cuts), "the cut never moves back"
    total = sum(turn.weight for turn in turns)
    room = budget - head
    block = budget // 4
    while block > room // 2:
        block //= 2
    assert len(set(cuts)) - 1 <= total // block
    for before, after in pairwise(cuts):
        if after != before:
            assert turns[after].border


def test_a_cut_drops_about_a_quarter() -> None:
    turns = [TurnSize(10, 10, border=number % 2 == 0) for number in range(200)]
    cuts = [fit([], turns[:end], 0, 400).first for end in range(1, 201)]
    assert sorted(set(cuts)) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160]


def test_a_little_more_lore_does_not_move_the_cut() -> None:
    turns = [TurnSize(10, 10, border=number % 2 == 0) for number in range(95)]
    assert {fit([BlockSize(lore)], turns, 0, 400).first for lore in range(0, 50, 5)} == {60}
