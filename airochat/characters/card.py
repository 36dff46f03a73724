"""Cards and personas as values, and reading cards in the JSON form of versions 1 to 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airochat.errors import CardError
from airochat.text import whole

MAX_SIZE = 16_000_000
"""The largest card file that is read, in bytes; large lorebooks make cards of a few megabytes."""

_TEXTS = (
    "name",
    "description",
    "personality",
    "scenario",
    "first_mes",
    "mes_example",
    "system_prompt",
    "post_history_instructions",
    "creator_notes",
)


@dataclass(frozen=True, slots=True)
class Persona:
    """Who the user is in a conversation."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A character. Field names are those of the card formats; texts hold their macros unexpanded."""

    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    first_mes: str = ""
    """The greeting."""
    alternate_greetings: tuple[str, ...] = ()
    mes_example: str = ""
    """Example dialogue."""
    system_prompt: str = ""
    """Takes the place of the default system text."""
    post_history_instructions: str = ""
    """Stands after the newest message."""
    creator_notes: str = ""
    """For the user; never part of a prompt."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole file as it was, with all that airochat does not know."""

    def fields(self) -> dict[str, Any]:
        """Return what `parse_card` makes this card from: the file as it was, or the fields of a card made by hand."""
        if self.raw:
            return dict(self.raw)
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {**texts, "alternate_greetings": list(self.alternate_greetings)}


def read_card(path: Path) -> Card:
    """Read a card file; `CardError` names the file and what is wrong with it."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_SIZE else b""
    except OSError as error:
        raise CardError(f"The card {path} cannot be read: {error.strerror}.") from None
    if size > MAX_SIZE:
        raise CardError(f"The card {path} is too large: {size:,} bytes; at most {MAX_SIZE:,} are read.")
    if content.startswith(b"\x89PNG"):
        raise CardError(
            f"The card {path} is a PNG picture; only JSON cards are read.", "Export the card as JSON."
        )
    return parse_card(_parse(content, path), str(path))


def parse_card(raw: Mapping[str, Any], where: str) -> Card:
    """Make a card from the fields of its JSON form; ``where`` names it in errors."""
    return _card(raw, Path(where))


def _parse(content: bytes, path: Path) -> Mapping[str, Any]:
    if not content.strip():
        raise CardError(f"The card {path} is empty.")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CardError(
            f"The card {path} is not UTF-8 text.", "Save it as UTF-8, or export it anew."
        ) from None
    except (ValueError, RecursionError) as error:
        reason = (
            str(error)
            if isinstance(error, json.JSONDecodeError)
            else "it is nested too deeply or has a huge number"
        )
        raise CardError(f"The card {path} is not valid JSON: {reason}.") from None
    if not isinstance(data, dict):
        raise CardError(f"The card {path} is JSON, but not a card: it holds no fields.")
    return data


def _card(raw: Mapping[str, Any], path: Path) -> Card:
    # Version 1 has the fields at the top; later ones have them under "data" and may repeat them at the top.
    data = raw.get("data", raw) if str(raw.get("spec", "")).startswith("chara_card_v") else raw
    if not isinstance(data, dict):
        raise CardError(f"The card {path} is broken: data is not a table of fields.")
    texts = {name: _text(data, name, path) for name in _TEXTS}
    if not texts["name"].strip():
        raise CardError(f"The card {path} has no name.", 'Give it a "name" field.')
    return Card(**texts, alternate_greetings=_greetings(data, path), raw=raw)


def _greetings(data: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    value = data.get("alternate_greetings")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CardError(f"The card {path} is broken: alternate_greetings is not a list of texts.")
    return tuple(map(whole, value))


def _text(data: Mapping[str, Any], name: str, path: Path) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CardError(f"The card {path} is broken: {name} is a {type(value).__name__}, not a text.")
    return whole(value)
