"""The wheel, in an environment of its own that cannot see the checkout, is the whole program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by way of the source distribution, as a release would be."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a fresh environment that holds the wheel and sees its dependencies."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    asked = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # This environment's packages serve as dependencies. A path entry in a .pth file is taken as a folder
    # only: the .pth in there that leads to the checkout is not read again.
    Path(asked.stdout.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--ignore-installed", str(wheel)], check=True, timeout=300)
    return folder / "bin"


def run(installed: Path, home: Path, program: str, *arguments: str) -> str:
    """What an installed program prints, started far from the checkout."""
    ours = ("AIROCHAT", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [str(installed / program), *arguments], capture_output=True, text=True, check=False, timeout=120,
        cwd=home, env={**environment, "AIROCHAT_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names_in(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def folders_of(name: str, marker: str) -> list[str]:
    """Names of the checkout's entries of a resource folder that hold the marker, or are such files."""
    folder = ROOT / name
    return sorted(found.relative_to(folder).parts[0] for found in folder.glob(marker))


def test_nothing_comes_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import airochat, sys; print(airochat.__file__); print(*sys.path, sep='\\n')"
    place, *path = run(installed, tmp_path, "python", "-c", code).splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert str(ROOT) not in path


def test_the_shipped_folders_are_all_there(wheel: Path) -> None:
    prefix = "airochat/_data/"
    shipped = {name.removeprefix(prefix) for name in names_in(wheel) if name.startswith(prefix)}
    assert not [name for name in shipped if "__pycache__" in name or "/tests/" in name]
    for folder in ("plugins", "themes", "examples"):
        mine = {
            found.relative_to(ROOT).as_posix()
            for found in (ROOT / folder).rglob("*")
            if found.is_file() and not {"__pycache__", "tests", ".ipynb_checkpoints"} & set(found.parts)
        }
        assert mine, f"{folder} is empty"
        assert mine <= shipped


def test_data_files_of_the_package_are_there_and_nothing_else_is(wheel: Path) -> None:
    package = {
        found.relative_to(ROOT).as_posix()
        for found in (ROOT / "airochat").rglob("*")
        if found.is_file() and "__pycache__" not in found.parts
    }
    assert package <= names_in(wheel)
    assert {name.partition("/")[0] for name in names_in(wheel) if ".dist-info/" not in name} == {"airochat"}


def test_the_metadata_tells_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "airochat"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra", [])) == {"demo", "hub", "mcp", "notebook", "dev"}
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_it_starts(installed: Path, wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.split("-")[1] in run(installed, tmp_path, "airochat", "--version")


def test_it_finds_its_plugins(installed: Path, tmp_path: Path) -> None:
    listed = json.dumps(json.loads(run(installed, tmp_path, "airochat", "plugins", "list", "--json")))
    names = folders_of("plugins", "*/plugin.toml")
    assert names
    assert [name for name in names if name not in listed] == []


def test_it_finds_its_themes(installed: Path, tmp_path: Path) -> None:
    code = "from airochat.resources import resource_dir as r; print(*(p.name for p in r('themes').iterdir()))"
    assert sorted(run(installed, tmp_path, "python", "-c", code).split()) == folders_of("themes", "*")


def test_it_finds_its_templates(installed: Path, tmp_path: Path) -> None:
    assert "airoboros" in run(installed, tmp_path, "airochat", "templates", "list")


PLUGIN_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "airochat-lamp"
version = "2.5"
description = "Lights the way"
[project.entry-points.airochat]
lamp = "lamp_plugin"
[tool.hatch.build.targets.wheel]
only-include = ["lamp_plugin"]
"""
PLUGIN_MANIFEST = """
name = "lamp"
version = "2.5"
summary = "Lights the way"
api = 1
order = 4
[settings.oil]
type = "text"
default = "whale"
"""
PLUGIN_CODE = """
import airochat

@airochat.hookimpl
def transform_user_message(context, draft):
    draft.text += f" by the light of {context.settings['oil']} oil"
"""


def test_a_plugin_in_a_wheel_of_its_own_runs_when_enabled(installed: Path, tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    (project / "lamp_plugin").mkdir(parents=True)
    home.mkdir()
    (project / "pyproject.toml").write_text(PLUGIN_PROJECT, encoding="utf-8")
    (project / "lamp_plugin" / "plugin.toml").write_text(PLUGIN_MANIFEST, encoding="utf-8")
    (project / "lamp_plugin" / "__init__.py").write_text(PLUGIN_CODE, encoding="utf-8")
    build = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        str(tmp_path),
        str(project),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("airochat_lamp-2.5-*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(installed / "python"), "install", "-qq", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, timeout=300)

    def lamp(*arguments: str) -> str:
        return run(installed, home, "airochat", "plugins", *arguments)

    (row,) = (one for one in json.loads(lamp("list", "--json"))["plugins"] if one["name"] == "lamp")
    assert (row["state"], row["source"], row["version"], row["order"]) == ("off", "installed", "2.5", 4)
    assert "lamp" not in lamp("trace", "read")
    lamp("enable", "lamp")
    assert "+ read by the light of whale oil" in lamp("trace", "read")
    lamp("settings", "lamp", "oil=lamp")
    assert "+ read by the light of lamp oil" in lamp("trace", "read")
