"""Character cards and personas."""

from airochat.characters.card import Card, Persona, parse_card, read_card

__all__ = ["Card", "Persona", "parse_card", "read_card"]
