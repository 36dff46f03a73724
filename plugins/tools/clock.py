"""The clock of the story: a day and a time that the model and the user can set and advance."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from airochat.errors import UsageError
from airochat.hooks import ChatContext

KEY = "clock"
_FORMAT = "%Y-%m-%d %H:%M"
_SPAN = re.compile(
    r"([+-]?\d{1,6})\s*(minutes?|min|m|hours?|h|days?|d|weeks?|w)\b\s*,?\s*(?:and\s+)?", re.I | re.A
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
HINT = "Write a date and a time like 1347-06-24 18:30, or a span like 2 hours 15 minutes."


def now(context: ChatContext) -> datetime | None:
    """Return the story's time on this branch; None before it is set."""
    kept = context.storage("branch").get(KEY)
    try:
        return datetime.strptime(kept, _FORMAT) if isinstance(kept, str) else None
    except ValueError:
        return None


def put(context: ChatContext, moment: datetime) -> str:
    """Set the story's time from here on, and return it in words."""
    context.storage("branch")[KEY] = written(moment)
    return told(moment)


def told(moment: datetime) -> str:
    """Return a time in words.

    >>> told(datetime(1347, 6, 24, 18, 30))
    'Saturday, 24 June 1347, 18:30 (evening)'
    """
    part = next(name for until, name in _PARTS if moment.hour < until)
    return f"{moment:%A}, {moment.day} {moment:%B} {moment.year}, {moment:%H:%M} ({part})"


def written(moment: datetime) -> str:
    """Return a time as it is kept and read.

    >>> written(datetime(87, 3, 1, 9, 5))
    '0087-03-01 09:05'
    """
    return f"{moment.year:04}-{moment:%m-%d %H:%M}"


def read_moment(text: str, before: datetime | None = None) -> datetime:
    """Return the date and time in a text; a time alone is of the day ``before``. `UsageError` if there is none."""
    text = text.strip()[:40].replace("T", " ")
    only = _TIME.fullmatch(text)
    if only and before is not None:
        text = f"{written(before)[:10]} {only[0]}"
    for form in (_FORMAT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    raise UsageError(f"{text!r} is not a date and time.", HINT)


def read_span(text: str) -> timedelta:
    """Return the span of time in a text.

    >>> read_span("1 day and 2 hours")
    datetime.timedelta(days=1, seconds=7200)
    """
    text = text.strip()[:100]
    parts = list(_SPAN.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise UsageError(f"{text[:40]!r} is not a span of time.", HINT)
    return sum((timedelta(**{_UNITS[part[2][0].lower()]: int(part[1])}) for part in parts), timedelta())


def later(moment: datetime, span: timedelta) -> datetime:
    """Return another time; `UsageError` if the calendar does not reach so far."""
    try:
        return moment + span
    except OverflowError:
        raise UsageError("The calendar ends before that.", "It has the years 1 to 9999.") from None


_PARTS = (
    (5, "night"),
    (8, "early morning"),
    (12, "morning"),
    (14, "midday"),
    (18, "afternoon"),
    (22, "evening"),
    (24, "night"),
)
