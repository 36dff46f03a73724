"""``airochat plugins``: list, enable, disable, without running a plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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
    assert line.split() == ["off", "lamp", "1.0", "user", "Lights", "the", "way"]


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
