"""The language of the user's system."""

from __future__ import annotations

import locale
import os
import re

_LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG")


def user_language() -> str:
    """Return the two small letters of the language that the user's system speaks; English if it names none."""
    said = next(filter(None, map(os.environ.get, _LOCALES)), None) or locale.getlocale()[0] or ""
    found = re.match(r"[a-z]{2}(?![a-z])", said.lower())
    return found[0] if found else "en"
