"""Rounds of calls: one turn, several replies; what is kept, in which order, and what stops them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.characters import Card
from airochat.conversation import TOOLS, Message, Provenance
from airochat.errors import StoreError, UsageError
from airochat.session import Turn
from airochat.session.approval import PendingCall
from airochat.session.cast import Cast
from airochat.session.events import (
    Notice,
    RoundEnded,
    RoundStarted,
    TextAdded,
    ToolCalled,
    TurnEnded,
    TurnStarted,
)
from airochat.session.rounds import CALLS, ROUNDS
from tests.session.toolbox import CODE, Open, Workbench, done

CALL = 'CALL dice {"sides": 6}'


def until(turn: Turn, state: str) -> ToolCalled:
    """Wait until a call of the turn is in this state."""
    return next(event for event in turn if isinstance(event, ToolCalled) and event.state == state)


def test_a_call_its_results_and_the_answer_are_messages_of_one_turn(opened: Open) -> None:
    bench = opened(CALL, "It shows what it shows.")
    turn = done(bench.session.send("Roll"))
    said, call, results, answer = bench.session.history
    assert (call.text, answer.text) == (CALL, "It shows what it shows.")
    assert (results.role, results.name, results.is_results) == ("system", TOOLS, True)
    assert results.text.startswith("dice(sides=6) → rolled ")
    assert [one.parent for one in (call, results, answer)] == [said.id, call.id, results.id]
    assert turn.message == answer and turn.message_id == answer.id and turn.text == answer.text
    assert turn.rounds == (call, results, answer) and turn.messages == (answer,)
    assert turn.reason == "eos" and bench.session.turn is None


def test_the_events_of_a_turn_tell_it_in_order(opened: Open) -> None:
    bench = opened(CALL, "Four.")
    turn = done(bench.session.send("Roll"))
    events = [event for event in turn if not isinstance(event, TextAdded)]
    starts = [event for event in events if isinstance(event, TurnStarted)]
    assert [type(event) for event in starts] == [TurnStarted, RoundStarted]
    ended = next(event for event in events if isinstance(event, RoundEnded))
    called = [event for event in events if isinstance(event, ToolCalled)]
    assert [event.state for event in called] == ["running", "done"]
    assert len({event.call_id for event in called}) == 1 and called[1].text.startswith("rolled ")
    assert called[0].title == "dice" and called[0].arguments == '{"sides": 6}'
    assert starts[1].turn == starts[0].turn == turn.id
    assert starts[0].message == ended.message.id and starts[1].parent == ended.results.id
    order = [events.index(one) for one in (starts[0], called[0], called[1], ended, starts[1])]
    assert order == sorted(order) and isinstance(events[-1], TurnEnded)
    assert sum(isinstance(event, TurnEnded) for event in events) == 1


def test_the_model_reads_the_results(opened: Open) -> None:
    prompts: list[str] = []

    def reply(prompt: str) -> str:
        prompts.append(prompt)
        return CALL if len(prompts) == 1 else "Thanks."

    bench = opened()
    bench.backend._replies = reply
    done(bench.session.send("Roll"))
    results = bench.session.history[2]
    assert len(prompts) == 2 and results.text in prompts[1] and CALL in prompts[1]


def test_usage_counts_all_rounds_and_each_message_its_own(opened: Open) -> None:
    bench = opened(CALL, "Four.")
    turn = done(bench.session.send("Roll"))
    own = [message.provenance.usage for message in turn.rounds if message.provenance.usage]
    assert len(own) == 2
    for name in ("prompt", "reused", "evaluated", "generated"):
        assert getattr(turn.usage, name) == sum(usage[name] for usage in own)
    assert turn.usage.prompt == turn.usage.reused + turn.usage.evaluated
    assert own[1]["reused"] > 0, "what was read in the first round is not read again"


def test_calls_are_kept_with_the_results_and_found_again(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, [f"{CALL}\nCALL broken", "Four."])
    done(bench.session.send("Roll"))
    call, results = bench.session.history[1:3]
    first, second = results.provenance.calls
    assert first["tool"] == "dice" and first["arguments"] == {"sides": 6} and first["approved"] == "free"
    assert first["state"] == "done" and first["text"] in results.text
    assert second["state"] == "failed" and second["text"] == "The call failed: no luck"
    assert bench.session.results_of(results.id) == bench.session.results_of(call.id) == (first, second)
    bench.manager.close()
    again = Workbench(tmp_path, ["More."])
    try:
        assert again.session.history[2] == results
        assert again.session.results_of(call.id) == (first, second)
    finally:
        again.manager.close()


def test_a_database_from_before_calls_and_a_damaged_one_open(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, [CALL, "Four."])
    done(bench.session.send("Roll"))
    bench.manager.close()
    connection = sqlite3.connect(tmp_path / "airochat.db")
    for value in ('{"model":"m"}', '{"model":"m","calls":[1,{"tool":"dice"},null]}', '{"calls":"all"}'):
        connection.execute("UPDATE messages SET provenance = ? WHERE name = 'tools'", (value,))
        connection.commit()
        again = Workbench(tmp_path, ["More."])
        calls = again.session.history[2].provenance.calls
        again.manager.close()
        assert calls == (({"tool": "dice"},) if "dice" in value else ())
    connection.close()


def test_dice_are_the_same_at_the_same_place(opened: Open) -> None:
    bench = opened(CALL + "\n" + CALL)
    done(bench.session.send("Roll"))
    seeds = [
        [call["seed"] for call in one.provenance.calls] for one in bench.session.history if one.is_results
    ]
    assert seeds[0][0] != seeds[0][1] and seeds[0] != seeds[1]
    first = bench.session.history[1]
    done(bench.session.swipe(first.id))
    again = next(one for one in bench.session.history if one.is_results)
    assert [call["seed"] for call in again.provenance.calls] == seeds[0]


def test_a_swipe_of_the_answer_uses_the_results_again(opened: Open) -> None:
    bench = opened(CALL, "Four.", "A four!")
    done(bench.session.send("Roll"))
    ran, results = len(bench.ran), bench.session.history[2]
    turn = done(bench.session.swipe())
    assert len(bench.ran) == ran and turn.message is not None
    assert turn.message.text == "A four!" and turn.message.parent == results.id
    assert turn.rounds == (turn.message,) and bench.session.swipe_position() == (2, 2)


def test_a_swipe_of_the_call_calls_anew(opened: Open) -> None:
    bench = opened(CALL, "Four.", 'CALL dice {"sides": 20}', "Twenty.")
    done(bench.session.send("Roll"))
    done(bench.session.swipe(bench.session.history[1].id))
    assert bench.texts()[1] == 'CALL dice {"sides": 20}' and bench.texts()[3] == "Twenty."
    assert len(bench.session.tree) == 7


def test_a_swipe_of_the_results_answers_them_again(opened: Open) -> None:
    bench = opened(CALL, "Four.", "Again four.")
    done(bench.session.send("Roll"))
    results = bench.session.history[2]
    turn = done(bench.session.swipe(results.id))
    assert turn.message is not None and turn.message.parent == results.id


def test_undo_takes_the_whole_turn_back(opened: Open) -> None:
    bench = opened(CALL, CALL, "Done.")
    done(bench.session.send("Roll"))
    whole = bench.texts()
    assert len(whole) == 6
    assert bench.session.undo() and bench.texts() == []
    assert bench.session.redo() and bench.texts() == whole


def test_plugins_may_call_on_with_results_and_end_the_turn(opened: Open) -> None:
    bench = opened("THEN dice\n" + CALL, "Done.", "QUIET\n" + CALL)
    done(bench.session.send("Roll"))
    calls = bench.session.history[2].provenance.calls
    assert [call["arguments"] for call in calls] == [{"sides": 6}, {"sides": 2}]
    assert len(bench.session.history[2].text.splitlines()) == 2
    turn = done(bench.session.send("Again"))
    assert bench.session.history[-1].is_results and turn.message is not None
    assert turn.message.text == "QUIET\n" + CALL and turn.rounds == bench.session.history[-2:]
    # Who presses Enter wants the model to go on.
    done(bench.session.send(""))
    assert bench.session.history[-1].role == "assistant"


def test_calls_of_one_reply_have_an_end(opened: Open) -> None:
    bench = opened("\n".join([CALL] * 20), "Done.", "FLOOD\n" + CALL, "Done.")
    done(bench.session.send("Roll"))
    results = bench.session.history[2]
    assert len(results.provenance.calls) == len(bench.ran) == CALLS
    assert "4 more calls were not made" in results.text
    assert any(isinstance(event, Notice) and str(CALLS) in event.message for event in bench.events)
    done(bench.session.send("Flood"))
    assert len(bench.session.history[-2].provenance.calls) == CALLS


def test_rounds_have_an_end(opened: Open) -> None:
    bench = opened(CALL)
    turn = done(bench.session.send("Roll for ever"))
    assert sum(message.is_results for message in turn.rounds) == ROUNDS
    assert turn.message is not None and turn.message.text == CALL and turn.reason == "eos"
    notices = [event.message for event in bench.events if isinstance(event, Notice)]
    assert len(notices) == 1 and "call tools" in notices[0]


def test_alternatives_and_the_users_words_call_nothing(opened: Open) -> None:
    bench = opened(CALL)
    done(bench.session.send("Roll", n=2))
    assert bench.texts() == ["Roll", CALL] and not bench.ran
    done(bench.session.impersonate())
    assert bench.session.history[-1].role == "user" and not bench.ran


def test_a_continued_reply_may_call(opened: Open) -> None:
    bench = opened("Well, ", "Well,\nCALL dice", "Rolled.")
    done(bench.session.send("Roll"))
    done(bench.session.continue_())
    assert bench.session.history[-2].is_results


def test_a_stopped_reply_calls_nothing(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, [CALL + "\nand more and more and more"])
    bench.backend._allowed = 12
    try:
        turn = bench.session.send("Roll")
        next(event for event in turn if isinstance(event, TextAdded) and "}" in event.text)
        turn.stop()
        done(turn)
        assert turn.reason == "user" and CALL in bench.texts()[1] and len(bench.texts()) == 2
        assert not bench.ran
    finally:
        bench.manager.close()


def test_a_tool_that_runs_is_left_behind_when_the_turn_is_stopped(opened: Open) -> None:
    bench = opened("CALL slow\n" + CALL, "never said")
    turn = bench.session.send("Wait")
    until(turn, "running")
    turn.stop()
    done(turn)
    bench.open_gate()
    call, results = bench.session.history[1:]
    first, second = results.provenance.calls
    assert (first["state"], second["state"]) == ("failed", "denied")
    assert "not known" in first["text"] and "stopped" in second["text"]
    assert turn.reason == "user" and turn.message == call and turn.rounds == (call, results)
    assert bench.session.turn is None


def test_a_failure_in_the_second_round_keeps_the_first(opened: Open) -> None:
    bench = opened(CALL + " ", "one two three four five six seven eight nine ten")
    bench.backend.fail_after = 14
    turn = done(bench.session.send("Roll"))
    assert turn.reason == "failed" and turn.error
    assert bench.session.history[2].is_results and bench.session.history[-1].state == "failed"
    done(bench.session.send(""))
    assert bench.session.history[-1].text.startswith("one two")


def test_results_that_cannot_be_stored_end_the_turn(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened(CALL, "never said", "CALL slow")
    store = bench.manager.store
    add = store.add_message

    def refuse(session_id: str, message: Message) -> None:
        if message.is_results:
            raise StoreError("The disk is full.", "Make room.")
        add(session_id, message)

    monkeypatch.setattr(store, "add_message", refuse)
    turn = done(bench.session.send("Roll"))
    assert bench.texts() == ["Roll", CALL] and turn.message == bench.session.history[-1]
    assert Notice("The disk is full.", "Make room.") in bench.events


def test_what_was_called_and_not_made_is_made_by_an_empty_message(tmp_path: Path) -> None:
    """As after a kill between the reply and its results."""
    bench = Workbench(tmp_path, ["It shows it."])
    session = bench.session
    done(session.send("Roll"))
    reply = session.history[-1]
    provenance = Provenance(model="scripted", stop_reason="eos")
    called = Message("c" * 26, reply.parent, "assistant", reply.name, CALL, 1.0, provenance=provenance)
    session.keep_replies(called)
    bench.manager.close()
    again = Workbench(tmp_path, ["It shows it."])
    try:
        assert again.texts() == ["Roll", CALL]
        turn = done(again.session.send(""))
        assert again.session.history[2].is_results and again.texts()[3] == "It shows it."
        assert turn.rounds == again.session.history[1:]
        starts = [event for event in turn if isinstance(event, TurnStarted)]
        assert starts[0].parent == called.id and starts[1].parent == again.session.history[2].id
    finally:
        again.manager.close()


def test_a_turn_that_only_makes_calls_ends_well(opened: Open) -> None:
    bench = opened("QUIET\nCALL lamp", "never said")
    waiting: list[PendingCall] = []
    bench.manager.approver = waiting.append
    turn = bench.session.send("Light it")
    until(turn, "asked")
    turn.stop()
    done(turn)
    bench.answer("once")
    turn = done(bench.session.send(""))
    assert bench.session.history[-1].is_results and turn.reason == "stop" and turn.message is None
    assert turn.rounds == bench.session.history[-2:] and not turn.error


def test_a_greeting_calls_nothing(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, ["Hello."])
    try:
        session = bench.manager.new(Card("Maya", first_mes=CALL))
        done(session.send(""))
        assert [message.text for message in session.history] == [CALL, "Hello."] and not bench.ran
    finally:
        bench.manager.close()


def test_in_a_group_the_caller_goes_on_and_results_name_nobody(opened: Open) -> None:
    bench = opened("QUIET Brann\n" + CALL, "Thanks.", "Yes?")
    session = bench.manager.new([Card("Maya"), Card("Brann")])
    done(session.send("Maya, roll"))
    assert session.history[-1].is_results
    assert session.group.next() == "Maya"
    done(session.send(""))
    assert session.history[-1].name == "Maya"


def test_a_whispered_call_stays_among_those_who_heard_it(opened: Open) -> None:
    bench = opened(CALL, "Shh.")
    session = bench.manager.new([Card("Maya"), Card("Brann")])
    done(session.send("Roll quietly", to=["Maya"]))
    assert len(session.history) == 4
    assert [session.group.audience(message.id) for message in session.history] == [("Maya",)] * 4


def test_an_edit_of_results_is_kept_as_it_is_written(opened: Open) -> None:
    bench = opened(CALL, "Four.", "Six!")
    done(bench.session.send("Roll"))
    edited = bench.session.edit(bench.session.history[2].id, "dice → {{roll:6}}")
    assert edited.text == "dice → {{roll:6}}" and edited.is_results
    done(bench.session.send(""))
    assert bench.session.history[-1].text == "Six!" and bench.session.history[-2] == edited


def test_a_title_is_asked_for_once(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened(CALL, "Four.", auto_title=True)
    asked: list[str] = []
    monkeypatch.setattr(bench.session, "retitle", lambda: asked.append("title"))
    done(bench.session.send("Roll"))
    done(bench.session.send("Again"))
    assert asked == ["title"]


def test_without_tools_nothing_is_looked_for(opened: Open) -> None:
    bench = opened(
        CALL,
        code=CODE.replace("def contribute_tools", "def other").replace("@hookimpl\ndef other", "def other"),
    )
    done(bench.session.send("Roll"))
    assert bench.texts() == ["Roll", CALL]
    with pytest.raises(UsageError, match="no tool"):
        bench.session.allow("dice")


def test_calls_are_json_in_the_database(opened: Open, tmp_path: Path) -> None:
    bench = opened(CALL, "Four.")
    done(bench.session.send("Roll"))
    row = (
        sqlite3.connect(tmp_path / "airochat.db")
        .execute("SELECT provenance FROM messages WHERE name = 'tools'")
        .fetchone()
    )
    (call,) = json.loads(row[0])["calls"]
    assert call.keys() == {"id", "tool", "arguments", "state", "text", "seed", "seconds", "approved"}


def test_a_session_without_a_plugin_is_as_before(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(["Hello."])) as manager:
        turn = done(manager.new().send("Hi"))
        assert turn.message is not None and turn.rounds == (turn.message,)


def test_results_longer_than_the_context_are_cut_for_the_model_and_kept_whole(opened: Open) -> None:
    code = CODE.replace('return "at last"', 'return "word " * 3000').replace("GATE.wait(30)", "pass")
    bench = opened("CALL slow\nCALL slow", "Much to read.", code=code)
    turn = done(bench.session.send("Read it"))
    results = bench.session.history[2]
    assert turn.reason == "eos" and bench.texts()[3] == "Much to read."
    assert len(results.text) < 8000 and "cut here" in results.text
    assert [len(call["text"]) for call in results.provenance.calls] == [15_000, 15_000]


def test_a_failed_reply_calls_nothing(opened: Open) -> None:
    bench = opened(CALL + "\nand more and more and more")
    bench.backend.fail_after = 12
    turn = done(bench.session.send("Roll"))
    assert turn.reason == "failed" and CALL in bench.texts()[1] and len(bench.texts()) == 2
    assert not bench.ran


def test_a_reply_that_cannot_be_stored_calls_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened(CALL, "never said")

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr(bench.manager.store, "save_reply", refuse)
    turn = done(bench.session.send("Roll"))
    assert bench.texts() == ["Roll", CALL] and turn.reason == "eos" and not bench.ran


def test_the_second_round_is_stopped_like_the_first(opened: Open) -> None:
    bench = opened(CALL, "one two three four five six seven")
    bench.backend._allowed = len(bench.backend.tokenizer.tokens(CALL)) + 2
    turn = bench.session.send("Roll")
    began = next(event for event in turn if isinstance(event, RoundStarted))
    next(event for event in turn if isinstance(event, TextAdded) and event.text == "one")
    assert turn.request != turn.id and turn.message_id == began.message and turn.text.startswith("one")
    turn.stop()
    done(turn)
    assert turn.reason == "user" and turn.message is not None and turn.message.state == "stopped"
    assert len(turn.rounds) == 3 and turn.rounds[-1] == turn.message
    assert turn.message.text.startswith("one") and "seven" not in turn.message.text


def test_nobody_is_due_since_results_name_them() -> None:
    cast = Cast((Card("Maya"), Card("Brann")))
    said = Message("a", None, "user", "You", "Maya, look")
    call = Message("b", "a", "assistant", "Maya", "I look.")
    results = Message("c", "b", "system", TOOLS, "Brann is at the door.")
    answer = Message("d", "c", "assistant", "Maya", "Somebody is there.")
    assert cast.due([said, call, results, answer]) == []
    assert cast.next([said, call, results]).called == "Maya"
