from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends.files import MODEL, gguf
from tests.cli.conftest import Cli

QUANTS = ["Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_0", "Q4_K_S", "Q4_K_M", "Q4_1"]
HERE = ("--vram", "24G,24G", "--ram", "64G")


def told(cli: Cli, *arguments: str) -> dict[str, Any]:
    result = cli("models", "fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def rows(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["quant"]: row for row in answer["quants"]}


class TestSizes:
    def test_a_model_that_is_not_here(self, cli: Cli) -> None:
        answer = told(cli, "--params", "70b", "--quant", "q4_k_m", "--ctx", "4096", *HERE)
        assert (answer["quant"], answer["n_ctx"], answer["type_k"]) == ("Q4_K_M", 4096, "f16")
        assert [gpu["free"] for gpu in answer["machine"]["gpus"]] == [24 * 10**9] * 2
        asked = rows(answer)["Q4_K_M"]
        assert asked["kv"] == 4096 * 327_680
        assert asked["total"] == asked["size"] + asked["kv"] + asked["compute"] + asked["process"]
        assert asked["card_ram"] == asked["size"] + 2_500_000_000
        assert (asked["verdict"], asked["gpu_layers"], asked["fits"]) == ("gpu", 81, True)
        assert rows(answer)["Q8_0"]["verdict"] == "split"
        assert rows(answer)["F16"]["verdict"] == "disk"
        assert answer["best"]["n_gpu_layers"] == 81
        sizes = [row["size"] for row in answer["quants"]]
        assert sizes == sorted(sizes)

    def test_kv_type_and_context(self, cli: Cli) -> None:
        whole, half = (told(cli, "--params", "13b", "--kv", kv, *HERE) for kv in ("f16", "q8_0"))
        assert rows(half)["Q4_K_M"]["kv"] * 32 == rows(whole)["Q4_K_M"]["kv"] * 17
        assert whole["n_ctx"] == 4096
        assert told(cli, "--params", "l3-8b", *HERE)["n_ctx"] == 8192

    def test_the_ladder(self, cli: Cli) -> None:
        answer = told(cli, "--params", "70b", "--ram", "42.6G", "--vram", "0", "--ctx", "4096")
        assert [step["kind"] for step in answer["ladder"]] == ["quant", "kv", "context", "model"]
        assert answer["ladder"][0]["set"] == {"quant": "Q4_K_S"}
        assert answer["best"]["type_k"] == "q8_0"

    def test_notes(self, cli: Cli) -> None:
        assert any("8 experts 2" in note for note in told(cli, "--params", "8x7b", *HERE)["notes"])
        assert any("scaled" in note for note in told(cli, "--params", "20b", *HERE)["notes"])
        assert any("4,096" in note for note in told(cli, "--params", "13b", "--ctx", "9000", *HERE)["notes"])
        assert told(cli, "--params", "13b", *HERE)["notes"] == []


class TestFiles:
    def test_the_demo_model(self, cli: Cli, demo_model: Path) -> None:
        answer = told(cli, "demo", *HERE)
        own = rows(answer)["Q4_1"]
        assert (answer["quant"], own["size"]) == ("Q4_1", demo_model.stat().st_size)
        assert (answer["n_layers"], own["kv"], own["gpu_layers"]) == (30, 8192 * 23_040, 31)
        assert rows(answer)["Q8_0"]["size"] > own["size"]

    def test_the_memory_of_this_machine(self, cli: Cli, demo_model: Path) -> None:
        answer = told(cli, str(demo_model), "--ctx", "512")
        assert answer["machine"]["ram"] > 0
        assert answer["best"]["fits"]

    def test_another_quantisation_of_it(self, cli: Cli, demo_model: Path) -> None:
        answer = told(cli, "demo", "--quant", "IQ4_XS", *HERE)
        assert answer["quant"] == "IQ4_XS"
        assert rows(answer)["IQ4_XS"]["size"] < demo_model.stat().st_size

    def test_settings_count(self, cli: Cli) -> None:
        answer = cli("--set", "n_ctx=1024", "--set", "type_v=q8_0", "models", "fit", "demo", *HERE, "--json")
        facts = json.loads(answer.stdout)
        assert (facts["n_ctx"], facts["type_k"], facts["type_v"]) == (1024, "f16", "q8_0")

    def test_a_sliding_window(self, cli: Cli, tmp_path: Path) -> None:
        facts = {"block_count": 4, "context_length": 4096, "attention.sliding_window": 1024}
        path = tmp_path / "m.gguf"
        path.write_bytes(
            gguf({**MODEL, "general.architecture": "gemma2", **{f"gemma2.{k}": v for k, v in facts.items()}})
        )
        assert any("2 of 4 layers look back 1,024" in note for note in told(cli, str(path), *HERE)["notes"])

    def test_a_name_that_would_steer_the_terminal(self, cli: Cli, tmp_path: Path) -> None:
        path = tmp_path / "m.gguf"
        path.write_bytes(gguf({**MODEL, "general.name": "evil\x1b[2J\nname"}))
        shown = cli("models", "fit", str(path), *HERE).stdout
        assert "\x1b" not in shown
        assert shown.splitlines()[0].startswith("evil")
        assert "name: 3 layers" in shown.splitlines()[0]


class TestTable:
    def test_rows_and_answer(self, cli: Cli) -> None:
        lines = cli(
            "models", "fit", "--params", "70b", "--quant", "Q5_K_M", "--ctx", "4096", *HERE
        ).stdout.splitlines()
        assert lines[0] == "l2-70b: 80 layers, a context of 4,096 tokens in f16"
        assert lines[1].startswith("This counts on: 64.0 GB of RAM free, GPU0 with 24.0 GB free,")
        titles = next(line for line in lines if "QUANT" in line)
        table = lines[lines.index(titles) + 1 :]
        assert [line.lstrip("* ").split()[0] for line in table[:8]] == QUANTS
        (starred,) = (line for line in table if line.startswith("*"))
        assert "Q5_K_M" in starred and "fits in part" in starred
        answer = "\n".join(table)
        assert "Q5_K_M: 7" in answer and "of 81 layers fit in VRAM" in answer
        assert "Best here: n_gpu_layers = 7" in answer
        assert "a smaller quant, Q4_1" in answer

    @pytest.mark.parametrize(
        ("machine", "heading"),
        [
            (("--ram", "64G", "--vram", "0"), "If memory gets short"),
            (("--ram", "64G", "--vram", "24GiB"), "loads it better or wholly into VRAM"),
            (("--ram", "32G", "--vram", "0"), "Each of these would make it fit:"),
            (("--ram", "20M", "--vram", "0"), "Nothing smaller of this model fits"),
        ],
    )
    def test_headings(self, cli: Cli, machine: tuple[str, ...], heading: str) -> None:
        assert heading in cli("models", "fit", "--params", "70b", "--ctx", "2048", *machine).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "either a model file or --params"),
        (("demo", "--params", "7b"), "either a model file or --params"),
        (("--params", "huge"), "--params huge is no size of a model."),
        (("--params", "7b", "--quant", "Q9"), "There is no quantisation 'Q9'."),
        (("--params", "7b", "--ram", "much"), "--ram much is no amount of memory."),
        (("--params", "7b", "--vram", "24G,x"), "--vram x is no amount of memory."),
        (("--params", "7b", "--vram", "-1G"), "--vram -1G is no amount of memory."),
        (("--params", "7b", "--ctx", "1"), "n_ctx = 1 is out of range."),
        (("--params", "7b", "--kv", "q2_K"), "type_k"),
    ],
)
def test_what_is_refused(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    result = cli("models", "fit", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "\n  " in result.stderr


def test_a_file_that_is_no_model(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"<!DOCTYPE html>")
    result = cli("models", "fit", str(path))
    assert (result.exit_code, result.stdout) == (1, "")


def test_arithmetic_needs_no_llama_cpp() -> None:
    code = (
        "import sys\n"
        "from airochat.cli import root\n"
        f"root(['models', 'fit', '--params', '70b', *{list(HERE)!r}], standalone_mode=False)\n"
        "print('llama_cpp' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr.strip() == "False"
