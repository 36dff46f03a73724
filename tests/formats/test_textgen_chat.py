from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airochat.errors import UsageError
from airochat.formats.textgen_chat import from_textgen
from tests.formats.chat_files import beside, only, shown

GREETING = ["<|BEGIN-VISIBLE-CHAT|>", "Good evening."]


def file(**fields: Any) -> bytes:
    return json.dumps(fields, indent=4).encode()


def test_pairs_and_the_greeting() -> None:
    visible = [["", "Good evening."], ["a &lt; b", "yes"]]
    chat = only(
        from_textgen, file(internal=[GREETING, ["a < b", "yes"]], visible=visible), "20260503-14-05-06.json"
    )
    assert chat.title == "20260503-14-05-06"
    assert shown(chat) == [("assistant", "Good evening."), ("user", "a < b"), ("assistant", "yes")]
    assert [message.name for message in chat.messages] == ["", "", ""]
    assert chat.warnings == ()


def test_versions_are_alternatives_and_dates_are_kept() -> None:
    metadata = {
        "user_1": {"timestamp": "May 03, 2026 14:05", "attachments": [{"name": "a.txt"}]},
        "assistant_1": {
            "timestamp": "May 03, 2026 14:07",
            "model_name": "airoboros.gguf",
            "versions": [{"content": "no", "timestamp": "May 03, 2026 14:06"}, {"content": "yes"}],
            "current_version_index": 1,
        },
        "user_2": {"versions": [{"content": "first try"}]},
    }
    rows = [GREETING, ["well?", "yes"], ["go on", ""]]
    chat = only(from_textgen, file(internal=rows, visible=rows, metadata=metadata))
    assert shown(chat) == [
        ("assistant", "Good evening."),
        ("user", "well?"),
        ("assistant", "yes"),
        ("user", "go on"),
    ]
    assert (beside(chat, 2), beside(chat, 3)) == (["no", "yes"], ["first try", "go on"])
    noted = {message.text: message for message in chat.messages}
    written = [
        time.strftime("%H:%M", time.localtime(noted[text].created))
        for text in ("well?", "no", "yes", "go on")
    ]
    assert written == ["14:05", "14:06", "14:07", "14:07"]
    assert (noted["yes"].provenance.model, noted["no"].provenance.model) == ("airoboros.gguf", "")
    assert noted["Good evening."].created == noted["well?"].created
    assert chat.warnings == ("Row 2: its attachments were left out.",)


def test_what_stands_in_the_row_wins_over_its_version() -> None:
    metadata = {"assistant_0": {"versions": [{"content": "a"}, {"content": "b"}], "current_version_index": 0}}
    chat = only(from_textgen, file(internal=[["q", "a and more"]], metadata=metadata))
    assert beside(chat, 1) == ["a and more", "b"]


def test_old_files_and_files_with_html_alone() -> None:
    old = only(from_textgen, file(data=[["q", "a"]], data_visible=[["q", "a"]]))
    assert shown(old) == [("user", "q"), ("assistant", "a")]
    assert shown(only(from_textgen, file(visible=[["&lt;q&gt;", "a"]]))) == [
        ("user", "<q>"),
        ("assistant", "a"),
    ]


def test_rows_that_are_none_are_left_out() -> None:
    chat = only(
        from_textgen, file(internal=[["q", "a"], "x", ["y"], [None, 5], ["r", "b", "tool", {}]], metadata=[1])
    )
    assert [text for _, text in shown(chat)] == ["q", "a", "r", "b"]
    assert chat.warnings == ("Rows 2, 3: it is no pair of texts; it was left out.",)


def test_a_file_that_is_cut_off_says_so() -> None:
    with pytest.raises(UsageError, match=r"chat.json is not valid JSON: .* in line \d+.*cut off"):
        from_textgen(file(internal=[["q", "a"]])[:-9], "chat.json")
    with pytest.raises(UsageError, match="no messages"):
        from_textgen(file(internal={}), "chat.json")


def test_other_files_are_left_to_others() -> None:
    for data in (b"", b"{}", b'{"other": 1, "internal": []}', b'[{"internal": 1}]'):
        assert from_textgen(data, "x.json") is None
