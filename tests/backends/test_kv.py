from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.kv import reusable

IDS = st.lists(st.integers(0, 2), max_size=12)
PROMPTS = st.lists(st.integers(0, 2), min_size=1, max_size=12)


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
