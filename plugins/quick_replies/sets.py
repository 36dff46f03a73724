"""SillyTavern's sets of quick replies, of both versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from airochat.errors import UsageError
from airochat.text import one_line

from . import VERBS

LARGEST: Final = 2_000_000
"""Bytes of a file that are read."""
_RUNS: Final = (
    "executeOnStartup",
    "executeOnUser",
    "executeOnAi",
    "executeOnChatChange",
    "executeOnGroupMemberDraft",
)


def read_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the texts of a set by name, and what is odd about it; `UsageError` for what is no set."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large for a set of quick replies.")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Is its name right?") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON file.", "Export the set from SillyTavern again.") from None
    texts: dict[str, str] = {}
    odd: list[str] = []
    for label, text, fields in _entries(found):
        name = _free(label, texts)
        if text.lstrip().startswith("/"):
            odd.append(f"{name} was left out: it is a script of slash commands.")
            continue
        texts[name] = text
        if any(fields.get(run) is True for run in _RUNS):
            odd.append(f"{name} is never said by itself.")
    if not texts:
        raise UsageError(f"{path} has no quick reply that is a text.", odd[0] if odd else "")
    return texts, odd


def _entries(found: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield label, text and fields of each; version 2 has a ``qrList``, version 1 ``quickReplySlots``."""
    fields = found if isinstance(found, Mapping) else {}
    new = isinstance(fields.get("qrList"), list)
    listed = fields.get("qrList" if new else "quickReplySlots")
    for entry in listed if isinstance(listed, list) else []:
        text = entry.get("message" if new else "mes") if isinstance(entry, Mapping) else None
        if isinstance(text, str) and text.strip():
            label = entry.get("label")
            yield label if isinstance(label, str) else "", text.strip(), entry


def _free(label: str, taken: Mapping[str, str]) -> str:
    """Return a name for a label that is not taken yet."""
    name = "-".join(one_line(label, 40).replace('"', "").lower().split()) or "reply"
    number, free = 1, name
    while free in taken or free in VERBS:
        number += 1
        free = f"{name}-{number}"
    return free
