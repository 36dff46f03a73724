"""Lorebook, memory, author's note, an extension for text-generation-webui and tools, all at once in one long chat."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.backends.llama.library import demo_model
from benchmarks.plugins import PLUGINS, play
from benchmarks.turns import prefix_matching


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_forty_turns_with_all_of_them(tmp_path: Path) -> None:
    path = demo_model()
    assert path is not None, "install the `demo` extra"
    # Ends with the reason if a report is not complete, a prompt does not fit, or a plugin was switched off.
    chat = play(path, 40, 16, 2, tmp_path)
    reads = chat.reads
    assert reads[-1].turn == 40 and reads[-1].left_out > 20, "history was dropped"
    # Five replies have to be calls; one that is too long to come to its end is none.
    assert chat.called >= 1
    for name in set(PLUGINS) - {"textgen_compat"}:
        assert any(read.blocks[name] for read in reads), name
    assert {"summary", "facts", "recall"} <= chat.remembered
    assert chat.said and all("tide" in text for text in chat.said)
    evaluated = sum(read.evaluated for read in reads)
    assert evaluated <= 1.15 * sum(read.new for read in reads)
    assert evaluated <= 0.35 * sum(prefix_matching((read.tokens, read.reply) for read in reads))
