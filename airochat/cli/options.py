"""Options that several commands take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from airochat.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_SAMPLING_HELP = {
    "temperature": "Boldness; 0 always takes the likeliest token.",
    "dynatemp_range": "Let the temperature vary by so much to both sides, with the model's doubt; 0: off.",
    "dynatemp_exponent": "How fast the temperature rises with doubt.",
    "top_k": "Keep only the K likeliest tokens; 0: all.",
    "top_p": "Keep the likeliest tokens that make up this share; 1: all.",
    "min_p": "Drop tokens below this share of the likeliest one's; 0: none.",
    "typical_p": "Keep the tokens nearest to the expected surprise, up to this share; 1: all.",
    "top_n_sigma": "Keep tokens within so many standard deviations of the likeliest; -1: all.",
    "xtc_probability": "How often to leave out all but the least of the likely tokens; 0: never.",
    "xtc_threshold": "What counts as likely for the option before.",
    "repeat_penalty": "Make recent tokens less likely; 1: off.",
    "repeat_last_n": "How many recent tokens the penalties look at; -1: all.",
    "frequency_penalty": "Penalty for every time a token was used.",
    "presence_penalty": "Penalty for tokens that were used at all.",
    "dry_multiplier": "Strength of DRY, which keeps word sequences from coming again; 0: off, 0.8: usual.",
    "dry_base": "How fast the penalty of DRY grows with a sequence's length.",
    "dry_allowed_length": "How long a sequence may be that comes again unpunished.",
    "dry_penalty_last_n": "How many recent tokens DRY looks at; -1: all.",
    "dry_sequence_breakers": "A text that no sequence of DRY goes across; may be given several times.",
    "mirostat": "Keep the surprise of each token at one level, by version 1 or 2; 0: off.",
    "mirostat_tau": "The surprise that mirostat aims at.",
    "mirostat_eta": "How fast mirostat adapts.",
    "adaptive_target": "Choose tokens near this probability over time; -1: off.",
    "adaptive_decay": "How slowly that adapts.",
    "logit_bias": "Make a text or token id likelier or less likely; -100: never. May be given several times.",
    "grammar": "A GBNF grammar that binds the reply; @FILE reads it from a file.",
    "json_schema": "A JSON schema that binds the reply; @FILE reads it from a file.",
    "samplers": "Which samplers to use, in their order, with commas between.",
    "seed": "The same seed gives the same reply.",
    "max_tokens": "Length of the reply in tokens.",
    "banned": "A text, or a /regex/, that the reply must not contain; may be given several times.",
    "ignore_eos": "Keep the model from ending a reply by itself.",
    "stop": "A text that ends the reply; may be given several times.",
}
_OPTION_TYPES: dict[str, Any] = {"int": click.INT, "int | None": click.INT, "float": click.FLOAT}
_METAVARS = {"logit_bias": "TEXT=NUMBER", "grammar": "GBNF|@FILE", "json_schema": "JSON|@FILE"}


def lora_option(command: F) -> F:
    """Give a command the option ``--lora``, which takes the place of the setting ``lora``."""

    def keep(ctx: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
        from airochat.cli.common import LORA

        ctx.meta[LORA] = values

    return click.option(
        "--lora",
        metavar="FILE[:SCALE]",
        multiple=True,
        expose_value=False,
        callback=keep,
        help="A LoRA adapter for the model, and its strength.",
    )(command)


def chat_options(command: F) -> F:
    """Give a command the options that say which chat and which model it works on."""
    options = (
        click.option("--model", metavar="M", help="A path, a known name, demo, or remote:ADDRESS."),
        lora_option,
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
    """Give a command ``--preset``, and one option for every field of `Sampling`.

    The command gets a dict ``sampling`` of what the preset says and of the fields given, which win.
    """
    import dataclasses

    from airochat.sampling import Sampling

    names = [field.name for field in dataclasses.fields(Sampling)]

    @functools.wraps(command)
    def with_sampling(*args: Any, preset: str | None, **kwargs: Any) -> Any:
        values = {name: kwargs.pop(name) for name in names}
        given = {name: _read(name, value) for name, value in values.items() if value not in (None, ())}
        return command(*args, sampling=_preset_values(preset) | given, **kwargs)

    wrapped: Callable[..., Any] = with_sampling
    for field in reversed(dataclasses.fields(Sampling)):
        wrapped = _field_option(field.name, str(field.type))(wrapped)
    preset = click.option("--preset", metavar="NAME", help="A sampling preset; see `airochat presets`.")
    return preset(wrapped)  # type: ignore[return-value]


def _field_option(name: str, kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flags = [f"--{name.replace('_', '-')}", name]
    if name == "temperature":
        flags.insert(1, "--temp")
    told: dict[str, Any] = {"help": _SAMPLING_HELP[name], "metavar": _METAVARS.get(name)}
    if kind == "bool":
        return click.option(*flags, is_flag=True, default=None, help=told["help"])
    if kind.startswith("tuple") and name != "samplers":
        return click.option(*flags, multiple=True, **told)
    return click.option(*flags, type=_OPTION_TYPES.get(kind, click.STRING), **told)


def _preset_values(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    from airochat.cli.common import open_home
    from airochat.presets import Presets

    return dict(Presets(open_home(click.get_current_context()).folder("presets")).get(name).values)


def _read(name: str, value: Any) -> Any:
    """Turn what was typed into a field's value."""
    if name in ("grammar", "json_schema") and value.startswith("@"):
        from airochat.cli.reading import read_file

        return read_file(value[1:])
    if name == "samplers":
        return tuple(part.strip() for part in value.replace(";", ",").split(",") if part.strip())
    return tuple(map(_bias, value)) if name == "logit_bias" else value


def _bias(text: str) -> tuple[str | int, float]:
    token, equals, number = text.rpartition("=")
    wrong = UsageError(f"--logit-bias {text} is not of the form TEXT=NUMBER.", 'For example: " dog=-5"')
    if not equals or not token:
        raise wrong
    try:
        return int(token) if token.isascii() and token.isdigit() else token, float(number)
    except ValueError:
        raise wrong from None
