"""Choosing a template for a model, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from airochat.errors import TemplateError
from airochat.templates.catalog import Templates
from airochat.templates.jinja import METADATA_KEY, own_template
from airochat.templates.names import AiroborosName, read_name
from airochat.templates.segment import Vocabulary
from airochat.templates.template import Family, Template

Confidence = Literal["certain", "likely", "guess"]
"""How sure a choice is; a front end shows a guess as a warning."""

_LLAMA_3_VOCABULARY = "128256"
_FALLBACK = "chatml"
_MISSING = "There is no template for this version yet."


@dataclass(frozen=True, slots=True)
class Choice:
    """A template, how sure it is that it fits, and why, in sentences for the user."""

    template: Template
    confidence: Confidence
    reasons: tuple[str, ...]


def detect(
    name: str, metadata: Mapping[str, str] | None, vocabulary: Vocabulary | None, templates: Templates
) -> Choice:
    """Choose the template for a model by its name or path, its GGUF metadata and its vocabulary.

    An Airoboros model gets its family's; any other the one that its file brings; else ChatML as a guess.
    """
    found = {source: read for source, read in _names(name, metadata or {}) if read}
    if found:
        source, read = next((item for item in found.items() if item[1].version), next(iter(found.items())))
        return _airoboros(source, read, metadata, vocabulary, templates, others=[*found.values()])
    return _unnamed(metadata, vocabulary, templates)


def _names(name: str, metadata: Mapping[str, str]) -> list[tuple[str, AiroborosName | None]]:
    inside = metadata.get("general.name", "")
    return [
        (f"The name {name!r}", read_name(name)),
        (f"The name in the file, {inside!r},", read_name(inside)),
    ]


def _airoboros(
    source: str,
    read: AiroborosName,
    metadata: Mapping[str, str] | None,
    vocabulary: Vocabulary | None,
    templates: Templates,
    others: list[AiroborosName],
) -> Choice:
    known = metadata or {}
    version = "llama-3" if _is_llama_3(read, known) else read.version
    said = f"{source} means Airoboros {_words(version, read)}."
    family = next((family for family in templates.all() if version in family.versions), None)
    if family and not read.merged:
        doubts = [f"The file's own name says {other.version}." for other in others if _differs(other, read)]
        unused = ["The template in the model file is not used."] if known.get(METADATA_KEY) else []
        reasons = (said, f"{family.title}: {family.why}", *doubts, *unused)
        return Choice(family, "likely" if doubts else "certain", reasons)
    if version.startswith(("3", "llama-3")):
        choice = _unnamed(metadata, vocabulary, templates)
        return Choice(choice.template, "guess", (said, _MISSING, *choice.reasons))
    nearest = family or _nearest(version, templates)
    why = "It is a merge with other models." if read.merged else _MISSING
    return Choice(nearest, "guess", (said, why, f"The nearest is used: {nearest.title}."))


def _nearest(version: str, templates: Templates) -> Family:
    return templates.get("airoboros-2" if version == "2.1" else "airoboros-1")


def _is_llama_3(read: AiroborosName, metadata: Mapping[str, str]) -> bool:
    sizes = (metadata.get("llama.vocab_size"), metadata.get("tokenizer.ggml.model"))
    return read.version == "3.3" and (read.billions == 70 or _LLAMA_3_VOCABULARY in sizes or "gpt2" in sizes)


def _words(version: str, read: AiroborosName) -> str:
    words = version or "of an unknown version"
    return f"{words}, mixed with other models" if read.merged else words


def _differs(other: AiroborosName, read: AiroborosName) -> bool:
    return bool(other.version) and other.version != read.version


def _unnamed(
    metadata: Mapping[str, str] | None, vocabulary: Vocabulary | None, templates: Templates
) -> Choice:
    fallback = templates.get(_FALLBACK)
    if metadata and metadata.get(METADATA_KEY) and vocabulary is not None:
        try:
            own = own_template(metadata, vocabulary)
        except TemplateError as error:
            return Choice(fallback, "guess", (error.message, f"{fallback.title} is used instead."))
        return Choice(own, "certain", (own.why,))
    reason = "No model is loaded." if metadata is None else "The model tells no template of its own."
    return Choice(fallback, "guess", (reason, f"{fallback.title} is used: {fallback.why}"))
