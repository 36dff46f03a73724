"""Templates and themes in the folders of plugins are used while a plugin may run; its code is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airochat
import airochat.templates
from airochat.backends.scripted import ScriptedBackend
from airochat.paths import Home
from airochat.themes import load_themes
from tests.hooks.helpers import write_plugin

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

NIGHT = '[colors]\nbackground = "#000000"\nink = "#ffffff"\naccent = "{accent}"\n'


def template(title: str) -> str:
    """Return a template file: a shipped one under another title."""
    text = (Path(airochat.templates.__file__).parent / "data" / "chatml.toml").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("title"))
    return text.replace(line, f'title = "{title}"', 1)


@pytest.fixture
def plugin(home: Path) -> Path:
    """A plugin with a template and themes, whose code must not run."""
    folder = write_plugin(home / "plugins", "looks", "raise SystemExit('the code ran')")
    for kind in ("templates", "themes"):
        (folder / kind).mkdir()
    (folder / "templates" / "of-plugin.toml").write_text(template("Of the plugin"))
    (folder / "templates" / "alpaca.toml").write_text(template("Alpaca of the plugin"))
    (folder / "themes" / "night.toml").write_text(NIGHT.format(accent="#111111"))
    (folder / "themes" / "ember.toml").write_text(NIGHT.format(accent="#222222"))
    (folder / "themes" / "broken.toml").write_text("[colors]")
    return folder


def titles(cli: Cli) -> dict[str, str]:
    rows: list[dict[str, Any]] = json.loads(cli("templates", "list", "--json").stdout)["templates"]
    return {row["name"]: row["title"] for row in rows}


@pytest.mark.usefixtures("plugin")
def test_they_are_there_while_the_plugin_is_enabled(cli: Cli) -> None:
    assert "of-plugin" not in titles(cli)
    cli("plugins", "enable", "looks")
    assert titles(cli)["of-plugin"] == "Of the plugin"
    result = cli("themes", "list", "--json")
    told = json.loads(result.stdout)
    assert "night" in [row["name"] for row in told["themes"]]
    assert any("broken.toml" in problem for problem in told["problems"])
    cli("plugins", "disable", "looks")
    assert "of-plugin" not in titles(cli)
    assert "night" not in cli("themes", "list").stdout


@pytest.mark.usefixtures("plugin")
def test_the_users_own_win_and_shipped_ones_give_way(cli: Cli, home: Path) -> None:
    cli("plugins", "enable", "looks")
    assert titles(cli)["alpaca"] == "Alpaca of the plugin"
    for kind in ("templates", "themes"):
        (home / kind).mkdir()
    (home / "templates" / "alpaca.toml").write_text(template("My Alpaca"))
    assert titles(cli)["alpaca"] == "My Alpaca"
    folders = [home / "plugins" / "looks" / "themes"]
    assert load_themes(Home(home), folders).get("ember").colors["accent"] == "#222222"
    (home / "themes" / "ember.toml").write_text(NIGHT.format(accent="#333333"))
    assert load_themes(Home(home), folders).get("ember").colors["accent"] == "#333333"


@pytest.mark.usefixtures("plugin")
def test_all_who_need_templates_know_them(cli: Cli, home: Path) -> None:
    cli("plugins", "enable", "looks")
    said = cli("prompt", "Hello", "--template", "of-plugin")
    assert (said.exit_code, "Hello" in said.stdout) == (0, True)
    assert "of-plugin" in cli("doctor").stdout
    with airochat.open(home, ScriptedBackend()) as manager:
        assert manager.new(template="of-plugin").template_name == "of-plugin"
