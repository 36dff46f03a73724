"""What the model is asked beside the conversation: titles, and anything else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import BackendError, UsageError
from airochat.session.commands import run_command
from airochat.session.events import TreeChanged

WAIT_S = 60


def open_manager(home: Path, backend: ScriptedBackend, **settings: object) -> airochat.SessionManager:
    return airochat.open(home, backend, settings)


def test_the_model_is_asked_beside_the_chat_and_nothing_is_added_to_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return ' "A lamp by the river."'

    with open_manager(tmp_path, ScriptedBackend(answer)) as manager:
        session = manager.new()
        session.send("Where is the lamp?").wait(WAIT_S)
        before = session.tree
        assert (
            manager.asides.ask("Who has it?", system="Be brief.").result(WAIT_S) == '"A lamp by the river."'
        )
        assert session.tree is before
        assert "Who has it?" in asked[1]
        assert "Be brief." in asked[1]
        assert "Where is the lamp?" not in asked[1]


def test_a_title_is_found_in_the_background_and_kept(tmp_path: Path) -> None:
    replies = iter(["By the river.", ' Title: "The Lamp at the Ferry".\n\nIt is a good one.'])
    with open_manager(tmp_path, ScriptedBackend(lambda _prompt: next(replies))) as manager:
        session = manager.new()
        session.send("Where is the lamp?").wait(WAIT_S)
        changed = threading.Event()
        session.subscribe(lambda event: changed.set() if isinstance(event, TreeChanged) else None)
        assert "looking" in str(run_command(session, "/title"))
        assert changed.wait(WAIT_S)
        assert session.title == "The Lamp at the Ferry"
        assert manager.sessions()[0].title == "The Lamp at the Ferry"


def test_a_title_may_be_found_by_itself_after_the_first_reply(tmp_path: Path) -> None:
    replies = iter(["By the river.", "The lamp", "Still there.", "never asked"])
    with open_manager(tmp_path, ScriptedBackend(lambda _prompt: next(replies)), auto_title=True) as manager:
        session = manager.new()
        changed = threading.Event()
        session.subscribe(
            lambda event: (
                changed.set() if isinstance(event, TreeChanged) and session.title == "The lamp" else None
            )
        )
        session.send("Where is the lamp?").wait(WAIT_S)
        assert changed.wait(WAIT_S)
        turn = session.send("And now?")
        turn.wait(WAIT_S)
        assert (turn.text, session.title) == ("Still there.", "The lamp")


def test_a_title_can_be_given(tmp_path: Path) -> None:
    with open_manager(tmp_path, ScriptedBackend()) as manager:
        session = manager.new()
        assert run_command(session, "/title My own  name") == "This chat is called My own name."
        with pytest.raises(UsageError, match="Nothing was said"):
            session.retitle()


def test_a_failed_question_says_why(tmp_path: Path) -> None:
    with open_manager(tmp_path, ScriptedBackend(fail_after=1)) as manager:
        with pytest.raises(BackendError, match="ended unexpectedly"):
            manager.asides.ask("Who?").result(WAIT_S)
        assert manager.asides.ask("Who?").result(WAIT_S)


def test_a_title_is_found_by_a_real_model_and_the_chat_goes_on_without_reading_again(
    tmp_path: Path, demo_model: Path
) -> None:
    settings = {"n_ctx": 1024, "n_threads": 1, "max_tokens": 12}
    with airochat.open(tmp_path, demo_model, settings) as manager:
        session = manager.new()
        session.send("Tell me of a lighthouse.").wait(WAIT_S)
        session.retitle().result(WAIT_S)
        assert session.title
        turn = session.swipe()
        turn.wait(WAIT_S)
        assert turn.usage.evaluated == 1
