"""A program that is killed between a call, its results and the answer loses nothing, and the chat goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.session.toolbox import Workbench, done

ROOT = Path(__file__).resolve().parents[2]


def _kill(home: Path, where: str, line: str) -> None:
    command = [sys.executable, "-m", "tests.session.kill_rounds_driver", str(home), where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"{line}\n"
        finally:
            process.kill()


def test_killed_while_a_tool_runs(tmp_path: Path) -> None:
    _kill(tmp_path, "call", "running")
    bench = Workbench(tmp_path, ["It came."])
    try:
        assert bench.texts() == ["Roll", "CALL slow"] and bench.session.history[-1].state == "finished"
        bench.open_gate()
        done(bench.session.send(""))
        assert bench.texts() == ["Roll", "CALL slow", "slow() → at last", "It came."]
        assert bench.session.undo() and bench.texts() == []
    finally:
        bench.manager.close()


def test_killed_between_the_results_and_the_answer(tmp_path: Path) -> None:
    _kill(tmp_path, "results", "stored")
    bench = Workbench(tmp_path, ["It shows it."])
    try:
        results = bench.session.history[-1]
        assert results.is_results and results.provenance.calls[0]["state"] == "done"
        done(bench.session.send(""))
        assert bench.texts()[2:] == [results.text, "It shows it."] and not bench.ran
        assert bench.session.history[-1].parent == results.id
        assert bench.session.undo() and bench.texts() == []
    finally:
        bench.manager.close()
