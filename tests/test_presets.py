"""Sampling presets: those shipped, the user's own, and the layers that a field's value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import SettingsError
from airochat.presets import Presets, card_sampling, layers, parse_preset, preset_toml
from airochat.sampling import FIELDS, OFF, Sampling, ban_regex, unheeded, unheeded_notice
from airochat.settings import Settings


def test_every_shipped_preset_is_valid_and_says_why() -> None:
    known = Presets()
    assert len(known.names()) > 15
    assert known.problems == () and known.own == frozenset()
    for preset in known.all():
        assert preset.why.endswith(".") and preset.values
        assert isinstance(preset.sampling(), Sampling)
    assert known.get("default").sampling() == Sampling()
    assert known.get("off").sampling().active() == {"temperature", "max_tokens"}


def test_own_presets_take_the_place_of_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "yara.toml").write_text("[sampling]\ntop_k = 3\n")
    (tmp_path / "wrong.toml").write_text("[sampling]\ntop_q = 3\n")
    known = Presets(tmp_path)
    assert known.get("yara").values == {"top_k": 3}
    assert known.own == {"yara"}
    assert ["wrong.toml" in str(problem) and "'top_q'" in str(problem) for problem in known.problems] == [
        True
    ]
    with pytest.raises(SettingsError, match=r"wrong\.toml"):
        known.get("wrong")
    with pytest.raises(SettingsError, match="Did you mean 'shortwave'"):
        known.get("shortwav")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("why = ", "not TOML"),
        ("temperature = 1", r"\[sampling\]"),
        ("sampling = 1", r"\[sampling\]"),
        ("why = 1", r"\[sampling\]"),
        ("[sampling]\ntemperature = 99", "out of range"),
    ],
)
def test_a_broken_preset_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        parse_preset("mine", text)
    assert "mine" in str(caught.value)


def test_a_preset_can_be_written_and_read_back() -> None:
    values: dict[str, Any] = {
        "stop": ("###",),
        "logit_bias": ((" dog", -5.0), (7, 2.0)),
        "temperature": 0.5,
        "grammar": 'root ::= "\\n" [a-z]',
    }
    preset = parse_preset("mine", preset_toml(values, "Mine."))
    assert preset.why == "Mine."
    assert preset.sampling() == Sampling().replace(**values)


def test_a_preset_lies_below_the_fields_of_its_own_layer(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('preset = "yara"\ntop_k = 5\n[sampling]\nmin_p = 0.5\n')
    sampling = Settings.load(file).sampling
    assert (sampling.temperature, sampling.top_k, sampling.min_p) == (0.82, 5, 0.5)
    over = Settings.load(file, {"preset": "off"}).sampling
    assert (over.temperature, over.top_k, over.min_p) == (1.0, 0, 0.0)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "own.toml").write_text("[sampling]\ntop_k = 77\n")
    assert Settings.load(file, {"preset": "own", "temperature": 0.1}).sampling.top_k == 77
    with pytest.raises(SettingsError, match="no preset 'yarra'"):
        Settings.load(file, {"preset": "yarra"})


def test_each_layer_wins_over_those_before() -> None:
    found = layers(
        Sampling(top_k=9, top_p=0.5, min_p=0.2, seed=3),
        {"top_p": 0.6, "min_p": 0.3},
        {"min_p": 0.4, "seed": 4},
        {"seed": 5},
    )
    shown = {name: (one.value, one.origin) for name, one in found.items()}
    assert shown["temperature"] == (0.8, "default")
    assert shown["top_k"] == (9, "settings")
    assert shown["top_p"] == (0.6, "card")
    assert shown["min_p"] == (0.4, "chat")
    assert shown["seed"] == (5, "turn")
    assert shown.keys() == FIELDS
    with pytest.raises(SettingsError, match="both choose"):
        layers(Sampling(mirostat=2), {}, {"adaptive_target": 0.3})


def test_a_card_may_set_how_it_speaks_but_not_what_it_costs() -> None:
    table = {"temperature": 1.2, "max_tokens": 9_999_999, "grammar": "root ::= [a]", "top_k": "many", "x": 1}
    values, warnings = card_sampling({"airochat": {"sampling": table}})
    assert values == {"temperature": 1.2}
    assert [name for name in table if any(name in warning for warning in warnings)] == list(table)[1:]


@given(
    st.dictionaries(
        st.sampled_from(["airochat", "sampling", "temperature"]),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: st.dictionaries(st.sampled_from(["sampling", "top_k", "stop"]), inner),
            max_leaves=6,
        ),
    )
)
def test_whatever_a_card_holds_gives_valid_fields(extensions: dict[str, Any]) -> None:
    values, _ = card_sampling(extensions)
    assert isinstance(Sampling().replace(**values), Sampling)


def test_what_is_off_has_no_effect() -> None:
    assert Sampling().replace(**OFF).active() == {"temperature", "max_tokens"}
    assert "dry_base" not in Sampling().active()
    assert {"dry_base", "dry_sequence_breakers"} <= Sampling(dry_multiplier=0.8).active()


def test_fields_that_a_backend_does_not_know_are_told_in_one_sentence() -> None:
    known = FIELDS - {"dry_multiplier", "dry_base", "min_p", "xtc_threshold"}
    sampling = Sampling(dry_multiplier=0.8, xtc_threshold=0.3, top_k=3)
    assert unheeded(sampling, known) == ("dry_multiplier",)
    assert unheeded_notice(sampling, known) == ("This backend does not know dry_multiplier: without effect.",)
    assert unheeded_notice(Sampling(), frozenset()) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"samplers": ["top_kk"]}, "'top_k'"),
        ({"samplers": ["top_k", "top_k"]}, "more than once"),
        ({"logit_bias": [["a"]]}, "logit_bias"),
        ({"logit_bias": [["a", 101]]}, "out of range"),
        ({"logit_bias": [[-1, 1]]}, "logit_bias"),
        ({"logit_bias": 3}, "logit_bias"),
        ({"dry_sequence_breakers": ["a" * 41]}, "40 bytes"),
        ({"dry_sequence_breakers": ["\0"]}, "NUL"),
        ({"dry_sequence_breakers": ["a"] * 65}, "65 texts"),
        ({"json_schema": "{"}, "not JSON"),
        ({"json_schema": "[" * 100_000}, "longer"),
        ({"json_schema": "[]"}, "no JSON object"),
        ({"json_schema": "{}", "grammar": "root ::= [a]"}, "both set"),
        ({"grammar": 7}, "not a text"),
        ({"mirostat": 3}, "mirostat"),
        ({"banned": "shiver"}, "not a list of texts"),
        ({"banned": ["a", ""]}, "not a list of texts"),
        ({"banned": ["a"] * 501}, "501 texts"),
        ({"banned": ["a" * 201]}, "up to 200 characters"),
        ({"banned": [f"/a{number}/" for number in range(51)]}, "51 regexes"),
        ({"banned": ["/(a/"]}, "no regex: missing )"),
        ({"banned": ["/a*/"]}, "bans every text"),
        ({"banned": [r"/\b/"]}, "bans every text"),
        ({"banned": ["/./s"]}, "bans every text"),
        ({"banned": ["/a{9999999999}/"]}, "repeats too much"),
        ({"banned": ["/((a{99}){99}){99}/"]}, "repeats too much"),
        ({"banned": ["/a(?R)?b/"]}, "repeats too much"),
        ({"banned": ["/(?r)ab/"]}, "searches backwards"),
        ({"typical_p": -0.1}, "typical_p"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Sampling().replace(**changes)
    assert said in str(caught.value)


def test_tables_become_what_the_fields_hold() -> None:
    made = Sampling().replace(json_schema={"type": "string"}, logit_bias={" dog": -5})
    assert (made.json_schema, made.logit_bias) == ('{"type": "string"}', ((" dog", -5),))


def test_a_banned_text_is_a_regex_only_between_slashes() -> None:
    made = Sampling(banned=("/me waves", "a/b/c", "/x+y/im", "/path/x"))
    assert [ban_regex(entry) is None for entry in made.banned] == [True, True, False, True]
    assert ban_regex("/x+y/im").search("a XXY")
    assert ban_regex("/x+y/").search("a XXY") is None


@given(st.text(st.sampled_from("ab(){}[]|*+?^$\\.,1-:<>=!i/"), max_size=14))
def test_any_regex_is_compiled_or_refused(pattern: str) -> None:
    try:
        made = Sampling(banned=(f"/{pattern}/i",))
    except SettingsError as refusal:
        assert refusal.message
    else:
        assert made.active() >= {"banned"}


def test_all_fields_survive_as_json() -> None:
    made = Sampling(logit_bias=((" dog", -5.0), (7, 2.0)), stop=("###",), samplers=("dry",), seed=3)
    made = made.replace(banned=["Elara", r"/\bshivers?\b/i"])
    assert Sampling().replace(**json.loads(json.dumps(made.stored()))) == made
