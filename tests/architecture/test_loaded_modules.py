"""What each entry point pulls into memory, seen in fresh interpreters: doors between rooms stay shut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TERMINAL = {"textual"}
JUPYTER = {"IPython", "anywidget", "ipywidgets"}
ENGINE = {"llama_cpp"}
HTTP = {"httpx", "huggingface_hub"}
FOREIGN = TERMINAL | JUPYTER | ENGINE | HTTP
# Nothing that costs a noticeable part of a start either.
HEAVY = FOREIGN | {"jinja2", "markdown_it", "numpy", "pluggy", "rich", "sqlite3", "tomlkit"}

PROBE = """
import json, sys
try:
    exec(sys.argv.pop(1), {"__name__": "probe"})
except SystemExit as end:
    assert not end.code, end.code
finally:
    print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded_by(code: str, home: Path, *arguments: str) -> set[str]:
    """The top-level modules in memory after running the code with these command line arguments."""
    environment = {**os.environ, "AIROCHAT_HOME": str(home), "AIROCHAT_MODEL": ""}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, code, *arguments],
        capture_output=True, text=True, check=False, cwd=home, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_probe_sees_what_is_loaded(tmp_path: Path) -> None:
    assert "textual" in loaded_by("import textual", tmp_path)


def test_importing_airochat_costs_next_to_nothing(tmp_path: Path) -> None:
    loaded = loaded_by("import airochat", tmp_path)
    assert loaded & (HEAVY | {"asyncio", "click", "dataclasses", "logging", "platformdirs", "tomli"}) == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_only_the_parser(tmp_path: Path, option: str) -> None:
    assert loaded_by("from airochat.cli import main; main()", tmp_path, option) & HEAVY == set()


@pytest.mark.parametrize(
    "command",
    [
        ("prompt", "hi", "--model-name", "airoboros-l2-13b-2.2.1"),
        ("templates", "list"),
        ("plugins", "list"),
        ("chats", "list"),
    ],
    ids=" ".join,
)
def test_commands_without_a_model_load_no_engine_and_no_front_end(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert loaded_by("from airochat.cli import main; main()", tmp_path, *command) & FOREIGN == set()


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("session", set()),
        ("store", set()),
        ("formats", set()),
        ("backends", set()),
        ("hooks", set()),
        ("prompt", set()),
        ("templates", set()),
        ("characters", set()),
        ("conversation", set()),
        ("cli", set()),
        ("tui", TERMINAL),
        ("notebook", JUPYTER),
    ],
)
def test_a_room_loads_only_its_own_toolkit(tmp_path: Path, room: str, allowed: set[str]) -> None:
    assert loaded_by(f"import airochat.{room}", tmp_path) & (FOREIGN - allowed) == set()


IMPORT_ALL = """
import importlib, pkgutil, sys
room = importlib.import_module("airochat." + sys.argv[1])
for found in pkgutil.walk_packages(getattr(room, "__path__", []), room.__name__ + "."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("session", set()),
        ("store", set()),
        ("formats", set()),
        ("hooks", set()),
        ("prompt", set()),
        ("templates", set()),
        ("characters", set()),
        ("conversation", set()),
        ("tui", TERMINAL),
        ("notebook", JUPYTER),
    ],
)
def test_every_module_of_a_room_keeps_to_the_rooms_toolkit(
    tmp_path: Path, room: str, allowed: set[str]
) -> None:
    assert loaded_by(IMPORT_ALL, tmp_path, room) & (FOREIGN - allowed) == set()
