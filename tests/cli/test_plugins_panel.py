"""``airochat plugins panel`` and ``/panel``: panels without a screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airochat
from tests.tui import panel_plugin as desk

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


@pytest.fixture
def chat(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A chat, and the plugin of `panel_plugin`, which is the only one."""
    monkeypatch.setenv("AIROCHAT_PLUGINS", "desk")
    desk.enable(home)
    with airochat.open(model="scripted") as manager:
        return manager.new(title="The Mill").id


def test_the_panels_are_listed(cli: Cli, chat: str) -> None:
    lines = cli("plugins", "panel").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["desk", "settings:desk"]
    found = json.loads(cli("plugins", "panel", "--json").stdout)["panels"]
    assert found[0] == {
        "name": "desk",
        "title": "Facts",
        "summary": "What the model knows.",
        "plugin": "desk",
    }


def test_a_panel_is_printed_as_text(cli: Cli, chat: str) -> None:
    desk.values["notes"] = "one\ntwo"
    desk.facts.append("灯 is a lamp.")
    out = cli("plugins", "panel", "desk", "--session", "The Mill").stdout
    lines = out.splitlines()
    assert lines[:2] == ["Facts [b]", "========="]
    assert "words today: 350 of 1,000 words" in lines
    assert "depth = 4  (How deep. A whole number from 0 to 9.)" in lines
    assert "watch = on" in lines and "tone = warm  (One of: warm, cool, dry.)" in lines
    at = lines.index("notes =")
    assert lines[at + 1 : at + 3] == ["    one", "    two"]
    assert "*  0    0   The pass closes at dusk." in lines and "   1    1   Rook is [/alive]." in lines
    assert "With a row: [open] Open, [drop] Forget" in lines and "[save] Save" in lines


def test_a_panel_is_printed_as_json(cli: Cli, chat: str) -> None:
    shown = json.loads(cli("plugins", "panel", "desk", "--continue", "--json").stdout)
    assert (shown["panel"], shown["title"]) == ("desk", "Facts [b]")
    parts = {part.get("name") or part["part"]: part for part in shown["parts"]}
    assert parts["depth"]["least"] == 0 and parts["weight"]["most"] is None
    assert parts["facts"]["rows"][0] == {
        "key": "0",
        "cells": ["0", "The pass closes at dusk."],
        "marked": True,
    }
    assert parts["meter"]["of"] == 1000


def test_a_button_is_pressed(cli: Cli, chat: str) -> None:
    line = ("plugins", "panel", "desk", "--session", chat, "--do")
    out = cli(*line, "save", "--set", "depth=7", "--set", "watch=no", "--set", "fact=a=b").stdout
    assert out.startswith("Saved.\n\nFacts") and "depth = 7" in out
    assert (desk.values["depth"], desk.values["watch"], desk.values["fact"]) == (7, False, "a=b")
    done = json.loads(cli(*line, "open", "--row", "1", "--json").stdout)
    assert (done["place"], done["message"], done["title"]) == ("fact:1", "", "Fact 1")
    kept = cli(*line, "keep", "--place", "fact:1", "--set", "text=He is gone.").stdout
    assert desk.facts[1] == "He is gone." and "Kept." in kept and "Facts [b]" in kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("desk",), "The panel desk is about a chat."),
        (("dsk", "--continue"), "There is no panel 'dsk'."),
        (("desk", "--continue", "--do", "burn"), "There is no button 'burn'"),
        (("desk", "--continue", "--do", "open"), "Nothing is chosen"),
        (("desk", "--continue", "--do", "save", "--set", "depth=12"), "depth = 12 is out of range."),
        (("desk", "--continue", "--do", "save", "--set", "deph=1"), "Did you mean 'depth'?"),
        (("desk", "--continue", "--do", "save", "--set", "depth"), "not of the form"),
        (("desk", "--continue", "--set", "depth=1"), "go with a button"),
        (("desk", "--continue", "--do", "save", "--set", "fact=no"), "This fact is not one."),
    ],
)
def test_a_mistake_ends_with_two(cli: Cli, chat: str, arguments: tuple[str, ...], words: str) -> None:
    result = cli("plugins", "panel", *arguments)
    assert result.exit_code == 2 and words in result.stderr
    assert desk.values["depth"] == 4 and result.stdout == ""


def test_a_panel_that_fails_ends_with_one(cli: Cli, chat: str) -> None:
    result = cli("plugins", "panel", "desk", "--continue", "--place", "raises")
    assert result.exit_code == 1 and "The plugin desk failed in the panel desk" in result.stderr


def test_the_settings_need_no_chat(cli: Cli, chat: str) -> None:
    out = cli("plugins", "panel", "settings:desk", "--do", "save", "--set", "depth=12").stdout
    assert "The settings are saved." in out
    settings = json.loads(cli("plugins", "settings", "desk", "--json").stdout)["settings"]
    assert settings["depth"] == 12


def test_the_line_mode_prints_panels(cli: Cli, chat: str) -> None:
    result = cli("--model", "scripted", "repl", "--continue", input="/panel desk\n/panel\n/panel dsk\n")
    assert "Facts [b]" in result.stdout and "settings:desk  Settings of desk" in result.stdout
    assert result.exit_code == 1 and "There is no panel 'dsk'." in result.stderr
