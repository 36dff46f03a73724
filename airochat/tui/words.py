"""Numbers and times as the screens write them."""

from __future__ import annotations

import time

from airochat.store import SessionSummary
from airochat.templates import OWN

_DAY = 86_400


def tokens(count: int) -> str:
    """Write a token count shortly: ``412``, ``5.2k``, and ``8k`` for the powers of two that contexts have."""
    if count < 1000:
        return str(count)
    if count % 1024 == 0:
        return f"{count // 1024}k"
    return f"{count / 1000:.1f}".removesuffix(".0") + "k"


def rate(tokens_per_s: float) -> str:
    """Write a speed: ``31 tokens/s``, and one more digit below ten."""
    return f"{tokens_per_s:.{0 if tokens_per_s >= 9.95 else 1}f} tokens/s"


def clock(seconds: float, now: float | None = None) -> str:
    """Write when a message was made, in local time: the hour today, else the day too. Nothing for 0."""
    if not seconds:
        return ""
    then, today = time.localtime(seconds), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%d %b %H:%M" if then[0] == today[0] else "%d %b %Y", then)


def age(seconds: float, now: float) -> str:
    """Name the group of a session list in which something of this time belongs."""
    days = _midnight(now) - _midnight(seconds)
    if days < 1:
        return "today"
    return "this week" if days < 7 else "earlier"


def _midnight(seconds: float) -> int:
    local = time.localtime(seconds)
    return int((seconds + local.tm_gmtoff) // _DAY)


def template(name: str) -> str:
    """Name a template shortly."""
    return "own template" if name == OWN else name


def count(number: int, what: str) -> str:
    """Write a number with its noun: ``1 message``, ``2,140 messages``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def session_title(summary: SessionSummary) -> str:
    """Return the title of a session as lists show it."""
    return summary.title or "new chat"
