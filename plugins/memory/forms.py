"""How parts of documents are written for a model: in the form that Airoboros models were trained on, or plainly."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from airochat.prompt.forms import FormError, Source, closed_context

from .documents import Part

CITE: Final = "Cite your source."
_MARKERS = re.compile(r"\b(BEGIN|END)(INPUT|CONTEXT|INSTRUCTION)\b")
_SPLIT: Final = "BEGININSTRUCTION"


def form_for(template: str) -> Callable[[Part], str]:
    """Return what writes parts for a template."""
    return trained if knows(template) else plain


def knows(template: str) -> bool:
    """Tell whether the models of a template were trained to answer from closed contexts.

    >>> knows("airoboros-2.1"), knows("airoboros-2-roleplay"), knows("airoboros-gpt3.5"), knows("chatml")
    (True, False, False, False)
    """
    family, _, version = template.partition("-")
    return family == "airoboros" and version[:1].isdecimal() and not version.endswith("roleplay")


def trained(part: Part) -> str:
    """Return a part as a block of a closed context, with what it is to be cited by."""
    # A text with one of the markers in it would end its block.
    text = _MARKERS.sub(r"\1 \2", part.text)
    source = Source(text, {"source": part.title.replace("\n", " ")})
    try:
        return closed_context("Source?", sources=[source], honest=False).partition(f"\n{_SPLIT}")[0]
    except FormError:
        return plain(part)


def plain(part: Part) -> str:
    """Return a part between lines that name it."""
    return f"[Document {part.title}]\n{part.text}\n[End of {part.title}]"


def instruction(asked: str, cite: bool) -> str | None:
    """Return what the user says as the instruction of a closed context; None if it cannot be one."""
    wanted = f"{asked}\n{CITE}" if cite else asked
    try:
        whole = closed_context(wanted, sources=[Source("Nothing.")])
    except FormError:
        return None
    return f"{_SPLIT}{whole.partition(_SPLIT)[2]}"


def reminder(cite: bool) -> str:
    """Return what the model is told about parts of documents where no instruction can stand around the question."""
    told = "[Answer from the documents above where they tell it; do not make up what they do not tell."
    return f"{told} Name the source of what you take from them.]" if cite else f"{told}]"
