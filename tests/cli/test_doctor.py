"""``airochat doctor``: it finds what is wrong and exits with 1 only for that."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airochat.cli import checkup

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal, Program


def checks(cli: Cli, *options: str) -> dict[str, tuple[str, str]]:
    told = json.loads(cli(*options, "doctor", "--json").stdout)
    return {check["name"]: (check["status"], check["text"] + check["hint"]) for check in told["checks"]}


def test_all_is_well_on_a_fresh_data_folder(program: Program, home: Path) -> None:
    done = program("doctor")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert not [line for line in lines if line.startswith("fail")]
    assert any(line.startswith("ok    llama.cpp: llama-cpp-python ") for line in lines)
    assert any(line.startswith("warn  model: none is configured") for line in lines)
    assert list(home.iterdir()) == []


def test_json_tells_the_same(cli: Cli) -> None:
    result = cli("doctor", "--json")
    told = json.loads(result.stdout)
    assert told["ok"] is True
    assert {
        "airochat",
        "python",
        "llama.cpp",
        "data folder",
        "disk",
        "demo model",
        "terminal",
        "notebook",
    } <= {check["name"] for check in told["checks"]}


def test_broken_files_are_named_and_keep_nothing_else_from_being_checked(cli: Cli, home: Path) -> None:
    for folder, content in (("themes", "colors = 3"), ("templates", "title = 3"), ("plugins/lamp", "")):
        (home / folder).mkdir(parents=True)
        (home / folder / "bad.toml").write_text(content, encoding="utf-8")
    told = json.loads(cli("doctor", "--json").stdout)
    warned = {check["name"]: check["text"] for check in told["checks"] if check["status"] == "warn"}
    assert "bad.toml" in warned["themes"]
    assert "bad.toml" in warned["templates"]
    assert "lamp" in warned["plugins"]
    (home / "settings.toml").write_text("temperature = 99", encoding="utf-8")
    result = cli("doctor", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (1, False)
    assert any(check["status"] == "fail" and "temperature" in check["text"] for check in told["checks"])
    assert told["checks"][-1]["name"] == "notebook"


def test_what_the_caches_of_chats_take_is_told(cli: Cli, home: Path) -> None:
    status, text = checks(cli)["cache"]
    assert (
        status == "ok" and text.startswith("no saved chats, at most 2048 MiB;") and "kv_reuse = shift" in text
    )
    folder = home / "cache" / "kv"
    folder.mkdir(parents=True)
    for name, size in (("a.kv", 1_500_000), ("b.kv", 600_000), ("b.kv.part", 999_999)):
        (folder / name).write_bytes(bytes(size))
    status, text = checks(cli, "--set", "n_ctx=4096")["cache"]
    assert status == "ok" and text.startswith(f"2 saved chats, 2.1 MB in {folder}, at most 2048 MiB;")
    (home / "settings.toml").write_text('cache_disk = 0\nkv_reuse = "exact"', encoding="utf-8")
    text = checks(cli)["cache"][1]
    assert "none are saved (cache_disk = 0)" in text and "nothing is moved (kv_reuse = exact)" in text


def test_a_model_that_is_not_there_is_a_failure(cli: Cli, home: Path) -> None:
    (home / "settings.toml").write_text('model = "gone"', encoding="utf-8")
    status, text = checks(cli)["models"]
    assert status == "fail"
    assert "'gone'" in text


def test_a_damaged_database_is_a_failure(cli: Cli, home: Path) -> None:
    (home / "airochat.db").write_bytes(b"not a database" * 1000)
    status, text = checks(cli)["chats"]
    assert status == "fail"
    assert "airochat.db" in text


def test_a_data_folder_that_cannot_be_is_a_failure(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = program("--home", str(tmp_path / "file" / "home"), "doctor")
    assert done.returncode == 1
    assert "fail  data folder" in done.stdout.decode()
    assert "AIROCHAT_HOME" in done.stdout.decode()


def test_a_full_disk_is_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks(cli)["disk"][0] == "ok"
    monkeypatch.setattr(checkup, "LITTLE_SPACE", 2**62)
    assert checks(cli)["disk"][0] == "warn"


def test_a_llama_cpp_that_dies_when_loaded_is_a_failure(program: Program, tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("import os; os.abort()", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = program("doctor", PYTHONPATH=path)
    assert done.returncode == 1
    assert "does not start" in done.stdout.decode()


def test_a_terminal_is_described(terminal: InTerminal) -> None:
    shown = terminal("doctor", NO_COLOR="1")
    assert shown.finish() == 0
    assert "terminal: xterm" in shown.screen
    assert "NO_COLOR" in shown.screen
    assert "\x1b" not in shown.screen
    colourful = terminal("doctor")
    assert colourful.finish() == 0
    assert "\x1b[32mok" in colourful.screen


def test_text_that_is_not_utf_8_is_a_warning(program: Program) -> None:
    done = program("doctor", PYTHONIOENCODING="latin-1")
    assert b"warn  terminal: text is written as iso8859-1" in done.stdout
