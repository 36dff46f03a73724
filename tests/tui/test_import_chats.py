"""A chat file whose path is pasted or dropped into the composer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from textual import events

from tests.tui.conftest import Terminal, say, until, write

Make = Callable[..., Terminal]


def tavern(folder: Path) -> Path:
    path = folder / "Maya - 2024.jsonl"
    lines = [
        {"name": "Maya", "is_user": False, "mes": "Who is there?"},
        {"name": "Rook", "is_user": True, "mes": "Only me."},
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


async def test_a_pasted_chat_is_imported_and_opened(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = tavern(tmp_path)
    async with terminal.run() as pilot:
        await write(pilot, "Look: ")
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "import Maya - 2024.jsonl" in terminal.text)
        await pilot.press("escape")
        await until(pilot, lambda: terminal.app.screen is terminal.app.chat)
        assert terminal.app.chat.composer.text == f"Look: {path}"
        assert terminal.manager.sessions() == []
        terminal.app.chat.composer.restore("")
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "import Maya - 2024.jsonl" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: terminal.app.desk.session is not None and "Who is there?" in terminal.text)
        assert terminal.said == ["Who is there?", "Only me."]
        assert terminal.app.chat.composer.text == ""
        await say(terminal, pilot, "Come in.")
        assert terminal.session.history[-1].name == "Maya"


async def test_a_file_that_is_no_chat_is_told(open_terminal: Make, tmp_path: Path) -> None:
    terminal = open_terminal()
    path = tmp_path / "log.jsonl"
    path.write_text('{"level": "info"}', encoding="utf-8")
    async with terminal.run() as pilot:
        terminal.app.chat.composer.post_message(events.Paste(str(path)))
        await until(pilot, lambda: "import log.jsonl" in terminal.text)
        await pilot.press("enter")
        await until(pilot, lambda: "is no chat of a known form" in terminal.text)
        assert terminal.manager.sessions() == []
