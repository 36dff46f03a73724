"""What is read ahead, and what is written while nobody waits."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from airochat.backends.base import Failed, Finished, PromptProgress, TextDelta, Usage
from airochat.backends.llama.client import LlamaBackend
from airochat.sampling import FORBIDDEN
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import (
    GREEDY,
    WAIT_S,
    Asked,
    Gate,
    Heard,
    aside_context,
    chat_context,
    listen,
    llama,
    request,
    server_of,
    text_tokens,
)
from tests.models import find, spm_tokens, write_recurrent_model

NO_BYTES = tuple((token, FORBIDDEN) for token in range(259))
PLAIN = GREEDY.replace(logit_bias=NO_BYTES, ignore_eos=True, max_tokens=16)
ONE = PLAIN.replace(max_tokens=1)
PROMPT, TITLE = text_tokens(1, 300), text_tokens(2, 90)


def chat_is_untouched(backend: LlamaBackend, whole: tuple[int, ...]) -> bool:
    """Return whether a prompt that was in the cache evaluates its last token only, by what is in the lane."""
    usage = listen(backend, request(whole, ONE)).finished.usage
    return (usage.evaluated, usage.restored, usage.moved) == (1, 0, 0)


# -- reading ahead ---------------------------------------------------------------------------------------------------


def test_what_was_read_ahead_is_not_read_again(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    heard = listen(backend, request(PROMPT[:250], PLAIN, purpose="prepare"))
    assert (heard.text, heard.finished.reason, heard.finished.tokens) == ("", "length", ())
    assert heard.finished.usage == Usage(250, 0, 250, 0)
    assert heard.progress[-1] == PromptProgress(250, 250, 0)
    assert listen(backend, request(PROMPT, PLAIN)).finished.usage == Usage(300, 250, 50, 16)


def test_reading_ahead_gives_way_to_a_reply(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    ahead = Asked(backend, request(PROMPT, PLAIN, purpose="prepare"))
    gate.wait(passed=1)
    reply = Asked(backend, request(PROMPT, PLAIN))
    gate.open()
    assert ahead.end().finished.reason == "user"
    read = ahead.heard.finished.usage.evaluated
    assert 64 <= read < 128, "the second chunk was broken off"
    assert reply.end().finished.usage == Usage(300, read, 300 - read, 16)


@pytest.mark.parametrize("purpose", ["reply", "prepare"])
def test_what_waits_to_be_read_ahead_is_dropped_when_something_newer_comes(
    open_model: Open, spm_model: Path, purpose: str
) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    running = Asked(backend, request(PROMPT, PLAIN))
    gate.wait()
    ahead = Asked(backend, request(TITLE, PLAIN, purpose="prepare"))
    newer = Asked(backend, request(PROMPT + TITLE, PLAIN, purpose=purpose))  # type: ignore[arg-type]
    gate.open()
    assert ahead.end().finished.usage == Usage(), "it would have cost the cache of the chat"
    assert newer.end().finished.usage.prompt == 390
    assert running.end().finished.reason == "length"


def test_reading_ahead_can_be_stopped_and_what_was_read_stays(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(chat_context(backend))
    ahead = Asked(backend, request(PROMPT, PLAIN, purpose="prepare"))
    gate.wait(passed=2)
    backend.stop(ahead.request.id)
    gate.open()
    assert ahead.end().finished.reason == "user"
    read = ahead.heard.finished.usage.evaluated
    assert 128 <= read < 192
    assert listen(backend, request(PROMPT, PLAIN)).finished.usage.reused == read


# -- in the background -----------------------------------------------------------------------------------------------


def test_the_cache_of_the_chat_stays_as_it_is(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    reply = listen(backend, request(PROMPT, PLAIN)).finished.tokens
    titles = [TITLE, TITLE + text_tokens(3, 20), text_tokens(4, 100), TITLE[:40]]
    evaluated = [90, 36, 100, 40]
    for title, count in zip(titles, evaluated, strict=True):
        heard = listen(backend, request(title, PLAIN, purpose="background"))
        assert heard.text
        assert heard.finished.reason == "length"
        usage = heard.finished.usage
        assert (usage.prompt, usage.generated) == (len(title), 16)
        assert usage.evaluated <= count
        assert usage.prompt == usage.reused + usage.evaluated
    assert chat_is_untouched(backend, PROMPT + reply)


def test_it_writes_what_a_reply_would_be(open_model: Open, spm_model: Path) -> None:
    warm = PLAIN.replace(temperature=1.0, seed=3, max_tokens=40)
    asides, replies = open_model(spm_model), open_model(spm_model)
    for prompt in (TITLE, PROMPT[:200], PROMPT[:210]):
        aside = listen(asides, request(prompt, warm, purpose="background"))
        reply = listen(replies, request(prompt, warm))
        assert (aside.text, aside.finished.tokens) == (reply.text, reply.finished.tokens)


@pytest.mark.parametrize("passed", [0, 1, 2, 9])
def test_it_pauses_for_a_reply_within_a_token(open_model: Open, spm_model: Path, passed: int) -> None:
    backend = open_model(spm_model)
    prompt = text_tokens(5, 200)  # two batches
    whole = listen(backend, request(prompt, PLAIN, purpose="background"))
    listen(backend, request(TITLE, ONE, purpose="background"))
    log: list[str] = []
    chat, aside = Gate(chat_context(backend), "chat", log), Gate(aside_context(backend), "aside", log)
    chat.open()
    background = Asked(backend, request(prompt, PLAIN, purpose="background"))
    aside.wait(passed)
    reply = Asked(backend, request(PROMPT, PLAIN))
    aside.open()
    assert reply.end().finished.reason == "length"
    heard = background.end()
    first, last = log.index("chat"), len(log) - log[::-1].index("chat")
    assert log[:first] == ["aside"] * (passed + 1), "what had begun when the reply came was all"
    assert set(log[first:last]) == {"chat"}, "nothing goes on while the reply is written"
    assert heard.text == whole.text
    assert heard.finished.usage == whole.finished.usage
    assert chat_is_untouched(backend, PROMPT + reply.heard.finished.tokens)


def test_a_state_that_an_abort_has_cost_is_made_again(open_model: Open, tmp_path: Path) -> None:
    path = write_recurrent_model(tmp_path / "m.gguf")
    backend, prompt = open_model(path), text_tokens(5, 60)
    whole = listen(backend, request(prompt, PLAIN, purpose="background"))
    listen(backend, request(TITLE, ONE, purpose="background"))
    gate = Gate(aside_context(backend))
    background = Asked(backend, request(prompt, PLAIN, purpose="background"))
    gate.wait(passed=7)
    reply = Asked(backend, request(PROMPT, PLAIN))
    gate.open()
    assert reply.end().finished.reason == "length"
    assert background.end().text == whole.text
    assert background.heard.finished.tokens == whole.finished.tokens


@pytest.mark.parametrize("passed", [0, 1, 5])
def test_it_can_be_stopped_while_it_is_computed(open_model: Open, spm_model: Path, passed: int) -> None:
    backend = open_model(spm_model)
    gate = Gate(aside_context(backend))
    background = Asked(backend, request(TITLE, PLAIN, purpose="background"))
    gate.wait(passed)
    backend.stop(background.request.id)
    gate.open()
    heard = background.end()
    assert heard.finished.reason == "user"
    assert heard.finished.usage.generated == passed
    assert listen(backend, request(TITLE, PLAIN, purpose="background")).finished.reason == "length"


def test_it_can_be_stopped_while_it_waits_or_pauses_and_ends_at_once(
    open_model: Open, spm_model: Path
) -> None:
    backend = open_model(spm_model)
    aside = Gate(aside_context(backend))
    pausing = Asked(backend, request(TITLE, PLAIN, purpose="background"))
    aside.wait(passed=3)
    chat = Gate(chat_context(backend))
    reply = Asked(backend, request(PROMPT, PLAIN))
    aside.open()
    chat.wait()
    waiting = Asked(backend, request(TITLE, PLAIN, purpose="background"))
    for one in (waiting, pausing):
        backend.stop(one.request.id)
        backend.stop(one.request.id)
        assert one.end().finished.reason == "user"
    assert not reply.over
    chat.open()
    assert reply.end().finished.reason == "length"
    again = listen(backend, request(TITLE, PLAIN, purpose="background"))
    assert again.finished.reason == "length"
    assert again.text


def test_a_request_that_was_stopped_again_does_not_keep_it_paused(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(aside_context(backend))
    background = Asked(backend, request(TITLE, PLAIN, purpose="background"))
    gate.wait(passed=2)
    reply = Asked(backend, request(PROMPT, PLAIN))
    backend.stop(reply.request.id)
    assert reply.end().finished.usage == Usage()
    gate.open()
    assert background.end().finished.reason == "length"


def test_several_are_written_one_after_the_other(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    gate = Gate(aside_context(backend))
    asked = [Asked(backend, request(text_tokens(seed, 50), PLAIN, purpose="background")) for seed in range(4)]
    gate.wait()
    begun: list[int] = []
    server = server_of(backend)
    assert server._aside is not None
    generate = server._aside.generate

    def noted(one, cancelled):  # type: ignore[no-untyped-def]
        begun.append([each.request for each in asked].index(one))
        return generate(one, cancelled)

    server._aside.generate = noted  # type: ignore[method-assign]
    gate.open()
    assert [one.end().finished.reason for one in asked] == ["length"] * 4
    assert begun == [1, 2, 3]


@pytest.mark.parametrize("prompt", [(), (-1,), (10**6,), (5,) * 4096])
def test_an_impossible_prompt_is_refused(open_model: Open, spm_model: Path, prompt: tuple[int, ...]) -> None:
    backend = open_model(spm_model)
    failed = listen(backend, request(prompt, PLAIN, purpose="background")).failed
    assert failed.message.endswith(".")
    assert failed.usage == Usage()
    assert listen(backend, request(TITLE, PLAIN, purpose="background")).finished.reason == "length"


def test_a_full_context_ends_it(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model, n_ctx=256)
    asked = request(text_tokens(1, 250), PLAIN, purpose="background")
    usage = listen(backend, asked).finished.usage
    assert (usage.prompt, usage.generated) == (250, 7)


def test_a_form_that_allows_nothing_fails_and_the_next_one_works(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    letter = (find(spm_tokens(), "a"), FORBIDDEN)
    nothing = PLAIN.replace(grammar='root ::= "a"', logit_bias=(*NO_BYTES, letter))
    assert "grammar" in listen(backend, request(TITLE, nothing, purpose="background")).failed.message
    assert listen(backend, request(TITLE, PLAIN, purpose="background")).finished.reason == "length"


def test_closing_ends_what_pauses_and_what_is_written(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    aside = Gate(aside_context(backend))
    background = Asked(backend, request(TITLE, PLAIN, purpose="background"))
    aside.wait(passed=3)
    chat = Gate(chat_context(backend))
    reply = Asked(backend, request(PROMPT, PLAIN))
    aside.open()
    chat.wait()
    closing = threading.Thread(target=backend.close)
    closing.start()
    chat.open()
    closing.join(WAIT_S)
    ends = [one.end().end for one in (background, reply)]
    assert [isinstance(end, Finished) and end.reason for end in ends] == ["user", "user"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_the_death_of_the_engine_fails_both(spm_model: Path, tmp_path: Path) -> None:
    backend = llama(spm_model, "process", tmp_path / "log")
    try:
        backend.wait(WAIT_S)
        endless = PLAIN.replace(max_tokens=900)
        title, started = request(TITLE, endless, purpose="background"), threading.Event()
        ends: list[object] = []

        def write() -> None:
            for event in backend.generate(title):
                if isinstance(event, TextDelta):
                    started.set()
                ends.append(event)

        thread = threading.Thread(target=write)
        thread.start()
        assert started.wait(WAIT_S)
        reply = Heard()
        for event in backend.generate(request(PROMPT, endless)):
            reply.take(event)
            if isinstance(event, TextDelta) and backend.pid is not None:
                os.kill(backend.pid, signal.SIGKILL)
        thread.join(WAIT_S)
        assert isinstance(reply.end, Failed)
        assert isinstance(ends[-1], Failed | Finished)
        assert listen(backend, request(TITLE, PLAIN, purpose="background")).finished.reason == "length"
    finally:
        backend.close()


def test_a_command_for_a_run_that_is_over_does_nothing(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    heard = listen(backend, request(TITLE, PLAIN, purpose="background"))
    backend.stop("unknown")
    server_of(backend)._stop_run(10**6)
    assert listen(backend, request(TITLE, PLAIN, purpose="background")).text == heard.text
