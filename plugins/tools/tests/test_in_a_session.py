"""The plugin in real sessions, with a store: rounds of calls, plans, and a forced call of a real model."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import UsageError
from airochat.session import Session, SessionManager
from airochat.session.approval import PendingCall
from airochat.session.events import Notice

ROLL = '{"tool": "roll", "arguments": {"notation": "2d6"}}'


def talk(manager: SessionManager, said: str = "Roll.") -> Session:
    session = manager.latest() or manager.new()
    session.command("/tools on")
    assert session.send(said, seed=1).wait(120)
    return session


def scripted(home: Path, replies: Sequence[str] | Callable[[str], str]) -> SessionManager:
    return airochat.open(home, ScriptedBackend(replies))


def test_a_call_its_result_and_the_answer(tmp_path: Path) -> None:
    with scripted(tmp_path, [ROLL, "A fine throw."]) as manager:
        session = talk(manager)
        _, call, results, answer = session.history
        assert (call.text, answer.text) == (ROLL, "A fine throw.")
        assert results.is_results
        assert results.text.startswith("Result of roll: 2d6: [")
        assert results.provenance.calls[0]["approved"] == "free"
        assert f"roll {json.dumps({'notation': '2d6'})}: 2d6: [" in session.command("/tools")
        plan = session.prompt("On.")
        row = next(row for row in plan.report if row.source == "plugin:tools/list")
        assert row.included
        assert plan.text.index("You can use the tools below.") < plan.text.index("Roll.")
        assert "Result of roll: 2d6: [" in plan.text


def test_the_same_place_throws_the_same_dice(tmp_path: Path) -> None:
    with scripted(tmp_path, lambda prompt: "So." if "Result of roll" in prompt else ROLL) as manager:
        session = talk(manager)
        said, call, results, _ = session.history
        session.branch(said.id)
        assert session.swipe(seed=2).wait(60)
        assert session.history[1].id != call.id
        assert session.history[2].id != results.id
        assert session.history[2].text == results.text


def test_the_clock_of_the_story_goes_with_its_branch(tmp_path: Path) -> None:
    advance = '{"tool": "story_time", "arguments": {"advance": "1 hour"}}'
    with scripted(tmp_path, ["Hello.", advance, "Later."]) as manager:
        session = talk(manager, "Hi.")
        session.command("/clock 1347-06-24 18:30")
        assert session.send("On.", seed=3).wait(60)
        assert "19:30 (evening)" in session.command("/clock")
        session.branch(session.history[1].id)
        assert "18:30 (evening)" in session.command("/clock")


def test_calls_stop_when_the_model_goes_on_and_on(tmp_path: Path) -> None:
    rolls = [ROLL.replace("2d6", f"{number}d6") for number in range(1, 7)]
    with scripted(tmp_path, rolls) as manager:
        session = talk(manager)
        assert sum(message.is_results for message in session.history) == 4
        assert session.history[-1].text == rolls[4]


def test_a_call_is_asked_for_before_there_is_a_prompt(tmp_path: Path) -> None:
    with scripted(tmp_path, ["Hm."]) as manager:
        session = manager.new()
        session.command("/tools on")
        with pytest.raises(UsageError, match="Name the tool"):
            session.command("/call")
        assert session.command("/call roll") == "The next reply calls roll."
        with pytest.raises(UsageError, match="needs a name"):
            session.command("/tools server add alone")


def test_a_plan_runs_to_its_end_in_one_round(tmp_path: Path) -> None:
    plan = (
        "Plan: throw\n:evidence0: = calculate[6 * 7]\nPlan: again\n:evidence1: = calculate[:evidence0: + 1]\n"
        "Answer: :evidence1:"
    )
    with scripted(tmp_path, [plan, "It is 43."]) as manager:
        manager.plugins.set("tools", {"form": "plan"})
        session = talk(manager)
        results = session.history[2]
        assert results.text == ":evidence0: = 42\n:evidence1: = 43\nAnswer: 43"
        assert [call["arguments"] for call in results.provenance.calls] == [
            {"expression": "6 * 7"},
            {"expression": "42 + 1"},
        ]
        assert session.history[-1].text == "It is 43."


def test_the_user_is_asked_before_the_tool_of_a_server_runs(tmp_path: Path) -> None:
    program = shlex.join([sys.executable, str(Path(__file__).with_name("unruly_server.py"))])
    call = '{"tool": "unruly.echo", "arguments": {"text": "ahoy", "times": 2}}'
    with scripted(tmp_path, [call, "So.", call, "Well."]) as manager:
        asked: list[PendingCall] = []

        def approve(pending: PendingCall) -> None:
            asked.append(pending)
            pending.answer("once" if len(asked) == 1 else "never")

        manager.approver = approve
        session = manager.new()
        session.command("/tools on")
        assert "unruly.echo" in session.command(f"/tools server add unruly {program}")
        assert session.send("Shout.").wait(60)
        assert session.history[2].text == "Result of unruly.echo: ahoyahoy"
        assert session.send("Again.").wait(60)
        assert session.history[6].text == "unruly.echo: The user does not allow this tool."
        assert [one.question.title for one in asked] == ["echo of the server unruly"] * 2
        assert '"times": 2' in asked[0].question.arguments


def test_a_real_model_is_held_to_the_call_that_is_asked_for(tmp_path: Path) -> None:
    settings = {"engine": "thread", "n_ctx": 2048, "n_threads": 1}
    with airochat.open(tmp_path, "demo", settings) as manager:
        manager.plugins.set("tools", {"max_rounds": 1})
        session = manager.new()
        session.command("/tools on")
        for name in session.tools().keys() - {"roll", "date_time"}:
            session.command(f"/tools off {name}")
        session.command("/call roll")
        turn = session.send("Throw a die for me.", seed=3, max_tokens=100, temperature=0.5)
        assert turn.wait(240)
        call = json.loads(session.history[1].text)
        assert call["tool"] == "roll"
        jsonschema.validate(call["arguments"], session.tools()["roll"][1].parameters)
        assert session.history[2].is_results
        assert session.history[2].provenance.calls[0]["tool"] == "roll"
        assert not session.history[3].text.strip().startswith("{")


def test_a_call_that_is_made_again_and_again_comes_to_an_end(tmp_path: Path) -> None:
    call = '{"tool": "word_count", "arguments": {"of": "chat"}}'
    told: list[str] = []
    with scripted(tmp_path, [call] * 4) as manager:
        session = manager.new()
        session.subscribe(lambda event: told.append(event.message) if isinstance(event, Notice) else None)
        session.command("/tools on")
        turn = session.send("How long is it?")
        assert turn.wait(60)
        assert [message.is_results for message in turn.rounds].count(True) == 2
        assert "The model repeats its call of word_count; it was not made again." in told


def test_a_server_of_others_answers_a_call_of_a_real_model(tmp_path: Path) -> None:
    settings = {"engine": "thread", "n_ctx": 2048, "n_threads": 1}
    with airochat.open(tmp_path, "demo", settings) as manager:
        manager.plugins.set("tools", {"max_rounds": 1, "builtin": False})
        session = manager.new()
        session.command("/tools on")
        server = shlex.join([sys.executable, "-m", "mcp_server_time"])
        assert "time.get_current_time" in session.command(f"/tools server add time TZ=UTC {server}")
        session.allow("time.get_current_time")
        session.command("/call time.get_current_time The timezone is UTC.")
        assert session.send("What time is it in UTC?", seed=1, max_tokens=100, temperature=0.0).wait(240)
        (made,) = session.results_of(session.history[1].id)
        assert made["tool"] == "time.get_current_time"
        assert (made["state"], made["approved"]) == ("done", "chat")
        assert json.loads(made["text"])["timezone"] == made["arguments"]["timezone"]
        assert session.history[2].is_results and session.history[3].role == "assistant"
