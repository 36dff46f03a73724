"""The parts of a prompt as the inspector lists them: blocks grouped by where they come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airochat.prompt.blocks import BlockReport, PromptPlan
from airochat.text import one_line

_TITLES = {
    "system": "System prompt",
    "card": "Character",
    "persona": "Persona",
    "lorebook": "Lorebook",
    "message": "Messages",
    "plugin": "Plugin",
    "prefill": "Start of the reply",
    "template": "Template marks",
}

_MOST_PIECES = 12


@dataclass(frozen=True, slots=True)
class PromptPart:
    """Blocks that are shown as one: their name, tokens in the prompt, and what became of them in words."""

    key: str
    title: str
    tokens: int
    detail: str
    pieces: tuple[tuple[str, int, str], ...] = ()
    """What a plugin has put in or left out, if it names its pieces: name, tokens, and why it is there or not."""


def part_key(source: str) -> str:
    """Return which part a source belongs to: the word before the first dot or colon; plugins each have their own."""
    if source.startswith("plugin:"):
        return ":".join(source.split(":")[:2]).split("/")[0]
    return source.replace(".", ":").split(":", 1)[0]


def prompt_parts(plan: PromptPlan) -> list[PromptPart]:
    """Return the parts of a prompt in the order of their first appearance, what was left out last."""
    keys = dict.fromkeys(part_key(segment.source) for segment in plan.segments)
    keys |= dict.fromkeys(part_key(row.source) for row in plan.report)
    counts = _counts(plan)
    parts = []
    for key in keys:
        rows = [row for row in plan.report if part_key(row.source) == key]
        parts.append(PromptPart(key, _title(key), counts[key], _detail(rows), _pieces(key, rows)))
    return parts


def _counts(plan: PromptPlan) -> Counter[str]:
    if plan.sources is not None:
        return Counter(part_key(source) for source in plan.sources)
    counts: Counter[str] = Counter()
    for row in plan.report:
        counts[part_key(row.source)] += row.tokens if row.included else 0
    return counts


def _title(key: str) -> str:
    kind, _, name = key.partition(":")
    title = _TITLES.get(kind, kind)
    return f"{title} · {one_line(name, 20)}" if name else title


def _pieces(key: str, rows: list[BlockReport]) -> tuple[tuple[str, int, str], ...]:
    named = [row for row in rows if row.source.startswith(f"{key}/")]
    return tuple(
        (
            one_line(row.source.removeprefix(f"{key}/"), 40),
            row.tokens if row.included else 0,
            one_line(row.reason if row.included else f"left out: {row.reason}", 120),
        )
        for row in named[:_MOST_PIECES]
    )


def _detail(rows: list[BlockReport]) -> str:
    if not rows:
        return ""
    kept = [row for row in rows if row.included]
    if len(rows) > 1:
        return f"{len(kept)} of {len(rows)}" if len(kept) < len(rows) else f"all {len(rows)}"
    reason = one_line(rows[0].reason, 30)
    return reason if kept else f"left out: {reason}"
