"""Every sampler at work on small models: what it changes, what it refuses, and that nothing ends the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airochat.backends.base import Finished
from airochat.backends.llama.client import LlamaBackend
from airochat.errors import SettingsError
from airochat.sampling import FORBIDDEN, SAMPLERS, Sampling
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import GREEDY, WAIT_S, Heard, chat, listen, llama, request
from tests.models import find, says, spm_tokens, write_model

START, END = 1, 2
DIGITS = 'root ::= [0-9] [0-9] "." '
WARM = Sampling(temperature=1.5, top_k=0, top_p=1, min_p=0, seed=5, max_tokens=24)


@pytest.fixture(scope="module")
def spm(spm_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    backend = llama(spm_model, "thread", tmp_path_factory.mktemp("logs") / "engine.log")
    yield backend
    backend.close()


def reply(backend: LlamaBackend, sampling: Sampling, prompt: tuple[int, ...] = (START, 5, 6, 7)) -> Heard:
    return listen(backend, request(prompt, sampling))


@pytest.mark.parametrize(
    "changes",
    [
        {"typical_p": 0.2},
        {"top_n_sigma": 0.5},
        {"xtc_probability": 1.0, "xtc_threshold": 0.0005},
        {"dynatemp_range": 1.4},
        {"dry_multiplier": 5.0, "dry_allowed_length": 0, "dry_sequence_breakers": []},
        {"mirostat": 1, "mirostat_tau": 2.0},
        {"mirostat": 2, "mirostat_tau": 2.0},
        {"adaptive_target": 0.0001, "adaptive_decay": 0.5},
        {"logit_bias": [["q", 20.0]]},
        {"logit_bias": [[300, FORBIDDEN], ["a", FORBIDDEN], ["e", 3]]},
        {"repeat_penalty": 1.8, "repeat_last_n": -1},
        {"frequency_penalty": 5.0},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_each_sampler_changes_the_reply_and_repeats_it(spm: LlamaBackend, changes: dict[str, Any]) -> None:
    plain = reply(spm, WARM.replace(max_tokens=120))
    changed = reply(spm, WARM.replace(max_tokens=120, **changes))
    assert changed.finished.tokens + tuple(changed.text.encode()) != plain.finished.tokens + tuple(
        plain.text.encode()
    )
    assert reply(spm, WARM.replace(max_tokens=120, **changes)).text == changed.text


def test_the_order_of_samplers_matters(spm: LlamaBackend) -> None:
    hot = WARM.replace(temperature=3.0, top_p=0.02, min_p=0.0)
    last = reply(spm, hot)
    first = reply(spm, hot.replace(samplers=["temperature", "top_p"]))
    assert last.text != first.text
    assert reply(spm, hot.replace(samplers=["temperature"])).text == reply(spm, hot.replace(top_p=1)).text


def test_a_forbidden_text_never_comes(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("ab!", START, END)))
    assert reply(backend, GREEDY, (START,)).text == "ab!"
    heard = reply(backend, GREEDY.replace(logit_bias=[["b", FORBIDDEN], [3 + ord("b"), FORBIDDEN]]), (START,))
    assert "b" not in heard.text


def test_dry_breaks_a_loop_where_no_breaker_stands(open_model: Open, tmp_path: Path) -> None:
    a, b = 3 + ord("a"), 3 + ord("b")
    backend = open_model(write_model(tmp_path / "m.gguf", chain={START: a, a: b, b: a}))
    dry = GREEDY.replace(dry_multiplier=100.0, dry_base=4.0)
    assert "abababab" in reply(backend, GREEDY, (START,)).text
    assert "abababab" not in reply(backend, dry, (START,)).text
    assert "abababab" in reply(backend, dry.replace(dry_sequence_breakers=["a", "b"]), (START,)).text


def test_a_grammar_binds_the_reply(spm: LlamaBackend) -> None:
    heard = reply(spm, WARM.replace(grammar=DIGITS, ignore_eos=True))
    assert re.fullmatch(r"[0-9]{2}\.", heard.text)
    assert heard.finished.reason == "eos"
    assert reply(spm, GREEDY.replace(grammar='root ::= "he " ("said" | "was")')).text in ("he said", "he was")


def test_a_json_schema_binds_the_reply(spm: LlamaBackend) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["calm", "wild"]}}, "required": ["mood"]}
    heard = reply(spm, WARM.replace(json_schema=schema, max_tokens=200))
    assert json.loads(heard.text)["mood"] in ("calm", "wild")


def test_characters_of_several_tokens_fit_a_grammar(spm: LlamaBackend) -> None:
    assert reply(spm, WARM.replace(grammar='root ::= "é🦙" [а-я]{3}')).text[:2] == "é🦙"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grammar": 'root ::= root "a"'}, "cannot read the grammar"),
        ({"json_schema": '{"$ref": "https://example.org/x.json"}'}, "JSON schema cannot be used"),
        ({"json_schema": '{"type": "colour"}'}, "JSON schema cannot be used"),
        ({"json_schema": '{"type": "string", "maxLength": 100000}'}, "JSON schema is too large"),
        ({"logit_bias": [[10_000_000, 1]]}, "logit_bias has the token 10000000"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_prompt_is_read(
    spm: LlamaBackend, changes: dict[str, Any], said: str
) -> None:
    heard = reply(spm, GREEDY.replace(**changes))
    assert said in heard.failed.message
    assert heard.progress == []
    assert reply(spm, GREEDY).finished


def test_where_nothing_is_allowed_the_turn_ends_with_a_reason(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("ab", START, END)))
    digits = [[str(digit), FORBIDDEN] for digit in range(10)]
    digits += [[3 + ord(str(digit)), FORBIDDEN] for digit in range(10)]
    heard = reply(backend, GREEDY.replace(grammar='root ::= "a" [0-9]', logit_bias=digits), (START,))
    assert heard.text == "a"
    assert "no further token" in heard.failed.message
    assert heard.failed.usage.generated == 1
    assert reply(backend, GREEDY, (START,)).text == "ab"


def test_bans_of_every_token_end_the_turn_with_a_reason(spm: LlamaBackend) -> None:
    everything = [[token, FORBIDDEN] for token in range(len(spm_tokens()))]
    assert "Every token is ruled out" in reply(spm, WARM.replace(logit_bias=everything)).failed.message
    assert "Every token is ruled out" in reply(spm, GREEDY.replace(logit_bias=everything)).failed.message


def test_leaving_out_the_likely_brings_back_nothing_that_is_ruled_out(spm: LlamaBackend) -> None:
    only_the_least = WARM.replace(xtc_probability=1, xtc_threshold=0, samplers=["xtc"])
    heard = reply(spm, only_the_least.replace(ignore_eos=True))
    assert heard.finished.reason == "length"


def test_a_control_token_can_be_named_in_a_bias(spm: LlamaBackend) -> None:
    marker = find(spm_tokens(), "<|im_start|>")
    heard = reply(spm, GREEDY.replace(logit_bias=[["<|im_start|>", 99.0]], max_tokens=3))
    assert heard.finished.tokens == (marker,) * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('rot ::= "a"', 'no rule "root"'),
        ("root ::= x", "no rule 'x', line 1"),
        ('root ::= "a"\nx ::= "b', "line 2"),
        ("root ::= \n a & b", "line 2"),
        ("root ::= " + "(" * 100_000, "longer"),
        ("root ::= " + "(" * 100 + '"a"' + ")" * 100, "nested more than 64"),
        ('root ::= "a")', "closes nothing"),
        ('root ::= ("a"', "never closed"),
        ('root ::= "a"{5000}', "no range"),
        ("root ::= " + '"a"{2000} ' * 20, "add up to 40000"),
        ('root ::= "a\0"', "NUL"),
        ("root ::= [a", "line 1"),
    ],
)
def test_a_wrong_grammar_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Sampling(grammar=text)
    assert said in str(caught.value)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.sampled_from([low, high]) | st.floats(low, high)


SAMPLINGS = st.fixed_dictionaries(
    {"seed": st.integers(0, 99), "max_tokens": st.integers(1, 12)},
    optional={
        "temperature": numbers(0, 10),
        "dynatemp_range": numbers(0, 10),
        "dynatemp_exponent": numbers(0, 10),
        "top_k": st.integers(0, 1_000_000),
        "top_p": numbers(0, 1),
        "min_p": numbers(0, 1),
        "typical_p": numbers(0, 1),
        "top_n_sigma": numbers(-1, 100),
        "xtc_probability": numbers(0, 1),
        "xtc_threshold": numbers(0, 1),
        "repeat_penalty": numbers(0.1, 10),
        "repeat_last_n": st.integers(-1, 1_000_000),
        "frequency_penalty": numbers(-10, 10),
        "presence_penalty": numbers(-10, 10),
        "dry_multiplier": numbers(0, 100),
        "dry_base": numbers(1, 10),
        "dry_allowed_length": st.integers(0, 1000),
        "dry_penalty_last_n": st.integers(-1, 1_000_000),
        "dry_sequence_breakers": st.lists(
            st.text(
                st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9
            ),
            max_size=4,
        ),
        "mirostat_tau": numbers(0, 100),
        "mirostat_eta": numbers(0, 1),
        "logit_bias": st.lists(
            st.tuples(st.integers(0, 300) | st.text(min_size=1, max_size=5), numbers(-100, 100)), max_size=5
        ).map(tuple),
        "grammar": st.sampled_from(
            [
                "",
                DIGITS,
                "root ::= [a-z]+",
                "root ::= .*",
                'root ::= "é"{3}',
                'root ::= ("a"?)*',
                'root ::= ""',
            ]
        ),
        "samplers": st.permutations(SAMPLERS).flatmap(
            lambda order: st.integers(0, len(order)).map(lambda count: order[:count])
        ),
        "ignore_eos": st.booleans(),
    },
)
SELECTORS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"mirostat": st.sampled_from([1, 2])}),
    st.fixed_dictionaries({"adaptive_target": numbers(0, 1), "adaptive_decay": numbers(0, 0.99)}),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=SAMPLINGS, selector=SELECTORS)
def test_the_engine_survives_whatever_is_in_range(
    spm: LlamaBackend, values: dict[str, Any], selector: dict[str, Any]
) -> None:
    heard = reply(spm, Sampling().replace(**values, **selector))
    assert isinstance(heard.end, Finished) or "no further token" in heard.failed.message
    usage = (heard.end or heard.failed).usage
    assert usage.generated <= values["max_tokens"]


def test_the_demo_model_writes_json_and_keeps_to_bans(demo_model: Path, open_model: Open) -> None:
    backend = open_model(demo_model, n_ctx=512)
    backend.wait(WAIT_S)
    prompt = chat(backend, "Name a colour and an animal.")
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}, "animal": {"type": "string", "maxLength": 20}},
        "required": ["colour", "animal"],
    }
    rich = Sampling(seed=3, max_tokens=60, dry_multiplier=0.8, xtc_probability=0.5, top_n_sigma=2.0)
    found = json.loads(listen(backend, request(prompt, rich.replace(json_schema=schema))).text)
    assert found["colour"] in ("red", "blue")
    banned = rich.replace(logit_bias=[[text, FORBIDDEN] for text in (" the", " The", "The", "the")])
    assert not re.search(r"\b[Tt]he\b", listen(backend, request(prompt, banned)).text)
