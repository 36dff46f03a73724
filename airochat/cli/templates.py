"""``airochat templates``: how model families want a prompt to be written."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, known_templates, open_home, print_json, print_table, put
from airochat.cli.lazy import report
from airochat.cli.reading import read_file, user_path
from airochat.errors import StoreError, UsageError

if TYPE_CHECKING:
    from airochat.templates import Choice, Family, Template, Templates


@click.group()
def templates() -> None:
    """List and show prompt templates, find the one for a model, import those of other programs."""


@templates.command("list")
@json_option
@click.pass_context
def list_templates(ctx: click.Context, as_json: bool) -> None:
    """List the templates that are shipped, those of plugins, and your own."""
    known = _known(ctx)
    found = [known.get(name) for one in known.all() for name in _forms(one)]
    if as_json:
        rows = [{"name": one.name, "title": one.title, "why": one.why} for one in found]
        print_json({"templates": rows, "problems": [str(problem) for problem in known.problems]})
    else:
        print_table([(one.name, one.title) for one in found])
    for problem in known.problems:
        report(problem.message, problem.hint)


@templates.command()
@click.argument("name", metavar="T")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show a template: what it is for, and a short conversation as it writes it.

    Control tokens are spelled out, and spaces at the end of a line are shown as dots in a terminal.
    """
    from airochat.prompt import mark_spaces

    template = _known(ctx).get(name)
    facts = {
        "name": template.name,
        "title": template.title,
        "why": template.why,
        "default_system": template.default_system,
        "stop": list(template.stop),
        "user_stop": list(template.user_stop),
        "variants": {one.name: one.why for one in template.variants},
        "warnings": list(template.warnings),
        "example": _example(template),
    }
    if as_json:
        print_json(facts)
        return
    rows = [("name", template.name), ("for", template.title), ("why", template.why)]
    rows += [("system", template.default_system)] if template.default_system else []
    rows += [("stops at", " ".join(map(repr, template.stop)))] if template.stop else []
    plain = template.name.partition(":")[0]
    rows += [("variant", f"{plain}:{one.name}. {one.why}") for one in template.variants]
    rows += [("note", warning) for warning in template.warnings]
    for label, text in rows:
        put(f"{label:9} {text}")
    example = _example(template)
    put(f"\n{mark_spaces(example) if sys.stdout.isatty() else example}")


@templates.command("detect")
@click.argument("model", metavar="NAME|FILE")
@json_option
@click.pass_context
def find(ctx: click.Context, model: str, as_json: bool) -> None:
    """Find the template for a model by its name, or by what its file says."""
    choice = _detect(_known(ctx), model)
    facts: dict[str, Any] = {
        "name": choice.template.name,
        "confidence": choice.confidence,
        "reasons": list(choice.reasons),
    }
    if as_json:
        print_json(facts)
        return
    put(f"{choice.template.name} ({choice.confidence})")
    for reason in choice.reasons:
        put(f"  {reason}")


@templates.command("import")
@click.argument("file", metavar="FILE")
@click.option("--name", metavar="NAME", help="The name to give it; else the file's.")
@click.option("--force", is_flag=True, help="Replace a template of yours that has this name.")
@click.pass_context
def import_file(ctx: click.Context, file: str, name: str | None, force: bool) -> None:
    """Make a template of a file of another program, and put it into your templates folder.

    FILE is an instruct preset of SillyTavern (.json), an instruction template of text-generation-webui (.yaml), a
    Jinja chat template (.jinja), or a template file (.toml).
    """
    from airochat.formats.template_file import import_template
    from airochat.templates import parse_family

    path = user_path(file)
    text = read_file(file)
    chosen = name or _slug(path.stem)
    if not chosen or chosen != _slug(chosen):
        raise UsageError(f"{chosen!r} cannot be a template's name.", "Use letters, digits, points and -.")
    warnings: tuple[str, ...] = ()
    if path.suffix.lower() != ".toml":
        imported = import_template(path.name, text)
        text, warnings = imported.toml, imported.warnings
    parse_family(chosen, text, file)
    target = open_home(ctx).folder("templates") / f"{chosen}.toml"
    _write(target, text, force)
    for warning in warnings:
        report(warning)
    put(f"{chosen} is now a template: {target}")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def _write(target: Path, text: str, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"There is a template {target.stem!r} of yours already.", "Give --name, or --force.")
    draft = target.with_suffix(".new")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}.") from None


def _forms(template: Family) -> list[str]:
    return [template.name, *(f"{template.name}:{one.name}" for one in template.variants)]


def _known(ctx: click.Context) -> Templates:
    return known_templates(open_home(ctx))


def _detect(known: Templates, model: str) -> Choice:
    from airochat.templates import Vocabulary, detect

    path = user_path(model)
    if not os.path.isfile(path):
        return detect(model, None, None, known)
    from airochat.backends.llama.gguf import read_header

    return detect(str(path), read_header(path).metadata, Vocabulary(), known)


def _example(template: Template) -> str:
    from airochat.templates import ChatTurn, Part, Voices

    names = {"user": "Rook", "assistant": "Maya"}
    said = (("user", "Who are you?"), ("assistant", "A traveller."), ("user", "Where from?"))
    turns = [ChatTurn(role, (Part(text, "example"),), names[role]) for role, text in said]  # type: ignore[arg-type]
    shown = template.voiced(Voices(reply=names["assistant"], user=names["user"]))
    return "".join(segment.text for segment in shown.render(turns))
