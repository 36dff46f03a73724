"""What lore makes of the facts about a prompt: what it is for, who speaks, and what is kept for the reply."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airochat
from airochat.hooks.services import Services
from airochat.hooks.testing import PluginBench
from airochat.resources import resource_dir
from airochat.session import SessionManager
from plugins.lorebook.tests.test_panel import card

FOLDER = resource_dir("plugins") / "lorebook"
SAID = ("Hello.", "The wind rises.")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[SessionManager]:
    with airochat.open(home=tmp_path / "home", model="scripted") as opened:
        yield opened


def constant(name: str, **extensions: Any) -> dict[str, Any]:
    return {"keys": [], "constant": True, "content": name, "name": name, "extensions": extensions}


@pytest.mark.parametrize(("purpose", "there"), [("reply", "N"), ("continue", "C"), ("user", "I")])
def test_triggers_by_what_the_prompt_is_for(purpose: str, there: str) -> None:
    entries = [("N", "normal"), ("C", "continue"), ("I", "impersonate"), ("Q", "quiet")]
    book = card(*(constant(name, triggers=[trigger]) for name, trigger in entries))
    bench = PluginBench(FOLDER, SAID, cards=(book,), purpose=purpose)
    assert [block.text for block in bench.blocks()] == [there]


def test_entries_for_some_characters_are_for_who_speaks() -> None:
    first = card(constant("for Bo", character_filter={"names": ["Bo"], "tags": [], "isExclude": False}))
    second = dataclasses.replace(first, name="Bo", character_book=None)
    for speaker, there in (("", []), ("Aria", []), ("Bo", ["for Bo"])):
        bench = PluginBench(FOLDER, SAID, cards=(first, second), speaker=speaker)
        assert [block.text for block in bench.blocks()] == there


def test_what_is_kept_for_the_reply_is_not_there_for_lore() -> None:
    entry = constant("word " * 100)
    for reply, fits in ((200, True), (1500, False)):
        bench = PluginBench(FOLDER, SAID, cards=(card(entry),), reply_tokens=reply)
        services = Services(
            n_ctx=lambda: 2000, count_tokens=lambda texts: [len(one.split()) for one in texts]
        )
        bench.host.services = dataclasses.replace(services, folder=bench.host.services.folder)
        bench.command("/lore set budget 9")
        assert bool(bench.blocks()) == fits


def test_a_reply_beside_another_one_is_a_swipe(manager: SessionManager) -> None:
    def entry(name: str, *triggers: str) -> dict[str, Any]:
        return {
            "keys": [],
            "constant": True,
            "content": name,
            "name": name,
            "extensions": {"triggers": list(triggers)},
        }

    session = manager.new(
        card=card(
            entry("N", "normal"), entry("C", "continue"), entry("I", "impersonate"), entry("S", "swipe")
        )
    )
    assert "only for continue" in session.command("/lore why C")
    assert "this is normal" in session.command("/lore why C")
    session.send("Hello.", seed=1, max_tokens=20).wait(60)
    assert "this is normal" in session.command("/lore last S")
    session.swipe(seed=2, max_tokens=20).wait(60)
    assert "Coast/S: in the prompt" in session.command("/lore last S")
    assert "this is swipe" in session.command("/lore last N")
