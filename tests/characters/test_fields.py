"""Fields of every version, and each way in which they are bent: what becomes of them, and the warning."""

from __future__ import annotations

from typing import Any

import pytest

from airochat.characters import Asset, Card, parse_card, parse_fields
from airochat.characters.names import MAX_NAME, safe_name
from airochat.errors import CardError


def v2(**data: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "Maya", **data}}


def v3(**data: Any) -> dict[str, Any]:
    return {"spec": "chara_card_v3", "spec_version": "3.0", "data": {"name": "Maya", **data}}


def v1(**fields: Any) -> dict[str, Any]:
    return {"name": "Maya", "description": "D", **fields}


ENTRY = {"keys": ["sea"], "content": "Salt.", "extensions": {}, "enabled": True, "insertion_order": 1}


def book(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"extensions": {}, "entries": list(entries), **fields}


# What is read, the codes of the warnings, and the fields that it gives.
TABLE: list[tuple[str, dict[str, Any], list[str], dict[str, Any]]] = [
    ("version 1", v1(first_mes="F"), [], {"name": "Maya", "description": "D", "first_mes": "F"}),
    ("version 1 with extras", v1(tags=["a"], creatorcomment="N", talkativeness=0.25, alternate_greetings=["G"]), [],
     {"tags": ("a",), "creator_notes": "N", "talkativeness": 0.25, "alternate_greetings": ("G",)}),
    ("version 2", v2(system_prompt="S", creator="C"), [], {"system_prompt": "S", "creator": "C"}),
    ("version 2 with missing fields", v2(), [], {"first_mes": "", "tags": (), "talkativeness": 0.5}),
    ("version 2 with a mirror", {**v2(description="D"), "name": "Maya", "description": "D", "fav": False}, [], {}),
    ("version 3", v3(nickname="May", group_only_greetings=["G"], source=["s"], creation_date=5), [],
     {"nickname": "May", "group_only_greetings": ("G",), "source": ("s",), "creation_date": 5}),
    ("translated notes", v3(creator_notes_multilingual={"de": "N"}), [], {"creator_notes_multilingual": {"de": "N"}}),
    ("assets", v3(assets=[{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": ".PNG"}]), [],
     {"assets": (Asset("icon", "ccdefault:", "main", "png"),)}),
    ("Pygmalion", {"char_name": "Maya", "char_persona": "D", "char_greeting": "F", "world_scenario": "S",
                   "example_dialogue": "E"}, [],
     {"name": "Maya", "description": "D", "first_mes": "F", "scenario": "S", "mes_example": "E"}),
    ("Pygmalion beside empty fields of version 1", v1(name="", char_name="Ria", description=""), [], {"name": "Ria"}),
    ("text-generation-webui", {"name": "Maya", "context": "C", "greeting": "G"}, [],
     {"description": "C", "first_mes": "G"}),
    ("talkativeness of version 2", v2(extensions={"talkativeness": 0.75, "x": 1}), [],
     {"talkativeness": 0.75, "extensions": {"x": 1}}),
    # Malformed.
    ("spec, but no data", {"spec": "chara_card_v2", "spec_version": "2.0", **v1()}, ["no-data"], {"description": "D"}),
    ("data that are no table", {"spec": "chara_card_v2", "spec_version": "2.0", "data": "x", **v1()}, ["no-data"], {}),
    ("data, but no spec", {"data": {"name": "Maya", "description": "D"}}, ["no-spec"], {"description": "D"}),
    ("an unknown spec", {**v2(), "spec": "chara_card_v9"}, ["unknown-spec"], {}),
    ("a newer version", {**v3(), "spec_version": "3.4"}, ["newer-version"], {}),
    ("a version that is no number", {**v3(), "spec_version": "three"}, ["bad-version"], {}),
    ("a version that is a number", {**v3(), "spec_version": 3.0}, [], {}),
    ("two texts of a field", {**v2(description="New"), "description": "Old"}, ["mirror-differs"],
     {"description": "New"}),
    ("lorebook null", v2(character_book=None), ["null-field"], {"character_book": None}),
    ("lorebook at the top", {**v2(), "character_book": book(ENTRY)}, ["book-at-top"],
     {"character_book": book(ENTRY)}),
    ("lorebook that is a list", v2(character_book=[ENTRY]), ["book-not-a-table"],
     {"character_book": {"entries": [ENTRY]}}),
    ("lorebook that is a number", v2(character_book=7), ["book-not-a-table"], {"character_book": None}),
    ("greetings that are a text", v2(alternate_greetings="1687194031049"), ["not-a-list"],
     {"alternate_greetings": ("1687194031049",)}),
    ("greetings null", v2(alternate_greetings=None), ["null-field"], {"alternate_greetings": ()}),
    ("greetings with empty ones", v2(alternate_greetings=["", None, "A", " "]), ["empty-item"],
     {"alternate_greetings": ("A",)}),
    ("greetings that are no texts", v2(alternate_greetings=[1, ["a", "b"]]), ["not-a-text"],
     {"alternate_greetings": ("1", "a\nb")}),
    ("entry at an empty position", v2(character_book=book({**ENTRY, "position": ""})), ["book-position"], {}),
    ("entry at a number", v2(character_book=book({**ENTRY, "position": 4})), ["book-position"], {}),
    ("entry without extensions", v2(character_book=book({"keys": ["a"], "content": "b"})),
     ["book-no-extensions"], {}),
    ("entry that is no table", v2(character_book=book("x")), ["book-bad-entry"], {}),  # type: ignore[arg-type]
    ("numbers as texts", v2(extensions={"talkativeness": "0.75", "fav": "false"}), ["not-a-number"],
     {"talkativeness": 0.75, "extensions": {"fav": "false"}}),
    ("an empty number", v2(extensions={"talkativeness": ""}), ["not-a-number"], {"talkativeness": 0.5}),
    ("a number out of range", v2(extensions={"talkativeness": 70}), ["out-of-range"], {"talkativeness": 1.0}),
    ("NaN", v2(extensions={"talkativeness": float("nan")}), ["not-a-number"], {"talkativeness": 0.5}),
    ("tags as a text", v1(tags="sea, calm,"), ["not-a-list", "empty-item"], {"tags": ("sea", "calm")}),
    ("a version that is a number in a text field", v2(character_version=1.5), ["not-a-text"],
     {"character_version": "1.5"}),
    ("a text that is a list", v2(description=["a", "b"]), ["not-a-text"], {"description": "a\nb"}),
    ("a text that is a table", v2(description={"a": 1}), ["not-a-text"], {"description": '{"a": 1}'}),
    ("nulls", v2(description=None, tags=None, extensions=None), ["null-field"], {"description": "", "tags": ()}),
    ("extensions that are a list", v2(extensions=[]), ["not-a-table"], {"extensions": {}}),
    ("assets that are a text", v3(assets="x"), ["not-a-list"], {"assets": ()}),
    ("an asset without an address", v3(assets=[{"type": "icon"}, 3]), ["bad-asset"], {"assets": ()}),
    ("an asset with missing fields", v3(assets=[{"uri": "u"}]), [],
     {"assets": (Asset("x_unknown", "u", "", "unknown"),)}),
    ("a date in milliseconds", v3(creation_date=1_700_000_000_000), ["milliseconds"],
     {"creation_date": 1_700_000_000}),
    ("a date that is a text", v3(creation_date="1700000000", modification_date="May"), ["not-a-number"],
     {"creation_date": 1_700_000_000, "modification_date": None}),
    ("line ends", v1(first_mes="a\r\nb\u00a0c"), [], {"first_mes": "a\r\nb\u00a0c"}),
    ("half a surrogate pair", v1(first_mes="\ud83d"), [], {"first_mes": "�"}),
    ("unknown keys", {**v2(x_custom=[1]), "x_top": {"y": 2}}, [], {}),
    ("no name", v1(name=""), ["no-name"], {"name": "aria"}),
    ("no name but a nickname", v3(name=" ", nickname="May"), ["no-name"], {"name": "May"}),
    ("a name that is null", v1(name=None), ["null-field", "no-name"], {"name": "aria"}),
    ("a name that is a number", v1(name=3), ["not-a-text"], {"name": "3"}),
    ("a name with escapes", v1(name="Ma\x1b[31mya\x07"), ["unsafe-name"], {"name": "Maya"}),
    ("a name with a path", v1(name="../../etc/pass\\wd"), ["unsafe-name"], {"name": "etc-pass-wd"}),
    ("a name of two lines", v1(name="Maya\nUser: x"), ["unsafe-name"], {"name": "Maya User: x"}),
    ("a name of nothing safe", v1(name="/\x00/"), ["unsafe-name", "no-name"], {"name": "aria"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "codes", "fields"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_fields_and_warnings(raw: dict[str, Any], codes: list[str], fields: dict[str, Any]) -> None:
    card, warnings = parse_fields(raw, "cards/aria.json")
    assert [warning.code for warning in warnings] == codes
    assert {key: getattr(card, key) for key in fields} == fields
    assert card.raw == raw
    for warning in warnings:
        assert "cards/aria.json" in warning.message
        assert warning.message.endswith((".", ")"))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "none of the fields of a card"),
        ({"x": 1}, "none of the fields of a card"),
        ({"spec": "lorebook_v3", "data": {"entries": []}}, "it is a lorebook"),
        ({"name": "Coast", "entries": {"0": {"key": ["a"]}}}, "it is a lorebook"),
        ({"name": "Mistral", "input_sequence": "[INST]"}, "it is an instruct template"),
        ({"temp": 1, "name": "Hot"}, "it is a sampling preset"),
        ([1], "it holds no fields"),
        ("Maya", "it holds no fields"),
        (None, "it holds no fields"),
    ],
)
def test_what_is_no_card(raw: Any, says: str) -> None:
    with pytest.raises(CardError, match=says) as caught:
        parse_card(raw, "cards/aria.json")
    assert "cards/aria.json" in caught.value.message


def test_a_warning_tells_how_often() -> None:
    _, warnings = parse_fields(v2(description=None, scenario=None, tags=None), "a.json")
    assert [warning.message for warning in warnings] == [
        "The card a.json has null as description; it counts as empty. (2 more like this.)"
    ]


def test_ten_thousand_greetings() -> None:
    card = parse_card(v2(alternate_greetings=[f"Hello {number}" for number in range(10_000)]), "a.json")
    assert len(card.alternate_greetings) == 10_000
    assert parse_card(card.fields(), "a.json") == card


def test_safe_names() -> None:
    assert safe_name("Zoë O'Brien-Sato, Ph.D.") == "Zoë O'Brien-Sato, Ph.D."
    assert safe_name("日本 🌧") == "日本 🌧"
    assert safe_name("\u202eevil\u200b") == "evil"
    assert len(safe_name("x" * 1_000_000)) == MAX_NAME
    assert safe_name("..") == safe_name("/") == safe_name("\x1b[2J") == ""


def test_a_name_from_elsewhere_is_kept_with_the_fields() -> None:
    card = parse_card(v1(name=""), "cards/aria.json")
    assert parse_card(card.fields(), "kept with this chat").name == "aria"
    assert Card(name="A", raw={"x": 1}).fields()["name"] == "A"
