from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airochat.characters import parse_book, read_book_file, split_decorators, strip_decorators
from airochat.errors import CardError

ENTRY = {"keys": ["sea"], "content": "Salt.", "extensions": {}, "enabled": True, "insertion_order": 1}
NORMAL = {
    "keys": ["sea"],
    "secondary_keys": [],
    "content": "Salt.",
    "extensions": {},
    "enabled": True,
    "insertion_order": 1,
    "constant": False,
    "selective": False,
    "use_regex": False,
    "position": "before_char",
    "name": "",
    "comment": "",
    "id": 0,
}


def one(entry: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    book, warnings = parse_book({"extensions": {}, "entries": [entry]}, "The lorebook x")
    return book["entries"][0], [warning.code for warning in warnings]


def test_an_entry_has_every_field_of_version_3_and_what_is_unknown() -> None:
    assert one(ENTRY) == (NORMAL, [])
    assert one({**ENTRY, "x": [1]}) == ({**NORMAL, "x": [1]}, [])
    assert one({**ENTRY, "priority": 3, "case_sensitive": True}) == (
        {**NORMAL, "priority": 3, "case_sensitive": True},
        [],
    )


@pytest.mark.parametrize(
    ("entry", "codes", "fields"),
    [
        ({"position": "after_char"}, [], {"position": "after_char"}),
        ({"position": ""}, ["book-position"], {"position": "before_char"}),
        ({"position": 1}, ["book-position"], {"position": "before_char"}),
        ({"extensions": None}, ["book-no-extensions"], {"extensions": {}}),
        ({"insertion_order": "7"}, ["not-a-number"], {"insertion_order": 7}),
        ({"insertion_order": ""}, ["not-a-number"], {"insertion_order": 100}),
        ({"enabled": "false", "constant": 1}, ["not-a-flag"], {"enabled": False, "constant": True}),
        ({"keys": "sea, /a,b/i , rain"}, [], {"keys": ["sea", "/a,b/i", "rain"]}),
        ({"secondary_keys": "a,b"}, [], {"secondary_keys": ["a", "b"]}),
        ({"keys": ["sea", "", None, 3]}, ["empty-item", "not-a-text"], {"keys": ["sea", "3"]}),
        ({"content": None}, ["null-field"], {"content": ""}),
        ({"id": "seven"}, [], {"id": "seven"}),
        ({"extensions": {"depth": "", "probability": "50", "x": None}}, ["not-a-number"],
         {"extensions": {"probability": 50, "x": None}}),
    ],
)  # fmt: skip
def test_bent_entries(entry: dict[str, Any], codes: list[str], fields: dict[str, Any]) -> None:
    read, found = one({**ENTRY, **entry})
    assert ({key: read[key] for key in fields}, found) == (fields, codes)


def test_the_fields_of_a_book() -> None:
    raw: dict[str, Any] = {
        "name": "Coast",
        "scan_depth": "4",
        "token_budget": None,
        "recursive_scanning": True,
        "x": 1,
        "entries": [],
    }
    book, warnings = parse_book(raw, "The lorebook x")
    assert book == {
        "name": "Coast",
        "description": "",
        "scan_depth": 4,
        "recursive_scanning": True,
        "extensions": {},
        "entries": [],
        "x": 1,
    }
    assert [str(warning) for warning in warnings] == [
        "The lorebook x has '4' as scan_depth instead of a number; it is read as 4."
    ]
    assert [warning.code for warning in parse_book({}, "The lorebook x")[1]] == ["book-no-entries"]


def test_a_world_file(tmp_path: Path) -> None:
    world = {
        "entries": {
            "10": {"uid": 10, "key": ["b"], "content": "B", "position": 1, "disable": True, "order": 5},
            "2": {"uid": 2, "key": ["a"], "keysecondary": ["c"], "content": "A", "position": 4, "depth": 3,
                  "excludeRecursion": True, "selectiveLogic": 1, "constant": True, "addMemo": True},
        }
    }  # fmt: skip
    path = tmp_path / "coast.json"
    path.write_text(json.dumps(world), encoding="utf-8")
    book, warnings = read_book_file(path)
    assert (book["name"], warnings) == ("coast", ())
    first, second = book["entries"]
    assert (first["id"], first["keys"], first["secondary_keys"], first["constant"]) == (2, ["a"], ["c"], True)
    assert first["extensions"] == {"position": 4, "depth": 3, "exclude_recursion": True, "selectiveLogic": 1}
    assert (first["addMemo"], first["selective"], first["insertion_order"]) == (True, True, 100)
    assert (first["position"], second["position"]) == ("after_char", "after_char")
    assert (second["id"], second["enabled"], second["insertion_order"]) == (10, False, 5)


@pytest.mark.parametrize(
    "value",
    [
        {"spec": "lorebook_v3", "data": {"extensions": {}, "entries": [ENTRY]}},
        {"extensions": {}, "entries": [ENTRY]},
        {
            "spec": "chara_card_v2",
            "data": {"name": "M", "character_book": {"extensions": {}, "entries": [ENTRY]}},
        },
    ],
)
def test_files_of_every_form(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "coast.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    book, warnings = read_book_file(path)
    assert (book["entries"], book["name"], warnings) == ([NORMAL], "coast", ())


def test_files_that_are_no_lorebook(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(CardError, match="no lorebook"):
        read_book_file(path)
    with pytest.raises(CardError, match="cannot be read"):
        read_book_file(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("text", "decorators", "rest"),
    [
        ("It rains.", (), "It rains."),
        ("\n It rains.", (), "\n It rains."),
        (
            "@@depth 5\n@@@position after_desc\nIt rains.\n",
            ("@@depth 5", "@@@position after_desc"),
            "It rains.\n",
        ),
        ("\n@@depth 5\r\n\r\n@@role user\r\n\n\nIt rains.", ("@@depth 5", "@@role user"), "It rains."),
        ("@@depth 5", ("@@depth 5",), ""),
        ("@@unknown\n\n", ("@@unknown",), ""),
        ("It rains.\n@@depth 5", (), "It rains.\n@@depth 5"),
        ("", (), ""),
    ],
)
def test_decorators(text: str, decorators: tuple[str, ...], rest: str) -> None:
    assert split_decorators(text) == (decorators, rest)
    assert strip_decorators(text) == rest
