"""Prompts in colour, for a terminal and for a notebook: system text, character, messages, what the template writes."""

from __future__ import annotations

import html
from itertools import accumulate
from typing import TYPE_CHECKING

from airochat.prompt.describe import mark_spaces
from airochat.templates.turns import TEMPLATE
from airochat.text import clean

if TYPE_CHECKING:
    from rich.text import Text

    from airochat.prompt.blocks import PromptPlan

_RICH = {"special": "bold cyan", "template": "cyan", "reply": "bold yellow", "message": "", "prefill": "bold"}
_CSS = {
    "special": "color:#0e7490;font-weight:bold",
    "template": "color:#0e7490",
    "reply": "color:#b45309;font-weight:bold",
    "message": "",
    "prefill": "font-weight:bold",
}
# System text, character, lore and plugins.
_OTHER_RICH, _OTHER_CSS = "magenta", "color:#86198f"


def shown(plan: PromptPlan) -> list[tuple[str, str, str]]:
    """Return kind, text and source of each segment, safe to show, with spaces at line ends marked.

    The kind is ``special`` for a control token, ``reply`` for what the template writes after the last message, else
    the first word of the source.
    """
    segments = plan.segments
    texts = [clean(segment.text) for segment in segments]
    marked = mark_spaces("".join(texts))
    ends = list(accumulate(map(len, texts)))
    last = max((at for at, segment in enumerate(segments) if segment.source != TEMPLATE), default=-1)
    found = []
    for at, (segment, text, end) in enumerate(zip(segments, texts, ends, strict=True)):
        own = segment.source.replace(".", ":").partition(":")[0]
        kind = "special" if segment.special else "reply" if own == TEMPLATE and at > last else own
        found.append((kind, marked[end - len(text) : end], segment.source))
    return found


def rich_text(plan: PromptPlan) -> Text:
    """Return a prompt as coloured text for Rich and Textual."""
    from rich.text import Text

    return Text.assemble(*((text, _RICH.get(kind, _OTHER_RICH)) for kind, text, _ in shown(plan)))


def html_text(plan: PromptPlan) -> str:
    """Return a prompt as HTML; each stretch tells its source where the pointer rests on it."""
    spans = (
        f'<span title="{html.escape(clean(source))}" style="{_CSS.get(kind, _OTHER_CSS)}">{html.escape(text)}</span>'
        for kind, text, source in shown(plan)
    )
    size = f"{plan.size:,} tokens" + ("" if plan.tokens is not None else ", estimated")
    head = f"<div><b>{html.escape(clean(plan.template))}</b> · {size}</div>"
    return f'{head}<pre style="white-space:pre-wrap">{"".join(spans)}</pre>'
