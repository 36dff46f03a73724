"""Memory in real sessions, with a store: what stands in prompts, what it costs, and what outlives the program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.prompt import PromptPlan
from airochat.session import Session
from airochat.session.events import Notice
from plugins.memory.tests.helping import WAIT_S

TOPICS = ("compass", "lantern", "ferry", "tower", "bell")
SUMMARY = "Maya went to the tower and came back with the lamp."


class Model:
    """Says long replies, and what it is told to where it is asked for a summary."""

    def __init__(self, summary: str = SUMMARY) -> None:
        self.summary = summary
        self.asked: list[str] = []
        self.replies = 0

    def __call__(self, prompt: str) -> str:
        if "Write one summary" in prompt:
            self.asked.append(prompt)
            return self.summary
        self.replies += 1
        return f"Reply number {self.replies}. " + "The river runs by the old mill, and the road goes on. " * 6


def opened(home: Path, answer: Callable[[str], str]) -> airochat.SessionManager:
    return airochat.open(home, ScriptedBackend(answer, n_ctx=2048), {"max_tokens": 200})


def settle(session: Session) -> None:
    """Wait until the background has done its work."""
    lane = sys.modules["airochat_plugin_memory"].memory_of_all().lane
    assert lane.wait(session.id, WAIT_S)


def talk(session: Session, turns: int) -> None:
    for number in range(turns):
        topic = TOPICS[number % len(TOPICS)]
        session.send(f"Message {number}: tell me of the {topic}, please. {'word ' * 30}").wait(WAIT_S)
        settle(session)


def remembered(plan: PromptPlan) -> list[str]:
    return [
        row.source.removeprefix("plugin:memory/")
        for row in plan.report
        if row.included and row.source.startswith("plugin:memory/")
    ]


def test_what_leaves_the_context_is_summarised_and_recalled_and_shown_in_the_report(tmp_path: Path) -> None:
    model = Model()
    with opened(tmp_path, model) as manager:
        session = manager.new()
        talk(session, 10)
        assert session.horizon is not None
        left = [one.id for one in session.history].index(session.horizon)
        plan = session.prompt("What of the compass?")
        found = remembered(plan)
        assert found[0] == "summary"
        assert "recall/1" in found
        rows = {row.source: row for row in plan.report}
        assert rows["plugin:memory/summary"].reason == f"summary of messages 1 to {left}"
        assert rows["plugin:memory/summary"].tokens > 10
        assert rows["plugin:memory/recall/1"].reason.startswith("recalled: words compass, rank 1, message 1")
        assert all(int(one.split("/")[1]) <= left for one in found if one.startswith("recall"))
        assert plan.size <= 2048 - 200
        assert SUMMARY in plan.text
        assert SUMMARY in session.command("/memory summary")
        assert f"{left} have left its context" in session.command("/memory")
        key = session.id
    with opened(tmp_path, Model()) as manager:
        session = manager.load(key)
        assert remembered(session.prompt("What of the compass?"))[:2] == ["summary", "recall/1"]


def test_the_head_of_the_prompt_stays_as_it_is_while_the_horizon_stands(tmp_path: Path) -> None:
    model = Model()
    with opened(tmp_path, model) as manager:
        session = manager.new()
        heads: dict[str | None, set[str]] = {}
        for number in range(16):
            session.send(f"{TOPICS[number % 5]} {number}: {'word ' * (number * 7 % 40)}").wait(WAIT_S)
            heads.setdefault(session.horizon, set()).add(session.prompt("x").text.partition("<|im_end|>")[0])
            settle(session)
        assert len(heads) > 2
        assert len(model.asked) >= 2
        assert [len(texts) for horizon, texts in heads.items() if horizon] == [1] * (len(heads) - 1)


def test_what_is_recalled_in_one_turn_and_not_in_the_next_moves_the_horizon_to_and_fro_never(
    tmp_path: Path,
) -> None:
    def answer(prompt: str) -> str:
        if "Write one summary" in prompt:
            return SUMMARY
        return (
            "So it is." if "Short" in prompt else "The river runs by the old mill, and the road goes on. " * 6
        )

    with opened(tmp_path, answer) as manager:
        session = manager.new()
        places = []
        for number in range(44):
            topic = TOPICS[number % 5]
            said = f"Tell me of the {topic}, {number}. The {topic} is old. {'word ' * 20}"
            if number >= 12:
                said = "Short: go on then." if number % 2 else f"Short: what of the {topic}? "
            session.send(said).wait(WAIT_S)
            settle(session)
            ids = [one.id for one in session.history]
            places.append(0 if session.horizon is None else ids.index(session.horizon))
        assert places == sorted(places)
        assert len(set(places)) > 3
        assert session.prompt("What of the ferry and the bell?").size <= 2048 - 200


def test_a_swipe_has_the_summary_and_undo_goes_back_to_what_was_before(tmp_path: Path) -> None:
    with opened(tmp_path, Model()) as manager:
        session = manager.new()
        talk(session, 10)
        session.swipe().wait(WAIT_S)
        settle(session)
        assert "summary" in remembered(session.prompt("And?"))
        session.branch(session.history[1].id)
        assert remembered(session.prompt("And?")) == []
        assert "sees the whole chat" in session.command("/memory")


def test_a_summary_that_fails_is_told_once_and_tried_again_after_the_next_turn(tmp_path: Path) -> None:
    model = Model("")
    notices: list[str] = []
    with opened(tmp_path, model) as manager:
        session = manager.new()
        session.subscribe(lambda event: notices.append(event.message) if isinstance(event, Notice) else None)
        talk(session, 9)
        assert [one for one in notices if "summary" in one] == [
            "The summary of this chat could not be written: The model's answer is no summary."
        ]
        assert len(model.asked) > 1
        model.summary = SUMMARY
        talk(session, 1)
        assert "summary" in remembered(session.prompt("And?"))


def test_a_program_that_ends_while_a_summary_is_written_loses_nothing(tmp_path: Path) -> None:
    model, begun = Model(), threading.Event()

    def hang(prompt: str) -> str:
        if "Write one summary" in prompt:
            backend.allow(-(1 << 60))
            begun.set()
        return model(prompt)

    backend = ScriptedBackend(hang, n_ctx=2048, gated=True)
    backend.allow(1 << 50)
    with airochat.open(tmp_path, backend, {"max_tokens": 200}) as manager:
        session = manager.new()
        key = session.id
        while "one is being written" not in session.command("/memory"):
            session.send(f"Tell me of the compass. {'word ' * 30}").wait(WAIT_S)
        assert begun.wait(WAIT_S)
    with opened(tmp_path, model) as manager:
        session = manager.load(key)
        assert "no summary" in session.command("/memory summary")
        talk(session, 5)
        assert "summary" in remembered(session.prompt("And?"))


def test_facts_stand_before_the_last_message_and_cost_no_second_look_at_the_chat(tmp_path: Path) -> None:
    with opened(tmp_path, Model()) as manager:
        session = manager.new()
        talk(session, 2)
        size = session.send("And now?").wait(WAIT_S)
        assert size
        session.command("/remember The year is 1887.")
        plan = session.prompt("Which year is it?")
        assert remembered(plan) == ["facts"]
        turn = session.send("Which year is it?")
        turn.wait(WAIT_S)
        assert turn.usage.evaluated < 60
        assert plan.text.index("1887") > plan.text.index("And now?")


def test_panel_and_commands_are_there(tmp_path: Path) -> None:
    with opened(tmp_path, Model()) as manager:
        session = manager.new()
        panels = manager.plugins.panels()
        assert panels["memory"][0] == "memory"
        assert manager.plugins.show_panel("memory", "", session.context).title == "Memory"
        assert {"remember", "forget", "memory"} <= set(manager.plugins.commands())


@pytest.mark.slow
def test_a_real_model_writes_the_summary_in_the_background_and_the_chat_is_not_read_again(
    tmp_path: Path,
) -> None:
    settings = {"n_ctx": 512, "n_threads": 2, "max_tokens": 24, "temperature": 0.0}
    with airochat.open(tmp_path, "demo", settings) as manager:
        session = manager.new()
        evaluated = []
        for number in range(9):
            topic = TOPICS[number % len(TOPICS)]
            turn = session.send(f"Tell me of the {topic} at the lighthouse, {number}. {'It rains. ' * 12}")
            turn.wait(WAIT_S)
            settle(session)
            evaluated.append(turn.usage.evaluated)
        assert "summary" in remembered(session.prompt("And?"))
        told = session.command("/memory summary")
        assert told.startswith("Messages 1 to ")
        assert len(told.splitlines()[1]) > 10
        assert session.prompt("And?").size <= 512 - 24
        # The newest messages and what stands before them; where the horizon moves, the rest is moved, too.
        assert max(evaluated) < 300
        turn = session.swipe()
        turn.wait(WAIT_S)
        assert turn.usage.evaluated == 1
