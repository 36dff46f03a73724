"""Choosing a template for a model, with the reasons."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from airochat.errors import TemplateError
from airochat.templates.catalog import Templates
from airochat.templates.compare import difference, stand_in
from airochat.templates.jinja import METADATA_KEY, OWN, own_template
from airochat.templates.names import AiroborosName, plain_name, read_name
from airochat.templates.segment import Vocabulary
from airochat.templates.template import Family, Template

Confidence = Literal["certain", "likely", "guess"]
"""How sure a choice is; a front end shows a guess as a warning."""

_FALLBACK = "chatml"
_NEAREST = "airoboros-1"
# What most models of unknown version on these bases were trained with.
_BY_BASE = {
    "Llama 2": "airoboros-2",
    "Code Llama": "airoboros-2",
    "Mistral": "airoboros-3",
    "Yi": "airoboros-3",
    "Llama 3": "llama-3",
}
_LLAMA_3_SIGNS = {
    "llama.vocab_size": "128256",
    "tokenizer.ggml.pre": "llama-bpe",
    "tokenizer.ggml.bos_token_id": "128000",
}
# Of the bases of 3.3, only Llama 3 has such a tokenizer.
_GPT2 = ("tokenizer.ggml.model", "gpt2")
# Layers of LLaMA 1 and 2, and the weights in billions that models of so many have.
_SIZES = {"32": 7, "40": 13, "60": 33, "80": 65}
_LONGEST_NAME = 1_000
_CHOSEN = "You chose it."


@dataclass(frozen=True, slots=True)
class Choice:
    """A template, how sure it is that it fits, and why, in sentences for the user."""

    template: Template
    confidence: Confidence
    reasons: tuple[str, ...]

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences of which the user must be warned, since the template may be the wrong one."""
        if self.confidence == "guess":
            return (f"The template {self.template.name} is a guess. {' '.join(self.reasons)}",)
        return self.reasons[1:] if self.reasons[:1] == (_CHOSEN,) else ()


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of a model."""

    name: str
    metadata: Mapping[str, str] | None
    vocabulary: Vocabulary | None

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Its names, each with words for it."""
        inside = (self.metadata or {}).get("general.name", "")[:_LONGEST_NAME]
        outside = self.name[-_LONGEST_NAME:]
        return ((f"The name {outside!r}", outside), (f"The name in the file, {inside!r},", inside))

    @property
    def brings_template(self) -> bool:
        return bool((self.metadata or {}).get(METADATA_KEY, "").strip())

    @property
    def is_llama_3(self) -> bool:
        known = self.metadata or {}
        return any(known.get(key) == value for key, value in _LLAMA_3_SIGNS.items())

    @property
    def billions(self) -> int:
        known = self.metadata or {}
        return _SIZES.get(known.get("llama.block_count", ""), 0)


def detect(
    name: str, metadata: Mapping[str, str] | None, vocabulary: Vocabulary | None, templates: Templates
) -> Choice:
    """Choose the template for a model by its name or path, its GGUF metadata and its vocabulary.

    An Airoboros model gets its family's; any other the one that its file brings, or one that fits its name or its
    control tokens; else ChatML as a guess.
    """
    model = _Model(name, metadata, vocabulary)
    found = [(source, read) for source, text in model.names if (read := read_name(text))]
    if found:
        source, read = next((item for item in found if item[1].version), found[0])
        others = [f"{other} says {also.version}." for other, also in found if _differs(also, read)]
        return _airoboros(model, source, read, others, templates)
    return _unnamed(model, templates)


def choose(
    wanted: str,
    name: str,
    metadata: Mapping[str, str] | None,
    vocabulary: Vocabulary | None,
    templates: Templates,
) -> Choice:
    """Return the template that the user ``wanted``, or if that is empty the one that `detect` finds.

    Where a model is known to need another one than the user chose, the reasons say so. Raises `TemplateError` if
    there is no such template, or if it is the model's own and cannot be used.
    """
    if not wanted:
        return detect(name, metadata, vocabulary, templates)
    if wanted == OWN:
        if metadata is None:
            raise TemplateError("The model's own template needs a model.", "Give one with --model.")
        return Choice(own_template(metadata, vocabulary or Vocabulary()), "certain", (_CHOSEN,))
    template = templates.get(wanted)
    found = detect(name, metadata, vocabulary, templates) if name else None
    reasons = [_CHOSEN]
    if found and found.confidence == "certain" and found.template.name not in (OWN, template.name):
        reasons.append(f"This model would get {found.template.name}: {found.reasons[0]}")
    return Choice(template, "certain", tuple(reasons))


def _airoboros(
    model: _Model, source: str, read: AiroborosName, doubts: list[str], templates: Templates
) -> Choice:
    read = dataclasses.replace(read, billions=read.billions or model.billions)
    version = _trained_as(read, model)
    said = f"{source} means Airoboros {_words(version, read)}."
    family, inferred = _of_version(version, templates)
    if family is None or read.merged:
        return _nearest(model, family, read, said, templates)
    chosen, size = _for_size(family, read.billions, templates)
    others = [also for also in read.also if also not in (*family.versions, *family.inferred)]
    doubts += [f"It also names {also}." for also in others]
    doubts += [f"It also fits {one.title}." for one in _matching(model, templates)]
    certain: Confidence = (
        "guess" if others or _matching(model, templates) else "likely" if doubts else "certain"
    )
    if certain == "certain" and (inferred or size):
        certain = "likely"
    if inferred:
        doubts.append("No training code or card of that version tells its form; it is inferred.")
    if version == "3.3" and not read.billions:
        certain = "guess"
        doubts.append("It tells no size; the one of 70B would need llama-3.")
    if family.name in templates.own:
        doubts.append(f"The template {family.name} is your own.")
    reasons = [said, f"{chosen.title}: {chosen.why}", *size, *doubts, *_own_compared(model, chosen)]
    if model.is_llama_3 and "llama-3" not in chosen.name:
        chosen, certain = templates.get("llama-3"), "guess"
        reasons = [said, f"Its vocabulary is that of Llama 3, so {chosen.title} is used."]
    return Choice(chosen, certain, tuple(reasons))


def _trained_as(read: AiroborosName, model: _Model) -> str:
    """Return the version, with the base where models of one version were trained in different ways."""
    if read.version == "3.3" and (
        read.billions == 70
        or read.base == "Llama 3"
        or model.is_llama_3
        or _GPT2 in (model.metadata or {}).items()
    ):
        return "3.3 on Llama 3"
    if read.version == "3.0" and read.base == "Mistral":
        return "3.0 on Mistral"
    return read.version


def _of_version(version: str, templates: Templates) -> tuple[Family | None, bool]:
    """Return the family of a version, a user's own first and a shipped one last, and whether it is only inferred."""
    for family in sorted(templates.all(), key=lambda family: templates.rank(family.name)):
        if version in family.versions or version in family.inferred:
            return family, version in family.inferred
    return None, False


def _for_size(family: Family, billions: int, templates: Templates) -> tuple[Family, list[str]]:
    """Return the family's form for a size, and what is not certain about that."""
    sized = [variant for variant in family.variants if variant.sizes]
    for variant in sized:
        if billions in variant.sizes:
            return templates.get(f"{family.name}:{variant.name}"), []
        if not billions:
            sizes = " and ".join(f"{size}B" for size in variant.sizes)
            return family, [f"It tells no size; {sizes} would need {family.name}:{variant.name}."]
    return family, []


def _nearest(
    model: _Model, family: Family | None, read: AiroborosName, said: str, templates: Templates
) -> Choice:
    why = "It is a merge with other models." if read.merged else "There is no template for this version."
    if family is None and model.brings_template:
        choice = _unnamed(model, templates)
        return Choice(choice.template, "guess", (said, why, *choice.reasons))
    near = family or templates.get("llama-3" if model.is_llama_3 else _BY_BASE.get(read.base, _NEAREST))
    chosen, size = _for_size(near, read.billions, templates)
    nearest = f"The nearest is used: {chosen.title}."
    return Choice(chosen, "guess", (said, why, nearest, *size, *_own_compared(model, chosen)))


def _own_compared(model: _Model, chosen: Family) -> Iterator[str]:
    """Yield what is to be said about a template in the model's file that is not used."""
    if not model.brings_template:
        return
    vocabulary = stand_in(model.vocabulary, chosen)
    try:
        found = difference(own_template(model.metadata or {}, vocabulary), chosen, vocabulary)
    except TemplateError as error:
        yield f"{error.message} {chosen.name} does not need it."
        return
    if found:
        yield f"The template in the model file differs and is not used: it writes {found}."
    else:
        yield "The template in the model file writes the same."


def _words(version: str, read: AiroborosName) -> str:
    words = version or "of an unknown version"
    return f"{words}, mixed with other models" if read.merged else words


def _differs(other: AiroborosName, read: AiroborosName) -> bool:
    return bool(other.version) and other.version != read.version


def _unnamed(model: _Model, templates: Templates) -> Choice:
    reasons: list[str] = []
    if model.brings_template and model.vocabulary is not None:
        try:
            own = own_template(model.metadata or {}, model.vocabulary)
        except TemplateError as error:
            reasons.append(error.message)
        else:
            return Choice(own, "certain", (own.why,))
    named = _matching(model, templates)
    if named:
        reasons += [f"The name fits {family.title}." for family in named]
        sure: Confidence = "likely" if len(named) == 1 and not reasons[1:] else "guess"
        return Choice(named[0], sure, (*reasons, f"{named[0].title}: {named[0].why}"))
    for family in templates.all():
        if _writes_tokens_of(model.vocabulary, family):
            reasons.append(f"Its vocabulary has the control tokens of {family.title}.")
            return Choice(family, "likely" if len(reasons) == 1 else "guess", tuple(reasons))
    fallback = templates.get(_FALLBACK)
    reason = "No model is loaded." if model.metadata is None else "The model tells no template of its own."
    reasons += [] if reasons else [reason]
    return Choice(fallback, "guess", (*reasons, f"{fallback.title} is used: {fallback.why}"))


def _matching(model: _Model, templates: Templates) -> list[Family]:
    """Return the templates for models of such a name, those with the longest pattern first."""
    parts = [part for _, text in model.names for part in re.split(r"[/\\]", text)]
    names = [plain_name(part) for part in parts]
    found = {
        family.name: max(
            (len(pattern) for pattern in family.models for name in names if _fits(name, pattern)), default=0
        )
        for family in templates.all()
    }
    matching = [family for family in templates.all() if found[family.name]]
    return sorted(matching, key=lambda family: -found[family.name])


def _fits(name: str, pattern: str) -> bool:
    return bool(name) and fnmatchcase(name, pattern)


def _writes_tokens_of(vocabulary: Vocabulary | None, family: Family) -> bool:
    marks = (*family.user.before, *family.user.after, *family.assistant.before, *family.assistant.after)
    named = {mark.special for mark in marks if mark.special} - {"bos", "eos", "eot"}
    return vocabulary is not None and bool(named) and named <= vocabulary.specials.keys()
