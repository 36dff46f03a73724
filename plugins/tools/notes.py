"""Notes that the model keeps in a chat."""

from __future__ import annotations

from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import clean, one_line

KEY = "notes"
MOST = 50
"""How many notes a chat may have."""
LONGEST = 2_000
"""The longest note in characters; the rest is cut off."""


def notes(context: ChatContext) -> dict[str, str]:
    """Return the notes of a chat by name, oldest first."""
    kept = context.data.get(KEY)
    return {str(name): str(text) for name, text in kept.items()} if isinstance(kept, dict) else {}


def write(context: ChatContext, name: str, text: str) -> str:
    """Keep a note, in place of one of the same name; return what was done."""
    name, text = one_line(name, 60), clean(text).strip()[:LONGEST]
    kept = notes(context)
    if not name or not text:
        raise UsageError("A note needs a name and a text.")
    if name not in kept and len(kept) >= MOST:
        raise UsageError(f"There are {MOST} notes already.", "Delete one first.")
    context.data[KEY] = {**kept, name: text}
    return f"The note {name} is kept."


def delete(context: ChatContext, name: str) -> str:
    """Delete a note, and return what was done."""
    kept = notes(context)
    if one_line(name, 60) not in kept:
        raise UsageError(
            f"There is no note {one_line(name, 60)!r}.", f"There are: {', '.join(kept) or 'none'}."
        )
    del kept[one_line(name, 60)]
    context.data[KEY] = kept
    return f"The note {one_line(name, 60)} is deleted."


def listed(context: ChatContext) -> str:
    """Return all notes in words."""
    kept = notes(context)
    return "\n".join(f"{name}: {text}" for name, text in kept.items()) if kept else "There are no notes."
