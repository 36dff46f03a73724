"""Template files: TOML to `Family`, every field checked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from airochat.checks import did_you_mean
from airochat.errors import TemplateError
from airochat.templates.scenes import NEEDS_TEXT, SceneForm
from airochat.templates.segment import Segment
from airochat.templates.template import Family, Marks, Variant
from airochat.templates.voices import Labels, Voices

_SPELLING = {"bos": "<s>", "eos": "</s>", "eot": "</s>"}
_LABELS = ("none", "replies", "all")
_CHOICES = {"labels": _LABELS, "labels_if": ("always", "several")}
_VARIANT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def parse_family(name: str, text: str, where: str, variants: Iterable[str] = ()) -> Family:
    """Read a template file's text; `TemplateError` names ``where`` it is and the key that is wrong.

    ``variants`` of the file change what it says; they join the name, in the order of the file.
    """
    data = _parsed(text, where)
    known = _variants(data, where)
    for one in known:
        _family(one.name, _changed(data, one.name), f"{where} (variant {one.name})", ())
    wanted = set(variants)
    for unknown in sorted(wanted - {one.name for one in known}):
        hint = did_you_mean(unknown, [one.name for one in known])
        raise TemplateError(f"The template {name} has no variant {unknown!r}.", hint)
    chosen = [one for one in known if one.name in wanted]
    for one in chosen:
        data = _changed(data, one.name)
    family = _family(":".join(filter(None, (name, "+".join(one.name for one in chosen)))), data, where, known)
    if not chosen:
        return family
    words = ", ".join(one.name for one in chosen)
    why = " ".join((family.why, *(one.why for one in chosen)))
    return dataclasses.replace(family, title=f"{family.title} ({words})", why=why)


def _parsed(text: str, where: str) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise TemplateError(
            f"The template {where} is not valid TOML: {error}.", "Correct that line."
        ) from None
    except RecursionError:
        raise TemplateError(f"The template {where} is nested too deeply.") from None


def _variants(data: Mapping[str, Any], where: str) -> tuple[Variant, ...]:
    found: list[Variant] = []
    tables = _Table(where, "", data).table("variants", optional=True)
    for name in tables.names():
        if not _VARIANT.fullmatch(name):
            raise TemplateError(
                f"The template {where} has a variant {name!r}.", "Name it with small letters, digits and -."
            )
        table = tables.table(name)
        found.append(Variant(name, table.text("why"), table.numbers("sizes")))
    return tuple(found)


def _changed(data: Mapping[str, Any], variant: str) -> dict[str, Any]:
    changes = {key: value for key, value in data["variants"][variant].items() if key not in ("why", "sizes")}
    merged = dict(data)
    for key, value in changes.items():
        old = data.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _family(name: str, data: Mapping[str, Any], where: str, variants: tuple[Variant, ...]) -> Family:
    top = _Table(where, "", data)
    top.table("variants", optional=True)
    spelling = _spelling(top.table("spelling", optional=True))
    system, user = top.table("system"), top.table("user")
    assistant, reply = top.table("assistant"), top.table("reply")
    family = Family(
        name=name,
        title=top.text("title"),
        why=top.text("why"),
        versions=top.texts("versions", optional=True),
        inferred=top.texts("inferred", optional=True),
        models=top.texts("models", optional=True),
        variants=variants,
        bos=cast(Literal["always", "model"], top.choice("bos", ("always", "model"))),
        notes=cast(Literal["own", "user"], top.choice("notes", ("own", "user"))),
        turns=cast(Literal["any", "alternate"], top.choice("turns", ("any", "alternate"), "any")),
        default_system=system.text("default"),
        system=_marks(system, spelling),
        user=_marks(user, spelling),
        after_system=user.written("after_system", spelling) if user.has("after_system") else None,
        assistant=_marks(assistant, spelling),
        joint=assistant.written("joint", spelling) if assistant.has("joint") else (),
        reply=reply.written("before", spelling),
        stop=reply.texts("stop"),
        user_stop=user.texts("stop", optional=True),
        stop_specials=reply.texts("stop_specials"),
        strip_leading_space=reply.flag("strip_leading_space"),
        strip_end=reply.flag("strip_end"),
        spelling=spelling,
        roleplay=top.text("roleplay", ""),
        scene=_scene(top.table("scene")) if top.has("scene") else None,
        acquaint=_scene(top.table("acquaint")) if top.has("acquaint") else None,
        voices=_voices(cast(Labels, top.choice("names", _LABELS, "none"))),
    )
    for table in (top, system, user, assistant, reply):
        table.finish()
    return family


def _marks(table: _Table, spelling: Mapping[str, str]) -> Marks:
    return Marks(table.written("before", spelling), table.written("after", spelling))


def _voices(labels: Labels) -> Voices:
    # Until it is known who speaks, the prompt ends before the name.
    return Voices(labels=labels, own=labels != "none")


def _scene(table: _Table) -> SceneForm:
    usual = {one.name: str(one.default) for one in dataclasses.fields(SceneForm)}
    found = {name: table.text(name, text) for name, text in usual.items() if name not in _CHOICES}
    found |= {name: table.choice(name, allowed, usual[name]) for name, allowed in _CHOICES.items()}
    for name in NEEDS_TEXT:
        if found[name].count("{text}") != 1:
            raise table.wrong(name, found[name], "a text with one {text} in it")
    table.finish()
    return SceneForm(**found)  # type: ignore[arg-type]


def _spelling(table: _Table) -> dict[str, str]:
    spelling = {name: table.text(name, usual) for name, usual in _SPELLING.items()}
    table.finish()
    return spelling


class _Table:
    """One table of a file, whose values are taken key by key, so that what is left over is unknown."""

    def __init__(self, where: str, name: str, data: Mapping[str, Any]) -> None:
        self._where = where
        self._name = name
        self._data = data
        self._known: set[str] = set()

    def table(self, key: str, *, optional: bool = False) -> _Table:
        value = self._take(key, {} if optional else None)
        if not isinstance(value, dict):
            raise self.wrong(key, value, "a table")
        return _Table(self._where, self._path(key), value)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, value, "a text")
        return value

    def texts(self, key: str, *, optional: bool = False) -> tuple[str, ...]:
        value = self._take(key, [] if optional else None)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, value, "a list of texts that are not empty")
        return tuple(value)

    def numbers(self, key: str) -> tuple[int, ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise self.wrong(key, value, "a list of whole numbers")
        return tuple(value)

    def has(self, key: str) -> bool:
        return key in self._data

    def names(self) -> list[str]:
        return list(self._data)

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self._take(key, default)
        if value not in allowed:
            raise self.wrong(key, value, " or ".join(map(repr, allowed)))
        return str(value)

    def written(self, key: str, spelling: Mapping[str, str]) -> tuple[Segment, ...]:
        value = self._take(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, 'a list of texts and { special = "…" }')
        return tuple(self._segment(key, item, spelling) for item in value)

    def finish(self) -> None:
        unknown = sorted(self._data.keys() - self._known)
        if unknown:
            hint = did_you_mean(unknown[0], self._known)
            raise TemplateError(
                f"The template {self._where} has an unknown key {self._path(unknown[0])!r}.", hint
            )

    def _segment(self, key: str, item: Any, spelling: Mapping[str, str]) -> Segment:
        if isinstance(item, str) and item:
            return Segment(item)
        if isinstance(item, dict) and item.keys() == {"special"}:
            special = item["special"]
            if isinstance(special, str) and special:
                return Segment(spelling.get(special, special), special)
        raise self.wrong(key, item, 'a text that is not empty, or { special = "…" }')

    def _take(self, key: str, default: Any = None) -> Any:
        self._known.add(key)
        if key in self._data:
            return self._data[key]
        if default is None:
            raise TemplateError(
                f"The template {self._where} has no {self._path(key)!r}.", f"Add it{self._misspelt(key)}."
            )
        return default

    def _misspelt(self, key: str) -> str:
        import difflib

        close = difflib.get_close_matches(key, self._data.keys(), n=1)
        return f"; or is {close[0]!r} meant to be it" if close else ""

    def wrong(self, key: str, value: Any, wanted: str) -> TemplateError:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:59] + "…"
        return TemplateError(f"The template {self._where}: {self._path(key)} = {shown} is not {wanted}.")

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key
