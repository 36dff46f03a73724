"""What the commands share: opening the data folder, the manager and a chat, and printing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airochat.errors import UsageError
from airochat.paths import Home
from airochat.text import clean

if TYPE_CHECKING:
    from airochat.characters import Persona
    from airochat.session import Session, SessionManager
    from airochat.settings import Settings
    from airochat.templates import Templates

F = TypeVar("F", bound=Callable[..., Any])

LORA = "airochat.lora"
"""Where a click context keeps what was given with ``--lora`` behind a command."""

_UNSAFE = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def open_home(ctx: click.Context) -> Home:
    """Return the data folder: that of ``--home``, of ``AIROCHAT_HOME``, or the platform's. Nothing is made."""
    return Home.find(ctx.find_root().params.get("home"))


def load_settings(ctx: click.Context, **overrides: Any) -> Settings:
    """Read the settings, with those of ``--set`` and the overrides that are not None on top."""
    from airochat.settings import Settings

    return Settings.load(open_home(ctx).settings, _overrides(ctx, overrides))


def open_manager(ctx: click.Context, model: str | None = None, **overrides: Any) -> SessionManager:
    """Open the data folder with these settings; use it in a ``with`` statement."""
    import airochat

    return airochat.open(open_home(ctx).root, model=model, settings=_overrides(ctx, overrides))


def plugin_folders(home: Home, kind: str) -> list[Path]:
    """Return the folders of a name, such as ``themes``, of the plugins that may run; none of their code is run."""
    from airochat.hooks import PluginHost
    from airochat.settings import Settings

    settings = Settings.load(home.settings)
    host = PluginHost(
        home.folder("plugins"),
        lambda plugin, scope: {},
        settings.plugins_enabled,
        disabled=settings.plugins_disabled,
    )
    return host.data_folders(kind)


def known_templates(home: Home) -> Templates:
    """Return the templates that are shipped, those of plugins, and the user's own."""
    from airochat.templates import Templates

    return Templates(home.folder("templates"), plugin_folders(home, "templates"))


def pick_session(manager: SessionManager, session: str | None, latest: bool) -> Session | None:
    """Return the chat that ``--session`` or ``--continue`` asks for, or None if neither was given."""
    if session:
        return manager.load(session)
    if not latest:
        return None
    found = manager.latest()
    if found is None:
        raise UsageError("There is no chat to continue.", "Leave out --continue to begin one.")
    return found


class Opening:
    """The chat that a command is to work on: one that was found, or a new one made when first needed.

    Template, system prompt and card are checked at once, so that a mistake in them costs no wait and leaves no chat.
    """

    def __init__(
        self,
        manager: SessionManager,
        found: Session | None,
        template: str | None = None,
        system: str | None = None,
        card: Sequence[str] = (),
        persona: str | None = None,
    ) -> None:
        if found is not None and (card or persona):
            raise UsageError(
                "--card and --persona are for a new chat.", "Leave out --session and --continue."
            )
        manager.model.check_template(template or "")
        self.manager = manager
        self._template = template
        self._system = system
        for one in card:
            manager.find_card(one)
        self.cards = tuple(card)
        """The characters of a new chat."""
        self._persona = find_persona(manager, persona)
        self.found = found
        """The chat, or None as long as a new one has not been needed."""

    def session(self) -> Session:
        """Return the chat, with the template and system prompt that were asked for."""
        if self.found is None:
            return self.begin()
        if changes := {
            k: v for k, v in (("template", self._template), ("system", self._system)) if v is not None
        }:
            self.found.set(**changes)
        return self.found

    def begin(self) -> Session:
        """Begin a new chat and return it."""
        self.found = self.manager.new(
            card=self.cards, persona=self._persona, template=self._template, system=self._system
        )
        return self.found


def find_persona(manager: SessionManager, name: str | None) -> Persona | None:
    """Return the persona of ``--persona``: a known one, or else one of that name alone."""
    from airochat.characters import Persona

    if not name:
        return None
    try:
        return manager.personas.get(name)
    except UsageError:
        return Persona(name)


def json_option(command: F) -> F:
    """Give a command the flag ``--json``, passed on as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def print_json(value: Any) -> None:
    """Print a value as JSON; characters that could steer a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of untrusted text in columns, as wide as their widest entry; the last one is never padded."""
    from airochat.text import one_line

    folded = [tuple(one_line(cell, 200) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*folded, strict=True)]
    for row in folded:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())


def put(text: str, end: str = "\n") -> None:
    """Write untrusted text to stdout: cleaned for a terminal, as it is for a file or a pipe."""
    sys.stdout.write((clean(text) if sys.stdout.isatty() else text) + end)
    sys.stdout.flush()


def _overrides(ctx: click.Context, overrides: dict[str, Any]) -> dict[str, Any]:
    changes = dict(map(_setting, ctx.find_root().params.get("changes", ())))
    if adapters := (*ctx.find_root().params.get("lora", ()), *ctx.meta.get(LORA, ())):
        changes["lora"] = tuple(map(_adapter, adapters))
    return changes | {name: value for name, value in overrides.items() if value is not None}


def _adapter(text: str) -> tuple[str, float]:
    """Split ``FILE[:SCALE]``, in which FILE may have a colon of its own."""
    path, colon, scale = text.rpartition(":")
    try:
        return (path, float(scale)) if colon and path else (text, 1.0)
    except ValueError:
        return text, 1.0


def _setting(text: str) -> tuple[str, Any]:
    """Split ``NAME=VALUE``; a value that is not TOML is taken as plain text."""
    import tomli

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text} is not of the form NAME=VALUE.", "For example: --set n_ctx=4096")
    try:
        return name.strip(), tomli.loads(f"value = {value}")["value"]
    except tomli.TOMLDecodeError:
        return name.strip(), value.strip()
