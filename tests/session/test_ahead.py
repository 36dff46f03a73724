"""Reading the coming prompt while the user types: what of it is read, when, and what that saves."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import airochat
import airochat.session.ahead
from airochat.backends.base import Request
from airochat.backends.scripted import ScriptedBackend
from airochat.power import on_battery
from airochat.prompt import PromptPlan, message_source
from airochat.session.ahead import settled_tokens, settled_words
from airochat.session.events import PromptReady, TurnStarted
from tests.session.desk import PATIENCE, Desk, done

LONG = "This is a first message of some length, so that there is something to be read before the next one."


class Watched(ScriptedBackend):
    """Remembers the requests, and can hold those that read ahead."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests: list[Request] = []
        self.stopped: list[str] = []
        self.held = threading.Event()
        self.begun = threading.Event()
        self.held.set()

    def generate(self, request: Request) -> Any:
        self.requests.append(request)
        if request.purpose == "prepare":
            self.begun.set()
            assert self.held.wait(PATIENCE)
        return super().generate(request)

    def stop(self, request_id: str) -> None:
        self.stopped.append(request_id)
        super().stop(request_id)

    @property
    def prepared(self) -> list[tuple[int, ...]]:
        """The prompts that were to be read ahead."""
        return [request.prompt for request in self.requests if request.purpose == "prepare"]  # type: ignore[misc]


@pytest.fixture(autouse=True)
def mains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the machine hang on a wall socket, whatever it is; the folder tells what feeds it."""
    folder = tmp_path / "power_supply"
    monkeypatch.setattr(airochat.session.ahead, "on_battery", lambda: on_battery(folder))
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = watched(tmp_path)
    yield made
    backend(made).held.set()
    made.manager.close()


def watched(home: Path, **settings: Any) -> Desk:
    made = Desk(home / "home", Watched(("one", "two", "three")), settings)
    made.manager.start()
    made.manager.wait_for_model(PATIENCE)
    return made


def backend(desk: Desk) -> Watched:
    assert isinstance(desk.backend, Watched)
    return desk.backend


def prepare(desk: Desk, text: str = "") -> None:
    desk.session.prepare(text)
    assert desk.session.ahead.wait(PATIENCE)


def read(desk: Desk) -> str:
    """Return the text of what was read ahead last."""
    return b"".join(desk.backend.tokenizer.pieces(backend(desk).prepared[-1])).decode()


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("", ""),
        ("Th", ""),
        ("The ", "The"),
        ("The old", "The"),
        ("The old ", "The old"),
        ("The old\n\nligh", "The old"),
        ("  ", ""),
        ("one\ttwo  three", "one\ttwo"),
        ("Grüße ☕ an", "Grüße ☕"),
    ],
)
def test_all_but_the_last_word_is_settled(text: str, settled: str) -> None:
    assert settled_words(text) == settled


@given(st.text(), st.text())
def test_what_is_settled_stays_whatever_is_typed(text: str, more: str) -> None:
    assert (text + more).startswith(settled_words(text))
    assert settled_words(text) == settled_words(text).rstrip()


def test_only_what_is_settled_is_read(desk: Desk) -> None:
    done(desk.session.send(LONG))
    prepare(desk, "The old lighthou")
    assert read(desk).endswith("The old") and LONG in read(desk)
    turn = done(desk.session.send("The old lighthouse is dark."))
    plan = next(event for event in turn if isinstance(event, PromptReady)).plan
    assert (
        plan.tokens is not None
        and plan.tokens[: len(backend(desk).prepared[-1])] == backend(desk).prepared[-1]
    )
    assert turn.usage.reused == len(backend(desk).prepared[-1])


def test_before_the_first_word_all_that_comes_before_it_is_read(desk: Desk) -> None:
    done(desk.session.send(LONG))
    for text in ("", "Th"):
        prepare(desk, text)
        assert "…" not in read(desk) and "Th" not in read(desk).rpartition("one")[2]
        assert "one" in read(desk)


def test_nothing_is_kept_of_it(desk: Desk) -> None:
    done(desk.session.send(LONG))
    tree, seen = desk.session.tree, len(desk.events)
    prepare(desk, "The old lighthouse {{setvar::met::1}} is")
    assert desk.session.tree == tree and desk.session.turn is None and len(desk.events) == seen
    assert desk.session.variables.at(desk.session.history).local == {}
    assert desk.manager.store.messages(desk.session.id) == list(tree.messages.values())


def test_the_request_says_what_it_is_for(desk: Desk) -> None:
    prepare(desk, "The old lighthouse")
    (request,) = backend(desk).requests
    assert (request.purpose, request.chat, request.n) == ("prepare", desk.session.id, 1)


def test_a_note_near_the_end_is_read_only_if_it_stays_in_its_place(desk: Desk) -> None:
    done(desk.session.send(LONG))
    text = "The old lighthouse"
    desk.session.command("/note The rain grows louder.")
    desk.session.command("/note depth 0")
    plan = desk.session.prompt(text)
    assert "The rain" in plan.text.partition(text)[2], "it stands behind the message"
    prepare(desk, text)
    assert read(desk).endswith("The old") and "The rain" not in read(desk)
    desk.session.command("/note depth 1")
    prepare(desk, text)
    assert read(desk).endswith("The old") and "The rain" in read(desk)
    prepare(desk, "")
    assert "The rain" in read(desk) and "The old" not in read(desk)


def test_the_settled_tokens_are_those_of_the_prompt_up_to_the_text(desk: Desk) -> None:
    desk.session.command("/note The rain grows louder.")
    desk.session.command("/note depth 0")
    plan, source = desk.session.coming("The old lighthouse")
    assert plan.tokens is not None and plan.sources is not None
    for begun in (True, False):
        found = settled_tokens(plan, source, begun=begun)
        assert found == plan.tokens[: len(found)]
        assert plan.sources[len(found) - 1] == source if begun else source not in plan.sources[: len(found)]
    assert settled_tokens(plan, "message:other", begun=True) == ()


def test_a_prompt_without_tokens_has_none_settled() -> None:
    plan = PromptPlan("chatml", (), None, None, (), (), ())
    assert settled_tokens(plan, "message:1", begun=True) == ()


def test_nothing_is_read_while_a_reply_is_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home", Watched(("one",), gated=True))
    turn = desk.session.send("Hello")
    next(event for event in turn if isinstance(event, PromptReady))
    prepare(desk, "The old lighthouse")
    assert backend(desk).prepared == []
    desk.backend.allow()
    done(turn)
    prepare(desk, "The old lighthouse")
    assert len(backend(desk).prepared) == 1
    desk.manager.close()


def test_nothing_is_read_if_the_user_does_not_want_it(tmp_path: Path) -> None:
    desk = watched(tmp_path, read_ahead=False)
    prepare(desk, "The old lighthouse")
    assert backend(desk).requests == []
    desk.manager.close()


def test_nothing_is_read_before_the_model_is_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home", Watched(("one",), held=True))
    prepare(desk, "The old lighthouse")
    desk.manager.start()
    prepare(desk, "The old lighthouse")
    assert backend(desk).requests == [] and desk.backend.info is None
    desk.backend.finish_loading()
    desk.manager.wait_for_model(PATIENCE)
    prepare(desk, "The old lighthouse")
    assert len(backend(desk).prepared) == 1
    desk.manager.close()


def test_nothing_is_read_by_a_backend_that_cannot(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        desk.backend, "_model", dataclasses.replace(desk.backend._model, abilities=frozenset({"score"}))
    )
    prepare(desk, "The old lighthouse")
    assert backend(desk).requests == []


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / name / file).write_text(text + "\n")


def test_nothing_is_read_on_battery(desk: Desk, mains: Path) -> None:
    supply(mains, "BAT0", type="Battery", status="Discharging")
    prepare(desk, "The old lighthouse")
    assert backend(desk).requests == []
    supply(mains, "AC", type="Mains", online="1")
    prepare(desk, "The old lighthouse")
    assert len(backend(desk).prepared) == 1


def test_a_turn_ends_the_reading_and_is_not_kept_waiting(desk: Desk) -> None:
    done(desk.session.send(LONG))
    backend(desk).held.clear()
    desk.session.prepare("The old lighthouse is da")
    assert backend(desk).begun.wait(PATIENCE)
    reading = backend(desk).requests[-1]
    turn = done(desk.session.send("The old lighthouse is dark."))
    assert turn.reason == "eos" and reading.id in backend(desk).stopped
    cached = list(desk.backend._cached)
    backend(desk).held.set()
    assert desk.session.ahead.wait(PATIENCE)
    assert desk.backend._cached == cached, "what comes too late does not touch the cache"


def test_the_newest_wish_counts(desk: Desk) -> None:
    backend(desk).held.clear()
    desk.session.prepare("one two")
    assert backend(desk).begun.wait(PATIENCE)
    for text in ("one two three", "one two three four", "one two three four five"):
        desk.session.prepare(text)
    backend(desk).held.set()
    assert desk.session.ahead.wait(PATIENCE)
    prompts = [
        "".join(piece.decode() for piece in desk.backend.tokenizer.pieces(one))
        for one in backend(desk).prepared
    ]
    assert len(prompts) == 2 and prompts[0].endswith("one") and prompts[1].endswith("one two three four")
    assert backend(desk).requests[0].id in backend(desk).stopped


def test_a_prompt_that_cannot_be_made_disturbs_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(desk.session, "coming", lambda text: 1 / 0)
        prepare(desk, "The old lighthouse")
    assert backend(desk).requests == []
    prepare(desk, "The old lighthouse")
    assert len(backend(desk).prepared) == 1


def test_closing_waits_for_the_reading_and_opens_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = watched(tmp_path)
    entered, go_on = threading.Event(), threading.Event()
    coming = desk.session.coming

    def slowly(text: str) -> Any:
        entered.set()
        assert go_on.wait(PATIENCE)
        return coming(text)

    monkeypatch.setattr(desk.session, "coming", slowly)
    monkeypatch.setattr("airochat.session.model.create_backend", lambda *_: pytest.fail("made anew"))
    desk.session.prepare("The old lighthouse")
    assert entered.wait(PATIENCE)
    closing = threading.Thread(target=desk.manager.close)
    closing.start()
    go_on.set()
    closing.join(PATIENCE)
    assert not closing.is_alive() and desk.session.ahead.wait(0)
    assert desk.manager.model.current is None


words = st.lists(st.text("abcdefgäß☕.,'!?", min_size=1, max_size=9), min_size=1, max_size=12)
typed = st.builds(
    lambda words, gaps: "".join(word + gap for word, gap in zip(words, gaps, strict=False)),
    words,
    st.lists(st.sampled_from([" ", " ", " ", "  ", "\n", "\n\n", "\t"]), min_size=12, max_size=12),
)


@pytest.fixture(scope="module")
def typing_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = watched(tmp_path_factory.mktemp("typing"))
    done(made.session.send(LONG))
    yield made
    made.manager.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=typed, step=st.integers(1, 7), last=st.booleans())
def test_after_enter_only_the_last_word_is_read(typing_desk: Desk, text: str, step: int, last: bool) -> None:
    desk = typing_desk
    while len(desk.texts()) > 2:
        assert desk.session.undo()  # what a failed example has left
    prefixes = [text[:length] for length in range(step, len(text), step)] + [text] * last
    assume(prefixes)
    for prefix in prefixes:
        prepare(desk, prefix)
    whole_words = re.match(r"(.*\S)\s+\S*$", prefixes[-1], re.DOTALL)
    known = whole_words[1] if whole_words else ""
    turn = done(desk.session.send(text))
    plan = next(event for event in turn if isinstance(event, PromptReady)).plan
    said = next(event for event in turn if isinstance(event, TurnStarted)).parent
    assert plan.tokens is not None and plan.sources is not None and said is not None
    source = message_source(desk.session.tree[said])
    end = max(number for number, one in enumerate(plan.sources) if one == source) + 1
    behind = len(plan.tokens) - end
    rest = len(desk.backend.tokenizer.tokens(text[len(known) :]))
    # The first word of a message shares a token with the newline before it.
    assert turn.usage.evaluated <= rest + behind + (not known)
    assert desk.session.undo()
