"""What a widget shows after which events, and what is sent to get there."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airochat.backends.base import ModelInfo, Timings, Usage
from airochat.conversation import Message, Provenance, Tree
from airochat.errors import UsageError
from airochat.notebook.transcript import PREVIEW, SHOWN, Transcript, difference
from airochat.session.events import (
    HorizonMoved,
    ModelFailed,
    ModelLoading,
    ModelReady,
    Notice,
    PromptRead,
    TextAdded,
    TreeChanged,
    TurnEnded,
    TurnStarted,
)

SAID = Message("1", None, "user", "You", "Hello *there*")
REPLY = Message("2", "1", "assistant", "Mira", '"Hi."', provenance=Provenance("rain-7b", "f", "chatml"))
STARTED = TurnStarted("s", "t", "2", "1", "Mira")


def transcript(*messages: Message, text: str = "", texts: tuple[str, ...] = ()) -> Transcript:
    tree = Tree.build(messages, messages[-1].id if messages else None)
    return Transcript(tree, lambda turn: texts or (text,))


def ended(message: Message | None = REPLY, turn: str = "t", **fields: Any) -> TurnEnded:
    return TurnEnded("s", turn, message, fields.pop("reason", "eos"), Usage(), Timings(0.1, 31.4), **fields)


def test_messages_are_shown_as_html_with_their_names() -> None:
    state = transcript(SAID, REPLY).state()
    assert [(one["name"], one["html"]) for one in state["messages"]] == [
        ("You", "<p>Hello <em>there</em></p>\n"),
        ("Mira", '<p><span class="speech">"Hi."</span></p>\n'),
    ]
    assert state["swipe"] == [1, 1]
    assert state["model"] == "rain-7b · chatml"


def test_a_growing_reply_stands_under_its_parent_instead_of_the_old_one() -> None:
    shown = transcript(SAID, REPLY, text="Wel\x1b[1mcome")
    shown.apply(dataclasses.replace(STARTED, message="3"))
    state = shown.state()
    assert [one["id"] for one in state["messages"]] == ["1"]
    assert state["running"] == {"id": "3", "name": "Mira", "text": "Welcome"}
    assert shown.busy


def test_events_of_another_turn_change_nothing() -> None:
    shown = transcript(SAID)
    shown.apply(STARTED)
    before = shown.state()
    shown.apply(PromptRead("s", "old", 5, 10, 0))
    shown.apply(ended(turn="old"))
    assert shown.state() == before


def test_a_turn_is_told_from_waiting_to_writing() -> None:
    shown = transcript(SAID)
    shown.apply(STARTED)
    assert shown.state()["activity"] == "waiting for the model"
    shown.apply(ModelLoading(0.4, "reading the weights"))
    assert (shown.state()["activity"], shown.state()["progress"]) == ("reading the weights · 40%", 0.4)
    shown.apply(ModelReady(ModelInfo("rain-7b", "f"), "chatml", ("named in the file", "it fits")))
    assert (shown.state()["model"], shown.state()["why"]) == (
        "rain-7b · chatml",
        "Template chatml: named in the file; it fits",
    )
    shown.apply(PromptRead("s", "t", 30, 120, 20))
    assert (shown.state()["activity"], shown.state()["progress"]) == (
        "reading 30 of 120 tokens · 20 reused",
        0.25,
    )
    shown.apply(TextAdded("s", "t", "x", 1))
    assert (shown.state()["activity"], shown.state()["progress"]) == ("writing", None)


def test_what_a_reply_took_is_shown_with_it_and_its_pace_only_when_fresh() -> None:
    usage = {"prompt": 160, "reused": 40, "evaluated": 120, "generated": 30}
    reply = dataclasses.replace(REPLY, provenance=Provenance(usage=usage))
    shown = transcript(SAID, reply)
    assert shown.state()["activity"] == "40 tokens reused · 120 read · 30 written"
    shown.apply(STARTED)
    shown.apply(ended(reply))
    assert shown.state()["activity"] == "40 tokens reused · 120 read · 30 written · 31 tokens/s"
    other = dataclasses.replace(reply, id="3")
    shown.apply(TreeChanged("s", Tree.build([SAID, reply, other], "3")))
    assert shown.state()["activity"] == "40 tokens reused · 120 read · 30 written"
    assert shown.state()["swipe"] == [2, 2]


def test_a_failed_turn_leaves_its_reason_until_the_next_one() -> None:
    shown = transcript(SAID)
    shown.apply(STARTED)
    shown.apply(ended(None, reason="failed", error="The engine ended.", hint="Send again."))
    assert shown.state()["line"] == {"kind": "error", "text": "The engine ended.", "hint": "Send again."}
    assert not shown.busy
    shown.apply(dataclasses.replace(STARTED, turn="u"))
    assert shown.state()["line"] is None


def test_notices_failures_and_faults_are_told() -> None:
    shown = transcript()
    shown.apply(Notice("A plugin was switched off."))
    assert shown.state()["line"]["kind"] == "notice"
    shown.apply(ModelFailed("The model is gone.", "Choose another."))
    assert shown.state()["line"] == {"kind": "error", "text": "The model is gone.", "hint": "Choose another."}
    shown.tell_error(UsageError("No such command.", "Try /note."))
    assert shown.state()["line"]["hint"] == "Try /note."
    shown.tell_error(ZeroDivisionError("oh"))
    assert shown.state()["line"]["text"] == "ZeroDivisionError: oh"


def test_unfinished_replies_are_marked() -> None:
    states = {"stopped": "stopped", "failed": "broke off", "running": "interrupted", "finished": ""}
    for name, note in states.items():
        reply = dataclasses.replace(REPLY, state=name)  # type: ignore[arg-type]
        assert transcript(SAID, reply).state()["messages"][-1]["note"] == note


def test_a_long_chat_shows_its_end_and_more_on_request() -> None:
    chain = [Message(str(n), str(n - 1) if n else None, "user", "You", str(n)) for n in range(SHOWN + 30)]
    shown = transcript(*chain)
    assert (len(shown.state()["messages"]), shown.state()["earlier"]) == (SHOWN, 30)
    shown.show_earlier()
    assert (len(shown.state()["messages"]), shown.state()["earlier"]) == (SHOWN + 30, 0)


SEVERAL = dataclasses.replace(STARTED, alternatives=("3", "4"))
OTHERS = tuple(
    dataclasses.replace(REPLY, id=one, text=text) for one, text in (("3", "Ho."), ("4", "x" * 999))
)


def test_several_growing_replies_stand_on_cards() -> None:
    shown = transcript(SAID, texts=("one", "t\x1b[1mwo", ""))
    shown.apply(SEVERAL)
    state = shown.state()
    assert state["running"] == {"id": "2", "name": "Mira", "text": "one"}
    assert state["cards"] == [{"id": "2", "text": ""}, {"id": "3", "text": "two"}, {"id": "4", "text": ""}]
    assert shown.picked is None and shown.pick("3") and shown.picked == "3"
    assert shown.state()["running"]["text"] == "two"
    assert shown.state()["cards"][0] == {"id": "2", "text": "one"} and shown.state()["cards"][1]["text"] == ""
    assert not shown.pick("1") and shown.picked == "3"
    assert shown.pick("2") and shown.picked is None


def test_a_reply_that_grows_alone_has_no_cards() -> None:
    shown = transcript(SAID, text="one")
    shown.apply(STARTED)
    assert shown.state()["cards"] == [] and not shown.pick("3")


def test_afterwards_the_alternatives_stay_on_cards_until_the_chat_goes_on() -> None:
    shown = transcript(SAID)
    shown.apply(SEVERAL)
    tree = Tree.build([SAID, REPLY, *OTHERS], "2")
    shown.apply(TreeChanged("s", tree))
    shown.apply(ended())
    cards = shown.state()["cards"]
    assert [(card["id"], len(card["text"])) for card in cards] == [("2", 5), ("3", 3), ("4", PREVIEW)]
    assert shown.picked is None and shown.state()["swipe"] == [1, 3]
    shown.apply(TreeChanged("s", tree.append(Message("5", "2", "user", "You", "More"))))
    assert shown.state()["cards"] == []
    shown.apply(dataclasses.replace(STARTED, turn="u", message="6", parent="5"))
    assert shown.state()["cards"] == []


def test_cards_are_laid_out_and_put_away_on_request() -> None:
    shown = transcript(SAID, REPLY)
    shown.turn_cards()
    assert shown.state()["cards"] == [], "one reply is no choice"
    shown.turn_cards()
    shown.apply(TreeChanged("s", Tree.build([SAID, REPLY, *OTHERS], "3")))
    assert shown.state()["cards"] == []
    shown.turn_cards()
    assert [card["id"] for card in shown.state()["cards"]] == ["2", "3", "4"]
    shown.turn_cards()
    assert shown.state()["cards"] == []
    transcript().turn_cards()


def test_the_pace_counts_all_that_grow() -> None:
    shown = transcript(SAID)
    shown.apply(SEVERAL)
    shown.apply(TextAdded("s", "t", "x", 1, 2))
    assert shown.state()["activity"].startswith("writing")


def test_the_horizon_is_told() -> None:
    shown = transcript(SAID, REPLY)
    assert shown.state()["horizon"] is None
    shown.apply(HorizonMoved("s", "2"))
    assert shown.state()["horizon"] == "2"
    shown.apply(HorizonMoved("s", None))
    assert shown.state()["horizon"] is None


def test_moved_tokens_are_told_since_they_are_an_approximation() -> None:
    usage = {"prompt": 160, "reused": 40, "evaluated": 120, "generated": 30, "moved": 12, "restored": 0}
    shown = transcript(SAID, dataclasses.replace(REPLY, provenance=Provenance(usage=usage)))
    assert shown.state()["activity"] == "40 tokens reused, 12 of them moved · 120 read · 30 written"


messages = st.lists(st.sampled_from([{"id": name, "html": name} for name in "abcd"]), max_size=5)
running = st.none() | st.fixed_dictionaries({"id": st.sampled_from("xy"), "text": st.text("ab", max_size=4)})
cards = st.lists(
    st.fixed_dictionaries({"id": st.sampled_from("xy"), "text": st.text("ab", max_size=4)}), max_size=3
)
states = st.fixed_dictionaries(
    {"messages": messages, "running": running, "cards": cards, "activity": st.sampled_from("pq")}
)


def applied(state: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Apply a change as chat_widget.js does."""
    result = {**state, **change.get("set", {})}
    if "splice" in change:
        keep, more = change["splice"]
        result["messages"] = [*result["messages"][:keep], *more]
    if "text" in change:
        result["running"] = {**result["running"], "text": result["running"]["text"] + change["text"]}
    if "grown" in change:
        result["cards"] = [dict(card) for card in result["cards"]]
        for number, text in change["grown"]:
            result["cards"][number]["text"] += text
    return result


@given(states, states)
def test_the_difference_leads_from_one_state_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    change = difference(old, new)
    assert applied(old, change) == new
    assert bool(change) == (old != new)


def test_new_text_alone_is_what_is_sent() -> None:
    old = {"messages": [{"id": "1"}], "running": {"id": "2", "text": "one "}}
    new = {"messages": [{"id": "1"}], "running": {"id": "2", "text": "one two"}}
    assert difference(old, new) == {"text": "two"}


def test_new_text_on_cards_is_what_is_sent() -> None:
    old = {"messages": [], "running": None, "cards": [{"id": "2", "text": ""}, {"id": "3", "text": "one "}]}
    new = {
        "messages": [],
        "running": None,
        "cards": [{"id": "2", "text": ""}, {"id": "3", "text": "one two"}],
    }
    assert difference(old, new) == {"grown": [[1, "two"]]}
