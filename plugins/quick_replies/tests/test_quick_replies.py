from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airochat.errors import UsageError
from airochat.hooks import Field, Rows
from airochat.hooks.testing import PluginBench

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def made() -> PluginBench:
    return PluginBench(FOLDER, expand=lambda text: text.replace("{{user}}", "Ada"))


def test_a_message_that_is_a_name_says_its_text(made: PluginBench) -> None:
    made.command("/qr add Look I look around, {{user}}!\nQuietly.")
    assert made.user_message("!look") == "I look around, Ada!\nQuietly."
    assert made.user_message(" !LOOK  The door creaks. ") == "I look around, Ada!\nQuietly. The door creaks."
    assert made.command("/qr look") == "I look around, Ada!\nQuietly."


@pytest.mark.parametrize("text", ["look", "!looks", "Well, !look", "! ", "!", '!"look', "!add"])
def test_other_messages_stay_as_they_are(made: PluginBench, text: str) -> None:
    made.command("/qr add look I look around.")
    assert made.user_message(text) == text


def test_those_of_the_chat_go_before_those_of_all_chats(made: PluginBench) -> None:
    made.command("/qr add global hm Hm.")
    made.command('/qr add "so so" Well.')
    assert made.command("/qr").splitlines() == [
        "Quick replies:",
        "  hm: Hm. (in all chats)",
        "  so so: Well.",
        "!hm as a message says it; /qr hm only shows it.",
    ]
    assert made.user_message('!"so so"') == "Well."
    made.command("/qr add hm Hmmm.")
    assert made.user_message("!hm") == "Hmmm."
    assert made.command("/qr remove hm") == "hm is gone."
    assert made.user_message("!hm") == "Hm."
    made.command("/qr remove hm")
    with pytest.raises(UsageError, match="no quick reply 'hm'"):
        made.command("/qr remove hm")


@pytest.mark.parametrize(
    "line", ["/qr add", "/qr add one", "/qr add global one", "/qr add remove x", "/qr nobody"]
)
def test_what_is_no_quick_reply_is_refused(made: PluginBench, line: str) -> None:
    with pytest.raises(UsageError):
        made.command(line)
    assert "no quick replies" in made.command("/qr")


def test_the_mark_can_be_another_one_or_none(made: PluginBench) -> None:
    made.command("/qr add hm Hm.")
    (plugin,) = [one for one in made.host._plugins if one.name == "quick_replies"]
    plugin.settings = {"mark": "+"}
    assert (made.user_message("+hm"), made.user_message("!hm")) == ("Hm.", "!hm")
    plugin.settings = {"mark": ""}
    assert made.user_message("hm") == "hm"
    assert "as a message" not in made.command("/qr")


NEW = {
    "version": 2,
    "name": "Mine",
    "qrList": [
        {"id": 1, "label": "Look Around", "message": "I look around."},
        {"id": 2, "label": "look around", "message": "I look again.", "executeOnAi": True},
        {"id": 3, "label": "Roll", "message": "/roll 2d6 | /send"},
        {"id": 4, "label": "add", "message": "And?"},
        {"id": 5, "label": None, "message": "Yes."},
        {"id": 6, "label": "empty", "message": " "},
        "what",
    ],
}
OLD = {"name": "Old", "quickReplySlots": [{"mes": "Hm.", "label": "Hm", "enabled": True}]}


def load(made: PluginBench, tmp_path: Path, content: Any, last: str = "") -> str:
    file = tmp_path / "set of mine.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return made.command(f"/qr import {file} {last}".strip())


def test_sets_of_both_versions_are_read_and_what_cannot_be_is_told(made: PluginBench, tmp_path: Path) -> None:
    assert load(made, tmp_path, NEW).splitlines() == [
        "Added: look-around, look-around-2, add-2, reply.",
        "look-around-2 is never said by itself.",
        "roll was left out: it is a script of slash commands.",
    ]
    assert made.user_message("!look-around") == "I look around."
    assert load(made, tmp_path, OLD, "global") == "Added: hm."
    assert "hm: Hm. (in all chats)" in made.command("/qr")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"qrList": 3}', "[" * 100_000, {"qrList": [{"message": "/x"}]}]
)
def test_bad_files_are_refused(made: PluginBench, tmp_path: Path, content: Any) -> None:
    with pytest.raises(UsageError):
        load(made, tmp_path, content)
    assert "no quick replies" in made.command("/qr")


def table(made: PluginBench) -> list[tuple[str, ...]]:
    return [row.cells for part in made.panel().parts if isinstance(part, Rows) for row in part.rows]


def test_the_panel_adds_changes_moves_and_removes(made: PluginBench) -> None:
    assert table(made) == []
    assert made.act("save", called=' So "so ', text="Well.").message == "so so is kept."
    made.command("/qr add global hm Hm.")
    assert table(made) == [("hm", "Hm.", "in all chats"), ("so so", "Well.", "in this chat")]
    assert made.user_message('!"so so"') == "Well."
    assert made.act("edit", "hm").place == "hm"
    values = {
        part.setting.name: part.value for part in made.panel(place="hm").parts if isinstance(part, Field)
    }
    assert values == {"called": "hm", "text": "Hm.", "everywhere": True}
    made.act("save", place="hm", text="Hmm.\nWell.", everywhere=False)
    assert table(made)[0] == ("hm", "Hmm. Well.", "in this chat")
    made.act("remove", "hm", "hm")
    assert [row[0] for row in table(made)] == ["so so"]
    for called, text in (("", "x"), ("x", " "), ("import", "x")):
        with pytest.raises(UsageError, match="name and a text"):
            made.act("save", called=called, text=text)
