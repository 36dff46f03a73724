"""What a panel's page is told, made from what a plugin shows; and what was typed there, checked.

A state is JSON: ``title`` and ``parts``, each with a ``kind``. ``text`` has ``tone`` and ``text``; ``meter`` has
``label``, ``words`` and ``done`` from 0 to 1; ``field`` has ``name``, ``type``, ``label``, ``help``, ``value`` (a text,
or true or false, or the number of the choice), ``least``, ``most`` and ``choices``; ``rows`` has ``name``, ``columns``,
``widths``, ``rows`` ([key, marked, cell, …]), ``more``, ``buttons`` and ``empty``; ``button`` has ``name``, ``label``
and ``confirm``. Nothing in it is HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from airochat.errors import UsageError
from airochat.hooks import Button, Field, Meter, Row, Rows, Setting, Text, View
from airochat.hooks.panels import Part
from airochat.session.panels import PanelEntry, help_of, meter_amounts, refusal, share, title_of, written
from airochat.text import clean, one_line, whole

State = dict[str, Any]
OPEN = "open"
"""The button of the list of panels."""

MOST_PARTS = 400
MOST_ROWS = 20_000
MOST_LETTERS = 2_000_000
"""How much of one panel the page is told, since it is sent as one message and kept in the notebook."""

_CELL = 300
_TEXT = 100_000
_PLAIN_ROWS = 40


def list_view(entries: Sequence[PanelEntry]) -> View:
    """Return the list of all panels as a view of its own."""
    rows = tuple(Row(entry.name, (entry.title, entry.summary, entry.plugin)) for entry in entries)
    table = Rows("panels", ("Panel", "About", "Plugin"), rows, (Button(OPEN, "Open"),), "No plugin is on.")
    return View("Panels", (table,))


def wire(view: View) -> State:
    """Return what the page is told of a view."""
    parts, letters = [], 0
    for part in view.parts[:MOST_PARTS]:
        told = _part(part, MOST_LETTERS - letters)
        letters += _letters(told)
        parts.append(told)
    if len(view.parts) > MOST_PARTS:
        words = f"There are {len(view.parts) - MOST_PARTS} more parts, which are not shown."
        parts.append(_part(Text(words, "warning"), _TEXT))
    return {"title": one_line(view.title, 200), "parts": parts}


def key_of(name: object) -> str:
    """Return a name or key of a plugin as it can travel to the page and back."""
    return whole(str(name))


def typed(view: View, raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of the fields that were edited, and for those that were refused a sentence by name."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for part in view.parts:
        if isinstance(part, Field) and (key := key_of(part.setting.name)) in raw:
            try:
                values[part.setting.name] = _value(part.setting, raw[key])
            except UsageError as error:
                wrong[key] = refusal(part.setting, one_line(str(raw[key]))) or str(error)
    return values, wrong


def row_of(view: View, button: str, key: str) -> str:
    """Return the plugin's own key of the row that is chosen, from what the page calls it."""
    for part in view.parts:
        if isinstance(part, Rows) and button in [one.name for one in part.buttons]:
            return next((row.key for row in part.rows if key_of(row.key) == key), key)
    return ""


def plain(state: State) -> str:
    """Return a state as plain text, for where no panel can live."""
    blocks = [state["title"], *(_plain_part(part) for part in state["parts"])]
    return "\n".join(block for block in blocks if block)


def _value(setting: Setting, raw: Any) -> Any:
    if setting.kind == "choice":
        known = isinstance(raw, int) and 0 <= raw < len(setting.choices)
        return setting.checked(setting.choices[raw] if known else raw)
    if setting.kind in ("int", "float"):
        return setting.parsed(one_line(str(raw), 400))
    return setting.checked(whole(raw) if isinstance(raw, str) else raw)


def _part(part: Part, letters: int) -> State:
    match part:
        case Text():
            return {"kind": "text", "tone": part.tone, "text": _cut(part.text)}
        case Meter():
            return {"kind": "meter", "label": part.label, "words": meter_amounts(part), "done": share(part)}
        case Field():
            return _field(part.setting, part.value)
        case Rows():
            return _rows(part, letters)
    return _button(part)


def _field(setting: Setting, value: Any) -> State:
    shown: Any = written(setting, value)
    if setting.kind == "bool":
        shown = bool(value)
    elif setting.kind == "choice":
        shown = setting.choices.index(value)
    return {
        "kind": "field",
        "name": key_of(setting.name),
        "type": setting.kind,
        "label": title_of(setting),
        "help": help_of(setting),
        "value": shown,
        "least": setting.least if math.isfinite(setting.least) else None,
        "most": setting.most if math.isfinite(setting.most) else None,
        "choices": [one_line(choice, 100) for choice in setting.choices],
    }


def _rows(table: Rows, letters: int) -> State:
    rows: list[list[Any]] = []
    for row in table.rows[:MOST_ROWS]:
        cells = [one_line(cell, _CELL) for cell in row.cells]
        letters -= sum(map(len, cells)) + 20
        if letters < 0:
            break
        rows.append([key_of(row.key), bool(row.marked), *cells])
    return {
        "kind": "rows",
        "name": key_of(table.name),
        "columns": [one_line(column, 100) for column in table.columns],
        "widths": [_width(rows, column, name) for column, name in enumerate(table.columns)],
        "rows": rows,
        "more": len(table.rows) - len(rows),
        "buttons": [_button(button) for button in table.buttons],
        "empty": _cut(table.empty),
    }


def _width(rows: Sequence[Sequence[Any]], column: int, name: str) -> int:
    """Return how wide a column wants to be: as its longest text at the top, in reason."""
    longest = max((len(row[column + 2]) for row in rows[:200]), default=0)
    return max(4, min(60, max(longest, len(name))))


def _button(button: Button) -> State:
    return {
        "kind": "button",
        "name": key_of(button.name),
        "label": one_line(button.label, 100) or one_line(button.name, 100),
        "confirm": one_line(button.confirm, 300),
    }


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def _letters(part: State) -> int:
    rows = sum(len(cell) + 4 for row in part.get("rows", ()) for cell in row[2:])
    return len(part.get("text", "")) + len(str(part.get("value", ""))) + rows


def _plain_part(part: State) -> str:
    match part["kind"]:
        case "meter":
            return f"{part['label']}: {part['words']}"
        case "field":
            value = part["value"]
            if part["type"] == "bool":
                value = "on" if value else "off"
            elif part["type"] == "choice":
                value = part["choices"][value]
            return f"{part['label']}: {value}"
        case "rows":
            lines = [_plain_row(row) for row in part["rows"][:_PLAIN_ROWS]]
            left = len(part["rows"]) - len(lines) + part["more"]
            rest = [f"… and {left} more"] if left else []
            return "\n".join(["  ".join(part["columns"]), *lines, *rest] if lines else [part["empty"]])
        case "button":
            return f"[{part['label']}]"
    return str(part["text"])


def _plain_row(row: Sequence[Any]) -> str:
    return ("* " if row[1] else "- ") + "  ".join(row[2:])
