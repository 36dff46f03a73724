"""Working out MathJSON expressions: numbers, named constants and a fixed list of operators, with limits on all."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

from airochat.checks import did_you_mean
from airochat.prompt.forms.errors import FormError
from airochat.prompt.forms.values import MAX_DEPTH, MAX_DIGITS, Value

Number: TypeAlias = "int | float"

MAX_NODES = 2000
"""The largest expression, in operators, numbers and constants."""
MAX_BITS = 1024
"""The largest whole number, in bits: what a float can hold, too."""
MAX_FACTORIAL = 170
"""The largest number whose factorial a float can hold."""

CONSTANTS: Mapping[str, Number] = {
    "catalanconstant": 0.915965594177219,
    "degrees": math.pi / 180,
    "eulergamma": 0.5772156649015329,
    "exponentiale": math.e,
    "goldenratio": (1 + math.sqrt(5)) / 2,
    "half": 0.5,
    "infinity": math.inf,
    "-infinity": -math.inf,
    "machineepsilon": 2.0**-52,
    "negativeinfinity": -math.inf,
    "pi": math.pi,
    "positiveinfinity": math.inf,
}
"""Named constants; case does not matter."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][-+]?[0-9]{1,4})?")
_WHOLE = re.compile(rf"[-+]?[0-9]{{1,{MAX_DIGITS}}}")
_UNKNOWN = "This is not an expression of MathJSON"


def evaluate(expression: Value) -> Number:
    """Return the value of an expression, a whole number where it is exact; `FormError` if it has none.

    Expressions are numbers, names of constants, ``[operator, argument, …]`` lists, and ``{"num": …}``,
    ``{"sym": …}`` and ``{"fn": …}`` objects. Operators are those of the MathJSON standard, so ``Log`` is to base 10.

    >>> evaluate(["Add", 2, ["Power", 2, 10], {"num": "0.5"}])
    1026.5
    >>> evaluate(["Divide", 6, 3])
    2
    """
    value = _Evaluation().value(expression, 0)
    if not math.isfinite(value):
        raise FormError("The result is infinite.")
    return value


class _Evaluation:
    """Counts what one expression takes."""

    def __init__(self) -> None:
        self.nodes = 0

    def value(self, expression: Value, depth: int) -> Number:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise FormError(f"The expression is too large: more than {MAX_NODES} parts.")
        if depth > MAX_DEPTH:
            raise FormError(f"The expression is nested too deeply: more than {MAX_DEPTH} levels.")
        if isinstance(expression, list):
            return self._operation(expression, depth)
        if isinstance(expression, dict):
            return self.value(_inside(expression), depth + 1)
        return _atom(expression)

    def _operation(self, expression: Sequence[Value], depth: int) -> Number:
        if not expression or not isinstance(expression[0], str):
            raise FormError(f"{_UNKNOWN}: a list must begin with an operator.")
        name = expression[0]
        if name.lower() not in _OPERATORS:
            raise FormError(
                f"The operator {name[:40]!r} is not known.", did_you_mean(name[:40].lower(), _OPERATORS)
            )
        least, most, work = _OPERATORS[name.lower()]
        if not least <= len(expression) - 1 <= most:
            raise FormError(f"The operator {name} does not take {len(expression) - 1} arguments.")
        return _worked(name, work, [self.value(part, depth + 1) for part in expression[1:]])


def _worked(name: str, work: Callable[..., Number], values: list[Number]) -> Number:
    try:
        found = work(*values)
    except ZeroDivisionError:
        raise FormError(f"{name} divides by zero.") from None
    except OverflowError:
        raise FormError(f"The result of {name} is too large.") from None
    except (ValueError, TypeError):
        raise FormError(
            f"{name} has no value for {', '.join(f'{value:g}' for value in values[:4])}."
        ) from None
    if math.isinf(_checked(found)) and not any(map(math.isinf, values)):
        raise FormError(f"The result of {name} is too large.")
    return found


def _checked(value: Number) -> Number:
    if isinstance(value, float) and math.isnan(value):
        raise FormError("The result is not a number.")
    if isinstance(value, int) and value.bit_length() >= MAX_BITS:
        raise FormError(f"A whole number is too large: it has {value.bit_length():,} bits.")
    return value


def _inside(expression: Mapping[str, Value]) -> Value:
    known = [key for key in ("num", "sym", "fn") if key in expression]
    if len(known) != 1:
        raise FormError(f'{_UNKNOWN}: an object must have one of "num", "sym" and "fn".')
    value = expression[known[0]]
    if isinstance(value, list) != (known[0] == "fn"):
        raise FormError(f'{_UNKNOWN}: "{known[0]}" has a value of the wrong kind.')
    return value


def _atom(value: bool | int | float | str | None) -> Number:
    if isinstance(value, bool) or value is None:
        raise FormError(f"{_UNKNOWN}: {value!r}.")
    return _name(value.strip()) if isinstance(value, str) else _checked(value)


def _name(text: str) -> Number:
    if _WHOLE.fullmatch(text):
        return _checked(int(text))
    if _NUMBER.fullmatch(text):
        return _real(text)
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    top, slash, bottom = text.partition("/")
    if slash and _NUMBER.fullmatch(top.strip()) and _NUMBER.fullmatch(bottom.strip()):
        return _worked("The fraction", _divide, [_name(top.strip()), _name(bottom.strip())])
    raise FormError(f"The constant {text[:40]!r} is not known.", did_you_mean(text[:40].lower(), CONSTANTS))


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise FormError(f"The number {text[:40]} is too large.")
    return value


def _add(*values: Number) -> Number:
    return _folded(lambda left, right: left + right, values)


def _multiply(*values: Number) -> Number:
    return _folded(lambda left, right: left * right, values)


def _folded(work: Callable[[Number, Number], Number], values: Sequence[Number]) -> Number:
    """Check every step on the way, so that no whole number ever grows past its limit by more than one step."""
    return reduce(lambda left, right: _checked(work(left, right)), values)


def _divide(*values: Number) -> Number:
    return reduce(_quotient, values)


def _quotient(top: Number, bottom: Number) -> Number:
    if isinstance(top, int) and isinstance(bottom, int) and bottom and top % bottom == 0:
        return top // bottom
    return top / bottom


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if abs(base) > 1 and base.bit_length() * exponent > 2 * MAX_BITS:
            raise OverflowError
        return int(base**exponent)
    return math.pow(base, exponent)


def _root(value: Number, degree: Number) -> Number:
    if value < 0 and isinstance(degree, int) and degree % 2:
        return -math.pow(-value, 1 / degree)
    return math.pow(value, 1 / degree)


def _sqrt(value: Number) -> Number:
    if isinstance(value, int) and value >= 0 and math.isqrt(value) ** 2 == value:
        return math.isqrt(value)
    return math.sqrt(value)


def _log(value: Number, base: Number = 10) -> Number:
    return math.log10(value) if base == 10 else math.log(value, base)


def _factorial(value: Number) -> Number:
    if value > MAX_FACTORIAL:
        raise OverflowError
    if value != int(value):
        raise ValueError
    return math.factorial(int(value))


def _round(value: Number, digits: Number = 0) -> Number:
    if digits == 0:
        return round(value)
    if not isinstance(digits, int) or abs(digits) > MAX_DIGITS:
        raise ValueError
    return round(value, digits)


def _whole(work: Callable[..., int]) -> Callable[..., Number]:
    def worked(*values: Number) -> Number:
        if any(value != int(value) for value in values):
            raise ValueError
        return _folded(lambda left, right: work(int(left), int(right)), values)

    return worked


def _sign(value: Number) -> Number:
    return (value > 0) - (value < 0)


def _clamp(value: Number, low: Number, high: Number) -> Number:
    return max(low, min(value, high))


_Operator = tuple[int, int, Callable[..., Number]]
_MANY = MAX_NODES
_OPERATORS: Mapping[str, _Operator] = {
    "add": (1, _MANY, _add),
    "sum": (1, _MANY, _add),
    "subtract": (1, _MANY, lambda first, *rest: _add(first, *(-value for value in rest)) if rest else -first),
    "negate": (1, 1, lambda value: -value),
    "multiply": (1, _MANY, _multiply),
    "divide": (2, _MANY, _divide),
    "rational": (2, 2, _divide),
    "power": (2, 2, _power),
    "square": (1, 1, lambda value: value * value),
    "sqrt": (1, 1, _sqrt),
    "root": (2, 2, _root),
    "exp": (1, 1, math.exp),
    "ln": (1, 1, math.log),
    "log": (1, 2, _log),
    "lb": (1, 1, math.log2),
    "lg": (1, 1, math.log10),
    "logoneplus": (1, 1, math.log1p),
    "abs": (1, 1, abs),
    "ceil": (1, 1, math.ceil),
    "floor": (1, 1, math.floor),
    "round": (1, 2, _round),
    "truncate": (1, 1, math.trunc),
    "sign": (1, 1, _sign),
    "clamp": (3, 3, _clamp),
    "max": (1, _MANY, lambda *values: max(values)),
    "min": (1, _MANY, lambda *values: min(values)),
    "mod": (2, 2, lambda value, by: value % by),
    "gcd": (1, _MANY, _whole(math.gcd)),
    "lcm": (1, _MANY, _whole(lambda left, right: abs(left * right) // (math.gcd(left, right) or 1))),
    "factorial": (1, 1, _factorial),
    "sin": (1, 1, math.sin),
    "cos": (1, 1, math.cos),
    "tan": (1, 1, math.tan),
    "arcsin": (1, 1, math.asin),
    "arccos": (1, 1, math.acos),
    "arctan": (1, 1, math.atan),
    "arctan2": (2, 2, math.atan2),
    "sinh": (1, 1, math.sinh),
    "cosh": (1, 1, math.cosh),
    "tanh": (1, 1, math.tanh),
    "arsinh": (1, 1, math.asinh),
    "arcosh": (1, 1, math.acosh),
    "artanh": (1, 1, math.atanh),
}
