"""One regex script, and the JSON files that hold some."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airochat.errors import UsageError
from airochat.text import one_line

USER: Final = 1
REPLY: Final = 2
LORE: Final = 5
PLACES: Final[Mapping[int, str]] = {USER: "what you say", REPLY: "replies", LORE: "lore"}
"""The numbers in ``placement`` that mean something here; 3, slash commands, does not."""
LARGEST: Final = 2_000_000
"""Bytes of a file that are read."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script; ``fields`` are those of its file, as they were."""

    name: str
    find: str
    """``/pattern/flags``, or a pattern alone."""
    replacement: str
    trim: tuple[str, ...]
    """Texts that are taken out of what was found before it is put into the replacement."""
    placement: frozenset[int]
    disabled: bool
    shown_only: bool
    prompt_only: bool
    substitute: int
    """Whether macros in ``find`` are expanded: 0 no, 1 yes, 2 yes, and their values taken literally."""
    depths: tuple[int, int | None]
    """How many messages stand below, at least and at most; counts only in the prompt."""
    fields: Mapping[str, Any]

    def applies(self, place: int, depth: int | None, *, prompt: bool = False) -> bool:
        """Return whether it changes texts of a kind: in the prompt, or as they are stored."""
        if place == LORE:
            wanted = self.prompt_only or not self.shown_only
        else:
            wanted = self.prompt_only if prompt else not (self.prompt_only or self.shown_only)
        least, most = self.depths
        fits = depth is None or (least <= depth and (most is None or depth <= most))
        return wanted and fits and place in self.placement

    @property
    def places(self) -> list[str]:
        """What it changes, in words."""
        found = [words for place, words in PLACES.items() if self.applies(place, None)]
        sent = [
            f"{PLACES[place]} in the prompt"
            for place in (USER, REPLY)
            if self.applies(place, None, prompt=True)
        ]
        return [*sent, *found]

    @property
    def idle(self) -> str:
        """Why it changes nothing here; empty if it does."""
        if self.places:
            return ""
        if self.shown_only:
            return "it changes only what is shown, which a plugin cannot"
        return "it is for nothing that there is here"


def read_script(fields: Any) -> Script:
    """Return the script that a table of a file is; `UsageError` if it is none."""
    find = fields.get("findRegex") if isinstance(fields, Mapping) else None
    if not isinstance(find, str) or not find:
        raise UsageError("There is no findRegex in it.", "A script is a table with scriptName, findRegex …")
    name = fields.get("scriptName")
    places = fields.get("placement", [REPLY])
    trim = fields.get("trimStrings")
    replacement = fields.get("replaceString")
    most = _whole(fields.get("maxDepth"))
    return Script(
        name=one_line(name, 60) if isinstance(name, str) and name.strip() else one_line(find, 60),
        find=find,
        replacement=replacement if isinstance(replacement, str) else "",
        trim=tuple(text for text in trim if isinstance(text, str) and text) if isinstance(trim, list) else (),
        placement=frozenset(place for place in places if type(place) is int)
        if isinstance(places, list)
        else frozenset(),
        disabled=fields.get("disabled") is True,
        shown_only=fields.get("markdownOnly") is True,
        prompt_only=fields.get("promptOnly") is True,
        substitute=min(2, max(0, _whole(fields.get("substituteRegex")) or 0)),
        depths=(_whole(fields.get("minDepth")) or 0, most if most is not None and most >= 0 else None),
        fields=dict(fields),
    )


def read_file(path: Path) -> tuple[list[Script], list[str]]:
    """Return the scripts of a JSON file, which holds one or a list, and what is wrong with others."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large for a file of regex scripts.")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Is its name right?") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON file.", "Export the script from SillyTavern again.") from None
    scripts, problems = read_scripts(found if isinstance(found, list) else [found])
    if not scripts:
        raise UsageError(f"{path} has no regex script.", problems[0] if problems else "")
    return scripts, problems


def read_scripts(found: Any) -> tuple[list[Script], list[str]]:
    """Return the scripts of a list, and what is wrong with others; of two of one name the second gets a number."""
    from .pattern import check

    scripts: list[Script] = []
    problems: list[str] = []
    names: set[str] = set()
    for number, fields in enumerate(found if isinstance(found, list) else [], 1):
        try:
            script = read_script(fields)
            check(script.find)
        except UsageError as error:
            problems.append(f"Script {number} was left out: {error.message}")
            continue
        if script.name.casefold() in names:
            script = read_script({**script.fields, "scriptName": f"{script.name} ({number})"})
        names.add(script.name.casefold())
        scripts.append(script)
    return scripts, problems


def _whole(value: Any) -> int | None:
    """Return a number that may be written as a text, or the truth of a yes or no; None for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:6])
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1_000_000 else None
