from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airochat.characters import Persona
from airochat.errors import UsageError
from airochat.store import Personas, Store
from airochat.store.personas import MAX_FILE, persona_toml, read_persona

ROOK = Persona("Rook", "A thief.\nOf few words.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "airochat.db")
    yield opened
    opened.close()


@pytest.fixture
def personas(store: Store) -> Personas:
    return store.personas()


def test_a_persona_is_kept_replaced_and_deleted(personas: Personas, store: Store) -> None:
    assert personas.names() == []
    personas.put(Persona("zoe"))
    personas.put(Persona("Rook", "A thief."))
    personas.put(ROOK)
    assert store.personas().names() == ["Rook", "zoe"]
    assert personas.all() == [ROOK, Persona("zoe")]
    assert personas.get("rook") == ROOK
    assert personas.delete("Rook") == ROOK
    with pytest.raises(UsageError, match="no persona 'Rook'"):
        personas.get("Rook")


def test_capitals_count_only_if_needed(personas: Personas) -> None:
    personas.put(Persona("Rook", "one"))
    personas.put(Persona("ROOK", "two"))
    assert personas.get("ROOK").description == "two"
    with pytest.raises(UsageError):
        personas.get("rook")


def test_one_persona_at_most_is_the_default(personas: Personas) -> None:
    assert personas.default is None
    personas.put(ROOK)
    personas.put(Persona("Zoe"))
    personas.set_default("zoe")
    personas.set_default("Rook")
    personas.put(Persona("Rook", "changed"))
    assert personas.default == Persona("Rook", "changed")
    with pytest.raises(UsageError):
        personas.set_default("nobody")
    assert personas.default == Persona("Rook", "changed")
    personas.delete("Rook")
    assert personas.default is None
    personas.set_default("Zoe")
    personas.set_default(None)
    assert personas.default is None


def test_a_card_has_its_own_persona_or_the_default(personas: Personas, store: Store, tmp_path: Path) -> None:
    library = store.cards(tmp_path)
    name = os.fsdecode(b"\xeb.json")
    (tmp_path / name).write_text('{"name": "Maya", "description": ""}', encoding="utf-8")
    personas.put(ROOK)
    personas.put(Persona("Zoe"))
    assert personas.for_card(name) is None
    personas.set_default("Zoe")
    library.set_persona(name, "Rook")
    assert personas.for_card(name) == ROOK
    assert personas.for_card("other.json") == Persona("Zoe")


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "\x1b[31mred", " Rook", "x" * 101, "a\u202eb"])
def test_a_name_that_cannot_label_a_message_is_refused(personas: Personas, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a persona's name"):
        personas.put(Persona(name))
    assert personas.names() == []


def test_a_new_persona_does_not_replace_another_unasked(personas: Personas) -> None:
    personas.add(ROOK)
    personas.add(ROOK)
    with pytest.raises(UsageError, match="already"):
        personas.add(Persona("Rook", "other"))
    assert personas.get("Rook") == ROOK
    personas.add(Persona("Rook", "other"), replace=True)
    assert personas.get("Rook").description == "other"


def test_files_come_and_go(personas: Personas, tmp_path: Path) -> None:
    personas.put(ROOK)
    text = personas.export("rook")
    assert text == 'name = "Rook"\ndescription = """A thief.\nOf few words."""\n'
    path = tmp_path / "rook.toml"
    path.write_text(text, encoding="utf-8")
    personas.delete("Rook")
    assert personas.import_(path) == ROOK
    assert personas.get("Rook") == ROOK


@given(st.text(st.characters(codec="utf-8")) | st.text('ab\n"\\\r\t'))
@example('\nA "quiet"\n\n"""man"""')
def test_every_description_survives_a_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "persona.toml"
    path.write_bytes(persona_toml(Persona("Rook", text)).encode())
    assert read_persona(path) == Persona("Rook", text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"x = " + b"[" * 5000, "not valid TOML"),
        (b'description = "x"', "has no name"),
        (b'name = ""', "cannot be a persona's name"),
        (b'name = "a\\nb"', "cannot be a persona's name"),
        (b"name = 5", "name that is not a text"),
        (b'name = "a"\ndescription = ["x"]', "description that is not a text"),
        (b'name = "a"\ndescripton = "x"', "unknown field 'descripton'"),
        (b"#" * (MAX_FILE + 1), "too large"),
    ],
)
def test_a_wrong_file_is_explained_and_changes_nothing(
    personas: Personas, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "rook.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        personas.import_(path)
    assert personas.names() == []


def test_a_file_that_is_not_there_is_a_usage_error(personas: Personas, tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            personas.import_(path)
