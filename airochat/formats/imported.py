"""What every importer of prompt templates gives, and how they read the marks of other programs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airochat.templates.segment import Segment

CONTROL = re.compile(r"</?s>|<(?:bos|eos|start_of_turn|end_of_turn)>|<\|[^<>|\s]{1,60}\|>")
"""Spellings that stand for one control token in the templates of other programs."""

SPELLING = {"bos": "<s>", "eos": "</s>"}
_NAMES = {spelling: name for name, spelling in SPELLING.items()}


@dataclass(frozen=True, slots=True)
class ImportedTemplate:
    """A template of another program as a template file, and what of it got lost or may surprise."""

    title: str
    toml: str
    warnings: tuple[str, ...] = ()


def special_name(spelling: str) -> str:
    """Return how a template file names a control token: ``bos`` and ``eos`` are whatever the model has for them."""
    return _NAMES.get(spelling, spelling)


def marks(text: str) -> tuple[Segment, ...]:
    r"""Return a text of another program as segments, its control tokens apart.

    >>> [segment.special for segment in marks("<|im_end|>\\n")]
    ['<|im_end|>', None]
    """
    found: list[Segment] = []
    done = 0
    for match in CONTROL.finditer(text):
        found += [Segment(text[done : match.start()]), Segment(match[0], special_name(match[0]))]
        done = match.end()
    found.append(Segment(text[done:]))
    return tuple(segment for segment in found if segment.text)


def stops(*texts: str) -> tuple[str, ...]:
    """Return stop texts without repeats, without those that are control tokens or blank."""
    wanted = (text for text in texts if text.strip() and not CONTROL.fullmatch(text.strip()))
    return tuple(dict.fromkeys(wanted))
