from __future__ import annotations

import doctest
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.conversation import Provenance
from airochat.errors import SettingsError, UsageError
from airochat.hooks import EditFacts, Field, MessageFacts, Meter, Rows, Text
from airochat.hooks.testing import PluginBench
from airochat.session.events import Notice

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> PluginBench:
    made = PluginBench(FOLDER)
    made.host.load()
    at(monkeypatch, date(2026, 11, 28))
    return made


def module() -> object:
    return sys.modules["airochat_plugin_word_goal"]


def at(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(module(), "today", lambda: day)


def say(bench: PluginBench, text: str, role: str = "user", model: str = "") -> None:
    message = bench.add(text, role)
    if model:
        from dataclasses import replace

        message = replace(message, provenance=Provenance(model=model))
        bench.history = (*bench.history[:-1], message)
    bench.tell("on_message_added", MessageFacts("bench", message))


def edit(bench: PluginBench, text: str) -> None:
    before = bench.history[-1]
    after = bench.add(text, before.role)
    bench.tell("on_message_edited", EditFacts("bench", before, after))


def test_what_the_writer_says_counts_and_the_goal_is_told(bench: PluginBench) -> None:
    assert bench.command("/goal") == "0 words today, 0 in this chat. There is no goal; /goal 500 sets one."
    assert bench.command("/goal 5").startswith("0 of 5 words today, 5 to go")
    say(bench, "The lamp goes out.")
    assert bench.command("/goal") == "4 of 5 words today, 1 to go; 4 in this chat."
    edit(bench, "The lamp goes out, slowly, at last.")
    assert bench.command("/goal") == "7 of 5 words today, reached; 7 in this chat."
    edit(bench, "Out.")
    assert bench.command("/goal").startswith("1 of 5")


def test_replies_count_only_if_they_are_to_and_greetings_never(bench: PluginBench) -> None:
    say(bench, "Welcome aboard, stranger.", "assistant")
    say(bench, "The bell rings.", "assistant", "tiny")
    say(bench, "I say so, says the model.", "user", "tiny")
    assert bench.command("/goal").startswith("0 words today")
    bench.command("/goal replies on")
    say(bench, "The bell rings.", "assistant", "tiny")
    assert bench.command("/goal").startswith("3 words today")


def test_days_in_a_row(bench: PluginBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.command("/goal 2")
    for number in range(3):
        at(monkeypatch, date(2026, 11, 26) + timedelta(number))
        say(bench, "Two words.")
    assert bench.command("/goal").endswith("3 days in a row.")
    at(monkeypatch, date(2026, 11, 29))
    assert "0 of 2 words today, 2 to go" in bench.command("/goal")
    view = bench.panel()
    meter, streak, *_ = view.parts
    assert meter == Meter("today", 0, 2, "words")
    assert isinstance(streak, Text) and streak.text.startswith("3 days in a row")
    (table,) = (part for part in view.parts if isinstance(part, Rows))
    assert [(row.cells[1], row.marked) for row in table.rows[:4]] == [
        ("0", False),
        *[("2", True)] * 3,
    ]
    at(monkeypatch, date(2026, 12, 1))
    assert "in a row" not in bench.command("/goal")


def test_the_panel_sets_the_goal(bench: PluginBench) -> None:
    assert bench.act("save", goal=300, replies=True).message.startswith("0 of 300 words today")
    assert [part.value for part in bench.panel().parts if isinstance(part, Field)] == [300, True]
    with pytest.raises(SettingsError):
        bench.act("save", goal=-1)


@pytest.mark.parametrize("words", ["many", "-3", "1.5", "99999999", "replies", "replies maybe", "off now"])
def test_what_is_no_goal_is_refused(bench: PluginBench, words: str) -> None:
    with pytest.raises(UsageError):
        bench.command(f"/goal {words}")
    assert "There is no goal" in bench.command("/goal")


@pytest.mark.parametrize(
    "kept", ["days", 7, {"2026-11-28": "many"}, {"2026-11-28": [1]}, {"x": [-1, 0]}, None]
)
def test_a_book_that_somebody_broke_is_begun_anew(bench: PluginBench, kept: object) -> None:
    bench.context().storage("global")["days"] = kept
    say(bench, "One two.")
    assert bench.command("/goal").startswith("2 words today")


def test_examples(bench: PluginBench) -> None:
    import importlib

    count = importlib.import_module("airochat_plugin_word_goal.count")
    assert doctest.testmod(count).failed == 0 < doctest.testmod(count).attempted


@given(st.lists(st.integers(-50, 50), max_size=30))
def test_a_day_is_never_below_nothing(numbers: list[int]) -> None:
    bench = PluginBench(FOLDER)
    bench.host.load()
    import importlib

    count = importlib.import_module("airochat_plugin_word_goal.count")
    days: dict[str, object] = {}
    for number in numbers:
        days = count.added(days, date(2026, 11, 28), number, 5)
        assert count.read(count.written(days)) == days
    if numbers:
        assert count.read(count.written(days))["2026-11-28"].words >= max(sum(numbers), 0) or min(numbers) < 0


def test_in_a_session_it_is_told_once_and_kept(tmp_path: Path) -> None:
    notices: list[str] = []
    with airochat.open(tmp_path, ScriptedBackend(["Ay."])) as manager:
        session = manager.new()
        session.subscribe(lambda event: notices.append(event.message) if isinstance(event, Notice) else None)
        session.command("/goal 3")
        for text in ("One two.", "Three.", "Four."):
            assert session.send(text).wait(60)
        assert [text for text in notices if "goal" in text] == ["3 words today: the goal of 3 is reached."]
    with airochat.open(tmp_path, ScriptedBackend(["Ay."])) as manager:
        assert manager.new().command("/goal") == "4 of 3 words today, reached; 0 in this chat."


def test_a_reply_that_goes_on_counts_by_what_is_new(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(["One two.", " Three four five."])) as manager:
        session = manager.new()
        assert "0 of 100" in session.command("/goal 100 replies")
        assert session.send("Go.").wait(60)
        assert session.command("/goal").startswith("3 of 100")
        assert session.continue_().wait(60)
        assert session.history[-1].text == "One two. Three four five."
        assert session.command("/goal").startswith("6 of 100")


def test_words_in_all_chats(bench: PluginBench) -> None:
    say(bench, "One two.")
    bench.context().storage("global")["words"] += 5
    texts = [part.text for part in bench.panel().parts if isinstance(part, Text)]
    assert texts[-1].endswith("2 words in this chat, 7 in all.")
    bench.context().data["words"] = "broken"
    say(bench, "Three.")
    assert "1 in this chat" in bench.command("/goal")
