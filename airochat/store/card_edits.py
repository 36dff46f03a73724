"""The user's changes to a card: a file beside the original, which stays as it came."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airochat.characters import Card, CardFile, CardWarning
from airochat.characters.edit import EDITABLE, edited
from airochat.characters.forms import json_value
from airochat.errors import CardError
from airochat.store.atomic import write_file

_KEY = "changes"
_WAY_OUT = "Correct the JSON in that file, or go back to the card as it came."


def read_edits(path: Path) -> dict[str, Any]:
    """Return the changed fields by name, empty if there is no such file; `CardError` if it is damaged."""
    try:
        changes = json.loads(path.read_bytes())[_KEY]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CardError(f"The edits {path} cannot be read: {error.strerror}.") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        changes = None
    if not isinstance(changes, dict):
        raise CardError(f"The edits {path} are damaged.", _WAY_OUT)
    return changes


def write_edits(path: Path, changes: Mapping[str, Any]) -> None:
    """Keep the changed fields, all of them at one stroke; ASCII, which no lone surrogate can break."""
    write_file(path, json.dumps({_KEY: changes}, indent=1).encode("ascii"))


def current(original: Card, path: Path) -> Card:
    """Return a card with the changes in the file of edits; `CardError` names that file if they cannot be used."""
    changes = read_edits(path)
    try:
        return edited(original, changes) if changes else original
    except CardError as error:
        raise CardError(f"The edits {path} do not fit the card. {error.message}", _WAY_OUT) from None


def apply_edits(file: CardFile, path: Path) -> CardFile:
    """Return a card file with the user's changes in its card; unusable ones are left out with a warning."""
    try:
        return dataclasses.replace(file, card=current(file.card, path))
    except CardError as error:
        warning = CardWarning("edits-unusable", f"{error.message} The card is shown as it came.")
        return dataclasses.replace(file, warnings=(*file.warnings, warning))


def differences(original: Card, wanted: Card) -> dict[str, Any]:
    """Return what must be changed in one card to get the other, as JSON values by field name; dates do not count."""
    both = ((name, getattr(original, name), getattr(wanted, name)) for name in EDITABLE)
    return {name: json_value(new) for name, old, new in both if new != old}
