"""How cards are printed: rows of the list, the page of one card, and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import print_table
from airochat.language import user_language
from airochat.text import clean, one_line

if TYPE_CHECKING:
    from airochat.characters import Card, CardFile, CardWarning
    from airochat.characters.lint import CardReport
    from airochat.store import CardEntry

_TITLES = ("", "FILE", "NAME", "BY", "TAGS", "NOTES")
_FIELDS = (
    ("description", "Description"),
    ("personality", "Personality"),
    ("scenario", "Scenario"),
    ("first_mes", "Greeting"),
    ("alternate_greetings", "Other greetings"),
    ("group_only_greetings", "Greetings for groups"),
    ("mes_example", "Example dialogue"),
    ("system_prompt", "System prompt"),
    ("post_history_instructions", "After the history"),
)
"""The fields that are printed in full, and their headings."""
"""The variables that set the language of messages (POSIX), the strongest first.

They come before what Python found, which is English for the C locale that a language without its locale installed has.
"""


def entry_facts(entry: CardEntry) -> dict[str, Any]:
    """Return what the library tells of a card as JSON values."""
    return dataclasses.asdict(entry)


def warning_facts(warnings: Iterable[CardWarning]) -> list[dict[str, str]]:
    """Return warnings as JSON values."""
    return [dataclasses.asdict(warning) for warning in warnings]


def print_entries(entries: Iterable[CardEntry]) -> None:
    """Print cards as a table."""
    rows = [_row(entry) for entry in entries]
    if rows:
        print_table([_TITLES, *rows])


def card_facts(file: CardFile, entry: CardEntry | None) -> dict[str, Any]:
    """Return all of a card as JSON values: its fields as airochat understands them."""
    from airochat.characters.forms import json_value

    card = file.card
    names = [field.name for field in dataclasses.fields(card) if field.name != "raw"]
    return {
        "file": file.name,
        "form": file.form,
        "size": len(file.content),
        "warnings": warning_facts(file.warnings),
        "entry": entry_facts(entry) if entry else None,
        "fields": {name: json_value(getattr(card, name)) for name in names},
    }


def card_text(file: CardFile, entry: CardEntry | None) -> str:
    """Return a card as a page for the terminal: what its creator notes first, then the fields that it has."""
    card = file.card
    parts = [_head(file, entry)]
    if notes := card.notes(user_language()).strip():
        parts.append(f"From the creator\n{_indented(notes)}")
    parts += [f"{title}\n{_indented(text)}" for title, text in _sections(card)]
    return "\n\n".join(parts)


def report_facts(found: CardReport) -> dict[str, Any]:
    """Return what `lint` found as JSON values; ``shares`` are of the contexts in ``contexts``, 1.0 being all."""
    from airochat.characters.lint import CONTEXTS

    return {**dataclasses.asdict(found), "contexts": list(CONTEXTS)}


def print_report(name: str, found: CardReport, model: str | None) -> None:
    """Print what `lint` found: the tokens of each field and their share of some contexts, then the findings."""
    from airochat.characters.lint import CONTEXTS

    how = "estimated; --model counts them" if found.estimated else f"counted with {model}"
    click.echo(one_line(f"{name}: tokens {how}", 200))
    rows = [("", "TOKENS", *(f"OF {size}" for size in CONTEXTS))]
    counts = [(one.field, one.tokens, one.shares) for one in found.fields]
    for field, tokens, shares in [*counts, ("all of it", found.total, found.shares)]:
        rows.append((field, f"{tokens:,}", *(f"{share:.1%}" for share in shares)))
    print_table(rows)
    for finding in found.findings:
        click.echo(clean(f"- {finding.message} [{finding.code}]"))
    if not found.findings:
        click.echo("Nothing is wrong with it.")


def _row(entry: CardEntry) -> tuple[str, ...]:
    marks = ("*" if entry.favourite else "") + ("+" if entry.edited else "")
    if entry.error:
        return (marks, one_line(entry.id, 40), "", "", "", "cannot be read")
    tags = one_line(", ".join(entry.tags), 30)
    name, creator = one_line(entry.name, 30), one_line(entry.creator, 16)
    return (marks, one_line(entry.id, 40), name, creator, tags, one_line(entry.notes, 60))


def _head(file: CardFile, entry: CardEntry | None) -> str:
    card = file.card
    called = f"{card.name} ({card.nickname})" if card.nickname.strip() else card.name
    state = [word for word, true in _states(entry) if true]
    facts = [f"by {card.creator}"] if card.creator.strip() else []
    facts += [f"version {card.character_version}"] if card.character_version.strip() else []
    facts += [f"{file.form}, {len(file.content):,} bytes", *state]
    lines = [one_line(called, 200), one_line(" · ".join(facts), 200)]
    lines += [f"Tags: {one_line(', '.join(card.tags), 400)}"] if card.tags else []
    lines += [f"Dates: {dates}"] if (dates := _dates(card)) else []
    return "\n".join(lines)


def _states(entry: CardEntry | None) -> list[tuple[str, object]]:
    if entry is None:
        return []
    persona = f"you are {entry.persona}"
    return [("changed by you", entry.edited), ("favourite", entry.favourite), (persona, entry.persona)]


def _sections(card: Card) -> Iterator[tuple[str, str]]:
    for name, title in _FIELDS:
        value = getattr(card, name)
        if isinstance(value, str):
            if value.strip():
                yield title, value
        else:
            yield from ((f"{title}, {number} of {len(value)}", text) for number, text in enumerate(value, 1))
    if card.assets:
        yield "Assets", "\n".join(one_line(f"{one.type} {one.name}: {one.uri}", 100) for one in card.assets)
    if card.character_book is not None:
        entries = card.character_book.get("entries")
        count = len(entries) if isinstance(entries, (list, dict)) else 0
        yield "Lorebook", f"{count} {'entry' if count == 1 else 'entries'}"
    if card.extensions:
        yield "Kept for other programs", ", ".join(map(str, card.extensions))


def _dates(card: Card) -> str:
    dates = (("made", card.creation_date), ("changed", card.modification_date))
    return ", ".join(f"{word} {_day(date)}" for word, date in dates if date)


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"at {seconds} seconds since 1970"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in clean(text).strip("\n").split("\n"))
