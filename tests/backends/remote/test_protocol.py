from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.base import Request, Usage
from airochat.backends.remote import protocol
from airochat.backends.remote.protocol import Chunk, read_chunk
from airochat.sampling import Sampling

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "text",
                    "finish_reason",
                    "usage",
                    "error",
                    "message",
                    "data",
                    "id",
                    "meta",
                    "n_ctx",
                    "value",
                    "prompt_tokens",
                    "completion_tokens",
                    "prompt_tokens_details",
                    "cached_tokens",
                    "chat_template",
                    "default_generation_settings",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_understood_or_passed_over(value: Any) -> None:
    body = json.dumps(value)
    chunk = read_chunk(body)
    assert (
        chunk is None
        or (chunk.text + chunk.finish + chunk.error).encode("utf-8", "surrogatepass") is not None
    )
    for row in protocol.read_models(body) or []:
        assert all(count >= 0 for count in (*protocol.context_of(row), protocol.parameters_of(row)))
    assert protocol.read_props(body)[0] >= 0
    assert protocol.read_value(body) >= 0
    assert len(protocol.error_words(body)) <= protocol.MAX_MESSAGE


@pytest.mark.parametrize("body", ["", "null", "{", "[" * 100_000, "9" * 100_000, "\ud800", "<html>"])
def test_what_is_not_json(body: str) -> None:
    assert read_chunk(body) is None
    assert protocol.read_models(body) is None
    assert protocol.read_props(body) == (0, "")


def test_sampling_fields() -> None:
    sampling = Sampling(temperature=0.5, top_k=7, seed=3, max_tokens=9, repeat_penalty=1.2, repeat_last_n=5)
    sampling = sampling.replace(ignore_eos=True)
    body = protocol.completion_body(Request("1", "Hello", sampling, stop=("USER:",)), "tiny")
    assert body["prompt"] == "Hello"
    assert (body["temperature"], body["top_k"], body["seed"], body["max_tokens"]) == (0.5, 7, 3, 9)
    assert body["repeat_penalty"] == body["repetition_penalty"] == 1.2
    assert body["ignore_eos"] is body["ban_eos_token"] is True
    assert (body["stop"], body["model"], body["stream"]) == (["USER:"], "tiny", True)


def test_what_is_off_is_not_sent() -> None:
    body = protocol.completion_body(Request("1", "Hello", Sampling()), "")
    assert not {"seed", "stop", "model", "repeat_penalty", "repetition_penalty", "ignore_eos"} & body.keys()


def test_counts() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
    assert read_chunk(json.dumps({"choices": [], "usage": usage})) == Chunk(usage=Usage(10, 6, 4, 4))
    foolish = {"prompt_tokens": 10, "completion_tokens": -4, "prompt_tokens_details": {"cached_tokens": 60}}
    assert read_chunk(json.dumps({"usage": foolish})) == Chunk(usage=Usage(10, 10, 0, 0))


def test_lone_surrogates_become_replacement_characters() -> None:
    chunk = read_chunk('{"choices": [{"text": "a\\ud83e\\udd99b\\ud83e"}]}')
    assert chunk == Chunk(text="a🦙b\ufffd")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "too long", "code": 400}}', "too long"),
        ('{"error": "no model"}', "no model"),
        ('{"detail": "Not Found"}', "Not Found"),
        ('{"message": "\\u001b[31mred\\u001b[0m\\nalert"}', "red alert"),
        ("plain words", "plain words"),
        ("<html><body>Bad Gateway</body></html>", ""),
        ("", ""),
    ],
)
def test_error_words(body: str, words: str) -> None:
    assert protocol.error_words(body) == words
