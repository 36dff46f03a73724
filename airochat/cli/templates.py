"""``airochat templates``: how model families want a prompt to be written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, open_home, print_json, print_table, put
from airochat.cli.lazy import report
from airochat.cli.reading import user_path

if TYPE_CHECKING:
    from airochat.templates import Choice, Template, Templates


@click.group()
def templates() -> None:
    """List and show prompt templates, and find the one for a model."""


@templates.command("list")
@json_option
@click.pass_context
def list_templates(ctx: click.Context, as_json: bool) -> None:
    """List the templates that are shipped, and your own."""
    known = _known(ctx)
    if as_json:
        rows = [{"name": one.name, "title": one.title, "why": one.why} for one in known.all()]
        print_json({"templates": rows, "problems": [str(problem) for problem in known.problems]})
    else:
        print_table([(one.name, one.title) for one in known.all()])
    for problem in known.problems:
        report(problem.message, problem.hint)


@templates.command()
@click.argument("name", metavar="T")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show a template: what it is for, and a short conversation as it writes it."""
    template = _known(ctx).get(name)
    facts = {
        "name": template.name,
        "title": template.title,
        "why": template.why,
        "default_system": template.default_system,
        "stop": list(template.stop),
        "warnings": list(template.warnings),
        "example": _example(template),
    }
    if as_json:
        print_json(facts)
        return
    rows = [("name", template.name), ("for", template.title), ("why", template.why)]
    rows += [("system", template.default_system)] if template.default_system else []
    rows += [("stops at", " ".join(map(repr, template.stop)))] if template.stop else []
    rows += [("note", warning) for warning in template.warnings]
    for label, text in rows:
        put(f"{label:9} {text}")
    put(f"\n{_example(template)}")


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


def _known(ctx: click.Context) -> Templates:
    from airochat.templates import Templates

    return Templates(open_home(ctx).folder("templates"))


def _detect(known: Templates, model: str) -> Choice:
    from airochat.templates import Vocabulary, detect

    path = user_path(model)
    if not os.path.isfile(path):
        return detect(model, None, None, known)
    from airochat.backends.llama.gguf import read_header

    return detect(path.stem, read_header(path).metadata, Vocabulary(), known)


def _example(template: Template) -> str:
    from airochat.templates import ChatTurn, Part

    said = (("user", "Who are you?"), ("assistant", "A traveller."), ("user", "Where from?"))
    turns = [ChatTurn(role, (Part(text, "example"),)) for role, text in said]  # type: ignore[arg-type]
    return "".join(segment.text for segment in template.render(turns))
