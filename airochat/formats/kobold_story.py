"""Stories of KoboldAI and KoboldCpp: one text in pieces, which their modes mark in different ways.

What the marks are was gathered from the documentation of KoboldAI Lite: ``opmode`` is 1 for a story, 2 for an
adventure, 3 for a chat and 4 for instructions.
"""

from __future__ import annotations

import re
from typing import Any

from airochat.conversation import ImportedChat, Role
from airochat.formats.draft import Draft
from airochat.formats.parsing import Notes, document, list_in, name_in, table_in, text_in, title_of, utf8
from airochat.text import one_line

_TAGS: tuple[tuple[str, Role, str], ...] = (
    ("{{[INPUT]}}", "user", "instruct_starttag"),
    ("{{[OUTPUT]}}", "assistant", "instruct_endtag"),
    ("{{[SYSTEM]}}", "system", "instruct_systag"),
)
"""What begins a turn, whose it is, and the setting with the same in the words of the model's template."""
_ENDS = re.compile(r"\{\{\[(?:INPUT|OUTPUT|SYSTEM)_END\]\}\}")
_LOST = {"memory": "memory", "authorsnote": "author's note"}
_CHARACTERS = "||$||"
"""Stands between the names of several characters."""


def from_kobold(data: bytes, name: str) -> list[ImportedChat] | None:
    """Read a saved story as turns, or as one reply where its mode knows none; None if the file is of another kind.

    `UsageError` if it is a story that cannot be read.
    """
    data = utf8(data)
    if data.lstrip()[:1] != b"{" or not (b'"prompt"' in data and b'"actions"' in data):
        return None
    value = document(data, name)
    if not isinstance(value, dict) or not isinstance(value.get("prompt"), str) or "actions" not in value:
        return None
    notes, draft = Notes(), Draft(name)
    settings = table_in(value.get("savedsettings"))
    pieces = [text_in(value["prompt"]), *_actions(value["actions"])]
    for role, who, text in _turns(pieces, str(settings.get("opmode", "")), settings):
        if text.strip():
            draft.say(role, who, text)
    for key, what in _LOST.items():
        if said := one_line(text_in(value.get(key)), 200):
            notes.add(f"the story's {what} was not taken over: {said}")
    if value.get("worldinfo"):
        notes.add("the story's world info was not taken over.")
    return [draft.finish(title_of(name), notes)]


def _actions(value: Any) -> list[str]:
    if isinstance(value, dict):
        numbers = sorted((key for key in value if key.isdecimal()), key=lambda key: int(key[:9]))
        value = [value[number] for number in numbers]
    return [text_in(one) for one in list_in(value)]


def _turns(pieces: list[str], mode: str, settings: dict[str, Any]) -> list[tuple[Role, str, str]]:
    text = "".join(pieces)
    if mode == "4" or any(tag in text for tag, _, _ in _TAGS):
        return _instructions(text, settings)
    if mode == "3":
        return _lines(text, settings)
    if mode == "2":
        return [_adventure(piece) for piece in pieces]
    # A story: pieces may end within a word, so they are no messages.
    return [("user", "", pieces[0]), ("assistant", "", "".join(pieces[1:]))]


def _adventure(piece: str) -> tuple[Role, str, str]:
    said = piece.lstrip().removeprefix(">")
    return ("user", "", said.strip()) if piece.lstrip().startswith(">") else ("assistant", "", piece.strip())


def _instructions(text: str, settings: dict[str, Any]) -> list[tuple[Role, str, str]]:
    starts: dict[str, Role] = {}
    for tag, role, setting in _TAGS:
        own = text_in(settings.get(setting)).replace("\\n", "\n").strip()
        starts.update({one: role for one in (tag, own) if one})
    return [
        (starts.get(mark, "assistant"), "", said) for mark, said in _split(_ENDS.sub("", text), list(starts))
    ]


def _lines(text: str, settings: dict[str, Any]) -> list[tuple[Role, str, str]]:
    user = name_in(settings.get("chatname")) or "You"
    others = [name_in(one) for one in text_in(settings.get("chatopponent")).split(_CHARACTERS)]
    names = {f"\n{one}:": one for one in (user, *others) if one}
    return [
        ("user" if mark == f"\n{user}:" else "assistant", names.get(mark, ""), said)
        for mark, said in _split(f"\n{text}", list(names))
    ]


def _split(text: str, marks: list[str]) -> list[tuple[str, str]]:
    """Return the texts between marks, each with the mark before it; empty before the first."""
    longest = sorted(marks, key=len, reverse=True)
    parts = re.split("(" + "|".join(map(re.escape, longest)) + ")", text) if marks else [text]
    return [("", parts[0].strip()), *((parts[at], parts[at + 1].strip()) for at in range(1, len(parts), 2))]
