from __future__ import annotations

from airochat.characters import Asset, Card, parse_card


def test_the_name_to_speak_under_is_the_nickname_if_there_is_one() -> None:
    assert Card(name="Maya").called == "Maya"
    assert Card(name="Maya", nickname="May").called == "May"
    assert Card(name="Maya", nickname="  ").called == "Maya"


def test_notes_by_language() -> None:
    card = Card(name="Maya", creator_notes="Plain.", creator_notes_multilingual={"de": "Deutsch."})
    assert (card.notes("de"), card.notes(), card.notes("fr")) == ("Deutsch.", "Plain.", "Plain.")
    assert Card(name="M", creator_notes_multilingual={"en": "English."}).notes() == "English."


def test_a_card_made_by_hand_keeps_every_field() -> None:
    card = Card(
        name="Maya",
        description="D",
        personality="P",
        scenario="S",
        first_mes="F",
        alternate_greetings=("A", "B"),
        group_only_greetings=("G",),
        mes_example="<START>\n",
        system_prompt="Y",
        post_history_instructions="H",
        creator_notes="N",
        creator_notes_multilingual={"de": "Deutsch."},
        nickname="May",
        tags=("sea", "calm, mostly"),
        creator="C",
        character_version="1.0",
        source=("https://example.org/maya",),
        creation_date=5,
        modification_date=6,
        assets=(Asset("icon", "ccdefault:", "main", "png"),),
        character_book={"entries": []},
        talkativeness=0.25,
        extensions={"x": [1, {"y": None}]},
    )
    fields = card.fields()
    assert parse_card(fields, "kept with this chat") == card
    assert fields["spec"] == "chara_card_v3"
    assert parse_card(fields, "kept with this chat").fields() == fields


def test_cards_are_equal_by_what_they_say_and_can_be_kept_in_sets() -> None:
    first = parse_card({"name": "Maya", "description": "D"}, "a.json")
    second = parse_card({"spec": "chara_card_v2", "data": {"name": "Maya", "description": "D"}}, "b.json")
    assert first == second
    assert first.raw != second.raw
    assert len({first, second, Card(name="Maya")}) == 2
