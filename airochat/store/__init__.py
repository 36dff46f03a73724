"""The database of conversations and the library of cards; the only room that writes what users wrote."""

from airochat.store.library import CardEntry, CardLibrary, Imported
from airochat.store.personas import Personas
from airochat.store.records import SessionRecord, SessionSummary
from airochat.store.store import Store

__all__ = [
    "CardEntry",
    "CardLibrary",
    "Imported",
    "Personas",
    "SessionRecord",
    "SessionSummary",
    "Store",
]
