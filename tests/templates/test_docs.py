"""What docs/templates.md quotes is what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from airochat.cli import root
from airochat.prompt import mark_spaces

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"```console\n\$ (.*)\n((?s:.*?))\n```\n", PAGE)


@pytest.mark.parametrize(("line", "output"), QUOTED, ids=[line for line, _ in QUOTED])
def test_a_quoted_command_prints_that(line: str, output: str) -> None:
    program, *arguments = shlex.split(line)
    result = CliRunner().invoke(root, arguments, prog_name=program)
    assert result.exit_code == 0
    assert mark_spaces(result.stdout).rstrip("\n") == output


def test_the_quoted_file_is_the_shipped_one() -> None:
    quoted = re.findall(r"```toml\n(.*?)```\n", PAGE, re.DOTALL)
    shipped = ROOT / "airochat" / "templates" / "data" / "airoboros-2.toml"
    assert quoted == [shipped.read_text(encoding="utf-8")]
    assert len(QUOTED) == PAGE.count("```console")
