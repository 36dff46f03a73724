"""Tools on the command line: who may be called, what is asked, and what is told about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airochat.backends import scripted
from tests.session.toolbox import write_toolbox

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal, Program

LAMP = 'CALL lamp {"sides": 6}'


@pytest.fixture(autouse=True)
def toolbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toolbox(home)
    monkeypatch.setenv("AIROCHAT_PLUGINS", "toolbox")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scripted model call the lamp and then say what became of it."""
    monkeypatch.setattr(scripted.ScriptedBackend.__init__, "__defaults__", ((LAMP, "It is lit."),))


def say(cli: Cli, *arguments: str) -> tuple[str, str, int]:
    done = cli("say", "Light it", "--model", "scripted", *arguments)
    return done.stdout, done.stderr, done.exit_code


@pytest.mark.usefixtures("script")
def test_nobody_is_asked_and_the_call_is_denied(cli: Cli) -> None:
    out, told, code = say(cli)
    assert (out, code) == (f"{LAMP}\nIt is lit.\n", 0)
    assert "lamp of the harbour denied: The user was not asked" in told
    assert "--allow-tools lamp" in told


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("allowed", [("lamp",), ("all",), ("dice, lamp",), ("dice", "lamp")])
def test_tools_are_allowed_by_name(cli: Cli, allowed: tuple[str, ...]) -> None:
    out, told, _ = say(cli, *(word for name in allowed for word in ("--allow-tools", name)))
    assert out == f"{LAMP}\nIt is lit.\n"
    first, second = told.splitlines()
    assert first == 'lamp of the harbour {"sides": 6}' and second.startswith(
        "lamp of the harbour done: rolled "
    )


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("allowed", ["none", "dice"])
def test_others_are_denied(cli: Cli, allowed: str) -> None:
    _, told, _ = say(cli, "--allow-tools", allowed)
    assert "denied: The user was not asked" in told


@pytest.mark.usefixtures("script")
def test_an_unknown_tool_is_named_before_anything_is_sent(cli: Cli) -> None:
    out, told, code = say(cli, "--allow-tools", "lamb")
    assert not out and "Did you mean 'lamp'?" in told and code != 0


@pytest.mark.usefixtures("script")
def test_json_lists_the_calls(cli: Cli) -> None:
    out, _, _ = say(cli, "--json", "--allow-tools", "all")
    found = json.loads(out)
    assert found["text"] == "It is lit."
    (call,) = found["calls"]
    assert call["tool"] == "lamp" and call["state"] == "done" and call["approved"] == "once"
    shown = json.loads(cli("chats", "show", found["session"], "--json").stdout)["messages"]
    assert [message.get("calls") for message in shown] == [None, None, [call], None]


def test_json_has_a_list_without_calls(cli: Cli) -> None:
    out, _, _ = say(cli, "--json")
    assert json.loads(out)["calls"] == []


@pytest.mark.usefixtures("script")
def test_decisions_are_listed_and_changed(cli: Cli) -> None:
    def tools(*words: str) -> str:
        return cli("plugins", "tools", *words).stdout

    found = json.loads(tools("list", "--json"))["tools"]
    states = {one["tool"]: one["decision"] for one in found if one["plugin"] == "toolbox"}
    assert states == {"dice": "free", "lamp": "ask", "slow": "free", "broken": "free"}
    assert "always" in tools("allow", "lamp")
    assert "never" in tools("forbid", "dice")
    lines = tools("list").splitlines()
    assert any(line.split()[:2] == ["always", "lamp"] for line in lines)
    assert any(line.split()[:2] == ["never", "dice"] for line in lines)
    assert "denied" not in say(cli)[1]
    tools("forget", "lamp")
    assert "denied" in say(cli)[1]
    wrong = cli("plugins", "tools", "allow", "lamb")
    assert wrong.exit_code != 0 and "Did you mean 'lamp'?" in wrong.stderr


def test_what_was_decided_about_a_tool_that_is_gone_can_be_forgotten(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("plugins", "tools", "allow", "lamp")
    monkeypatch.setenv("AIROCHAT_PLUGINS", "")
    assert "lamp" in cli("plugins", "tools", "list").stdout
    cli("plugins", "tools", "forget", "lamp")
    assert "lamp" not in cli("plugins", "tools", "list").stdout


@pytest.fixture
def calling(home: Path) -> dict[str, str]:
    """The environment of a program whose scripted model calls the lamp."""
    place = home / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "from airochat.backends import scripted\n"
        f"scripted.ScriptedBackend.__init__.__defaults__ = (({LAMP!r}, 'It is as you say.'),)\n",
        encoding="utf-8",
    )
    return {"PYTHONPATH": str(place)}


def test_the_line_mode_asks_at_a_terminal(terminal: InTerminal, calling: dict[str, str]) -> None:
    started = terminal("repl", "--model", "scripted", **calling)
    started.wait_for("> ")
    started.type("Light it\n")
    started.wait_for("lamp of the harbour (of the plugin toolbox)")
    started.wait_for('"sides": 6')
    started.wait_for("ne[v]er?")
    started.type("what\n")
    started.wait_for("ne[v]er?")
    started.type("y\n")
    started.wait_for("harbour done: rolled")
    started.wait_for("It is as you say.")
    started.type("Once more\n")
    started.wait_for("ne[v]er?")
    started.interrupt("> ")
    started.type("/undo\n")
    started.wait_for("It is as you say.")
    started.type("/quit\n")
    assert started.finish() == 0


def test_what_was_typed_before_the_question_is_no_answer(
    terminal: InTerminal, calling: dict[str, str]
) -> None:
    started = terminal("repl", "--model", "scripted", **calling)
    started.wait_for("> ")
    started.type("Light it\nalways\n")
    started.wait_for("ne[v]er?")
    started.type("And then all is well.\n")
    started.wait_for("ne[v]er?")
    started.type("no\n")
    started.wait_for("harbour denied")
    started.wait_for("It is as you say.")
    started.type("/quit\n")
    assert started.finish() == 0


def test_the_line_mode_asks_nobody_on_a_pipe(program: Program, calling: dict[str, str]) -> None:
    done = program("repl", "--model", "scripted", stdin=b"Light it\n", **calling)
    assert done.stdout.decode() == f"{LAMP}\nIt is as you say.\n" and done.returncode == 0
    assert "denied: The user was not asked" in done.stderr.decode()
