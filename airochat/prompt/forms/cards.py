"""Having a model invent a card: a character or anything else, as one line for each attribute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given_line
from airochat.prompt.forms.values import checked

CHARACTER: Mapping[str, str] = {
    "Name": "The name of the character.",
    "Description": "Who the character is, in a few sentences.",
    "Personality": "How the character thinks, feels and speaks.",
    "Scenario": "Where the character is met, and what happens there.",
    "Greeting": "What the character says first.",
}
"""Attributes that make a character card."""

_PLAIN = (
    "Only include the attributes specified in the response, and don't use any special formatting, just output:\n"
    "[attribute key]: [randomly generated value for attribute]"
)


def random_card(thing: str = "", *, attributes: Mapping[str, str] | None = None, plain: bool = True) -> str:
    """Return the user text that asks for a card with these attributes and what each means.

    ``thing`` is what the card is of; empty is what was trained most, ``model card for a new character``. ``plain``
    adds the request for lines alone, which `read_card_lines` reads.

    >>> print(random_card(attributes={"Name": "The name.", "Race": "The family it belongs to."}))
    Please generate a random model card for a new character. Attributes to populate:
    <BLANKLINE>
    Name: The name.
    Race: The family it belongs to.
    <BLANKLINE>
    Only include the attributes specified in the response, and don't use any special formatting, just output:
    [attribute key]: [randomly generated value for attribute]
    """
    wanted = CHARACTER if attributes is None else attributes
    if not wanted:
        raise FormError("A card needs attributes.", "Name at least one.")
    lines = [_attribute(key, meaning) for key, meaning in wanted.items()]
    head = f"Please generate a random {thing.strip() or 'model card for a new character'}. Attributes to populate:\n\n"
    return head + "\n".join(lines) + (f"\n\n{_PLAIN}" if plain else "")


def read_card_lines(answer: str, attributes: Iterable[str]) -> dict[str, str]:
    r"""Return the value of every attribute; `FormError` names those that are missing.

    Case, bold type and list marks do not matter; lines after an attribute belong to it. The first mention counts.

    >>> read_card_lines("Sure!\n**Name:** Faelock\nRace: Fox\nof the north", ["Name", "Race"])
    {'Name': 'Faelock', 'Race': 'Fox\nof the north'}
    """
    keys = list(attributes)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in checked(answer, "card").split("\n"):
        key, value = _key_of(line, keys)
        if key and key not in found:
            current = found[key] = [value]
        else:
            current.append(line)
    missing = [key for key in keys if key not in found]
    if missing:
        raise FormError(
            f"The card lacks {', '.join(missing)}.", "Generate it again, or ask for fewer attributes."
        )
    return {key: "\n".join(found[key]).strip() for key in keys}


def _key_of(line: str, keys: list[str]) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    plain = name.strip().strip("*-# ").casefold()
    key = next((key for key in keys if colon and key.casefold() == plain), "")
    return key, value.lstrip("*").strip()


def _attribute(key: str, meaning: str) -> str:
    if not re.fullmatch(r"[^\s:*#-](?:[^\n:]*[^\s:*#-])?", key):
        raise FormError(f"{key!r} is not the name of an attribute.", "Use plain words without a colon.")
    return f"{key}: {given_line(meaning, f'meaning of the attribute {key}')}"
