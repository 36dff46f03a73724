"""Recall: older messages that the talk is about come back; nothing comes rather than rubbish."""

from __future__ import annotations

import sqlite3
import sys
from concurrent.futures import Future

import pytest

from airochat.conversation import Message, new_id
from airochat.errors import BackendError
from plugins.memory import ranking
from plugins.memory.recall import ChatIndex, Recall
from plugins.memory.tests.helping import Bench, talk
from plugins.memory.vectors import Vectors

OLD = "Rowan hid the brass compass in the lighthouse, below the stairs."


def past(question: str, *old: str, between: int = 30) -> Bench:
    said = [*(old or ("Where is it?", OLD)), *talk(between), question]
    made = Bench(said)
    made.leave(len(said) - 6)
    made.set(summary=False)
    return made


def test_an_older_message_comes_back_with_its_reason_right_before_the_last_message() -> None:
    made = past("Where did we put the compass?")
    (block,) = made.blocks()
    assert (block.source, block.depth, block.role) == ("plugin:memory/recall/2", 1, "system")
    assert block.text == f"[From earlier, message 2] Assistant: {OLD}"
    assert block.reason == "recalled: words compass, rank 1, message 2"
    assert OLD in made.command("/memory recall")
    assert "from messages 2" in made.command("/memory")


@pytest.mark.parametrize(
    "question",
    ["What about it?", "And then what did you do with that?", "...", "42", "Und dann?", "The the the."],
)
def test_small_words_bring_nothing_back(question: str) -> None:
    made = past(question, "And then what did you do with that? What about it? The 42. Und dann?", "Oh.")
    assert made.sources() == []
    assert "No older message" in made.command("/memory recall")


def test_a_text_with_too_little_of_what_is_asked_for_stays_away() -> None:
    made = past(
        "Does the captain sell violins in Genoa?",
        "The captain left.",
        "Violins! Genoa! A captain sells them.",
    )
    assert made.sources() == ["recall/2"]
    made.set(threshold=10)
    assert made.sources() == ["recall/1", "recall/2"]
    made.set(threshold=100)
    assert made.sources() == ["recall/2"]


def test_nothing_comes_back_that_the_model_still_sees() -> None:
    made = past("Where is the compass?")
    made.leave(1)
    assert "recall/2" not in made.sources()
    made.leave(0)
    assert made.sources() == []
    assert "Nothing has left" in made.command("/memory recall")


def test_excerpts_stand_in_the_order_of_the_story_within_their_number_and_tokens() -> None:
    old = [f"The compass, part {number}: {'of brass ' * number}" for number in range(12)]
    made = past("Tell me of the brass compass.", *old, between=60)
    made.set(recall_excerpts=3)
    numbers = [int(source.split("/")[1]) for source in made.sources()]
    assert len(numbers) == 3
    assert numbers == sorted(numbers)
    made.set(recall_excerpts=20, recall_tokens=60)
    blocks = made.blocks()
    assert blocks
    assert sum(made.host.services.count_tokens([block.text for block in blocks])) <= 60


def test_names_that_are_everywhere_are_not_looked_for() -> None:
    old = [f"Maya says {word}." for word in ("hello", "good day", "farewell", "welcome")]
    made = past("Maya?", *old, *(f"Maya walks {number} miles." for number in range(30)))
    assert made.sources() == []


def test_a_question_without_words_of_its_own_is_about_what_was_said_before() -> None:
    made = Bench(["Where is it?", OLD, *talk(30), "So?", "The brass compass, you mean?", "Yes, that."])
    made.leave(20)
    made.set(summary=False)
    assert made.sources() == ["recall/2"]


def test_accents_plurals_and_scripts_without_spaces_are_found() -> None:
    assert past("Où était l'été passé?", "Ein Wort", "L'ETE A LA MER").sources() == ["recall/2"]
    assert past("Any lanterns left?", "One lantern.", "Nothing.").sources() == ["recall/1"]
    assert past("灯塔在哪里", "我们在灯塔下面见面。", "好的").sources() == ["recall/1"]


def test_the_same_text_comes_back_once() -> None:
    made = past("The brass compass?", OLD, "Oh.", OLD, "Oh.")
    assert made.sources() == ["recall/1"]


def test_a_long_message_comes_back_in_part() -> None:
    text = f"{'The wind blows over the hills. ' * 60}\n\n{OLD}\n\n{'The rain falls on the roofs. ' * 60}"
    made = past("The brass compass?", text, "Oh.")
    (block,) = made.blocks()
    assert OLD in block.text
    assert len(block.text) < 800
    assert block.source.startswith("plugin:memory/recall/1.")


def test_a_swipe_or_a_second_character_finds_the_same() -> None:
    made = past("The brass compass?")
    (first,) = made.blocks()
    made.add("It is gone.")
    (second,) = made.blocks()
    assert (second.text, second.reason, second.depth) == (first.text, first.reason, 2)


def test_what_was_edited_is_found_as_it_is_now() -> None:
    index = ChatIndex()
    first = Message("a", None, "user", "You", "The golden key.")
    assert index.update([first], 60)
    assert index.update([Message("a", None, "user", "You", "The silver spoon, rather.")], 60)
    places = {"a": 0}
    assert [index.pieces[hit.key - 1].text for hit in index.search("spoon", places, 0.5)] == [
        "The silver spoon, rather."
    ]
    assert index.search("golden key", places, 0.5) == []


def test_twenty_thousand_messages_are_indexed_once() -> None:
    index = ChatIndex()
    history = [
        Message(new_id(), None, "user", "You", f"Message {number} tells of the thing number{number} at sea.")
        for number in range(20_000)
    ]
    assert index.update(history, 120)
    count = len(index.pieces)
    assert index.update(history, 0)
    assert len(index.pieces) == count
    places = {one.id: number for number, one in enumerate(history)}
    (hit,) = index.search("Where is number12345?", places, 0.5)
    assert hit.key == 12_346


def test_only_a_few_chats_are_kept_in_memory() -> None:
    kept = Recall()
    first = kept.index("0")
    assert kept.index("0") is first
    for number in range(1, 5):
        kept.index(str(number))
    assert kept.index("0") is not first
    kept.forget("0")
    kept.forget("0")


def test_without_fts5_it_is_told_once_and_the_rest_works(monkeypatch: pytest.MonkeyPatch) -> None:
    made = past("Where is the compass?")
    made.command("/remember It rains.")
    assert "recall/2" in made.sources()
    module = sys.modules["airochat_plugin_memory.ranking"]
    monkeypatch.setattr(module, "has_fts5", lambda: False)
    assert made.sources() == ["facts"]
    assert made.sources() == ["facts"]
    assert len(made.notices) == 1
    assert "FTS5" in made.notices[0]


def test_this_python_has_fts5() -> None:
    assert ranking.has_fts5()
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(":memory:").execute("CREATE VIRTUAL TABLE a USING fts9(b)")


class Embedder:
    """Turns texts into vectors by the meanings that a test gives their words."""

    def __init__(self, *groups: str) -> None:
        self.groups = [set(group.split()) for group in groups]
        self.calls: list[int] = []
        self.hangs = False

    def __call__(self, texts: list[str]) -> Future[list[list[float]]]:
        self.calls.append(len(texts))
        future: Future[list[list[float]]] = Future()
        if not self.hangs:
            future.set_result([self.vector(text) for text in texts])
        return future

    def vector(self, text: str) -> list[float]:
        words = set(text.lower().replace(".", " ").replace("?", " ").split())
        found = [float(len(words & group)) for group in self.groups] + [0.1]
        size = sum(one * one for one in found) ** 0.5
        return [one / size for one in found]


def embedding(made: Bench, embedder: Embedder) -> None:
    made.serve(embed=lambda: embedder)


def test_what_is_of_a_like_meaning_comes_back_too() -> None:
    embedder = Embedder("boat ship vessel", "compass lighthouse", "nice weather sun")
    made = past("Is there a vessel?", "A boat lies below.", "Oh well.")
    embedding(made, embedder)
    assert made.sources() == []
    made.after_turn()
    made.add("Yes.")
    made.add("Any vessel left?")
    (block,) = made.blocks()
    assert block.reason == "recalled: like in meaning, rank 1, message 1"
    calls = len(embedder.calls)
    made.after_turn()
    assert made.sources() == ["recall/1"]
    assert len(embedder.calls) == calls


def test_a_vector_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Embedder("boat ship vessel")
    made = past("Where is the brass compass?")
    embedding(made, embedder)
    made.after_turn()
    embedder.hangs = True
    module = sys.modules["airochat_plugin_memory.vectors"]
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    assert made.sources() == ["recall/2"]


def test_a_vector_that_comes_late_does_not_change_the_prompt_of_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedder = Embedder("boat ship vessel", "compass lighthouse", "nice weather sun")
    made = past("Where is the brass compass and the vessel?", "A boat lies below.", OLD)
    embedding(made, embedder)
    assert made.sources() == ["recall/2"]
    made.after_turn()
    embedder.hangs = True
    monkeypatch.setattr(sys.modules["airochat_plugin_memory.vectors"], "PATIENCE", 0.0)
    made.swipe("So where is the brass compass and the vessel?")
    assert made.sources() == ["recall/2"]
    embedder.hangs = False
    assert made.sources() == ["recall/2"]
    made.swipe("But where is the brass compass and the vessel?")
    assert made.sources() == ["recall/1", "recall/2"]


def test_vectors_outlive_the_program_and_those_of_another_model_do_not(tmp_path: object) -> None:
    made = past("Any vessel left?", "A boat lies below.", "Oh well.")
    first = Embedder("boat ship vessel")
    embedding(made, first)
    texts = ["A boat lies below.", "Another text."]
    Vectors().learn(made.context(), texts)
    again = Vectors()
    again.learn(made.context(), texts)
    assert len(first.calls) == 1
    assert again.alike(made.context(), "vessel", {1: texts[0], 2: texts[1]}) == [1]
    other = Embedder("nothing", "boat ship vessel")
    embedding(made, other)
    third = Vectors()
    third.learn(made.context(), ["A third text."])
    assert third.alike(made.context(), "vessel", {1: texts[0]}) == []
    third.learn(made.context(), texts)
    assert third.alike(made.context(), "vessel", {1: texts[0]}) == [1]


def test_vectors_that_fail_are_done_without() -> None:
    made = past("Where is the brass compass?")
    failing: Future[list[list[float]]] = Future()
    failing.set_exception(BackendError("no"))
    made.serve(embed=lambda: lambda texts: failing)
    made.after_turn()
    assert made.sources() == ["recall/2"]
    odd: Future[list[list[float]]] = Future()
    odd.set_result([[float("nan")]])
    made.serve(embed=lambda: lambda texts: odd)
    made.after_turn()
    assert made.sources() == ["recall/2"]
