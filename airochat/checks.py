"""Checks of values that users wrote, with errors that name the setting, the value and what is allowed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from airochat.errors import SettingsError


def number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    """Raise `SettingsError` unless ``value`` is a finite (whole) number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise SettingsError(f"{name} = {value!r} is not a {'whole ' if whole else ''}number.")
    if not (math.isfinite(value) and low <= value <= high):
        raise SettingsError(f"{name} = {value!r} is out of range.", f"It must be from {low} to {high}.")


def choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise `SettingsError` unless ``value`` is one of the allowed words."""
    words = list(allowed)
    if value not in words:
        raise SettingsError(f"{name} = {value!r} is not known.", f"It must be one of: {', '.join(words)}.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that lists what is known, led by the closest match if there is one."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1)
    listed = ", ".join(words) if words else "none"
    return f"Did you mean {close[0]!r}?" if close else f"Known: {listed}."
