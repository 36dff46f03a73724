"""Oracles: a question answered by chance, and tables that the user has written."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from airochat.errors import AirochatError, UsageError
from airochat.text import clean, one_line

from .data import read_toml

ODDS: Mapping[str, int] = {
    "impossible": 2,
    "very unlikely": 15,
    "unlikely": 30,
    "even": 50,
    "likely": 70,
    "very likely": 85,
    "certain": 98,
}
"""The chance of a yes in percent."""

MAX_BYTES = 256 * 1024
"""The largest file of a table."""
MAX_ENTRIES = 5_000
MAX_TABLES = 200
_WEIGHT = re.compile(r"(\d{1,4})\s*[x×:]\s+(.*)")
_NAME = re.compile(r"[\w -]{1,40}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table to draw from: its entries, each with how often it counts."""

    name: str
    entries: tuple[str, ...]
    weights: tuple[int, ...]


def ask(odds: str, seed: int) -> str:
    """Return yes or no, with how strongly; `UsageError` for odds that are not known.

    Of each ten answers of a kind about one is strong ("and more than that"), and one weak ("but").
    """
    if odds not in ODDS:
        raise UsageError(f"The odds {odds[:40]!r} are not known.", f"Use one of: {', '.join(ODDS)}.")
    chance = random.Random(seed)
    answer = "Yes" if chance.randint(1, 100) <= ODDS[odds] else "No"
    strength = chance.randint(1, 10)
    return f"{answer}{', and more than that' if strength == 10 else ', but' if strength == 1 else ''}."


def tables(folder: Path) -> tuple[dict[str, Table], list[str]]:
    """Return the tables of a folder by name, and what is wrong with files that are none.

    A ``.txt`` file is one table with an entry a line, ``3x`` before it if it counts thrice; a ``.toml`` file has a
    list of entries for each table.
    """
    files = [file for file in folder.glob("*") if file.suffix.lower() in (".txt", ".toml")]
    facts = [(file, file.lstat()) for file in sorted(files)]
    return _tables(folder, tuple((file, fact.st_mtime_ns, fact.st_size) for file, fact in facts))


@lru_cache(maxsize=4)
def _tables(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> tuple[dict[str, Table], list[str]]:
    """Read files, and again only when one of them is not as it was: they are asked for several times a turn."""
    found: dict[str, Table] = {}
    problems: list[str] = []
    for file, _, _ in files:
        try:
            for table in _read(file, folder):
                if len(found) < MAX_TABLES:
                    found[table.name.lower()] = table
        except AirochatError as error:
            problems.append(error.message)
        except (OSError, ValueError) as error:
            problems.append(f"{one_line(file.name)} cannot be read: {one_line(str(error))}.")
    return found, problems


def draw(table: Table, count: int, seed: int) -> list[str]:
    """Return so many entries; none comes twice before all have come."""
    chance = random.Random(seed)
    drawn: list[str] = []
    left: list[int] = []
    for _ in range(count):
        left = left or list(range(len(table.entries)))
        (index,) = chance.choices(left, [table.weights[one] for one in left])
        left.remove(index)
        drawn.append(table.entries[index])
    return drawn


def _read(file: Path, folder: Path) -> list[Table]:
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        raise UsageError(f"{one_line(file.name)} leads out of its folder.")
    if file.stat().st_size > MAX_BYTES:
        raise UsageError(f"{one_line(file.name)} is larger than {MAX_BYTES // 1024} KB.")
    if file.suffix.lower() == ".txt":
        text = clean(file.read_bytes().decode("utf-8-sig", "replace"))
        lines = [line.strip() for line in text.splitlines()]
        return [_table(file.stem, [line for line in lines if line and not line.startswith("#")])]
    return [_table(name, entries) for name, entries in read_toml(file).items()]


def _table(name: str, entries: Any) -> Table:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{one_line(name, 40)!r} is not the name of a table.", "Use letters and digits.")
    if not isinstance(entries, list) or not all(isinstance(entry, (str, int, float)) for entry in entries):
        raise UsageError(f"The table {name} is no list of texts.", 'Write NAME = ["one", "two"].')
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise UsageError(
            f"The table {name} has {len(entries)} entries.", f"It may have 1 to {MAX_ENTRIES:,}."
        )
    texts, weights = [], []
    for entry in entries:
        weighted = _WEIGHT.fullmatch(str(entry))
        texts.append(one_line(weighted[2] if weighted else str(entry), 500))
        weights.append(max(1, int(weighted[1])) if weighted else 1)
    return Table(name, tuple(texts), tuple(weights))
