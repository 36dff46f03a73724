"""Chats of text-generation-webui: pairs of what the user and the model said, with versions beside them."""

from __future__ import annotations

import html
import re
from typing import Any

from airochat.conversation import ImportedChat, Role
from airochat.errors import UsageError
from airochat.formats.dates import seconds_of
from airochat.formats.draft import Draft, Version, with_shown
from airochat.formats.parsing import Notes, document, list_in, table_in, text_in, title_of, utf8

_GREETING = "<|BEGIN-VISIBLE-CHAT|>"
"""Stands where the user said nothing, before a greeting."""
_BEGINNING = re.compile(rb'\s*\{\s*"(?:internal|visible|data|data_visible|metadata)"\s*:')
_LOST = {"attachments": "its attachments were left out.", "tool_sequence": "its tool calls were left out."}


def from_textgen(data: bytes, name: str) -> list[ImportedChat] | None:
    """Read a history of text-generation-webui, versions as alternatives; None if the file is of another kind.

    The names of user and character are not in there. `UsageError` if it is a history that cannot be read.
    """
    data = utf8(data)
    if not _BEGINNING.match(data):
        return None
    value = table_in(document(data, name))
    raw, shown = (value.get(key) for key in ("internal", "visible"))
    if raw is None and shown is None:
        # As versions before 2023-07 wrote it.
        raw, shown = value.get("data"), value.get("data_visible")
    if not isinstance(raw, list) and not isinstance(shown, list):
        raise UsageError(f"{name} has no messages of text-generation-webui.", "Export the chat anew.")
    rows = list_in(raw) or [_unescaped(row) for row in list_in(shown)]
    notes, draft, facts = Notes("row"), Draft(name), table_in(value.get("metadata"))
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) < 2:
            notes.add("it is no pair of texts; it was left out.", number + 1)
            continue
        said = "" if row[0] == _GREETING else text_in(row[0])
        _take("user", said, table_in(facts.get(f"user_{number}")), number, draft, notes)
        _take("assistant", text_in(row[1]), table_in(facts.get(f"assistant_{number}")), number, draft, notes)
    return [draft.finish(title_of(name), notes)]


def _unescaped(row: Any) -> Any:
    """Return a pair of texts that were kept as HTML."""
    return (
        [html.unescape(one) if isinstance(one, str) else one for one in row] if isinstance(row, list) else row
    )


def _take(role: Role, text: str, facts: dict[str, Any], number: int, draft: Draft, notes: Notes) -> None:
    for key, what in _LOST.items():
        if facts.get(key):
            notes.add(what, number + 1)
    others = [
        Version(text_in(one.get("content")), seconds_of(one.get("timestamp")))
        for one in map(table_in, list_in(facts.get("versions")))
    ]
    # What stands in the row is what the model sees, whatever the version says.
    shown = Version(text, seconds_of(facts.get("timestamp")), text_in(facts.get("model_name")))
    versions, chosen = with_shown(shown, others, facts.get("current_version_index"))
    if versions:
        draft.choose(role, "", versions, chosen)
