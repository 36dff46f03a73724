"""Backends that somebody else offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airochat.backends import Backend, create_backend, offered_name
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import ModelError
from airochat.paths import Home
from airochat.settings import Settings


class Wrapped:
    """A backend that passes everything on."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Untold(ScriptedBackend):
    """A backend whose properties must not be asked for before it is used."""

    @property
    def info(self) -> Any:
        raise AssertionError("asked")


class Wrong(ScriptedBackend):
    """A backend with something in the place of a method."""

    stop = None  # type: ignore[assignment]


def opened(made: object, ref: str = "echo:a:b", home: Path = Path("nowhere")) -> tuple[Backend, list[Any]]:
    told: list[Any] = []

    def open_(rest: str, options: Mapping[str, Any]) -> object:
        told.append((rest, options["n_ctx"]))
        return made

    return create_backend(ref, Settings().replace({"n_ctx": 2048}), Home(home), {"echo": open_}), told


@pytest.mark.parametrize("made", [ScriptedBackend(), Wrapped(ScriptedBackend()), Untold()])
def test_a_backend_gets_the_rest_of_the_name_and_the_settings(made: object) -> None:
    backend, told = opened(made)
    assert backend is made
    assert told == [("a:b", 2048)]


@pytest.mark.parametrize("made", [None, 5, Wrapped(None), Wrong()])
def test_what_is_no_backend_is_told(made: object) -> None:
    with pytest.raises(ModelError, match=r"The backend echo lacks .*stop"):
        opened(made)


@pytest.mark.parametrize("ref", ["remote:localhost:1", "scripted"])
def test_airochats_own_names_win(ref: str) -> None:
    def never(rest: str, options: Mapping[str, Any]) -> object:
        raise AssertionError(rest)

    made = create_backend(ref, Settings(), Home(Path("nowhere")), {"remote": never, "scripted": never})
    made.close()


@pytest.mark.parametrize(
    "ref", ["", "demo", "echo", "C:/a.gguf", "c:/a.gguf", "remote:x", "Echo:x", "a b:x", "/x/echo:y"]
)
def test_other_names_ask_no_plugin(ref: str) -> None:
    assert offered_name(ref) == ""
