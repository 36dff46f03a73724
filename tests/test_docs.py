"""What the README and docs/templates.md quote is what the program prints, and their examples run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from airochat.cli import root
from airochat.prompt import mark_spaces
from airochat.roleplay import Roleplay
from airochat.session.commands import CHAT_COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
CHARACTERS = (ROOT / "docs" / "characters.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"```console\n\$ (.*)\n((?s:.*?))\n```\n", README + PAGE + CHARACTERS)


@pytest.mark.parametrize(("line", "output"), QUOTED, ids=[line for line, _ in QUOTED])
def test_a_quoted_command_prints_that(line: str, output: str) -> None:
    program, *arguments = shlex.split(line)
    result = CliRunner().invoke(root, arguments, prog_name=program)
    assert result.exit_code == 0
    assert mark_spaces(result.stdout).rstrip("\n") == output


def test_the_documented_options_are_the_real_ones() -> None:
    named = re.findall(r"^\| `(\w+)` \|", CHARACTERS, re.MULTILINE)
    assert set(named) == set(Roleplay.__dataclass_fields__) - {"group_order"}
    commands = re.findall(r"`/(\w+)[ `]", CHARACTERS)
    assert set(commands) == set(CHAT_COMMANDS)


def test_the_quoted_file_is_the_shipped_one() -> None:
    quoted = re.findall(r"```toml\n(.*?)```\n", PAGE, re.DOTALL)
    shipped = ROOT / "airochat" / "templates" / "data" / "airoboros-2.toml"
    assert quoted == [shipped.read_text(encoding="utf-8")]
    assert len(QUOTED) == (README + PAGE + CHARACTERS).count("```console")


def test_the_readmes_python_runs(demo_model: Path) -> None:
    example = re.findall(r"```python\n(import airochat.*?)```\n", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", *example], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.split()) > 10


def test_the_readmes_commands_exist() -> None:
    for line in re.findall(r"^(?:\$ )?airochat (\w+) ", README, re.MULTILINE):
        assert CliRunner().invoke(root, [line, "--help"]).exit_code == 0


def test_the_readmes_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links and all((ROOT / link).is_file() for link in links)
