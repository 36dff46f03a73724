"""Paths in pasted texts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airochat.tui.pasted import MAX_TEXT, card_paths, chat_paths, expand, paths


@pytest.fixture
def cards(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "a b.png", tmp_path / "c'd.json"
    one.touch()
    two.touch()
    return one, two


def test_one_path_with_spaces_as_it_is(cards: tuple[Path, Path]) -> None:
    assert card_paths(f" {cards[0]} \n") == [cards[0]]


@pytest.mark.skipif(os.name == "nt", reason="file managers there quote otherwise")
def test_quoted_escaped_and_as_an_address(cards: tuple[Path, Path]) -> None:
    one, two = cards
    assert card_paths(f"'{one}' {str(two).replace(chr(39), chr(92) + chr(39))}") == [one, two]
    assert card_paths(str(one).replace(" ", "\\ ")) == [one]
    assert card_paths(one.as_uri()) == [one]
    assert card_paths(f"{one}\n{two}") == [one, two]


@pytest.mark.parametrize(
    "text", ["", "hello", "/no/such/card.png", "it's", "/", "\0", "~nobody-here/x.png", "x" * (MAX_TEXT + 1)]
)
def test_other_texts_name_no_cards(text: str) -> None:
    assert card_paths(text) == []


def test_a_file_of_another_kind_among_them_makes_it_a_text(cards: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.touch()
    assert card_paths(f"{cards[0]}\n{other}") == []
    assert paths(f"{cards[0]}\n{other}") == [cards[0], other]


def test_a_folder_stands_for_what_may_be_cards_in_it(cards: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert expand(tmp_path) == sorted(cards)
    assert expand(tmp_path / "none") == [tmp_path / "none"]


def test_chats_are_told_from_cards(cards: tuple[Path, Path], tmp_path: Path) -> None:
    chat = tmp_path / "Maya - 2024.JSONL"
    chat.touch()
    assert chat_paths(str(chat)) == [chat]
    assert card_paths(str(chat)) == chat_paths(str(cards[0])) == chat_paths(f"{chat}\n{cards[0]}") == []
    assert chat_paths(str(tmp_path / "none.jsonl")) == []
