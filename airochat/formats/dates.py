"""The dates of other programs' chats, in the forms that they have had over the years."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Any

_LATEST = 32_503_680_000.0
"""The year 3000: a number beyond it counts milliseconds."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = re.compile(r"\d{9,14}(?:\.\d{1,9})?")
_STAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2}) ?@ ?(\d{1,2})h ?(\d{1,2})m ?(?:(\d{1,2})s)? ?(?:(\d{1,3})ms)?"
)
_WORDS = re.compile(
    r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4}),? (\d{1,2}):(\d{2})(?::(\d{2}))?\s?([ap]\.?m\.?)?", re.IGNORECASE
)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d{2}:?\d{2})?)?"
)


def seconds_of(value: Any) -> float:
    """Return a date as seconds since 1970, UTC; 0 if it is none.

    Known are seconds or milliseconds as a number or text, ISO 8601, SillyTavern's ``2023-4-21 @20h 02m 47s 124ms`` and
    ``June 19, 2023 2:20pm``, and text-generation-webui's ``May 03, 2026 14:05``. Without a zone it is the local time.

    >>> seconds_of("2024-05-01T12:00:00Z"), seconds_of(1714564800000), seconds_of("yesterday")
    (1714564800.0, 1714564800.0, 0.0)
    """
    try:
        return _seconds(value)
    except (ValueError, OverflowError, OSError):
        return 0.0


def _seconds(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(float(value))
    if not isinstance(value, str) or len(value) > 60:
        return 0.0
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _number(float(text))
    if match := _STAMP.fullmatch(text):
        year, month, day, hour, minute, second, thousandths = (int(part or 0) for part in match.groups())
        return _known(datetime(year, month, day, hour, minute, second, thousandths * 1000))
    if match := _WORDS.fullmatch(text):
        return _known(_in_words(match))
    if match := _ISO.fullmatch(text):
        return _known(_iso(match))
    return 0.0


def _number(value: float) -> float:
    if not math.isfinite(value) or value <= 0:
        return 0.0
    value = value / 1000 if value > _LATEST else value
    return value if value <= _LATEST else 0.0


def _in_words(match: re.Match[str]) -> datetime:
    month, day, year, hour, minute, second, half = match.groups()
    number = _MONTHS.index(month[:3].lower()) + 1
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    return datetime(int(year), number, int(day), hours, int(minute), int(second or 0))


def _iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro
    )
    if not zone:
        return moment
    if zone == "Z":
        return moment.replace(tzinfo=timezone.utc)
    return datetime.fromisoformat(f"{moment.isoformat()}{zone[:3]}:{zone[-2:]}")


def _known(moment: datetime) -> float:
    return _number(moment.timestamp())
