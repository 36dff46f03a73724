"""``airochat presets``: list, show, import, effective; and ``--preset``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airochat
from airochat.presets import Presets

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

TEXTGEN = "temperature: 0.98\ntop_k: 100\nsmoothing_factor: 0.3\n"


def used(home: Path, session: str) -> Mapping[str, Any]:
    """Return the sampling that the last reply of a chat was written with."""
    with airochat.open(home) as manager:
        return manager.load(session).tree.history[-1].provenance.sampling


def test_the_list_names_every_preset(cli: Cli) -> None:
    rows = json.loads(cli("presets", "list", "--json").stdout)["presets"]
    assert [row["name"] for row in rows] == list(Presets().names())
    plain = cli("presets", "list").stdout
    assert [line.split()[0] for line in plain.splitlines()] == list(Presets().names())


def test_a_preset_is_shown(cli: Cli) -> None:
    preset = Presets().get("roleplay-dry")
    assert json.loads(cli("presets", "show", "roleplay-dry", "--json").stdout)["sampling"] == preset.values
    assert cli("presets", "show", "roleplay-dry").stdout.startswith(preset.why)
    wrong = cli("presets", "show", "roleplai")
    assert (wrong.exit_code, "'roleplay'" in wrong.stderr) == (2, True)


def test_a_preset_of_another_program_is_imported_once(cli: Cli, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "Midnight Enigma.yaml"
    file.write_text(TEXTGEN)
    result = cli("presets", "import", str(file), "--json")
    told = json.loads(result.stdout)
    assert (told["name"], told["sampling"]["top_k"]) == ("midnight-enigma", 100)
    assert "smoothing_factor" in told["warnings"][0] and "smoothing_factor" in result.stderr
    assert Presets(home / "presets").own == {"midnight-enigma"}
    again = cli("presets", "import", str(file))
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert cli("presets", "import", str(file), "--force").exit_code == 0
    shown = json.loads(cli("presets", "show", "midnight-enigma", "--json").stdout)
    assert shown["sampling"]["temperature"] == 0.98


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "temperature: 99", "out of range"),
        ("a.toml", "x = 1", "[sampling]"),
        ("a.json", "[]", "no sampling"),
    ],
)
def test_what_is_no_preset_is_not_imported(
    cli: Cli, home: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    result = cli("presets", "import", str(tmp_path / name))
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert not (home / "presets").exists()


def test_a_broken_preset_of_ones_own_is_named(cli: Cli, home: Path) -> None:
    (home / "presets").mkdir(parents=True)
    (home / "presets" / "mine.toml").write_text("[sampling]\ntop_k = -1\n")
    result = cli("presets", "list")
    assert "mine.toml" in result.stderr and "yara" in result.stdout


def test_effective_values_say_where_they_come_from(cli: Cli, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text("top_k = 7\n")
    told = json.loads(cli("presets", "effective", "--json", "--preset", "off").stdout)
    assert told["top_k"] == {"value": 0, "origin": "settings"}
    assert told["seed"] == {"value": None, "origin": "default"}
    lines = [line.split() for line in cli("presets", "effective").stdout.splitlines()]
    assert ["top_k", "settings", "7"] in lines
    assert not any(line[0] == "mirostat" for line in lines)
    assert "mirostat" in cli("presets", "effective", "--all").stdout


def test_effective_values_of_a_chat(cli: Cli) -> None:
    said = json.loads(cli("say", "Hello", "--model", "scripted", "--json").stdout)
    told = json.loads(cli("presets", "effective", "--session", said["session"], "--json").stdout)
    assert told["temperature"] == {"value": 0.8, "origin": "default"}


def test_say_takes_a_preset_below_the_fields_given(cli: Cli, home: Path) -> None:
    arguments = ("say", "Hello", "--model", "scripted", "--preset", "yara", "--top-k", "5", "--json")
    said = json.loads(cli(*arguments).stdout)
    sampling = used(home, said["session"])
    assert (sampling["temperature"], sampling["top_k"], sampling["repeat_penalty"]) == (0.82, 5, 1.19)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--preset", "yarra"), "'yara'"),
        (("--logit-bias", "dog"), "TEXT=NUMBER"),
        (("--logit-bias", "dog=x"), "TEXT=NUMBER"),
        (("--samplers", "top_k;warmth"), "'warmth'"),
        (("--grammar", "rot ::= [a]"), '"root"'),
        (("--grammar", "@/none/such.gbnf"), "such.gbnf"),
        (("--mirostat", "2", "--adaptive-target", "0.2"), "both choose"),
    ],
)
def test_wrong_options_are_explained_before_a_model_is_loaded(
    cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    result = cli("say", "Hello", "--model", "scripted", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_a_grammar_from_a_file_and_biases(cli: Cli, home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gbnf").write_text("root ::= [a-z]+ # letters\n")
    options = ("--grammar", f"@{tmp_path / 'a.gbnf'}", "--logit-bias", " a=b=-5", "--logit-bias", "7=2")
    said = json.loads(
        cli("say", "Hi", "--model", "scripted", "--samplers", "top_k;xtc", *options, "--json").stdout
    )
    shown = used(home, said["session"])
    assert shown["logit_bias"] == [[" a=b", -5.0], [7, 2.0]]
    assert shown["samplers"] == ["top_k", "xtc"]
    assert shown["grammar"].startswith("root")


def test_the_terminal_takes_a_preset_too(cli: Cli) -> None:
    assert "'yara'" in cli("--preset", "yarra", "say", "Hello", "--model", "scripted").stderr
    assert "--preset does not go with" in cli("--preset", "yara", "doctor").stderr
