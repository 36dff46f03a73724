"""Closed context: an instruction that is answered from given texts alone, and summaries of one text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given, given_line, given_words
from airochat.prompt.forms.values import checked

HONESTY = "Don't make up answers if you don't know."
"""Added to an instruction; the models were trained to say then that the texts do not hold the answer."""

MARKERS = ("BEGININPUT", "BEGINCONTEXT", "ENDCONTEXT", "ENDINPUT", "BEGININSTRUCTION", "ENDINSTRUCTION")
_MARKER_LINE = re.compile(rf"^(?:{'|'.join(MARKERS)})$", re.MULTILINE)
_OPENING = re.compile(r"BEGININPUT\s+BEGINCONTEXT")
_TURN = re.compile(r"ENDINPUT\s*BEGININSTRUCTION")
_ONE_BLOCK = MARKERS[:4]
_ENDING = MARKERS[4:]


@dataclass(frozen=True, slots=True)
class Source:
    """A text to answer from, and what is known of it, such as ``date`` and ``url``; training had 0 to 8 such facts."""

    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClosedContext:
    """The texts, 1 to 4 in training, and what to do with them."""

    sources: tuple[Source, ...]
    instruction: str


def closed_context(instruction: str, *, sources: Sequence[Source], honest: bool = True) -> str:
    r"""Return the user text of a question to be answered from ``sources`` alone.

    ``honest`` adds `HONESTY` to the instruction. `FormError` if a text holds a marker: it could end its block.

    >>> blueberries = Source("Blueberries are now green.", {"date": "2021-01-01", "url": "https://web.site/123"})
    >>> print(closed_context("What color are blueberries?  Source?", sources=[blueberries]))
    BEGININPUT
    BEGINCONTEXT
    date: 2021-01-01
    url: https://web.site/123
    ENDCONTEXT
    Blueberries are now green.
    ENDINPUT
    BEGININSTRUCTION
    What color are blueberries?  Source?
    Don't make up answers if you don't know.
    ENDINSTRUCTION
    """
    if not sources:
        raise FormError("A closed context needs a text to answer from.", "Give at least one source.")
    asked = _whole(instruction, "instruction")
    lines = [line for source in sources for line in _block(source)]
    honesty = (HONESTY,) if honest and HONESTY not in asked else ()
    return "\n".join((*lines, "BEGININSTRUCTION", asked, *honesty, "ENDINSTRUCTION"))


def summarise(text: str, *, words: int = 130) -> str:
    """Return the user text that asks for a summary of around ``words`` words.

    >>> print(summarise("The ferry left at dawn.", words=5))
    BEGININPUT
    The ferry left at dawn.
    ENDINPUT
    BEGININSTRUCTION
    Summarize the input in around 5 words.
    ENDINSTRUCTION
    """
    task = f"Summarize the input in around {given_words(words)} words."
    whole = _whole(text, "text")
    return "\n".join(("BEGININPUT", whole, "ENDINPUT", "BEGININSTRUCTION", task, "ENDINSTRUCTION"))


def was_trained(text: str) -> bool:
    r"""Tell whether a text has the form that every closed context of the training data had.

    It is what the regular expression of the data's generator accepts, in linear time: blocks of input with a context,
    then one instruction block, and nothing around them but white space.

    >>> was_trained("BEGININPUT\nBEGINCONTEXT\nENDCONTEXT\nHi.\nENDINPUT\nBEGININSTRUCTION\nWho?\nENDINSTRUCTION")
    True
    >>> was_trained("BEGININPUT\nHi.\nENDINPUT\nBEGININSTRUCTION\nWho?\nENDINSTRUCTION")
    False
    """
    whole = text.strip()
    start = _OPENING.match(whole)
    context_end = whole.find("ENDCONTEXT", start.end()) if start else -1
    turn = _TURN.search(whole, context_end) if context_end >= 0 else None
    return turn is not None and whole.endswith("ENDINSTRUCTION", turn.end())


def read_closed_context(text: str) -> ClosedContext:
    """Return the parts of a closed context: each block complete and in order, then one instruction, then nothing.

    `FormError` names the first marker that is missing or out of place, or a fact that is not ``key: value``.
    """
    text = checked(text, "closed context")
    found = [(match.group(), *match.span()) for match in _MARKER_LINE.finditer(text)]
    names = [name for name, _, _ in found]
    count = names.count("BEGININPUT") or 1
    for name, wanted in zip([*names, "the end"], [*_ONE_BLOCK * count, *_ENDING, "the end"], strict=False):
        if name != wanted:
            raise FormError(
                f"The closed context has {name} where {wanted} belongs.", "Markers stand on own lines."
            )
    inside = [text[a:b].strip("\n") for (_, _, a), (_, b, _) in pairwise(found)]
    outside = (text[: found[0][1]], text[found[-1][2] :], *inside[:-1:4], *inside[3:-1:4])
    if any(piece.strip() for piece in outside):
        raise FormError("The closed context has text outside of its blocks.")
    blocks = zip(inside[1:-1:4], inside[2:-1:4], strict=True)
    return ClosedContext(tuple(Source(body, _facts(facts)) for facts, body in blocks), inside[-1])


def _block(source: Source) -> tuple[str, ...]:
    facts = [
        _whole(f"{given_line(key, 'name of a fact')}: {given_line(value, key)}", key)
        for key, value in source.facts.items()
    ]
    if any(":" in key for key in source.facts):
        raise FormError(
            "The name of a fact has a colon in it.", "Use a plain word such as date, url or title."
        )
    return ("BEGININPUT", "BEGINCONTEXT", *facts, "ENDCONTEXT", _whole(source.text, "text"), "ENDINPUT")


def _whole(text: str, what: str) -> str:
    marker = next((marker for marker in MARKERS if marker in text), "")
    if marker:
        raise FormError(
            f"The {what} contains {marker}, which would end or begin a block.", "Write that word otherwise."
        )
    return given(text, what)


def _facts(lines: str) -> dict[str, str]:
    facts: dict[str, str] = {}
    for line in lines.split("\n") if lines else ():
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise FormError(f"A line of the context is not a fact: {line[:40]!r}.", "Write it as key: value.")
        facts[key.strip()] = value.strip()
    return facts
