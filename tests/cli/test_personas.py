"""``airochat personas``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


@pytest.fixture
def rook(cli: Cli) -> None:
    done = cli("personas", "add", "Rook", "A thief.")
    assert (done.exit_code, done.stdout) == (0, "Rook is a persona of yours now.\n")


def told(cli: Cli, *arguments: str) -> Any:
    return json.loads(cli("personas", *arguments, "--json").stdout)


def test_no_persona_says_how_to_make_one(cli: Cli) -> None:
    shown = cli("personas", "list")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "airochat personas add" in shown.stderr


@pytest.mark.usefixtures("rook")
def test_list_and_show(cli: Cli) -> None:
    cli("personas", "add", "Zoe", "-", "--default", input="A nurse.\nTired.\n")
    assert cli("personas", "list").stdout == "   Rook  A thief.\n*  Zoe   A nurse. Tired.\n"
    assert told(cli, "list")["personas"] == [
        {"name": "Rook", "description": "A thief.", "default": False},
        {"name": "Zoe", "description": "A nurse.\nTired.", "default": True},
    ]
    assert cli("personas", "show", "zoe").stdout == "Zoe\n\nA nurse.\nTired.\n"


@pytest.mark.usefixtures("rook")
def test_another_of_the_same_name_must_be_asked_for(cli: Cli) -> None:
    done = cli("personas", "add", "Rook", "A knight.")
    assert done.exit_code == 2
    assert told(cli, "show", "Rook")["description"] == "A thief."
    cli("personas", "add", "Rook", "A knight.", "--replace")
    assert told(cli, "show", "Rook")["description"] == "A knight."


@pytest.mark.usefixtures("rook")
def test_the_default_is_set_told_and_unset(cli: Cli) -> None:
    assert cli("personas", "default").stdout == "There is no default persona.\n"
    assert cli("personas", "default", "rook").stdout == "Rook\n"
    assert told(cli, "default") == {"default": "Rook"}
    assert told(cli, "default", "--none") == {"default": None}
    assert cli("personas", "default", "Rook", "--none").exit_code == 2


@pytest.mark.usefixtures("rook")
def test_export_and_import(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "rook.toml"
    assert cli("personas", "export", "Rook").stdout == 'name = "Rook"\ndescription = "A thief."\n'
    assert cli("personas", "export", "Rook", "--out", str(path)).exit_code == 0
    assert cli("personas", "export", "Rook", "--out", str(path)).exit_code == 1
    assert cli("personas", "delete", "Rook").stdout == "Rook is deleted.\n"
    assert told(cli, "list")["personas"] == []
    assert told(cli, "import", str(path)) == {"name": "Rook", "description": "A thief.", "default": False}
    path.write_text('name = "Rook"\ndescription = "A knight."\n', encoding="utf-8")
    assert cli("personas", "import", str(path)).exit_code == 2
    assert told(cli, "import", str(path), "--replace")["description"] == "A knight."


@pytest.mark.parametrize("command", [("show",), ("delete",), ("export",), ("default",)])
@pytest.mark.usefixtures("rook")
def test_an_unknown_persona_is_a_usage_error(cli: Cli, command: tuple[str]) -> None:
    done = cli("personas", *command, "Rok")
    assert done.exit_code == 2
    assert "There is no persona 'Rok'." in done.stderr and "Did you mean 'Rook'?" in done.stderr


def test_a_description_cannot_steer_the_terminal(cli: Cli) -> None:
    cli("personas", "add", "Eve", "a\x1b[2J\x07b")
    for call in (["list"], ["show", "Eve"], ["show", "Eve", "--json"]):
        assert cli("personas", *call).stdout.replace("\n", "").isprintable()
