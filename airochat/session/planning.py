"""From what a session wants to say to a prompt for the loaded model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from airochat.backends.base import ModelInfo
from airochat.conversation import Message
from airochat.errors import TemplateError
from airochat.prompt import Block, PromptPlan, Staged, Tokenizer, assemble
from airochat.prompt.blocks import MESSAGE, BlockReport
from airochat.sampling import Sampling
from airochat.templates import OWN, Choice, Goal, Template

FALLBACK = "chatml"
"""The template used when the model's own one fails."""

_UNKNOWN_CONTEXT = 4096
"""Tokens assumed for a context whose size nobody told."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a prompt is made of, before the model is looked at."""

    history: Sequence[Message]
    stage: Callable[[Template], Staged]
    """Brings cards and persona into the form that a template knows."""
    blocks: Sequence[Block]
    """What plugins add."""
    system: str
    """The system prompt, if the blocks bring none; may be empty."""
    choice: Choice
    fallback: Template
    goal: Goal = "reply"
    prefill: str = ""
    change: Callable[[list[Block]], list[Block]] = list
    """What plugins do to all blocks."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What the report says of messages beyond the usual, by their ids."""
    names: tuple[str, ...] = ()
    """Who else has spoken; a reply of a character ends where one of them would begin to speak, too."""


def write(
    wanted: Wanted, info: ModelInfo, tokenizer: Tokenizer | None, sampling: Sampling
) -> tuple[PromptPlan, Template]:
    """Return the prompt and the template that wrote it.

    Doubts about the template are warnings of the plan. A model's own template may refuse a conversation; then the
    fallback writes it, and a warning says so.
    """
    doubts, template = wanted.choice.doubts, wanted.choice.template
    try:
        plan, used = _assemble(wanted, template, info, tokenizer, sampling)
    except TemplateError as error:
        if template.name != OWN:
            raise
        plan, used = _assemble(wanted, wanted.fallback, info, tokenizer, sampling)
        doubts += (f"The model's own template failed, so {wanted.fallback.name} is used: {error.message}",)
    return dataclasses.replace(plan, warnings=(*doubts, *plan.warnings)), used


def _assemble(
    wanted: Wanted, template: Template, info: ModelInfo, tokenizer: Tokenizer | None, sampling: Sampling
) -> tuple[PromptPlan, Template]:
    n_ctx = info.n_ctx or _UNKNOWN_CONTEXT
    staged = wanted.stage(template)
    plan = assemble(
        wanted.change([*staged.blocks, *wanted.blocks]),
        wanted.history,
        staged.template,
        tokenizer=tokenizer,
        n_ctx=n_ctx,
        reserve=min(sampling.max_tokens, n_ctx // 2),
        fingerprint=info.fingerprint,
        default_system=wanted.system,
        goal=wanted.goal,
        prefill=wanted.prefill,
        speakers=(*staged.speakers, *wanted.names) if staged.speakers else (),
    )
    if wanted.notes:
        plan = dataclasses.replace(plan, report=tuple(_noted(row, wanted.notes) for row in plan.report))
    return plan, staged.template


def _noted(row: BlockReport, notes: Mapping[str, str]) -> BlockReport:
    note = notes.get(row.source.removeprefix(MESSAGE)) if row.source.startswith(MESSAGE) else None
    return dataclasses.replace(row, reason=f"{row.reason}; {note}") if note else row
