from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airochat.settings import Settings, read_file
from tests.backends.files import MODEL, gguf, legacy
from tests.cli.conftest import Cli, Program


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder of models in the data folder, with one of each kind."""
    folder = home / "models"
    folder.mkdir(parents=True)
    (folder / "airoboros-l2-13b-2.2.1.gguf").write_bytes(gguf({**MODEL, "general.file_type": 15}))
    (folder / "cut.gguf").write_bytes(gguf()[:-160])
    (folder / "old.ggmlv3.q5_1.bin").write_bytes(legacy())
    return folder


def listed(cli: Cli, *arguments: str) -> dict[str, dict[str, Any]]:
    result = cli(*arguments, "models", "list", "--json")
    assert result.exit_code == 0
    return {row["name"]: row for row in json.loads(result.stdout)["models"]}


class TestList:
    def test_json(self, cli: Cli, folder: Path, demo_model: Path) -> None:
        rows = listed(cli)
        assert list(rows) == ["demo", "airoboros-l2-13b-2.2.1", "cut", "old.ggmlv3.q5_1"]
        demo = rows["demo"]
        assert (demo["path"], demo["size"]) == (str(demo_model), demo_model.stat().st_size)
        assert (demo["quantisation"], demo["parameters"], demo["n_ctx_train"]) == ("Q4_1", 134_515_008, 8192)
        assert demo["chat_template"] is True
        good = rows["airoboros-l2-13b-2.2.1"]
        assert (good["title"], good["quantisation"], good["template"]) == (
            "Tiny Llama",
            "Q4_K_M",
            "airoboros-2",
        )
        assert good["note"] == ""
        assert rows["cut"]["note"].startswith("it is cut off:")
        assert rows["cut"]["parameters"] is None
        assert rows["old.ggmlv3.q5_1"]["note"].startswith("GGJT v3, 13B, Q5_1:")
        assert len({frozenset(row) for row in rows.values()}) == 1

    def test_table(self, cli: Cli, folder: Path) -> None:
        lines = cli("--set", "model=demo", "models", "list").stdout.splitlines()
        assert lines[0].split() == ["NAME", "SIZE", "WEIGHTS", "QUANT", "CONTEXT", "TEMPLATE", "NOTE"]
        assert lines[1].split()[:6] == ["*", "demo", "98.4", "MB", "135M", "Q4_1"]
        column = lines[0].index("SIZE")
        assert all(line[column - 1] == " " and line[column] != " " for line in lines)

    def test_the_one_in_use_is_marked(self, cli: Cli, folder: Path) -> None:
        for name in ("cut", str(folder / "cut.gguf")):
            rows = listed(cli, "--set", f"model={json.dumps(name)}")
            assert [row for row in rows if rows[row]["used"]] == ["cut"]

    def test_folders_of_the_settings(self, cli: Cli, home: Path, tmp_path: Path) -> None:
        (tmp_path / "mine.gguf").write_bytes(gguf())
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text(f"model_dirs = [{json.dumps(str(tmp_path))}]")
        assert "mine" in listed(cli)

    def test_nothing_there(self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airochat.backends.llama.library.demo_model", lambda: None)
        result = cli("models", "list")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"There is no model in {home / 'models'}" in result.stderr
        assert "airochat[demo]" in result.stderr
        assert json.loads(cli("models", "list", "--json").stdout)["models"] == []

    def test_names_cannot_steer_the_terminal(self, cli: Cli, folder: Path) -> None:
        (folder / "\x1b[2Jevil\n.gguf").write_bytes(gguf({**MODEL, "general.name": "\x1b]0;title\x07x"}))
        for arguments in (["list"], ["list", "--json"], ["info", str(folder / "\x1b[2Jevil\n.gguf")]):
            out = cli("models", *arguments).stdout
            assert "evil" in out
            assert "\x1b" not in out
            assert "\x07" not in out

    def test_nothing_heavy_is_loaded(self, folder: Path) -> None:
        code = (
            "import sys; from airochat.cli import main\n"
            "sys.argv[1:] = ['models', 'list']\n"
            "try: main()\n"
            "except SystemExit: print(sorted({'llama_cpp', 'textual', 'httpx', 'numpy'} & sys.modules.keys()))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
        assert "airoboros" in done.stdout


class TestInfo:
    def test_json(self, cli: Cli, demo_model: Path) -> None:
        facts = json.loads(cli("models", "info", "demo", "--json").stdout)
        assert (facts["path"], facts["architecture"]) == (str(demo_model), "llama")
        assert facts["metadata"]["llama.context_length"] == "8192"
        assert facts["template"]["name"]
        assert facts["template"]["reasons"]

    def test_for_people(self, cli: Cli, folder: Path) -> None:
        out = cli("models", "info", "airoboros").stdout
        assert "2048 tokens" in out
        assert "airoboros-2 (certain)" in out
        assert str(folder / "airoboros-l2-13b-2.2.1.gguf") in out

    @pytest.mark.parametrize(
        ("ref", "words"),
        [
            ("cut", "is cut off"),
            ("old", "GGJT v3, 13B, Q5_1"),
            ("nothing", "There is no model"),
            ("./x.gguf", "no file"),
        ],
    )
    def test_what_cannot_be_used_is_explained(
        self, program: Program, folder: Path, ref: str, words: str
    ) -> None:
        done = program("models", "info", ref)
        assert (done.returncode, done.stdout) == (1, b"")
        assert words in done.stderr.decode()
        assert len(done.stderr.splitlines()) == 2


class TestUse:
    @pytest.mark.parametrize("ref", ["demo", "airoboros", "remote:127.0.0.1:8080", "scripted"])
    def test_is_remembered(self, cli: Cli, home: Path, folder: Path, ref: str) -> None:
        assert cli("models", "use", ref).exit_code == 0
        assert Settings.load(home / "settings.toml").model == ref

    def test_a_path_is_remembered_whole(
        self, cli: Cli, home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        out = cli("models", "use", "airoboros-l2-13b-2.2.1.gguf", "--json").stdout
        whole = str(folder / "airoboros-l2-13b-2.2.1.gguf")
        assert json.loads(out)["model"] == read_file(home / "settings.toml")["model"] == whole

    def test_other_settings_stay(self, cli: Cli, home: Path) -> None:
        home.mkdir(exist_ok=True)
        (home / "settings.toml").write_text('# mine\ntheme = "ember"\nmodel = "old"\n')
        assert cli("models", "use", "demo").exit_code == 0
        assert (home / "settings.toml").read_text() == '# mine\ntheme = "ember"\nmodel = "demo"\n'

    @pytest.mark.parametrize("ref", ["cut", "old", "nothing", "remote:ftp://x", ""])
    def test_nothing_is_remembered_that_cannot_work(
        self, cli: Cli, home: Path, folder: Path, ref: str
    ) -> None:
        result = cli("models", "use", ref)
        assert result.exit_code == 1
        assert result.stderr
        assert not (home / "settings.toml").exists()
