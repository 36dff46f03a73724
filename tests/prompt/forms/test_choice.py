from __future__ import annotations

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from airochat.prompt.forms import (
    JSON_PREFILL,
    Choice,
    FormError,
    Function,
    choose_function,
    read_choice,
    write_choice,
)
from airochat.prompt.forms.choice import Style
from airochat.prompt.forms.plainyaml import read_yaml, write_yaml
from airochat.prompt.forms.values import Value

TRAINED = Choice("file_analytics", {"action": "count_occurrences", "filters": {"keyword": "Python"}})
TRAINED_JSON = """\
{
  "function": "file_analytics",
  "params": {
    "action": "count_occurrences",
    "filters": {
      "keyword": "Python"
    }
  }
}"""
TRAINED_YAML = """\
function: file_analytics
params:
  action: "count_occurrences"
  filters:
    keyword: "Python\""""

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
params = st.dictionaries(keys, values, max_size=4)
yaml_like = st.lists(
    st.sampled_from(
        [
            "function: f",
            "params:",
            "parameters:",
            "  a: 1",
            "  b:",
            "    - x",
            "    - k: v",
            "      j: 2",
            "  - y",
            "   c: 'it''s'",
            '  d: "e',
            "  e: [1, two]",
            "  f: {",
            "-",
            "- ",
            "  - - a",
            "\t",
            "#",
            " # c",
            "```",
            "x",
            "",
        ]
    )
).map("\n".join)


@pytest.mark.parametrize(("style", "text"), [("json", TRAINED_JSON), ("yaml", TRAINED_YAML)])
def test_the_trained_answers(style: Style, text: str) -> None:
    assert write_choice(TRAINED, style) == text
    assert read_choice(text, functions=["file_analytics"], style=style) == TRAINED
    assert read_choice(text) == TRAINED
    assert read_choice(text.replace("\n", "\r\n")) == TRAINED


@given(names, params, st.sampled_from(["json", "yaml"]))
def test_what_is_written_reads_back(name: str, found: dict[str, Value], style: Style) -> None:
    choice = Choice(name, found)
    assert read_choice(write_choice(choice, style), style=style) == choice


@given(st.dictionaries(st.sampled_from("abc"), values, max_size=3))
def test_what_is_written_is_real_yaml(found: dict[str, Value]) -> None:
    text = write_yaml({"top": found})
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError:
        # YAML allows no control characters, not even in quotes.
        assert not text.replace("\n", "").isprintable()
    else:
        assert repr(_floats(read)) == repr(_floats({"top": found}))


def _floats(value: object) -> object:
    """Take 1e-05 for a number, which YAML 1.2 does and PyYAML does not."""
    if isinstance(value, dict):
        return {str(key): _floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_floats(inner) for inner in value]
    return str(value)


@given(st.one_of(st.text(), yaml_like, st.text("{}[]\"':-\\ \nfunctioparms,0123456789.eE#")))
def test_any_answer_is_read_or_refused(text: str) -> None:
    for style in ("json", "yaml", None):
        try:
            found = read_choice(text, style=style)
        except FormError as error:
            assert error.message
        else:
            assert found.function


@pytest.mark.parametrize(
    "text",
    [
        'Sure, here it is:\n```json\n{"function": "f", "params": {"a": 1}}\n```\nIt counts {words}.',
        "Here:\n```yaml\nfunction: f\nparams:\n  a: 1\n```\nGood luck: bye",
        "function: f\nparameters:\n  a: 1\n\nThis function counts.",
        "function: 'f'  # the only one\n\nparams:   # of it\n\n  a: 1\n",
        '{"parameters": {"a": 1}, "function": "f"}',
        JSON_PREFILL + ' "f", "params": {"a": 1}}',
    ],
)
def test_text_around_the_choice_does_not_matter(text: str) -> None:
    assert read_choice(text, functions=["f", "g"]) == Choice("f", {"a": 1})


def test_a_function_without_parameters() -> None:
    assert read_choice('{"function": "f"}') == read_choice("function: f") == Choice("f", {})
    assert read_choice("function: f\nparams:") == Choice("f", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no choice"),
        ("I would use f.", "no choice"),
        ('{"function": "f', "not valid JSON"),
        ('{"function": 3}', "names no function"),
        ('{"function": "f; rm"}', "names no function"),
        ('{"function": "f", "params": [1]}', "not a mapping"),
        ('{"function": "f", "params": {"a": NaN}}', "NaN"),
        ('{"function": "f", "params": {"a": 1e999}}', "too large"),
        ('{"function": "f", "params": {"a": ' + "9" * 400 + "}}", "400 digits"),
        ('{"function": ' + "[" * 50_000, "too deeply"),
        ('{"function": "' + '\\"' * 40_000, "not valid JSON"),
        ('{"function": "count"}', "Did you mean 'counts'"),
        ("function: f\n\tparams: x", "tabs"),
        ("function: f\nparams: &a\n", "not read"),
        ("function: f\nparams: !!python/object/apply:os.system [ls]", "not read"),
        ("function: f\nparams: |\n  text", "not read"),
        ("function: f\nparams:\n  a: 1\n b: 2", "out of place"),
        ("function: f\nparams:\n  a: 1\n  a: 2", "twice"),
        ("function: f\nparams:\n  a: 'b", "closing quote"),
        ("function: f\nparams:\n  a: 'b' c", "after a value"),
        ("function: f\nparams:\n  a b c", "key: value"),
        ("function: f\nparams:\n" + "\n".join(f"{' ' * i}a:" for i in range(1, 60)), "too deeply"),
        ("function: f\nparams:\n" + "\n".join(f"{' ' * i}- a:" for i in range(1, 199, 2)), "too deeply"),
        ("x" * 100_001, "too long"),
    ],
)
def test_what_is_no_choice(text: str, said: str) -> None:
    with pytest.raises(FormError) as error:
        read_choice(text, functions=["f", "counts"])
    assert said in str(error.value)


def test_yaml_as_models_write_it() -> None:
    text = """\
plain: some words, and a colon: here
quoted: 'it''s'
"two words": "a\\nb"
numbers: [1, -2.5, 1e3, 007, 1.5.2]
flow: {"a": [true, null]}
flags:
- yes
- True
- ~
-
- "x"
-
  - deep
items:
  - name: a
    size: 1
  - name: b  # the second
empty:
last: none"""
    assert read_yaml(text) == {
        "plain": "some words, and a colon: here",
        "quoted": "it's",
        "two words": "a\nb",
        "numbers": [1, -2.5, 1000.0, "007", "1.5.2"],
        "flow": {"a": [True, None]},
        "flags": ["yes", True, None, None, "x", ["deep"]],
        "items": [{"name": "a", "size": 1}, {"name": "b"}],
        "empty": None,
        "last": "none",
    }


def test_described_functions_are_yaml_that_reads_back() -> None:
    functions = [Function("a", "Does a.", {"x": {"y": {"z": "Deep."}}}), Function("b", "Does b.")]
    text = choose_function("x", functions=functions).split("Available functions:\n")[1]
    assert read_yaml(text) == {
        "a": {"description": "Does a.", "params": {"x": {"y": {"z": "Deep."}}}},
        "b": {"description": "Does b."},
    }


def test_parameters_without_end_are_refused() -> None:
    nested: dict[str, object] = {}
    nested["a"] = nested
    with pytest.raises(FormError, match="too deeply"):
        choose_function("x", functions=[Function("f", "x", nested)])  # type: ignore[arg-type]


def test_numbers_that_are_not_finite_cannot_be_written() -> None:
    for style in ("json", "yaml"):
        with pytest.raises(FormError, match="not finite"):
            write_choice(Choice("f", {"a": float("inf")}), style)
