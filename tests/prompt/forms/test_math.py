from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.prompt.forms import FormError, answer_value, evaluate, read_mathjson
from airochat.prompt.forms.calculator import _OPERATORS as OPERATORS
from airochat.prompt.forms.calculator import CONSTANTS
from airochat.prompt.forms.values import Value

atoms: st.SearchStrategy[Value] = st.one_of(
    st.integers(-100, 100),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([*CONSTANTS, "1/3", "2/0", "0.5", "1e9999", "x", "", None, True]),
)
expressions: st.SearchStrategy[Value] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(
            lambda name, rest: [name, *rest], st.sampled_from(sorted(OPERATORS)), st.lists(inner, max_size=3)
        ),
        st.builds(lambda key, value: {key: value}, st.sampled_from(["num", "sym", "fn", "x"]), inner),
        st.lists(inner, max_size=2),
    ),
    max_leaves=15,
)


@given(expressions)
def test_any_expression_has_a_finite_value_or_is_refused(expression: Value) -> None:
    try:
        value = evaluate(expression)
    except FormError as error:
        assert error.message
    else:
        assert math.isfinite(value)
        assert answer_value(f"So <mathjson>{json.dumps(expression)}</mathjson>.") == value


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(["<mathjson>", "</mathjson>", "[1]", '["Add",1]'])).map("".join)
    )
)
def test_any_answer_is_read_or_refused(text: str) -> None:
    try:
        found = read_mathjson(text)
    except FormError as error:
        assert error.message
    else:
        assert found


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (["Add", 1, 2, 3], 6),
        (["Subtract", 10, 1, 2], 7),
        (["Subtract", 4], -4),
        (["Multiply", 2, 3, 4], 24),
        (["Divide", 12, 2, 3], 2),
        (["Divide", 1, 4], 0.25),
        (["Rational", 3, 4], 0.75),
        (["Power", 2, 0.5], math.sqrt(2)),
        (["Power", 2, -1], 0.5),
        (["Power", 1, 10**30], 1),
        (["Square", 5], 25),
        (["Sqrt", 144], 12),
        (["Sqrt", 2], math.sqrt(2)),
        (["Root", -8, 3], -2),
        (["Ln", "ExponentialE"], 1),
        (["Log", 1000], 3),
        (["Log", 8, 2], 3),
        (["Abs", -3], 3),
        (["Round", 2.567, 2], 2.57),
        (["Round", 2.6], 3),
        (["Floor", -1.5], -2),
        (["Ceil", 1.2], 2),
        (["Mod", 17, 5], 2),
        (["GCD", 12, 18], 6),
        (["LCM", 4, 6], 12),
        (["Factorial", 5], 120),
        (["Max", 1, 9, 3], 9),
        (["Min", "Infinity", 3], 3),
        (["Clamp", 12, 0, 10], 10),
        (["Sign", -2.5], -1),
        (["Sin", ["Divide", "Pi", 2]], 1),
        (["Multiply", 180, "Degrees"], math.pi),
        (["Negate", {"num": "2.5"}], -2.5),
        ({"fn": ["Add", {"sym": "GoldenRatio"}, "1/2"]}, 2.118033988749895),
        (["add", 1, 1], 2),
    ],
)
def test_operators(expression: Value, wanted: float) -> None:
    assert evaluate(expression) == pytest.approx(wanted, rel=1e-12)


def test_whole_numbers_stay_exact() -> None:
    assert evaluate(["Multiply", 2**60 + 1, 2**60 + 1]) == (2**60 + 1) ** 2
    assert isinstance(evaluate(["Divide", 6, 3]), int)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (["Divide", 1, 0], "divides by zero"),
        (["Divide", 1, ["Subtract", 2, 2.0]], "divides by zero"),
        (["Mod", 1, 0], "divides by zero"),
        ("1/0", "divides by zero"),
        (["Power", 0, -1], "no value"),
        (["Power", 9, ["Power", 9, 9]], "too large"),
        (["Power", 10, 10**9], "too large"),
        (["Power", 2, 1024], "too large"),
        (["Power", 2.5, 10**9], "too large"),
        (["Multiply", *[10**200] * 3], "too large"),
        (["Multiply", 1e200, 1e200], "too large"),
        (["Factorial", 171], "too large"),
        (["Factorial", 10**12], "too large"),
        (["Factorial", -1], "no value"),
        (["Factorial", 2.5], "no value"),
        (["Sqrt", -1], "no value"),
        (["Ln", 0], "no value"),
        (["Log", 2, 1], "divides by zero"),
        (["Exp", 1000], "too large"),
        (["Round", 1.5, 10**9], "no value"),
        (["Subtract", "Infinity", "Infinity"], "not a number"),
        ("Infinity", "infinite"),
        (10**400, "too large"),
        (["System", "ls"], "not known"),
        (["__import__", "os"], "not known"),
        (["Ad", 1, 2], "Did you mean 'add'"),
        ("x", "constant 'x' is not known"),
        (["Add"], "does not take 0 arguments"),
        (["Sin", 1, 2], "does not take 2 arguments"),
        ([], "must begin with an operator"),
        ([1, 2], "must begin with an operator"),
        (True, "not an expression"),
        (None, "not an expression"),
        ({}, "an object must have one of"),
        ({"num": ["Add", 1, 2]}, "wrong kind"),
        ({"fn": 3}, "wrong kind"),
        (["Add", *range(2000)], "more than 2000 parts"),
    ],
)
def test_what_has_no_value(expression: Value, said: str) -> None:
    with pytest.raises(FormError) as error:
        evaluate(expression)
    assert said in str(error.value)


def test_depth_has_a_limit() -> None:
    deep: Value = 1
    for _ in range(5000):
        deep = ["Negate", deep]
    with pytest.raises(FormError, match="too deeply"):
        evaluate(deep)
    with pytest.raises(FormError, match="too deeply"):
        read_mathjson("<mathjson>" + "[" * 90_000 + "</mathjson>")


def test_the_last_of_several_solutions_is_the_answer() -> None:
    text = (
        'First <MathJSON>["Add", 1, 1]</MathJSON>, then\n<mathjson>\n["Power", 2, 5]\n</mathjson> <mathjson>'
    )
    assert read_mathjson(text) == (["Add", 1, 1], ["Power", 2, 5])
    assert answer_value(text) == 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is 5.", "no MathJSON"),
        ("<mathjson>[1]", "no MathJSON"),
        ("</mathjson>[1]<mathjson>", "no MathJSON"),
        ("<mathjson></mathjson>", "not valid JSON"),
        ("<mathjson>Add 1 2</mathjson>", "not valid JSON"),
        ("<mathjson>[1] [2]</mathjson>", "text behind it"),
        ("<mathjson>1</mathjson>" * 33, "more than 32"),
        ("<mathjson>" * 20_000, "too long"),
    ],
)
def test_what_is_no_mathjson(text: str, said: str) -> None:
    with pytest.raises(FormError, match=said):
        read_mathjson(text)
