"""What several tests of sessions begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.session.toolbox import Open, Workbench


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    benches: list[Workbench] = []

    def make(*replies: str, **options: Any) -> Workbench:
        benches.append(Workbench(tmp_path, replies, **options))
        return benches[-1]

    yield make
    for bench in benches:
        bench.manager.close()
