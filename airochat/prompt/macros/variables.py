"""Variables of a chat and of all chats, and the macros that read and change them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from airochat.prompt.macros.call import Macro, Site
from airochat.prompt.macros.control import is_true
from airochat.prompt.macros.limits import MAX_VALUE, MAX_VARIABLES
from airochat.prompt.macros.parse import Nodes

Value: TypeAlias = "str | float"
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?\s*")
_SHORT = re.compile(
    r"\s*(?P<name>[^\W\d](?:[\w-]*\w)?)\s*(?P<sign>\+\+|--|\+=|-=|==|!=|>=|<=|\|\|=|\?\?=|\|\||\?\?|=|>|<|)\s*"
)
_EXACT = 10**15


class Variables:
    """Working copies of the variables: ``local`` ones of the chat's branch, and those that are the same ``everywhere``.

    Values are texts, or numbers where a macro calculated.
    """

    def __init__(
        self,
        local: Mapping[str, Value] = MappingProxyType({}),
        everywhere: Mapping[str, Value] = MappingProxyType({}),
    ) -> None:
        self.local: dict[str, Value] = dict(local)
        self.everywhere: dict[str, Value] = dict(everywhere)
        self._before = dict(local), dict(everywhere)

    @property
    def changed(self) -> bool:
        """Whether a macro changed any of them."""
        return (self.local, self.everywhere) != self._before


def number(value: Value) -> float | None:
    """Return the number that a value is or spells, or ``None``."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return value


def shown(value: Value) -> str:
    """Return a value as text; whole numbers without a fraction.

    >>> shown(3.0), shown(0.5), shown("3.0")
    ('3', '0.5', '3.0')
    """
    if isinstance(value, str):
        return value
    whole = float(value).is_integer() and abs(value) < _EXACT
    return str(int(value)) if whole else repr(float(value))


def added(value: Value | None, more: str) -> Value:
    """Return a sum of numbers, a JSON list with one more item, or a text with another one after it."""
    if value is None:
        value = 0.0 if number(more) is not None else ""
    first, second = number(value), number(more)
    if first is not None and second is not None:
        return first + second
    return _appended(shown(value), more)


def _appended(text: str, more: str) -> str:
    if text.startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            return text + more
        return json.dumps([*items, more], ensure_ascii=False)
    return text + more


Store: TypeAlias = "dict[str, Value]"


def _stored(store: Store, name: str, value: Value) -> bool:
    if len(shown(value)) > MAX_VALUE or not (name in store or len(store) < MAX_VARIABLES):
        return False
    store[name] = value
    return True


def _get(store: Store, name: str) -> str:
    return shown(store.get(name, ""))


def _set(store: Store, name: str, value: str) -> str | None:
    return "" if _stored(store, name, value) else None


def _add(store: Store, name: str, more: str) -> str | None:
    return "" if _stored(store, name, added(store.get(name), more)) else None


def _subtract(store: Store, name: str, less: str) -> str | None:
    amount = number(less)
    return None if amount is None or _step(store, name, -amount) is None else ""


def _step(store: Store, name: str, amount: float) -> str | None:
    before = number(store.get(name, "") or 0.0)
    if before is None or not _stored(store, name, before + amount):
        return None
    return shown(before + amount)


def _has(store: Store, name: str) -> str:
    return _truth(name in store)


def _delete(store: Store, name: str) -> str:
    store.pop(name, None)
    return ""


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _equal(value: str, other: str) -> bool:
    first, second = number(value), number(other)
    return value == other if first is None or second is None else first == second


def _compared(sign: str, value: str, other: str) -> str:
    if sign in ("==", "!="):
        return _truth(_equal(value, other) is (sign == "=="))
    first, second = number(value), number(other)
    if first is None or second is None:
        return _truth(False)
    return _truth(
        {">": first > second, "<": first < second, ">=": first >= second, "<=": first <= second}[sign]
    )


def _short(site: Site) -> str | None:
    store = site.variables.local if site.call.name == "." else site.variables.everywhere
    first = site.parts[0][0] if site.parts[0] else ""
    head = _SHORT.match(first) if isinstance(first, str) else None
    if not head or not isinstance(first, str):
        return None
    rest: Nodes = (first[head.end() :], *site.parts[0][1:])
    alone = rest == ("",)
    name, sign = head["name"], head["sign"]
    if sign in ("", "++", "--"):
        if not alone:
            return None
        return _step(store, name, 1.0 if sign == "++" else -1.0) if sign else _get(store, name)
    return _signed(site, store, name, sign, rest)


def _signed(site: Site, store: Store, name: str, sign: str, rest: Nodes) -> str | None:
    # The text after || and ?? is expanded only if it is used.
    if sign.startswith(("||", "??")):
        if is_true(_get(store, name)) if sign.startswith("||") else name in store:
            return _get(store, name)
        value = site.expand(rest).strip()
        return value if not sign.endswith("=") or _stored(store, name, value) else None
    value = site.expand(rest).strip()
    if not site.pay(len(_get(store, name))):
        return None
    change = {"=": _set, "+=": _add, "-=": _subtract}.get(sign)
    return change(store, name, value) if change else _compared(sign, _get(store, name), value)


Where: TypeAlias = "Callable[[Site], Store]"


def _one(change: Callable[[Store, str], str | None], where: Where) -> Callable[[Site], str | None]:
    return lambda site: change(where(site), site.argument().strip())


def _two(change: Callable[[Store, str, str], str | None], where: Where) -> Callable[[Site], str | None]:
    def run(site: Site) -> str | None:
        store, name = where(site), site.argument().strip()
        # Adding to a long list takes time, though nothing is inserted.
        return change(store, name, site.argument(1)) if site.pay(len(_get(store, name))) else None

    return run


def _family(middle: str, where: Where, whose: str) -> tuple[Macro, ...]:
    def macro(verb: str, run: Callable[[Site], str | None], summary: str, count: int = 1) -> Macro:
        names = tuple(f"{word}{middle}var" for word in verb.split())
        usage = f"{{{{{names[0]}::name{'::value' if count == 2 else ''}}}}}"
        return Macro(names=names, usage=usage, summary=summary, run=run, low=count, high=count)

    return (
        macro("get", _one(_get, where), f"the variable {whose}; nothing if there is none"),
        macro("set", _two(_set, where), f"nothing; sets the variable {whose}", 2),
        macro("add", _two(_add, where), "nothing; adds a number, an item to a JSON list, or text", 2),
        macro("inc", _one(lambda store, name: _step(store, name, 1.0), where), "the variable, now one more"),
        macro("dec", _one(lambda store, name: _step(store, name, -1.0), where), "the variable, now one less"),
        macro("has", _one(_has, where), "true or false: whether the variable is there"),
        macro("delete del", _one(_delete, where), "nothing; deletes the variable"),
    )


MACROS = (
    *_family("", lambda site: site.variables.local, "of this branch of the chat"),
    *_family("global", lambda site: site.variables.everywhere, "of all chats"),
    Macro(
        names=(".", "$"),
        usage="{{.x}}, {{$x}}, {{.x = v}}, {{.x++}}, {{.x += 5}}, {{.x > 3}}",
        summary="the same in short, of the branch with a dot, of all chats with a dollar",
        run=_short,
        low=1,
        high=1,
    ),
)
"""Macros about variables."""
