"""The plugin in a real session, with a store, the lorebook's plugin and the scripted model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import airochat
from airochat.characters import parse_card
from airochat.session import SessionManager

SCRIPTS = [
    {"scriptName": "Notes", "findRegex": r"/ \[[^\]]*\]/g", "placement": [5], "promptOnly": True},
    {"scriptName": "Tone", "findRegex": "/!+/g", "replaceString": ".", "placement": [1]},
    {"scriptName": "All", "findRegex": "/^.*$/s", "replaceString": "Said by {{char}}.", "placement": [2]},
]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(home=tmp_path / "home", model="scripted") as opened:
        yield opened


def test_a_card_s_scripts_change_lore_messages_and_replies_once_they_are_allowed(
    manager: SessionManager,
) -> None:
    entry = {
        "keys": ["tower"],
        "content": "The tower [check this] is old.",
        "enabled": True,
        "insertion_order": 1,
    }
    data = {
        "name": "Ada",
        "description": "Ada keeps bees.",
        "first_mes": "Hello.",
        "character_book": {"extensions": {}, "entries": [{**entry, "extensions": {}}]},
        "extensions": {"regex_scripts": SCRIPTS},
    }
    card = parse_card({"spec": "chara_card_v2", "spec_version": "2.0", "data": data}, "ada.json")
    session = manager.new(card=card)
    assert "tower [check this] is old." in session.prompt("The tower!").text
    assert "not allowed yet" in session.command("/regex")
    session.command("/regex allow")
    prompt = session.prompt("The tower!")
    assert "The tower is old." in prompt.text
    reasons = [row.reason for row in prompt.report if row.source.startswith("plugin:lorebook")]
    assert reasons[0].endswith("changed by regex_scripts")
    session.send("The tower!!", seed=1, max_tokens=20).wait(60)
    assert [message.text for message in session.history[1:]] == ["The tower.", "Said by Ada."]
    again = manager.new(card=card)
    assert "The tower is old." in again.prompt("The tower!").text


def test_a_script_for_the_prompt_only_changes_old_replies_there_and_nowhere_else(
    manager: SessionManager, tmp_path: Path
) -> None:
    file = tmp_path / "status.json"
    fields = {"scriptName": "Status", "findRegex": r"/\s*\[hp: \d+\]/g", "placement": [2], "promptOnly": True}
    file.write_text(json.dumps({**fields, "minDepth": 2}))
    card = parse_card(
        {
            "spec": "chara_card_v2",
            "spec_version": "2.0",
            "data": {"name": "Ada", "first_mes": "Hello. [hp: 9]"},
        },
        "ada.json",
    )
    session = manager.new(card=card)
    session.command(f"/regex add {file}")
    assert "Hello. [hp: 9]" in session.prompt("").text
    session.send("Go on.", seed=1, max_tokens=20).wait(60)
    plan = session.prompt("And now?")
    assert "Hello." in plan.text and "[hp: 9]" not in plan.text
    (reason,) = (row.reason for row in plan.report if row.source == f"message:{session.history[0].id}")
    assert "changed by regex_scripts" in reason
    assert session.history[0].text == "Hello. [hp: 9]"
