"""The example cards and personas keep what is promised of them, and the script builds the very files shipped."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from airochat.characters import Card, CardFile, Persona, asset_bytes, picture, read_card_file
from airochat.characters.containers.charx import read_charx
from airochat.characters.containers.png import is_png, read_texts
from airochat.characters.lint import lint
from airochat.resources import resource_dir

EXAMPLES = resource_dir("examples")
CARDS = EXAMPLES / "cards"
NAMES = ("augusta.png", "bram.png", "emil.png", "ines.charx", "orla.png", "theo.png")
PERSONAS = ("juniper.toml", "rook.toml")
KEYWORDS = {
    "orla.png": ["chara"],
    "emil.png": ["chara"],
    "theo.png": ["chara", "ccv3"],
    "bram.png": ["chara", "ccv3"],
    "augusta.png": ["chara", "ccv3"],
}


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest) -> CardFile:
    return read_card_file(CARDS / request.param)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, str(CARDS / "build.py"), "--to", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return folder


def card(name: str) -> Card:
    return read_card_file(CARDS / name).card


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def pixels(content: bytes) -> tuple[bytes, bytes]:
    """The header and the inflated pixels of a PNG as the examples' own writer makes it."""
    size = int.from_bytes(content[content.index(b"IDAT") - 4 : content.index(b"IDAT")], "big")
    start = content.index(b"IDAT") + 4
    return content[16:29], zlib.decompress(content[start : start + size])


def test_the_folder_holds_these_cards_and_tells_about_each() -> None:
    found = sorted(path.name for path in CARDS.iterdir() if path.suffix in (".png", ".charx"))
    assert tuple(found) == NAMES
    assert sorted(f"{path.stem}" for path in (CARDS / "source").iterdir()) == [
        Path(name).stem for name in NAMES
    ]
    readme = (CARDS / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"| `{name}` | {card(name).name}," in readme


def test_an_example_is_read_without_a_warning_and_has_nothing_to_mend(example: CardFile) -> None:
    assert example.warnings == ()
    report = lint(example)
    assert report.findings == ()
    assert report.total < 1024, "a card leaves half of the smallest context to the conversation"


def test_an_example_has_what_a_player_needs(example: CardFile) -> None:
    card = example.card
    assert 120 <= len(card.description.split()) <= 250
    assert all((card.personality, card.scenario, card.creator_notes, card.creator))
    assert 3 <= len(card.tags) <= 5
    assert "Things to try:" in card.creator_notes
    assert card.description.startswith(card.name)
    assert card.mes_example.count("<START>\n{{user}}: ") == 2


def test_every_greeting_acts_speaks_and_asks(example: CardFile) -> None:
    card = example.card
    greetings = (card.first_mes, *card.alternate_greetings, *card.group_only_greetings)
    assert len(set(greetings)) == len(greetings)
    for greeting in greetings:
        assert greeting.startswith("*"), greeting
        assert greeting.count("*") % 2 == 0 and greeting.count('"') % 2 == 0
        assert "?" in greeting.splitlines()[-1] or "Tell me" in greeting.splitlines()[-1]
        assert 60 <= len(greeting.split()) <= 170


def test_the_later_versions_have_three_greetings_to_choose_instead(example: CardFile) -> None:
    wanted = 0 if example.card.name == "Orla Venn" else 3
    assert len(example.card.alternate_greetings) == wanted


def test_all_texts_are_clean(example: CardFile) -> None:
    texts = list(texts_of(dict(example.card.raw)))
    assert len(texts) > 6
    for text in texts:
        assert "\r" not in text and "\t" not in text
        assert text == "\n".join(line.rstrip() for line in text.splitlines())
        assert not re.search("[‘’“”«»„…–—]", text)
        assert "\n\n\n" not in text


@pytest.mark.parametrize(("name", "keywords"), KEYWORDS.items())
def test_a_picture_holds_the_versions_that_are_said(name: str, keywords: list[str]) -> None:
    content = (CARDS / name).read_bytes()
    assert [text.keyword for text in read_texts(content)[0]] == keywords
    assert ("data" in card(name).raw) == (name != "orla.png")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (384, 512)
    assert len(content) < 120_000


def test_the_charx_has_a_background_and_moods() -> None:
    file = read_card_file(CARDS / "ines.charx")
    told = [(asset.type, asset.name) for asset in file.card.assets]
    moods = [("emotion", mood) for mood in ("neutral", "joy", "wonder", "worry")]
    assert told == [("icon", "main"), ("background", "main"), *moods]
    contents = [asset_bytes(file, asset) for asset in file.card.assets]
    assert all(content and is_png(content) and len(content) < 120_000 for content in contents)
    assert len(set(contents)) == len(contents)
    assert picture(file) == contents[0]


def test_the_lorebook_shows_what_lorebooks_can() -> None:
    book = card("ines.charx").character_book
    assert book is not None
    entries = book["entries"]
    assert 8 <= len(entries) <= 12
    assert [entry["name"] for entry in entries if entry["constant"]] == ["Halm"]
    assert sum(bool(entry.get("selective") and entry["secondary_keys"]) for entry in entries) >= 2
    assert len({entry["priority"] for entry in entries}) > 5
    assert [entry["name"] for entry in entries if entry["content"].startswith("@@")] == ["What Halm is"]
    assert entries[-1]["content"].startswith("@@activate_only_after 4\nThe truth")


def test_the_innkeeper_and_the_mapmaker_know_each_other() -> None:
    bram, augusta = card("bram.png"), card("augusta.png")
    assert augusta.name in bram.description and bram.name in augusta.description
    assert "Augusta" in bram.group_only_greetings[0] and "Bram" in augusta.group_only_greetings[0]
    assert (bram.called, augusta.called) == ("Bram", "Augusta")


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_is_a_name_and_a_few_sentences_about_it(name: str) -> None:
    persona = Persona(**tomli.loads((EXAMPLES / "personas" / name).read_text(encoding="utf-8")))
    assert persona.description.startswith(persona.name)
    assert 40 <= len(persona.description.split()) <= 90
    assert persona.description.isascii() and "\n" not in persona.description


def test_the_scripted_scene_is_played() -> None:
    command = [sys.executable, str(EXAMPLES / "roleplay.py"), "scripted"]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=120)
    said = re.findall(r"^(Rook|Emil Castellane): ", done.stdout, flags=re.MULTILINE)
    assert said == ["Emil Castellane", "Rook", "Emil Castellane", "Rook", "Emil Castellane"]
    assert done.stdout.startswith(f"Emil Castellane: {card('emil.png').first_mes}")
    assert done.stderr == ""


def test_the_sources_fit_on_a_page() -> None:
    files = [*CARDS.glob("source/*.toml"), *EXAMPLES.glob("personas/*.toml"), *CARDS.glob("**/*.py")]
    for path in files:
        lines = path.read_bytes().decode().split("\n")
        assert all(len(line) <= 125 and line == line.rstrip() for line in lines), path
        assert lines[-1] == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_script_builds_the_very_pictures_and_texts(built: Path, name: str) -> None:
    ours, theirs = read_card_file(built / name), read_card_file(CARDS / name)
    assert ours.card == theirs.card
    assert ours.card.raw == theirs.card.raw
    first, second = picture(ours), picture(theirs)
    assert first and second and pixels(first) == pixels(second)
    if name.endswith(".charx"):
        members, others = (read_charx(file.content)[1] for file in (ours, theirs))
        assert {path: pixels(members[path]) for path in members} == {
            path: pixels(others[path]) for path in others
        }


@pytest.mark.slow
@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng packs the same pixels otherwise")
@pytest.mark.parametrize("name", NAMES)
def test_the_script_builds_the_very_bytes(built: Path, name: str) -> None:
    assert (built / name).read_bytes() == (CARDS / name).read_bytes()
