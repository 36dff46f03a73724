"""Who the user may be: personas in the database, and as TOML files."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import tomli

from airochat.characters.card import Persona
from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.store.database import Database
from airochat.store.records import storable
from airochat.text import one_line

MAX_FILE = 1_000_000
"""The largest persona file that is read, in bytes."""
MAX_NAME = 100
"""The longest name, in characters; it stands before every message."""

_FIELDS = ("name", "description")


class Personas:
    """The user's personas; what a method wrote is on the disk when it returns.

    Errors are `StoreError`, and `UsageError` for a persona that is unknown or cannot be.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted((persona.name for persona in self.all()), key=str.casefold)

    def all(self) -> list[Persona]:
        """Return all personas, sorted by name."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT name, description FROM personas").fetchall()
        return sorted(map(_persona, rows), key=lambda persona: persona.name.casefold())

    def get(self, name: str) -> Persona:
        """Return a persona by name; capitals count only if that tells personas apart."""
        found = self.all()
        exact = [one for one in found if one.name == name]
        fitting = exact or [one for one in found if one.name.casefold() == name.casefold()]
        if len(fitting) != 1:
            raise _unknown(name, [one.name for one in found])
        return fitting[0]

    def put(self, persona: Persona) -> None:
        """Keep a persona; one of the same name is replaced."""
        _check(persona)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO personas (name, description) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET description = excluded.description",
                (persona.name, storable(persona.description)),
            )

    def add(self, persona: Persona, replace: bool = False) -> None:
        """Keep a new persona; one of that name with another description is a `UsageError` unless ``replace``."""
        there = {one.name: one for one in self.all()}
        if not replace and there.get(persona.name, persona) != persona:
            raise UsageError(
                f"There is a persona {persona.name!r} already, with another description.",
                "Replace it with --replace, or take another name.",
            )
        self.put(persona)

    def delete(self, name: str) -> Persona:
        """Delete a persona and return it; cards that had it, and the default, have none then."""
        persona = self.get(name)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM personas WHERE name = ?", (persona.name,))
        return persona

    @property
    def default(self) -> Persona | None:
        """Who the user is where nothing else is said."""
        query = "SELECT name, description FROM personas WHERE is_default"
        with self._database.reading() as connection:
            row = connection.execute(query).fetchone()
        return _persona(row) if row else None

    def set_default(self, name: str | None) -> None:
        """Say who the user is where nothing else is said; None for nobody in particular."""
        chosen = None if name is None else self.get(name).name
        with self._database.writing() as connection:
            connection.execute("UPDATE personas SET is_default = (name IS ?)", (chosen,))

    def for_card(self, card_id: str) -> Persona | None:
        """Return who the user is with a card of the library: the card's own persona, or else the default."""
        query = """
            SELECT personas.name, description FROM card_marks JOIN personas ON personas.name = persona
            WHERE file = ?
        """
        with self._database.reading() as connection:
            row = connection.execute(query, (os.fsencode(card_id),)).fetchone()
        return _persona(row) if row else self.default

    def import_(self, path: str | os.PathLike[str], replace: bool = False) -> Persona:
        """Read a persona file and keep it; another one of that name is a `UsageError` unless ``replace``."""
        persona = read_persona(Path(os.path.expanduser(path)))
        self.add(persona, replace)
        return persona

    def export(self, name: str) -> str:
        """Return a persona as TOML, which `import_` reads."""
        return persona_toml(self.get(name))


def read_persona(path: Path) -> Persona:
    """Read a persona file: TOML with ``name`` and ``description``. Errors are `UsageError` and name the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise UsageError(f"The persona {path} is too large; at most {MAX_FILE:,} bytes are read.")
        data = tomli.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The persona {path} cannot be read: {error.strerror}.") from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = 'It holds two lines: name = "…" and description = "…".'
        raise UsageError(f"The persona {path} is not valid TOML: {error}.", hint) from None
    for name, value in data.items():
        if name not in _FIELDS:
            raise UsageError(
                f"The persona {path} has an unknown field {name!r}.", did_you_mean(name, _FIELDS)
            )
        if not isinstance(value, str):
            raise UsageError(f"The persona {path} has a {name} that is not a text.", "Put it into quotes.")
    if "name" not in data:
        raise UsageError(f"The persona {path} has no name.", 'Add a line: name = "…"')
    persona = Persona(data["name"], data.get("description", ""))
    _check(persona)
    return persona


def persona_toml(persona: Persona) -> str:
    """Return a persona as TOML; a description of several lines stays readable."""
    import tomlkit

    document = tomlkit.document()
    document["name"] = persona.name
    text = persona.description
    many = "\n" in text and text.replace("\n", "").isprintable()
    document["description"] = tomlkit.string(text, multiline=many)
    return tomlkit.dumps(document)


def _check(persona: Persona) -> None:
    name = persona.name
    if not name.strip() or name != one_line(name, len(name) + 1) or len(name) > MAX_NAME:
        raise UsageError(
            f"{one_line(name)!r} cannot be a persona's name.",
            f"A name is one line of 1 to {MAX_NAME} characters, without spaces around it.",
        )


def _persona(row: sqlite3.Row) -> Persona:
    return Persona(row["name"], row["description"])


def _unknown(name: str, known: list[str]) -> UsageError:
    return UsageError(f"There is no persona {name!r}.", did_you_mean(name, known))
