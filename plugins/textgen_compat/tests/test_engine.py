"""An extension that changes how likely tokens are, with a real engine in its own process."""

from __future__ import annotations

from pathlib import Path

import pytest

import airochat
from tests.models import write_model

BIAS = """
from transformers import LogitsProcessor

from .token import TOKEN

params = {"by": 1000.0}


class Bias(LogitsProcessor):
    def __call__(self, input_ids, scores):
        assert input_ids.shape[1] > 1
        scores[:, TOKEN] += params["by"]
        return scores


def logits_processor_modifier(processor_list, input_ids):
    processor_list.append(Bias())
    return processor_list
"""
A = 3 + ord("a")
"""The token of a byte in the small model."""


@pytest.mark.parametrize("engine", ["process", "thread"])
def test_the_engine_runs_the_script_with_its_parameters(tmp_path: Path, engine: str) -> None:
    folder = tmp_path / "bias"
    folder.mkdir()
    (folder / "script.py").write_text(BIAS)
    (folder / "token.py").write_text(f"TOKEN = {A}\n")
    model = write_model(tmp_path / "tiny.gguf")
    with airochat.open(home=tmp_path / "home", model=str(model), settings={"engine": engine}) as manager:
        session = manager.new()
        session.send("Hello.", seed=1, max_tokens=5).wait(120)
        assert session.history[-1].text != "aaaaa"
        session.command(f"/textgen add {folder}")
        assert "honoured: logits_processor_modifier" in session.command("/textgen enable bias")
        session.swipe(seed=1, max_tokens=5).wait(120)
        assert session.history[-1].text == "aaaaa"
        session.command("/textgen set bias by=0")
        session.swipe(seed=1, max_tokens=5).wait(120)
        assert session.history[-1].text != "aaaaa"
