from __future__ import annotations

import doctest

import pytest

from airochat.prompt import expand, macros

VALUES = {"char": "Aria", "user": "A$&B\\1"}


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(macros).attempted
    assert not doctest.testmod(macros).failed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{char}} and {{user}}", "Aria and A$&B\\1"),
        ("{{ CHAR }} <bot> <Char>", "Aria Aria Aria"),
        ("<USER>", "A$&B\\1"),
        ("{{unknown}} {{char {char}", "{{unknown}} {{char {char}"),
        ("{{{{char}}}}", "{{Aria}}"),
    ],
)
def test_expanding(text: str, wanted: str) -> None:
    assert expand(text, VALUES) == wanted


def test_values_are_not_expanded_again() -> None:
    assert expand("{{user}}", {"user": "{{char}}", "char": "Aria"}) == "{{char}}"
