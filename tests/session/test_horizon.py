"""The memory horizon: from which message on the model sees the conversation."""

from __future__ import annotations

from pathlib import Path

import airochat
from airochat.backends.scripted import ScriptedBackend
from airochat.session.events import HorizonMoved, PromptReady, TurnStarted
from tests.session.desk import PATIENCE, Desk, done

LINE = "and so the ferry goes on, slowly, through the fog of a very long night"


def small(home: Path) -> Desk:
    """Return a desk whose model remembers only a few messages."""
    return Desk(home, ScriptedBackend(["The bell rings."], n_ctx=512), {"max_tokens": 64})


def moved(desk: Desk) -> list[str | None]:
    return [event.message for event in desk.events if isinstance(event, HorizonMoved)]


def said(number: int) -> str:
    return f"Message {number:03}: {LINE}"


def oldest_seen(desk: Desk, prompt: str) -> str | None:
    """Return the oldest message of the branch that stands in a prompt, if it is not the first."""
    seen = [message for message in desk.session.history if message.role == "user" and message.text in prompt]
    return seen[0].id if seen and seen[0] != desk.session.history[0] else None


def test_it_moves_with_the_prompt_and_is_told_only_then(tmp_path: Path) -> None:
    desk = small(tmp_path)
    assert desk.session.horizon is None
    prompts: list[str] = []
    changes: list[str | None] = []
    for number in range(24):
        turn = done(desk.session.send(said(number)))
        prompts.append(next(event for event in turn if isinstance(event, PromptReady)).plan.text)
        now = desk.session.horizon
        if now != (changes[-1] if changes else None):
            changes.append(now)
        if now is None:
            assert said(0) in prompts[-1]
        else:
            before, first = desk.session.tree.path(now)[:-1], desk.session.tree[now]
            assert first.text in prompts[-1]
            assert all(message.text not in prompts[-1] for message in before if message.role == "user")
            if first.role == "user":
                assert now == oldest_seen(desk, prompts[-1])
    assert moved(desk) == changes and 2 <= len(changes) < 12, "it moves in large steps"
    desk.manager.close()


def test_it_is_told_before_the_reply_begins(tmp_path: Path) -> None:
    desk = small(tmp_path)
    while desk.session.horizon is None:
        desk.events.clear()
        done(desk.session.send(said(0)))
    kinds = [type(event) for event in desk.events]
    assert kinds.index(TurnStarted) < kinds.index(HorizonMoved) < kinds.index(PromptReady)
    desk.manager.close()


def test_on_a_short_branch_it_is_gone_again(tmp_path: Path) -> None:
    desk = small(tmp_path)
    done(desk.session.send(said(0)))
    fork = desk.session.head
    while desk.session.horizon is None:
        done(desk.session.send(said(1)))
    desk.session.move(fork)
    assert desk.session.horizon is not None, "the newest prompt is still the old one"
    done(desk.session.send(said(2)))
    assert desk.session.horizon is None and moved(desk)[-1] is None
    desk.manager.close()


def test_typing_moves_it_and_looking_does_not(tmp_path: Path) -> None:
    desk = small(tmp_path)
    done(desk.session.send(said(0)))
    done(desk.session.send(said(1)))
    desk.session.prompt(f"{LINE} " * 12)
    assert desk.session.horizon is None and moved(desk) == []
    desk.session.coming(f"{LINE} " * 12)
    assert desk.session.horizon is not None and moved(desk) == [desk.session.horizon]
    desk.manager.close()


def test_each_session_has_its_own(tmp_path: Path) -> None:
    with airochat.open(tmp_path, ScriptedBackend(["ok"], n_ctx=512), {"max_tokens": 64}) as manager:
        first, second = manager.new(), manager.new()
        told: list[str] = []
        first.subscribe(lambda event: told.append("first") if isinstance(event, HorizonMoved) else None)
        second.subscribe(lambda event: told.append("second") if isinstance(event, HorizonMoved) else None)
        while first.horizon is None:
            assert first.send(said(0)).wait(PATIENCE)
        assert second.send(said(1)).wait(PATIENCE)
        assert second.horizon is None and set(told) == {"first"}
