"""What a card costs in tokens, and what in it will not work as its author thinks."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airochat.characters.book import parse_book, strip_decorators
from airochat.characters.card import Card
from airochat.characters.dropped import PINNED, REPLY, dropped
from airochat.characters.read import CardFile
from airochat.characters.warning import CardWarning

CONTEXTS = (2048, 4096, 8192)
"""The context sizes, in tokens, that a card is held against."""
EXAMPLES = "mes_example"
NOTE = "depth_prompt"
"""The character's note, which cards of SillyTavern have in their extensions and which stands amid the chat."""
_SENT = (
    "description",
    "personality",
    "scenario",
    "system_prompt",
    "post_history_instructions",
    NOTE,
    "first_mes",
    EXAMPLES,
)
"""The texts of a card that reach the prompt. Notes, tags, creator and version never do."""
_LORE = "character_book"
_GREETING_SHARE = 0.25
"""The share of the smallest context above which a greeting crowds out the chat."""
_ROOM = 0.5
"""The share of a context that a card may fill before the chat has too little of it."""
_STATES = re.compile(
    "is|was|has|does|knows|likes|loves|needs|wants|means|seems|appears|looks|feels|remains|stays|owns|lives|works|"
    "belongs|exists|deserves|matters|wears|resembles|always|sometimes|perhaps|used"
)
"""Words after the user's name that say how things are, and put nothing into the user's mouth or hands."""
_USER = r"(?:\{\{user\}\}|<user>)"
_ACTS = re.compile(
    rf"(?:^|[.!?…\"”*_\n(]|\b(?:as|while|then|and)\b)[ \t]{{0,4}}({_USER}[ \t]{{1,4}}"
    r"(?:(?:slowly|quickly|quietly|softly|suddenly|just|then|finally|nervously)[ \t]{1,4})?"
    r"([a-z]{2,40}(?:s|ed)|said|spoke|took|ran|went))\b",
    re.IGNORECASE,
)
"""The user as the subject of a verb in the third person, where a sentence or a description of acts begins."""
_SPEAKS = re.compile(rf"{_USER}[*_]{{0,3}}:", re.IGNORECASE)
_LABEL = re.compile(rf"(\{{\{{char\}}\}}|{_USER}|[^\s:*\"“][^:\n*\"“]{{0,60}}):", re.IGNORECASE)
"""Who speaks, at the start of a line."""
_BLOCK = re.compile(r"<start>", re.IGNORECASE)
_MAX_PATTERN = 2000
_ONLY_PYTHON = ("bad escape", "look-behind")
"""What Python objects to in expressions that are valid in JavaScript, in which lorebooks write them."""
_REGEX = re.compile(r"/((?:\\.|[^/\\])+)/([a-z]*)")


@dataclass(frozen=True, slots=True)
class FieldTokens:
    """How many tokens a field of a card has, and which share of each of `CONTEXTS` that is (1.0 is all of it)."""

    field: str
    tokens: int
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CardReport:
    """What `lint` found: tokens of the fields that are sent, their sum, its shares of `CONTEXTS`, and findings."""

    fields: tuple[FieldTokens, ...]
    total: int
    shares: tuple[float, ...]
    findings: tuple[CardWarning, ...]
    estimated: bool
    """The tokens were estimated from the length of the texts, since no model counted them."""


def lint(file: CardFile, count: Callable[[str], int] | None = None) -> CardReport:
    """Return what a card costs and what is wrong with it and its file.

    ``count`` tells the tokens of a text by a model's tokenizer; without it they are estimated. Always-on lorebook
    entries count as sent.
    """
    card = file.card
    counter = count or estimate
    counted = [(name, counter(text)) for name, text in _sent(card) if text.strip()]
    fields = tuple(FieldTokens(name, tokens, _shares(tokens)) for name, tokens in counted)
    total = sum(field.tokens for field in fields)
    examples = [counter(text) for text in _BLOCK.split(card.mes_example) if text.strip()]
    sizes = (*_sizes(fields), *_left_out(fields, examples))
    findings = (*file.warnings, *_texts(card), *sizes, *_leaks(card), *_lore(card))
    return CardReport(fields, total, _shares(total), findings, count is None)


def estimate(text: str) -> int:
    """Return about how many tokens a text has: one for each four Latin letters, or for each other character."""
    wide = sum(1 for character in text if ord(character) > 0x2E7F)
    return wide + math.ceil((len(text) - wide) / 4)


def _sent(card: Card) -> Iterator[tuple[str, str]]:
    for name in _SENT:
        yield name, _note(card) if name == NOTE else getattr(card, name)
    if card.character_book:
        entries = parse_book(card.character_book, "")[0]["entries"]
        always = (entry for entry in entries if entry["constant"] and entry["enabled"])
        yield _LORE, "\n".join(strip_decorators(entry["content"]) for entry in always)


def _note(card: Card) -> str:
    note = card.extensions.get(NOTE)
    return str(note.get("prompt") or "") if isinstance(note, Mapping) else ""


def _shares(tokens: int) -> tuple[float, ...]:
    return tuple(tokens / size for size in CONTEXTS)


def _texts(card: Card) -> Iterator[CardWarning]:
    if not any(text.strip() for text in (card.description, card.personality, card.system_prompt)):
        yield CardWarning(
            "no-description", "The model learns nothing about the character: its description is empty."
        )
    if not card.first_mes.strip():
        yield CardWarning("no-greeting", "The card has no greeting (first_mes); the chat begins empty.")
    if card.mes_example.strip() and not _BLOCK.search(card.mes_example):
        yield CardWarning(
            "examples-without-start", "mes_example has no <START>; it is one block, kept or dropped whole."
        )


def _sizes(fields: tuple[FieldTokens, ...]) -> Iterator[CardWarning]:
    tokens = {field.field: field.tokens for field in fields}
    greeting = tokens.get("first_mes", 0)
    examples = tokens.get(EXAMPLES, 0)
    permanent = sum(tokens.values()) - greeting - examples
    for size in reversed(CONTEXTS):
        if permanent > size * _ROOM:
            message = (
                f"What is always sent, {permanent:,} tokens, leaves less than half of a context of {size:,}."
            )
            yield CardWarning("card-too-large", message)
            break
    dropped = [size for size in CONTEXTS if examples and permanent + examples > size * _ROOM]
    if dropped:
        message = (
            f"mes_example, {examples:,} tokens, is soon dropped from a context of {dropped[-1]:,} or less."
        )
        yield CardWarning("examples-too-large", message)
    if greeting > CONTEXTS[0] * _GREETING_SHARE:
        yield CardWarning(
            "greeting-too-large", f"The greeting has {greeting:,} tokens, which replies will imitate."
        )


def _left_out(fields: tuple[FieldTokens, ...], examples: list[int]) -> Iterator[CardWarning]:
    """Yield what the prompt of a new chat leaves out in each of `CONTEXTS`."""
    tokens = {field.field: field.tokens for field in fields}
    for size in CONTEXTS:
        context = f"a context of {size:,} with {REPLY} kept for the reply"
        names = dropped(tokens, examples, size - REPLY)
        if names is None:
            pinned = " and ".join(field for field in PINNED if field in tokens)
            yield CardWarning("card-does-not-fit", f"No prompt fits {context}: {pinned} cannot be left out.")
        elif names:
            yield CardWarning("fields-dropped", f"The prompt in {context} leaves out {', '.join(names)}.")


def _leaks(card: Card) -> Iterator[CardWarning]:
    """Yield where the card speaks or acts for the user, which teaches the model to do so."""
    for number, turn in enumerate(_turns_of_character(card), 1):
        what = _leak(turn)
        if what:
            message = (
                f"In mes_example, in turn {number} of the character, {what}; the model will do the same."
            )
            yield CardWarning("example-acts-for-user", message)
    greetings = (card.first_mes, *card.alternate_greetings, *card.group_only_greetings)
    for number, text in enumerate(greetings):
        what = _leak(text)
        if what:
            message = f"In greeting {number} {what}; the model will do the same."
            yield CardWarning("greeting-acts-for-user", message)


def _turns_of_character(card: Card) -> Iterator[str]:
    """Yield what the character says and does in the examples, turn by turn."""
    turn: list[str] | None = None
    for line in (*card.mes_example.split("\n"), "<START>"):
        found = _LABEL.match(line.lstrip())
        if found or _BLOCK.search(line):
            if turn:
                yield "\n".join(turn)
            own = found and not re.fullmatch(_USER, found[1].strip(), re.IGNORECASE)
            turn = [line.lstrip()[found.end() :]] if found and own else None
        elif turn:
            turn.append(line)


def _leak(text: str) -> str:
    """Return what the user does in a text of the character, or an empty text."""
    if _SPEAKS.search(text):
        return "the user speaks"
    for found in _ACTS.finditer(text):
        if not _STATES.fullmatch(found[2].lower()):
            return f"the user acts (“{found[1]}”)"
    return ""


def _lore(card: Card) -> Iterator[CardWarning]:
    if not card.character_book:
        return
    book = parse_book(card.character_book, "")[0]
    if not book["entries"]:
        yield CardWarning("book-empty", "The lorebook has no entries.")
    for number, entry in enumerate(book["entries"], 1):
        name = entry["name"] or entry["comment"] or ", ".join(entry["keys"][:2])
        place = f"Lorebook entry {number}{f' ({name[:30]})' if name else ''}"
        for code, reason in _entry(entry):
            yield CardWarning(code, f"{place} {reason}.")


def _entry(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield why an entry, or a key of it, can never have an effect."""
    content = entry["content"]
    if not entry["enabled"]:
        yield "entry-disabled", "is switched off"
        return
    if not strip_decorators(content).strip():
        yield "entry-empty", "has no text to add"
    if not entry["constant"] and not re.search(r"^@@@?(?:activate|additional_keys)\b", content, re.M):
        yield from _keys(entry)


def _keys(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    keys, secondary = entry["keys"], entry["secondary_keys"]
    if not keys:
        yield "entry-without-keys", "has no keys and is not always on, so it never appears"
    for key in (*keys, *secondary):
        if _broken_regex(key, entry["use_regex"]):
            yield "key-bad-regex", f"has the key {key[:40]!r}, which is not a valid regular expression"
    if secondary and not entry["selective"]:
        yield "secondary-without-selective", "has secondary keys but is not selective, so they do nothing"
    if entry["selective"] and secondary and entry["use_regex"]:
        yield (
            "secondary-with-regex",
            "has secondary keys, which do nothing where keys are regular expressions",
        )


def _broken_regex(key: str, regex: bool) -> bool:
    found = _REGEX.fullmatch(key)
    if not found:
        return regex and key.startswith("/")
    # JavaScript's own ways of writing what Python has too.
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", found[1]).replace("[^]", r"[\s\S]")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern[:_MAX_PATTERN])
    except re.error as error:
        return not error.msg.startswith(_ONLY_PYTHON)
    except (OverflowError, RecursionError):
        return True
    return bool(set(found[2]) - set("dgimsuvy"))
