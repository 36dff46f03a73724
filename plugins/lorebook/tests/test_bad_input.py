"""Fields that are anything, books that are huge, keys that never end, lore that finds itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.lorebook.book import MOST_ENTRIES, read_book
from plugins.lorebook.entry import POSITIONS
from plugins.lorebook.formats import read_content
from plugins.lorebook.tests.lore import options, scan, titles, v3, world

ODD: list[Any] = [
    None,
    "",
    "0",
    "7",
    "many",
    -5,
    1e300,
    2.5,
    True,
    False,
    [],
    ["a"],
    {},
    {"a": 1},
    10**30,
    "\ud83d",
]
FIELDS = re.findall(
    r"\w+",
    """uid key keysecondary comment content constant selective selectiveLogic order position disable excludeRecursion
    preventRecursion delayUntilRecursion probability useProbability depth group groupOverride groupWeight scanDepth
    caseSensitive matchWholeWords useGroupScoring role sticky cooldown delay ignoreBudget outletName triggers
    matchPersonaDescription characterFilter extensions""",
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:12])
def test_any_value_of_any_field(field: str, value: Any) -> None:
    entry = {"key": ["k"], "content": "text", "comment": "title", field: value}
    book = read_book({"entries": {"0": entry}}, "The book")[0]
    (read,) = book.entries
    assert read.position in POSITIONS and 0 <= read.probability <= 100 and read.logic in range(4)
    scan(book, ("k",), options("airochat"), room=100)


@pytest.mark.parametrize(
    "raw",
    [
        {"entries": None},
        {"entries": {"a": 1, "b": {}}},
        {"entries": [None, 1, "x", {}]},
        {"entries": [{"keys": "a, /b,c/i, d", "content": None}]},
        {"entries": [{"keys": ["k"], "content": "x", "position": ""}]},
        {"entries": [{"keys": ["k"], "content": "x", "extensions": None}]},
        {"entries": {"0": {"key": ["k"], "content": ["x", "y"], "disable": "0"}}},
        {"entries": [], "scan_depth": "many", "token_budget": "-1", "recursive_scanning": "no"},
        {"entries": [{"id": 1, "keys": ["k"]}, {"id": 1, "keys": ["k"]}]},
    ],
)
def test_odd_books(raw: dict[str, Any]) -> None:
    book = read_book(raw, "The book")[0]
    keys = [entry.key for entry in book.entries]
    assert len(keys) == len(set(keys))
    scan(book, ("k a",), options("sillytavern"))
    scan(book, ("k a",), options("airochat"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*FIELDS, "keys", "entries", "data", "name"]), inner, max_size=6
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=150)
def test_anything_at_all(raw: Any) -> None:
    book = read_book({"entries": raw}, "The book")[0]
    scan(book, ("k",), options("airochat"))


def test_fifty_thousand_entries() -> None:
    listed = [{"keys": [f"word{n}", f"two words {n}"], "content": f"text {n}"} for n in range(50_000)]
    book = read_content(json.dumps({"entries": listed}).encode(), "big.json")[0]
    assert len(book.entries) == 50_000
    found = scan(book, ("see word777 and word49999", "two words 5"), options("airochat"))
    assert sorted(fired.text for fired in found.fired) == ["text 49999", "text 5", "text 777"]


def test_more_entries_than_are_taken() -> None:
    raw = {"entries": [{"keys": ["k"]} for _ in range(MOST_ENTRIES + 5)]}
    assert len(read_book(raw, "The book")[0].entries) == MOST_ENTRIES


def test_keys_that_never_end_are_named_and_others_still_count() -> None:
    evil = [{"key": [f"/(a+)+{n}$/"], "content": f"evil{n}"} for n in range(200)]
    book = world(*evil, {"key": ["lamp"], "content": "lamp"})
    found = scan(book, ("a" * 4000 + "! lamp",), options("airochat"))
    assert titles(found) == ["lamp"]
    assert found.slow


def test_lore_that_finds_itself_ends() -> None:
    ring = world(*({"key": [f"k{n}"], "content": f"k{(n + 1) % 40}", "comment": f"E{n}"} for n in range(40)))
    found = scan(ring, ("k0",), options("airochat"))
    assert len(found.fired) == 40 and found.loops <= 41
    alone = world({"key": ["me"], "content": "me me me"})
    assert scan(alone, ("me",), options("sillytavern")).loops == 2


def test_contents_of_any_size_and_kind() -> None:
    book = v3({"keys": ["k"], "content": "@@" * 10_000}, {"keys": ["k"], "content": "@@@depth 1\n" * 3_000 + "x"},
              {"keys": ["k" * 100_000], "content": "x" * 1_000_000})  # fmt: skip
    scan(book, ("k" * 100_000,), options("airochat"))
