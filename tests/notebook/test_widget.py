"""The widget without a kernel: what it sends to the page, and what it does when the page sends something."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import airochat.session.ahead
from airochat.backends.base import Request
from airochat.characters import Card
from airochat.errors import StoreError, UsageError
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
                change = {
                    key: value for key, value in message.items() if key in ("splice", "text", "grown", "set")
                }
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


def has_grown_beside(length: int, state: dict[str, Any]) -> bool:
    return bool(state["cards"]) and len(state["cards"][1]["text"]) >= length


def cards_grown(state: dict[str, Any]) -> bool:
    return any(card["text"] for card in state["cards"])


def test_several_replies_grow_side_by_side_and_one_is_chosen(stage: Stage, page: Page) -> None:
    page.tell(type="replies", n=2)
    page.wait_for(lambda state: state["replies"] == 2)
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: len(state["cards"]) == 2)
    stage.backend.allow(7)
    page.wait_for(cards_grown)
    assert "Four five six.".startswith(page.state["cards"][1]["text"]) and page.state["running"]
    stage.backend.allow()
    page.wait_for(lambda state: state["swipe"] == [1, 2])
    assert page.texts[1:] == ["<p>One two three.</p>\n"]
    assert [card["text"] for card in page.state["cards"]] == ["One two three.", "Four five six."]
    page.tell(type="show", id=page.state["cards"][1]["id"])
    page.wait_for(lambda state: state["swipe"] == [2, 2])
    assert page.texts[1:] == ["<p>Four five six.</p>\n"] and len(page.state["cards"]) == 2
    page.tell(type="cards")
    page.wait_for(lambda state: not state["cards"])
    assert page.widget.settle(60) and page.threads == {"airochat-widget"}


def test_what_is_sent_for_cards_does_not_repeat_it(stage: Stage, page: Page) -> None:
    stage.session.send("Hello", n=2)
    for length in (1, 7):
        stage.backend.allow(2 + 5 * (length == 1))
        page.wait_for(partial(has_grown_beside, length))
    stage.backend.allow()
    page.widget.settle(60)
    grown = "".join(text for message in page.messages for at, text in message.get("grown", []) if at)
    assert grown in "Four five six."
    assert len(grown) > 7
    assert sum("cards" in message.get("set", {}) for message in page.messages) <= 3


def test_a_reply_picked_while_it_grows_is_the_one_that_is_shown(stage: Stage, page: Page) -> None:
    page.widget.replies = 2
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: len(state["cards"]) == 2)
    picked = page.state["cards"][1]["id"]
    page.tell(type="show", id=picked)
    page.wait_for(lambda state: state["running"] and state["running"]["id"] == picked)
    stage.backend.allow(8)
    page.wait_for(partial(has_grown, 1))
    assert "Four five six.".startswith(page.state["running"]["text"])
    stage.backend.allow()
    page.wait_for(lambda state: state["swipe"] == [2, 2])
    assert page.texts[-1] == "<p>Four five six.</p>\n" and stage.session.head == picked


def test_again_writes_as_many_as_are_wanted(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: state["swipe"] == [1, 1])
    page.widget.replies = 3
    page.tell(type="again")
    page.wait_for(lambda state: state["swipe"] == [2, 4])
    assert len(page.state["cards"]) == 4


@pytest.mark.parametrize("number", [0, 17, True, "3", None, 1.5])
def test_a_number_of_replies_that_cannot_be_is_refused(stage: Stage, page: Page, number: Any) -> None:
    page.tell(type="replies", n=number)
    page.wait_for(lambda state: state["line"])
    assert page.state["line"]["hint"] == "Choose 1 to 16." and page.state["replies"] == 1
    with pytest.raises(UsageError, match="no number of replies"):
        page.widget.replies = number


def test_a_message_of_nowhere_is_not_shown(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    page.tell(type="send", text="Hello")
    page.wait_for(lambda state: state["swipe"] == [1, 1])
    head = stage.session.head
    page.tell(type="show", id="nobody")
    page.wait_for(lambda state: state["line"])
    assert stage.session.head == head == stage.manager.store.find_session(stage.session.id).head


def test_in_a_group_alternatives_wait_to_be_chosen(stage: Stage, page: Page) -> None:
    for name in ("Maya", "Brann"):
        stage.session.add_card(Card(name))
    stage.backend.allow()
    page.widget.replies = 2
    page.tell(type="send", text="Maya and Brann?")
    page.wait_for(lambda state: state["swipe"] == [1, 2])
    assert (
        page.widget.settle(60) and len(stage.session.history) == 2 and stage.session.group.due() == ["Brann"]
    )
    page.widget.replies = 1
    page.tell(type="send", text="Brann and Maya?")
    page.wait_for(lambda state: len(state["messages"]) == 5)


def test_two_slashes_say_one(stage: Stage, page: Page) -> None:
    stage.backend.allow()
    page.tell(type="send", text="//note is a command")
    page.wait_for(lambda state: len(state["messages"]) == 2)
    assert stage.session.history[0].text == "/note is a command"


def test_what_is_being_typed_is_read_by_the_model(
    stage: Stage, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airochat.session.ahead, "on_battery", lambda: False)
    told: queue.SimpleQueue[Request] = queue.SimpleQueue()
    generate = stage.backend.generate

    def watched(request: Request) -> Any:
        told.put(request)
        return generate(request)

    monkeypatch.setattr(stage.backend, "generate", watched)
    stage.manager.start()
    stage.manager.wait_for_model(60)
    page.tell(type="draft", text="/note the rain")
    page.tell(type="draft", text="The old lighthou")
    request = told.get(timeout=60)
    assert request.purpose == "prepare" and not isinstance(request.prompt, str)
    assert b"".join(stage.backend.tokenizer.pieces(request.prompt)).decode().endswith("The old")
    assert stage.session.ahead.wait(60) and told.empty()
    assert stage.session.history == () and page.state["running"] is None
    page.tell(type="resync")
    page.wait_for(lambda state: page.messages and page.messages[-1]["type"] == "full")
    assert page.messages[-1]["draft"] == "The old lighthou"


def test_the_horizon_is_known_to_a_widget_made_later(stage: Stage, page: Page) -> None:
    stage.backend._model = dataclasses.replace(stage.backend._model, n_ctx=256)
    stage.session.set(sampling={"max_tokens": 32})
    stage.backend.allow()
    while stage.session.horizon is None:
        assert stage.session.send("A message of some length, which fills the memory.").wait(60)
    page.wait_for(lambda state: state["horizon"] == stage.session.horizon)
    late = ChatWidget(stage.session)
    assert late.snapshot["state"]["horizon"] == stage.session.horizon
    late.close()


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
    monkeypatch.setattr(stage.session, "swipe", lambda n: 1 / 0)
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
    assert len(str(ChatWidget._esm)) < 14_000
    assert len(str(ChatWidget._css)) < 7_000
