"""What the commands about cards read and write besides the library: exports, drafts in an editor, ``--set``."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airochat.checks import did_you_mean
from airochat.cli.reading import user_path
from airochat.errors import CardError, StoreError, UsageError

if TYPE_CHECKING:
    from airochat.characters import Card


def write_out(content: bytes, form: str, name: str, out: str | None) -> Path | None:
    """Write an export to a new file and return where it is, or to stdout for ``-`` and return None."""
    from airochat.store.file_names import file_stem

    if out == "-":
        if form in ("png", "charx") and sys.stdout.isatty():
            raise UsageError(
                f"A {form} file is no text for a terminal.", "Give --out a file's name, or a pipe."
            )
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return None
    place = user_path(out) if out else Path()
    path = place / f"{file_stem(name, 'card')}.{form}" if place.is_dir() else place
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise StoreError(
            f"{path} is there already.", "Name another file with --out, or remove that one."
        ) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def read_picture(path: str) -> bytes:
    """Return the bytes of a picture that the user named."""
    try:
        return user_path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def field_change(setting: str) -> tuple[str, Any]:
    """Return the field and the value of ``FIELD=VALUE``: a text as it stands, anything else as TOML."""
    from airochat.characters import Card
    from airochat.characters.edit import EDITABLE
    from airochat.characters.fields import FIELDS

    kinds = {field.name: str(field.type) for field in dataclasses.fields(Card) if field.name in EDITABLE}
    name, equals, value = setting.partition("=")
    name = name.strip()
    if not equals:
        raise UsageError(f"--set {setting} is not of the form FIELD=VALUE.", "For example: --set creator=Ana")
    if name in FIELDS and name not in kinds:
        raise UsageError(
            f"A card's {name} is not to be changed by its user.", "The card formats leave it to programs."
        )
    if name not in kinds:
        raise UsageError(f"A card has no field {name!r} to change.", did_you_mean(name, kinds))
    return name, value if kinds[name] == "str" else _toml(name, value)


def draft_changes(card: Card, name: str) -> dict[str, Any]:
    """Let the user change a card's text form in an editor, and return the changed fields.

    A text that cannot be read as a card stays in its file, which the `CardError` names.
    """
    from airochat.characters.edit import as_text

    handle, path = tempfile.mkstemp(prefix="airochat-", suffix=".txt")
    before = as_text(card).encode("utf-8")
    with os.fdopen(handle, "wb") as file:
        file.write(before)
    _edit(path, before, name)
    changes: dict[str, Any] = {}
    try:
        if Path(path).read_bytes() != before:
            changes = text_changes(path, card)
    except (CardError, UsageError) as error:
        hint = f"Your text is kept: correct {path}, then `airochat cards edit {name} --from {path}`."
        raise CardError(error.message, hint) from None
    os.unlink(path)
    return changes


def _edit(path: str, before: bytes, name: str) -> None:
    """Open the user's editor on a draft; if it fails, an untouched draft is removed."""
    try:
        click.edit(filename=path)
    except click.ClickException as error:
        editor = error.message.partition(": Editing failed")[0]
        kept = path if Path(path).read_bytes() != before else "FILE"
        if kept != path:
            os.unlink(path)
        hint = (
            "Set $VISUAL or $EDITOR to another one, or do without: "
            f"`airochat cards edit {name} --from {kept}` or `--set FIELD=VALUE`."
        )
        raise CardError(f"The editor {editor} failed; the card was not changed.", hint) from None


def text_changes(path: str, card: Card) -> dict[str, Any]:
    """Return the fields that a file in the text form changes in a card."""
    from airochat.characters.edit import from_text
    from airochat.cli.reading import read_file
    from airochat.store.card_edits import differences

    return differences(card, from_text(read_file(path), card))


def _toml(name: str, value: str) -> Any:
    import tomli

    try:
        return tomli.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        hint = """Write a list as '["one", "two"]', a number as 0.5."""
        raise UsageError(f"--set {name}={value} is neither a list nor a number.", hint) from None
