"""``airochat forms``: what the Airoboros models were trained to do, to ask for it and to read the answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import json_option, print_json, print_table, put
from airochat.cli.lazy import report
from airochat.cli.reading import decode, read_file, read_text, user_path
from airochat.errors import UsageError

if TYPE_CHECKING:
    from airochat.prompt.forms import Form
    from airochat.prompt.forms.values import Value

_EXAMPLES = {
    "sources": '[{"text": "Blueberries are green.", "facts": {"date": "2021-01-01"}}]',
    "functions": '[{"name": "count", "description": "Counts words.", "params": {"word": "The word."}}]',
    "tools": '{"Search": "Searches the web.", "LLM": "Answers questions."}',
    "attributes": '{"Name": "The name.", "Race": "The family it belongs to."}',
    "turns": '[["Busy?", "Always."]]',
}
"""What the options that are more than a text or a number look like."""

_READABLE = ("context", "code", "function", "plan", "solutions", "card", "math")
_WHERE = {"user": "user turn", "system": "system text", "text": "plain text"}


@click.group()
def forms() -> None:
    """Use the request forms that the Airoboros models were trained on."""


@forms.command("list")
@click.option("--model-name", metavar="NAME", help="Mark what the model of this name was trained for.")
@json_option
def list_forms(model_name: str | None, as_json: bool) -> None:
    """List the forms: name, versions, where the text goes, what it is for, options.

    Options in brackets may be left out. With --model-name a star marks what that model was trained for. A user turn
    is what you say, a system text goes to --system, and a plain text is a whole prompt without roles.
    """
    from airochat.prompt.forms import FORMS

    version = _version(model_name) if model_name is not None else None
    if as_json:
        rows = [_facts(form, version) for form in FORMS.values()]
        print_json({"version": version, "forms": rows})
    else:
        print_table([_row(form, version) for form in FORMS.values()])
    if version == "":
        report(f"{model_name!r} is not the name of an Airoboros model of a known version.")


@forms.command("build")
@click.argument("name", metavar="NAME")
@click.argument("text", required=False)
@click.option("--option", "options", metavar="KEY=VALUE", multiple=True, help="An option of the form.")
@click.option("--source", "files", metavar="FILE", multiple=True, help="A text for context to answer from.")
@click.option("--model-name", metavar="NAME", help="Warn if the model of this name was not trained for it.")
def build_text(
    name: str, text: str | None, options: tuple[str, ...], files: tuple[str, ...], model_name: str | None
) -> None:
    """Print the text of a form for TEXT, which may be - for standard input.

    VALUE may be JSON, or @FILE for what stands in a file. --option and --source may be given several times. Into a
    file or a pipe go exactly the text's bytes, with no newline at the end.
    """
    from airochat.prompt.forms import build, warning

    form = _find(name)
    given = _options(form, options)
    if files:
        given["sources"] = [*given.get("sources", ()), *_sources_of_files(form, files)]
    if text is None and _needed(form)[""]:
        raise UsageError(f"The form {name} needs a text: {form.takes}.", "Give it after the name, or `-`.")
    built = _usage(build, name, "" if text is None else read_text(text), **given)
    _emit(built)
    doubt = warning(form, _version(model_name)) if model_name is not None else None
    if doubt:
        report(doubt)


@forms.command("read")
@click.argument("name", metavar="NAME")
@click.argument("answer", default="-")
@click.option("--option", "options", metavar="KEY=VALUE", multiple=True, help="An option it was built with.")
@json_option
def read(name: str, answer: str, options: tuple[str, ...], as_json: bool) -> None:
    """Print the parts of the ANSWER to a form, which stands on standard input if it is - or left out.

    With the options that the form was built with, the answer is checked against them: only those functions, tools and
    attributes. Exit code 1 means that the answer is not as it was trained to be. Nothing of it is ever run.
    """
    from airochat.checks import did_you_mean

    form = _find(name)
    if name not in _READABLE:
        raise UsageError(f"The answer to {name} is plain text, with no parts.", did_you_mean(name, _READABLE))
    given = _options(form, options)
    text = decode(sys.stdin.buffer.read(), "Standard input") if answer == "-" else answer
    facts = _parts(name, text, given)
    if as_json:
        print_json(facts)
    elif name == "code":
        _emit(facts["code"])
    elif name == "math":
        put(str(facts["value"]))
    else:
        put("\n".join(_outline(facts)))


def _find(name: str) -> Form:
    from airochat.prompt.forms import find

    found: Form = _usage(find, name)
    return found


def _usage(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call, and turn a `FormError` into a `UsageError`: what was given is the user's."""
    from airochat.prompt.forms import FormError

    try:
        return work(*args, **options)
    except FormError as error:
        raise UsageError(error.message, error.hint or "See `airochat forms list` for the options.") from None


def _version(model_name: str) -> str:
    """Return the version that a model's name means; empty if it means none that is known."""
    from airochat.templates.names import read_name

    found = read_name(model_name)
    return found.version if found else ""


def _row(form: Form, version: str | None) -> tuple[str, ...]:
    from airochat.prompt.forms import holds

    needed = _needed(form)
    options = " ".join(one if needed[one] else f"[{one}]" for one in form.options)
    span = f"{form.since} to {form.until}" if form.until else f"{form.since}+"
    mark = () if version is None else ("*" if holds(form, version) else " ",)
    return (*mark, form.name, span, _WHERE[form.place], form.title, options)


def _facts(form: Form, version: str | None) -> dict[str, Any]:
    from airochat.prompt.forms import holds, warning

    needed = _needed(form)
    facts = {
        "name": form.name,
        "title": form.title,
        "since": form.since,
        "until": form.until,
        "place": form.place,
        "takes": form.takes,
        "options": [{"name": one, "required": needed[one]} for one in form.options],
        "readable": form.name in _READABLE,
    }
    if version is None:
        return facts
    return facts | {"trained": holds(form, version), "warning": warning(form, version)}


def _needed(form: Form) -> dict[str, bool]:
    """Return whether each option of a form must be given; under the empty name, whether its text must be."""
    import inspect

    parameters = inspect.signature(form.builder).parameters.values()
    keywords = inspect.Parameter.KEYWORD_ONLY
    return {one.name if one.kind is keywords else "": one.default is one.empty for one in parameters}


def _parts(name: str, answer: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read an answer; what comes back is plain data."""
    from dataclasses import asdict

    from airochat.prompt import forms as known

    if name == "code":
        return {"code": known.code_in(answer)}
    if name == "math":
        return {"value": known.answer_value(answer)}
    if name == "card":
        return {"attributes": known.read_card_lines(answer, options.get("attributes", known.CHARACTER))}
    if name == "context":
        return asdict(known.read_closed_context(answer))
    if name == "plan":
        return asdict(known.read_plan(answer, tools=options.get("tools", ())))
    if name == "solutions":
        return asdict(known.read_thought(answer))
    functions = [function.name for function in options.get("functions", ())]
    return asdict(known.read_choice(answer, functions=functions, style=options.get("style")))


def _outline(value: Any, indent: str = "") -> Iterator[str]:
    """Write plain data as lines, each level deeper by two spaces."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
        if isinstance(item, (dict, list, tuple)):
            yield f"{indent}{key}:"
            yield from _outline(item, f"{indent}  ")
        else:
            shown = item if isinstance(item, str) else json.dumps(item)
            yield f"{indent}{key}: {shown}".replace("\n", f"\n{indent}  ")


def _emit(text: str) -> None:
    """Write a text to stdout: cleaned and with a newline at its end for a terminal, else its exact bytes."""
    if sys.stdout.isatty():
        put(text, end="" if text.endswith("\n") else "\n")
        return
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("The text is not valid UTF-8.", "Check the encoding of your terminal.") from None
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _options(form: Form, pairs: Sequence[str]) -> dict[str, Any]:
    """Read every ``KEY=VALUE``, each as what the option of the form is."""
    from airochat.checks import did_you_mean

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"--option {pair} is not of the form KEY=VALUE.", "As in --option words=80")
        if name not in form.options:
            known = did_you_mean(name, form.options)
            raise UsageError(f"The form {form.name} has no option {name!r}.", known)
        if name in found:
            raise UsageError(f"The option {name} is given twice.", "Give it once.")
        raw = read_file(value[1:]).replace("\r\n", "\n").rstrip("\n") if value.startswith("@") else value
        found[name] = _KINDS.get(name, _text)(name, raw)
    return found


def _json(name: str, raw: str) -> Value:
    from airochat.prompt.forms import FormError
    from airochat.prompt.forms.values import read_json

    hint = f"For example: {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    try:
        value, rest = read_json(raw.strip(), f"option {name}")
    except FormError as error:
        raise UsageError(error.message, hint) from None
    if rest.strip():
        raise UsageError(f"The option {name} has text behind its JSON: {rest.strip()[:40]!r}.", hint)
    return value


def _loose(name: str, raw: str) -> Value:
    try:
        return _json(name, raw)
    except UsageError:
        return raw


def _text(name: str, raw: str) -> str:
    """Return a text, which may be in quotes as JSON; what is other JSON, such as a number, is meant as it stands."""
    value = _loose(name, raw)
    return value if isinstance(value, str) else raw


def _flag(name: str, raw: str) -> bool:
    value = _loose(name, raw)
    if not isinstance(value, bool):
        raise UsageError(f"The option {name} is {raw[:40]!r}.", "It must be true or false.")
    return value


def _style(name: str, raw: str) -> str:
    from airochat.checks import choice

    value = _text(name, raw)
    choice(name, value, ("json", "yaml"))
    return value


def _meanings(name: str, raw: str) -> dict[str, str]:
    return _mapping(_json(name, raw), f"The option {name}", name)


def _turns(name: str, raw: str) -> list[tuple[str, str]]:
    value = _json(name, raw)
    entries = value if isinstance(value, list) else [value]
    turns = [(entry[0], entry[1]) for entry in entries if isinstance(entry, list) and len(entry) == 2]
    if len(turns) < len(entries):
        raise _wrong(f"The option {name} must be a list of pairs of a question and an answer.", name)
    where = f"A text in {name}"
    return [(_string(asked, where), _string(said, where)) for asked, said in turns]


def _sources(name: str, raw: str) -> list[Any]:
    from airochat.prompt.forms import Source

    return [
        Source(
            _string(entry["text"], f"{where}: the text"),
            _mapping(entry.get("facts", {}), f"{where}: facts", name),
        )
        for where, entry in _objects(name, raw, ("text",), ("facts",))
    ]


def _functions(name: str, raw: str) -> list[Any]:
    from airochat.prompt.forms import Function

    return [
        Function(
            _string(entry["name"], f"{where}: the name"),
            _string(entry["description"], f"{where}: the description"),
            _mapping(entry.get("params", {}), f"{where}: params", name, nested=True),
        )
        for where, entry in _objects(name, raw, ("name", "description"), ("params",))
    ]


def _objects(
    name: str, raw: str, needed: tuple[str, ...], others: tuple[str, ...]
) -> list[tuple[str, dict[str, Value]]]:
    """Read a list of objects with these keys; each comes with words that tell where it stands."""
    from airochat.checks import did_you_mean

    value = _json(name, raw)
    objects = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(objects) < len(value):
        raise _wrong(f"The option {name} must be a list of objects.", name)
    keys = (*needed, *others)
    found = [(f"Entry {number} of {name}", entry) for number, entry in enumerate(objects, 1)]
    for where, entry in found:
        unknown = next((key for key in entry if key not in keys), None)
        if unknown is not None:
            raise UsageError(f"{where} has an unknown key {unknown!r}.", did_you_mean(unknown, keys))
        missing = next((key for key in needed if key not in entry), None)
        if missing is not None:
            raise _wrong(f"{where} has no {missing!r}.", name)
    return found


def _wrong(message: str, name: str) -> UsageError:
    return UsageError(message, f"For example: {_EXAMPLES[name]}")


def _string(value: Value, what: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{what} is not a text.", "Put it in double quotes.")
    return value


def _mapping(value: Value, where: str, name: str, *, nested: bool = False) -> dict[str, Any]:
    """Check that a value gives a text to each name, or if ``nested``, perhaps another such mapping."""
    if not isinstance(value, dict):
        raise _wrong(f"{where} must be an object.", name)
    return {
        key: _mapping(item, where, name, nested=True)
        if nested and isinstance(item, dict)
        else _string(item, f"{where}: {key!r}")
        for key, item in value.items()
    }


_KINDS: Mapping[str, Callable[[str, str], Any]] = {
    "words": _loose,
    "honest": _flag,
    "plain": _flag,
    "style": _style,
    "sources": _sources,
    "functions": _functions,
    "tools": _meanings,
    "attributes": _meanings,
    "turns": _turns,
}
"""How the value of an option is read; all others are texts."""


def _sources_of_files(form: Form, files: Sequence[str]) -> list[Any]:
    from airochat.prompt.forms import Source

    if "sources" not in form.options:
        raise UsageError(f"--source does not go with the form {form.name}.", "It is for the form context.")
    return [Source(_content(file), {"file": user_path(file).name}) for file in files]


def _content(file: str) -> str:
    text = read_file(file).replace("\r\n", "\n")
    if not text.strip():
        raise UsageError(f"{file} is empty.", "Leave it out, or give another file.")
    return text
