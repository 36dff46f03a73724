"""Facts: kept for a reach, chosen within their tokens, contradictions, and those that the model finds."""

from __future__ import annotations

import json

import pytest

from airochat.characters import Card
from airochat.errors import UsageError
from plugins.memory.facts import Fact, conflicts, found_in, parsed
from plugins.memory.tests.helping import Bench, talk


def test_a_fact_is_remembered_with_its_message_and_told_to_the_model_before_the_last_message() -> None:
    made = Bench(talk(5))
    assert (
        made.command("/remember Maya's eyes are green.") == "Remembered in this chat: Maya's eyes are green."
    )
    (block,) = made.blocks()
    assert (block.source, block.depth) == ("plugin:memory/facts", 1)
    assert "- Maya's eyes are green." in block.text
    assert block.reason == "1 fact: told by you"
    assert "since message 5, told by you; in the prompt" in made.command("/memory facts")
    assert made.command("/forget green") == "Forgotten: Maya's eyes are green."
    assert made.sources() == []
    assert "Nothing is remembered" in made.command("/memory facts")


def test_facts_reach_as_far_as_was_said() -> None:
    made = Bench(talk(5), cards=(Card(name="Maya"),))
    made.command("/remember here The door is open.")
    made.command("/remember chat It rains.")
    made.command("/remember character Maya sings.")
    made.command("/remember always The year is 1887.")
    trunk = made.history
    made.history = trunk[:3]
    made.add("Another branch.")
    text = made.text_of("facts")
    assert [word in text for word in ("door", "rains", "sings", "1887")] == [False, True, True, True]
    made._chat["session_id"] = "another"
    text = made.text_of("facts")
    assert [word in text for word in ("door", "rains", "sings", "1887")] == [False, False, True, True]
    made._chat["cards"] = (Card(name="Rowan"),)
    text = made.text_of("facts")
    assert [word in text for word in ("door", "rains", "sings", "1887")] == [False, False, False, True]
    made._chat["session_id"], made.history = "bench", trunk
    assert "door" in made.text_of("facts")


def test_a_character_must_be_there_for_facts_about_it() -> None:
    with pytest.raises(UsageError, match="no character"):
        Bench(talk(2)).command("/remember character Maya sings.")
    with pytest.raises(UsageError, match="What shall be remembered"):
        Bench(talk(2)).command("/remember")
    assert "in this chat: here" in Bench(talk(2)).command("/remember here")


def test_contradictions_are_told_and_the_newer_fact_counts() -> None:
    made = Bench(talk(3))
    made.command("/remember Maya's eyes are green")
    made.add("Later.")
    told = made.command("/remember Maya: eyes = blue")
    line = "Maya: eyes = blue counts (since message 4); struck: green (since message 3)."
    assert told.splitlines()[1] == line
    assert made.command("/memory conflicts") == line
    assert "green" not in made.text_of("facts")
    assert "struck" in made.command("/memory facts")
    assert "1 struck" in made.command("/memory")
    made.command("/memory pin 1")
    assert "blue" not in made.text_of("facts")
    assert "green counts (pinned)" in made.command("/memory conflicts")
    made.command("/memory unpin 1")
    assert "blue" in made.text_of("facts")
    made.command("/forget blue")
    assert made.command("/memory conflicts") == "No two facts say different things."


def test_the_same_value_twice_is_no_contradiction() -> None:
    first, again = parsed("Maya's eyes are green"), parsed("maya: Eyes = GREEN.")
    assert conflicts([first, again]) == []
    assert conflicts([parsed("It rains."), parsed("It does not rain.")]) == []


def test_pinned_facts_come_first_then_those_that_the_talk_is_about_within_the_tokens() -> None:
    made = Bench([*talk(4), "Who keeps the lantern?"])
    for number in range(60):
        made.command(
            f"/remember Person number {number} lives in house {number} of the long street by the sea."
        )
    made.command("/remember The lantern belongs to Rowan.")
    for number in range(60):
        made.command(f"/remember Ship number {number} has {number} sails and lies in the harbour.")
    made.command("/memory pin 1")
    made.set(facts_tokens=80)
    text = made.text_of("facts")
    assert "Person number 0 " in text
    assert "lantern belongs to Rowan" in text
    assert made.host.services.count_tokens([text])[0] <= 80
    (block,) = made.blocks()
    assert "pinned" in block.reason
    assert "words lantern" in block.reason
    assert made.blocks() == made.blocks()


def test_a_fact_is_found_by_number_or_words_and_never_by_guess() -> None:
    made = Bench(talk(2))
    made.command("/remember The lamp is lit.")
    made.command("/remember The lamp is old.")
    with pytest.raises(UsageError, match="2 facts have that"):
        made.command("/forget lamp")
    with pytest.raises(UsageError, match="There is no such fact"):
        made.command("/forget 3")
    with pytest.raises(UsageError, match="Which fact"):
        made.command("/forget")
    made.command("/forget 2")
    assert made.command("/forget the LAMP") == "Forgotten: The lamp is lit."


def test_escape_sequences_and_endless_texts_are_not_kept() -> None:
    made = Bench(talk(2))
    made.command(f"/remember \x1b[31mred\x1b[0m {'x' * 5000}")
    (value,) = [value for key, value in made.context().data.items() if key.startswith("fact:")]
    assert "\x1b" not in value["text"]
    assert len(value["text"]) <= 500


def test_there_is_room_for_so_many_facts() -> None:
    made = Bench(talk(2))
    for number in range(500):
        made.context().data[f"fact:{number}"] = {
            "id": str(number),
            "text": f"Fact {number}.",
            "reach": "chat",
        }
    with pytest.raises(UsageError, match="500 facts already"):
        made.command("/remember One more.")
    assert made.sources() == ["facts"]


def test_damaged_facts_are_left_out() -> None:
    made = Bench(talk(2))
    data = made.context().data
    data["fact:a"] = {"id": "a", "text": 5, "reach": "chat"}
    data["fact:b"] = {"id": "b", "text": "x", "reach": "moon"}
    data["fact:c"] = "no"
    assert made.sources() == []
    assert Fact.read({"id": "a", "text": "x", "reach": "chat", "more": 1}) == Fact("a", "x")


def test_facts_can_be_off() -> None:
    made = Bench(talk(2))
    made.command("/remember It rains.")
    made.set(facts=False)
    assert made.sources() == []
    assert "Off by the settings: facts." in made.command("/memory")


ANSWER = json.dumps({"facts": [{"who": "Maya", "what": "age", "value": "31"}]})


def test_the_model_looks_for_facts_where_it_is_asked_to() -> None:
    made = Bench(talk(10))
    made.after_turn()
    assert made.asked.questions == []
    made.set(find_facts=True)
    made.after_turn()
    assert len(made.asked.questions) == 1
    assert talk(10)[7] in made.asked.questions[0]
    assert talk(10)[8] not in made.asked.questions[0]
    sampling = made.asked.sampling[0]
    assert sampling is not None
    assert "who" in sampling.json_schema
    made.asked.answer(ANSWER)
    told = made.command("/memory facts")
    assert "Maya: age = 31 (in this chat, since message 8, found by the model; not now)" in told
    assert made.sources() == []
    made.add("How old is Maya?")
    assert "31" in made.text_of("facts")
    made.after_turn()
    assert len(made.asked.questions) == 1
    for text in talk(6):
        made.add(text)
    made.after_turn()
    assert len(made.asked.questions) == 2
    made.asked.answer(ANSWER)
    assert made.command("/memory facts").count("31") == 1


def test_what_the_model_found_belongs_to_its_messages() -> None:
    made = Bench([*talk(9), "How old is Maya?"])
    made.set(find_facts=True)
    made.after_turn()
    made.asked.answer(ANSWER)
    trunk = made.history
    made.history = trunk[:4]
    made.add("How old is Maya?", "user")
    assert made.sources() == []
    made.history = trunk
    assert "Maya" in made.command("/memory facts")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "nonsense",
        "[]",
        '{"facts": 7}',
        '{"facts": [1, {"who": 1}, {"who": "", "what": "a", "value": "b"}]}',
        "[" * 9000,
    ],
)
def test_an_answer_that_is_no_list_of_facts_has_none(answer: str) -> None:
    assert found_in(answer) == []
    made = Bench(talk(10))
    made.set(find_facts=True)
    made.after_turn()
    made.asked.answer(answer)
    assert "Nothing is remembered" in made.command("/memory facts")
    made.after_turn()
    assert len(made.asked.questions) == 1
