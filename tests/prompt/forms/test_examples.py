from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from airochat.prompt import forms

MODULES = sorted(found.name for found in pkgutil.iter_modules(forms.__path__))
GUIDE = Path(__file__).parents[3] / "docs" / "airoboros-forms.md"


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("errors", "given")])
def test_the_examples_in_the_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"{forms.__name__}.{name}"))
    assert found.attempted
    assert not found.failed


def test_the_examples_in_the_guide() -> None:
    found = doctest.testfile(str(GUIDE), module_relative=False, encoding="utf-8")
    assert found.attempted
    assert not found.failed


def test_the_guide_lists_every_form_with_its_versions() -> None:
    rows = dict(
        re.findall(r"^\| `([a-z]+)` \| ([0-9][^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    spans = {f.name: f"{f.since}–{f.until}" if f.until else f"{f.since}+" for f in forms.FORMS.values()}
    assert {name: span.strip() for name, span in rows.items()} == spans
