"""The database of conversations; the only room that writes what users wrote."""

from airochat.store.records import SessionRecord, SessionSummary
from airochat.store.store import Store

__all__ = ["SessionRecord", "SessionSummary", "Store"]
