"""Function choice: the model picks one of the functions described to it, and its parameters. It runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from airochat.checks import did_you_mean
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given
from airochat.prompt.forms.plainyaml import read_yaml, write_yaml
from airochat.prompt.forms.values import MAX_DEPTH, Value, checked, read_json, write_json

Style = Literal["json", "yaml"]
"""How the model is to write its choice."""
Params: TypeAlias = "Mapping[str, str | Params]"
"""What each parameter means; parameters may have parameters of their own."""

JSON_PREFILL = '{\n  "function":'
"""A beginning for the reply that keeps a model to JSON; `read_choice` wants it in front of what the model added."""

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}")
_YAML = re.compile(r"^function:", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Function:
    """A function to choose from; training had 3 to 9 of them in any order."""

    name: str
    description: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the model chose. Both parts are its own words: check the parameters before you use them."""

    function: str
    params: Mapping[str, Value] = field(default_factory=dict)


def choose_function(text: str, *, functions: Sequence[Function], style: Style = "json") -> str:
    """Return the user text that asks which function answers ``text``.

    >>> count = Function("count", "Counts words.", {"filters": {"keyword": "The word."}})
    >>> print(choose_function("How many 'a'?", functions=[count]))
    As an AI assistant, please select the most suitable function and parameters from the list of available functions \
below, based on the user's input. Provide your response in JSON format.
    <BLANKLINE>
    Input: How many 'a'?
    <BLANKLINE>
    Available functions:
    count:
      description: Counts words.
      params:
        filters:
          keyword: The word.
    """
    if style not in ("json", "yaml"):
        raise FormError(f"The style {style!r} is not known.", "It must be json or yaml.")
    if not functions:
        raise FormError("A function choice needs functions to choose from.", "Describe at least one.")
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        raise FormError("Two functions have the same name.", "Give each function a name of its own.")
    listed = "\n".join(line for function in functions for line in _described(function))
    return (
        "As an AI assistant, please select the most suitable function and parameters from the list of available "
        f"functions below, based on the user's input. Provide your response in {style.upper()} format.\n\n"
        f"Input: {given(text, 'input')}\n\nAvailable functions:\n{listed}"
    )


def read_choice(answer: str, *, functions: Iterable[str] = (), style: Style | None = None) -> Choice:
    r"""Return the choice in an answer; text and fences around it are left out.

    ``style`` is what was asked for, or None if either may come. `FormError` if there is no choice, or it is of a
    function that is not among ``functions`` (if any are given).

    >>> read_choice('Sure: {"function": "count", "params": {"word": "a"}}', functions=["count"])
    Choice(function='count', params={'word': 'a'})
    >>> read_choice("function: count\nparams:\n  word: a", style="yaml")
    Choice(function='count', params={'word': 'a'})
    """
    text = checked(answer, "answer")
    yaml = _YAML.search(text)
    brace = text.find("{")
    if style == "yaml" or (style is None and yaml and not 0 <= brace < yaml.start()):
        found = _yaml_part(text, yaml)
    elif brace < 0:
        raise FormError(
            "The answer holds no choice of a function.", 'It must have a "function" in JSON or YAML.'
        )
    else:
        value, _ = read_json(text[brace:], "answer")
        found = value if isinstance(value, dict) else {}
    return _choice(found, list(functions))


def write_choice(choice: Choice, style: Style = "json") -> str:
    r"""Return a choice as the models were trained to write it.

    >>> write_choice(Choice("count", {"word": "a"}), "yaml")
    'function: count\nparams:\n  word: "a"'
    """
    if style == "yaml":
        return f"function: {choice.function}\n{write_yaml({'params': dict(choice.params)})}".rstrip("\n")
    value: Value = {"function": choice.function, "params": dict(choice.params)}
    return write_json(value, indent=2)


def _yaml_part(text: str, start: re.Match[str] | None) -> dict[str, Value]:
    if not start:
        raise FormError(
            "The answer holds no choice of a function.", "It must have a line such as function: name"
        )
    part = text[start.start() :]
    fence = _FENCE.search(part)
    return read_yaml(_without_prose(part[: fence.start()] if fence else part))


def _without_prose(text: str) -> str:
    """Cut what follows the choice: after an empty line, the first that begins at the margin with no key of ours."""
    after = re.search(r"\n[ \t]*\n(?![ \t\n]|function:|params:|parameters:)", text)
    return text[: after.start()] if after else text


def _choice(found: Mapping[str, Value], functions: list[str]) -> Choice:
    name = found.get("function")
    params = found.get("params", found.get("parameters"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FormError("The answer names no function.", 'Its "function" must be a name.')
    if functions and name not in functions:
        raise FormError(
            f"The answer chooses {name}, which is not one of the functions.", did_you_mean(name, functions)
        )
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise FormError(f"The parameters of {name} are not a mapping of names to values.")
    return Choice(name, params)


def _described(function: Function) -> Iterator[str]:
    yield f"{_known(function.name)}:"
    yield f"  description: {_one_line(function.description)}"
    if function.params:
        yield "  params:"
        yield from _parameters(function.params, 4)


def _parameters(params: Params, indent: int) -> Iterator[str]:
    if indent > 2 * MAX_DEPTH:
        raise FormError(f"The parameters are nested too deeply: more than {MAX_DEPTH - 2} levels.")
    for name, meaning in params.items():
        if isinstance(meaning, str):
            yield f"{' ' * indent}{_known(name)}: {_one_line(meaning)}"
        else:
            yield f"{' ' * indent}{_known(name)}:"
            yield from _parameters(meaning, indent + 2)


def _known(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise FormError(
            f"{name!r} is not the name of a function or parameter.", "Use letters, digits, . - and _."
        )
    return name


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.strip().splitlines())
