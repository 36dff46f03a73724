"""Chat templates in Jinja, as model files and text-generation-webui have them, to template files.

The template writes test conversations; what stands between the contents becomes data, and the data must write every
test conversation as the template did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby

from airochat.conversation import Role
from airochat.errors import TemplateError
from airochat.formats.imported import CONTROL, SPELLING, ImportedTemplate, special_name
from airochat.templates import ChatTurn, Family, Goal, JinjaTemplate, Part, Segment, Vocabulary, own_template
from airochat.templates.jinja import METADATA_KEY
from airochat.templates.template import Marks
from airochat.templates.write import family_toml

_Atom = tuple[str, bool]
"""A character, or the whole spelling of a control token, and whether it is one."""
_Gap = tuple[_Atom, ...]

_TALK: tuple[Role, ...] = ("system", "user", "assistant", "user", "assistant", "user")
_NEEDED: tuple[tuple[tuple[Role, ...], Goal], ...] = (
    (_TALK, "reply"),
    (_TALK[1:], "reply"),
    (_TALK[:2], "reply"),
    (("user",), "reply"),
    (_TALK[:3], "continue"),
)
_UNUSUAL: tuple[tuple[Role, ...], ...] = (("assistant", "user"), ("user", "user"))


def from_jinja(source: str, title: str, origin: str) -> ImportedTemplate:
    """Return a Jinja template as a template file; ``origin`` says in a sentence where it is from.

    Raises `TemplateError` if it cannot be used, or does what a template file cannot say.
    """
    found = dict.fromkeys(CONTROL.findall(source)) | dict.fromkeys(SPELLING.values())
    specials = {spelling: number for number, spelling in enumerate(found)}
    vocabulary = Vocabulary(specials[SPELLING["bos"]], specials[SPELLING["eos"]], specials=specials)
    own = _runnable(source, vocabulary)
    free = _family(own, title, origin)
    warnings: list[str] = []
    for conversation, goal in _NEEDED:
        if not _agree(free, own, conversation, goal):
            raise TemplateError(
                "The template does more than put marks around messages, which a template file cannot say.",
                "Use a model file that brings it.",
            )
    forms = (free, dataclasses.replace(free, turns="alternate"))
    fitting = [form for form in forms if all(_agree(form, own, said, "reply") for said in _UNUSUAL)]
    if not fitting:
        warnings.append(
            "Two messages of one side in a row are written in another way than the template does."
        )
    return ImportedTemplate(title, family_toml((fitting or [free])[0]), tuple(warnings))


def _runnable(source: str, vocabulary: Vocabulary) -> JinjaTemplate:
    try:
        return own_template({METADATA_KEY: source}, vocabulary)
    except TemplateError as error:
        raise TemplateError(error.message.replace("The model's own template", "The template")) from None


def _family(own: JinjaTemplate, title: str, origin: str) -> Family:
    before_system, to_user, to_reply, to_next, *_, end = _gaps(own, _TALK, "reply")
    bos = before_system[:1] == ((SPELLING["bos"], True),)
    before_system = before_system[1:] if bos else before_system
    after_user = _shared(_gaps(own, _TALK[:2], "nothing")[-1], to_reply, end)
    after_reply = _shared(_gaps(own, _TALK[:3], "nothing")[-1], to_next)
    before_user = to_next[len(after_reply) :]
    ends = to_user[-len(before_user) :] == before_user
    before_reply = to_reply[len(after_user) :]
    return Family(
        name="imported",
        title=title,
        why=origin,
        bos="always" if bos else "model",
        notes="user",
        default_system=_default(own, before_system, to_user, bos),
        system=Marks(_segments(before_system), _segments(to_user[: -len(before_user)] if ends else ())),
        user=Marks(_segments(before_user), _segments(after_user)),
        after_system=None if ends else _segments(to_user),
        assistant=Marks(_segments(before_reply), _segments(after_reply)),
        reply=_segments(end[len(after_user) :]),
        stop=own.stop,
        user_stop=own.user_stop,
        stop_specials=tuple(map(special_name, own.stop_specials)),
        strip_leading_space=True,
        strip_end=bool(after_reply) and after_reply[0][0].isspace(),
        spelling=SPELLING,
    )


def _default(own: JinjaTemplate, before_system: _Gap, to_user: _Gap, bos: bool) -> str:
    """Return the system text that the template writes if it gets none."""
    start = _gaps(own, ("user",), "reply")[0][int(bos) :]
    inside = start[len(before_system) : len(start) - len(to_user)]
    whole = (*before_system, *inside, *to_user) == start
    return "".join(text for text, _ in inside) if whole and not any(control for _, control in inside) else ""


def _said(roles: Sequence[Role]) -> list[ChatTurn]:
    return [ChatTurn(role, (Part(f"({number})", f"said:{number}"),)) for number, role in enumerate(roles)]


def _gaps(own: JinjaTemplate, roles: Sequence[Role], goal: Goal) -> list[_Gap]:
    """Return what stands before, between and after the contents of a conversation."""
    gaps: list[list[_Atom]] = [[]]
    for segment in own.render(_said(roles), goal=goal):
        if segment.source.startswith("said:"):
            gaps.append([])
        elif segment.special:
            gaps[-1].append((segment.text, True))
        else:
            gaps[-1] += [(character, False) for character in segment.text]
    if len(gaps) != len(roles) + 1:
        raise TemplateError("The template leaves out messages, or writes them twice.")
    return [tuple(gap) for gap in gaps]


def _shared(wanted: _Gap, *others: _Gap) -> _Gap:
    """Return as much of the start of ``wanted`` as all others begin with."""
    size = len(wanted)
    while any(other[:size] != wanted[:size] for other in others):
        size -= 1
    return wanted[:size]


def _segments(gap: Sequence[_Atom]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for control, atoms in groupby(gap, key=lambda atom: atom[1]):
        texts = [text for text, _ in atoms]
        found += (
            [Segment(text, special_name(text)) for text in texts] if control else [Segment("".join(texts))]
        )
    return tuple(found)


def _agree(family: Family, own: JinjaTemplate, roles: Sequence[Role], goal: Goal) -> bool:
    turns = _said(roles)
    return _atoms(family.render(turns, goal=goal)) == _atoms(own.render(turns, goal=goal))


def _atoms(segments: Sequence[Segment]) -> list[_Atom]:
    found: list[_Atom] = []
    for segment in segments:
        text = segment.text
        found += [(text, True)] if segment.special else [(character, False) for character in text]
    return found
