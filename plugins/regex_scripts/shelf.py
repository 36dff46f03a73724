"""Which scripts a chat has, and running them.

What is kept: scripts as in their files, in ``scripts`` everywhere or of a chat; for a card, in ``allowed`` the digests
of scripts that may run, and in ``off`` the names of those that are switched off; everywhere, in ``stopped`` by
``findRegex`` why a script was switched off.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from airochat.checks import did_you_mean
from airochat.errors import UsageError
from airochat.hooks import ChatContext
from airochat.text import one_line

from .pattern import Ready, Stopped
from .script import LORE, Script, read_script, read_scripts

Place = Literal["global", "card", "chat"]
ALL_SECONDS: Final = 2.0
"""What all scripts together may take at once; then the rest stays as it is."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A script, where it belongs, and why it does not run; ``off`` is empty if it does."""

    script: Script
    place: Place
    off: str = ""


def scripts(context: ChatContext) -> list[Shelved]:
    """Return all scripts in the order in which they run: everywhere, of the cards, of this chat."""
    found = [("global", script, "") for script in kept(context, "global")]
    found += [("card", script, off) for script, off in of_cards(context)]
    found += [("chat", script, "") for script in kept(context, "chat")]
    stopped = _table(context.storage("global").get("stopped"))
    result = []
    for place, script, off in found:
        off = off or stopped.get(script.find, "") or ("switched off" if script.disabled else "")
        result.append(Shelved(script, place, off))  # type: ignore[arg-type]
    return result


def kept(context: ChatContext, place: Literal["global", "chat"]) -> list[Script]:
    """Return the scripts that were added everywhere, or in this chat."""
    return [read_script(fields) for fields in context.storage(place).get("scripts", [])]


def keep(context: ChatContext, place: Literal["global", "chat"], new: list[Script]) -> None:
    """Add scripts, in the place of others of the same names."""
    names = {script.name.casefold() for script in new}
    others = [script for script in kept(context, place) if script.name.casefold() not in names]
    context.storage(place)["scripts"] = [dict(script.fields) for script in (*others, *new)]


def remove(context: ChatContext, one: Shelved) -> None:
    """Take a script away; `UsageError` for one of a card, which stays what it is."""
    if one.place == "card":
        raise UsageError(f"{one.script.name} is part of a card.", "/regex off NAME switches it off.")
    others = [script for script in kept(context, one.place) if script.name != one.script.name]
    context.storage(one.place)["scripts"] = [dict(script.fields) for script in others]


def switch(context: ChatContext, one: Shelved, on: bool) -> None:
    """Switch a script on or off; on takes back that it took too long."""
    stopped = _table(context.storage("global").get("stopped"))
    if on and one.script.find in stopped:
        context.storage("global")["stopped"] = {
            find: why for find, why in stopped.items() if find != one.script.find
        }
    if one.place == "card":
        place = context.storage("card")
        others = [name for name in place.get("off", []) if name != one.script.name]
        place["off"] = others if on else [*others, one.script.name]
        return
    changed = [
        {**script.fields, "disabled": not on} if script.name == one.script.name else dict(script.fields)
        for script in kept(context, one.place)
    ]
    context.storage(one.place)["scripts"] = changed


def of_cards(context: ChatContext) -> list[tuple[Script, str]]:
    """Return the scripts of the characters, each with why it does not run."""
    place = context.storage("card")
    found = []
    for card in context.cards:
        own, _ = read_scripts(card.extensions.get("regex_scripts"))
        allowed = not own or digest(own) in place.get("allowed", [])
        for script in own:
            off = "switched off" if script.name in place.get("off", []) else ""
            found.append((script, off if allowed else f"from the card of {card.called}, not allowed yet"))
    return found


def digest(own: list[Script]) -> str:
    """Return what tells these scripts from changed ones."""
    written = json.dumps([dict(script.fields) for script in own], sort_keys=True, default=str)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()


def allow(context: ChatContext, yes: bool) -> list[str]:
    """Let the scripts of the cards run, or not; return their names."""
    found = [read_scripts(card.extensions.get("regex_scripts"))[0] for card in context.cards]
    context.storage("card")["allowed"] = [digest(own) for own in found if own] if yes else []
    return [script.name for own in found for script in own]


def find(context: ChatContext, words: str) -> tuple[Shelved, str]:
    """Return the script whose name, in quotes or not, or number a text begins with, and what stands behind it."""
    every = scripts(context)
    words = words.strip()
    if words.startswith('"') and '"' in words[1:]:
        wanted, _, rest = words[1:].partition('"')
        hits = [one for one in every if one.script.name.casefold() == wanted.strip().casefold()]
        if hits:
            return hits[-1], rest.strip()
    folded = f"{words} ".casefold()
    hits = [one for one in every if folded.startswith(f"{one.script.name} ".casefold())]
    if hits:
        longest = max(hits, key=lambda one: len(one.script.name))
        return longest, words[len(longest.script.name) :].strip()
    number, _, rest = words.partition(" ")
    if number.isdecimal() and 1 <= int(number[:6]) <= len(every):
        return every[int(number[:6]) - 1], rest.strip()
    hint = did_you_mean(words, [one.script.name for one in every])
    raise UsageError(f"There is no regex script {one_line(words, 60)!r}.", hint)


def run(context: ChatContext, place: int, texts: Sequence[tuple[str, int | None]]) -> list[str]:
    """Return texts, each given with its depth, after all scripts that run have changed them.

    A script that takes too long is switched off, and the texts go on without it. Of a message something stays.
    """
    runner = Runner(context)
    result = []
    for text, depth in texts:
        changed = runner.changed(text, place, depth)[0]
        result.append(changed if changed.strip() or place == LORE else text)
    return result


class Runner:
    """The scripts of a chat that run, for some texts one after the other; together they have `ALL_SECONDS`."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self._running: list[Ready] = []
        self._until = time.monotonic() + ALL_SECONDS
        for one in scripts(context):
            if not one.off:
                try:
                    self._running.append(Ready(one.script, context.expand))
                except Stopped as reason:
                    stop(context, one.script, str(reason))

    @property
    def count(self) -> int:
        """How many scripts still run."""
        return len(self._running)

    @property
    def deepest(self) -> int:
        """The depth from which on all texts of a kind are changed by the same scripts."""
        bounds = (bound for one in self._running for bound in one.script.depths)
        return max((bound + 1 for bound in bounds if bound is not None), default=0)

    def fitting(self, place: int, depth: int | None, *, prompt: bool = False) -> list[Ready]:
        """Return the scripts for a text, in their order."""
        return [one for one in self._running if one.script.applies(place, depth, prompt=prompt)]

    def changed(self, text: str, place: int, depth: int | None, *, prompt: bool = False) -> tuple[str, bool]:
        """Return a text as the scripts change it, and whether all of them did their part."""
        whole = True
        for one in self.fitting(place, depth, prompt=prompt):
            seconds = min(self._context.settings["milliseconds"] / 1000, self._until - time.monotonic())
            if seconds <= 0:
                return text, False
            try:
                changed = one.on(text, seconds)
            except Stopped as reason:
                stop(self._context, one.script, str(reason))
                self._running.remove(one)
                whole = False
                continue
            text = changed if prompt or changed.strip() or place == LORE else text
        return text, whole


def stop(context: ChatContext, script: Script, why: str) -> None:
    """Switch a script off since it cannot be run."""
    context.log.warning("The regex script %s was switched off: %s.", script.name, why)
    stopped = _table(context.storage("global").get("stopped"))
    context.storage("global")["stopped"] = {**stopped, script.find: f"switched off, since {why}"}


def _table(found: Any) -> Mapping[str, str]:
    return found if isinstance(found, dict) else {}
