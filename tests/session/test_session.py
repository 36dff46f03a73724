"""Sessions on the scripted backend: one path for every turn, and a tree in which nothing is lost."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.characters import Card
from airochat.errors import AirochatError, ModelError, SettingsError, StoreError, TemplateError, UsageError
from airochat.session import Session, SessionManager
from airochat.session.events import (
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    PromptReady,
    SessionEvent,
    TextAdded,
    TreeChanged,
    TurnEnded,
    TurnStarted,
)

REPLIES = ("one", "two", "three", "four", "five")


class Desk:
    """A manager, a session, and everything that the session told."""

    def __init__(self, home: Path, backend: ScriptedBackend) -> None:
        self.backend = backend
        self.manager: SessionManager = airochat.open(home, backend)
        self.session: Session = self.manager.new()
        self.events: list[SessionEvent] = []
        self.session.subscribe(self.events.append)

    def texts(self) -> list[str]:
        return [message.text for message in self.session.history]

    def say(self, text: str) -> str:
        turn = self.session.send(text)
        assert turn.wait(20)
        return turn.text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ScriptedBackend(REPLIES))
    yield made
    made.manager.close()


def test_a_turn_tells_its_story_in_order(desk: Desk) -> None:
    turn = desk.session.send("Hello", seed=3)
    kinds = [type(event) for event in turn]
    assert kinds[:2] == [TurnStarted, PromptReady] and kinds[-1] is TurnEnded and TextAdded in kinds
    assert [type(event) for event in turn] == kinds, "a finished turn can be read again"
    assert desk.texts() == ["Hello", "one"]
    assert turn.text == "one" and turn.reason == "eos" and turn.message == desk.session.history[-1]
    assert turn.usage.prompt == turn.usage.reused + turn.usage.evaluated > 0
    order = [type(event) for event in desk.events if isinstance(event, (TreeChanged, TurnStarted, TurnEnded))]
    assert order == [TreeChanged, TurnStarted, TreeChanged, TurnEnded]
    assert any(isinstance(event, ModelReady) and event.template for event in desk.events)


def test_what_a_reply_was_made_with_is_kept(desk: Desk) -> None:
    desk.say("Hello")
    made = desk.session.history[-1].provenance
    assert made.model == "scripted" and made.template and made.stop_reason == "eos"
    assert isinstance(made.sampling["seed"], int)
    assert desk.session.history[-1].tokens


async def test_a_turn_can_be_awaited(desk: Desk) -> None:
    message = await desk.session.send("Hello")
    assert message is not None and message.text == "one"
    seen = [event async for event in desk.session.swipe()]
    assert isinstance(seen[0], TurnStarted) and isinstance(seen[-1], TurnEnded)


def test_a_second_turn_evaluates_only_what_is_new(desk: Desk) -> None:
    desk.say("Hello there, this is a first message of some length.")
    turn = desk.session.send("More")
    turn.wait(20)
    first = turn.usage.reused
    assert turn.usage.evaluated < first


def test_a_swipe_is_a_sibling_and_both_stay(desk: Desk) -> None:
    desk.say("Hello")
    desk.session.swipe().wait(20)
    assert desk.texts() == ["Hello", "two"] and desk.session.swipe_position() == (2, 2)
    assert desk.session.previous_swipe() and desk.texts() == ["Hello", "one"]
    assert not desk.session.previous_swipe()
    assert desk.session.next_swipe() and desk.texts() == ["Hello", "two"]
    assert not desk.session.next_swipe()


def test_moving_the_head_makes_a_branch(desk: Desk) -> None:
    desk.say("a")
    first_reply = desk.session.history[1].id
    desk.say("b")
    desk.session.move(first_reply)
    desk.say("c")
    assert desk.texts() == ["a", "one", "c", "three"]
    assert {message.text for message in desk.session.tree.messages.values()} == {
        *("a", "one", "b", "two", "c", "three")
    }


def test_an_edit_is_a_sibling(desk: Desk) -> None:
    desk.say("a")
    old = desk.session.history[0]
    desk.session.edit(old.id, "A!")
    assert desk.texts() == ["A!"] and desk.session.tree[old.id].text == "a"
    desk.session.swipe().wait(20)
    assert desk.texts() == ["A!", "two"]
    desk.session.turn_to(old.id)
    assert desk.texts() == ["a", "one"]


def test_undo_and_redo_walk_over_whole_steps(desk: Desk) -> None:
    desk.say("a")
    desk.say("b")
    desk.session.swipe().wait(20)
    walk = [desk.texts()]
    while desk.session.undo():
        walk.append(desk.texts())
    assert walk == [["a", "one", "b", "three"], ["a", "one", "b", "two"], ["a", "one"], []]
    back = [desk.texts()]
    while desk.session.redo():
        back.append(desk.texts())
    assert back == walk[::-1]


def test_undo_returns_to_the_alternative_that_was_shown(desk: Desk) -> None:
    desk.say("a")
    desk.session.swipe().wait(20)
    desk.session.previous_swipe()
    desk.say("b")
    desk.session.undo()
    assert desk.texts() == ["a", "one"]


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    first = Desk(tmp_path, ScriptedBackend(REPLIES))
    first.say("Hello there, friend")
    first.session.swipe().wait(20)
    first.session.previous_swipe()
    first.session.set(system="Be brief.", sampling={"temperature": 0.1})
    tree, key = first.session.tree, first.session.id
    first.manager.close()
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        assert [(row.title, row.messages) for row in manager.sessions()] == [("Hello there, friend", 3)]
        session = manager.load(key)
        assert session.tree == tree
        assert session.profile.effective_sampling().temperature == 0.1
        assert "Be brief." in session.prompt("x").text
        assert manager.latest() is session
        assert session.undo() and session.undo() and not session.history


def test_a_stopped_reply_is_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["a long reply that goes on and on"], gated=True))
    turn = desk.session.send("Hello")
    desk.backend.allow(6)
    next(event for event in turn if isinstance(event, TextAdded))
    turn.stop()
    assert turn.wait(20) and turn.reason == "user"
    assert turn.message is not None and turn.message.state == "stopped"
    assert "a long reply that goes on and on".startswith(turn.message.text.strip()) and turn.message.text
    desk.manager.close()


def test_a_turn_can_be_stopped_while_the_model_is_loading(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(held=True))
    turn = desk.session.send("Hello")
    turn.stop()
    assert turn.wait(20) and turn.reason == "user" and turn.message is None
    assert desk.texts() == ["Hello"]
    desk.backend.finish_loading()
    desk.session.send("").wait(20)
    assert len(desk.texts()) == 2
    desk.manager.close()


def test_a_dead_engine_keeps_the_text_and_the_next_turn_works(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["a long reply", "fine"], fail_after=3))
    turn = desk.session.send("Hello")
    turn.wait(20)
    assert turn.reason == "failed" and "engine" in turn.error and turn.hint
    assert turn.message is not None and turn.message.state == "failed" and turn.message.text
    assert desk.say("Again") == "fine"
    desk.manager.close()


def test_a_model_that_cannot_be_loaded_fails_the_turn_and_keeps_the_message(tmp_path: Path) -> None:
    with airochat.open(tmp_path, "nowhere.gguf") as manager:
        session = manager.new()
        turn = session.send("Hello")
        assert turn.wait(20) and turn.reason == "failed" and "nowhere.gguf" in turn.error
        assert [message.text for message in session.history] == ["Hello"]


def test_without_a_model_the_turn_says_how_to_get_one(tmp_path: Path) -> None:
    with airochat.open(tmp_path, "") as manager:
        turn = manager.new().send("Hello")
        assert turn.wait(20) and "No model" in turn.error and "demo" in turn.hint


def test_only_one_reply_at_a_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(gated=True))
    turn = desk.session.send("Hello")
    for act in (lambda: desk.session.send("again"), desk.session.swipe, desk.session.undo):
        with pytest.raises(UsageError, match="being written"):
            act()
    assert desk.texts() == ["Hello"]
    turn.stop()
    turn.wait(20)
    desk.manager.close()


def test_wrong_sampling_changes_nothing(desk: Desk) -> None:
    wrong: tuple[dict[str, Any], ...] = ({"temperature": -1}, {"warmth": 1})
    for fields in wrong:
        with pytest.raises(SettingsError):
            desk.session.send("Hello", prefill="", **fields)
    with pytest.raises(UsageError):
        desk.session.set(colour="red")
    with pytest.raises(TemplateError, match="chatml"):
        desk.session.set(template="chatmel")
    assert desk.texts() == []


def test_a_message_that_cannot_be_saved_is_refused(desk: Desk) -> None:
    desk.manager.store.close()
    with pytest.raises(StoreError):
        desk.session.send("Hello")
    assert desk.texts() == [] and desk.session.turn is None


def test_a_reply_that_cannot_be_saved_is_saved_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    full = StoreError("The disk is full.", "Make room.")
    save = desk.manager.store.save_reply

    def fail(*_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr(desk.manager.store, "save_reply", fail)
    assert desk.say("Hello") == "one"
    assert desk.texts() == ["Hello", "one"]
    assert any(isinstance(event, Notice) and "full" in event.message for event in desk.events)
    monkeypatch.setattr(desk.manager.store, "save_reply", save)
    desk.say("More")
    stored = [message.text for message in desk.manager.store.messages(desk.session.id)]
    assert stored == ["Hello", "one", "More", "two"]


def test_a_listener_that_fails_disturbs_nobody(desk: Desk) -> None:
    def broken(event: SessionEvent) -> None:
        raise RuntimeError("front end")

    desk.session.subscribe(broken)
    assert desk.say("Hello") == "one"


def test_a_command_of_a_plugin_changes_the_prompt(desk: Desk) -> None:
    desk.session.command("/note the rain grows louder")
    plan = desk.session.prompt("Hello")
    assert "the rain grows louder" in plan.text
    assert any(row.source.startswith("plugin:authors_note") and row.included for row in plan.report)
    with pytest.raises(UsageError, match="'note'"):
        desk.session.command("/noet x")


def test_a_card_greets_with_its_alternatives(tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(
        '{"name": "Aria", "description": "{{char}} mends lamps.", "first_mes": "Hello, {{user}}.",'
        ' "alternate_greetings": ["Oh. {{user}}."]}'
    )
    with airochat.open(tmp_path / "home", ScriptedBackend(REPLIES), {"user_name": "Rook"}) as manager:
        session = manager.new(card=card)
        card.unlink()
        assert [message.text for message in session.history] == ["Hello, Rook."]
        assert session.next_swipe() and session.history[0].text == "Oh. Rook."
        assert session.reply_name == "Aria" and session.title == "Aria"
        assert "Aria mends lamps." in session.prompt("x").text
        manager.close()
    with airochat.open(tmp_path / "home", ScriptedBackend()) as manager:
        session = manager.load("Aria")
        assert session.card is not None and session.card.description == "{{char}} mends lamps."


def test_two_managers_on_one_folder_lose_nothing(tmp_path: Path) -> None:
    with (
        airochat.open(tmp_path, ScriptedBackend(REPLIES)) as one,
        airochat.open(tmp_path, ScriptedBackend()) as two,
    ):
        first = one.new(title="shared")
        second = two.load(first.id)
        turns = [session.send(text) for session, text in ((first, "left"), (second, "right"))]
        assert all(turn.wait(20) for turn in turns)
        texts = {message.text for message in one.store.messages(first.id)}
        assert {"left", "right", "one"} <= texts and len(texts) == 4


def test_closing_while_a_reply_is_written_keeps_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["a long reply that goes on"], gated=True))
    turn = desk.session.send("Hello")
    desk.backend.allow(4)
    next(event for event in turn if isinstance(event, TextAdded))
    desk.manager.close()
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        latest = manager.latest()
        assert latest is not None and latest.history[-1].state == "stopped" and latest.history[-1].text


def test_changing_the_model_is_told(desk: Desk) -> None:
    ready = threading.Event()
    desk.session.subscribe(lambda event: ready.set() if isinstance(event, ModelReady) else None)
    desk.manager.use_model("scripted", remember=True)
    assert ready.wait(20)
    assert 'model = "scripted"' in desk.manager.home.settings.read_text()
    assert desk.say("Hello")


def test_errors_can_be_told_to_a_user() -> None:
    assert str(AirochatError("What happened.", "What to do.")) == "What happened. What to do."


def test_half_a_character_is_replaced(desk: Desk) -> None:
    assert desk.say("broken \ud83d pair") == "one"
    assert desk.texts()[0] == "broken \ufffd pair"


def test_a_card_made_by_hand_is_kept(tmp_path: Path) -> None:
    card = Card("Mira", description="Mends lamps.", alternate_greetings=("Oh.",), first_mes="Yes?")
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        assert manager.new(card=card).reply_name == "Mira"
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        assert manager.load("Mira").card == card


def test_a_wrong_model_name_leaves_the_old_model(desk: Desk) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        desk.manager.use_model("nowhere", remember=True)
    assert desk.say("Hello") == "one"
    assert not desk.manager.home.settings.exists()


def test_a_reply_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScriptedBackend(["The lamp", " burns on."]))
    desk.session.send("Hello", max_tokens=3).wait(20)
    short = desk.session.history[-1]
    assert short.provenance.stop_reason == "length"
    turn = desk.session.send("")
    assert "".join(event.text for event in turn if isinstance(event, TextAdded)) == turn.text
    assert desk.texts() == ["Hello", f"{short.text} burns on."] and desk.session.swipe_position() == (2, 2)
    assert desk.session.history[-1].tokens[: len(short.tokens)] == short.tokens
    assert turn.usage.evaluated <= 1
    desk.session.continue_().wait(20)
    assert desk.session.swipe_position() == (3, 3)
    desk.manager.close()


def test_a_finished_reply_is_followed_by_another(desk: Desk) -> None:
    desk.say("Hello")
    desk.session.send("").wait(20)
    assert desk.texts() == ["Hello", "one", "two"]


def test_a_reply_can_start_with_given_words(desk: Desk) -> None:
    turn = desk.session.send("Hello", prefill="Well, ")
    turn.wait(20)
    assert turn.text == "Well, one" == desk.session.history[-1].text
    assert desk.session.history[-1].tokens == ()


def test_the_model_can_speak_for_the_user(desk: Desk) -> None:
    desk.say("Hello")
    desk.session.impersonate().wait(20)
    assert [(message.role, message.name) for message in desk.session.history][-1] == ("user", "You")
    with pytest.raises(UsageError, match="not a reply"):
        desk.session.continue_()


def test_doubts_about_the_template_are_told_once(tmp_path: Path) -> None:
    backend = ScriptedBackend(REPLIES)
    backend._model = dataclasses.replace(backend._model, name="airochronos-33b")
    desk = Desk(tmp_path, backend)
    desk.say("Hello")
    desk.say("More")
    told = [event.message for event in desk.events if isinstance(event, Notice)]
    assert len(told) == 1 and "guess" in told[0]
    ready = next(event for event in desk.events if isinstance(event, ModelReady))
    assert ready.doubts == (told[0],)
    desk.manager.close()


def test_undo_knows_what_another_program_wrote(tmp_path: Path) -> None:
    with (
        airochat.open(tmp_path, ScriptedBackend(REPLIES)) as one,
        airochat.open(tmp_path, ScriptedBackend()) as two,
    ):
        first = one.new(title="shared")
        first.send("left").wait(20)
        second = two.load(first.id)
        second.send("right").wait(20)
        assert first.undo() and [message.text for message in first.history] == ["left", "one"]
        assert first.redo() and [message.text for message in first.history][:3] == ["left", "one", "right"]


def test_a_template_that_cannot_be_chosen_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("airochat.session.model.choose", broken)
    told: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    with airochat.open(tmp_path, ScriptedBackend()) as manager:
        manager.subscribe(told.put)
        manager.start()
        while isinstance(event := told.get(timeout=20), ModelLoading):
            pass
        assert isinstance(event, ModelFailed) and "a fault" in event.message


def test_a_broken_template_of_the_users_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "airoboros-1.toml").write_text("title = 1\n", encoding="utf-8")
    desk = Desk(tmp_path, ScriptedBackend(REPLIES))
    desk.say("Hello")
    assert any(isinstance(event, Notice) and "airoboros-1.toml" in event.message for event in desk.events)
    desk.manager.close()


def test_a_message_that_is_not_there_cannot_be_shown(desk: Desk) -> None:
    desk.say("Hello")
    head = desk.session.head
    for act in (desk.session.turn_to, desk.session.move):
        with pytest.raises(UsageError, match="'nobody'"):
            act("nobody")
    assert desk.session.head == head == desk.manager.store.find_session(desk.session.id).head
