"""``airochat templates``: list, show, detect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airochat import templates

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


def test_the_list_names_every_template(cli: Cli) -> None:
    result = cli("templates", "list", "--json")
    names = [row["name"] for row in json.loads(result.stdout)["templates"]]
    assert {"airoboros-1", "airoboros-2", "chatml"} <= set(names)
    plain = cli("templates", "list").stdout
    assert [line.split()[0] for line in plain.splitlines()] == names


def test_a_template_is_shown_by_an_example(cli: Cli) -> None:
    shown = cli("templates", "show", "airoboros-2").stdout
    assert "A chat.\nUSER: Who are you?\nASSISTANT: A traveller." in shown
    facts = json.loads(cli("templates", "show", "airoboros-2", "--json").stdout)
    assert facts["name"] == "airoboros-2"
    assert facts["default_system"] == "A chat."
    assert facts["example"].endswith("\nASSISTANT: ")


def test_an_unknown_template_is_met_with_the_closest(cli: Cli) -> None:
    result = cli("templates", "show", "airoboro-2")
    assert result.exit_code == 2
    assert "'airoboros-2'" in result.stderr


def test_a_broken_template_of_ones_own_is_named_and_the_others_are_listed(cli: Cli, home: Path) -> None:
    (home / "templates").mkdir()
    (home / "templates" / "mine.toml").write_text("title = 3", encoding="utf-8")
    result = cli("templates", "list")
    assert result.exit_code == 0
    assert "chatml" in result.stdout
    assert "mine.toml" in result.stderr
    assert cli("templates", "show", "mine").exit_code == 2


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("airoboros-65b-gpt4-1.3", "airoboros-1"),
        ("airoboros-13b-gpt4-1.3.ggmlv3.q5_0.bin", "airoboros-1:no-space"),
        ("airoboros-70b-3.3", "llama-3"),
        ("airoboros-l2-13b-2.2.1", "airoboros-2"),
        ("unheard-of", "chatml"),
    ],
)
def test_the_template_is_found_by_a_name(cli: Cli, name: str, template: str) -> None:
    facts = json.loads(cli("templates", "detect", name, "--json").stdout)
    assert facts["name"] == template
    assert facts["reasons"]
    assert cli("templates", "detect", name).stdout.startswith(f"{template} ({facts['confidence']})")


def test_the_template_is_found_by_a_file(cli: Cli, demo_model: Path) -> None:
    facts = json.loads(cli("templates", "detect", str(demo_model), "--json").stdout)
    assert (facts["name"], facts["confidence"]) == ("gguf", "certain")


def test_a_file_that_is_no_model_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_text("<html>not found</html>", encoding="utf-8")
    result = cli("templates", "detect", str(tmp_path / "model.gguf"))
    assert result.exit_code == 1
    assert "model.gguf" in result.stderr


@pytest.mark.parametrize("name", ["", "x" * 5000, "~nobody/model.gguf", "/nowhere/model.gguf"])
def test_a_name_that_is_odd_is_still_only_a_name(cli: Cli, name: str) -> None:
    assert json.loads(cli("templates", "detect", name, "--json").stdout)["name"] == "chatml"


def test_the_forms_of_a_template_are_listed_and_shown(cli: Cli) -> None:
    listed = cli("templates", "list").stdout
    assert "airoboros-1.4:no-clause" in listed
    shown = cli("templates", "show", "airoboros-1.4:no-clause").stdout
    assert "variant   airoboros-1.4:no-clause. The sentence on refusals" in shown
    assert "never refuses" not in shown
    assert "never refuses" in cli("templates", "show", "airoboros-1.4").stdout
    wrong = cli("templates", "show", "airoboros-1.4:no-claus")
    assert (wrong.exit_code, "'no-clause'" in wrong.stderr) == (2, True)


PRESET = {
    "name": "Plain",
    "input_sequence": "### In:",
    "output_sequence": "### Out:",
    "wrap": True,
    "first_output_sequence": "x",
}


def test_a_template_of_another_program_is_imported_and_used(cli: Cli, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "My Preset.json"
    file.write_text(json.dumps(PRESET), encoding="utf-8")
    done = cli("templates", "import", str(file))
    assert done.exit_code == 0
    assert f"my-preset is now a template: {home / 'templates' / 'my-preset.toml'}" in done.stdout.replace(
        "\n", ""
    )
    assert "first_output_sequence" in done.stderr
    assert cli("prompt", "hi", "--template", "my-preset").stdout == "### In:\nhi\n### Out:\n"
    again = cli("templates", "import", str(file))
    assert (again.exit_code, "already" in again.stderr) == (2, True)
    assert cli("templates", "import", str(file), "--force").exit_code == 0
    assert cli("templates", "import", str(file), "--name", "other").exit_code == 0
    listed = json.loads(cli("templates", "list", "--json").stdout)
    assert {"my-preset", "other"} <= {row["name"] for row in listed["templates"]}
    assert listed["problems"] == []


@pytest.mark.parametrize(
    ("name", "text", "arguments", "said"),
    [
        ("x.json", "{}", (), "no instruct preset"),
        ("x.toml", "titel = 3", (), "has no"),
        ("x.txt", "", (), "known program"),
        ("x.json", json.dumps(PRESET), ("--name", "../x"), "'../x'"),
        ("x.json", json.dumps(PRESET), ("--name", "a:b"), "'a:b'"),
        ("---.json", json.dumps(PRESET), (), "cannot be a template's name"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(
    cli: Cli, home: Path, tmp_path: Path, name: str, text: str, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = cli("templates", "import", str(tmp_path / name), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not list(home.glob("templates/*"))


def test_a_template_file_is_checked_and_copied(cli: Cli, tmp_path: Path) -> None:
    shipped = Path(templates.__file__).parent / "data" / "story.toml"
    (tmp_path / "tale.toml").write_bytes(shipped.read_bytes())
    assert cli("templates", "import", str(tmp_path / "tale.toml")).exit_code == 0
    assert cli("prompt", "Once", "--template", "tale").stdout == "Once\n\n"
