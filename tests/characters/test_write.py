from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from airochat.characters import Card, CardFile, parse_card, parse_card_file, write_card
from airochat.characters.assets import asset_bytes, picture
from airochat.characters.containers.charx import read_charx
from airochat.characters.containers.limits import MAX_TEXT
from airochat.characters.containers.png import image_data_hash, read_texts
from airochat.errors import CardError
from tests.characters import cards, files

PLAIN = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
FORMS = [("png", 1), ("png", 2), ("png", 3), ("json", 1), ("json", 2), ("json", 3), ("charx", 3), ("yaml", 3)]
DECORATED = {
    "extensions": {},
    "entries": [
        {
            "keys": ["rain"],
            "content": "@@depth 5\n@@@position after_desc\n\nIt rains.",
            "extensions": {},
            "enabled": True,
        }
    ],
}


def file_of(raw: dict[str, Any]) -> CardFile:
    return parse_card_file(files.json_bytes(raw), "card.json")


def unknown_values(raw: Any) -> list[str]:
    """Return the unknown keys of a card with their values, wherever they stand in it."""
    if isinstance(raw, list):
        return [line for item in raw for line in unknown_values(item)]
    if not isinstance(raw, dict):
        return []
    found: list[str] = []
    for key, value in raw.items():
        # Where a key stands in two places that become one, it is led by the place it was in.
        name = key.removeprefix("data.")
        unknown = name.startswith("x_")
        found += [json.dumps([name, value], sort_keys=True)] if unknown else unknown_values(value)
    return found


def comparable(card: Card, *, plain_book: bool, own_picture: bool) -> Card:
    """Return a card without what a form cannot have."""
    if own_picture:
        card = dataclasses.replace(card, assets=tuple(asset for asset in card.assets if asset.type != "icon"))
    if plain_book and card.character_book:
        entries = [{**entry, "content": ""} for entry in card.character_book["entries"]]
        card = dataclasses.replace(card, character_book={**card.character_book, "entries": entries})
    return card


@PLAIN
@given(raw=cards.cards)
@pytest.mark.parametrize(("form", "version"), FORMS)
def test_what_was_written_is_read_again(form: str, version: int, raw: dict[str, Any]) -> None:
    limits = {"plain_book": version == 2, "own_picture": form == "charx"}
    file = file_of(raw)
    image = files.png() if form == "png" else None
    once = parse_card_file(
        write_card(file.card, form, original=file, picture=image, version=version), "card.x"
    )
    assert once.form == form
    assert comparable(once.card, **limits) == comparable(file.card, **limits)
    assert sorted(unknown_values(once.card.raw)) == sorted(unknown_values(raw))
    twice = parse_card_file(write_card(once.card, form, original=once, version=version), "card.x")
    assert (twice.card, twice.warnings) == (once.card, once.warnings)
    assert twice.card.raw == once.card.raw


@PLAIN
@given(raw=cards.cards)
def test_a_card_goes_through_all_forms_and_back(raw: dict[str, Any]) -> None:
    file = file_of(raw)
    here = file
    for form, version in (
        ("json", 1),
        ("yaml", 3),
        ("png", 3),
        ("json", 1),
        ("json", 3),
        ("charx", 3),
        ("yaml", 3),
    ):
        image = files.png() if form == "png" else None
        here = parse_card_file(
            write_card(here.card, form, original=here, picture=image, version=version), "card.x"
        )
    limits = {"plain_book": False, "own_picture": True}
    assert comparable(here.card, **limits) == comparable(file.card, **limits)
    assert sorted(unknown_values(here.card.raw)) == sorted(unknown_values(raw))


@PLAIN
@given(raw=cards.cards.filter(lambda raw: raw.get("spec") == "chara_card_v3"))
def test_nothing_of_a_valid_card_is_written_otherwise(raw: dict[str, Any]) -> None:
    written = json.loads(write_card(parse_card(raw, "card.json"), "json"))
    assert {key: written[key] for key in raw if key != "data"} == {
        key: raw[key] for key in raw if key != "data"
    }
    assert {key: written["data"][key] for key in raw["data"]} == raw["data"]


@PLAIN
@given(raw=cards.cards)
def test_the_fields_of_a_card_make_it_again(raw: dict[str, Any]) -> None:
    card = parse_card(raw, "card.json")
    assert card.fields() == raw
    by_hand = dataclasses.replace(card, raw={})
    assert parse_card(by_hand.fields(), "kept with this chat") == card
    changed = dataclasses.replace(
        card, first_mes="New.", creator_notes="", talkativeness=0.75, character_book=None
    )
    assert parse_card(changed.fields(), "kept with this chat") == changed


def test_png_has_both_versions_and_the_same_pixels() -> None:
    raw = {**files.V3, "data": {**files.V3["data"], "character_book": DECORATED}}
    original = parse_card_file(
        files.png([files.text_chunk("Software", b"paint"), files.card_chunk(raw)]), "maya.png"
    )
    content = write_card(original.card, "png", original=original)
    assert image_data_hash(content) == image_data_hash(original.content)
    texts = {text.keyword: text.text for text in read_texts(content)[0]}
    assert texts.keys() == {"Software", "chara", "ccv3"}
    older, newer = (json.loads(base64.b64decode(texts[keyword])) for keyword in ("chara", "ccv3"))
    assert newer == raw
    assert (older["spec"], older["spec_version"]) == ("chara_card_v2", "2.0")
    assert "group_only_greetings" not in older["data"] and "assets" not in older["data"]
    assert older["data"]["character_book"]["entries"][0]["content"] == "It rains."
    assert older["data"]["creator_notes"].startswith("Likes rain.\n\nThis is the version 2 copy")
    again = parse_card_file(content, "maya.png")
    assert (again.card, again.warnings) == (original.card, ())
    assert again.card.raw == raw


@pytest.mark.parametrize("name", sorted(files.good_files()))
def test_every_good_file_survives_its_export_to_png(name: str) -> None:
    original = parse_card_file(files.good_files()[name], name)
    own = picture(original)
    given_picture = None if own and own.startswith(files.SIGNATURE) else files.png()
    content = write_card(original.card, "png", original=original, picture=given_picture)
    again = parse_card_file(content, name)
    limits = {"plain_book": False, "own_picture": True}
    assert comparable(again.card, **limits) == comparable(original.card, **limits)
    assert again.warnings == ()
    if original.form == "png":
        assert image_data_hash(content) == image_data_hash(original.content)


def test_the_spec_of_a_newer_version_is_kept() -> None:
    raw = {"spec": "chara_card_v3", "spec_version": "3.7", "data": {**files.V3["data"], "mood": "calm"}}
    assert json.loads(write_card(file_of(raw).card, "json")) == raw


def test_malformed_fields_are_written_well_formed() -> None:
    raw = {
        "spec": "chara_card_v2",
        "data": {"name": "A", "tags": "a, b", "character_version": 2, "first_mes": None},
    }
    data = json.loads(write_card(file_of(raw).card, "json", version=2))["data"]
    assert (data["tags"], data["character_version"], data["first_mes"]) == (["a", "b"], "2", "")
    assert parse_card_file(write_card(file_of(raw).card, "json"), "a.json").warnings == ()


def test_the_webui_form_has_the_whole_definition_in_one_text() -> None:
    import yaml  # type: ignore[import-untyped]

    written = yaml.safe_load(write_card(file_of(files.V1).card, "yaml"))
    assert written["name"] == "Maya"
    assert written["greeting"] == files.V1["first_mes"]
    assert written["context"].split("\n")[:3] == [
        "{{char}} keeps the lighthouse.",
        "{{char}}'s personality: dry, patient",
        "Scenario: A storm is coming.",
    ]
    alone = yaml.safe_load(write_card(Card(name="A", description="B", first_mes="C"), "yaml"))
    assert alone == {"name": "A", "greeting": "C", "context": "B"}


def test_dates_are_set_by_the_clock_given() -> None:
    raw = json.loads(write_card(Card(name="A"), "json", now=1000))["data"]
    assert (raw["creation_date"], raw["modification_date"]) == (1000, 1000)
    known = Card(name="A", creation_date=5, modification_date=0)
    raw = json.loads(write_card(known, "json", now=1000))["data"]
    assert (raw["creation_date"], raw["modification_date"]) == (5, 0)
    assert "creation_date" not in json.loads(write_card(Card(name="A"), "json"))["data"]


@pytest.mark.parametrize(("form", "version"), [("json", 1), ("json", 2), ("png", 2), ("yaml", 3)])
def test_only_version_3_is_dated(form: str, version: int) -> None:
    image = files.png() if form == "png" else None
    now = write_card(Card(name="A"), form, picture=image, version=version, now=1000)
    assert now == write_card(Card(name="A"), form, picture=image, version=version)
    known = Card(name="A", creation_date=5, modification_date=6)
    written = write_card(known, form, picture=image, version=version, now=1000)
    assert parse_card_file(written, "a.card").card == known


def test_pictures_travel_between_png_and_charx() -> None:
    image = files.png()
    png = parse_card_file(files.png_card(files.V3, "ccv3"), "maya.png")
    charx = parse_card_file(write_card(png.card, "charx", original=png), "maya.charx")
    assert picture(charx) == image
    assert charx.card.assets[0].uri == "embeded://assets/icon/images/main.png"
    back = parse_card_file(write_card(charx.card, "png", original=charx), "maya.png")
    assert back.card == png.card
    assert image_data_hash(back.content) == image_data_hash(png.content)


def test_assets_of_a_charx_stay_reachable_in_other_forms() -> None:
    smile = {
        "type": "emotion",
        "uri": "embeded://assets/emotion/images/smile.webp",
        "name": "smile",
        "ext": "webp",
    }
    lost = {"type": "background", "uri": "embeded://nowhere.png", "name": "main", "ext": "png"}
    raw = {**files.V3, "data": {**files.V3["data"], "assets": [smile, lost]}}
    members = {"assets/emotion/images/smile.webp": files.webp(None), "app.json": b"{}"}
    charx = parse_card_file(files.charx(raw, members), "maya.charx")
    for form in ("json", "png", "yaml"):
        image = files.png() if form == "png" else None
        other = parse_card_file(write_card(charx.card, form, original=charx, picture=image), f"maya.{form}")
        assert asset_bytes(other, other.card.assets[0]) == files.webp(None)
        assert other.card.assets[1] == charx.card.assets[1]
        assert asset_bytes(other, other.card.assets[1]) is None
    again = write_card(charx.card, "charx", original=charx)
    assert dict(read_charx(again)[1]) == members


def test_legacy_assets_of_a_png_become_files_of_a_charx() -> None:
    asset = {"type": "emotion", "uri": "__asset:1", "name": "joy", "ext": "webp"}
    raw = {**files.V3, "data": {**files.V3["data"], "assets": [asset]}}
    hidden = files.text_chunk("chara-ext-asset_:1", base64.b64encode(files.webp(None)))
    png = parse_card_file(files.png([hidden, files.card_chunk(raw, "ccv3")]), "maya.png")
    assert asset_bytes(png, png.card.assets[0]) == files.webp(None)
    charx = parse_card_file(write_card(png.card, "charx", original=png), "maya.charx")
    joy = next(asset for asset in charx.card.assets if asset.name == "joy")
    assert asset_bytes(charx, joy) == files.webp(None)
    same = parse_card_file(write_card(png.card, "png", original=png), "maya.png")
    assert same.card == png.card


def test_what_cannot_be_written_says_the_way_out() -> None:
    card = Card(name="Maya")
    with pytest.raises(CardError, match="no picture") as caught:
        write_card(card, "png")
    assert "charx or json" in caught.value.hint
    webp = parse_card_file(files.webp_card(), "maya.webp")
    with pytest.raises(CardError, match="a WEBP picture"):
        write_card(webp.card, "png", original=webp)
    assert picture(parse_card_file(write_card(webp.card, "charx", original=webp), "m.charx")) == webp.content
    for form, version in (("webp", 3), ("json", 4), ("charx", 2)):
        with pytest.raises(CardError):
            write_card(card, form, version=version)
    with pytest.raises(CardError, match="what JSON does not have"):
        write_card(dataclasses.replace(card, extensions={"x": {1, 2}}), "json")
    with pytest.raises(CardError, match="no picture of a known kind"):
        write_card(card, "charx", picture=b"hello")
    with pytest.raises(CardError, match="bytes of text"):
        write_card(dataclasses.replace(card, description="x" * MAX_TEXT), "json")
    with pytest.raises(CardError, match="The card Maya as png is too large for a card"):
        write_card(dataclasses.replace(card, description="x" * 30_000_000), "png", picture=files.png())


def test_halves_of_surrogate_pairs_survive_as_escapes() -> None:
    content = write_card(Card(name="A", extensions={"x": "half \ud83d"}), "json")
    assert b"half \\ud83d" in content
    assert parse_card_file(content, "a.json").card.extensions == {"x": "half �"}
