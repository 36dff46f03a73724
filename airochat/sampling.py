"""Sampling parameters: how the next token is chosen, and when a reply ends."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from airochat import checks
from airochat.errors import SettingsError

MAX_SEED = 2**32 - 2
"""The largest seed; llama.cpp reads 2**32 - 1 as "choose one at random"."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 10.0),
    "top_k": (0, 1_000_000),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.1, 10.0),
    "repeat_last_n": (0, 1_000_000),
    "frequency_penalty": (-10.0, 10.0),
    "presence_penalty": (-10.0, 10.0),
    "seed": (0, MAX_SEED),
    "max_tokens": (1, 10_000_000),
}
_WHOLE = frozenset({"top_k", "repeat_last_n", "seed", "max_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """One set of sampling parameters, checked when made.

    Names are llama.cpp's. ``temperature`` 0 always takes the likeliest token; ``top_k`` 0, ``top_p`` 1, ``min_p`` 0
    and ``repeat_penalty`` 1 switch their sampler off. ``seed`` None draws a new one for every turn. ``max_tokens`` is
    the length of a reply, and what is kept free for it in the context. ``stop`` are texts that end a reply.
    ``ignore_eos`` keeps the model from ending it by itself.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "seed":
                continue
            checks.number(name, value, low, high, whole=name in _WHOLE)
        if not isinstance(self.ignore_eos, bool):
            raise SettingsError(f"ignore_eos = {self.ignore_eos!r} must be true or false.")
        if isinstance(self.stop, str) or not all(isinstance(text, str) and text for text in self.stop):
            raise SettingsError(f"stop = {self.stop!r} is not a list of texts.")

    def replace(self, **changes: Any) -> Sampling:
        """Return a copy with some fields changed; an unknown field is a `SettingsError`."""
        unknown = changes.keys() - self.__dataclass_fields__.keys()
        if unknown:
            name = sorted(unknown)[0]
            hint = checks.did_you_mean(name, self.__dataclass_fields__)
            raise SettingsError(f"There is no sampling field {name!r}.", hint)
        if isinstance(changes.get("stop"), list):
            changes["stop"] = tuple(changes["stop"])
        return dataclasses.replace(self, **changes)
