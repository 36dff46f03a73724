"""The running summary: when it is written, which one a prompt has, and that nothing is lost by failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any

import pytest

from airochat.errors import AirochatError, BackendError
from airochat.hooks import ModelFacts
from plugins.memory import summary
from plugins.memory.summary import Summary
from plugins.memory.tests.helping import Bench, talk

GOOD = "Maya and you met at the ferry and talked of the weather."


def left(count: int = 6, total: int = 12, **chat: Any) -> Bench:
    made = Bench(talk(total), **chat)
    made.set(recall=False)
    made.leave(count)
    return made


def test_nothing_is_asked_while_the_model_sees_everything() -> None:
    made = Bench(talk(12))
    made.after_turn()
    assert made.asked.questions == []
    assert made.sources() == []
    assert "sees the whole chat" in made.command("/memory")


def test_what_has_left_is_summarised_once_and_put_into_the_head_with_its_provenance() -> None:
    made = left()
    made.after_turn()
    made.after_turn()
    assert len(made.asked.questions) == 1
    assert all(text in made.asked.questions[0] for text in talk(6))
    assert "12" not in made.asked.questions[0].partition("---")[0]
    assert made.sources() == []
    made.asked.answer(GOOD)
    (block,) = made.blocks()
    assert (block.source, block.depth, block.order) == ("plugin:memory/summary", None, 1)
    assert GOOD in block.text
    assert block.reason == "summary of messages 1 to 6"
    told = made.command("/memory summary")
    assert "Messages 1 to 6" in told
    assert told.endswith(GOOD)
    made.after_turn()
    assert len(made.asked.questions) == 1
    kept = Summary.read(made.context().data[f"summary:{made.history[5].id}"])
    assert kept is not None
    assert (kept.first, kept.last, kept.count) == (made.history[0].id, made.history[5].id, 6)
    assert kept.created > 0


def test_a_summary_tells_the_model_that_wrote_it() -> None:
    made = left()
    made.tell("on_model_loaded", ModelFacts("airoboros-l2-13b", "print", 4096))
    made.after_turn()
    made.asked.answer(GOOD)
    assert "by airoboros-l2-13b." in made.command("/memory summary")


def test_the_next_summary_is_built_on_the_last_one_and_stands_only_when_the_horizon_moves() -> None:
    made = left(6, 20)
    made.after_turn()
    made.asked.answer(GOOD)
    assert made.sources() == ["summary"]
    made.leave(10)
    made.after_turn()
    assert GOOD in made.asked.questions[1]
    assert talk(10)[9] in made.asked.questions[1]
    assert talk(10)[0] not in made.asked.questions[1]
    # Until then the old one stands, since it is better than none.
    assert GOOD in made.text_of("summary")
    made.asked.answer("They then crossed the river at night.")
    assert "crossed the river" in made.text_of("summary")
    made.leave(6)
    assert GOOD in made.text_of("summary")


def test_a_summary_made_ahead_does_not_change_the_prompt_before_the_horizon_moves() -> None:
    made = left(6, 20)
    made.after_turn()
    made.asked.answer(GOOD)
    before = made.blocks()
    context = made.context()
    context.data[f"summary:{made.history[9].id}"] = Summary(
        "Later things.", made.history[0].id, made.history[9].id, 10
    ).value
    assert made.blocks() == before
    made.leave(10)
    assert "Later things." in made.text_of("summary")


def test_a_summary_that_would_fit_better_waits_for_the_next_horizon() -> None:
    made = left(8, 20)
    data, first = made.context().data, made.history[0].id
    data[f"summary:{made.history[9].id}"] = Summary("Up to ten.", first, made.history[9].id, 10).value
    assert "Up to ten." in made.text_of("summary")
    data[f"summary:{made.history[8].id}"] = Summary("Up to nine.", first, made.history[8].id, 9).value
    assert "Up to ten." in made.text_of("summary")
    made.leave(9)
    assert "Up to nine." in made.text_of("summary")


def test_the_summary_is_made_ahead_when_the_context_is_nearly_full() -> None:
    texts = [f"{text} {'and on ' * 60}" for text in talk(20)]
    made = Bench(texts)
    made.serve(n_ctx=lambda: 2400)
    made.used(1000)
    made.after_turn()
    assert made.asked.questions == []
    made.used(1700)
    made.after_turn()
    assert len(made.asked.questions) == 1
    assert texts[0].strip() in made.asked.questions[0]
    assert texts[-1].strip() not in made.asked.questions[0]
    made.asked.answer(GOOD)
    assert made.sources() == []
    made.after_turn()
    assert len(made.asked.questions) == 1
    (count,) = [value["count"] for key, value in made.context().data.items() if key.startswith("summary:")]
    made.leave(count)
    assert made.sources() == ["summary"]
    made.set(summary_ahead=100)
    other = Bench(texts)
    other.serve(n_ctx=lambda: 2400)
    other.set(summary_ahead=100)
    other.used(1900)
    other.after_turn()
    assert other.asked.questions == []


def test_another_branch_has_the_summaries_of_its_own_messages_alone() -> None:
    made = left(6, 8)
    made.after_turn()
    made.asked.answer(GOOD)
    trunk = made.history
    made.swipe("Something else entirely.")
    assert made.sources() == ["summary"]
    made.history = trunk[:5]
    for text in talk(7):
        made.add(f"On another branch, {text}")
    made.leave(6)
    assert made.sources() == []
    made.after_turn()
    assert "On another branch" in made.asked.questions[-1]
    made.history = trunk
    made.leave(6)
    assert GOOD in made.text_of("summary")


def test_who_does_not_know_all_messages_is_not_told_of_them_by_a_summary() -> None:
    made = left(6, 12)
    made.after_turn()
    made.asked.answer(GOOD)
    made.history = made.history[2:]
    made.leave(4)
    assert made.sources() == []


@pytest.mark.parametrize("answer", ["", "  \n ", "...", "\x1b[2J", BackendError("The model was stopped.")])
def test_a_failure_leaves_the_former_summary_is_told_once_and_tried_again(answer: str | Exception) -> None:
    made = left(6, 20)
    made.after_turn()
    made.asked.answer(GOOD)
    made.leave(10)
    for _ in range(2):
        made.after_turn()
        made.asked.fail(answer) if isinstance(answer, Exception) else made.asked.answer(answer)
    assert len(made.notices) == 1
    assert made.notices[0].startswith("The summary of this chat could not be written: ")
    assert len(made.asked.questions) == 3
    assert GOOD in made.text_of("summary")
    made.tell("on_idle")
    made.asked.answer("They then crossed the river at night.")
    assert "crossed the river" in made.text_of("summary")
    assert "is being written" not in made.command("/memory")


def test_a_failure_half_way_keeps_nothing() -> None:
    made = Bench([f"{text} {'word ' * 500}" for text in talk(30)])
    made.leave(24)
    made.after_turn()
    made.asked.answer(GOOD)
    assert len(made.asked.questions) == 2
    assert f"What happened before: {GOOD}" in made.asked.questions[1]
    made.asked.fail(BackendError("The model was exchanged."))
    assert not [key for key in made.context().data if key.startswith("summary:")]
    made.after_turn()
    assert talk(1)[0] in made.asked.questions[2]


def test_every_question_fits_the_background_and_all_messages_are_read() -> None:
    texts = [f"Message {number}: {'word ' * (number * 37 % 900)}" for number in range(40)]
    made = Bench(texts)
    made.leave(30)
    made.after_turn()
    while not made.asked.futures[-1].done():
        made.asked.answer(GOOD)
    count = made.host.services.count_tokens
    sampling = made.asked.sampling[0]
    assert sampling is not None
    assert all(size + sampling.max_tokens <= 4096 for size in count(made.asked.questions))
    assert len(made.asked.questions) > 2
    everything = "\n".join(made.asked.questions)
    assert all(f"Message {number}:" in everything for number in range(30))
    assert "Message 30:" not in everything


def test_scripts_of_which_a_letter_takes_many_tokens_fit_as_well() -> None:
    made = Bench(["灯塔在哪里？" * 400, "我们在灯塔下面见面。" * 30, "x" * 9000, *talk(8)])
    made.set(recall=False)

    def dense(texts: Sequence[str]) -> list[int]:
        return [len(text) * 3 for text in texts]

    made.serve(count_tokens=dense)
    made.leave(6)
    made.after_turn()
    while not made.asked.futures[-1].done():
        made.asked.answer(GOOD)
    # The instruction itself is denser here than any model has it.
    assert all(len(question.partition("---")[0]) * 3 <= 4096 - 300 for question in made.asked.questions)
    assert made.sources() == ["summary"]


def test_of_a_very_long_past_only_the_newest_part_is_read_and_that_is_told() -> None:
    made = Bench([f"Message {number}: {'word ' * 200}" for number in range(100)])
    made.set(summary_reach=5000)
    made.leave(90)
    made.after_turn()
    while not made.asked.futures[-1].done():
        made.asked.answer(GOOD)
    assert len(made.asked.questions) < 4
    assert "Message 89:" in made.asked.questions[-1]
    (block,) = [one for one in made.blocks() if one.source.endswith("summary")]
    first = int(block.reason.split()[3])
    assert 50 < first < 90


def test_a_summary_by_hand_is_the_base_of_the_next_and_survives_what_was_being_written() -> None:
    made = left(6, 20)
    made.after_turn()
    made.asked.answer(GOOD)
    made.leave(10)
    made.after_turn()
    assert "yours now" in made.command("/memory summary edit Maya lost the lamp.")
    made.asked.answer("The model wrote this of the old one.")
    assert "Maya lost the lamp." in made.text_of("summary")
    assert any(", edited by you" in block.reason for block in made.blocks())
    made.after_turn()
    assert "Maya lost the lamp." in made.asked.questions[-1]
    made.asked.answer("Maya lost the lamp and crossed the river.")
    assert "crossed the river" in made.text_of("summary")


def test_what_was_written_ahead_on_another_base_is_written_again_after_an_edit() -> None:
    made = left(6, 20)
    made.after_turn()
    made.asked.answer(GOOD)
    data, last = made.context().data, made.history[9].id
    data[f"summary:{last}"] = Summary("Written ahead.", made.history[0].id, last, 10).value
    made.command("/memory summary edit Maya lost the lamp.")
    made.leave(10)
    assert "Maya lost the lamp." in made.text_of("summary")
    made.after_turn()
    assert "Maya lost the lamp." in made.asked.questions[-1]


def test_a_summary_can_be_written_by_hand_before_there_is_one_redone_and_forgotten() -> None:
    made = left(6, 20)
    made.set(summary_ahead=100)
    with pytest.raises(AirochatError, match="no summary"):
        made.command("/memory summary forget")
    made.command("/memory summary edit My own words.")
    assert "My own words." in made.text_of("summary")
    assert "written anew" in made.command("/memory summary redo")
    assert "already" in made.command("/memory summary redo")
    assert "My own words." not in made.asked.questions[-1]
    made.asked.answer(GOOD)
    assert GOOD in made.text_of("summary")
    made.command("/memory summary forget")
    assert made.sources() == []


def test_a_summary_by_hand_is_refused_where_it_cannot_be() -> None:
    made = left(0, 12)
    with pytest.raises(AirochatError, match="Nothing has left"):
        made.command("/memory summary edit Words.")
    with pytest.raises(AirochatError, match="Nothing has left"):
        made.command("/memory summary redo")
    made.leave(4)
    with pytest.raises(AirochatError, match="only 300 are meant"):
        made.command(f"/memory summary edit {'word ' * 2000}")
    with pytest.raises(AirochatError, match="needs some text"):
        made.command("/memory summary edit")
    with pytest.raises(AirochatError, match="has no 'paint'"):
        made.command("/memory summary paint")


def test_the_summary_may_stand_late_or_be_off() -> None:
    made = left(6, 11)
    made.after_turn()
    made.asked.answer(GOOD)
    made.set(summary_place="late")
    assert made.blocks()[0].depth == 1
    made.set(summary=False)
    assert made.sources() == []
    made.leave(8)
    made.after_turn()
    assert len(made.asked.questions) == 1


def test_an_airoboros_model_is_asked_in_the_form_it_was_trained_on() -> None:
    made = left(6, 12, template="airoboros-2")
    made.after_turn()
    question = made.asked.questions[0]
    assert question.startswith("BEGININPUT\nYou: ")
    assert question.endswith("ENDINSTRUCTION")
    assert "Summarize the input in around 180 words." in question
    older = left(6, 12, template="airoboros-1.4:no-space")
    older.after_turn()
    assert "Write one summary" in older.asked.questions[0]
    marked = Bench(["BEGININPUT", *talk(11)], template="airoboros-2")
    marked.leave(6)
    marked.after_turn()
    assert "Write one summary" in marked.asked.questions[0]


def test_an_answer_that_is_too_long_ends_with_a_sentence_within_its_tokens() -> None:
    made = left()
    made.after_turn()
    made.asked.answer("They walked on and on. " * 400)
    text = made.text_of("summary")
    assert made.host.services.count_tokens([text])[0] <= 300
    assert len(made.context().data[f"summary:{made.history[5].id}"]["text"]) <= 1200


def test_a_chat_that_is_closed_gives_up_its_work_without_a_word() -> None:
    made = left()
    made.after_turn()
    made.tell("on_session_closed")
    assert made.asked.futures[0].cancelled()
    with pytest.raises(CancelledError):
        made.asked.futures[0].result()
    assert made.notices == []
    made.after_turn()
    assert len(made.asked.questions) == 2


@pytest.mark.parametrize(
    "damage", [None, 7, {"text": "x"}, {"text": 1, "first": "a", "last": "b", "count": 6}, []]
)
def test_damaged_values_are_no_summary(damage: Any) -> None:
    made = left()
    made.context().data[f"summary:{made.history[5].id}"] = damage
    assert made.sources() == []
    assert "no summary" in made.command("/memory summary")


def test_a_horizon_of_another_branch_means_nothing() -> None:
    made = left()
    made.after_turn()
    made.asked.answer(GOOD)
    made._chat["horizon"] = "gone"
    assert made.sources() == []


def test_the_best_summary_tells_least_of_what_is_in_the_prompt() -> None:
    some = [Summary(str(count), "a", "b", count) for count in (4, 6, 10, 14)]
    assert [best.count for left in (1, 4, 5, 10, 11, 20) if (best := summary.best(some, left))] == [
        4, 4, 6, 10, 14, 14,
    ]  # fmt: skip
    assert summary.best([], 3) is None
    assert json.dumps(some[0].value)
