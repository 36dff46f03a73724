"""Extensions that change how likely each token is: called as the engine calls them, and by the real engine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from plugins.textgen_compat.tests.conftest import Extensions

BIAS = """
from transformers import LogitsProcessor, LogitsProcessorList

params = {"activate": True, "token": 3, "by": 5.0, "unsaid": {1, 2}}


class Bias(LogitsProcessor):
    def __call__(self, input_ids, scores):
        assert input_ids.shape[0] == scores.shape[0] == 1 and input_ids.dtype == "int64"
        scores[:, params["token"]] += params["by"] * input_ids.shape[1]
        return scores


def logits_processor_modifier(processor_list, input_ids):
    assert input_ids.shape == (1, 4)
    processor_list.append(Bias())
    return processor_list
"""


def changer(extensions: Extensions) -> Callable[[list[int], Any], None]:
    """The function that the engine gets, found as it finds it: from the file alone."""
    (processor,) = extensions.bench.processors()
    spec = importlib.util.spec_from_file_location("some_name", processor.file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[list[int], Any], None] = getattr(module, processor.make)(processor.options)
    return made


def test_a_processor_changes_the_logits_in_place(extensions: Extensions) -> None:
    assert "honoured: logits_processor_modifier" in extensions.put("bias", BIAS)
    change = changer(extensions)
    for ids in ([1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2]):
        logits = np.zeros(8, dtype=np.float32)
        change(ids, logits)
        assert logits.tolist() == [0, 0, 0, 5.0 * len(ids), 0, 0, 0, 0]


def test_parameters_reach_the_engine_with_the_next_reply(extensions: Extensions) -> None:
    extensions.put("bias", BIAS)
    first = changer(extensions)
    first([1, 2, 3, 4], np.zeros(8, dtype=np.float32))
    extensions("set bias token=6")
    logits = np.zeros(8, dtype=np.float32)
    changer(extensions)([1, 2, 3, 4], logits)
    assert int(logits.argmax()) == 6
    extensions("set bias activate=off")
    assert extensions.bench.processors() == []


def test_other_scores_and_functions_are_taken_too(extensions: Extensions) -> None:
    script = (
        "def other(ids, scores):\n    return scores * 2\n"
        "def none(ids, scores):\n    scores += ids.sum()\n"
        "def logits_processor_modifier(processor_list):\n    return [other, none, 'no function']\n"
    )
    extensions.put("twice", script)
    logits = np.ones(4, dtype=np.float32)
    changer(extensions)([1, 2], logits)
    assert logits.tolist() == [5.0] * 4


def test_ids_that_changed_in_the_middle_are_seen(extensions: Extensions) -> None:
    script = (
        "def last(ids, scores):\n    scores[0, :ids.shape[1]] = ids[0]\n"
        "def logits_processor_modifier(processor_list, input_ids):\n    processor_list.append(last)\n"
    )
    extensions.put("shows", script)
    change = changer(extensions)
    for ids in ([1, 2, 3], [1, 2, 3, 4], [1, 9], [1, 9, 8, 7]):
        logits = np.zeros(4, dtype=np.float32)
        change(ids, logits)
        assert logits.tolist()[: len(ids)] == ids


def test_scores_of_another_size_are_an_error(extensions: Extensions) -> None:
    script = (
        "def logits_processor_modifier(processor_list, input_ids):\n"
        "    return [lambda ids, scores: scores[:, :2]]\n"
    )
    extensions.put("cuts", script)
    with pytest.raises(ValueError, match="2 scores for 4 tokens"):
        changer(extensions)([1], np.zeros(4, dtype=np.float32))
