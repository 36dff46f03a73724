"""Template files: `Family` to TOML, so that `airochat.templates.family` reads it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from airochat.templates.scenes import SceneForm
from airochat.templates.segment import Segment
from airochat.templates.template import Family


def family_toml(family: Family) -> str:
    """Return a template file's text for a template without variants."""
    lines = [f"title = {_text(family.title)}", f"why = {_text(family.why)}"]
    lists = {"versions": family.versions, "inferred": family.inferred, "models": family.models}
    lines += [f"{key} = {_texts(values)}" for key, values in lists.items() if values]
    lines += [f"{key} = {_text(value)}" for key, value in (("bos", family.bos), ("notes", family.notes))]
    lines += [f"turns = {_text(family.turns)}", f"names = {_text(family.voices.labels)}"]
    lines += [f"roleplay = {_text(family.roleplay)}"] if family.roleplay else []
    if family.spelling:
        lines += ["", "[spelling]", *(f"{key} = {_text(value)}" for key, value in family.spelling.items())]
    lines += ["", "[system]", f"default = {_text(family.default_system)}"]
    lines += [f"before = {_written(family.system.before)}", f"after = {_written(family.system.after)}"]
    lines += ["", "[user]", f"before = {_written(family.user.before)}"]
    lines += [] if family.after_system is None else [f"after_system = {_written(family.after_system)}"]
    lines += [f"after = {_written(family.user.after)}", f"stop = {_texts(family.user_stop)}"]
    lines += ["", "[assistant]", f"before = {_written(family.assistant.before)}"]
    lines += [f"after = {_written(family.assistant.after)}"]
    lines += [f"joint = {_written(family.joint)}"] if family.joint else []
    lines += ["", "[reply]", f"before = {_written(family.reply)}", f"stop = {_texts(family.stop)}"]
    lines += [f"stop_specials = {_texts(family.stop_specials)}"]
    flags = {"strip_leading_space": family.strip_leading_space, "strip_end": family.strip_end}
    lines += [f"{key} = {str(value).lower()}" for key, value in flags.items()]
    for name, form in (("scene", family.scene), ("acquaint", family.acquaint)):
        lines += ["", f"[{name}]", *_form(form)] if form else []
    return "\n".join(lines) + "\n"


def _form(form: SceneForm) -> list[str]:
    texts = {one.name: getattr(form, one.name) for one in dataclasses.fields(form)}
    usual = {one.name: one.default for one in dataclasses.fields(form)}
    return [f"{name} = {_text(text)}" for name, text in texts.items() if text != usual[name]]


def _text(text: str) -> str:
    import tomlkit

    return tomlkit.string(text).as_string()


def _texts(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _written(segments: Sequence[Segment]) -> str:
    items = [
        _text(segment.text) if segment.special is None else f"{{ special = {_text(segment.special)} }}"
        for segment in segments
    ]
    return f"[{', '.join(items)}]"
