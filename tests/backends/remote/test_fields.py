"""Sampling fields as each kind of server gets them."""

from __future__ import annotations

import json

import pytest

from airochat.backends.base import Request
from airochat.backends.remote.fields import HEEDED, Kind, extra_fields, kind_of
from airochat.backends.remote.protocol import completion_body
from airochat.sampling import SAMPLERS, Sampling

RICH = Sampling(
    temperature=1.0,
    dynatemp_range=0.5,
    typical_p=0.9,
    top_n_sigma=1.0,
    dry_multiplier=0.8,
    mirostat=2,
    repeat_penalty=1.1,
    repeat_last_n=-1,
    grammar="root ::= [a-z]",
    logit_bias=((" dog", -5.0), (7, 2.0)),
    samplers=("top_k", "penalties"),
)


@pytest.mark.parametrize("kind", sorted(HEEDED))
def test_what_is_off_is_not_sent(kind: Kind) -> None:
    assert extra_fields(Sampling(), kind) == {}
    assert json.loads(json.dumps(completion_body(Request("1", "Hi", RICH), "m", kind)))["prompt"] == "Hi"


def test_llama_cpp_gets_its_own_names() -> None:
    sent = extra_fields(RICH, "llama.cpp")
    assert (sent["typical_p"], sent["mirostat"], sent["dry_base"]) == (0.9, 2, 1.75)
    assert sent["logit_bias"] == [[" dog", -5.0], [7, 2.0]]
    assert sent["samplers"] == ["top_k", "penalties"]
    assert sent["dry_sequence_breakers"] == ["\n", ":", '"', "*"]
    assert completion_body(Request("1", "", RICH), "m", "llama.cpp")["repeat_last_n"] == -1
    adaptive = extra_fields(Sampling(adaptive_target=0.3, json_schema='{"type": "null"}'), "llama.cpp")
    assert adaptive["samplers"] == [*SAMPLERS, "adaptive_p"]
    assert adaptive["json_schema"] == {"type": "null"}


def test_other_servers_get_theirs() -> None:
    webui = extra_fields(RICH, "webui")
    assert (webui["dynamic_temperature"], webui["dynatemp_low"], webui["dynatemp_high"]) == (True, 0.5, 1.5)
    assert json.loads(f"[{webui['dry_sequence_breakers']}]") == ["\n", ":", '"', "*"]
    assert webui["sampler_priority"] == ["top_k", "repetition_penalty"]
    assert (webui["grammar_string"], webui["mirostat_mode"], webui["logit_bias"]) == (
        RICH.grammar,
        2,
        {"7": 2.0},
    )
    kobold = extra_fields(RICH, "koboldcpp")
    assert (kobold["typical"], kobold["nsigma"], "samplers" in kobold) == (0.9, 1.0, False)
    assert extra_fields(RICH, "other") == {}
    assert extra_fields(RICH, "llama-cpp-python").keys() == {
        "logit_bias",
        "mirostat_mode",
        "mirostat_tau",
        "mirostat_eta",
    }
    assert completion_body(Request("1", "", RICH), "m", "webui")["repetition_penalty_range"] > 1_000_000


def test_a_server_is_told_by_its_model_list() -> None:
    assert kind_of({"owned_by": "llamacpp"}, has_props=True) == "llama.cpp"
    assert kind_of({"owned_by": "koboldcpp"}, has_props=True) == "koboldcpp"
    assert kind_of({"owned_by": ["x"]}, has_props=True) == "llama.cpp"
    assert kind_of({}, has_props=False) == "other"
