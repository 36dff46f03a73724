"""The plugin in real sessions, with a store and the scripted model."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.characters import Persona, parse_card
from airochat.errors import AirochatError, CardError, UsageError
from airochat.hooks import Block, ChatContext
from airochat.session import Session, SessionManager
from plugins.lorebook.desk import Desk


def card(*entries: dict[str, Any], **fields: Any) -> airochat.Card:
    listed = [
        {"extensions": {}, "enabled": True, "insertion_order": 100, "use_regex": False, **entry}
        for entry in entries
    ]
    data = {
        "name": "Aria",
        "description": "Aria keeps the lighthouse.",
        "first_mes": "The wind rises.",
        "alternate_greetings": ["The wind falls."],
        "character_book": {"name": "Coast", "extensions": {}, "entries": listed},
        **fields,
    }
    return parse_card({"spec": "chara_card_v3", "spec_version": "3.0", "data": data}, "aria.json")


LAMP = {"keys": ["beacon"], "content": "It burns whale oil.", "name": "Lamp", "position": "before_char"}
WHALE = {"keys": ["whale"], "content": "Whales are rare.", "name": "Whale", "position": "after_char"}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(home=tmp_path / "home", model="scripted") as opened:
        yield opened


@pytest.fixture
def begin(manager: SessionManager) -> Callable[..., Session]:
    return lambda *entries, **fields: manager.new(card=card(*entries, **fields))


def rows(session: Session, text: str) -> dict[str, str]:
    """Lore in the prompt for a text: what it is called in the report, and why."""
    return {
        row.source.removeprefix("plugin:lorebook/"): row.reason
        for row in session.prompt(text).report
        if row.source.startswith("plugin:lorebook/") and row.included
    }


def say(session: Session, text: str) -> None:
    session.send(text, seed=1, max_tokens=20).wait(60)


def write(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"entries": {str(n): {"uid": n, **entry} for n, entry in enumerate(entries)}}),
        encoding="utf-8",
    )
    return path


def test_the_card_s_book_is_used_by_itself_and_says_why(begin: Callable[..., Session]) -> None:
    session = begin(LAMP, WHALE)
    assert rows(session, "Hello.") == {}
    assert rows(session, "Where is the beacon?") == {
        "Coast/Lamp": 'keyword "beacon" in message 2',
        "Coast/Whale": 'keyword "whale" in the entry "Lamp"',
    }
    text = session.prompt("Where is the beacon?").text
    places = [
        text.index(part)
        for part in ("It burns", "Aria keeps", "Whales are", "The wind rises.", "Where is the beacon?")
    ]
    assert places == sorted(places)


def test_a_system_text_stays_above_what_stands_before_the_character(begin: Callable[..., Session]) -> None:
    session = begin(LAMP, system_prompt="Be brief.")
    text = session.prompt("The beacon?").text
    assert text.index("Be brief.") < text.index("It burns") < text.index("Aria keeps")


def test_the_list_tells_books_and_what_is_in_the_prompt(begin: Callable[..., Session]) -> None:
    session = begin(LAMP, WHALE)
    say(session, "The beacon is out.")
    answer = session.command("/lore")
    assert "Coast: 2 entries, in the card" in answer
    assert "Coast/Lamp, " in answer and 'before the character: keyword "beacon" in message 2' in answer
    assert "In the prompt now: 2 entries" in answer


def test_why_tells_of_entries_that_fired_and_that_did_not(begin: Callable[..., Session]) -> None:
    never = {"keys": ["beacon"], "content": "x", "name": "Never", "extensions": {"probability": 0}}
    old = {"keys": ["wind"], "content": "x", "name": "Old"}
    inside = {"keys": ["con"], "content": "x", "name": "Ant"}
    off = {"keys": ["beacon"], "content": "x", "name": "Off", "enabled": False}
    session = begin(LAMP, never, old, inside, off)
    say(session, "The beacon is out.")
    lamp = session.command("/lore why lamp")
    assert "Coast/Lamp: in the prompt" in lamp
    assert 'because: keyword "beacon" in message 2' in lamp
    assert "there: You: The beacon is out. (character 9)" in lamp
    assert "tokens are read again" in lamp or "tokens behind it are read again" in lamp
    assert "the dice said" in session.command("/lore why Never")
    assert 'near miss: "wind" in message 1, which a scan depth of 3 would reach' in session.command(
        "/lore why Old"
    )
    assert 'near miss: "con" in message 2, but inside a word' in session.command("/lore why Ant")
    assert "is disabled in its book" in session.command("/lore why Coast/Off")
    overview = session.command("/lore why")
    assert 'Coast/Old: keyword "wind" in message 1, at depth 3' in overview
    assert "Coast/Never: the dice said" in overview
    with pytest.raises(UsageError, match="no entry 'Lemp'"):
        session.command("/lore why Lemp")


def test_the_last_reply_s_lore_is_told_of_its_own_prompt(begin: Callable[..., Session]) -> None:
    session = begin(LAMP)
    with pytest.raises(UsageError, match="no reply yet"):
        session.command("/lore last")
    say(session, "The beacon is out.")
    say(session, "x")
    say(session, "y")
    assert "not in the prompt" in session.command("/lore last Lamp")
    session.undo()
    session.undo()
    assert "Coast/Lamp: in the prompt" in session.command("/lore last Lamp")


def test_books_are_added_for_a_chat_for_all_and_removed(
    manager: SessionManager, begin: Callable[..., Session], tmp_path: Path
) -> None:
    world = write(tmp_path / "My World.json", {"key": ["moon"], "content": "Two moons.", "comment": "Moon"})
    session, other = begin(LAMP), begin(LAMP)
    assert session.command(f"/lore add {world}") == "My World is used in this chat: 1 entry."
    assert list(rows(session, "the moon")) == ["My World/Moon"]
    assert rows(other, "the moon") == {}
    world.unlink()
    assert "in all chats" in other.command(
        f"/lore add {write(world, {'key': ['moon'], 'content': 'Three.'})} global"
    )
    assert list(rows(other, "the moon")) == ["My World/moon"]
    assert list(rows(session, "the moon")) == ["My World/moon"]
    assert session.command("/lore remove my world") == "My World is gone."
    assert rows(other, "the moon") == rows(session, "the moon") == {}
    with pytest.raises(UsageError, match="no lorebook"):
        session.command("/lore remove My World")


def test_books_of_a_card_and_of_a_persona(manager: SessionManager, tmp_path: Path) -> None:
    world = write(tmp_path / "w.json", {"key": ["moon"], "content": "Two moons.", "comment": "Moon"})
    mine = write(tmp_path / "mine.json", {"key": ["moon"], "content": "Mine.", "comment": "Mine"})
    session = manager.new(card=card(LAMP), persona=Persona("Rowan", "A sailor."))
    session.command(f"/lore add {world} card")
    session.command(f"/lore add {mine} persona")
    assert set(rows(session, "moon")) == {"mine/Mine", "w/Moon"}
    assert set(rows(manager.new(card=card(LAMP)), "moon")) == {"w/Moon"}
    assert set(rows(manager.new(persona=Persona("Rowan")), "moon")) == {"mine/Mine"}
    with pytest.raises(UsageError, match="no character"):
        manager.new().command(f"/lore add {world} card")


def test_books_and_entries_are_switched_off_and_on(begin: Callable[..., Session]) -> None:
    session = begin(LAMP, WHALE)
    assert session.command("/lore off Whale") == "Coast/Whale is off in this chat."
    assert list(rows(session, "beacon")) == ["Coast/Lamp"]
    assert "is switched off in this chat" in session.command("/lore why Whale")
    assert session.command("/lore off coast") == "Coast is off in this chat."
    assert rows(session, "beacon") == {}
    assert "switched off" in session.command("/lore why Lamp")
    session.command("/lore on Coast")
    session.command("/lore on Whale")
    assert set(rows(session, "beacon")) == {"Coast/Lamp", "Coast/Whale"}
    assert rows(begin(LAMP), "beacon")


def test_settings(begin: Callable[..., Session]) -> None:
    session, other = begin(LAMP), begin(LAMP)
    say(session, "The beacon.")
    assert rows(session, "x") == {}
    assert session.command("/lore set scan_depth 3") == "scan_depth is 3."
    assert list(rows(session, "x")) == ["Coast/Lamp"]
    assert other.command("/lore set scan_depth") == "scan_depth is 3."
    assert session.command("/lore set scan_depth 1 chat") == "scan_depth is 1 in this chat."
    assert other.command("/lore set scan_depth") == "scan_depth is 3."
    session.command("/lore set scan_depth default chat")
    assert session.command("/lore set scan_depth default") == "scan_depth is 2."
    session.command("/lore set compat sillytavern")
    assert "words ascii" in session.command("/lore set")
    for line in ("budget 101", "budget x", "scan_deep 3", "recursive perhaps", "words latin", "budget 1 2 3"):
        with pytest.raises(UsageError):
            session.command(f"/lore set {line}")


def test_late_lore_leaves_the_head_as_it_is(begin: Callable[..., Session]) -> None:
    session = begin(LAMP, {"content": "It is 1890.", "name": "Year", "constant": True, "keys": []})
    session.command("/lore set place late")
    text = session.prompt("The beacon?").text
    assert (
        text.index("1890")
        < text.index("The wind rises.")
        < text.index("It burns")
        < text.index("The beacon?")
    )


def test_frozen_lore_stays_where_it_fired(begin: Callable[..., Session]) -> None:
    session = begin(LAMP)
    say(session, "The beacon is out.")
    with pytest.raises(UsageError, match="is not in the prompt"):
        begin(LAMP).command("/lore freeze Lamp")
    assert session.command("/lore freeze Lamp") == "Coast/Lamp stays below message 2, where it fired."
    with pytest.raises(UsageError, match="is frozen already"):
        session.command("/lore freeze Lamp")
    frozen = session.prompt("And the beacon now?")
    heads = [frozen.text[: frozen.text.index("It burns whale oil.") + 20]]
    assert frozen.text.count("It burns whale oil.") == 1
    say(session, "And the beacon now?")
    say(session, "x")
    later = session.prompt("y").text
    assert later.startswith(heads[0])
    assert rows(session, "y") == {"frozen/Coast-Lamp": "frozen below message 2"}
    assert session.command("/lore thaw Lamp") == "Coast/Lamp comes and goes again."
    assert rows(session, "y") == {}


def test_sticky_lore_follows_the_branch(begin: Callable[..., Session]) -> None:
    session = begin({**LAMP, "extensions": {"sticky": 4, "cooldown": 2}})
    say(session, "The beacon is out.")
    session.command("/lore set scan_depth 1")
    assert rows(session, "x") == {"Coast/Lamp": "sticky, for 2 messages more"}
    say(session, "x")
    assert rows(session, "the beacon") == {}, "it cools down"
    session.branch(session.history[0].id)
    assert rows(session, "x") == {}, "it has not fired on this branch"
    assert rows(session, "the beacon") == {"Coast/Lamp": 'keyword "beacon" in message 2'}


def test_a_swipe_takes_the_place_of_what_fired_before_it(begin: Callable[..., Session]) -> None:
    session = begin({**LAMP, "extensions": {"sticky": 6}})
    session.command("/lore set scan_depth 1")
    say(session, "The beacon is out.")
    session.command("/lore off Coast")
    session.swipe(seed=2, max_tokens=20).wait(60)
    session.command("/lore on Coast")
    assert rows(session, "x") == {}


def test_the_greeting_decides(begin: Callable[..., Session]) -> None:
    session = begin({"keys": ["x"], "content": "@@is_greeting 1\nSecond.", "name": "G"})
    assert rows(session, "x") == {}
    other = session.tree.siblings(session.history[0].id)[1]
    session.branch(other)
    assert list(rows(session, "x")) == ["Coast/G"]


def test_an_outlet_stands_where_its_macro_does(begin: Callable[..., Session]) -> None:
    entry = {**LAMP, "extensions": {"position": 7, "outlet_name": "Light"}}
    session = begin(entry, description="Aria. {{outlet::Light}} She waits.")
    assert "Aria. It burns whale oil. She waits." in session.prompt("The beacon?").text
    assert "Aria.  She waits." in session.prompt("Hello?").text


def test_lore_stands_around_the_author_s_note(begin: Callable[..., Session]) -> None:
    session = begin(
        {**LAMP, "extensions": {"position": 2}}, {**WHALE, "keys": ["beacon"], "extensions": {"position": 3}}
    )
    session.command("/note Rain.")
    session.command("/note depth 1")
    text = session.prompt("The beacon?").text
    places = [
        text.index(part) for part in ("The wind rises.", "It burns", "Rain.", "Whales are", "The beacon?")
    ]
    assert places == sorted(places)


def test_lore_stands_around_an_author_s_note_at_the_top(begin: Callable[..., Session]) -> None:
    session = begin(
        {**LAMP, "extensions": {"position": 2}}, {**WHALE, "keys": ["beacon"], "extensions": {"position": 3}}
    )
    session.command("/note Rain.")
    session.command("/note head")
    text = session.prompt("The beacon?").text
    parts = ("Aria keeps", "It burns", "Rain.", "Whales are", "The wind rises.")
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    session.command("/note every 2")
    assert "Rain." not in session.prompt("The beacon?").text


def test_export_writes_a_new_file_only(begin: Callable[..., Session], tmp_path: Path) -> None:
    session = begin(LAMP)
    path = tmp_path / "out.json"
    assert session.command(f"/lore export Coast {path} sillytavern").endswith("as sillytavern.")
    assert json.loads(path.read_text(encoding="utf-8"))["entries"]["0"]["key"] == ["beacon"]
    with pytest.raises(UsageError, match="already"):
        session.command(f"/lore export Coast {path}")
    with pytest.raises(AirochatError, match="cannot be written"):
        session.command(f"/lore export Coast {tmp_path / 'none' / 'x.json'}")


def test_a_broken_file_adds_nothing(begin: Callable[..., Session], tmp_path: Path) -> None:
    session = begin(LAMP)
    path = tmp_path / "broken.json"
    for content in (b"", b"{}", b"[1]", b"\x00\x01", b'{"spec": "chara_card_v2", "data": {"name": "A"}}'):
        path.write_bytes(content)
        with pytest.raises(CardError):
            session.command(f"/lore add {path}")
    with pytest.raises(CardError, match="cannot be read"):
        session.command(f"/lore add {tmp_path / 'none.json'}")
    with pytest.raises(UsageError, match="Which file"):
        session.command("/lore add")
    assert "Lorebooks:\n  Coast" in session.command("/lore")
    assert len(session.command("/lore").splitlines()) == 3


def test_a_file_that_was_damaged_later_is_named_and_the_turn_goes_on(
    manager: SessionManager, begin: Callable[..., Session], tmp_path: Path
) -> None:
    session = begin(LAMP)
    session.command(f"/lore add {write(tmp_path / 'w.json', {'key': ['moon'], 'content': 'Two moons.'})}")
    (kept,) = (tmp_path / "home").rglob("books/*.json")
    kept.write_bytes(b"{")
    assert list(rows(session, "beacon moon")) == ["Coast/Lamp"]
    assert "w.json" in session.command("/lore")
    kept.unlink()
    assert "cannot be read" in session.command("/lore")


def test_two_characters_bring_both_their_books(manager: SessionManager) -> None:
    session = manager.new(card=card(LAMP))
    second = card(WHALE, name="Bo", description="Bo fishes.")
    book = {**(second.character_book or {}), "name": "Sea"}
    data = {**second.raw["data"], "character_book": book}
    session.add_card(parse_card({**second.raw, "data": data}, "bo.json"))
    assert set(rows(session, "the beacon")) == {"Coast/Lamp", "Sea/Whale"}


def test_books_that_take_long_to_read_hold_no_prompt_up_for_ever(begin: Callable[..., Session]) -> None:
    class Slow(Desk):
        gate = threading.Event()

        def blocks(self, context: ChatContext) -> list[Block]:
            self.gate.wait(60)
            return super().blocks(context)

    session, slow = begin({**LAMP, "constant": True}), Slow()
    context = session.context("lorebook")
    assert slow.blocks_in_time(context, 0.01) == []
    slow.gate.set()
    assert [block.text for block in slow.blocks_in_time(context, 60)] == ["It burns whale oil."]


def test_a_chat_without_lore_loads_no_engine(
    manager: SessionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = manager.new()
    session.prompt("Hello.")
    assert "airochat_plugin_lorebook" in sys.modules
    assert "airochat_plugin_lorebook.scan" not in sys.modules
    session.command("/lore")
    assert "airochat_plugin_lorebook.scan" in sys.modules


def test_unknown_words(begin: Callable[..., Session]) -> None:
    session = begin(LAMP)
    with pytest.raises(UsageError, match="has no 'wy'") as error:
        session.command("/lore wy")
    assert "why" in error.value.hint
    for line in ("freeze", "remove", "on", "off", "export", "export Coast", "thaw nothing", "last"):
        with pytest.raises(UsageError):
            session.command(f"/lore {line}")
