"""Sampling presets of other programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import SettingsError
from airochat.formats.sampling_preset import from_tavern, from_webui, import_preset
from airochat.sampling import SAMPLERS, Sampling

WEBUI = """
temperature: 0.98
top_p: 0.37
top_k: 100
repetition_penalty: 1.18
dry_multiplier: 0.8
dry_sequence_breakers: '"\\n", ":", "x\\"y"'
smoothing_factor: 0.3
temperature_last: true
"""
TAVERN: dict[str, Any] = {
    "temp": 1.1,
    "top_p": 0.9,
    "top_k": -1,
    "rep_pen": 1.05,
    "rep_pen_range": 0,
    "typical_p": 1,
    "tfs": 0.97,
    "dynatemp": True,
    "min_temp": 0.5,
    "max_temp": 1.5,
    "dynatemp_exponent": 2,
    "dry_multiplier": 0.8,
    "dry_penalty_last_n": 0,
    "dry_sequence_breakers": '["\\n", "*"]',
    "xtc_probability": 0.5,
    "xtc_threshold": 0.1,
    "mirostat_mode": 0,
    "logit_bias": [{"text": " shiver", "value": -20}],
    "samplers": ["dry", "top_k", "tfs_z", "typical_p", "min_p", "temperature", "top_p"],
    "genamt": 300,
    "banned_tokens": 'shivers down\n"a testament to"\n\n[12, 7]\n/ooc/\n',
}


def test_a_preset_of_text_generation_webui() -> None:
    found = import_preset("Midnight Enigma.yaml", WEBUI)
    sampling = Sampling().replace(**found.values)
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.98, 0.37, 100, 0.0)
    assert (sampling.repeat_penalty, sampling.repeat_last_n) == (1.18, 1024)
    assert sampling.dry_sequence_breakers == ("\n", ":", 'x"y')
    assert sampling.samplers == SAMPLERS
    assert [warning.split()[2] for warning in found.warnings] == ["smoothing_factor,"]


def test_what_text_generation_webui_means_by_deterministic() -> None:
    assert from_webui("do_sample: false\ntop_k: 1\n").values["temperature"] == 0.0
    both = from_webui("dynamic_temperature: true\ndynatemp_low: 0.5\ndynatemp_high: 2\n").values
    assert (both["temperature"], both["dynatemp_range"]) == (1.25, 0.75)
    order = from_webui(
        "sampler_priority:\n- temperature\n- repetition_penalty\n- quadratic_sampling\n"
    ).values
    assert order["samplers"][:2] == ("temperature", "penalties")
    assert set(order["samplers"]) == set(SAMPLERS)


def test_a_preset_of_sillytavern() -> None:
    found = import_preset("mine.json", json.dumps(TAVERN))
    sampling = Sampling().replace(**found.values)
    assert (sampling.temperature, sampling.dynatemp_range, sampling.dynatemp_exponent) == (1.0, 0.5, 2.0)
    assert (sampling.top_k, sampling.repeat_last_n, sampling.dry_penalty_last_n) == (0, -1, -1)
    assert sampling.dry_sequence_breakers == ("\n", "*")
    assert sampling.logit_bias == ((" shiver", -20),)
    assert sampling.samplers[:6] == ("dry", "top_k", "typ_p", "min_p", "temperature", "top_p")
    assert sampling.max_tokens == 300
    assert sampling.banned == ("shivers down", "a testament to", "//ooc//i")
    assert found.warnings == (
        "Left out: the banned token ids [12, 7], which fit one model only.",
        "Left out: tfs, which llama.cpp does not have.",
    )
    assert from_tavern(json.dumps({"preset": TAVERN, "instruct": {}})) == found


def test_banned_texts_of_a_preset() -> None:
    def banned(**changes: Any) -> Any:
        return from_tavern(json.dumps({**TAVERN, **changes}))

    assert banned(banned_tokens='"', banned_strings=["Elara", "Elara", 7, ""]).values["banned"] == (
        "Elara",
        '"',
    )
    assert "banned" not in banned(send_banned_tokens=False).values
    assert "banned" not in banned(banned_tokens=7, banned_strings="x").values
    many = banned(banned_tokens="\n".join([*map(str, range(501)), "x" * 201]))
    assert len(many.values["banned"]) == 500
    assert many.warnings[0] == "Left out: 2 banned texts, such as '500'."


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "a: [", "not YAML"),
        ("a.yaml", "- 1", "no sampling preset"),
        ("a.yaml", "user: x", "no sampling preset"),
        ("a.yaml", "temperature: 50", "out of range"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", '{"input_sequence": "x"}', "no sampling preset"),
        ("a.txt", "", "ends in .txt"),
    ],
)
def test_what_is_no_preset_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        import_preset(name, text)
    assert said in str(caught.value)


def test_a_value_that_is_no_number_is_left_out() -> None:
    found = from_webui("temperature: warm\ntop_k: '7'\n")
    assert (found.values["temperature"], found.values["top_k"]) == (1.0, 7)
    assert found.warnings == ("Left out: temperature, which is no number.",)


@given(
    st.dictionaries(
        st.sampled_from(sorted(TAVERN)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text()),
    )
)
def test_whatever_a_preset_holds_it_is_valid_or_refused(changes: dict[str, Any]) -> None:
    try:
        values = from_tavern(json.dumps({**TAVERN, **changes})).values
    except SettingsError as refusal:
        assert refusal.message
    else:
        assert isinstance(Sampling().replace(**values), Sampling)
