from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airochat.backends.llama import glance
from airochat.backends.llama.machine import Gpu, Machine
from airochat.cli import root
from airochat.cli.common import load_settings
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
        assert lines[0].split() == ["NAME", "SIZE", "WEIGHTS", "QUANT", "CONTEXT", "TEMPLATE", "FITS", "NOTE"]
        assert lines[1].split()[:6] == ["*", "demo", "98.4", "MB", "135M", "Q4_1"]
        column = lines[0].index("SIZE")
        assert all(line[column - 1] == " " and line[column] != " " for line in lines)
        assert lines[1].split()[-2] == "in"

    def test_verdicts_come_from_the_header_and_the_machine(
        self, cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(glance, "may_have_gpu", lambda: False)
        for free, verdict in ((8 * 10**9, "ram"), (370 * 10**6, "disk"), (10**6, "no")):
            monkeypatch.setattr("airochat.backends.llama.machine.ram", lambda free=free: (free, free))
            rows = listed(cli)
            assert rows["demo"]["fits"] == verdict
            assert rows["cut"]["fits"] is None
        monkeypatch.setattr("airochat.backends.llama.machine.ram", lambda: (0, 0))
        assert listed(cli)["demo"]["fits"] == "ram"

    def test_a_build_for_gpus_is_asked_for_them(
        self, cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        card = Gpu("CUDA0", 8 * 10**9, 8 * 10**9)
        machine = Machine(10**9, 10**9, (card,))
        monkeypatch.setattr(glance, "may_have_gpu", lambda: True)
        monkeypatch.setattr("airochat.backends.llama.machine.this_machine", lambda: machine)
        assert listed(cli)["demo"]["fits"] == "gpu"

    @pytest.mark.parametrize(
        ("names", "may"),
        [
            (["libggml.so", "libggml-base.so.0", "libggml-cpu.so", "libllama.so"], False),
            (["libggml.so", "libggml-cpu-haswell.so", "libggml-blas.dylib"], False),
            (["libggml.so", "libggml-base.so", "libggml-cuda.so"], True),
            (["ggml.dll", "ggml-base.dll", "ggml-vulkan.dll"], True),
            (["libllama.so"], True),
        ],
    )
    def test_what_a_build_can_do_is_seen_by_its_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], may: bool
    ) -> None:
        (tmp_path / "lib").mkdir()
        for name in names:
            (tmp_path / "lib" / name).touch()
        spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
        monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
        assert glance.may_have_gpu() is may

    def test_what_cannot_chat_says_so(self, cli: Cli, folder: Path) -> None:
        kinds = {
            "lora": {"general.type": "adapter"},
            "vision": {"general.type": "mmproj", "general.architecture": "clip"},
            "older-vision": {"general.architecture": "clip"},
            "matrix": {"general.type": "imatrix"},
        }
        for name, metadata in kinds.items():
            (folder / f"airoboros-l2-{name}.gguf").write_bytes(gguf({**MODEL, **metadata}))
        rows = listed(cli)
        for name, kind in zip(kinds, ("adapter", "mmproj", "mmproj", "imatrix"), strict=True):
            row = rows[f"airoboros-l2-{name}"]
            assert (row["kind"], row["fits"], row["quantisation"]) == (kind, None, "Q4_0")
            assert row["note"]
            assert cli("models", "use", row["name"]).exit_code == 1
        # They are not among the models that a beginning may mean.
        assert cli("models", "use", "airoboros").exit_code == 0

    def test_the_one_in_use_is_marked(self, cli: Cli, folder: Path) -> None:
        for name in ("cut", str(folder / "cut.gguf")):
            rows = listed(cli, "--set", f"model={json.dumps(name)}")
            assert [row for row in rows if rows[row]["used"]] == ["cut"]

    @pytest.mark.parametrize("ref", ["airo", "AIROBOROS-L2-13B-2.2.1.gguf", "demo"])
    def test_the_one_in_use_is_marked_however_it_is_named(self, cli: Cli, folder: Path, ref: str) -> None:
        rows = listed(cli, "--set", f"model={ref}")
        (used,) = (name for name, row in rows.items() if row["used"])
        assert used.startswith(ref[:4].lower())

    def test_one_in_use_that_is_gone_is_told(self, cli: Cli, folder: Path) -> None:
        assert cli("models", "use", "airoboros").exit_code == 0
        (folder / "airoboros-l2-13b-2.2.1.gguf").unlink()
        result = cli("models", "list")
        assert result.exit_code == 0
        assert "no model 'airoboros-l2-13b-2.2.1'" in result.stderr
        assert "models use" in result.stderr
        for words in (["say", "hi"], ["models", "info", "airoboros-l2-13b-2.2.1"]):
            failed = cli(*words)
            assert failed.exit_code == 1
            assert "no model 'airoboros-l2-13b-2.2.1'" in failed.stderr

    def test_other_backends_in_use_are_no_files(self, cli: Cli, folder: Path) -> None:
        for ref in ("remote:127.0.0.1:1", "scripted"):
            result = cli("--set", f"model={ref}", "models", "list")
            assert result.stderr == ""
            assert "*" not in result.stdout

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

    @pytest.mark.skipif(glance.may_have_gpu(), reason="a build for GPUs is asked what memory they have")
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
    @pytest.mark.parametrize("ref", ["demo", "remote:127.0.0.1:8080", "scripted"])
    def test_is_remembered(self, cli: Cli, home: Path, folder: Path, ref: str) -> None:
        assert cli("models", "use", ref).exit_code == 0
        assert Settings.load(home / "settings.toml").model == ref

    @pytest.mark.parametrize("ref", ["airo", "AIROBOROS-L2-13B-2.2.1.gguf"])
    def test_a_name_is_remembered_whole(self, cli: Cli, home: Path, folder: Path, ref: str) -> None:
        assert cli("models", "use", ref).exit_code == 0
        assert Settings.load(home / "settings.toml").model == "airoboros-l2-13b-2.2.1"
        (folder / "airoboros-7b.gguf").write_bytes(gguf())
        assert listed(cli)["airoboros-l2-13b-2.2.1"]["used"]

    def test_a_split_model(self, cli: Cli, home: Path, folder: Path) -> None:
        for number in (0, 1):
            data = gguf({**MODEL, "split.no": number, "split.count": 2})
            (folder / f"big-{number + 1:05}-of-00002.gguf").write_bytes(data)
        assert cli("models", "use", "big").exit_code == 0
        assert Settings.load(home / "settings.toml").model == "big"
        (folder / "big-00002-of-00002.gguf").unlink()
        result = cli("say", "hi")
        assert result.exit_code == 1
        assert "big-00002-of-00002.gguf is missing" in result.stderr

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


class TestLora:
    @pytest.mark.parametrize("place", [0, 2])
    def test_adapters_reach_the_engine(self, cli: Cli, tmp_path: Path, place: int) -> None:
        adapter = tmp_path / "voice.gguf"
        arguments = ["say", "hi", "--model", "demo", "--max-tokens", "1"]
        arguments[place:place] = ["--lora", f"{adapter}:0.5"]
        result = cli(*arguments)
        assert result.exit_code == 1
        assert f"There is no file {adapter}" in result.stderr
        adapter.write_bytes(gguf({**MODEL, "general.type": "adapter"}))
        result = cli(*arguments)
        assert result.exit_code == 1
        assert f"The LoRA adapter {adapter} does not fit this model" in result.stderr

    @pytest.mark.parametrize(
        ("text", "adapter"),
        [
            ("a.gguf", ("a.gguf", 1.0)),
            ("a.gguf:0.5", ("a.gguf", 0.5)),
            ("a.gguf:-2", ("a.gguf", -2.0)),
            ("C:a.gguf", ("C:a.gguf", 1.0)),
            ("C:a.gguf:.3", ("C:a.gguf", 0.3)),
        ],
    )
    def test_scales(self, text: str, adapter: tuple[str, float]) -> None:
        context = root.make_context(
            "airochat", ["--lora", text, "--lora", "b.gguf", "--set", "n_ctx=64", "say"]
        )
        settings = load_settings(context)
        assert settings.engine.lora == (adapter, ("b.gguf", 1.0))
        assert settings.engine.n_ctx == 64

    def test_a_scale_that_cannot_be(self, cli: Cli) -> None:
        result = cli("say", "hi", "--model", "demo", "--lora", "a.gguf:1e9")
        assert result.exit_code == 2
        assert "the scale of LoRA a.gguf" in result.stderr
