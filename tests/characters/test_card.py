from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airochat.characters import read_card
from airochat.characters.card import MAX_SIZE
from airochat.errors import CardError

FIELDS = {
    "name": "Aria",
    "description": "A smith.",
    "first_mes": "Hi.",
    "mes_example": "<START>",
    "talkativeness": 0.5,
}
LATER = {
    **FIELDS,
    "system_prompt": "S",
    "alternate_greetings": ["Oh."],
    "creator_notes": "N",
    "extensions": {"x": 1},
}


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "value",
    [
        FIELDS,
        {"spec": "chara_card_v2", "spec_version": "2.0", "data": LATER},
        {"spec": "chara_card_v3", "spec_version": "3.0", "data": LATER, "name": "Old name"},
    ],
)
def test_versions_1_to_3(tmp_path: Path, value: dict[str, Any]) -> None:
    card = read_card(write(tmp_path / "aria.json", value))
    assert (card.name, card.description, card.first_mes, card.mes_example) == (
        "Aria",
        "A smith.",
        "Hi.",
        "<START>",
    )
    assert (card.system_prompt, card.alternate_greetings, card.creator_notes) == (
        ("S", ("Oh.",), "N") if "data" in value else ("", (), "")
    )
    assert card.raw == value


def test_a_byte_order_mark_nulls_and_half_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "aria.json"
    path.write_bytes(
        b'\xef\xbb\xbf{"name": "Aria\\ud83d", "description": null, "scenario": "\\ud83e\\udd99"}'
    )
    card = read_card(path)
    assert (card.name, card.description, card.scenario) == ("Aria\ufffd", "", "🦙")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("hello", "is not valid JSON"),
        ('{"name": "A"', "is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"name": ' + "9" * 10_000 + "}", "a huge number"),
        ("[1]", "holds no fields"),
        ({}, "has no name"),
        ({"name": " "}, "has no name"),
        ({"name": 3}, "name is a int"),
        ({"name": "A", "scenario": []}, "scenario is a list"),
        ({"name": "A", "alternate_greetings": "hi"}, "alternate_greetings is not a list"),
        ({"name": "A", "alternate_greetings": [1]}, "alternate_greetings is not a list"),
        ({"spec": "chara_card_v2", "data": "x"}, "data is not a table"),
    ],
)
def test_a_broken_card_names_the_file_and_the_reason(tmp_path: Path, value: Any, says: str) -> None:
    path = write(tmp_path / "broken.json", value)
    with pytest.raises(CardError) as caught:
        read_card(path)
    assert str(path) in caught.value.message
    assert says in caught.value.message


def test_files_that_are_no_text(tmp_path: Path) -> None:
    for name, content, says in (
        ("a.png", b"\x89PNG\r\n\x1a\n", "only JSON cards are read"),
        ("b.json", b'{"name": "\xff"}', "not UTF-8"),
        ("c.json", b" " * (MAX_SIZE + 1), "too large"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CardError, match=says):
            read_card(tmp_path / name)
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path / "missing.json")
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path)
