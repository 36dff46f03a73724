"""What holds for every scan."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plugins.lorebook.entry import Book
from plugins.lorebook.scene import Found
from plugins.lorebook.tests.lore import options, scan, world

WORDS = st.sampled_from(["ash", "bell", "cord", "dusk", "elm", "fog"])
TEXT = st.lists(WORDS, max_size=8).map(" ".join)
ENTRY = st.fixed_dictionaries(
    {"key": st.lists(WORDS, max_size=2), "content": TEXT},
    optional={
        "keysecondary": st.lists(WORDS, max_size=2),
        "selectiveLogic": st.integers(0, 3),
        "order": st.integers(-5, 200),
        "constant": st.booleans(),
        "disable": st.booleans(),
        "probability": st.integers(0, 100),
        "group": st.sampled_from(["", "g", "h", "g, h"]),
        "groupWeight": st.integers(0, 100),
        "groupOverride": st.booleans(),
        "sticky": st.integers(0, 3),
        "cooldown": st.integers(0, 3),
        "delay": st.integers(0, 3),
        "excludeRecursion": st.booleans(),
        "preventRecursion": st.booleans(),
        "delayUntilRecursion": st.integers(0, 2),
        "scanDepth": st.none() | st.integers(0, 4),
    },
)
BOOK = st.lists(ENTRY, max_size=10).map(lambda entries: world(*entries))
SAID = st.lists(TEXT, max_size=5)
SETTINGS = st.fixed_dictionaries(
    {"mode": st.sampled_from(["airochat", "sillytavern"]), "budget_cap": st.integers(1, 20)},
    optional={
        "recursive": st.booleans(),
        "min_activations": st.integers(0, 4),
        "max_recursion_steps": st.integers(0, 3),
        "group_scoring": st.booleans(),
        "scan_depth": st.integers(0, 4),
    },
)
RECORDS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9).map(lambda n: f"World/{n}")), max_size=4)


def run(book: Book, said: list[str], settings: dict[str, Any], seed: str, records: Any = ()) -> Found:
    changed = dict(settings)
    return scan(book, said, options(changed.pop("mode"), **changed), seed=seed, records=records)


@given(BOOK, SAID, SETTINGS, st.text(max_size=3), RECORDS)
def test_scans(book: Book, said: list[str], settings: dict[str, Any], seed: str, records: Any) -> None:
    found = run(book, said, settings, seed, records)
    paid = sum(fired.tokens for fired in found.fired)
    assert paid == found.used <= settings["budget_cap"]
    if settings["mode"] == "sillytavern":
        assert not paid or paid < settings["budget_cap"]
    keys = [fired.entry.key for fired in found.fired]
    assert len(keys) == len(set(keys))
    assert all(fired.entry.enabled for fired in found.fired)
    assert not set(keys) & found.skipped.keys()
    orders = [fired.entry.order for fired in found.fired]
    assert orders == sorted(orders)
    groups = [name for fired in found.fired for name in fired.entry.groups]
    sticky = {name for fired in found.fired if fired.cause.kind == "sticky" for name in fired.entry.groups}
    assert all(groups.count(name) == 1 for name in groups if name not in sticky)
    assert sorted(fired.rank for fired in found.fired) == list(range(1, len(keys) + 1))


@given(BOOK, SAID, SETTINGS, st.text(max_size=3), RECORDS)
def test_one_seed_is_one_result(
    book: Book, said: list[str], settings: dict[str, Any], seed: str, records: Any
) -> None:
    first, second = run(book, said, settings, seed, records), run(book, said, settings, seed, records)
    assert first.fired == second.fired
    assert {key: one.reason for key, one in first.skipped.items()} == {
        key: one.reason for key, one in second.skipped.items()
    }
