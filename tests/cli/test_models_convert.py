from __future__ import annotations

import json
from pathlib import Path

import pytest

from airochat.backends.llama.gguf import check_model_file
from tests.backends.llama.ggjt import old_file, vocabulary, weights
from tests.cli.conftest import Cli, InTerminal, Program


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "airoboros-l2-7b-2.1.ggmlv3.q4_0.bin"
    path.write_bytes(old_file(weights(), 2))
    return path


def test_converts_and_tells_what_was_assumed(cli: Cli, tmp_path: Path, old: Path) -> None:
    new = tmp_path / "new.gguf"
    result = cli("models", "convert", str(old), str(new))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = dict(line.split(None, 1) for line in result.stdout.replace("  ", " ").splitlines())
    assert "Llama 2: its name says so" in result.stdout
    assert "1e-05" in lines["epsilon"]
    assert lines["context"].strip() == "4096 tokens"
    assert "passed" in result.stdout
    assert check_model_file(new).name == "airoboros-l2-7b-2.1"


def test_json(cli: Cli, tmp_path: Path, old: Path) -> None:
    new = tmp_path / "new.gguf"
    options = ("--eps", "1e-6", "--gqa", "1", "--ctx", "2048", "--rope-base", "5000", "--rope-scale", "2")
    result = cli("models", "convert", str(old), str(new), *options, "--no-test", "--json")
    assert json.loads(result.stdout) == {
        "old": str(old),
        "new": str(new),
        "format": "GGJT v3, Q4_0",
        "size": new.stat().st_size,
        "tensors": 21,
        "vocabulary": len(vocabulary()),
        "base": "Llama 2",
        "base_reason": "its name says so",
        "eps": 1e-6,
        "n_ctx": 2048,
        "rope_base": 5000.0,
        "rope_scale": 2.0,
        "gqa": 1,
        "tested": False,
    }


def test_a_bar_in_a_terminal(terminal: InTerminal, tmp_path: Path, old: Path) -> None:
    run = terminal("models", "convert", str(old), str(tmp_path / "new.gguf"), "--no-test")
    assert run.finish() == 0
    assert "Converting" in run.screen
    assert "100%" in run.screen
    assert "not done" in run.screen


def test_a_model_is_found_by_its_name(cli: Cli, home: Path, tmp_path: Path, old: Path) -> None:
    (home / "models").mkdir(parents=True)
    old.rename(home / "models" / old.name)
    assert cli("models", "list").stdout.count("airochat models convert") == 1
    new = home / "models" / "new.gguf"
    assert cli("models", "convert", old.stem, str(new), "--no-test").exit_code == 0
    assert check_model_file(new).n_tensors == 21


def test_the_hint_for_an_old_file_is_a_command_that_works(
    cli: Cli, tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hint = cli("models", "info", str(old)).stderr.splitlines()[-1]
    command = hint.partition("airochat ")[2].split()
    assert command[:3] == ["models", "convert", str(old)]
    assert cli(*command, "--no-test").exit_code == 0
    assert check_model_file(tmp_path / command[3]).n_tensors == 21


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("OLD", "OLD"), 2, "does not end in .gguf"),
        (("OLD", "there.gguf"), 2, "is there already"),
        (("OLD", "new.gguf", "--gqa", "8"), 2, "not 8"),
        (("OLD", "new.gguf", "--eps", "0"), 2, "--eps"),
        (("OLD", "new.gguf", "--ctx", "0"), 2, "--ctx"),
        (("./nothing.bin", "new.gguf"), 1, "There is no file"),
        (("demo", "new.gguf"), 1, "is a GGUF already"),
    ],
)
def test_refused(
    program: Program, tmp_path: Path, old: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "there.gguf").write_text("mine")
    places = {
        "OLD": str(old),
        "new.gguf": str(tmp_path / "new.gguf"),
        "there.gguf": str(tmp_path / "there.gguf"),
    }
    done = program("models", "convert", *(places.get(argument, argument) for argument in arguments))
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr.decode()
    assert not (tmp_path / "new.gguf").exists()
    assert (tmp_path / "there.gguf").read_text() == "mine"


def test_a_file_that_does_not_work_is_told(cli: Cli, tmp_path: Path) -> None:
    tensors = weights()
    tensors["output.weight"][:] = float("nan")
    (tmp_path / "old.bin").write_bytes(old_file(tensors))
    result = cli("models", "convert", str(tmp_path / "old.bin"), str(tmp_path / "new.gguf"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path / 'new.gguf'} was written, but does not work" in result.stderr
