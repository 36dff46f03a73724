"""Checks of what a form is built from."""

from __future__ import annotations

from airochat.prompt.forms.errors import FormError


def given(text: str, what: str) -> str:
    """Return a text without white space around it; `FormError` if nothing is left. ``what`` names it there."""
    stripped = text.strip()
    if not stripped:
        raise FormError(f"The {what} is empty.")
    return stripped


def given_line(text: str, what: str) -> str:
    """Return a text of one line as `given` does; `FormError` if it has more."""
    if "\n" in text or "\r" in text:
        raise FormError(f"The {what} has more than one line: {text[:40]!r}.")
    return given(text, what)


def given_words(words: int) -> int:
    """Return a number of words; `FormError` unless it is a whole number of one or more."""
    if isinstance(words, bool) or not isinstance(words, int) or words < 1:
        raise FormError(f"A text of {words} words cannot be asked for.", "Ask for one word or more.")
    return words
