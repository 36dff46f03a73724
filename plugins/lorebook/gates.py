"""What holds an entry off or on before any key is looked at."""

from __future__ import annotations

from typing import Final

from .entry import Entry
from .scene import Cause, Scene

_ALIKE: Final = {"swipe": {"swipe", "regenerate"}}
"""Words for the same, here: the tree of messages keeps what was there before."""


def barred(entry: Entry, scene: Scene) -> str:
    """Return why an entry cannot be on in this scene, or an empty text."""
    if not entry.enabled:
        return "is disabled in its book"
    if entry.key in scene.held_back:
        return scene.held_back[entry.key]
    if entry.triggers and not _ALIKE.get(scene.trigger, {scene.trigger}) & set(entry.triggers):
        return f"is only for {', '.join(entry.triggers)}, and this is {scene.trigger}"
    who = _wrong_character(entry, scene)
    if who:
        return who
    count = len(scene.said)
    if entry.delay and count < entry.delay:
        return f"is delayed until there are {entry.delay} messages, and there are {count}"
    if entry.key in scene.timed.cooling and entry.key not in scene.timed.sticky:
        return f"is cooling down for {_messages(scene.timed.cooling[entry.key])} more"
    return _by_decorators(entry, scene)


def held_on(entry: Entry, scene: Scene) -> Cause | None:
    """Return why an entry is on without a key, if it is."""
    marks = entry.decorators
    if marks.activate:
        return Cause("decorator")
    if entry.key in scene.forced:
        return Cause("forced")
    if entry.constant:
        return Cause("constant")
    if entry.key in scene.timed.sticky:
        return Cause("sticky", also=_messages(scene.timed.sticky[entry.key]))
    if marks.keep_after_match and entry.key in scene.timed.matched:
        return Cause("kept")
    return None


def _wrong_character(entry: Entry, scene: Scene) -> str:
    for wanted, there in ((entry.names, scene.names), (entry.tags, scene.tags)):
        if not wanted:
            continue
        here = {one.casefold() for one in there}
        is_one = any(one.casefold() in here for one in wanted)
        if is_one == entry.exclude:
            return f"is {'not' if entry.exclude else 'only'} for {', '.join(wanted[:4])}"
    return ""


def _by_decorators(entry: Entry, scene: Scene) -> str:
    marks = entry.decorators
    if marks.never and not marks.activate:
        return "is off by @@dont_activate"
    if scene.replies < marks.only_after:
        return f"waits for {marks.only_after} replies, and there are {scene.replies}"
    if marks.every and scene.replies % marks.every:
        return f"is on at every {marks.every}th reply, and this is number {scene.replies}"
    if marks.greeting is not None and scene.greeting != marks.greeting:
        return f"is only for greeting {marks.greeting}"
    if marks.never_after_match and entry.key in scene.timed.matched:
        return "has matched once and does not again"
    return ""


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
