"""A calculator: arithmetic as people write it, turned into MathJSON and worked out with its limits."""

from __future__ import annotations

import re

from airochat.errors import UsageError
from airochat.prompt.forms import FormError, evaluate
from airochat.prompt.forms.values import MAX_DEPTH, Value

MAX_LENGTH = 500
"""The longest expression, in characters."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?)"
    r"|(?P<name>[A-Za-zπ]\w{0,20})|(?P<sign>\*\*|//|[-+*/^%!(),×÷·−]))",
    re.ASCII,
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))", re.ASCII)
_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "**": "^"}
_OPERATORS = {"*": "Multiply", "/": "Divide", "%": "Mod"}
_CONSTANTS = {"pi": "Pi", "π": "Pi", "e": "ExponentialE", "phi": "GoldenRatio"}
_FUNCTIONS = {
    **{
        name: name.capitalize()
        for name in ("sqrt", "abs", "ceil", "floor", "round", "min", "max", "exp", "ln", "log")
    },
    **{
        name: name.capitalize() for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "gcd", "lcm", "sum")
    },
    **{
        "asin": "Arcsin",
        "acos": "Arccos",
        "atan": "Arctan",
        "factorial": "Factorial",
        "root": "Root",
        "mod": "Mod",
    },
}
_HINT = "Use numbers, + - * / ^ % ! ( ), pi, e, and functions such as sqrt(2) or max(1, 2)."


def calculate(expression: str) -> str:
    """Return the value of an expression in words; `UsageError` if it has none.

    A ``%`` behind a number that nothing follows is a hundredth: ``200 * 15%`` is 30.

    >>> calculate("2 * (3 + 4)^2 / 7")
    '14'
    >>> calculate("0.1 + 0.2")
    '0.3'
    """
    if len(expression) > MAX_LENGTH:
        raise UsageError(f"The expression is longer than {MAX_LENGTH} characters.", "Split it up.")
    try:
        value = evaluate(_Reader(_tokens(expression)).whole())
    except FormError as error:
        raise UsageError(error.message, _HINT) from None
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    if "(" not in text:
        text = _THOUSANDS.sub("", text)  # elsewhere a comma may part arguments
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise UsageError(f"{text[at:].strip()[:20]!r} is not arithmetic.", _HINT)
        token = match[0].strip()
        found.append(_SIGNS.get(token, token))
        at = match.end()
    return found


class _Reader:
    """Reads an expression from left to right, each method what binds tighter than the one before."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._sum()
        if self._at < len(self._tokens):
            raise UsageError(f"{self._tokens[self._at][:20]!r} is out of place.", _HINT)
        return value

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if token and token in wanted:
            self._at += 1
            return token
        return ""

    def _sum(self) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH // 2:
            raise UsageError("The expression is nested too deeply.", "Split it up.")
        # Flat, since long sums are no deep ones.
        terms: list[Value] = ["Add", self._product()]
        while sign := self._take("+", "-"):
            term = self._product()
            terms.append(["Negate", term] if sign == "-" else term)
        self._depth -= 1
        return terms if len(terms) > 2 else terms[1]

    def _product(self) -> Value:
        value, last = self._signed(), ""
        while sign := self._take("*", "/", "//", "%"):
            factor = self._signed()
            if sign == last and sign in "*/" and isinstance(value, list):
                value.append(factor)
            else:
                value = [_OPERATORS[sign[0]], value, factor]
            if sign == "//":
                value = ["Floor", value]
            last = sign
        return value

    def _signed(self) -> Value:
        minus = False
        while sign := self._take("+", "-"):
            minus ^= sign == "-"
        value = self._power()
        return ["Negate", value] if minus else value

    def _power(self) -> Value:
        value = self._atom()
        while True:
            if self._take("!"):
                value = ["Factorial", value]
            elif self._next() == "%" and not self._goes_on():
                self._at += 1
                value = ["Divide", value, 100]
            else:
                break
        if self._take("^"):
            self._depth += 1
            if self._depth > MAX_DEPTH // 2:
                raise UsageError("The expression is nested too deeply.", "Split it up.")
            value = ["Power", value, self._signed()]
            self._depth -= 1
        return value

    def _goes_on(self) -> bool:
        """Return whether something stands behind the next token that it could divide by."""
        after = self._tokens[self._at + 1 : self._at + 2]
        return bool(after) and (after[0] == "(" or after[0][0].isalnum() or after[0][0] in ".π")

    def _atom(self) -> Value:
        token = self._next()
        self._at += 1
        if token == "(":
            value = self._sum()
            self._close()
            return value
        if token[:1].isdigit() or token[:1] == ".":
            return {"num": token}
        if self._take("("):
            return self._function(token)
        if token.lower() in _CONSTANTS:
            return _CONSTANTS[token.lower()]
        raise UsageError(
            f"{token[:20]!r} is not a number." if token else "The expression ends too early.", _HINT
        )

    def _function(self, name: str) -> Value:
        if name.lower() not in _FUNCTIONS:
            raise UsageError(f"There is no function {name[:20]!r}.", _HINT)
        arguments = [self._sum()]
        while self._take(","):
            arguments.append(self._sum())
        self._close()
        return [_FUNCTIONS[name.lower()], *arguments]

    def _close(self) -> None:
        if not self._take(")"):
            raise UsageError("A ( is never closed.", _HINT)
