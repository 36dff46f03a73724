"""Running a stranger's Jinja template: no way to Python's inside, and a bound on time, memory and output.

Jinja's own sandbox guards attributes only. A template can still loop for hours or fill the memory, so here every
iteration, call, operator, filter and literal passes a meter, and only the filters, methods and functions that chat
templates use exist. Contents of messages are stood for by short placeholders, so that honest templates stay far below
the bounds.
"""

from __future__ import annotations

import functools
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Template, Undefined, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE = 100_000
"""The longest template that is compiled, in characters; the longest known ones have about 30,000."""

_MAX_STEPS = 1_000_000
_MAX_SECONDS = 1.0
_MAX_WEIGHT = 200_000
_MAX_MADE = 64_000_000
_MAX_NUMBER = 4_096


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILTERS = _words(
    "abs capitalize count d default dictsort e escape first float groupby indent int items join last length list "
    "lower map max min reject rejectattr replace reverse round safe select selectattr sort string title tojson trim "
    "unique upper"
)

_METHODS: dict[type, frozenset[str]] = {
    str: _words(
        "capitalize count endswith find index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace "
        "istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit "
        "rstrip split splitlines startswith strip swapcase title upper"
    ),
    dict: _words("get items keys values"),
    list: _words("count index"),
    tuple: _words("count index"),
}


class Meter:
    """What one rendering may still use; raises `SecurityError` when it is too much."""

    def __init__(self, size: int) -> None:
        self._steps = _MAX_STEPS
        self._end = time.thread_time() + _MAX_SECONDS
        self._limit = _MAX_WEIGHT + size
        self._made = 0

    def step(self) -> None:
        """Count one step."""
        self._steps -= 1
        if self._steps < 0 or (self._steps % 16 == 0 and time.thread_time() > self._end):
            raise SecurityError("it runs too long")

    def room(self, size: float) -> None:
        """Refuse a value of more than the allowed size before it is made."""
        if size > self._limit:
            raise SecurityError("it makes too much text")

    def weigh(self, value: Any) -> Any:
        """Return ``value`` unless it, with all that it contains, is too large."""
        self.step()
        if isinstance(value, str):
            size = len(value)
        elif isinstance(value, int):
            size = value.bit_length()
        elif isinstance(value, (list, tuple, dict)):
            size = self._weigh_all(value)
        else:
            size = 0
        self.room(size)
        self._made += size
        if self._made > _MAX_MADE:
            raise SecurityError("it makes too much text")
        return value

    def _weigh_all(self, value: Any) -> int:
        total = 0
        waiting = [value]
        while waiting:
            item = waiting.pop()
            total += len(item) if isinstance(item, (str, list, tuple, dict)) else 1
            self.room(total)
            if isinstance(item, dict):
                waiting += [*item.keys(), *item.values()]
            elif isinstance(item, (list, tuple)):
                waiting += item
            elif not isinstance(item, (str, int, float, Undefined, type(None))):
                raise SecurityError(f"it puts a {type(item).__name__} into a list")
        return total


class _Code(CodeGenerator):
    """Generates code in which loops, literals and joined texts pass the meter."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        step = nodes.ExprStmt(self._call("step", []), lineno=node.lineno)
        node.body.insert(0, step.set_environment(self.environment))
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.visit(self._call("join_texts", node.nodes), frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._weighed(super().visit_List, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._weighed(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._weighed(super().visit_Dict, node, frame)

    def _weighed(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        self.write("environment.weigh(")
        visit(node, frame)
        self.write(")")

    def _call(self, name: str, arguments: list[nodes.Expr]) -> nodes.Call:
        call = nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)
        call.set_environment(self.environment)
        return call


class _Generation(Extension):
    """Accepts ``{% generation %}``, which marks what the assistant wrote and changes nothing."""

    tags = {"generation"}  # noqa: RUF012 -- so declared by jinja2

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one chat template, with the options and functions that transformers gives them."""

    code_generator_class = _Code
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, source: str, clock: Callable[[], datetime]) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            cache_size=0,
            extensions=[_Generation, loopcontrols],
            finalize=self._printable,
        )
        self._lock = threading.RLock()
        self._meter = Meter(0)
        self._clock = clock
        self._source = source
        self._compiled: Template | None = None
        self._refused = ""
        self.concat = self._concat  # type: ignore[method-assign]
        self.filters = {name: self._metered(FILTERS[name]) for name in _FILTERS}
        self.filters["tojson"] = self._tojson
        self.filters["join"] = self._join
        self.filters["replace"] = self._replace
        self.globals = {
            "range": self.globals["range"],
            "namespace": self.globals["namespace"],
            "dict": _make_dict,
            "raise_exception": _raise_exception,
            "strftime_now": self._strftime_now,
        }

    def run(self, context: Mapping[str, Any], size: int) -> str:
        """Render the template; ``size`` characters more than usual may come of it. Raises whatever goes wrong.

        A template that has broken a rule once is not run again.
        """
        with self._lock:
            if self._refused:
                raise SecurityError(self._refused)
            try:
                return self._render(context, Meter(size))
            except SecurityError as error:
                self._refused = str(error)
                raise

    def _render(self, context: Mapping[str, Any], meter: Meter) -> str:
        self._meter = meter
        self._compiled = self._compiled or self.from_string(self._source)
        pieces: list[str] = []
        total = 0
        for piece in self._compiled.generate(dict(context)):
            total += len(piece)
            meter.room(total)
            meter.step()
            pieces.append(piece)
        return "".join(pieces)

    def step(self) -> None:
        """Count one turn of a loop."""
        self._meter.step()

    def weigh(self, value: Any) -> Any:
        """Return ``value`` unless it is too large."""
        return self._meter.weigh(value)

    def join_texts(self, *values: Any) -> str:
        """The operator ``~``."""
        return self._concat(str(self._printable(value)) for value in values)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, and weigh what comes of it."""
        owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if isinstance(owner, str) and name == "join":
            return __self._join(args[0] if args else (), owner)
        if isinstance(owner, str) and name == "replace":
            return __self._replace(owner, *args)
        __self._meter.step()
        return __self._meter.weigh(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow only the methods that chat templates use."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        for kind, names in _METHODS.items():
            if isinstance(obj, kind) and callable(value):
                return attr in names
        return True

    def wrap_str_format(self, value: Any) -> None:
        """Leave ``str.format`` to `is_safe_attribute`, which forbids it: a width in it can ask for gigabytes."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse operations of two small values that make a huge one."""
        sizes = [len(side) for side in (left, right) if isinstance(side, (str, list, tuple))]
        if operator == "+":
            self._meter.room(sum(sizes))
        elif operator == "*" and sizes:
            self._meter.room(sizes[0] * max([0, *(side for side in (left, right) if isinstance(side, int))]))
        elif operator == "**" and not (_small(left) and _small(right)):
            raise SecurityError("it computes a huge number")
        elif operator == "%" and isinstance(left, str) and re.search(r"%[^a-zA-Z%]", left):
            raise SecurityError("it formats with a width")
        return self._meter.weigh(super().call_binop(context, operator, left, right))

    def _metered(self, wrapped: Any) -> Any:
        first = 2 if hasattr(wrapped, "jinja_pass_arg") else 1

        @functools.wraps(wrapped)
        def metered(*args: Any, **kwargs: Any) -> Any:
            for value in (*args[first:], *kwargs.values()):
                if isinstance(value, (int, float)) and not abs(value) <= _MAX_NUMBER:
                    raise SecurityError("it gives a filter a huge number")
            return self._meter.weigh(wrapped(*args, **kwargs))

        return metered

    def _printable(self, value: Any) -> Any:
        if not isinstance(value, (str, int, float, list, tuple, dict, Undefined, type(None))):
            raise SecurityError(f"it prints a {type(value).__name__}")
        return self._meter.weigh(value)

    def _concat(self, texts: Iterable[str]) -> str:
        found = list(texts)
        self._meter.room(sum(map(len, found)))
        return "".join(found)

    def _join(self, values: Iterable[Any], by: str = "", attribute: str | int | None = None) -> str:
        found: list[str] = []
        for value in values:
            self._meter.step()
            if attribute is not None:
                value = self.getitem(value, attribute)
            found += [str(by)] * bool(found) + [str(self._printable(value))]
        return self._concat(found)

    def _replace(self, value: Any, old: str, new: str, count: int | None = None) -> str:
        text = str(self._printable(value))
        self._meter.room(len(text) + (text.count(old) + 1) * len(new))
        return text.replace(old, new, -1 if count is None else count)

    def _tojson(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: Any = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        if indent is not None and not (isinstance(indent, int) and 0 <= indent <= 16):
            raise SecurityError("it indents JSON by too much")
        self._printable(value)
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def _strftime_now(self, layout: str) -> str:
        if len(layout) > 100 or re.search(r"%[^a-zA-Z%-]", layout):
            raise SecurityError("it formats a date with a width")
        return self._clock().strftime(layout)


def _small(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= 1024


def _make_dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


def _raise_exception(message: Any = "") -> None:
    raise JinjaError(str(message)[:500])
