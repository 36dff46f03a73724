"""Several replies in one turn: all are kept, in their order, whatever happens meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.characters import Card
from airochat.errors import SettingsError, StoreError, UsageError
from airochat.session import Turn
from airochat.session.commands import run_command
from airochat.session.events import AlternativeEnded, Notice, PromptReady, TextAdded, TurnEnded, TurnStarted
from tests.session.desk import Desk, done

REPLIES = ("one", "two", "three", "four", "five", "six")
MAYA = Card("Maya", description="A keeper.{{setvar::mood::calm}}")
BRANN = Card("Brann", description="A smith.")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ScriptedBackend(REPLIES))
    yield made
    made.manager.close()


def until(turn: Turn, kind: type, index: int = 0) -> Any:
    """Return the first event of this kind that is about the reply number ``index``."""
    return next(event for event in turn if isinstance(event, kind) and getattr(event, "index", 0) == index)


def test_the_first_is_shown_and_the_others_stand_beside_it(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=3))
    assert desk.texts() == ["Hello", "one"] and desk.beside() == ["one", "two", "three"]
    assert desk.session.swipe_position() == (1, 3)
    assert turn.texts == ("one", "two", "three") and turn.text == "one"
    siblings = desk.session.tree.siblings(turn.message_id)
    assert siblings == turn.message_ids == tuple(message.id for message in turn.messages)
    started = until(turn, TurnStarted)
    assert (started.message, *started.alternatives) == turn.message_ids
    assert turn.reason == "eos" and len({message.parent for message in turn.messages}) == 1


def test_each_is_told_by_its_number_and_ends_before_the_turn(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=3))
    written = ["", "", ""]
    for event in turn:
        if isinstance(event, TextAdded):
            written[event.index] += event.text
    assert written == ["one", "two", "three"]
    ended = [event for event in turn if isinstance(event, AlternativeEnded)]
    stored = [(event.index, event.message) for event in ended]
    assert stored == [(0, None), (1, turn.messages[1]), (2, turn.messages[2])], (
        "the first is stored at the end"
    )
    assert isinstance(list(turn)[-1], TurnEnded)


def test_seeds_follow_on_the_first(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=3, seed=41))
    made = [message.provenance for message in turn.messages]
    assert [one.sampling["seed"] for one in made] == [41, 42, 43]
    assert {(one.model, one.stop_reason, one.fingerprint) for one in made} == {
        ("scripted", "eos", "scripted")
    }
    assert all(one.template for one in made) and all(message.tokens for message in turn.messages)


def test_seeds_stay_in_their_range(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=2, seed=2**32 - 2))
    assert [message.provenance.sampling["seed"] for message in turn.messages] == [2**32 - 2, 0]


def test_the_prompt_is_read_once(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=3))
    written = sum(len(message.tokens) for message in turn.messages)
    assert turn.usage.generated == written
    assert turn.usage.prompt == len(until(turn, PromptReady).plan.tokens)
    assert turn.usage.prompt == turn.usage.reused + turn.usage.evaluated


def test_all_are_one_step_back_and_forth(desk: Desk) -> None:
    done(desk.session.send("a", n=2))
    done(desk.session.send("b", n=3))
    done(desk.session.swipe(n=1))
    walk = [desk.texts()]
    while desk.session.undo():
        walk.append(desk.texts())
    assert walk == [["a", "one", "b", "six"], ["a", "one", "b", "three"], ["a", "one"], []]
    back = [desk.texts()]
    while desk.session.redo():
        back.append(desk.texts())
    assert back == walk[::-1]
    assert desk.beside() == ["three", "four", "five", "six"]


def test_more_alternatives_come_behind_those_there_are(desk: Desk) -> None:
    done(desk.session.send("a"))
    done(desk.session.swipe(n=3))
    assert desk.beside() == ["one", "two", "three", "four"] and desk.session.swipe_position() == (2, 4)
    assert desk.session.undo() and desk.session.swipe_position() == (1, 4)


def test_the_command_writes_as_many_as_it_is_told(desk: Desk) -> None:
    done(desk.session.send("a"))
    turn = run_command(desk.session, "/swipes 2", seed=5)
    assert isinstance(turn, Turn) and done(turn).texts == ("two", "three")
    assert turn.messages[0].provenance.sampling["seed"] == 5
    for line in ("/swipes 0", "/swipes 17", "/swipes many", "/swipes -1", "/swipes ²"):
        with pytest.raises(UsageError):
            run_command(desk.session, line)
    assert desk.beside() == ["one", "two", "three"] and desk.session.turn is None


def test_the_order_is_the_same_after_reopening(desk: Desk, tmp_path: Path) -> None:
    turn = done(desk.session.send("Hello", n=4))
    done(desk.session.swipe(n=2))
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        session = manager.load(desk.session.id)
        assert session.tree == desk.session.tree
        assert [message.text for message in session.history] == ["Hello", "five"]
        assert session.undo() and session.head == turn.message_id


@pytest.mark.parametrize("n", [0, 17, -1, True, "3", 1.0])
def test_a_number_that_cannot_be_changes_nothing(desk: Desk, n: Any) -> None:
    with pytest.raises(UsageError, match="1 to 16"):
        desk.session.send("Hello", n=n)
    assert desk.texts() == [] and desk.session.turn is None


def test_sixteen_can_be_written(tmp_path: Path) -> None:
    numbers = itertools.count()
    desk = Desk(tmp_path, ScriptedBackend(lambda prompt: f"number {next(numbers)}"))
    done(desk.session.send("Hello", n=16))
    assert desk.beside() == [f"number {number}" for number in range(16)]
    desk.manager.close()


def test_an_edited_message_gets_several_answers(desk: Desk) -> None:
    done(desk.session.send("a", n=2))
    desk.session.edit(desk.session.history[0].id, "A!")
    done(desk.session.swipe(n=3))
    assert desk.texts() == ["A!", "three"] and desk.beside() == ["three", "four", "five"]
    desk.session.edit(desk.session.history[1].id, "mine")
    assert desk.beside() == ["three", "four", "five", "mine"]
    done(desk.session.swipe(n=2))
    assert desk.beside() == ["three", "four", "five", "mine", "six", "one"]


def test_a_reply_goes_on_in_several_ways(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["The lamp", " burns.", " is out."]))
    short = done(desk.session.send("Hello", max_tokens=3)).messages[0]
    turn = done(desk.session.continue_(n=2))
    assert turn.texts == ("The lamp burns.", "The lamp is out.")
    assert desk.beside() == ["The lamp", "The lamp burns.", "The lamp is out."]
    for message in turn.messages:
        assert message.tokens[: len(short.tokens)] == short.tokens and len(message.tokens) > len(short.tokens)
    for index, text in enumerate(turn.texts):
        told = (event for event in turn if isinstance(event, TextAdded) and event.index == index)
        assert "".join(event.text for event in told) == text
    desk.manager.close()


def test_an_empty_message_lets_a_cut_reply_go_on_in_several_ways(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["The lamp", " burns.", " is out."]))
    done(desk.session.send("Hello", max_tokens=3))
    assert done(desk.session.send("", n=2)).texts == ("The lamp burns.", "The lamp is out.")
    desk.manager.close()


def test_all_begin_with_the_same_words(desk: Desk) -> None:
    turn = done(desk.session.send("Hello", n=2, prefill="Well, "))
    assert turn.texts == ("Well, one", "Well, two")


def test_stop_keeps_what_there_is_of_each(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["one", "a second reply that goes on", "never"], gated=True))
    turn = desk.session.send("Hello", n=3)
    desk.backend.allow(4)
    until(turn, TextAdded, 1)
    turn.stop()
    done(turn)
    first, second = turn.messages
    assert (first.text, first.state, first.provenance.stop_reason) == ("one", "finished", "eos")
    assert second.state == "stopped" and second.provenance.stop_reason == "user"
    assert second.text and "a second reply that goes on".startswith(second.text.strip())
    assert desk.beside() == [first.text, second.text] and desk.session.head == first.id
    assert turn.texts[2] == ""
    stored = {message.id: message for message in desk.manager.store.messages(desk.session.id)}
    assert stored[second.id] == second and stored[first.id] == first
    desk.manager.close()


def test_stop_during_the_first_keeps_it_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["a long first reply", "never"], gated=True))
    turn = desk.session.send("Hello", n=2)
    desk.backend.allow(3)
    until(turn, TextAdded)
    turn.stop()
    assert done(turn).reason == "user" and [message.state for message in turn.messages] == ["stopped"]
    assert until(turn, AlternativeEnded, 1).message is None
    desk.manager.close()


def test_an_engine_that_dies_costs_only_the_reply_it_was_writing(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path, ScriptedBackend(["one", "two", "a third reply that is too long", "never"], fail_after=3)
    )
    turn = done(desk.session.send("Hello", n=4))
    assert turn.reason == "failed" and turn.error and turn.hint
    assert [message.state for message in turn.messages] == ["finished", "finished", "failed"]
    assert turn.messages[0].text == "one" and turn.messages[0].tokens and turn.messages[1].text == "two"
    assert (
        "a third reply that is too long".startswith(turn.messages[2].text.strip()) and turn.messages[2].text
    )
    assert turn.messages[2].provenance.stop_reason != "eos"
    assert desk.session.head == turn.message_id and len(desk.beside()) == 3
    assert done(desk.session.send("Again")).reason == "eos"
    desk.manager.close()


def test_if_the_first_says_nothing_the_next_takes_its_place(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["  ", "two", "three"]))
    turn = done(desk.session.send("Hello", n=3))
    assert turn.text == "two" and turn.message is not None and turn.message.id == turn.message_ids[1]
    assert desk.texts() == ["Hello", "two"] and desk.beside() == ["two", "three"]
    assert [message.text for message in turn.messages] == ["two", "three"]
    assert desk.session.undo() and desk.texts() == []
    desk.manager.close()


def test_a_program_killed_in_the_middle_loses_none_that_was_complete(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["one", "two", "a third reply that goes on"], gated=True))
    turn = desk.session.send("Hello", n=3)
    desk.backend.allow(3)
    until(turn, AlternativeEnded, 1)
    # Whoever opens the folder now finds it as a killed program would leave it.
    with airochat.open(tmp_path, ScriptedBackend(REPLIES)) as manager:
        session = manager.load(desk.session.id)
        tree = session.tree
        assert [message.text for message in session.history] == ["Hello", "one"], "a reply is shown"
        assert [tree[one].text for one in tree.siblings(turn.message_id)][:2] == ["one", "two"]
        done(session.swipe())
        assert session.undo()
    turn.stop()
    done(turn)
    desk.manager.close()


def test_a_reply_that_a_crash_cut_off_long_ago_draws_no_attention(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["one two three four", "two", "three"], gated=True))
    turn = desk.session.send("Hello", n=3)
    desk.backend.allow(8)
    until(turn, AlternativeEnded, 1)
    with airochat.open(tmp_path, ScriptedBackend(["three"])) as manager:
        session = manager.load(desk.session.id)
        done(session.swipe())
        session.previous_swipe()
        head = session.head
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        assert manager.load(desk.session.id).head == head
    turn.stop()
    done(turn)
    desk.manager.close()


def test_replies_that_cannot_be_saved_are_saved_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(desk.manager.store, "save_reply", full)
        done(desk.session.send("Hello", n=3))
    assert desk.beside() == ["one", "two", "three"]
    assert any(isinstance(event, Notice) and "full" in event.message for event in desk.events)
    done(desk.session.send("More"))
    stored = [message.text for message in desk.manager.store.messages(desk.session.id)]
    assert stored == ["Hello", "one", "two", "three", "More", "four"]


def test_a_whisper_is_answered_several_times_for_the_same_ears(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(REPLIES)) as manager:
        session = manager.new(card=[MAYA, BRANN])
        turn = done(session.send("Psst.", to=["Maya"], n=3))
        assert [session.group.audience(message.id) for message in turn.messages] == [("Maya",)] * 3
        more = done(session.swipe(n=2))
        assert [session.group.audience(message.id) for message in more.messages] == [("Maya",)] * 2
        key = session.id
        assert "five" not in session.prompt(speaker="Brann").text
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        again = manager.load(key)
        assert all(
            again.group.audience(message.id) == ("Maya",) for message in (*turn.messages, *more.messages)
        )


def test_what_macros_set_is_kept_with_each(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(REPLIES)) as manager:
        session = manager.new(card=MAYA)
        turn = done(session.send("Hello", n=3))
        for message in turn.messages:
            session.turn_to(message.id)
            assert session.variables.at(session.history).local == {"mood": "calm"}, message.text
            assert session.variables._local[message.id] == {"mood": "calm"}


def test_plugins_are_told_of_each_and_may_change_each(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    notify = desk.session.plugins.notify

    def listen(hook: str, context: Any, facts: Any = None) -> None:
        if hook == "on_message_added":
            told.append(facts.message.text)
        elif hook in ("on_turn_started", "on_turn_finished"):
            told.append(hook)
        notify(hook, context, facts)

    monkeypatch.setattr(desk.session.plugins, "notify", listen)
    monkeypatch.setattr(desk.session.plugins, "reply", lambda context, text: text.upper())
    turn = done(desk.session.send("Hello", n=3))
    assert told == ["Hello", "on_turn_started", "ONE", "TWO", "THREE", "on_turn_finished"]
    assert [message.provenance.raw for message in turn.messages] == ["one", "two", "three"]
    assert all(message.tokens == () for message in turn.messages)


def test_an_impersonated_message_is_one(desk: Desk) -> None:
    done(desk.session.send("Hello"))
    with pytest.raises(SettingsError, match="'n'"):
        desk.session.impersonate(n=2)
    assert len(desk.texts()) == 2
