"""Prompt plans for people and programs: JSON, text with everything visible, and a table of tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from airochat.prompt.blocks import PromptPlan
from airochat.prompt.tokens import Tokenizer
from airochat.text import clean

TRAILING = "·"
"""What stands for a space at the end of a line, where it could not be seen."""


def plan_json(
    plan: PromptPlan, tokenizer: Tokenizer | None = None, confidence: str = "", reasons: Sequence[str] = ()
) -> dict[str, Any]:
    r"""Return a plan as JSON values; ``tokens`` is None without a model.

    ``segments`` joined are the exact prompt. Bytes of a piece that are no whole character are written ``\xNN``.
    """
    return {
        "template": {"name": plan.template, "confidence": confidence, "reasons": list(reasons)},
        "segments": [
            {"text": part.text, "special": part.special, "source": part.source} for part in plan.segments
        ],
        "tokens": None if plan.tokens is None or tokenizer is None else _token_rows(plan, tokenizer),
        "stop": list(plan.stop),
        "report": [dataclasses.asdict(row) for row in plan.report],
    }


def visible_text(plan: PromptPlan) -> str:
    """Return the prompt for a screen: spaces at line ends marked, nothing in it that could steer a terminal."""
    return mark_spaces(clean(plan.text))


def mark_spaces(text: str) -> str:
    """Return a text with `TRAILING` for every space at the end of a line."""
    return re.sub(r" +$", lambda spaces: TRAILING * len(spaces[0]), text, flags=re.MULTILINE)


def token_table(plan: PromptPlan, tokenizer: Tokenizer) -> str:
    """Return a line for each token: its number, id, piece and source; `plan.tokens` must not be None."""
    rows = _token_rows(plan, tokenizer)
    wide = max((len(repr(row["piece"])) for row in rows), default=0)
    return "\n".join(
        f"{number:>6}  {row['id']:>7}  {clean(repr(row['piece'])):<{min(wide, 32)}}  {clean(row['source'])}"
        for number, row in enumerate(rows)
    )


def _token_rows(plan: PromptPlan, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    tokens, sources = plan.tokens or (), plan.sources or ()
    pieces = tokenizer.pieces(tokens)
    return [
        {"id": token, "piece": piece.decode("utf-8", "backslashreplace"), "source": source}
        for token, piece, source in zip(tokens, pieces, sources, strict=True)
    ]
