"""The root of the command line: help, lazy loading, options before a command, and exit codes."""

from __future__ import annotations

import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from airochat import __version__
from airochat.cli import COMMANDS, root
from airochat.cli.lazy import LazyGroup
from airochat.errors import AirochatError, StoreError, UsageError
from tests.cli.conftest import START

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Program

LOADED = """
import json, sys
from airochat.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_lists_every_command_and_imports_none() -> None:
    loaded = loaded_by("--help")
    clicks = subprocess.run(
        [sys.executable, "-c", "import click, json, sys; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    beyond_click = {name for name in loaded - set(json.loads(clicks.stdout)) if not name.startswith("click.")}
    ours = {name for name in beyond_click if name.startswith("airochat")}
    assert ours == {"airochat", "airochat.cli", "airochat.cli.lazy", "airochat.errors"}
    assert len(beyond_click - ours) < 25, sorted(beyond_click - ours)


def test_the_table_tells_what_each_command_says_of_itself() -> None:
    for name in COMMANDS:
        command = getattr(importlib.import_module(f"airochat.cli.{name}"), name)
        assert isinstance(command, click.Command)
        assert command.name == name
        assert COMMANDS[name].endswith(".")


def test_help_shows_the_commands(cli: Cli) -> None:
    shown = cli("--help").stdout
    for name, summary in COMMANDS.items():
        assert f"{name} " in shown
        assert summary.split(",")[0] in shown


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(cli: Cli, name: str) -> None:
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: airochat {name}")


def test_version(program: Program) -> None:
    done = program("--version")
    assert (done.returncode, done.stdout.decode().strip()) == (0, f"airochat {__version__}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sya"], "Did you mean 'say'"),
        (["Tell me a story"], "airochat say"),
        (["--nope"], "--nope"),
        (["--theme", "paper", "themes", "list"], "--theme does not go with 'themes'"),
        (["--session", "1234", "doctor"], "--session does not go with 'doctor'"),
        (["say"], "TEXT"),
        (["--set", "theme", "themes", "list"], "NAME=VALUE"),
        (["--set", "tehme=1", "themes", "list"], "Did you mean 'theme'"),
        (["--set", "theme=[1]", "themes", "list"], "theme"),
    ],
)
def test_misuse_is_explained_on_stderr_and_exits_with_2(cli: Cli, arguments: list[str], said: str) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr


def test_without_a_terminal_the_chat_does_not_open(program: Program) -> None:
    done = program()
    assert done.returncode == 2
    assert b"airochat say" in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("say - --model scripted <&-", 2),
        ("<&-", 2),
        ("say Hello --model scripted >&-", 0),
        ("themes list --json >&-", 0),
        ("say '' 2>&-", 2),
        ("repl --model scripted <&-", 0),
    ],
)
def test_a_stream_that_is_closed_counts_as_empty(line: str, code: int) -> None:
    done = subprocess.run(
        f"{shlex.join(START)} {line}", shell=True, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code
    assert "went wrong" not in done.stderr


def test_a_broken_settings_file_is_named(program: Program, home: Path) -> None:
    (home / "settings.toml").write_text("theme = [", encoding="utf-8")
    done = program("themes", "list")
    assert done.returncode == 2
    assert str(home / "settings.toml") in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_data_folder_under_a_file_is_refused(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder", encoding="utf-8")
    done = program("--home", str(file / "home"), "chats", "list")
    assert done.returncode == 1
    assert "AIROCHAT_HOME" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def failing(error: BaseException) -> click.Command:
    """A command line of one command that raises."""

    @click.command()
    def fail() -> None:
        raise error

    class Group(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return fail

    return Group(name="airochat", table={"fail": ""}, params=[click.Option(["--debug"], is_flag=True)])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (AirochatError("The lamp is out.", "Light it."), 1, "airochat: The lamp is out.\n  Light it.\n"),
        (StoreError("Full."), 1, "airochat: Full.\n"),
        (UsageError("Which lamp?"), 2, "airochat: Which lamp?\n"),
        (AirochatError("Red \x1b[31mlamp"), 1, "airochat: Red lamp\n"),
        (KeyboardInterrupt(), 130, "\n"),
    ],
)
def test_errors_become_a_sentence_and_an_exit_code(error: BaseException, code: int, said: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", said)


def test_a_fault_of_ours_shows_its_traceback_only_when_asked() -> None:
    quiet = CliRunner().invoke(failing(ZeroDivisionError("of lamps")), ["fail"])
    assert quiet.exit_code == 1
    assert "ZeroDivisionError: of lamps" in quiet.stderr
    assert "--debug" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    loud = CliRunner().invoke(failing(ZeroDivisionError("of lamps")), ["--debug", "fail"])
    assert loud.exit_code == 1
    assert "Traceback" in loud.stderr


def test_options_before_a_command_count_for_it(cli: Cli) -> None:
    before = cli("--template", "nope", "say", "hi")
    after = cli("say", "--template", "nope", "hi")
    assert before.stderr == after.stderr
    assert "nope" in before.stderr


def test_no_color_means_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    def colors(**environment: str) -> bool:
        return "\x1b[" in CliRunner(env=environment).invoke(root, ["doctor"], color=True).stdout

    assert colors()
    assert not colors(NO_COLOR="1")


def test_set_changes_a_setting_for_this_run(cli: Cli, home: Path) -> None:
    assert "*  paper" in cli("--set", "theme=paper", "themes", "list").stdout
    assert "*  paper" in cli("--set", 'theme="paper"', "themes", "list").stdout
    assert "*  ember" in cli("themes", "list").stdout
    assert not (home / "settings.toml").exists()
