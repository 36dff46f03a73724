"""How a cache becomes another prompt: plans are carried out on lists, and must give what was wanted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends import kv
from airochat.backends.kv import Move, Plan, reusable, shared

IDS = st.lists(st.integers(0, 2), max_size=12)
PROMPTS = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def text(seed: int, length: int, words: int = 40_000) -> list[int]:
    """Return tokens that look like a text: no two texts share a stretch worth moving."""
    chance = random.Random(seed)
    return [chance.randrange(words) for _ in range(length)]


BLOCKS = [text(seed, length) for seed, length in enumerate((3, 11, 24, 25, 40, 90))]
BLOCKS += [text(9, 30, words=2), [5] * 70, text(8, 4) * 12]
TEXTS = st.lists(st.one_of(st.sampled_from(BLOCKS), st.lists(st.integers(0, 3), max_size=6)), max_size=9)


def joined(parts: Sequence[Sequence[int]]) -> list[int]:
    return [token for part in parts for token in part]


def carry_out(cached: Sequence[int], wanted: Sequence[int], plan: Plan) -> list[tuple[int, int]]:
    """Return tokens and positions in the lane once a plan has been carried out as the cache does it."""
    lane = list(zip(cached, range(len(cached)), strict=True))
    parked = [
        [(token, position + move.to - move.start) for token, position in lane[move.start : move.stop]]
        for move in plan.moves
    ]
    del lane[plan.keep :]
    landed = 0
    for start, stop, move in plan.gaps():
        assert start == len(lane), "llama.cpp wants positions that follow on each other"
        lane += zip(wanted[start:stop], range(start, stop), strict=True)
        if move is not None:
            assert move == plan.moves[landed]
            lane += parked[landed]
            landed += 1
    assert landed == len(plan.moves)
    return lane


def check(cached: Sequence[int], wanted: Sequence[int], plan: Plan) -> None:
    """Check all that holds for every plan."""
    assert carry_out(cached, wanted, plan) == list(zip(wanted, range(len(wanted)), strict=True))
    ends = [move.end for move in plan.moves]
    assert max([plan.keep, *ends]) < len(wanted), "the last token is always evaluated"
    assert 1 <= plan.evaluated <= len(wanted) - reusable(cached, wanted)
    assert len(plan.moves) <= kv.MOST_MOVES
    assert all(move.stop - move.start >= kv.LEAST_MOVED for move in plan.moves)
    # In the cache and in the prompt each one comes after the one before it, and after what is kept.
    before = Move(plan.keep, plan.keep, plan.keep)
    for move in plan.moves:
        assert move.start >= before.stop
        assert move.to >= before.end
        before = move


@given(IDS, PROMPTS)
def test_what_is_kept_is_the_longest_common_beginning_that_leaves_a_token(
    cached: list[int], wanted: list[int]
) -> None:
    keep = reusable(cached, wanted)
    assert cached[:keep] == wanted[:keep]
    assert keep < len(wanted)
    assert keep in (len(cached), len(wanted) - 1) or cached[keep] != wanted[keep]


@given(IDS, PROMPTS)
def test_a_state_that_cannot_be_rewound_is_kept_whole_or_not_at_all(
    cached: list[int], wanted: list[int]
) -> None:
    keep = reusable(cached, wanted, can_rewind=False)
    assert keep in (0, len(cached))
    assert keep == len(cached) or (
        keep == 0 and (cached != wanted[: len(cached)] or len(cached) >= len(wanted))
    )


@given(IDS, IDS)
def test_the_common_beginning_is_what_a_loop_finds(one: list[int], other: list[int]) -> None:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    assert shared(one, tuple(other)) == same


@given(TEXTS, TEXTS)
def test_every_plan_gives_the_wanted_prompt(cached: list[list[int]], wanted: list[list[int]]) -> None:
    before, after = joined(cached), [*joined(wanted), 1]
    check(before, after, kv.plan(before, after, can_shift=True))


@given(TEXTS, TEXTS, st.booleans())
def test_nothing_is_moved_where_that_cannot_be(
    cached: list[list[int]], wanted: list[list[int]], can_rewind: bool
) -> None:
    before, after = joined(cached), [*joined(wanted), 1]
    plan = kv.plan(before, after, can_shift=not can_rewind, can_rewind=can_rewind)
    assert plan == Plan(len(after), reusable(before, after, can_rewind=can_rewind))


HEAD, NOTE, OTHER = text(20, 200), text(21, 30), text(22, 45)
EARLY, MIDDLE, LATE = text(23, 300), text(24, 260), text(25, 120)
NEW = text(26, 35)


@pytest.mark.parametrize(
    ("cached", "wanted", "moves", "evaluated"),
    [
        ([], [HEAD], 0, 200),
        ([HEAD, EARLY], [HEAD], 0, 1),
        ([HEAD, EARLY], [HEAD[:80]], 0, 1),
        ([HEAD, EARLY], [HEAD, EARLY, NEW], 0, 35),
        ([HEAD, EARLY, LATE], [HEAD, LATE, NEW], 1, 35),
        ([HEAD, EARLY, LATE], [HEAD, NOTE, EARLY, LATE, NEW], 1, 65),
        ([HEAD, OTHER, EARLY], [HEAD, NOTE, EARLY, NEW], 1, 65),
        ([HEAD, NOTE, EARLY], [HEAD, NOTE[::-1], EARLY, NEW], 1, 65),
        ([HEAD, EARLY, NOTE, LATE], [HEAD, EARLY, LATE, NOTE, NEW], 1, 65),
        ([HEAD, EARLY, LATE], [HEAD, LATE, EARLY, NEW], 1, 155),
        ([HEAD, EARLY, MIDDLE, LATE], [EARLY, MIDDLE, LATE, NEW], 1, 35),
        ([HEAD, EARLY, OTHER, MIDDLE], [HEAD, NOTE, EARLY, MIDDLE, NEW], 2, 65),
        ([HEAD, EARLY, LATE], [NEW], 0, 35),
        ([HEAD, EARLY], [HEAD, EARLY[5:20], NEW], 0, 50),
        ([HEAD, LATE], [HEAD, NOTE, LATE], 1, 31),
        ([HEAD, LATE], [HEAD, NOTE, LATE, LATE, NEW], 1, 185),
        ([HEAD, LATE], [HEAD, NOTE, LATE[:80], OTHER, LATE[40:], NEW], 2, 150),
    ],
    ids=[
        "nothing cached",
        "shorter, to an end",
        "shorter, in the middle",
        "longer",
        "a block is gone",
        "a block has come",
        "a block instead of a longer one",
        "a block instead of one as long",
        "a note goes down",
        "two blocks change places: the longer one is moved",
        "another head",
        "one block comes, another goes",
        "nothing in common",
        "too little to move",
        "the last token stays to be evaluated",
        "the same block twice: its cells can be at one place only",
        "parts that overlap",
    ],
)
def test_what_happens_to_a_conversation(
    cached: list[list[int]], wanted: list[list[int]], moves: int, evaluated: int
) -> None:
    before, after = joined(cached), joined(wanted)
    plan = kv.plan(before, after, can_shift=True)
    check(before, after, plan)
    assert (len(plan.moves), plan.evaluated) == (moves, evaluated)


def test_dropping_the_oldest_quarter_of_a_history_evaluates_only_what_is_new() -> None:
    messages = [[1, 2, 3, *text(seed, 20 + seed % 50), 4, 5] for seed in range(100, 200)]
    before = [*HEAD, *joined(messages)]
    after = [*HEAD, *joined(messages[25:]), *NEW]
    plan = kv.plan(before, after, can_shift=True)
    check(before, after, plan)
    # The markers that every message begins with may be taken for kept ones.
    assert len(plan.moves) == 1
    assert plan.evaluated <= len(NEW) + 3


def test_boilerplate_between_messages_does_not_lead_astray() -> None:
    """Markers that stand there a hundred times are no sign of a place; the texts between them are."""
    marker = text(30, 26)
    messages = [[*marker, *text(seed, 30)] for seed in range(100)]
    before = [*HEAD, *joined(messages)]
    after = [*HEAD, *NOTE, *joined(messages[:40]), *joined(messages[60:]), *NEW]
    plan = kv.plan(before, after, can_shift=True)
    check(before, after, plan)
    assert plan.evaluated <= len(NOTE) + len(NEW) + len(marker)


class Counted(int):
    """A token that counts how often any one is looked at."""

    looks: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        Counted.looks += 1
        return int(self) != other

    def __hash__(self) -> int:
        Counted.looks += 1
        return int.__hash__(self)


def _periodic(length: int) -> tuple[list[int], list[int]]:
    """Return texts that are the same at thousands of places, with a few signs that name six offsets."""
    line, signs = text(40, 26, words=100), text(41, 600)
    lines = joined([[*line, 50_000 + number] for number in range(length // 27)])
    back = [[6 + turn] * 27 + signs[100 * turn : 100 * turn + 100] for turn in range(6)]
    return [*lines, *signs], [*[7] * 81, *lines, *joined(back)]


def _changed(length: int) -> tuple[list[int], list[int]]:
    """Return texts of which one has another token at every 26th place."""
    whole = text(42, length)
    return whole, [-1 if at % 26 == 25 else token for at, token in enumerate([*NOTE, *whole])]


@pytest.mark.parametrize(
    ("cached", "wanted"),
    [
        ([5] * 8000, [*[5] * 4000, 6, *[5] * 4000]),
        ([5, 6] * 4000, [7, *[6, 5] * 4000]),
        _periodic(8000),
        _changed(8000),
        (text(1, 8000), text(2, 8000)),
    ],
    ids=["one token", "two tokens", "lines", "changed everywhere", "nothing in common"],
)
def test_the_effort_grows_with_the_length_and_not_with_its_square(
    cached: list[int], wanted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[Move] = []
    behind = kv._behind

    def counted(move: Move, earlier: Move) -> Move | None:
        weighed.append(move)
        return behind(move, earlier)

    monkeypatch.setattr(kv, "_behind", counted)
    monkeypatch.setattr(Counted, "looks", 0)
    before, after = [Counted(token) for token in cached], [Counted(token) for token in wanted]
    plan = kv.plan(before, after, can_shift=True)
    assert Counted.looks < 60 * (len(before) + len(after))
    assert len(weighed) < 5000
    check(cached, wanted, plan)
