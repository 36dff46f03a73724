"""Options that several commands take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_SAMPLING_HELP = {
    "temperature": "Boldness; 0 always takes the likeliest token.",
    "top_k": "Keep only the K likeliest tokens; 0: all.",
    "top_p": "Keep the likeliest tokens that make up this share; 1: all.",
    "min_p": "Drop tokens below this share of the likeliest one's; 0: none.",
    "repeat_penalty": "Make recent tokens less likely; 1: off.",
    "repeat_last_n": "How many recent tokens the penalties look at.",
    "frequency_penalty": "Penalty for every time a token was used.",
    "presence_penalty": "Penalty for tokens that were used at all.",
    "seed": "The same seed gives the same reply.",
    "max_tokens": "Length of the reply in tokens.",
    "ignore_eos": "Keep the model from ending a reply by itself.",
    "stop": "A text that ends the reply; may be given several times.",
}
_OPTION_TYPES: dict[str, Any] = {"int": click.INT, "int | None": click.INT, "float": click.FLOAT}


def chat_options(command: F) -> F:
    """Give a command the options that say which chat and which model it works on."""
    options = (
        click.option("--model", metavar="M", help="A path, a known name, demo, or remote:ADDRESS."),
        click.option(
            "--session", metavar="S", help="The chat to go on with, by id, its beginning, or title."
        ),
        click.option("--continue", "latest", is_flag=True, help="Go on with the latest chat."),
        click.option("--template", metavar="T", help="The prompt template, instead of the model's."),
        click.option("--system", metavar="S", help="The system prompt."),
        click.option(
            "--card",
            metavar="C",
            multiple=True,
            help="A character card for a new chat: a file, or a name from the library; several make a group.",
        ),
        click.option("--persona", metavar="NAME", help="Who you are in a new chat."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def sampling_options(command: F) -> F:
    """Give a command one option for every field of `Sampling`.

    The command gets a dict ``sampling`` of those given.
    """
    import dataclasses

    from airochat.sampling import Sampling

    names = [field.name for field in dataclasses.fields(Sampling)]

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        values = {name: kwargs.pop(name) for name in names}
        given = {name: value for name, value in values.items() if value not in (None, ())}
        return command(*args, sampling=given, **kwargs)

    for field in reversed(dataclasses.fields(Sampling)):
        flags = [f"--{field.name.replace('_', '-')}", field.name]
        if field.name == "temperature":
            flags.insert(1, "--temp")
        help_text = _SAMPLING_HELP.get(field.name, "")
        if str(field.type) == "bool":
            wrapped = click.option(*flags, is_flag=True, default=None, help=help_text)(wrapped)
            continue
        # Fields whose type is not in the table are lists of texts.
        kind = _OPTION_TYPES.get(str(field.type), click.STRING)
        wrapped = click.option(*flags, type=kind, multiple=kind is click.STRING, help=help_text)(wrapped)
    return wrapped  # type: ignore[return-value]
