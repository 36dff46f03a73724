"""The cases that pin down what lorebooks do elsewhere (``sillytavern``) and here (``airochat``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airochat.hooks import Block
from airochat.prompt.layout import turns
from airochat.templates import Templates
from airochat.templates.segment import ChatTurn, Part
from plugins.lorebook.entry import Book
from plugins.lorebook.export import written
from plugins.lorebook.order import Place
from plugins.lorebook.place import NOTE, around_note, blocks
from plugins.lorebook.tests.lore import options, scan, titles, v3, world
from plugins.lorebook.timed import Record, effects

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    name: str
    books: Book | Mapping[Place, Sequence[Book]]
    said: tuple[str, ...]
    elsewhere: str
    """The titles in the prompt, with spaces between them."""
    here: str | None = None
    """The same with our own ways; None if it is the same."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    scene: Mapping[str, Any] = field(default_factory=dict)
    cap_here: int | None = None
    """The limit in tokens with our own ways, if it is another one."""


def e(title: str, *keys: str, **fields: Any) -> dict[str, Any]:
    return {"content": title, "key": list(keys), **fields}


def keyed(key: str, **fields: Any) -> Book:
    return world(e("hit", key, **fields))


def costs(*tokens: int, **fields: Any) -> list[dict[str, Any]]:
    """Entries A, B, C … of orders 100, 90, 80 … that take so many tokens."""
    names = "ABCDEF"
    return [
        {"comment": names[n], "content": "x " * cost, "key": ["k"], "order": 100 - 10 * n, **fields}
        for n, cost in enumerate(tokens)
    ]


BESSIE = e("A Rufus", "Bessie", comment="A", order=10)
RUFUS = e("B", "Rufus", order=20)
LOGIC = {"AND_ANY": (0, "011"), "NOT_ALL": (1, "110"), "NOT_ANY": (2, "100"), "AND_ALL": (3, "001")}
STICKY = world(e("S", "lamp", sticky=3, cooldown=2))
COOLING = world(e("C", "lamp", cooldown=2))
GROUP = [e("A", "k", group="g", groupWeight=100), e("B", "k", group="g", groupWeight=100)]


def lamp(count: int) -> tuple[str, ...]:
    """Messages of which every one has the key."""
    return ("the lamp",) * count


def dark(count: int) -> tuple[str, ...]:
    return ("dark",) * count


CASES = [
    Case("01 higher order is lower", world(e("A", "k", order=10), e("B", "k", order=100)), ("k",), "A B"),
    Case(
        "01 higher order claims the budget first",
        world(e("A", "k", order=10), e("B", "k", order=100)),
        ("k",),
        "B",
        settings={"budget_cap": 2},
        cap_here=1,
    ),
    Case("02 overflow", world(*costs(8, 5, 1)), ("k",), "A", "C A", {"budget_cap": 10}),
    Case("02 exactly the budget", world(*costs(10)), ("k",), "", "A", {"budget_cap": 10}),
    Case("03 constant", world(*costs(11, constant=True)), ("x",), "", "", {"budget_cap": 10}),
    Case("03 ignoreBudget", world(*costs(11, ignoreBudget=True)), ("k",), "A", "A", {"budget_cap": 10}),
    Case("04 recursion", world(BESSIE, RUFUS), ("Bessie",), "A B"),
    Case("04 off", world(BESSIE, RUFUS), ("Bessie",), "A", settings={"recursive": False}),
    Case("04 prevent", world({**BESSIE, "preventRecursion": True}, RUFUS), ("Bessie",), "A"),
    Case("04 exclude", world(BESSIE, {**RUFUS, "excludeRecursion": True}), ("Bessie",), "A"),
    Case("04 delay, found", world(BESSIE, {**RUFUS, "delayUntilRecursion": True}), ("Bessie",), "A B"),
    Case("04 delay, not found", world(BESSIE, {**RUFUS, "delayUntilRecursion": True}), ("Rufus",), ""),
    Case("04 one step", world(BESSIE, RUFUS), ("Bessie",), "A", settings={"max_recursion_steps": 1}),
    Case("05 liking", keyed("king"), ("liking",), ""),
    Case("05 King.", keyed("king"), ("King.",), "hit"),
    Case("05 king's", keyed("king"), ("the king's",), "hit"),
    Case("05 éking", keyed("king"), ("éking",), "hit", ""),
    Case("05 black cats", keyed("black cat"), ("black cats",), "hit"),
    Case("05 /ki.g/ and KING", keyed("/ki.g/"), ("KING",), ""),
    Case("05 /ki.g/ when case counts", keyed("/ki.g/", caseSensitive=False), ("KING",), ""),
    Case("05 /ki.g/i", keyed("/ki.g/i", caseSensitive=True), ("KING",), "hit"),
    Case("05 /a/b/ is text", keyed("/a/b/"), ("see /a/b/ there",), "hit"),
    Case("05 /a/b/ is no regex", keyed("/a/b/"), ("a",), ""),
    Case("06 name of the speaker", keyed("Alice"), ("Alice: hi",), "hit"),
    Case("06 names off", keyed("Alice"), ("Alice: hi",), "", settings={"include_names": False}),
    *(
        Case(
            f"07 {name}, {text}",
            keyed("a", keysecondary=["b", "c"], selectiveLogic=logic),
            (text,),
            "hit" if expected[number] == "1" else "",
        )
        for name, (logic, expected) in LOGIC.items()
        for number, text in enumerate(("a", "a b", "a b c"))
    ),
    Case("08 depth 1, newest", keyed("k", scanDepth=1), ("x", "x", "k"), "hit"),
    Case("08 depth 1, older", keyed("k", scanDepth=1), ("x", "k", "x"), ""),
    Case("08 null is the usual depth", keyed("k", scanDepth=None), ("x", "k", "x"), "hit"),
    Case("08 null is not more", keyed("k", scanDepth=None), ("k", "x", "x"), ""),
    Case("08 depth 0", keyed("k", scanDepth=0), ("k",), ""),
    Case("08 depth 0 and lore", world(BESSIE, {**RUFUS, "scanDepth": 0}), ("Bessie Rufus",), "A", "A B"),
    Case("09 first", STICKY, ("x", "the lamp"), "S"),
    *(
        Case(
            f"09 sticky at {n}",
            STICKY,
            dark(n),
            "S" if n in (3, 4) else "",
            scene={"records": [(2, "World/0")]},
        )
        for n in (2, 3, 4, 5)
    ),
    *(
        Case(
            f"09 cooling at {n}",
            STICKY,
            lamp(n),
            "" if n in (5, 6) else "S",
            scene={"records": [(2, "World/0")]},
        )
        for n in (4, 5, 6, 7)
    ),
    *(
        Case(
            f"09 cooldown alone at {n}",
            COOLING,
            lamp(n),
            "" if n == 3 else "C",
            scene={"records": [(2, "World/0")]},
        )
        for n in (2, 3, 4)
    ),
    Case("10 a swipe forgets", STICKY, dark(2), "", scene={"records": [(2, "World/0")]}),
    Case(
        "11 weight 0",
        world(*GROUP, e("C", "k", group="g", groupWeight=0)),
        ("k",),
        "A",
        scene={"seed": "3"},
    ),
    Case(
        "11 override",
        world(
            *GROUP,
            e("C", "k", group="g", groupOverride=True, order=5),
            e("D", "k", group="g", groupOverride=True, order=6),
        ),
        ("k",),
        "D",
    ),
    Case(
        "11 scoring",
        world(*GROUP, e("C", "k", "l", group="g", groupWeight=1)),
        ("k l",),
        "C",
        settings={"group_scoring": True},
    ),
    Case(
        "11 two groups",
        world(
            e("AB yes", "k", comment="AB", group="g1,g2"),
            e("A", "yes", group="g1"),
            e("B", "yes", group="g2"),
        ),
        ("k",),
        "AB",
    ),
    Case("12 never", keyed("k", probability=0), ("k",), ""),
    Case("12 always", keyed("k", probability=100), ("k",), "hit"),
    Case("12 switched off", keyed("k", probability=0, useProbability=False), ("k",), "hit"),
    Case(
        "12 sticky is not thrown again",
        world(e("S", "k", sticky=3, probability=0)),
        dark(3),
        "S",
        scene={"records": [(2, "World/0")]},
    ),
    Case(
        "12 failed once",
        world(e("A x", "k", comment="A"), e("B", "k", "x", probability=0)),
        ("k",),
        "A",
    ),
    Case(
        "15 the card's book first",
        {
            "card": [v3({"keys": ["k"], "content": "mine", "name": "mine"})],
            "global": [world(e("theirs", "k"))],
        },
        ("k",),
        "mine",
        settings={"budget_cap": 2},
        cap_here=1,
    ),
    Case(
        "15 the card's own budget",
        {
            "card": [
                v3(
                    {"keys": ["k"], "content": "x x x", "name": "big"},
                    {"keys": ["k"], "content": "x", "name": "small", "insertion_order": 5},
                    token_budget=2,
                )
            ],
            "global": [world(e("theirs", "k"))],
        },
        ("k",),
        "small theirs big",
        "small theirs",
    ),
    Case(
        "16 greeting 1 on greeting 0",
        v3({"keys": ["k"], "content": "@@is_greeting 1\ntext", "name": "G"}),
        ("k",),
        "G",
        "",
        scene={"greeting": 0},
    ),
    Case(
        "16 greeting 1 on greeting 1",
        v3({"keys": ["k"], "content": "@@is_greeting 1\ntext", "name": "G"}),
        ("k",),
        "G",
        scene={"greeting": 1},
    ),
]


@pytest.mark.parametrize("mode", ["sillytavern", "airochat"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case, mode: str) -> None:
    settings = dict(case.settings)
    if mode == "airochat" and case.cap_here is not None:
        settings["budget_cap"] = case.cap_here
    found = scan(case.books, case.said, options(mode, **settings), **case.scene)
    wanted = case.elsewhere if mode == "sillytavern" or case.here is None else case.here
    assert titles(found) == wanted.split()


def test_11_third_of_weight_0_is_never_drawn_and_the_others_are_both() -> None:
    book = world(*GROUP, e("C", "k", group="g", groupWeight=0))
    drawn = [titles(scan(book, ("k",), options("airochat"), seed=str(n))) for n in range(60)]
    assert {one for (one,) in drawn} == {"A", "B"}


def test_12_one_seed_is_one_result_and_others_differ() -> None:
    book = world(*(e(f"E{n}", "k", probability=50) for n in range(12)))
    found = [titles(scan(book, ("k",), options("airochat"), seed=seed)) for seed in ("a", "a", "b")]
    assert found[0] == found[1] != found[2]
    assert 0 < len(found[0]) < 12


@pytest.mark.parametrize("mode", ["sillytavern", "airochat"])
def test_10_an_edited_entry_is_not_sticky_any_more(mode: str) -> None:
    edited = world(e("S", "lamp", sticky=3, cooldown=2, order=7))
    old = Record(2, "World/0", STICKY.entries[0].digest)
    for book, wanted in ((STICKY, ["S"]), (edited, [])):
        timed = effects([old], {"World/0": book.entries[0]}, 3)
        assert titles(scan(book, dark(3), options(mode), timed=timed)) == wanted


def _turns(book: Book, said: Sequence[str], mode: str = "airochat", note: int | None = None) -> list[str]:
    """The texts of a prompt: the head's in one, then what stands in the conversation, with roles."""
    how = options(mode)
    found = scan(book, said, how)
    placed = blocks(found.fired, how, len(said))
    if note is not None:
        placed.append(Block(NOTE, "note", note))
    history = [ChatTurn("assistant" if n % 2 else "user", (Part(text, "m"),)) for n, text in enumerate(said)]
    template = Templates().get("chatml")
    return [
        turn.text.strip() for turn in turns(around_note(placed, how), history, template) if turn.text.strip()
    ]


def test_13_depths_and_roles() -> None:
    book = world(
        e("newest", "k", position=4, depth=0),
        e("oldest", "k", position=4, depth=4),
        e("S", "k", position=4, depth=1, role=0),
        e("U", "k", position=4, depth=1, role=1),
        e("A", "k", position=4, depth=1, role=2),
    )
    assert _turns(book, ("k one", "k two")) == ["oldest", "k one", "A", "U", "S", "k two", "newest"]


def test_14_the_note_s_entries_without_a_note_are_lost_elsewhere_and_here_are_not() -> None:
    book = world(e("top", "k", position=2), e("bottom", "k", position=3))
    said = ("k one", "k two")
    assert _turns(book, said, "sillytavern") == ["k one", "k two"]
    assert _turns(book, said, "airochat") == ["top", "bottom", "k one", "k two"]
    for mode in ("sillytavern", "airochat"):
        assert _turns(book, said, mode, note=1) == ["k one", "top", "note", "bottom", "k two"]


def test_16_decorators_and_their_fallbacks() -> None:
    def one(content: str) -> Any:
        return v3({"keys": ["k"], "content": content}).entries[0]

    first = one("@@depth 5\n@@@position after_desc\n\ntext")
    assert (first.position, first.depth, first.content) == ("depth", 5, "text")
    second = one("@@instruct_depth 5\n@@@nonsense\n@@@position after_desc\n@@@depth 3\ntext")
    assert (second.position, second.content) == ("after_char", "text")
    third = one("@@depth 2\n@@depth 9\ntext")
    assert (third.position, third.depth) == ("depth", 2)
    wrong = one("@@depth many\n@@role nobody\ntext")
    assert (wrong.position, wrong.role, wrong.content) == ("before_char", "system", "text")
    assert one("@@depth 3\n@@position before_desc\ntext").position == "before_char"


def test_16_version_2_has_no_decorators() -> None:
    book = v3({"keys": ["k"], "content": "@@depth 5\n@@@role user\ntext"})
    assert json.loads(written(book, "character_book"))["entries"][0]["content"] == "text"
    assert json.loads(written(book))["data"]["entries"][0]["content"].startswith("@@depth 5")
