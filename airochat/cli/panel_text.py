"""A panel as plain text and as JSON, for pipes, screen readers and programs."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from airochat.hooks import Button, Field, Meter, Rows, Setting, Text, View
from airochat.hooks.panels import Part
from airochat.session import panels
from airochat.session.panels import PanelEntry
from airochat.text import one_line


def as_text(view: View) -> str:
    """Return what a panel shows, from top to bottom, with an empty line between two kinds of parts.

    A row that is marked begins with ``*``; buttons are listed by the names that ``--do`` takes.
    """
    blocks = [f"{view.title}\n{'=' * cells(view.title)}"]
    for kind, run in groupby(view.parts, type):
        same = list(run)
        blocks += (
            ["\n".join(_lines(same))] if kind is not Rows else ["\n".join(_lines([one])) for one in same]
        )
    return "\n\n".join(filter(None, blocks))


def listing(entries: Sequence[PanelEntry]) -> str:
    """Return a line for each panel: its name, its title, and what it is for."""
    rows = [(entry.name, entry.title, entry.summary) for entry in entries]
    return "\n".join(_aligned(rows)) if rows else "No plugin has a panel."


def as_json(view: View) -> dict[str, Any]:
    """Return what a panel shows as JSON values; a limit that a field does not have is null."""
    return {"title": view.title, "parts": [_plain(part) for part in view.parts]}


def cells(text: str) -> int:
    """Return how many cells a text takes in a terminal.

    >>> cells("ab"), cells("灯")
    (2, 2)
    """
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) > 0 for one in text)


def _lines(same: Sequence[Part]) -> Iterator[str]:
    for part in same:
        match part:
            case Text():
                yield part.text
            case Meter():
                yield f"{part.label}: {panels.meter_amounts(part)}"
            case Field():
                yield from _field(part)
            case Rows():
                yield from _table(part)
            case Button():
                yield f"[{part.name}] {part.label}"


def _field(part: Field) -> Iterator[str]:
    setting = part.setting
    told = [panels.help_of(setting), f"One of: {', '.join(_choices(setting))}." if setting.choices else ""]
    about = f"  ({' '.join(filter(None, told))})" if any(told) else ""
    value = panels.written(setting, part.value)
    if "\n" not in value:
        yield f"{setting.name} = {value}{about}"
    else:
        yield f"{setting.name} ={about}"
        yield from (f"    {line}" for line in value.split("\n"))


def _choices(setting: Setting) -> list[str]:
    return [panels.written(setting, one) for one in setting.choices]


def _table(part: Rows) -> Iterator[str]:
    if not part.rows:
        yield part.empty or "There is nothing here."
    else:
        lines = [("", "row", *part.columns)]
        lines += (("*" if row.marked else "", one_line(str(row.key), 200), *row.cells) for row in part.rows)
        yield from _aligned(lines)
    if part.buttons:
        named = ", ".join(f"[{button.name}] {button.label}" for button in part.buttons)
        yield f"With a row: {named}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell + " " * (width - cells(cell)) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _plain(part: Part) -> dict[str, Any]:
    kind = type(part).__name__.lower()
    if isinstance(part, Field):
        setting = dataclasses.asdict(part.setting)
        for bound in ("least", "most"):
            setting[bound] = setting[bound] if panels.is_number(setting[bound]) else None
        return {"part": kind, **setting, "value": part.value}
    values = dataclasses.asdict(part)
    for name in ("value", "of"):
        if name in values and not panels.is_number(values[name]):
            values[name] = None
    return {"part": kind, **values}
