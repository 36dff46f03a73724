from __future__ import annotations

import pytest

from airochat.prompt.forms import FORMS, holds, warning
from airochat.prompt.forms.versions import rank
from airochat.templates.names import VERSIONS


def test_versions_are_in_the_order_of_their_release() -> None:
    found = [rank(version) for version in ("gpt-3.5", *VERSIONS)]
    assert None not in found
    assert found == list(range(len(VERSIONS) + 1))


@pytest.mark.parametrize(
    ("version", "same"),
    [("3.11", "3.1.1"), ("3p11", "3.1.1"), ("3_1", "3.1"), ("M2.0", "m2.0"), (" 1.4.1 ", "1.4.1")],
)
def test_spellings(version: str, same: str) -> None:
    assert rank(version) == rank(same) is not None


@pytest.mark.parametrize("version", ["", "9.9", "3.4", "llama", "1", "\x00", "3.1.1\n4.4" * 50])
def test_what_is_no_version_holds_nothing(version: str) -> None:
    assert not any(holds(form, version) for form in FORMS.values())
    assert all(warning(form, version) for form in FORMS)


@pytest.mark.parametrize(
    ("name", "last_without", "first_with"),
    [
        ("context", "gpt-3.5", "1.0"),
        ("code", "1.1", "1.2"),
        ("reasoning", "1.2", "1.3"),
        ("function", "1.4.1", "2.0"),
        ("plan", "1.4.1", "2.0"),
        ("plan", "1.4.1", "m2.0"),
        ("solutions", "1.4.1", "2.0"),
        ("card", "1.4.1", "2.0"),
        ("role", "m2.0", "2.1"),
        ("trivia", "2.0", "2.1"),
        ("writing", "m2.0", "2.1"),
        ("summary", "2.1", "2.2"),
        ("editor", "2.1", "2.2.1"),
        ("awareness", "2.1", "2.2"),
        ("meet", "2.1", "2.2"),
        ("math", "2.2.1", "3.0"),
        ("math", "3.2", "3.1.2"),
        ("math", "3.3", "3.11"),
    ],
)
def test_since_when_a_form_holds(name: str, last_without: str, first_with: str) -> None:
    assert not holds(name, last_without)
    assert f"this model is Airoboros {last_without}" in str(warning(name, last_without))
    assert holds(name, first_with)


def test_all_but_mathjson_hold_for_the_last_version() -> None:
    assert [form.name for form in FORMS.values() if not holds(form, "3.3")] == ["math"]


def test_the_broken_version_is_told_of_where_a_system_text_is_needed() -> None:
    assert "often ignores system texts" in str(warning("role", "2.1"))
    assert warning("role", "2.2") is None
    assert warning("plan", "2.1") is None


def test_every_form_tells_where_it_goes_and_what_it_takes() -> None:
    assert {form.place for form in FORMS.values()} == {"user", "system", "text"}
    assert [form.name for form in FORMS.values() if not form.takes] == ["trivia"]
    assert FORMS["meet"].options == ("name", "description", "stay", "user_name", "turns")
