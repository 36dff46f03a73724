"""The panel: every place shows what is there, and its buttons do what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.errors import AirochatError, SettingsError, UsageError
from airochat.hooks import Field, Meter, Rows, Text, View
from plugins.memory.tests.helping import Bench, talk

OLD = "Rowan hid the brass compass in the lighthouse."


def bench() -> Bench:
    made = Bench([OLD, *talk(20), "", "Where is the compass?"])
    made.leave(15)
    return made


def rows(view: View, name: str) -> Rows:
    return next(part for part in view.parts if isinstance(part, Rows) and part.name == name)


def texts(view: View) -> str:
    return "\n".join(part.text for part in view.parts if isinstance(part, Text))


def test_the_overview_measures_every_layer_and_leads_to_it() -> None:
    made = bench()
    view = made.panel()
    meters = {part.label: part for part in view.parts if isinstance(part, Meter)}
    assert list(meters) == ["Summary", "Facts", "Recall", "Documents"]
    assert meters["Recall"].value > 0
    assert meters["Recall"].of == 400
    table = rows(view, "places")
    assert [row.key for row in table.rows if row.marked] == ["recall"]
    for row in table.rows:
        outcome = made.act("open", row=row.key)
        assert outcome.place == row.key
        assert made.panel(place=row.key).title == row.key.capitalize()
    assert made.panel(place="nowhere").title == "Memory"
    assert Bench().panel().title == "Memory"
    for row in table.rows:
        Bench().panel(place=row.key)


def test_the_summary_is_edited_redone_and_forgotten() -> None:
    made = bench()
    assert "no summary" in texts(made.panel(place="summary"))
    made.act("keep", place="summary", text="They met.\nThey parted.")
    view = made.panel(place="summary")
    (field,) = [part for part in view.parts if isinstance(part, Field)]
    assert (field.setting.kind, field.value) == ("lines", "They met.\nThey parted.")
    assert "edited by you" in texts(view)
    made.act("redo", place="summary")
    assert "at work" in texts(made.panel(place="summary"))
    made.asked.answer("They met and parted at the ferry.")
    assert "They met and parted at the ferry." in made.text_of("summary")
    made.act("forget_summary", place="summary")
    with pytest.raises(UsageError, match="no button"):
        made.act("forget_summary", place="summary")
    with pytest.raises(AirochatError, match="needs some text"):
        made.act("keep", place="summary", text=" ")


def test_facts_are_added_changed_pinned_and_forgotten() -> None:
    made = bench()
    made.act("remember", place="facts", fact="Maya's eyes are green", reach="always")
    made.act("remember", place="facts", fact="Maya's eyes are blue", reach="here")
    view = made.panel(place="facts")
    green, blue = rows(view, "facts").rows
    assert green.cells[1] == "struck"
    assert blue.marked
    assert not green.marked
    assert "eyes = blue counts" in texts(view)
    made.act("pin", row=green.key, place="facts")
    assert rows(made.panel(place="facts"), "facts").rows[0].cells[1] == "pinned"
    made.act("pin", row=green.key, place="facts")
    made.act("edit_fact", row=blue.key, place="facts", fact="Maya's eyes are green")
    assert texts(made.panel(place="facts")) == ""
    made.act("forget_fact", row=green.key, place="facts")
    assert [row.key for row in rows(made.panel(place="facts"), "facts").rows] == [blue.key]
    with pytest.raises(UsageError, match="Nothing is chosen"):
        made.act("pin", row=green.key, place="facts")
    with pytest.raises(SettingsError, match="reach"):
        made.act("remember", place="facts", fact="x", reach="moon")
    with pytest.raises(UsageError, match="What shall be remembered"):
        made.act("remember", place="facts", fact=" ", reach="chat")


def test_recall_is_shown_with_its_reasons() -> None:
    made = bench()
    (row,) = rows(made.panel(place="recall"), "recall").rows
    assert row.cells == ("1", f"You: {OLD}", "recalled: words compass, rank 1, message 1")
    made.leave(0)
    assert "Nothing has left" in rows(made.panel(place="recall"), "recall").empty


def test_documents_are_added_and_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("The compass was made in Genoa.", encoding="utf-8")
    made = bench()
    assert (
        "is used for all chats" in made.act("add", place="documents", path=str(path), where="always").message
    )
    view = made.panel(place="documents")
    (row,) = rows(view, "documents").rows
    assert row.cells == ("a.md", "1", "in all chats")
    assert row.marked
    assert "a.md#1: words compass" in texts(view)
    assert made.act("drop", row=row.key, place="documents").message == "a.md is dropped."
    with pytest.raises(AirochatError, match="There is no file"):
        made.act("add", place="documents", path=str(tmp_path / "none"), where="chat")


def test_an_unknown_word_after_memory_is_told() -> None:
    with pytest.raises(UsageError, match="has no 'sumary'") as caught:
        bench().command("/memory sumary")
    assert "summary" in caught.value.hint
