"""``airochat`` without a command: what is opened in a terminal, and what is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal

SCRIPTED = ("--model", "scripted")
QUIT = "\x11"


def chats(cli: Cli) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(cli("chats", "list", "--json").stdout)["chats"]
    return listed


def test_a_card_begins_a_chat_with_its_greeting(terminal: InTerminal, cli: Cli, tmp_path: Path) -> None:
    card = tmp_path / "aria.json"
    card.write_text('{"name": "Aria", "first_mes": "The lamp burns low."}', encoding="utf-8")
    app = terminal(*SCRIPTED, "--card", str(card), "--theme", "paper")
    app.wait_for("burns low")
    app.type(QUIT)
    assert app.finish() == 0
    assert [(chat["title"], chat["messages"]) for chat in chats(cli)] == [("Aria", 1)]


def test_the_latest_chat_is_opened_or_the_one_asked_for_or_a_new_one(terminal: InTerminal, cli: Cli) -> None:
    cli("say", "An older question", *SCRIPTED)
    cli("say", "A newer question", *SCRIPTED)
    for options, shown in (
        ((), "A newer question"),
        (("--session", "An older question"), "An older question"),
    ):
        app = terminal(*SCRIPTED, *options)
        app.wait_for(shown)
        app.type(QUIT)
        assert app.finish() == 0
    app = terminal(*SCRIPTED, "--new")
    app.wait_for("New chat")
    app.type(QUIT)
    assert app.finish() == 0
    assert "question" not in app.screen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--theme", "nope"), "no theme 'nope'"),
        (("--session", "nope"), "no session 'nope'"),
        (("--template", "nope"), "no template 'nope'"),
        (("--session", "nope", "--new"), "Leave out one"),
        (("--set", "temperature=99"), "temperature"),
    ],
)
def test_a_mistake_is_told_before_anything_is_drawn(
    terminal: InTerminal, options: tuple[str, ...], said: str
) -> None:
    refused = terminal(*SCRIPTED, *options)
    assert refused.finish() == 2
    assert said in refused.screen
    assert "\x1b[?1049h" not in refused.screen
