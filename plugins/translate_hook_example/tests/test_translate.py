from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import PluginError, UsageError
from airochat.hooks.testing import PluginBench
from airochat.session.events import PromptReady

FOLDER = Path(__file__).parents[1]


def test_the_model_reads_its_language_and_the_chat_keeps_the_writer_s() -> None:
    bench = PluginBench(FOLDER, ["Wo ist der Fährmann?", "Gute Frage."])
    assert [message.text for message in bench.changed_history()] == ["Wo ist der Fährmann?", "Gute Frage."]
    bench.command("/translate on")
    assert [message.text for message in bench.changed_history()] == ["Where is the Ferryman?", "Gute Frage."]
    assert bench.history[0].text == "Wo ist der Fährmann?"
    assert bench.reply("The ferry is not in the harbour.") == "Der fähre ist nicht in der hafen."
    bench.command("/translate off")
    assert bench.reply("The ferry.") == "The ferry."


def test_long_words_go_first_and_parts_of_words_stay() -> None:
    bench = PluginBench(FOLDER)
    assert bench.command("/translate Gute Nacht, nachts, nacht!") == "Good night, nachts, night!"


@pytest.mark.parametrize("content", ["words = 3", "[words]\na = 1", "[other]", "[words", "\xff"])
def test_a_broken_glossary_is_told_and_switches_nothing_off(tmp_path: Path, content: str) -> None:
    file = tmp_path / "words.toml"
    file.write_bytes(content.encode("latin-1"))
    bench = PluginBench(FOLDER, ["hallo"])
    bench.host.load()
    good = tmp_path / "good.toml"
    good.write_text('[words]\nhallo = "hej"\n', encoding="utf-8")
    set_glossary(bench, good)
    bench.command("/translate on")
    assert [message.text for message in bench.changed_history()] == ["hej"]
    set_glossary(bench, file)
    assert [message.text for message in bench.changed_history()] == ["hallo"]
    with pytest.raises(UsageError, match="glossary"):
        bench.command("/translate on")
    set_glossary(bench, tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        bench.command("/translate on")


def set_glossary(bench: PluginBench, file: Path) -> None:
    (plugin,) = (one for one in bench.host._plugins if one.name == bench.name)
    plugin.configure({"glossary": str(file)})


@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    bench = PluginBench(FOLDER)
    bench.command("/translate on")
    try:
        bench.reply(text)
    except PluginError:
        pytest.fail("a text of the model must not switch the plugin off")


def test_in_a_session_the_model_finds_its_own_words_again(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(["The bell and the fog."])) as manager:
        session = manager.new()
        session.command("/translate on")
        assert session.send("Wo ist der Hafen?").wait(60)
        assert [message.text for message in session.history] == [
            "Wo ist der Hafen?",
            "Der glocke und der nebel.",
        ]
        turn = session.send("Danke!")
        assert turn.wait(60)
        (plan,) = (event.plan for event in turn if isinstance(event, PromptReady))
        assert "Where is the Harbour?" in plan.text and "The bell and the fog." in plan.text
        assert "Thanks!" in plan.text and "glocke" not in plan.text
        changed = [row.source for row in plan.report if "changed by translate_hook_example" in row.reason]
        assert changed == [f"message:{message.id}" for message in session.history[:3]]
