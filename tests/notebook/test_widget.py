"""The widget without a kernel: what it sends to the page, and what it does when the page sends something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from airochat.errors import StoreError
from airochat.notebook import ChatWidget, show
from airochat.notebook.transcript import Transcript
from tests.notebook.conftest import Stage
from tests.notebook.test_transcript import applied


class Page:
    """Stands for a browser's page: receives what the widget sends, and waits for what it should show."""

    def __init__(self, widget: ChatWidget) -> None:
        self.widget = widget
        self.messages: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.state: dict[str, Any] = widget.snapshot["state"]
        self.rev = widget.snapshot["rev"]
        self._changed = threading.Condition()
        widget.send = self._receive

    def _receive(self, message: dict[str, Any], buffers: object = None) -> None:
        with self._changed:
            self.messages.append(message)
            self.threads.add(threading.current_thread().name)
            if message["type"] == "full":
                self.state, self.rev = message["state"], message["rev"]
            else:
                assert message["rev"] == self.rev + 1
                change = {key: value for key, value in message.items() if key in ("splice", "text", "set")}
                self.state, self.rev = applied(self.state, change), message["rev"]
            self._changed.notify_all()

    def tell(self, **message: Any) -> None:
        self.widget._handle_custom_msg(message, [])

    def wait_for(self, condition: Callable[[dict[str, Any]], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.state), 60), self.state

    @property
    def texts(self) -> list[str]:
        return [message["html"] for message in self.state["messages"]]


def has_grown(length: int, state: dict[str, Any]) -> bool:
    return bool(state["running"]) and len(state["running"]["text"]) >= length


@pytest.fixture
def page(stage: Stage) -> Iterator[Page]:
    widget = ChatWidget(stage.session)
    yield Page(widget)
    widget.close()


def test_a_message_of_the_page_is_answered_word_by_word(stage: Stage, page: Page) -> None:
    page.tell(type="send", text="Hello *there*")
    page.wait_for(lambda state: state["running"])
    stage.backend.allow(2)
    page.wait_for(partial(has_grown, 1))
    assert "One two three.".startswith(page.state["running"]["text"])
    assert page.state["messages"][0]["html"] == "<p>Hello <em>there</em></p>\n"
    stage.backend.allow()
    assert page.widget.settle(60)
    assert page.texts[1:] == ["<p>One two three.</p>\n"]
    assert page.state["running"] is None
    assert stage.session.history[-1].text == "One two three."


def test_what_is_sent_for_text_does_not_repeat_it(stage: Stage, page: Page) -> None:
    stage.session.send("Hello")
    for length in (1, 7):
        stage.backend.allow(2)
        page.wait_for(partial(has_grown, length))
    stage.backend.allow()
    page.widget.settle(60)
    grown = "".join(message.get("text", "") for message in page.messages)
    assert grown
    assert grown in "One two three."
    assert {message["type"] for message in page.messages} == {"change"}


def test_stop_keeps_what_was_written_and_marks_it(stage: Stage, page: Page) -> None:
    stage.session.send("Hello")
    stage.backend.allow(2)
    page.wait_for(partial(has_grown, 1))
    page.tell(type="stop")
    assert page.widget.settle(60)
    assert page.state["messages"][-1]["note"] == "stopped"
    assert "One two three.".startswith(stage.session.history[-1].text)


def test_again_and_turning_between_replies(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: state["swipe"] == [1, 1])
    page.tell(type="again")
    page.wait_for(lambda state: state["swipe"] == [2, 2])
    assert page.texts[-1] == "<p>Four five six.</p>\n"
    page.tell(type="previous")
    page.wait_for(lambda state: state["swipe"] == [1, 2])
    assert page.texts[-1] == "<p>One two three.</p>\n"
    page.tell(type="next")
    page.wait_for(lambda state: state["swipe"] == [2, 2])


def test_a_page_that_asks_gets_everything_in_mid_reply(stage: Stage, page: Page) -> None:
    page.tell(type="draft", text="half a thou")
    stage.session.send("Hello")
    stage.backend.allow(2)
    page.wait_for(partial(has_grown, 1))
    page.tell(type="resync")
    page.wait_for(lambda state: page.messages[-1]["type"] == "full")
    full = page.messages[-1]
    assert full["rev"] == page.rev
    assert full["draft"] == "half a thou"
    assert full["state"]["running"]["text"]
    assert len(full["state"]["messages"]) == 1


def test_a_widget_made_in_mid_reply_joins_it(stage: Stage, page: Page) -> None:
    stage.session.send("Hello")
    stage.backend.allow(2)
    page.wait_for(partial(has_grown, 1))
    late = Page(ChatWidget(stage.session))
    late.tell(type="resync")
    late.wait_for(
        lambda state: state["running"] and state["running"]["text"] == page.state["running"]["text"]
    )
    stage.backend.allow()
    assert late.widget.settle(60)
    assert page.widget.settle(60)
    assert late.texts == page.texts
    late.widget.close()


def test_a_refused_message_comes_back_with_the_reason(stage: Stage, page: Page) -> None:
    stage.session.send("Hello")
    page.wait_for(lambda state: state["running"])
    page.tell(type="send", text="precious")
    page.wait_for(lambda state: state["line"])
    assert page.messages[-1]["back"] == "precious"
    assert page.state["line"] == {
        "kind": "error",
        "text": "A reply is being written.",
        "hint": "Stop it first, or wait for its end.",
    }
    assert len(stage.session.history) == 1


def test_a_command_answers_on_the_line(stage: Stage, page: Page) -> None:
    page.tell(type="send", text="/nonsense")
    page.wait_for(lambda state: state["line"])
    assert page.state["line"]["kind"] == "error"
    page.tell(type="send", text="/note the rain grows louder")
    page.wait_for(lambda state: state["line"] and state["line"]["kind"] == "notice")
    assert stage.session.history == ()


def test_an_engine_that_dies_is_told_and_the_next_message_is_answered(stage: Stage, page: Page) -> None:
    stage.backend.fail_after = 2
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: state["line"])
    assert page.state["line"]["kind"] == "error"
    assert page.state["messages"][-1]["note"] == "broke off"
    page.tell(type="send", text="And now?")
    page.wait_for(lambda state: len(state["messages"]) == 4)
    assert page.state["line"] is None


def test_a_fault_in_a_callback_is_shown_and_the_chat_goes_on(
    stage: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.session, "swipe", lambda: 1 / 0)
    page.tell(type="again")
    page.wait_for(lambda state: state["line"])
    assert "ZeroDivisionError" in page.state["line"]["text"]
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: len(state["messages"]) == 2)


def test_a_fault_while_publishing_is_shown_and_the_chat_goes_on(
    stage: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Transcript.state
    monkeypatch.setattr(Transcript, "state", lambda self: 1 / 0)
    page.tell(type="earlier")
    assert page.widget.settle(60)
    monkeypatch.setattr(Transcript, "state", state)
    page.tell(type="earlier")
    page.wait_for(lambda shown: shown["line"] and "ZeroDivisionError" in shown["line"]["text"])


@pytest.mark.parametrize(
    "message", [{}, {"type": 5}, {"type": "send"}, {"type": "send", "text": None}, {"type": "stop"}]
)
def test_a_strange_message_does_no_harm(stage: Stage, page: Page, message: dict[str, Any]) -> None:
    page.tell(**message)
    if stage.session.turn:
        stage.session.stop()
    stage.backend.allow()
    assert page.widget.settle(60)


def test_a_message_that_cannot_be_saved_comes_back(
    stage: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.", "Free some space.")

    monkeypatch.setattr(stage.manager.store, "add_message", full)
    page.tell(type="send", text="precious")
    page.wait_for(lambda state: state["line"])
    assert page.messages[-1]["back"] == "precious"
    assert page.state["line"]["text"] == "The disk is full."


def test_one_thread_publishes(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: len(state["messages"]) == 2)
    page.tell(type="resync")
    page.widget.settle(60)
    assert page.threads == {"airochat-widget"}


def test_the_saved_state_is_the_last_settled_one(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    stage.session.send("Hello")
    page.widget.settle(60)
    assert page.widget.snapshot["state"] == page.state
    assert page.widget.snapshot["rev"] == page.rev


def test_show_gives_one_widget_for_a_session(stage: Stage) -> None:
    first = show(stage.session)
    assert show(stage.session) is first
    first.close()
    second = show(stage.session)
    assert second is not first
    second.close()


def test_a_closed_widget_listens_no_more(stage: Stage, page: Page) -> None:
    page.widget.close()
    stage.backend.allow()
    stage.session.send("Hello").wait(60)
    assert page.messages == []


def test_what_travels_with_every_widget_is_small() -> None:
    assert len(str(ChatWidget._esm)) < 12_000
    assert len(str(ChatWidget._css)) < 6_000
