from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airochat.characters import EDITABLE, Asset, Card, as_text, edited, from_text, parse_card
from airochat.errors import CardError
from tests.characters import cards, files

PLAIN = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
CHANGES: dict[str, Any] = {
    "name": "Ria",
    "nickname": "R",
    "description": "D\r\n",
    "personality": "P",
    "scenario": "S",
    "first_mes": "F",
    "mes_example": "E",
    "system_prompt": "Y",
    "post_history_instructions": "H",
    "creator_notes": "N",
    "creator": "C",
    "character_version": "2",
    "alternate_greetings": ["A", "B"],
    "group_only_greetings": ("G",),
    "tags": ["t"],
    "creator_notes_multilingual": {"de": "Deutsch."},
    "assets": [Asset("icon", "ccdefault:", "main", "png")],
    "character_book": {"entries": []},
    "talkativeness": 1,
    "extensions": {"mine": [1]},
}


def as_typed(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("raw", [files.V1, files.V2, files.V3, {}], ids=["v1", "v2", "v3", "by hand"])
@pytest.mark.parametrize("key", EDITABLE)
def test_every_field_can_be_changed(key: str, raw: dict[str, Any]) -> None:
    before = (
        parse_card(raw, "maya.json") if raw else Card(name="Maya", extensions={"a": 1}, talkativeness=0.25)
    )
    after = edited(before, {key: CHANGES[key]})
    assert getattr(after, key) == as_typed(CHANGES[key])
    assert dataclasses.replace(after, **{key: getattr(before, key)}) == before
    assert parse_card(after.fields(), "kept with this chat") == after


def test_a_change_reaches_the_mirror_and_leaves_the_rest() -> None:
    raw = {
        **files.V2,
        "name": "Maya",
        "description": "Old",
        "creatorcomment": "Old",
        "talkativeness": "0.5",
        "x_top": [1],
        "data": {**files.V2["data"], "x_data": {"y": None}},
    }
    card = parse_card(raw, "maya.json")
    after = edited(card, {"description": "New", "creator_notes": "New", "talkativeness": 0.75})
    assert after.raw == {
        **raw,
        "description": "New",
        "creatorcomment": "New",
        "talkativeness": 0.75,
        "data": {
            **raw["data"],
            "description": "New",
            "creator_notes": "New",
            "extensions": {**raw["data"]["extensions"], "talkativeness": 0.75},
        },
    }
    assert card.raw == raw
    assert raw["data"]["description"] != "New"


def test_other_flat_forms_keep_their_keys() -> None:
    card = parse_card({"char_name": "Maya", "char_persona": "P", "char_greeting": "G"}, "maya.json")
    after = edited(card, {"description": "New", "first_mes": ""})
    assert after.raw == {"char_name": "Maya", "char_persona": "New", "char_greeting": ""}
    assert (after.description, after.first_mes) == ("New", "")


def test_none_empties_a_field() -> None:
    card = parse_card(files.V3, "maya.json")
    after = edited(card, {"tags": None, "character_book": None, "description": None, "talkativeness": None})
    assert (after.tags, after.character_book, after.description, after.talkativeness) == ((), None, "", 0.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"descripton": "x"}, "no field 'descripton'. Did you mean 'description'"),
        ({"creation_date": 5}, "creation_date is not to be changed"),
        ({"source": []}, "source is not to be changed"),
        ({"raw": {}}, "no field 'raw'"),
        ({"name": ""}, "needs a name"),
        ({"name": None}, "needs a name"),
        ({"name": "\x1b[2J/"}, "needs a name"),
        ({"description": 3}, "description must be text"),
        ({"tags": "a, b"}, "tags must be a list"),
        ({"tags": [1]}, "tags must be text"),
        ({"talkativeness": 2}, "talkativeness = 2 is out of range"),
        ({"talkativeness": "0.5"}, "talkativeness = '0.5' is not a number"),
        ({"extensions": []}, "extensions must be a table"),
        ({"extensions": {"x": float("nan")}}, "extensions holds what JSON does not have"),
        ({"assets": [{"uri": "x"}]}, "An asset must have the texts"),
    ],
)
def test_changes_that_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CardError) as caught:
        edited(Card(name="Maya"), changes)
    assert says in str(caught.value)


def test_a_name_is_made_safe() -> None:
    assert edited(Card(name="Maya"), {"name": " Ri\x07a/B "}).raw["data"]["name"] == "Ria-B"


@PLAIN
@given(raw=cards.cards, extra=cards.lines)
def test_a_text_that_was_not_touched_changes_nothing(raw: dict[str, Any], extra: str) -> None:
    card = dataclasses.replace(parse_card(raw, "card.json"), creator_notes=extra, raw={})
    card = parse_card(card.fields(), "card.json")
    assert from_text(as_text(card), card) is card
    # Editors end a file with one line end, and may make line ends all alike.
    assert from_text(as_text(card).rstrip("\n").replace("\r\n", "\n") + "\n", card) is card


@PLAIN
@given(
    field=st.sampled_from(["description", "first_mes", "mes_example", "creator_notes"]),
    text=st.lists(
        st.sampled_from(["=== name ===", "\\=== b", "\\\\===", "===", "# c", " === d", "", "e"]), max_size=5
    )
    .map("\n".join)
    .map(lambda text: text.strip("\n")),
)
def test_any_text_can_be_written(field: str, text: str) -> None:
    card = parse_card(files.V3, "card.json")
    wanted = edited(card, {field: text})
    found = from_text(as_text(wanted), card)
    assert getattr(found, field) == text
    assert found == wanted


def test_greetings_and_tags_in_a_text() -> None:
    card = edited(Card(name="Maya"), {"alternate_greetings": ["One.\r\nTwo.", "Three."], "tags": ["sea"]})
    text = as_text(card)
    assert "\n=== other greeting ===\nOne.\nTwo.\n\n=== other greeting ===\nThree.\n" in text
    changed = from_text(text.replace("Three.", "Four.").replace("\nsea\n", "\nsea\n\n calm, mostly \n"), card)
    assert changed.alternate_greetings == ("One.\r\nTwo.", "Four.")
    assert changed.tags == ("sea", "calm, mostly")
    fewer = from_text(text.replace("=== other greeting ===\nThree.\n", ""), card)
    assert fewer.alternate_greetings == ("One.\r\nTwo.",)
    none = text.replace("=== other greeting ===\nThree.\n", "").replace(
        "=== other greeting ===\nOne.\nTwo.\n", ""
    )
    assert from_text(none, card).alternate_greetings == ()
    more = from_text(text + "\n=== Group Greeting\nAll of you!\n", card)
    assert more.group_only_greetings == ("All of you!",)


def test_notes_of_another_language_in_a_text() -> None:
    card = edited(Card(name="Maya"), {"creator_notes_multilingual": {"de": "Alt.", "fr": "Vieux."}})
    changed = from_text(as_text(card).replace("Alt.", "Neu."), card)
    assert changed.creator_notes_multilingual == {"de": "Neu.", "fr": "Vieux."}


def test_a_field_whose_heading_is_gone_stays_and_a_greeting_goes() -> None:
    card = parse_card(files.V3, "card.json")
    left = {"scenario": "Calm.", "alternate_greetings": [], "group_only_greetings": []}
    assert from_text("=== scenario ===\nCalm.\n", card) == edited(card, left)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n=== name ===\nA", "Line 1 stands before the first heading"),
        ("# note\n\n", "Line 1: the text has no headings"),
        (
            "=== name ===\nA\n\n=== scenari ===\n",
            "Line 4: there is no field 'scenari'. Did you mean 'scenario'",
        ),
        (
            "=== scenario ===\nA\n=== name ===\nB\n=== scenario ===\nC",
            "Line 5: scenario stands here a second time; it is in line 1",
        ),
        ("\n=== name ===\n\n", "Line 2: the card needs a name"),
    ],
)
def test_a_text_that_is_not_understood_names_the_line(text: str, says: str) -> None:
    with pytest.raises(CardError) as caught:
        from_text(text, parse_card(files.V3, "card.json"))
    assert says in str(caught.value)
