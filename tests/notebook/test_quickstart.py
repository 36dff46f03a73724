"""The example notebook, run from top to bottom on the real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from airochat.resources import resource_dir

NOTEBOOK = resource_dir("examples") / "quickstart.ipynb"


def output_text(cell: Any) -> str:
    texts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in cell.outputs]
    return "\n".join(texts)


def cell_with(notebook: Any, words: str) -> Any:
    (found,) = [cell for cell in notebook.cells if cell.cell_type == "code" and words in cell.source]
    return found


def test_it_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_it_runs_on_the_demo_model(demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    assert len(output_text(cell_with(notebook, "seed=7"))) > 20
    assert "generated=" in output_text(cell_with(notebook, "turn.usage"))
    assert "Reply 2 of 2" in output_text(cell_with(notebook, "session.swipe("))
    assert "Reply 1 of 2" in output_text(cell_with(notebook, "previous_swipe"))
    assert len(output_text(cell_with(notebook, "%%chat"))) > 10
    view, static = cell_with(notebook, "ChatWidget(session)").outputs
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    saved = states[view.data["application/vnd.jupyter.widget-view+json"]["model_id"]]["state"]["snapshot"]
    assert len(saved["state"]["messages"]) == 6
    assert "good night" in static.data["text/html"]
    assert static.data["text/plain"].count("Assistant") == 3
    (panel,) = cell_with(notebook, "chat.panel(").outputs
    saved = states[panel.data["application/vnd.jupyter.widget-view+json"]["model_id"]]["state"]
    assert saved["shown"]["parts"] and saved["status"]["line"] is None
    assert panel.data["text/plain"].startswith(saved["shown"]["title"])
