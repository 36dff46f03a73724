from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airochat.backends.llama.client import LlamaBackend
from tests.backends.llama.support import llama
from tests.models import write_model

Open = Callable[..., LlamaBackend]


@pytest.fixture
def open_model(tmp_path: Path) -> Iterator[Open]:
    """Open models in this process, with the options given; closed at the end."""
    made: list[LlamaBackend] = []

    def new(path: Path, **options: Any) -> LlamaBackend:
        made.append(llama(path, "thread", tmp_path / "engine.log", **options))
        return made[-1]

    yield new
    for backend in made:
        backend.close()


@pytest.fixture(scope="session")
def spm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "spm.gguf", "spm")


@pytest.fixture(scope="session")
def bpe_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "bpe.gguf", "bpe")
