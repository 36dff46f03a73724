"""The import contracts in pyproject.toml hold, and each of them notices a breach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [
    "cli", "tui", "notebook", "session", "store", "formats", "hooks", "prompt", "templates", "characters",
    "conversation", "backends", "backends/llama", "backends/remote",
]  # fmt: skip
MODULES = [
    "settings",
    "paths",
    "themes",
    "resources",
    "errors",
    "sampling",
    "grammar",
    "presets",
    "roleplay",
    "language",
    "text",
    "checks",
    "power",
]


def check_contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package ``airochat`` in a folder."""
    code = "import importlinter.cli; importlinter.cli.lint_imports_command()"
    settings = str(ROOT / "pyproject.toml")
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo", "--config", settings]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=120
    )


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A package with airochat's rooms and nothing in them."""
    package = tmp_path / "airochat"
    for room in ["", *ROOMS]:
        (package / room).mkdir(parents=True, exist_ok=True)
        (package / room / "__init__.py").touch()
    for module in MODULES:
        (package / f"{module}.py").touch()
    return tmp_path


def test_the_code_keeps_the_contracts() -> None:
    done = check_contracts(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clean_skeleton_keeps_the_contracts(skeleton: Path) -> None:
    done = check_contracts(skeleton)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("session/turn.py", "airochat.tui"),
        ("tui/app.py", "airochat.notebook"),
        ("store/messages.py", "airochat.backends"),
        ("prompt/assembly.py", "airochat.hooks"),
        ("templates/render.py", "airochat.characters"),
        ("errors.py", "airochat.conversation"),
        ("session/turn.py", "textual"),
        ("cli/chats.py", "textual"),
        ("tui/app.py", "IPython"),
        ("session/turn.py", "ipywidgets"),
        ("backends/base.py", "llama_cpp"),
        ("session/model.py", "llama_cpp"),
        ("backends/llama/fit.py", "httpx"),
        ("backends/llama/library.py", "huggingface_hub"),
        ("backends/remote/client.py", "huggingface_hub"),
        ("hooks/host.py", "click"),
        ("settings.py", "httpx"),
    ],
)
def test_a_breach_is_noticed(skeleton: Path, module: str, imported: str) -> None:
    (skeleton / "airochat" / module).write_text(f"import {imported}\n", encoding="utf-8")
    done = check_contracts(skeleton)
    assert done.returncode == 1, done.stdout + done.stderr
    assert imported in done.stdout


def test_a_room_that_nobody_placed_is_noticed(skeleton: Path) -> None:
    shutil.copytree(skeleton / "airochat" / "store", skeleton / "airochat" / "attic")
    done = check_contracts(skeleton)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "attic" in done.stdout
