"""Instruction templates of text-generation-webui: YAML with a Jinja template, or with the marks of 2023."""

from __future__ import annotations

from collections.abc import Mapping

from airochat.errors import TemplateError
from airochat.formats.imported import SPELLING, ImportedTemplate, marks, stops
from airochat.formats.jinja_template import from_jinja
from airochat.templates import Family
from airochat.templates.template import Marks
from airochat.templates.write import family_toml

_ORIGIN = "Imported from an instruction template of text-generation-webui."
_USER, _BOT, _SYSTEM = "<|user-message|>", "<|bot-message|>", "<|system-message|>"


def from_textgen(text: str, title: str) -> ImportedTemplate:
    """Return a YAML instruction template as a template file; `TemplateError` if it is none or cannot be used."""
    found = _mapping(text)
    if jinja := found.get("instruction_template"):
        return from_jinja(jinja, title, _ORIGIN)
    if "turn_template" in found:
        return _of_marks(found, title)
    raise TemplateError(
        "The YAML is no instruction template: it has neither instruction_template nor turn_template.",
        "text-generation-webui keeps such files in user_data/instruction-templates.",
    )


def _mapping(text: str) -> dict[str, str]:
    import yaml  # type: ignore[import-untyped]

    try:
        # The base loader makes nothing but texts, lists and mappings.
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TemplateError(f"The file is not YAML: {reason}.", "Correct that line.") from None
    if not isinstance(found, dict):
        raise TemplateError("The YAML is no instruction template: it is no mapping.")
    return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, str)}


def _of_marks(found: Mapping[str, str], title: str) -> ImportedTemplate:
    user, bot = found.get("user", ""), found.get("bot", "")
    turn = found["turn_template"].replace("<|user|>", user).replace("<|bot|>", bot)
    before_user, user_mark, rest = turn.partition(_USER)
    between, bot_mark, after = rest.partition(_BOT)
    if not user_mark or not bot_mark:
        raise TemplateError(
            f"The turn_template lacks {_USER} or {_BOT}.", "Add it, the user's message first."
        )
    before_bot = between.lstrip("\n ")
    context, default = _context(found)
    ending = _line(after, user), _line(between, bot)
    family = Family(
        name="imported",
        title=title,
        why=_ORIGIN,
        notes="user",
        default_system=default,
        system=Marks(marks(context[0]), marks(context[1])),
        user=Marks(marks(before_user), marks(between[: len(between) - len(before_bot)])),
        assistant=Marks(marks(before_bot), marks(after)),
        # It writes no space at the end of a prompt.
        reply=marks(before_bot.rstrip(" ")),
        stop=stops(ending[0], ending[1]),
        user_stop=stops(ending[1]),
        stop_specials=("eos",),
        strip_leading_space=True,
        strip_end=after[:1].isspace(),
        spelling=SPELLING,
    )
    return ImportedTemplate(title, family_toml(family))


def _context(found: Mapping[str, str]) -> tuple[tuple[str, str], str]:
    """Return what stands around the system text, and the system text."""
    context = found.get("context", "")
    before, system, after = context.partition(_SYSTEM)
    if system:
        return (before, after), found.get("system_message", "")
    default = context.rstrip("\n ")
    return ("", context[len(default) :]), default


def _line(before: str, name: str) -> str:
    """Return a side's name as it begins a turn: on a line of its own if there is one."""
    name = name.strip()
    return f"\n{name}" if name and "\n" in before else f" {name}" if name and before.endswith(" ") else name
