"""System texts that the models were trained with: short answers, knowing the date or the place, taking on a role."""

from __future__ import annotations

from datetime import date

from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given, given_line

TRIVIA = "You are a world class trivia AI - provide accurate, succinct responses."
"""With this as its system text, a model answers questions in a few words."""

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def awareness(fact: str, *, more: str = "") -> str:
    r"""Return the system text that tells a model something of the world it is asked in.

    ``more`` is a text on a line of its own, such as today's news.

    >>> awareness("The current location is Sandusky, Ohio.")
    'A chat. The current location is Sandusky, Ohio.'
    >>> awareness(todays_date(date(2023, 8, 4)), more="It rained in Ohio.")
    'A chat. The current date is August 4, 2023.\nIt rained in Ohio.'
    """
    return f"A chat. {given(fact, 'fact')}" + (f"\n{more.strip()}" if more.strip() else "")


def todays_date(day: date) -> str:
    """Return the fact of a date as it was trained, in English whatever the locale.

    >>> todays_date(date(2023, 8, 4))
    'The current date is August 4, 2023.'
    """
    return f"The current date is {_MONTHS[day.month - 1]} {day.day}, {day.year}."


def place(name: str) -> str:
    """Return the fact of a place as it was trained.

    >>> place("Sandusky, Ohio")
    'The current location is Sandusky, Ohio.'
    """
    return f"The current location is {given_line(name, 'place')}."


def role(description: str, *, name: str, stay: str = "") -> str:
    r"""Return the system text that gives every answer the style of a role.

    ``stay`` is one sentence on staying in character; the trained data had one of its own for every role.

    >>> role("Dolly is extremely rude.", name="Dolly", stay="Never be kind.")
    'You are to take on the role of: Dolly\nDolly is extremely rude.\nNever be kind.'
    """
    name = given_line(name, "name")
    return (
        f"You are to take on the role of: {name}\n{given(description, 'description')}\n{staying(name, stay)}"
    )


def staying(name: str, stay: str = "") -> str:
    """Return the sentence on staying in character: ``stay``, or the usual one.

    >>> staying("Sophia")
    'Always stay in character, responding the way Sophia would.'
    """
    return stay.strip() or f"Always stay in character, responding the way {name.strip()} would."


def trivia(text: str = "") -> str:
    """Return `TRIVIA`; the question is the user's turn, so ``text`` must be empty.

    >>> trivia()
    'You are a world class trivia AI - provide accurate, succinct responses.'
    """
    if text.strip():
        raise FormError(
            "The trivia form is a system text and takes no text of its own.",
            "Set it as the system text, and ask the question in a turn.",
        )
    return TRIVIA
