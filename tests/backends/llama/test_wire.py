from __future__ import annotations

import io

import pytest

from airochat.backends.llama.wire import Answer, Stop, read_frame, write_frame
from airochat.errors import ModelError


def test_values_come_out_as_they_went_in() -> None:
    pipe = io.BytesIO()
    values = [Stop(3), Answer(1, [[1, 2], []]), Answer(2, None, None)]
    for value in values:
        write_frame(pipe, value)
    pipe.seek(0)
    assert [read_frame(pipe) for _ in values] == values


def test_errors_keep_both_sentences() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, Answer(1, error=ModelError("What.", "How.")))
    pipe.seek(0)
    error = read_frame(pipe).error
    assert isinstance(error, ModelError)
    assert (error.message, error.hint) == ("What.", "How.")


def test_an_end_anywhere_is_an_end() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, Stop(3))
    data = pipe.getvalue()
    for length in range(len(data)):
        with pytest.raises(EOFError):
            read_frame(io.BytesIO(data[:length]))
