"""The time, in many forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from airochat.prompt.macros.call import Macro, Site
from airochat.prompt.macros.clock import MONTHS, formatted, humanised

_ZONE = re.compile(r"(?:utc)?\s*([+-])([0-9]{1,3})(?::([0-9]{2}))?", re.IGNORECASE | re.ASCII)
_DATE = re.compile(
    r"(?:(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})"
    r"|(?P<word>[A-Za-z]{3,9})\.?\s+(?P<date>[0-9]{1,2})(?:st|nd|rd|th)?,?\s+(?P<of>[0-9]{4}))[T,\s]*",
    re.ASCII,
)
_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?)?"
    r"(?:\s*(?P<half>[AaPp][Mm]))?(?:\s*(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2}))?",
    re.ASCII,
)
_MONTHS = {month[:3].lower(): number for number, month in enumerate(MONTHS, 1)}
_MOST_MINUTES = 24 * 60 - 1
_MOST_SECONDS = 1e11


def _as(pattern: str) -> Callable[[Site], str]:
    return lambda site: formatted(site.scope.now(), pattern)


def _time(site: Site) -> str | None:
    return _in_zone(site) if site.parts else formatted(site.scope.now(), "LT")


def _in_zone(site: Site) -> str | None:
    zone = _ZONE.fullmatch(site.argument().strip())
    if not zone:
        return None
    # moment.js takes numbers below 16 for hours and larger ones for minutes.
    count = int(zone[2])
    minutes = count * 60 + int(zone[3] or 0) if count < 16 else count
    if minutes > _MOST_MINUTES:
        return None
    offset = timedelta(minutes=-minutes if zone[1] == "-" else minutes)
    return formatted(site.scope.now().astimezone(timezone(offset)), "LT")


def _format(site: Site) -> str:
    return formatted(site.scope.now(), site.argument().strip())


def _difference(site: Site) -> str | None:
    first, second = (moment(site.argument(number), site.scope.now()) for number in (0, 1))
    if first is None or second is None:
        return None
    span = first - second
    return f"in {humanised(span)}" if span >= timedelta() else f"{humanised(span)} ago"


def _idle(site: Site) -> str:
    message = site.macros.newest("user", 1)
    if message is None:
        return "just now"
    seconds = site.scope.now().timestamp() - message.created
    return humanised(timedelta(seconds=min(max(0.0, seconds), _MOST_SECONDS)))


def moment(text: str, now: datetime) -> datetime | None:
    """Read a moment: a date, a time of today, or both; in figures or as the macros write them.

    >>> moment("2024/5/11 12:30", datetime(2024, 1, 1)), moment("May 11, 2024 1:05 PM", datetime(2024, 1, 1))
    (datetime.datetime(2024, 5, 11, 12, 30), datetime.datetime(2024, 5, 11, 13, 5))
    """
    text = text.strip()
    date = _DATE.match(text)
    clock = _TIME.fullmatch(text, date.end() if date else 0)
    if not clock and not (date and date.end() == len(text)):
        return None
    try:
        day = _day(date, now) if date else now
        return _at(day, clock)
    except (ValueError, KeyError, OverflowError):
        return None


def _day(date: re.Match[str], now: datetime) -> datetime:
    if date["year"]:
        return now.replace(year=int(date["year"]), month=int(date["month"]), day=int(date["day"]))
    return now.replace(year=int(date["of"]), month=_MONTHS[date["word"][:3].lower()], day=int(date["date"]))


def _at(day: datetime, clock: re.Match[str] | None) -> datetime:
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
    if not clock:
        return day
    hour = int(clock["hour"])
    if clock["half"]:
        hour = hour % 12 + (12 if clock["half"].lower() == "pm" else 0)
    day = day.replace(hour=hour, minute=int(clock["minute"]), second=int(clock["second"] or 0))
    return day.replace(tzinfo=_zone(clock["zone"])) if clock["zone"] else day


def _zone(text: str) -> timezone:
    if text == "Z":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _macro(name: str, pattern: str, summary: str) -> Macro:
    return Macro(names=(name,), usage=f"{{{{{name}}}}}", summary=summary, run=_as(pattern))


MACROS = (
    Macro(
        names=("time",),
        usage="{{time}}, {{time::UTC+2}}",
        summary="the time, as 3:04 PM",
        run=_time,
        high=1,
    ),
    Macro(
        names=("time_UTC",),
        usage="{{time_UTC+2}}",
        summary="the time at so many hours from UTC",
        run=_in_zone,
        low=1,
        high=1,
    ),
    _macro("date", "LL", "the date, as March 1, 2024"),
    _macro("weekday", "dddd", "the day of the week"),
    _macro("isotime", "HH:mm", "the time, as 15:04"),
    _macro("isodate", "YYYY-MM-DD", "the date, as 2024-03-01"),
    Macro(
        names=("datetimeformat",),
        usage="{{datetimeformat DD.MM.YYYY HH:mm}}",
        summary="the moment in the tokens of moment.js",
        run=_format,
        low=1,
        high=1,
    ),
    Macro(
        names=("timeDiff",),
        usage="{{timeDiff::a::b}}",
        summary="how a lies to b, as in 2 hours or 3 days ago",
        run=_difference,
        low=2,
        high=2,
    ),
    Macro(
        names=("idle_duration", "idleDuration"),
        usage="{{idle_duration}}",
        summary="how long ago the user's message before the newest message was",
        run=_idle,
    ),
)
"""Macros about time."""
