"""The servers that the user has added: what each is, kept in ``servers.toml`` in the plugin's folder."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airochat.checks import did_you_mean
from airochat.errors import SettingsError, StoreError, UsageError
from airochat.text import one_line

from .data import read_toml

FILE = "servers.toml"
MOST = 20
"""How many servers there may be."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,23}")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_HEAD = """\
# Servers of the Model Context Protocol whose tools the model may call; see the README of the plugin tools.
# A server with a command is a program that airochat starts, with all that you may do yourself.
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server: a program that is started, or the address of one that runs."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True

    @property
    def told(self) -> str:
        """What it is, in one line; what headers and variables hold may be secret and is left out."""
        return one_line(self.url or shlex.join([self.command, *self.args]), 200)

    @property
    def identity(self) -> str:
        """Tells whether this is the same program or address as before; headers may change."""
        what = repr((self.command, self.args, sorted(self.env.items()), self.url))
        return hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()[:32]


def load(folder: Path) -> dict[str, Server]:
    """Return the servers by name; `UsageError` names what is wrong in the file."""
    found = read_toml(folder / FILE)
    if len(found) > MOST:
        raise UsageError(f"{FILE} has {len(found)} servers.", f"It may have {MOST}.")
    return {name: _server(name, table) for name, table in found.items()}


def parse(name: str, words: str) -> Server:
    """Return the server that ``/tools server add`` names; ``KEY=VALUE`` before a command is a variable for it."""
    check_name(name)
    if re.match(r"https?://", words):
        return _server(name, {"url": words.strip()})
    try:
        parts = shlex.split(words)
    except ValueError:
        raise UsageError("A quote in the command is never closed.") from None
    env: dict[str, str] = {}
    while parts and (match := _VARIABLE.fullmatch(parts[0])):
        env[match[1]] = match[2]
        parts.pop(0)
    if not parts:
        raise UsageError("There is no command.", "/tools server add NAME COMMAND…, or an address: https://…")
    return _server(name, {"command": parts[0], "args": parts[1:], "env": env})


def check_name(name: str) -> None:
    """Raise `UsageError` unless this may be the name of a server."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{one_line(name, 40)!r} is not a name for a server.", "Up to 24 letters, digits, - and _."
        )


def find(servers: Mapping[str, Server], name: str) -> Server:
    """Return the server of a name; `UsageError` if there is none."""
    if name not in servers:
        raise UsageError(f"There is no server {one_line(name, 40)!r}.", did_you_mean(name, servers))
    return servers[name]


def save(folder: Path, server: Server) -> None:
    """Write a server into the file, in place of one of the same name; its comments stay."""
    document = _document(folder)
    if server.name not in document and len(document) >= MOST:
        raise UsageError(f"There are {MOST} servers already.", "Remove one first.")
    table: dict[str, Any] = {"url": server.url} if server.url else {"command": server.command}
    if server.args:
        table["args"] = list(server.args)
    table.update(
        {key: dict(value) for key, value in (("env", server.env), ("headers", server.headers)) if value}
    )
    document[server.name] = {**table, "enabled": server.enabled}
    _write(folder, document)


def remove(folder: Path, name: str) -> None:
    """Take a server out of the file."""
    document = _document(folder)
    document.pop(name, None)
    _write(folder, document)


def _document(folder: Path) -> Any:
    import tomlkit

    load(folder)  # what is wrong in it is told and not written over
    path = folder / FILE
    return tomlkit.parse(path.read_text(encoding="utf-8-sig") if path.exists() else _HEAD)


def _write(folder: Path, document: Any) -> None:
    import tomlkit

    path = folder / FILE
    draft = path.with_suffix(".new")
    try:
        draft.touch(mode=0o600)  # variables and headers may hold secrets
        draft.write_text(tomlkit.dumps(document), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{FILE} cannot be written: {error.strerror}.") from None


def _server(name: str, table: Any) -> Server:
    check_name(name)
    where = f"The server {name}"
    if not isinstance(table, Mapping):
        raise SettingsError(f"{where} in {FILE} is not a table.", f"Write [{name}].")
    known = ("command", "args", "env", "url", "headers", "enabled")
    for key in table:
        if key not in known:
            raise SettingsError(f"{where} has {one_line(key, 40)!r}.", did_you_mean(key, known))
    command, url, args = table.get("command", ""), table.get("url", ""), table.get("args", [])
    if not isinstance(command, str) or not isinstance(url, str) or bool(command) == bool(url):
        raise SettingsError(f"{where} needs a command or a url, as a text.")
    if url and not re.fullmatch(r"https?://[^\s/][^\s]*", url):
        raise SettingsError(
            f"{where} has the address {one_line(url, 60)!r}.", "It must begin with https:// or http://."
        )
    if not isinstance(args, list) or not all(isinstance(arg, str) for arg in args):
        raise SettingsError(f"{where} has args that are no list of texts.")
    if "\0" in "".join((command, *args)):
        raise SettingsError(f"{where} has a NUL in its command.")
    if not isinstance(table.get("enabled", True), bool):
        raise SettingsError(f"{where} has enabled = {table['enabled']!r}.", "It must be true or false.")
    env, headers = _texts(table, "env", where), _texts(table, "headers", where)
    return Server(name, command, tuple(args), env, url, headers, table.get("enabled", True))


def _texts(table: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    found = table.get(key, {})
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise SettingsError(f"{where} has {key} that is no table of texts.")
    return {str(name): str(value) for name, value in found.items()}
