"""``airochat presets``: sampling presets, and which values count."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.cli.common import (
    json_option,
    load_settings,
    open_home,
    open_manager,
    print_json,
    print_table,
    put,
)
from airochat.cli.lazy import report
from airochat.cli.reading import read_file, user_path
from airochat.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airochat.presets import Presets
    from airochat.sampling import Sampling


@click.group()
def presets() -> None:
    """List and show sampling presets, import those of other programs, tell which values count."""


@presets.command("list")
@json_option
@click.pass_context
def list_presets(ctx: click.Context, as_json: bool) -> None:
    """List the presets that are shipped, and your own."""
    known = _known(ctx)
    if as_json:
        rows = [{"name": one.name, "why": one.why, "own": one.name in known.own} for one in known.all()]
        print_json({"presets": rows, "problems": [str(problem) for problem in known.problems]})
    else:
        print_table([(one.name, one.why) for one in known.all()])
    for problem in known.problems:
        report(problem.message, problem.hint)


@presets.command()
@click.argument("name", metavar="NAME")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show the fields that a preset sets."""
    preset = _known(ctx).get(name)
    if as_json:
        print_json({"name": preset.name, "why": preset.why, "sampling": dict(preset.values)})
        return
    put(preset.why)
    if preset.values:
        print_table([(field, _written(value)) for field, value in preset.values.items()])


@presets.command("import")
@click.argument("file", metavar="FILE")
@click.option("--name", metavar="NAME", help="The name to give it; else the file's.")
@click.option("--force", is_flag=True, help="Replace a preset of yours that has this name.")
@json_option
@click.pass_context
def import_file(ctx: click.Context, file: str, name: str | None, force: bool, as_json: bool) -> None:
    """Make a preset of a file of another program, and put it into your presets folder.

    FILE is a preset of text-generation-webui (.yaml), a text completion preset of SillyTavern (.json), or a preset
    file (.toml).
    """
    from airochat.formats.sampling_preset import import_preset
    from airochat.presets import parse_preset, preset_toml

    path = user_path(file)
    text = read_file(file)
    chosen = name or _slug(path.stem)
    if not chosen or chosen != _slug(chosen):
        raise UsageError(f"{chosen!r} cannot be a preset's name.", "Use letters, digits, points and -.")
    warnings: tuple[str, ...] = ()
    if path.suffix.lower() != ".toml":
        imported = import_preset(path.name, text)
        text, warnings = preset_toml(imported.values, imported.why), imported.warnings
    preset = parse_preset(chosen, text, file)
    target = open_home(ctx).folder("presets") / f"{chosen}.toml"
    _write(target, text, force)
    for warning in warnings:
        report(warning)
    if as_json:
        print_json({"name": chosen, "sampling": dict(preset.values), "warnings": list(warnings)})
    else:
        put(f"{chosen} is now a preset: {target}")


@presets.command()
@click.option("--session", metavar="S", help="A chat, by id, its beginning, or title.")
@click.option("--preset", metavar="NAME", help="A preset that the settings begin with.")
@click.option("--all", "everything", is_flag=True, help="Also what is off.")
@json_option
@click.pass_context
def effective(
    ctx: click.Context, session: str | None, preset: str | None, everything: bool, as_json: bool
) -> None:
    """Show the value of each sampling field, and where it comes from: settings, card or chat."""
    from airochat.presets import layers

    settings, card, chat = _layers(ctx, session, preset)
    found = layers(settings, card, chat)
    if as_json:
        print_json({name: {"value": one.value, "origin": one.origin} for name, one in found.items()})
        return
    active = settings.replace(**{name: one.value for name, one in found.items()}).active()
    shown = {name: one for name, one in found.items() if everything or name in active}
    print_table([(name, one.origin, _written(one.value)) for name, one in shown.items()])


def _layers(
    ctx: click.Context, session: str | None, preset: str | None
) -> tuple[Sampling, Mapping[str, Any], Mapping[str, Any]]:
    """Return the sampling of the settings, of the card, and of the chat."""
    if not session:
        return load_settings(ctx, preset=preset).sampling, {}, {}
    with open_manager(ctx, preset=preset) as manager:
        profile = manager.load(session).profile
        card, warnings = profile.card_sampling
        for warning in warnings:
            report(warning)
        return manager.settings.sampling, card, dict(profile.sampling)


def _known(ctx: click.Context) -> Presets:
    from airochat.presets import Presets

    return Presets(open_home(ctx).folder("presets"))


def _written(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def _write(target: Path, text: str, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"There is a preset {target.stem!r} of yours already.", "Give --name, or --force.")
    draft = target.with_suffix(".new")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}.") from None
