"""Calls of tools in the widget: the question on the page, and what becomes of its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airochat.notebook import ChatWidget
from tests.notebook.test_widget import Page
from tests.session.toolbox import Workbench, done

LAMP = 'CALL lamp {"sides": 6}'
Open = Callable[..., tuple[Workbench, Page]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A widget with the toolbox, and a page that has said hello unless told not to."""
    made: list[tuple[Workbench, ChatWidget]] = []

    def make(*replies: str, hello: bool = True) -> tuple[Workbench, Page]:
        bench = Workbench(tmp_path, replies)
        widget = ChatWidget(bench.session)
        made.append((bench, widget))
        page = Page(widget)
        if hello:
            page.tell(type="resync")
        return bench, page

    yield make
    for bench, widget in made:
        widget.close()
        bench.manager.close()


@pytest.mark.parametrize(("answer", "state"), [("once", "done"), ("chat", "done"), ("no", "denied")])
def test_the_page_asks_and_the_answer_counts(opened: Open, answer: str, state: str) -> None:
    bench, page = opened(LAMP, "So be it.")
    page.tell(type="send", text="Light it")
    page.wait_for(lambda state: state["question"])
    question = page.state["question"]
    assert question["title"] == "lamp of the harbour" and question["plugin"] == "toolbox"
    assert question["arguments"] == '{\n  "sides": 6\n}' and question["about"] == "Lights the lamp."
    page.wait_for(lambda state: state["activity"] == "waiting for your answer about lamp of the harbour")
    page.tell(type="approve", id="another", answer="once")
    page.tell(type="approve", id=question["id"], answer="perhaps")
    page.wait_for(lambda state: state["line"] and "is no answer" in state["line"]["text"])
    page.tell(type="approve", id=question["id"], answer=answer)
    page.wait_for(lambda state: not state["running"] and len(state["messages"]) == 4)
    assert page.state["question"] is None
    assert [message["role"] for message in page.state["messages"]] == [
        "user",
        "assistant",
        "system",
        "assistant",
    ]
    (call,) = bench.session.history[2].provenance.calls
    assert call["state"] == state
    page.tell(type="approve", id=question["id"], answer="never")
    assert page.widget.settle(30) and bench.manager.approvals.listed() == {}


def test_the_reply_with_the_call_and_the_answer_grow_one_after_the_other(opened: Open) -> None:
    bench, page = opened("CALL slow", "So be it.")
    page.tell(type="send", text="Wait")
    page.wait_for(lambda state: state["activity"] == "calling slow")
    assert page.state["running"]["text"] == "CALL slow" and len(page.state["messages"]) == 1
    bench.open_gate()
    page.wait_for(lambda state: not state["running"] and len(state["messages"]) == 4)
    assert "at last" in page.texts[2] and "So be it." in page.texts[3]


def test_stop_withdraws_the_question(opened: Open) -> None:
    bench, page = opened(LAMP, "So be it.")
    page.tell(type="send", text="Light it")
    page.wait_for(lambda state: state["question"])
    page.tell(type="stop")
    page.wait_for(lambda state: not state["running"] and state["question"] is None)
    assert bench.texts() == ["Light it", LAMP]


def test_closing_the_widget_leaves_nobody_waiting(opened: Open) -> None:
    bench, page = opened(LAMP, "So be it.")
    turn = bench.session.send("Light it")
    page.wait_for(lambda state: state["question"])
    page.widget.close()
    done(turn)
    assert "The user was not asked" in bench.texts()[2] and bench.session.approver is None


def test_without_a_page_nobody_is_asked(opened: Open) -> None:
    bench, page = opened(LAMP, "So be it.", hello=False)
    done(bench.session.send("Light it"))
    assert page.widget.settle(30)
    assert "The user was not asked" in bench.texts()[2]
    line: Any = page.state["line"]
    assert "session.allow('lamp')" in line["hint"]


def test_a_widget_that_comes_while_tools_are_called_shows_the_newest_round(opened: Open) -> None:
    bench, _page = opened('CALL dice {"sides": 6}', "CALL slow", "So be it.")
    ready = threading.Event()
    forget = bench.session.subscribe(
        lambda event: ready.set() if getattr(event, "tool", "") == "slow" else None
    )
    turn = bench.session.send("Roll and wait")
    assert ready.wait(30)
    forget()
    late = ChatWidget(bench.session)
    try:
        state = late._bridge._transcript.state()
        assert state["running"]["id"] == turn.message_id and len(state["messages"]) == 3
        bench.open_gate()
        done(turn)
    finally:
        late.close()
