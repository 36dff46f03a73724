"""Fixtures for the tests of airochat and for those of its plugins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from airochat.hooks import watch

# A busy machine is no reason for a property to fail.
settings.register_profile("airochat", deadline=None)
settings.load_profile("airochat")


@pytest.fixture(autouse=True)
def _patience_with_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give plugins more time than usual: on a busy machine, a first import in a hook may take seconds."""
    monkeypatch.setattr(watch, "USUAL", watch.Limits(load=120, hook=60, command=120, macro=60))


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test an empty data folder of its own, so that none reads or writes the user's."""
    monkeypatch.setenv("AIROCHAT_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("AIROCHAT_MODEL", "AIROCHAT_PLUGINS", "AIROCHAT_API_KEY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield
