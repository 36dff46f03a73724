from __future__ import annotations

from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.store.file_names import MAX_BYTES, file_stem, unique_name


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("Maya", "Maya"),
        ("maya_v2 (final)", "maya_v2 (final)"),
        ("Зоя 日本 🌧", "Зоя 日本 🌧"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b:c", "a_b_c"),
        ("red\x1b[31mcard\x07\r\n two", "redcard two"),
        ("\u202egnp.ayaM", "gnp.ayaM"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("dots...", "dots"),
        ("CON", "_CON"),
        ("nul.tar", "_nul.tar"),
        ("Com1", "_Com1"),
        ("Comet", "Comet"),
        ("e\u0301t\u00e9", "été"),
        ("", "card"),
        ("..", "card"),
        ("///", "card"),
        ("\x1b]0;title\x07", "card"),
    ],
)
def test_a_stem_keeps_what_is_safe(text: str, stem: str) -> None:
    assert file_stem(text, "card") == stem


def test_a_long_stem_is_cut_between_characters() -> None:
    stem = file_stem("日" * 500, "card")
    assert stem == "日" * (MAX_BYTES // 3)


@given(st.text())
def test_no_text_gives_an_unsafe_name(text: str) -> None:
    name = file_stem(text, "card") + ".png"
    assert PureWindowsPath(name).name == name
    assert not PureWindowsPath(name).is_reserved()
    assert name.isprintable() or "\u200d" in name or not name.isascii()
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name)
    assert name[0] not in ".- " and ".." not in name[:2]
    assert len(name.encode()) <= MAX_BYTES + 5


def test_names_that_differ_in_capitals_or_composition_are_one() -> None:
    assert unique_name("Maya", ".png", []) == "Maya.png"
    assert unique_name("Maya", ".png", ["maya.PNG"]) == "Maya (2).png"
    assert unique_name("Maya", ".png", ["maya.png", "MAYA (2).png"]) == "Maya (3).png"
    assert unique_name("Maya", ".png", ["Maya.json"]) == "Maya.png"
    assert unique_name("Zo\u00eb", ".json", ["zoe\u0308.json"]) == "Zo\u00eb (2).json"
