"""Whether two templates write the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airochat.conversation import Role
from airochat.templates.segment import ChatTurn, Part, Segment, Vocabulary
from airochat.templates.template import Template
from airochat.text import clean

_SAID: tuple[tuple[Role, str], ...] = (
    ("system", "Be kind."),
    ("user", "Hello."),
    ("assistant", "Hi."),
    ("user", "How are you?"),
)
_TURNS = tuple(ChatTurn(role, (Part(text, "test"),)) for role, text in _SAID)
_SHOWN = 24


def difference(one: Template, other: Template, vocabulary: Vocabulary) -> str:
    """Return where two templates write a test conversation differently, as "A where it has B"; empty if nowhere.

    BOS in front does not count, since a prompt gets exactly one in any case.
    """
    ours, theirs = (_written(template.render(_TURNS), vocabulary) for template in (one, other))
    same = next((at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    if same is None:
        if len(ours) == len(theirs):
            return ""
        same = min(len(ours), len(theirs))
    return f"{_excerpt(ours, same)} where it has {_excerpt(theirs, same)}"


def stand_in(vocabulary: Vocabulary | None, template: Template) -> Vocabulary:
    """Return the vocabulary, or if nothing is known of it one of the control tokens that a template writes."""
    if vocabulary is not None and vocabulary.specials:
        return vocabulary
    spelt = {segment.special: segment.text for segment in template.render(_TURNS) if segment.special}
    ids = {text: number for number, text in enumerate(dict.fromkeys(spelt.values()))}
    bos, eos, eot = (ids.get(spelt.get(name, "")) for name in ("bos", "eos", "eot"))
    return Vocabulary(bos, eos, eot, specials=ids)


def _written(segments: Iterable[Segment], vocabulary: Vocabulary) -> list[str]:
    """Return the characters and the spellings of control tokens, one after the other."""
    found: list[str] = []
    for segment in segments:
        token = None if segment.special is None else vocabulary.resolve(segment.special)
        spelling = segment.text if token is None else vocabulary.spelling(token) or segment.text
        found += [spelling] if segment.special else list(spelling)
    bos = vocabulary.spelling(vocabulary.bos)
    while bos and found and found[0] == bos:
        del found[0]
    return found


def _excerpt(found: Sequence[str], at: int) -> str:
    text = "".join(found[at:])
    shown = clean(text[:_SHOWN]) + "…" * (len(text) > _SHOWN)
    return repr(shown) if text else "nothing"
