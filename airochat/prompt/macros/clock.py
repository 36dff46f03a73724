"""Dates and times as moment.js writes them, which the macros of cards expect; in English."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LOCAL = {
    "LTS": "h:mm:ss A",
    "LT": "h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "LLL": "MMMM D, YYYY h:mm A",
    "LL": "MMMM D, YYYY",
    "L": "MM/DD/YYYY",
    "llll": "ddd, MMM D, YYYY h:mm A",
    "lll": "MMM D, YYYY h:mm A",
    "ll": "MMM D, YYYY",
    "l": "M/D/YYYY",
}
"""The formats that have a name."""

TOKENS: dict[str, Callable[[datetime], str]] = {
    "YYYY": lambda t: f"{t.year:04}",
    "YY": lambda t: f"{t.year % 100:02}",
    "Y": lambda t: str(t.year),
    "Qo": lambda t: ordinal(_quarter(t)),
    "Q": lambda t: str(_quarter(t)),
    "MMMM": lambda t: MONTHS[t.month - 1],
    "MMM": lambda t: MONTHS[t.month - 1][:3],
    "MM": lambda t: f"{t.month:02}",
    "Mo": lambda t: ordinal(t.month),
    "M": lambda t: str(t.month),
    "DDDD": lambda t: f"{_day_of_year(t):03}",
    "DDDo": lambda t: ordinal(_day_of_year(t)),
    "DDD": lambda t: str(_day_of_year(t)),
    "DD": lambda t: f"{t.day:02}",
    "Do": lambda t: ordinal(t.day),
    "D": lambda t: str(t.day),
    "dddd": lambda t: DAYS[t.weekday()],
    "ddd": lambda t: DAYS[t.weekday()][:3],
    "dd": lambda t: DAYS[t.weekday()][:2],
    "do": lambda t: ordinal(t.isoweekday() % 7),
    "d": lambda t: str(t.isoweekday() % 7),
    "E": lambda t: str(t.isoweekday()),
    "e": lambda t: str(t.isoweekday() % 7),
    "GGGG": lambda t: f"{t.isocalendar()[0]:04}",
    "GG": lambda t: f"{t.isocalendar()[0] % 100:02}",
    "WW": lambda t: f"{t.isocalendar()[1]:02}",
    "Wo": lambda t: ordinal(t.isocalendar()[1]),
    "W": lambda t: str(t.isocalendar()[1]),
    "HH": lambda t: f"{t.hour:02}",
    "H": lambda t: str(t.hour),
    "hh": lambda t: f"{_half_day(t):02}",
    "h": lambda t: str(_half_day(t)),
    "kk": lambda t: f"{t.hour or 24:02}",
    "k": lambda t: str(t.hour or 24),
    "mm": lambda t: f"{t.minute:02}",
    "m": lambda t: str(t.minute),
    "ss": lambda t: f"{t.second:02}",
    "s": lambda t: str(t.second),
    "SSS": lambda t: f"{t.microsecond // 1_000:03}",
    "SS": lambda t: f"{t.microsecond // 10_000:02}",
    "S": lambda t: str(t.microsecond // 100_000),
    "A": lambda t: "AM" if t.hour < 12 else "PM",
    "a": lambda t: "am" if t.hour < 12 else "pm",
    "ZZ": lambda t: _offset(t, ""),
    "Z": lambda t: _offset(t, ":"),
    "X": lambda t: str(int(t.timestamp())),
    "x": lambda t: str(int(t.timestamp() * 1000)),
}
"""What stands for a part of the moment. Weeks are those of ISO 8601; the local weeks ``w`` and ``g`` are not there."""

_FORMAT = re.compile(
    r"\[[^\[\]]*\]|\\.|" + "|".join(sorted((*LOCAL, *TOKENS), key=len, reverse=True)), re.DOTALL
)
_STEPS = ((45, "minute", 60), (22, "hour", 3600), (26, "day", 86400))


def formatted(moment: datetime, pattern: str) -> str:
    r"""Write a moment in moment.js's tokens; text in ``[…]`` and a character after ``\`` stay as they are.

    >>> formatted(datetime(2024, 3, 1, 15, 4), "dddd, MMMM Do YYYY, [at] h:mm a")
    'Friday, March 1st 2024, at 3:04 pm'
    """

    def part(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] in "[\\":
            return token.strip("[]") if token[0] == "[" else token[1:]
        return formatted(moment, LOCAL[token]) if token in LOCAL else TOKENS[token](moment)

    return _FORMAT.sub(part, pattern)


def ordinal(count: int) -> str:
    """Return 1st, 2nd, 3rd, 4th and so on."""
    ending = "th" if count % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def humanised(span: timedelta) -> str:
    """Return a time span of either sign as one speaks of it, with the thresholds of moment.js.

    >>> humanised(timedelta(seconds=3)), humanised(timedelta(minutes=50)), humanised(timedelta(days=-50))
    ('a few seconds', 'an hour', '2 months')
    """
    seconds = abs(span.total_seconds())
    if round_half_up(seconds) < 45:
        return "a few seconds"
    for most, unit, length in _STEPS:
        count = round_half_up(seconds / length)
        if count < most:
            return _counted(max(count, 1), unit)
    days = seconds / 86400
    months = round_half_up(days * 4800 / 146097)
    if months < 11:
        return _counted(max(months, 1), "month")
    return _counted(max(round_half_up(days * 400 / 146097), 1), "year")


def round_half_up(value: float) -> int:
    """Round as JavaScript does, for values that are not negative."""
    return int(value + 0.5)


def _counted(count: int, unit: str) -> str:
    if count == 1:
        return f"an {unit}" if unit == "hour" else f"a {unit}"
    return f"{count} {unit}s"


def _quarter(t: datetime) -> int:
    return (t.month + 2) // 3


def _day_of_year(t: datetime) -> int:
    return t.timetuple().tm_yday


def _half_day(t: datetime) -> int:
    return t.hour % 12 or 12


def _offset(t: datetime, between: str) -> str:
    minutes = int((t.utcoffset() or timedelta()).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}{between}{abs(minutes) % 60:02}"
