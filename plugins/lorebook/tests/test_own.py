"""What airochat does beyond the golden cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from plugins.lorebook.entry import Book
from plugins.lorebook.order import Place
from plugins.lorebook.tests.lore import options, scan, titles, v3, world


@dataclass(frozen=True)
class Case:
    name: str
    books: Book | Mapping[Place, Sequence[Book]]
    said: tuple[str, ...]
    wanted: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    scene: Mapping[str, Any] = field(default_factory=dict)


def e(title: str, *keys: str, **fields: Any) -> dict[str, Any]:
    return {"content": title, "key": list(keys), **fields}


def hit(*keys: str, **fields: Any) -> Book:
    return world(e("hit", *keys, **fields))


def decorated(lines: str) -> Book:
    return v3({"keys": ["k"], "content": f"{lines}\ntext", "name": "hit"})


LEVELS = world(
    e("A r", "k", comment="A"),
    e("B", "r", delayUntilRecursion=1),
    e("C", "r", delayUntilRecursion=2),
)
PAST = {"records": [(1, "Card/0")]}

CASES = [
    Case("words of scripts without spaces", hit("王"), ("国王来了",), "hit"),
    Case("a Latin key beside them", hit("king"), ("他叫king了",), "hit"),
    Case("accents belong to words", hit("cafe"), ("the cafe\u0301s",), ""),
    Case("composed and decomposed are one", hit("café"), ("a cafe\u0301 here",), "hit"),
    Case("quotes of all forms", hit("king's"), ("the king’s men",), "hit"),
    Case("Ä is ä", hit("äpfel"), ("ÄPFEL",), "hit"),
    Case("part of a word where that is wanted", hit("king", matchWholeWords=False), ("liking",), "hit"),
    Case("case where it counts", hit("King", caseSensitive=True), ("king",), ""),
    Case("a key with signs", hit("C++"), ("I write C++.",), "hit"),
    Case("a second place in a text may be the right one", hit("king"), ("liking a king",), "hit"),
    Case("one speaker's words", hit("/\\x01User:[^\\x01]*?lamp/"), ("the lamp", "x"), "hit"),
    Case("another speaker's words", hit("/\\x01User:[^\\x01]*?lamp/"), ("x", "the lamp"), ""),
    Case(
        "a broken regex of a card is no key",
        v3({"keys": ["/[/"], "content": "x", "use_regex": True}),
        ("see /[/",),
        "",
    ),
    Case(
        "more messages until enough is found", hit("k"), ("k", "x", "x", "x"), "hit", {"min_activations": 1}
    ),
    Case(
        "but not beyond the limit",
        hit("k"),
        ("k", "x", "x", "x"),
        "",
        {"min_activations": 1, "min_activations_depth": 3},
    ),
    Case("levels of recursion one after the other", LEVELS, ("k",), "C B A"),
    Case("no level without anything to look through", LEVELS, ("r",), ""),
    Case("a trigger that is not this one", hit("k", triggers=["continue"]), ("k",), ""),
    Case("another reply", hit("k", triggers=["regenerate"]), ("k",), "hit", scene={"trigger": "swipe"}),
    Case("a trigger that is", hit("k", triggers=["continue"]), ("k",), "hit", scene={"trigger": "continue"}),
    Case(
        "only for some characters",
        hit("k", characterFilter={"isExclude": False, "names": ["Aria"], "tags": []}),
        ("k",),
        "hit",
        scene={"names": ("aria",)},
    ),
    Case(
        "not for some characters",
        hit("k", characterFilter={"isExclude": True, "names": ["Aria"], "tags": []}),
        ("k",),
        "",
        scene={"names": ("aria",)},
    ),
    Case("delayed", hit("k", delay=2), ("k",), ""),
    Case("delayed long enough", hit("k", delay=2), ("x", "k"), "hit"),
    Case(
        "keys in the persona",
        hit("pirate", matchPersonaDescription=True),
        ("x",),
        "hit",
        scene={"extras": {"match_persona_description": "an old pirate"}},
    ),
    Case(
        "the persona is not for all",
        hit("pirate"),
        ("x",),
        "",
        scene={"extras": {"match_persona_description": "an old pirate"}},
    ),
    Case("a book's own depth", v3({"keys": ["k"], "content": "hit"}, scan_depth=3), ("k", "x", "x"), "k"),
    Case(
        "a book that does not recur",
        v3(
            {"keys": ["k"], "content": "r", "name": "A"},
            {"keys": ["r"], "content": "x", "name": "B"},
            recursive_scanning=False,
        ),
        ("k",),
        "A",
    ),
    Case(
        "constants have their share",
        world(
            e("a b c", "k", comment="keyed", order=200), e("d e", constant=True, comment="constant", order=1)
        ),
        ("k",),
        "constant",
        {"budget_cap": 4},
    ),
    Case(
        "what is cheap fits after what is not",
        world(e("a b c d e", "k", comment="big", order=200), e("a", "k", comment="small")),
        ("k",),
        "small",
        {"budget_cap": 4},
    ),
    Case(
        "priority before order",
        v3(
            {"keys": ["k"], "content": "a b c", "name": "low", "priority": 1, "insertion_order": 900},
            {"keys": ["k"], "content": "d e f", "name": "high", "priority": 5, "insertion_order": 1},
        ),
        ("k",),
        "high",
        {"budget_cap": 4},
    ),
    Case(
        "the chat's book before all",
        {"chat": [world(e("chat", "k", order=1), name="c")], "global": [world(e("all", "k"), name="g")]},
        ("k",),
        "chat",
        {"budget_cap": 1},
    ),
    Case(
        "a book in two places counts once",
        {"chat": [hit("k")], "global": [hit("k")]},
        ("k",),
        "hit",
    ),
    Case("excluded by another key", decorated("@@exclude_keys no,never"), ("k but never",), ""),
    Case("all additional keys", decorated("@@additional_keys a,b\n@@additional_keys c"), ("k b c",), "hit"),
    Case(
        "one additional key is missing", decorated("@@additional_keys a\n@@additional_keys c"), ("k a",), ""
    ),
    Case("after so many replies", decorated("@@activate_only_after 2"), ("k",), "", scene={"replies": 1}),
    Case("every third reply", decorated("@@activate_only_every 3"), ("k",), "hit", scene={"replies": 6}),
    Case(
        "kept after a match",
        decorated("@@keep_activate_after_match"),
        ("k", "x", "x", "x"),
        "hit",
        scene=PAST,
    ),
    Case("once only", decorated("@@dont_activate_after_match"), ("k", "k"), "", scene=PAST),
    Case("its own depth", decorated("@@scan_depth 4"), ("k", "x", "x", "x"), "hit"),
    Case(
        "a hidden key",
        world(e("A {{hidden_key:secret}}", "k", comment="A"), e("B", "secret")),
        ("k",),
        "B A",
    ),
    Case("a key with a macro", hit("{{user}}"), ("x You x",), "hit", scene={"expand": lambda text: "You"}),
    Case("lines end as they may", hit("two words"), ("x",), ""),
    Case("asked for", hit("nothing"), ("x",), "hit", scene={"forced": frozenset({"World/0"})}),
    Case("disabled, whatever asks", hit("k", disable=True, constant=True), ("k",), ""),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_here(case: Case) -> None:
    found = scan(case.books, case.said, options("airochat", **case.settings), **case.scene)
    assert titles(found) == case.wanted.split()


def test_a_group_that_was_settled_stays_settled_when_recursion_finds_more() -> None:
    book = world(
        e("first next", "k", comment="first", group="g"),
        e("second", "next", group="g"),
        e("third", "next", group="other"),
    )
    found = scan(book, ("k",), options("airochat"))
    assert titles(found) == ["third", "first"]
    assert found.skipped["World/1"].reason == 'group "g": first has it already'


def test_entries_that_fall_to_the_dice_say_what_was_thrown() -> None:
    found = scan(hit("k", probability=0), ("the k",), options("airochat"))
    skipped = found.skipped["World/0"]
    assert skipped.reason.startswith("the dice said ") and skipped.cause is not None
    assert skipped.cause.words == 'keyword "k" in message 1'


def test_the_cause_tells_message_offset_and_parent() -> None:
    book = world(e("A r", "lamp", comment="A"), e("B", "r"))
    found = scan(book, ("x", "see the lamp"), options("airochat"))
    by_name = {fired.entry.name: fired for fired in found.fired}
    first, second = by_name["A"].cause, by_name["B"].cause
    assert first.piece is not None and second.piece is not None
    assert (first.words, first.piece.id) == ('keyword "lamp" in message 2', "m1")
    assert first.piece.text[first.offset :] == "lamp"
    assert (second.words, second.piece.id, by_name["B"].loop) == (
        'keyword "r" in the entry "A"',
        "World/0",
        2,
    )


def test_a_regex_tells_where_it_matched() -> None:
    found = scan(hit("/la.p/"), ("a lamp", "x"), options("airochat"))
    cause = found.fired[0].cause
    assert cause.piece is not None
    assert (cause.words, cause.piece.text[cause.offset :]) == ('regex "/la.p/" in message 1', "lamp")
