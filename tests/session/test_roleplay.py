"""Characters in a session: greetings, groups, whispers, macros and tidied replies, on the scripted backend."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.characters import Card, Persona
from airochat.errors import AirochatError, SettingsError, StoreError, UsageError
from airochat.presets import Presets
from airochat.session import Session, SessionManager, Turn
from airochat.session.commands import run_command
from airochat.session.events import ModelReady, Notice, TextAdded
from airochat.store import Store

MAYA = Card(
    "Maya Vale",
    nickname="Maya",
    description="{{char}} keeps the lamp for {{user}}.",
    first_mes="Welcome, {{user}}.{{setvar::met::1}}",
    alternate_greetings=("You again?{{setvar::met::2}}", "  "),
)
BRANN = Card("Brann", description="A smith.")

Open = Callable[..., SessionManager]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    managers: list[SessionManager] = []

    def make(*replies: str, **settings: object) -> SessionManager:
        manager = airochat.open(tmp_path, ScriptedBackend(replies or ("one",)), settings)
        managers.append(manager)
        return manager

    yield make
    for manager in managers:
        manager.close()


def done(turn: Turn) -> Turn:
    assert turn.wait(20)
    return turn


def seen(session: Session, speaker: str = "") -> str:
    return session.prompt(speaker=speaker).text


def test_greetings_are_swipes_with_their_own_variables(opened: Open) -> None:
    session = opened().new(card=MAYA, persona=Persona("Rook"))
    assert [message.text for message in session.history] == ["Welcome, Rook."]
    assert session.swipe_position() == (1, 2)
    assert session.history[0].name == session.title == "Maya"
    assert done(session.send("{{getvar::met}}")).text == "one"
    assert session.history[1].text == "1"
    session.undo()
    assert session.next_swipe()
    done(session.send("{{getvar::met}} {{user}}{{// aside}}"))
    assert [message.text for message in session.history] == ["You again?", "2 Rook", "one"]


def test_variables_belong_to_their_branch_and_survive(opened: Open) -> None:
    manager = opened("a", "b", "c")
    session = manager.new(card=BRANN)
    done(session.send("{{setvar::gold::5}}one{{incglobalvar::turns}}"))
    fork = session.head
    done(session.send("{{addvar::gold::2}}{{getvar::gold}}"))
    assert session.history[-2].text == "7"
    session.branch(fork)
    done(session.send("{{getvar::gold}}"))
    assert session.history[-2].text == "5"
    session_id = session.id
    manager.close()
    again = opened().load(session_id)
    assert done(again.send("{{getvar::gold}} {{getglobalvar::turns}}")).done
    assert again.history[-2].text == "5 1"


def test_macros_in_a_reply_are_text(opened: Open) -> None:
    session = opened("{{setvar::x::1}}{{user}} <USER>").new(card=BRANN)
    done(session.send("Hello"))
    assert session.history[-1].text == "{{setvar::x::1}}{{user}} <USER>"
    assert "{{setvar::x::1}}{{user}} <USER>" in seen(session)
    assert "{{lastMessage}}" not in (text := seen(opened("x").load(session.id))) and "{{user}}" in text


def test_looking_at_a_prompt_changes_nothing(opened: Open) -> None:
    counter = Card("Counter", description="Seen {{incvar::seen}} times.")
    session = opened("a", "b").new(card=counter)
    assert "Seen 1 times." in seen(session) and "Seen 1 times." in seen(session)
    done(session.send("Hello"))
    assert "Seen 2 times." in seen(session)
    session.undo()
    assert "Seen 1 times." in seen(session)


def test_a_group_answers_in_turn(opened: Open) -> None:
    session = opened("A", "B", "C", "D").new(card=[MAYA, BRANN])
    assert session.title == "Maya, Brann" and session.group.names == ("Maya", "Brann")
    turn = done(session.send("Brann! And Maya?"))
    assert turn.message is not None and turn.message.name == "Brann"
    assert session.group.due() == ["Maya"]
    assert done(session.speak()).message.name == "Maya"  # type: ignore[union-attr]
    assert session.group.due() == []
    assert done(session.speak("narrator")).message.name == "Narrator"  # type: ignore[union-attr]
    swiped = done(session.swipe()).message
    assert swiped is not None and swiped.name == "Narrator"
    with pytest.raises(UsageError, match="Nobody here is called 'Bob'"):
        session.send("Bob?", speaker="Bob")
    assert session.turn is None and "Bob?" not in [message.text for message in session.history]


def test_the_head_is_the_same_whoever_speaks(opened: Open) -> None:
    session = opened("A", "B").new(card=[MAYA, BRANN])
    done(session.send("Hello, Maya."))
    as_maya, as_brann = (session.prompt(speaker=name) for name in ("Maya", "Brann"))
    assert as_maya.text != as_brann.text
    shared = len(as_maya.text) - 40
    assert as_maya.text[:shared] == as_brann.text[:shared]


def test_a_whisper_stays_between_two(opened: Open) -> None:
    manager = opened("Mine alone.", "Open.")
    session = manager.new(card=[MAYA, BRANN])
    done(session.send("The key is under the stone. Not a word to Brann.", to=["Maya"]))
    assert session.group.due() == []
    done(session.send("Good morning, all!"))
    for name, knows in (("Maya", True), ("Brann", False), ("Narrator", True)):
        assert ("under the stone" in seen(session, name)) is knows
        assert ("Mine alone." in seen(session, name)) is knows
    manager.close()
    again = opened().load(session.id)
    assert "under the stone" not in seen(again, "Brann")
    again.group.show_only_to(again.history[1].id, [])
    assert "under the stone" in seen(again, "Brann")
    with pytest.raises(UsageError):
        again.send("Hush", to=["Nobody"])


def test_narration_is_kept_and_seen(opened: Open) -> None:
    session = opened().new(card=MAYA)
    message = session.narrate("Rain begins.")
    assert (message.role, message.name) == ("system", "Narrator")
    assert "Rain begins." in seen(session)
    assert done(session.send("Listen!")).text == "one"


def test_characters_join_leave_and_fall_silent(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "brann.json"
    path.write_text(json.dumps(BRANN.fields()), encoding="utf-8")
    manager = opened()
    session = manager.new(card=MAYA)
    assert run_command(session, f"/join {path}") == "Brann is here."
    with pytest.raises(UsageError, match="Brann is here already"):
        session.group.add(BRANN)
    assert run_command(session, "/mute brann") == "Brann speaks only when told to."
    assert run_command(session, "/cast") == "Maya\nBrann (silent)\nYou (you)\nNext: Maya, by mention"
    assert run_command(session, "/order round") == "Who speaks next is decided by round."
    with pytest.raises(SettingsError, match="group_order = 'dice' is not known"):
        run_command(session, "/order dice")
    assert run_command(session, "/leave maya") == "Maya is gone."
    manager.close()
    again = opened().load(session.id)
    assert again.group.names == ("Brann",) and again.profile.muted == ("Brann",)
    assert again.history[0].name == "Maya", "what was said stays"


def test_a_library_card_follows_its_edits_and_outlives_its_file(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "brann.json"
    path.write_text(json.dumps(BRANN.fields()), encoding="utf-8")
    manager = opened()
    entry = manager.cards.import_(path).entry
    session = manager.new(card="Brann")
    assert session.profile.card_ids == (entry.id,)
    manager.cards.edit(entry.id, {"description": "A farrier."})
    manager.card_changed(entry.id)
    assert session.card is not None and session.card.description == "A farrier."
    manager.cards.remove(entry.id)
    manager.close()
    again = opened().load(session.id)
    assert again.card is not None and again.card.description == "A farrier."
    with pytest.raises(UsageError):
        again._manager.new(card="Brann")


def test_the_persona_of_the_card_or_the_default_speaks(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "brann.json"
    path.write_text(json.dumps(BRANN.fields()), encoding="utf-8")
    manager = opened()
    for name in ("Rook", "Wren"):
        manager.personas.put(Persona(name, f"{name} is a rider."))
    manager.personas.set_default("Wren")
    entry = manager.cards.import_(path).entry
    assert manager.new(card="Brann").user_name == "Wren"
    manager.cards.set_persona(entry.id, "Rook")
    session = manager.new(card="Brann")
    assert session.user_name == "Rook" and "Rook is a rider." in seen(session)
    assert run_command(session, "/persona wren") == "You are Wren."
    assert run_command(session, "/persona off") == "You are You."
    assert manager.new(persona=Persona("Guest")).user_name == "Guest"


def test_replies_are_tidied_and_the_raw_one_is_kept(opened: Open) -> None:
    session = opened('*She nods. "Come in').new(card=MAYA)
    message = done(session.send("Hello")).message
    assert message is not None and message.text.count('"') == 2
    assert message.provenance.raw == '*She nods. "Come in'
    plain = opened('*She nods. "Come in').new()
    said = done(plain.send("Hello")).message
    assert said is not None and said.text == '*She nods. "Come in' and said.provenance.raw == ""


def test_a_reply_that_is_cut_ends_with_a_sentence_if_wanted(opened: Open) -> None:
    session = opened("One two. Three four five six", trim_replies=True).new(card=MAYA)
    message = done(session.send("Hello", max_tokens=4)).message
    assert message is not None and message.provenance.stop_reason == "length"
    assert message.text in message.provenance.raw or not message.provenance.raw


def test_ten_thousand_greetings(opened: Open) -> None:
    many = Card("Many", first_mes="First", alternate_greetings=tuple(f"Hello {n}" for n in range(10_000)))
    session = opened().new(card=many)
    assert session.swipe_position() == (1, 10_001)
    assert session.next_swipe() and session.history[0].text == "Hello 0"


def test_a_chat_of_the_first_layout_opens(opened: Open, tmp_path: Path) -> None:
    manager = opened()
    session = manager.new()
    manager.store.update_session(session.id, settings={"card": MAYA.fields(), "persona": {"name": "Rook"}})
    manager.close()
    again = opened().load(session.id)
    assert again.group.names == ("Maya Vale",) or again.group.names == ("Maya",)
    assert again.user_name == "Rook"


def test_nothing_is_lost_if_the_disk_is_full(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened().new(card=MAYA)

    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Store, "add_message", full)
    with pytest.raises(StoreError):
        session.send("{{setvar::met::9}}Hello")
    assert [message.text for message in session.history] == ["Welcome, You."]
    monkeypatch.undo()
    done(session.send("{{getvar::met}}"))
    assert session.history[1].text == "1"


def test_a_model_that_writes_names_chooses_who_speaks(opened: Open) -> None:
    manager = opened(
        ' Brann: "Here."',
        "Maya:",
        "No name.",
        template="airoboros-2",
        speaker_label="model",
        group_order="hand",
    )
    session = manager.new(card=[MAYA, BRANN])
    turn = session.send("Anyone?")
    shown = "".join(event.text for event in turn if isinstance(event, TextAdded))
    assert shown == '"Here."' and turn.message is not None
    assert (turn.message.name, turn.message.text) == ("Brann", '"Here."')
    assert seen(session).count('Brann: "Here."') == 1
    assert done(session.speak()).message is None, "a name alone is no reply"
    unnamed = done(session.speak("Maya")).message
    assert unnamed is not None and (unnamed.name, unnamed.text) == ("Maya", "No name.")


def test_an_edited_whisper_stays_one_and_keeps_its_variables(opened: Open) -> None:
    session = opened("Mine alone.").new(card=[MAYA, BRANN])
    done(session.send("secret{{setvar::v::1}}", to=["Maya"]))
    session.edit(session.history[-1].id, "Still mine.")
    assert "Still mine." not in seen(session, "Brann") and "Still mine." in seen(session, "Maya")
    session.undo()
    session.edit(session.history[-2].id, "secret2, {{user}}")
    assert session.history[-1].text == "secret2, You"
    assert "secret2" not in seen(session, "Brann")
    session.edit(session.history[-1].id, "{{setvar::v::3}}three")
    done(session.send("v={{getvar::v}}"))
    assert session.history[-2].text == "v=3"


def test_only_who_heard_a_whisper_answers_in_a_whisper(opened: Open) -> None:
    cleo = Card("Cleo")
    session = opened("mine", "aloud", "told").new(card=[MAYA, BRANN, cleo])
    turn = session.send("{{setvar::v::2}}Hush.", to=["Maya"])
    assert session.group.audience(turn.message_id) == ("Maya",), "known before a word of it is stored"
    done(turn)
    done(session.speak("Brann"))
    assert "aloud" in seen(session, "Cleo") and "mine" not in seen(session, "Cleo")
    assert session.group.audience(done(session.speak("narrator")).message_id) == ()
    done(session.send("{{getvar::v}}"))
    assert session.history[-2].text == "2"


def test_a_whisper_is_not_lost_when_a_character_is_renamed(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "anna.json"
    path.write_text(json.dumps(Card("Anna").fields()), encoding="utf-8")
    manager = opened()
    entry = manager.cards.import_(path).entry
    session = manager.new(card=["Anna", BRANN])
    done(session.send("under the stone", to=["Anna"]))
    manager.cards.edit(entry.id, {"name": "Anne"})
    manager.card_changed(entry.id)
    assert "under the stone" in seen(session, "Anne") and "under the stone" not in seen(session, "Brann")
    manager.cards.edit(entry.id, {"name": "brann"})
    manager.card_changed(entry.id)
    assert session.group.names == ("Anne", "Brann")


def test_what_was_cut_goes_on_where_the_model_stopped(opened: Open) -> None:
    session = opened("*walks slowly to the", ' door* "Hi."').new(card=BRANN)
    assert done(session.send("Come.")).text == "*walks slowly to the*"
    assert done(session.continue_()).text == '*walks slowly to the door* "Hi."'
    edited = session.edit(session.history[-1].id, "*stays")
    assert edited.provenance.raw == ""


def test_names_of_before_still_end_a_reply(opened: Open) -> None:
    session = opened("one").new(card=[MAYA, BRANN], persona=Persona("Rook"))
    done(session.send("Hello"))
    session.set(persona=Persona("Juno"))
    session.group.remove("Brann")
    done(session.send("Again"))
    assert {"\nRook:", "\nJuno:"} <= set(session.prompt().stop)


def test_a_card_may_be_called_narrator(opened: Open) -> None:
    session = opened("one", "two").new(card=[Card("Narrator", description="I tell."), BRANN])
    assert session.profile.cast.find("narrator").description == "I tell."
    with pytest.raises(UsageError):
        opened().new(card=MAYA).group.mute("narrator")
    with pytest.raises(UsageError, match="brann is here already"):
        session.group.add(Card("brann"))


def test_macros_in_what_is_told_and_greeted(opened: Open) -> None:
    manager, ready = opened(), threading.Event()
    manager.subscribe(lambda event: ready.set() if isinstance(event, ModelReady) else None)
    manager.start()
    assert ready.wait(20)
    session = manager.new(card=Card("Ada", first_mes="I run on {{model}}.", system_prompt="Be brief."))
    assert session.history[0].text == "I run on scripted."
    assert session.narrate("{{char}} goes. {{system}}").text == "Ada goes. Be brief."
    with pytest.raises(UsageError, match="Nothing is left"):
        session.send("{{setvar::v::1}}")
    with pytest.raises(UsageError, match="Nothing is left"):
        session.narrate("{{// nothing}}")
    assert len(session.history) == 2


def test_greetings_for_groups_come_first(opened: Open) -> None:
    elm = Card("Elm", first_mes="Alone?", group_only_greetings=("All of you!",))
    session = opened().new(card=[MAYA, elm])
    assert [session.tree[one].text for one in session.tree.children[None]][:2] == [
        "All of you!",
        "Welcome, You.",
    ]
    assert session.history[0].name == "Elm"


def test_a_card_has_a_say_in_the_sampling_below_chat_and_turn(opened: Open) -> None:
    wishes = {"temperature": 0.3, "top_k": 7, "max_tokens": 3, "grammar": 5, "min_p": "much"}
    card = Card("Ada", extensions={"airochat": {"sampling": wishes}})
    session = opened("one", temperature=0.9).new(card=card)
    told: list[str] = []
    session.subscribe(lambda event: told.append(event.message) if isinstance(event, Notice) else None)
    session.set(sampling={"top_k": 9})
    message = done(session.send("Hello", min_p=0.2)).message
    assert message is not None
    used = message.provenance.sampling
    assert (used["temperature"], used["top_k"], used["min_p"]) == (0.3, 9, 0.2)
    assert any("min_p" in one for one in told)
    session.group.add(BRANN)
    assert session.profile.effective_sampling().temperature == 0.9


def test_an_unknown_command_lists_all_there_are(opened: Open) -> None:
    session = opened().new(card=MAYA)
    with pytest.raises(UsageError, match=r"There is no command /spaek\. Did you mean 'speak'"):
        run_command(session, "/spaek Maya")
    with pytest.raises(UsageError, match=r"cast, .*narrate, note, .*whisper"):
        run_command(session, "/xyzzy")
    assert "author's note" in str(run_command(session, "/note"))


def test_a_chat_may_begin_with_a_preset(opened: Open) -> None:
    manager = opened()
    presets = Presets(manager.home.folder("presets"))
    name = presets.names()[0]
    session = manager.new(preset=name)
    used = session.profile.effective_sampling()
    wanted = presets.get(name).values
    assert wanted and all(getattr(used, field) == value for field, value in wanted.items())
    with pytest.raises(AirochatError):
        manager.new(preset="nope")


def test_a_whisper_outlives_one_of_those_who_heard_it(opened: Open) -> None:
    session = opened("one", "two").new(card=[MAYA, BRANN, Card("Cleo")])
    done(session.send("under the stone", to=["Maya", "Brann"]))
    whispered = session.history[-2].id
    session.group.remove("Brann")
    session.move(whispered)
    assert session.group.audience(done(session.speak("Maya")).message_id) == ("Maya", "Brann")
    assert session.group.audience(session.edit(whispered, "under the step").id) == ("Maya", "Brann")
    assert "under the step" not in seen(session, "Cleo")
