"""The library on real files: what it lists, copies, changes, and never loses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airochat.characters import Persona, parse_card_file
from airochat.errors import AirochatError, CardError, UsageError
from airochat.store import CardLibrary, Store
from tests.characters import files


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "airochat.db")
    yield opened
    opened.close()


@pytest.fixture
def library(store: Store, tmp_path: Path) -> CardLibrary:
    return store.cards(tmp_path / "cards")


def card(**fields: Any) -> bytes:
    """Return a card of version 2 as JSON, with some fields exchanged."""
    return files.json_bytes({**files.V2, "data": {**files.V2["data"], **fields}})


def source(folder: Path, name: str, content: bytes) -> Path:
    """Put a file into a folder outside the library."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def place(library: CardLibrary, name: str, content: bytes) -> Path:
    """Put a file into the library's folder by hand."""
    return source(library.folder, name, content)


def ids(library: CardLibrary, search: str = "", **filters: Any) -> list[str]:
    return [entry.id for entry in library.entries(search, **filters)]


# import


def test_an_import_is_the_same_bytes_and_an_entry(library: CardLibrary, tmp_path: Path) -> None:
    content = files.png_card(files.V3, "ccv3")
    done = library.import_(source(tmp_path / "from", "maya.png", content))
    entry = done.entry
    assert (done.known, done.warnings) == (False, ())
    assert (library.folder / "maya.png").read_bytes() == content
    assert library.path("maya") == library.folder / "maya.png"
    assert (entry.id, entry.name, entry.creator, entry.form) == ("maya.png", "Maya", "tests", "png")
    assert (entry.tags, entry.notes, entry.size) == (("sea", "calm"), "Likes rain.", len(content))
    assert (entry.edited, entry.favourite, entry.persona, entry.error) == (False, False, None, "")
    assert library.entries() == [entry]
    assert os.listdir(library.folder) == ["maya.png"]


@pytest.mark.parametrize("name", sorted(files.good_files()))
def test_every_form_is_imported(library: CardLibrary, tmp_path: Path, name: str) -> None:
    content = files.good_files()[name]
    entry = library.import_(source(tmp_path / "from", name, content)).entry
    assert library.open(entry.id).content == content
    assert library.find(entry.id).error == ""


def test_the_same_bytes_are_one_entry(library: CardLibrary, tmp_path: Path) -> None:
    first = library.import_(source(tmp_path / "from", "maya.png", files.png_card()))
    again = library.import_(source(tmp_path / "from", "other name.png", files.png_card()))
    assert (first.known, again.known) == (False, True)
    assert again.entry == first.entry
    assert ids(library) == ["maya.png"]


def test_a_card_put_there_by_hand_is_known_too(library: CardLibrary, tmp_path: Path) -> None:
    place(library, "by-hand.json", card())
    assert library.import_(source(tmp_path / "from", "maya.json", card())).entry.id == "by-hand.json"


def test_clashing_names_are_numbered(library: CardLibrary, tmp_path: Path) -> None:
    names = ["Maya.json", "maya.json", "MAYA.json"]
    found = [
        library.import_(source(tmp_path / "from", name, card(creator=str(number)))).entry.id
        for number, name in enumerate(names)
    ]
    assert found == ["Maya.json", "maya (2).json", "MAYA (3).json"]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("\x1b[31mred\x1b[0m\n.json", "red.json"),
        ("a\\..\\b.json", "a_.._b.json"),
        ("con.json", "_con.json"),
        (".json.json", "json.json"),
        ("x" * 240 + ".json", "x" * 120 + ".json"),
        ("maya.png.edits.json", "maya.png.json"),
        ("wrong.png", "wrong.json"),
        ("\x1b]0;x\x07.json", "Maya.json"),
    ],
)
def test_unsafe_file_names_become_safe(library: CardLibrary, tmp_path: Path, name: str, stored: str) -> None:
    assert library.import_(source(tmp_path / "from", name, card())).entry.id == stored
    assert ids(library) == [stored]


def test_a_name_in_another_encoding_is_listed_and_found(library: CardLibrary, tmp_path: Path) -> None:
    name = os.fsdecode(b"zo\xeb.json")
    path = place(library, name, card())
    assert ids(library) == [name]
    assert library.set_favourite(name, True).favourite
    assert library.open(path).card.name == "Maya"
    assert library.import_(source(tmp_path / "from", name, card(creator="b"))).entry.id == "zo\ufffd.json"


@pytest.mark.parametrize("name", sorted(files.hopeless_files()))
def test_what_is_no_card_is_refused_and_leaves_nothing(
    library: CardLibrary, tmp_path: Path, name: str
) -> None:
    with pytest.raises(CardError, match=r"The card|text of the card"):
        library.import_(source(tmp_path / "from", name, files.hopeless_files()[name]))
    assert not library.folder.exists()


def test_a_lorebook_is_refused_by_its_name(library: CardLibrary, tmp_path: Path) -> None:
    book = files.json_bytes({"spec": "lorebook_v3", "data": {"entries": [], "extensions": {}}})
    with pytest.raises(CardError, match="it is a lorebook"):
        library.import_(source(tmp_path / "from", "coast.json", book))


def test_a_new_card_does_not_take_over_what_waits_for_another(library: CardLibrary, tmp_path: Path) -> None:
    library.import_(source(tmp_path / "from", "maya.json", card()))
    library.edit("maya", {"creator": "me"})
    library.set_favourite("maya", True)
    (library.folder / "maya.json").unlink()
    assert ids(library) == []
    entry = library.import_(source(tmp_path / "from", "maya.json", card(creator="b"))).entry
    assert (entry.id, entry.creator, entry.favourite) == ("maya (2).json", "b", False)
    place(library, "maya.json", card())
    assert library.find("maya.json").creator == "me"


def test_a_new_card_of_a_file_name_that_was_a_favourite_is_none(library: CardLibrary, tmp_path: Path) -> None:
    place(library, "maya.json", card())
    library.set_favourite("maya", True)
    (library.folder / "maya.json").unlink()
    entry = library.import_(source(tmp_path / "from", "maya.json", card(creator="b"))).entry
    assert (entry.id, entry.favourite) == ("maya.json", False)


def test_a_card_that_was_changed_by_hand_is_not_taken_for_what_it_was(
    library: CardLibrary, tmp_path: Path
) -> None:
    path = source(tmp_path / "from", "maya.json", card())
    first = library.import_(path).entry
    (library.folder / first.id).write_bytes(card(name="Anna"))
    again = library.import_(path)
    assert (again.known, again.entry.id, again.entry.name) == (False, "maya (2).json", "Maya")
    assert [entry.name for entry in library.entries()] == ["Anna", "Maya"]


# the list


def test_files_put_changed_and_removed_by_hand_are_noticed(library: CardLibrary) -> None:
    assert library.entries() == []
    path = place(library, "maya.json", card())
    place(library, "zoe.json", card(name="Zoe"))
    assert [entry.name for entry in library.entries()] == ["Maya", "Zoe"]
    path.write_bytes(card(name="Anna"))
    assert [entry.name for entry in library.entries()] == ["Anna", "Zoe"]
    path.unlink()
    assert [entry.name for entry in library.entries()] == ["Zoe"]


def test_only_card_files_are_listed(library: CardLibrary) -> None:
    for name in ("notes.txt", ".hidden.json", "maya.json.edits.json", ".new-abc"):
        place(library, name, card())
    (library.folder / "folder.png").mkdir()
    (library.folder / "loop.png").symlink_to("loop.png")
    assert library.entries() == []
    place(library, "MAYA.PNG", files.png_card())
    assert ids(library) == ["MAYA.PNG"]


def test_a_file_that_cannot_be_read_is_listed_with_its_error(library: CardLibrary) -> None:
    place(library, "broken.png", b"\x89PNG\r\n\x1a\n")
    place(library, "book.json", b'{"spec": "lorebook_v3", "data": {"entries": []}}')
    place(library, "maya.json", card())
    book, broken, maya = library.entries()
    assert (broken.id, broken.name, broken.form) == ("broken.png", "broken", "")
    assert "broken.png" in broken.error
    assert "lorebook" in book.error
    assert maya.error == ""
    with pytest.raises(CardError):
        library.open("broken")


def test_warnings_are_counted(library: CardLibrary) -> None:
    place(library, "bom.json", b"\xef\xbb\xbf" + card(tags="a,b"))
    assert library.find("bom").warnings == len(library.open("bom").warnings) == 2


def test_two_thousand_cards_are_read_once(library: CardLibrary, store: Store) -> None:
    for number in range(2000):
        place(library, f"c{number}.json", card(name=f"Maya {number}"))
    steps: list[tuple[int, int]] = []
    assert library.refresh(lambda done, of: steps.append((done, of))) == 2000
    assert steps[-1] == (2000, 2000) and len(steps) > 10
    # Other bytes under the same size, times and inode: whoever read a file again would see them.
    for number in range(2000):
        path = library.folder / f"c{number}.json"
        before = path.stat()
        with path.open("r+b") as file:
            file.write(path.read_bytes().replace(b"Maya", b"Anna"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = store.cards(library.folder)
    assert again.refresh() == 0
    assert {entry.name for entry in again.entries()} == {f"Maya {number}" for number in range(2000)}
    place(library, "new.json", card(name="Zoe"))
    library.edit("c7.json", {"creator": "me"})
    assert library.refresh() == 0
    assert again.refresh() == 0
    assert ids(again, "me") == ["c7.json"]
    assert len(again.entries()) == 2001


def test_what_a_killed_program_left_unfinished_is_swept(library: CardLibrary) -> None:
    fresh, old = (place(library, name, b"half") for name in (".new-fresh", ".new-old"))
    os.utime(old, (1, 1))
    library.entries()
    assert (fresh.exists(), old.exists()) == (True, False)


# search


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["a.json", "b.json"]),
        ("STRASSE", ["a.json"]),
        ("lamp", ["a.json"]),
        ("ana", ["a.json", "b.json"]),
        ("ana second", ["b.json"]),
        ("ana lamp second", []),
        ("sea", ["a.json"]),
        ("b.json", ["b.json"]),
        ("secret", []),
    ],
)
def test_search_wants_all_words_somewhere(library: CardLibrary, search: str, found: list[str]) -> None:
    place(
        library,
        "a.json",
        card(name="Straße", creator="Ana", description="A lamp.", tags=["Sea"], personality="secret"),
    )
    place(library, "b.json", card(name="Zoe", creator="ana", creator_notes="One.\n\nSecond.", tags=[]))
    assert ids(library, search) == found


def test_filters_by_tag_and_favourite(library: CardLibrary) -> None:
    for name, tags in (("a", ["Sea", "calm"]), ("b", ["seaside"]), ("c", ["sea"])):
        place(library, f"{name}.json", card(name=name, tags=tags))
    library.set_favourite("c", True)
    assert ids(library, tag=" SEA ") == ["a.json", "c.json"]
    assert ids(library, favourites=True) == ["c.json"]
    assert ids(library, tag="seaside", favourites=True) == []
    assert library.set_favourite("c", False).favourite is False
    assert ids(library, favourites=True) == []


# find


def test_a_card_is_found_by_file_name_path_and_name(library: CardLibrary) -> None:
    path = place(library, "Lighthouse.v2.json", card(name="Maya of the Coast"))
    for ref in (
        "Lighthouse.v2.json",
        "Lighthouse.v2",
        "lighthouse.V2.JSON",
        "Maya of the Coast",
        "maya of the coast",
        str(path),
        path,
    ):
        assert library.find(ref).id == "Lighthouse.v2.json"


def test_two_cards_of_one_name_are_two_entries(library: CardLibrary) -> None:
    place(library, "a.json", card())
    place(library, "b.json", card(creator="other"))
    assert len(library.entries("maya")) == 2
    with pytest.raises(UsageError, match=r"2 cards fit 'Maya': 'a\.json', 'b\.json'\."):
        library.open("Maya")
    assert library.open("b").card.creator == "other"


def test_the_exact_name_goes_before_one_in_other_capitals(library: CardLibrary) -> None:
    place(library, "a.json", card(name="Maya"))
    place(library, "b.json", card(name="MAYA"))
    assert (library.find("Maya").id, library.find("MAYA").id) == ("a.json", "b.json")
    with pytest.raises(UsageError, match="2 cards fit"):
        library.find("maya")


@pytest.mark.parametrize("ref", ["Mayo", "", "../cards/x.json", "/etc/passwd", "~nobody/x"])
def test_an_unknown_card_is_a_usage_error(library: CardLibrary, ref: str) -> None:
    place(library, "a.json", card())
    with pytest.raises(UsageError, match="There is no card"):
        library.find(ref)


# edits


def test_edits_live_beside_the_original(library: CardLibrary) -> None:
    original = card()
    path = place(library, "maya.json", original)
    entry = library.edit("maya", {"name": "Mia", "tags": ["new"], "description": "Keeps bees."})
    assert (entry.name, entry.tags, entry.edited) == ("Mia", ("new",), True)
    assert path.read_bytes() == original
    assert sorted(os.listdir(library.folder)) == ["maya.json", "maya.json.edits.json"]
    file = library.open("mia")
    assert (file.content, file.warnings) == (original, ())
    assert (file.card.description, file.card.personality) == ("Keeps bees.", "dry, patient")
    assert file.card.raw["data"]["extensions"] == files.V2["data"]["extensions"]
    assert ids(library, "bees") == ["maya.json"] and ids(library, "lighthouse") == []
    library.edit("maya", {"creator": "me"})
    assert library.open("maya").card.description == "Keeps bees."


def test_revert_goes_back_and_keeps_the_edits_in_the_bin(library: CardLibrary) -> None:
    place(library, "maya.json", card())
    assert library.revert("maya") is None
    library.edit("maya", {"name": "Mia"})
    where = library.revert("maya")
    assert where is not None and where.parent == library.folder / ".bin"
    assert json.loads(where.read_bytes()) == {"changes": {"name": "Mia"}}
    entry = library.find("maya")
    assert (entry.name, entry.edited) == ("Maya", False)


def test_a_field_changed_back_is_no_edit(library: CardLibrary) -> None:
    place(library, "maya.json", card())
    library.edit("maya", {"creator": "me", "name": "Mia"})
    assert library.edit("maya", {"name": "Maya"}).edited
    assert not library.edit("maya", {"creator": "tests"}).edited
    assert library.edit("maya", {}).edited is False


def test_replaced_edits_drop_earlier_ones(library: CardLibrary) -> None:
    place(library, "maya.json", files.json_bytes(files.V3))
    library.edit("maya", {"creator": "me"})
    fields = {**files.V3["data"], "name": "Mia", "alternate_greetings": ["One."], "character_book": None}
    made = parse_card_file(files.json_bytes({**files.V3, "data": fields}), "x").card
    library.replace_edits("maya", made)
    changed = library.open("maya").card
    assert changed == made
    assert changed.creator == "tests"


def test_a_wrong_edit_changes_nothing(library: CardLibrary) -> None:
    place(library, "maya.json", card())
    library.edit("maya", {"creator": "me"})
    for changes in ({"nmae": "Mia"}, {"name": ""}, {"tags": "a"}, {"description": 5}):
        with pytest.raises(CardError):
            library.edit("maya", changes)
    assert library.open("maya").card.creator == "me"


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{", b'{"changes": 5}', b'{"changes": {"nmae": 1}}', b"\xff"]
)
def test_damaged_edits_are_told_about_and_never_written_over(library: CardLibrary, damage: bytes) -> None:
    place(library, "maya.json", card())
    edits = place(library, "maya.json.edits.json", damage)
    file = library.open("maya")
    assert file.card.name == "Maya"
    assert [warning.code for warning in file.warnings] == ["edits-unusable"]
    assert "maya.json.edits.json" in file.warnings[0].message
    assert library.find("maya").warnings == 1
    with pytest.raises(CardError, match=r"maya\.json\.edits\.json"):
        library.edit("maya", {"name": "Mia"})
    with pytest.raises(CardError, match=r"maya\.json\.edits\.json"):
        library.replace_edits("maya", file.card)
    assert edits.read_bytes() == damage
    assert library.revert("maya") is not None
    assert library.edit("maya", {"name": "Mia"}).name == "Mia"


# favourites, personas, removing, exports


def test_a_persona_belongs_to_a_card_as_long_as_there_is_one(library: CardLibrary, store: Store) -> None:
    place(library, "maya.json", card())
    personas = store.personas()
    with pytest.raises(UsageError, match="no persona 'Rook'"):
        library.set_persona("maya", "Rook")
    personas.put(Persona("Rook", "A thief."))
    assert library.set_persona("maya", "Rook").persona == "Rook"
    assert personas.for_card("maya.json") == Persona("Rook", "A thief.")
    personas.delete("Rook")
    assert library.find("maya").persona is None
    personas.put(Persona("Rook"))
    library.set_persona("maya", "Rook")
    assert library.set_persona("maya", None).persona is None


def test_removed_cards_go_to_the_bin_with_their_edits(library: CardLibrary, tmp_path: Path) -> None:
    library.import_(source(tmp_path / "from", "maya.json", card()))
    library.set_favourite("maya", True)
    library.edit("maya", {"name": "Mia"})
    where = library.remove("mia")
    assert where.read_bytes() == card()
    assert library.entries() == []
    assert os.listdir(library.folder) == [".bin"]
    assert len(os.listdir(library.folder / ".bin")) == 2
    entry = library.import_(source(tmp_path / "from", "maya.json", card())).entry
    assert (entry.id, entry.name, entry.favourite, entry.edited) == ("maya.json", "Maya", False, False)


@pytest.mark.parametrize("form", ["png", "json", "charx", "yaml"])
def test_exports_are_files_with_the_edits(library: CardLibrary, form: str) -> None:
    place(library, "maya.png", files.png_card(files.V3, "ccv3"))
    library.edit("maya", {"description": "Keeps bees."})
    made = parse_card_file(library.export("maya", form), f"x.{form}")
    assert made.form == form
    assert "Keeps bees." in made.card.description
    assert made.card.name == "Maya"


def test_a_png_without_a_picture_needs_one(library: CardLibrary) -> None:
    place(library, "maya.json", card())
    with pytest.raises(CardError, match="no picture"):
        library.export("maya", "png")
    made = parse_card_file(library.export("maya", "png", picture=files.png()), "x.png")
    assert made.card.name == "Maya"


def test_a_card_that_vanishes_is_an_error_with_its_name(library: CardLibrary) -> None:
    place(library, "maya.json", card()).unlink()
    for use in (library.open, library.remove, library.revert, library.path):
        with pytest.raises(AirochatError, match="maya"):
            use("maya.json")
