"""Character cards, personas and lorebooks: read, write, edit and check.

What reads and writes files is loaded when first used, since most programs need only the values. Checking a card is
`airochat.characters.lint.lint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airochat.characters.card import Asset, Card, Persona
from airochat.characters.warning import CardWarning

if TYPE_CHECKING:
    from airochat.characters.assets import asset_bytes, picture
    from airochat.characters.book import parse_book, read_book_file, split_decorators, strip_decorators
    from airochat.characters.edit import EDITABLE, as_text, edited, from_text
    from airochat.characters.fields import parse_card, parse_fields
    from airochat.characters.names import safe_name
    from airochat.characters.read import CardFile, parse_card_file, read_card, read_card_file
    from airochat.characters.write import FORMS, write_card

_HOMES = {
    "EDITABLE": "edit",
    "FORMS": "write",
    "CardFile": "read",
    "as_text": "edit",
    "asset_bytes": "assets",
    "edited": "edit",
    "from_text": "edit",
    "parse_book": "book",
    "parse_card": "fields",
    "parse_card_file": "read",
    "parse_fields": "fields",
    "picture": "assets",
    "read_book_file": "book",
    "read_card": "read",
    "read_card_file": "read",
    "safe_name": "names",
    "split_decorators": "book",
    "strip_decorators": "book",
    "write_card": "write",
}

__all__ = [
    "EDITABLE",
    "FORMS",
    "Asset",
    "Card",
    "CardFile",
    "CardWarning",
    "Persona",
    "as_text",
    "asset_bytes",
    "edited",
    "from_text",
    "parse_book",
    "parse_card",
    "parse_card_file",
    "parse_fields",
    "picture",
    "read_book_file",
    "read_card",
    "read_card_file",
    "safe_name",
    "split_decorators",
    "strip_decorators",
    "write_card",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(f"airochat.characters.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'airochat.characters' has no attribute {name!r}")
