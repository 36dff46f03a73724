"""Reading answers that are text: code, cards, and what a character says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.prompt.forms import CHARACTER, FormError, code_in, count_words, read_card_lines, said_by

line = st.text("abc -.", min_size=1).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("print(1)\n", "print(1)\n"),
        ("```\nprint(1)\n```", "print(1)\n"),
        ("Sure:\n```c++\nint a;\n\nint b;\n```  \nDone. ```x```", "int a;\n\nint b;\n"),
        ("a = '```'\n", "a = '```'\n"),
        ("```python\nprint(1)", "```python\nprint(1)"),
        ("# Tool\n\nRun:\n\n```\ntool\n```\n", "# Tool\n\nRun:\n\n```\ntool\n```\n"),
    ],
)
def test_code(answer: str, code: str) -> None:
    assert code_in(answer) == code


@given(st.text("`a\n "))
def test_any_code_is_read(answer: str) -> None:
    assert code_in(answer) in answer


def test_fences_without_end_take_no_time() -> None:
    text = "```a\n" * 20_000
    assert code_in(text) == text


@given(st.fixed_dictionaries({key: line for key in CHARACTER}))
def test_cards_read_back(values: dict[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in values.items())
    assert read_card_lines(text, CHARACTER) == values


@given(st.text(), st.lists(st.text(max_size=5), max_size=3))
def test_any_card_is_read_or_refused(answer: str, keys: list[str]) -> None:
    try:
        found = read_card_lines(answer, keys)
    except FormError as error:
        assert error.message.startswith("The card lacks")
    else:
        assert list(found) == list(dict.fromkeys(keys))


def test_cards_as_models_write_them() -> None:
    answer = "Here you are:\n\n- **Name:** Faelock\n2 * name: again\nRACE : Fox\n\nof the north: cold\n"
    assert read_card_lines(answer, ["Race", "Name"]) == {
        "Race": "Fox\n\nof the north: cold",
        "Name": "Faelock\n2 * name: again",
    }
    with pytest.raises(FormError, match="The card lacks Breed, Origin"):
        read_card_lines(answer, ["Name", "Breed", "Origin"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Maya: Always.", "Always."),
        ("Always.", "Always."),
        (" Maya: One.\n\nTwo: three.\nDavid: And?\nMaya: No.", "One.\n\nTwo: three."),
        ("David: And?", ""),
        ("Say David: no.", "Say David: no."),
    ],
)
def test_what_a_character_said(answer: str, said: str) -> None:
    assert said_by(answer, name="Maya") == said


def test_words_are_counted_as_in_training() -> None:
    assert count_words("a  b\nc d") == 4


@pytest.mark.parametrize(
    "read", [code_in, lambda text: said_by(text, name="Maya"), lambda text: read_card_lines(text, [])]
)
def test_what_is_too_long_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(FormError, match="too long"):
        read("x" * 100_001)
