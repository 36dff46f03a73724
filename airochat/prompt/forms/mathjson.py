"""MathJSON: a model writes the sum that answers a question, and the program does it."""

from __future__ import annotations

import re

from airochat.prompt.forms.calculator import Number, evaluate
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.given import given
from airochat.prompt.forms.values import Value, checked, read_json

MAX_SOLUTIONS = 32
"""The most solutions that are read from one answer."""


def solve_with_mathjson(problem: str) -> str:
    """Return the user text that asks for a solution in MathJSON.

    >>> solve_with_mathjson("Two apples and three more?")
    'Create a MathJSON solution to the following: Two apples and three more?'
    """
    return f"Create a MathJSON solution to the following: {given(problem, 'problem')}"


def read_mathjson(answer: str) -> tuple[Value, ...]:
    """Return the expressions between ``<mathjson>`` tags, in order; `FormError` if there is none or one is no JSON.

    >>> read_mathjson('So we add: <mathjson>["Add", 2, 3]</mathjson>')
    (['Add', 2, 3],)
    """
    # Splitting takes linear time, whatever opens without being closed.
    pieces = re.split(r"(?i)<(/?)mathjson>", checked(answer, "answer"))
    inside = [pieces[i + 1] for i in range(1, len(pieces) - 2, 2) if not pieces[i] and pieces[i + 2]]
    if not inside:
        raise FormError("The answer holds no MathJSON.", "It must stand between <mathjson> and </mathjson>.")
    if len(inside) > MAX_SOLUTIONS:
        raise FormError(f"The answer holds more than {MAX_SOLUTIONS} solutions.")
    return tuple(_whole(text) for text in inside)


def answer_value(answer: str) -> Number:
    """Return the value of the last expression of an answer; `FormError` if it has none that can be worked out.

    >>> answer_value('So: <mathjson>["Divide", ["Add", 2, 3], 2]</mathjson>')
    2.5
    """
    return evaluate(read_mathjson(answer)[-1])


def _whole(text: str) -> Value:
    value, rest = read_json(text.strip(), "MathJSON")
    if rest.strip():
        raise FormError(f"The MathJSON has text behind it: {rest.strip()[:40]!r}.")
    return value
