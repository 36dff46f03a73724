"""What a chat is doing, in the few words of a status line."""

from __future__ import annotations

from collections.abc import Mapping

from airochat.conversation import Provenance
from airochat.session.events import ModelEvent, ModelFailed, ModelLoading, ModelReady, PromptRead, ToolCalled
from airochat.text import one_line


def model_words(model: ModelEvent | None, template: str) -> tuple[str, str]:
    """Return the name of the model with its template, and the reasons for that template.

    ``template`` is the session's own choice, or empty if the model decides.
    """
    match model:
        case ModelReady(info, chosen, why):
            name = template or chosen
            reasons = "chosen by you" if template else "; ".join(why)
            words = f"{one_line(info.name, 40)} · {one_line(name, 40)}"
            return words, one_line(f"Template {name}: {reasons}", 400)
        case ModelFailed():
            return "no model", ""
        case _:
            return "", ""


def provenance_words(provenance: Provenance) -> str:
    """Return the model and template that a message was made with; empty for one that a person wrote."""
    return " · ".join(one_line(name, 40) for name in (provenance.model, provenance.template) if name)


def loading_words(model: ModelLoading) -> tuple[str, float]:
    """Return what is being loaded and how much of it is done, from 0 to 1."""
    return f"{one_line(model.stage, 60) or 'loading the model'} · {model.fraction:.0%}", model.fraction


def reading_words(event: PromptRead) -> tuple[str, float]:
    """Return how far the model has read the prompt, in words and from 0 to 1."""
    reused = f" · {event.reused} reused" if event.reused else ""
    return f"reading {event.done} of {event.total} tokens{reused}", event.done / max(event.total, 1)


def writing_words(tokens: int, seconds: float) -> str:
    """Return the pace of a growing reply."""
    return f"writing · {tokens / seconds:.0f} tokens/s" if tokens > 1 and seconds > 0.2 else "writing"


def calling_words(call: ToolCalled) -> str:
    """Return what is done about a call of a tool."""
    waits = "waiting for your answer about " if call.state == "asked" else "calling "
    return waits + one_line(call.title, 60)


def ended_words(usage: Mapping[str, int], tokens_per_s: float) -> str:
    """Return what a reply took: token counts as its provenance holds them, and its pace, 0 if that is not known."""
    if not usage.get("prompt"):
        return ""
    moved = f", {usage['moved']} of them moved" if usage.get("moved") else ""
    parts = [
        f"{usage['reused']} tokens reused{moved}",
        f"{usage['evaluated']} read",
        f"{usage['generated']} written",
    ]
    return " · ".join([*parts, f"{tokens_per_s:.0f} tokens/s"] if tokens_per_s else parts)
