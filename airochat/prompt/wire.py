"""The prompt as text for a server that tokenises it itself and takes control tokens out of any text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airochat.prompt.blocks import PromptPlan
from airochat.templates.segment import Segment
from airochat.templates.turns import TEMPLATE

_SPELLINGS = (
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "<end_of_turn>",
)
_MARKUP = r"<[|\uff5c][^<>\s]{1,60}[|\uff5c]>"
_BREAK = "\u200b"


def wire_text(plan: PromptPlan) -> str:
    """Return the prompt without BOS in front, which the server adds, and with no control tokens but the template's.

    Spellings of control tokens in text from anyone else are broken up by an invisible character after their first one;
    before them it would not help. As the server's vocabulary is unknown, that covers the template's own and the usual.
    """
    segments = plan.segments[1:] if plan.segments and plan.segments[0].special == "bos" else plan.segments
    control = _control(segment.text for segment in plan.segments if segment.special)
    return "".join(_harmless(segment, control) for segment in segments)


def _control(spellings: Iterable[str]) -> re.Pattern[str]:
    known = sorted({*_SPELLINGS, *filter(None, spellings)}, key=len, reverse=True)
    return re.compile("|".join((*map(re.escape, known), _MARKUP)))


def _harmless(segment: Segment, control: re.Pattern[str]) -> str:
    if segment.special or segment.source == TEMPLATE:
        return segment.text
    return control.sub(lambda found: found[0][0] + _BREAK + found[0][1:], segment.text)
