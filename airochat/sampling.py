"""Sampling parameters: how the next token is chosen, and when a reply ends."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from airochat import checks, grammar
from airochat.errors import SettingsError

MAX_SEED = 2**32 - 2
"""The largest seed; llama.cpp reads 2**32 - 1 as "choose one at random"."""
SAMPLERS = ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")
"""The samplers whose order can be set, in llama.cpp's own order and by its names."""
FORBIDDEN = -100.0
"""The ``logit_bias`` that rules a token out altogether."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 10.0),
    "dynatemp_range": (0.0, 10.0),
    "dynatemp_exponent": (0.0, 10.0),
    "top_k": (0, 1_000_000),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "top_n_sigma": (-1.0, 100.0),
    "xtc_probability": (0.0, 1.0),
    "xtc_threshold": (0.0, 1.0),
    "repeat_penalty": (0.1, 10.0),
    "repeat_last_n": (-1, 1_000_000),
    "frequency_penalty": (-10.0, 10.0),
    "presence_penalty": (-10.0, 10.0),
    "dry_multiplier": (0.0, 100.0),
    "dry_base": (1.0, 10.0),
    "dry_allowed_length": (0, 1000),
    "dry_penalty_last_n": (-1, 1_000_000),
    "mirostat": (0, 2),
    "mirostat_tau": (0.0, 100.0),
    "mirostat_eta": (0.0, 1.0),
    "adaptive_target": (-1.0, 1.0),
    "adaptive_decay": (0.0, 0.99),
    "seed": (0, MAX_SEED),
    "max_tokens": (1, 10_000_000),
}
_WHOLE = frozenset(
    {"top_k", "repeat_last_n", "dry_allowed_length", "dry_penalty_last_n", "mirostat", "seed", "max_tokens"}
)
_MAX_BREAKERS, _BREAKER_LENGTH = 64, 40
"""What llama.cpp cuts a breaker to, in bytes; each one costs a look at the whole vocabulary."""
_MAX_BIASES, _BIAS_LENGTH = 1000, 200
_MAX_BANNED, _MAX_BAN_REGEXES, _BAN_LENGTH = 500, 50, 200
_MAX_REPEATS = 100_000
"""How large the product of a regex's repeat counts may be, since such repeats are written out when it is compiled."""
_BAN_REGEX = re.compile(r"/(.+)/([ims]*)", re.DOTALL)
_RECURSION = re.compile(r"(?<!\\)\(\?(?:R|&|P>|[+-]?\d)")
_CHECK_S = 0.5

OFF: Mapping[str, Any] = {
    "temperature": 1.0,
    "dynatemp_range": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "repeat_penalty": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "dry_multiplier": 0.0,
    "mirostat": 0,
    "adaptive_target": -1.0,
    "logit_bias": (),
    "grammar": "",
    "json_schema": "",
    "ignore_eos": False,
    "stop": (),
    "banned": (),
    "samplers": SAMPLERS,
}
"""The value of each field at which it changes nothing."""
_BELONGS_TO: Mapping[str, tuple[str, ...]] = {
    "dynatemp_exponent": ("dynatemp_range",),
    "xtc_threshold": ("xtc_probability",),
    "repeat_last_n": ("repeat_penalty", "frequency_penalty", "presence_penalty"),
    "dry_base": ("dry_multiplier",),
    "dry_allowed_length": ("dry_multiplier",),
    "dry_penalty_last_n": ("dry_multiplier",),
    "dry_sequence_breakers": ("dry_multiplier",),
    "mirostat_tau": ("mirostat",),
    "mirostat_eta": ("mirostat",),
    "adaptive_decay": ("adaptive_target",),
}
"""Fields that matter only while one of others is on."""


@dataclass(frozen=True, slots=True)
class LogitsProcessor:
    """Code that changes how likely each token is, run by the engine once for each token that is written.

    ``make`` is the name of a function in ``file``. It is called in the engine's process, once for each reply, with
    ``options``, and returns a function of the ids so far (prompt and reply, a list of int) and the logits (float32, one
    for each token of the vocabulary), which changes these in place. What it returns is not looked at.
    """

    name: str
    """What people call it; told if it fails."""
    file: str
    """The Python file; a path."""
    make: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """One set of sampling parameters, checked when made.

    Names and meanings are llama.cpp's, and `OFF` has the values that switch a sampler off. ``temperature`` 0 always
    takes the likeliest token; ``dynatemp_range`` lets it vary by so much to both sides. ``mirostat`` 1 or 2 takes the
    place of all samplers that leave tokens out. A ``repeat_last_n`` or ``dry_penalty_last_n`` of -1 looks at
    everything. ``logit_bias`` pairs a token's id, or a text, with what is added to its logit; `FORBIDDEN` rules it
    out. ``grammar`` is GBNF and ``json_schema`` JSON; either binds the whole reply. ``samplers`` are those of
    `SAMPLERS` that are used, in their order.

    ``seed`` None draws a new one for every turn. ``max_tokens`` is the length of a reply, and what is kept free for it
    in the context. ``stop`` are texts that end a reply. ``ignore_eos`` keeps the model from ending it by itself.

    ``banned`` are texts that a reply must not contain. They count wherever they stand, inside words too; case makes no
    difference, nor whether quotes and apostrophes are curly. What is written ``/…/``, with the letters i, m, s behind
    it or none, is a regex, which may ask for word borders. It may match up to 400 characters.
    """

    temperature: float = 0.8
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    adaptive_target: float = -1.0
    adaptive_decay: float = 0.9
    logit_bias: tuple[tuple[str | int, float], ...] = ()
    grammar: str = ""
    json_schema: str = ""
    samplers: tuple[str, ...] = SAMPLERS
    seed: int | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "seed":
                continue
            checks.number(name, value, low, high, whole=name in _WHOLE)
        if not isinstance(self.ignore_eos, bool):
            raise SettingsError(f"ignore_eos = {self.ignore_eos!r} must be true or false.")
        _check_texts("stop", self.stop)
        _check_banned(self.banned)
        _check_breakers(self.dry_sequence_breakers)
        _check_samplers(self.samplers)
        _check_biases(self.logit_bias)
        _check_form(self.grammar, self.json_schema)
        if self.mirostat and self.adaptive_target >= 0:
            raise SettingsError(
                "mirostat and adaptive_target both choose the token.",
                "Set mirostat = 0 or adaptive_target = -1.",
            )

    def replace(self, **changes: Any) -> Sampling:
        """Return a copy with some fields changed; an unknown field is a `SettingsError`.

        Lists count as tuples; ``logit_bias`` may be a table by text, and ``json_schema`` a table as well.
        """
        unknown = changes.keys() - self.__dataclass_fields__.keys()
        if unknown:
            name = sorted(unknown)[0]
            hint = checks.did_you_mean(name, self.__dataclass_fields__)
            raise SettingsError(f"There is no sampling field {name!r}.", hint)
        return dataclasses.replace(self, **{name: _plain(name, value) for name, value in changes.items()})

    def numbered(self, index: int) -> Sampling:
        """Return the sampling of the reply number ``index`` of several: seeds follow on that of the first."""
        if not index or self.seed is None:
            return self
        return self.replace(seed=(self.seed + index) % (MAX_SEED + 1))

    def stored(self) -> dict[str, Any]:
        """Return all fields as JSON values, which `replace` takes back."""
        return {name: _lists(getattr(self, name)) for name in self.__dataclass_fields__}

    def active(self) -> frozenset[str]:
        """Return the fields that have an effect: those not off, and those that go with them."""
        on = {name for name, off in OFF.items() if getattr(self, name) != off}
        on |= {name for name, others in _BELONGS_TO.items() if not on.isdisjoint(others)}
        return frozenset(on | {"temperature", "max_tokens"} | ({"seed"} if self.seed is not None else set()))


@functools.lru_cache(1024)
def ban_regex(entry: str) -> Any:
    """Return an entry of ``banned`` as a compiled pattern of the ``regex`` library, or None if it is plain text.

    A pattern that is wrong, or bans every text, is a `SettingsError`.
    """
    written = _BAN_REGEX.fullmatch(entry)
    if written is None:
        return None
    # Takes 30 ms to import, and few need it.
    import regex  # type: ignore[import-untyped]

    pattern, flags = written.groups()
    repeats = math.prod(max(1, int(count)) for count in re.findall(r"\{(\d+)", pattern))
    if repeats > _MAX_REPEATS or _RECURSION.search(pattern):
        raise SettingsError(f"banned has {entry!r}, which repeats too much.", "Write it without that.")
    try:
        made = regex.compile(f"(?{flags}){pattern}" if flags else pattern)
        if made.flags & regex.REVERSE:
            raise SettingsError(f"banned has {entry!r}, which searches backwards.", "Leave out (?r).")
        empty = any(not found.group() for found in made.finditer(" a. B\n7-", timeout=_CHECK_S))
        everything = all(made.search(character, timeout=_CHECK_S) for character in "eA7 .é")
    except (regex.error, RecursionError, OverflowError, MemoryError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        hint = "Correct it; a text between two / is taken for a regex."
        raise SettingsError(f"banned has {entry!r}, which is no regex: {reason}.", hint) from None
    except TimeoutError:
        raise SettingsError(f"banned has {entry!r}, which takes too long.", "Write it more simply.") from None
    if empty or everything:
        raise SettingsError(f"banned has {entry!r}, which bans every text.", "Make it fit less.")
    return made


FIELDS = frozenset(Sampling.__dataclass_fields__)
"""The names of all sampling fields."""


def unheeded(sampling: Sampling, heeded: Collection[str]) -> tuple[str, ...]:
    """Return the fields that were set, and that a backend heeding only some does not know; in their order."""
    usual, active = Sampling(), sampling.active()
    return tuple(
        name
        for name in Sampling.__dataclass_fields__
        if name in active and name not in heeded and getattr(sampling, name) != getattr(usual, name)
    )


def unheeded_notice(sampling: Sampling, heeded: Collection[str]) -> tuple[str, ...]:
    """Return one sentence about the fields that have no effect on a backend, or nothing if there are none."""
    names = unheeded(sampling, heeded)
    return (f"This backend does not know {', '.join(names)}: without effect.",) if names else ()


def _plain(name: str, value: Any) -> Any:
    if name == "json_schema" and isinstance(value, Mapping):
        return json.dumps(value)
    if name == "logit_bias" and isinstance(value, Mapping):
        return tuple(value.items())
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    return list(map(_lists, value)) if isinstance(value, tuple) else value


def _check_texts(name: str, value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(text, str) and text for text in value):
        raise SettingsError(f"{name} = {value!r} is not a list of texts.")


def _check_banned(value: Any) -> None:
    _check_texts("banned", value)
    if len(value) > _MAX_BANNED:
        raise SettingsError(f"banned has {len(value)} texts.", f"It may have up to {_MAX_BANNED}.")
    for text in value:
        if len(text) > _BAN_LENGTH:
            raise SettingsError(
                f"banned has {text[:60]!r}….", f"A text or regex may have up to {_BAN_LENGTH} characters."
            )
    regexes = sum(ban_regex(text) is not None for text in value)
    if regexes > _MAX_BAN_REGEXES:
        raise SettingsError(f"banned has {regexes} regexes.", f"It may have up to {_MAX_BAN_REGEXES}.")


def _check_breakers(value: Any) -> None:
    name = "dry_sequence_breakers"
    _check_texts(name, value)
    if len(value) > _MAX_BREAKERS:
        raise SettingsError(f"{name} has {len(value)} texts.", f"It may have up to {_MAX_BREAKERS}.")
    for text in value:
        if "\0" in text or len(text.encode("utf-8", "replace")) > _BREAKER_LENGTH:
            raise SettingsError(
                f"{name} has {text[:60]!r}.", f"A text may have up to {_BREAKER_LENGTH} bytes and no NUL."
            )


def _check_samplers(value: Any) -> None:
    _check_texts("samplers", value)
    for name in value:
        if name not in SAMPLERS:
            raise SettingsError(f"samplers has {name!r}.", checks.did_you_mean(name, SAMPLERS))
        if value.count(name) > 1:
            raise SettingsError(f"samplers has {name!r} more than once.", "Leave out one of them.")


def _check_biases(value: Any) -> None:
    hint = 'Give pairs of a text or token id and a number: logit_bias = [[" dog", -5.0]].'
    if not isinstance(value, tuple) or len(value) > _MAX_BIASES:
        raise SettingsError(f"logit_bias is no list of up to {_MAX_BIASES} pairs.", hint)
    for pair in value:
        if not isinstance(pair, tuple) or len(pair) != 2 or not _is_token(pair[0]):
            raise SettingsError(f"logit_bias has {pair!r}.", hint)
        checks.number(f"the logit_bias of {pair[0]!r}", pair[1], FORBIDDEN, -FORBIDDEN)


def _is_token(token: Any) -> bool:
    if isinstance(token, str):
        return 0 < len(token) <= _BIAS_LENGTH
    return isinstance(token, int) and not isinstance(token, bool) and 0 <= token < 2**31


def _check_form(grammar_text: Any, schema: Any) -> None:
    for name, text in (("grammar", grammar_text), ("json_schema", schema)):
        if not isinstance(text, str):
            raise SettingsError(f"{name} = {text!r} is not a text.")
    if grammar_text and schema:
        raise SettingsError("grammar and json_schema are both set.", "Leave out one of them.")
    if grammar_text:
        grammar.check(grammar_text)
    if schema:
        _check_schema(schema)


def _check_schema(text: str) -> None:
    if len(text) > grammar.MAX_LENGTH:
        raise SettingsError(f"json_schema is longer than {grammar.MAX_LENGTH} characters.", "Shorten it.")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"json_schema is not JSON: {error}.", "Correct it there.") from None
    if not isinstance(schema, dict):
        raise SettingsError("json_schema is no JSON object.", 'Such as {"type": "object"}.')
