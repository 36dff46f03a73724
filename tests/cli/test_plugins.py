"""``airochat plugins``: list, enable, disable, without running a plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

TOML = 'name = "lamp"\nversion = "1.0"\nsummary = "Lights the way"\napi = 1\n'


@pytest.fixture
def lamp(home: Path) -> Path:
    """A stranger's plugin that tells by a file whether its code was run."""
    folder = home / "plugins" / "lamp"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(TOML, encoding="utf-8")
    code = "from pathlib import Path\nPath(__file__).with_name('lit').touch()\n"
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    return folder


def state(cli: Cli, name: str) -> Any:
    rows = json.loads(cli("plugins", "list", "--json").stdout)["plugins"]
    return next(row["state"] for row in rows if row["name"] == name)


def test_a_strangers_plugin_runs_only_when_enabled(cli: Cli, lamp: Path) -> None:
    assert state(cli, "lamp") == "off"
    assert cli("plugins", "enable", "lamp").exit_code == 0
    assert state(cli, "lamp") == "on"
    assert cli("plugins", "disable", "lamp").exit_code == 0
    assert state(cli, "lamp") == "off"
    assert not (lamp / "lit").exists()


def test_a_bundled_plugin_runs_unless_disabled(cli: Cli, home: Path) -> None:
    assert state(cli, "authors_note") == "on"
    cli("plugins", "disable", "authors_note")
    assert state(cli, "authors_note") == "off"
    cli("plugins", "enable", "authors_note")
    assert state(cli, "authors_note") == "on"
    # Being part of airochat it needs no mention, and so is not found missing if it is ever taken out.
    assert "authors_note" not in (home / "settings.toml").read_text(encoding="utf-8")


def test_enabling_keeps_the_rest_of_the_settings_file(cli: Cli, home: Path, lamp: Path) -> None:
    (home / "settings.toml").write_text('# mine\ntheme = "paper"\n', encoding="utf-8")
    cli("plugins", "enable", "lamp")
    written = (home / "settings.toml").read_text(encoding="utf-8")
    assert written.startswith('# mine\ntheme = "paper"\n')
    assert 'plugins_enabled = ["lamp"]' in written


def test_the_list_for_people_shows_what_a_plugin_does(cli: Cli, lamp: Path) -> None:
    line = next(line for line in cli("plugins", "list").stdout.splitlines() if "lamp" in line)
    assert line.split() == ["off", "lamp", "1.0", "user", "Lights", "the", "way", "-", "-", "-"]


def test_an_unknown_plugin_is_met_with_the_closest(cli: Cli, lamp: Path) -> None:
    for verb in ("enable", "disable"):
        result = cli("plugins", verb, "lam")
        assert result.exit_code == 2
        assert "'lamp'" in result.stderr


def test_a_broken_plugin_is_named_and_cannot_be_enabled(cli: Cli, lamp: Path) -> None:
    (lamp / "plugin.toml").write_text("name = [", encoding="utf-8")
    assert "lamp: " in cli("plugins", "list").stderr
    result = cli("plugins", "enable", "lamp")
    assert result.exit_code == 2
    assert "plugin.toml" in result.stderr


def test_one_that_is_gone_can_still_be_disabled(cli: Cli, home: Path) -> None:
    (home / "settings.toml").write_text('plugins_enabled = ["gone"]\n', encoding="utf-8")
    assert "gone: " in cli("plugins", "list").stderr
    assert cli("plugins", "disable", "gone").exit_code == 0
    assert "gone" not in cli("plugins", "list").stderr


MOODY = """
from airochat.hooks import Block, hookimpl
@hookimpl
def transform_user_message(draft): draft.text = draft.text.upper()
@hookimpl
def contribute_blocks(context):
    context.data["seen"] = context.history[-1].text
    return [Block("plugin:lamp", f"Said: {context.history[-1].text}", depth=1, reason="lit")]
@hookimpl
def transform_reply(draft): raise OSError("no oil")
@hookimpl
def on_session_opened(context): context.data["opened"] = True
@hookimpl
def on_session_closed(context): context.data["closed"] = True
"""
SETTINGS = """
[settings.depth]
type = "int"
default = 4
most = 9
help = "How deep."
[settings.lit]
type = "bool"
default = false
"""


@pytest.fixture
def moody(lamp: Path, cli: Cli) -> Path:
    """A plugin that does things, enabled."""
    (lamp / "__init__.py").write_text(MOODY, encoding="utf-8")
    cli("plugins", "enable", "lamp")
    return lamp


def row(cli: Cli, name: str) -> Any:
    rows = json.loads(cli("plugins", "list", "--json").stdout)["plugins"]
    return next(row for row in rows if row["name"] == name)


def test_the_list_tells_what_a_plugin_did_and_where_it_failed(cli: Cli, home: Path, moody: Path) -> None:
    assert (row(cli, "lamp")["hooks"], row(cli, "lamp")["calls"]) == ([], 0)
    assert not (home / "airochat.db").exists()
    said = cli("say", "hello", "--model", "scripted")
    assert said.exit_code == 0 and "The plugin lamp failed in transform_reply: OSError: no oil" in said.stderr
    found = row(cli, "lamp")
    assert set(found["hooks"]) >= {"transform_user_message", "contribute_blocks", "transform_reply"}
    assert found["calls"] >= 4 and found["seconds"] > 0 and found["state"] == "on"
    assert "OSError: no oil" in found["failures"][0]
    listed = cli("plugins", "list")
    assert "1 failures" in listed.stdout and "contribute_blocks" in listed.stdout
    assert "no oil" in listed.stderr


def test_a_trace_tells_what_would_be_changed_and_keeps_nothing(cli: Cli, home: Path, moody: Path) -> None:
    shown = cli("plugins", "trace", "hello", "--reply", "fine")
    assert shown.exit_code == 0
    lines = [line for line in shown.stdout.splitlines() if line.startswith("  ") and line != "  no change"]
    assert lines[:2] == ["  - hello", "  + HELLO"]
    assert "  + [plugin:lamp, depth 1, system, priority 0] lit" in lines and "  + Said: HELLO" in lines
    assert "OSError: no oil" in lines[-1] and "no oil" in shown.stderr
    steps = json.loads(cli("plugins", "trace", "hello", "--json").stdout)["steps"]
    assert "lamp" in [step["plugin"] for step in steps if step["hook"] == "transform_user_message"]
    store = Store(home / "airochat.db")
    assert dict(store.mapping("lamp", "chat:")) == {} and store.sessions() == []
    store.close()
    assert row(cli, "lamp")["failures"] == []


def test_a_trace_in_a_chat_sees_the_chat_and_leaves_it_as_it_was(cli: Cli, home: Path, moody: Path) -> None:
    cli("say", "first", "--model", "scripted")
    store = Store(home / "airochat.db")
    (summary,) = store.sessions()
    before = store.messages(summary.id), dict(store.mapping("lamp", f"chat:{summary.id}"))
    assert before[1] == {"opened": True, "seen": "FIRST"}, "it was off before the chat was closed"
    shown = cli("plugins", "trace", "second", "--session", summary.id)
    assert "  + Said: SECOND" in shown.stdout.splitlines()
    assert (store.messages(summary.id), dict(store.mapping("lamp", f"chat:{summary.id}"))) == before
    store.close()
    assert cli("plugins", "trace", "x", "--session", "nowhere").exit_code == 2


def test_a_trace_without_plugins_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIROCHAT_PLUGINS", "")
    assert cli("plugins", "trace", "hello").stdout == "No plugin has anything to do with this.\n"


def test_settings_are_shown_and_set(cli: Cli, home: Path, lamp: Path) -> None:
    (lamp / "plugin.toml").write_text(TOML + SETTINGS, encoding="utf-8")
    shown = cli("plugins", "settings", "lamp").stdout.splitlines()
    assert shown[0].split() == ["depth", "4", "(int)", "How", "deep."]
    assert [line.split()[:2] for line in shown] == [["depth", "4"], ["lit", "false"], ["order", "0"]]

    def values(*arguments: str) -> Any:
        return json.loads(cli("plugins", "settings", "lamp", *arguments, "--json").stdout)["settings"]

    assert values("depth=7", "lit=yes", "order=-2") == {"depth": 7, "lit": True, "order": -2}
    assert values() == {"depth": 7, "lit": True, "order": -2}
    assert row(cli, "lamp")["order"] == -2
    assert values("--reset", "depth", "--reset", "order") == {"depth": 4, "lit": True, "order": 0}
    assert not (lamp / "lit").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("depth=10", "out of range"),
        ("depth=deep", "not a whole number"),
        ("lit=maybe", "true or false"),
        ("deep=1", "'depth'"),
        ("depth", "not of the form KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(
    cli: Cli, home: Path, lamp: Path, change: str, reason: str
) -> None:
    (lamp / "plugin.toml").write_text(TOML + SETTINGS, encoding="utf-8")
    result = cli("plugins", "settings", "lamp", "depth=5", change)
    assert result.exit_code == 2 and reason in result.stderr
    assert not (home / "plugins" / "settings.toml").exists()
    assert cli("plugins", "settings", "lam").exit_code == 2


def test_new_writes_a_plugin_that_can_be_enabled_and_used(cli: Cli, home: Path) -> None:
    assert str(home / "plugins" / "weather") in cli("plugins", "new", "weather").stdout
    assert state(cli, "weather") == "off"
    assert cli("plugins", "enable", "weather").exit_code == 0
    assert cli("plugins", "new", "weather").exit_code == 1
    assert cli("plugins", "new", "Weather!").exit_code == 1
    assert "contribute_blocks  weather" in cli("plugins", "trace", "hello").stdout
