"""Logits processors at work on replies: what they change, what they meet, and that no fault of theirs ends a reply."""

from __future__ import annotations

import gc
import json
import os
import signal
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airochat.backends.base import Finished, LoadFailed, TextDelta
from airochat.backends.guess import Pace
from airochat.backends.llama import life, processors
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.processors import Processors
from airochat.sampling import FORBIDDEN, LogitsProcessor
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import GREEDY, WAIT_S, Asked, LoadEvents, listen, llama, request
from tests.models import says, write_model

START, END = 1, 2
TEXT = "abcdefghij"
PROMPT = (*(3 + byte for byte in b"xyz"), START)
PREFERS = """
    def make(options):
        def prefer(ids, logits):
            logits[options["token"]] += options["by"]
        return prefer
"""
SKIPS = """
    def make(options):
        def skip(ids, logits):
            if ids[-1] == options["after"]:
                logits[options["token"]] += 1000
        return skip
"""
WATCHES = """
    import json
    def make(options):
        def watch(ids, logits):
            with open(options["path"], "a") as file:
                file.write(json.dumps(ids) + "\\n")
        return watch
"""
Write = Callable[..., LogitsProcessor]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the file of a processor and return what names it."""

    def new(code: str, name: str = "one", **options: Any) -> LogitsProcessor:
        file = tmp_path / f"{name}.py"
        file.write_text(textwrap.dedent(code))
        return LogitsProcessor(name, str(file), "make", options)

    return new


@pytest.fixture(scope="module")
def scripted_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "says.gguf", chain=says(TEXT, START, END))


@pytest.fixture(scope="module")
def backend(scripted_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    one = llama(scripted_model, "thread", tmp_path_factory.mktemp("logs") / "engine.log")
    one.wait(WAIT_S)
    yield one
    one.close()


def byte(letter: str) -> int:
    return 3 + ord(letter)


def watched(path: Path) -> list[list[int]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_processor_changes_the_choice_and_the_next_reply_is_as_it_was(
    backend: LlamaBackend, write: Write
) -> None:
    skips = write(SKIPS, after=byte("b"), token=byte("h"))
    assert listen(backend, request(PROMPT)).text == TEXT
    heard = listen(backend, request(PROMPT, processors=(skips,)))
    assert (heard.text, heard.finished.reason, heard.finished.notes) == ("abhij", "eos", ())
    after = listen(backend, request(PROMPT))
    assert (after.text, after.finished.usage.evaluated) == (TEXT, 1)


def test_it_sees_the_prompt_and_the_reply_once_for_each_token(
    backend: LlamaBackend, write: Write, tmp_path: Path
) -> None:
    log = tmp_path / "seen"
    listen(backend, request(PROMPT, processors=(write(WATCHES, path=str(log)),)))
    whole = [*PROMPT, *(byte(letter) for letter in TEXT)]
    assert watched(log) == [whole[:end] for end in range(len(PROMPT), len(whole) + 1)]


def test_several_work_in_their_order(backend: LlamaBackend, write: Write) -> None:
    first, second = (
        write(
            f"""
            def make(options):
                def only(ids, logits):
                    logits[:] = -50
                    logits[{byte(letter)}] = 50
                return only
            """,
            letter,
        )
        for letter in "pq"
    )
    short = GREEDY.replace(max_tokens=3)
    assert listen(backend, request(PROMPT, short, processors=(first, second))).text == "qqq"
    assert listen(backend, request(PROMPT, short, processors=(second, first))).text == "ppp"


def test_every_one_of_several_replies_has_its_own(backend: LlamaBackend, write: Write) -> None:
    once = write(
        """
        def make(options):
            calls = []
            def once(ids, logits):
                calls.append(1)
                if len(calls) == 2:
                    logits[options["token"]] += 1000
            return once
        """,
        token=byte("h"),
    )
    heard = listen(backend, request(PROMPT, n=3, processors=(once,)))
    assert [heard.text_of(index) for index in range(3)] == ["ahij"] * 3
    assert {other.index for other in heard.others} == {0, 1, 2}


def test_what_one_reply_changes_is_not_seen_by_the_next_to_the_same_prompt(
    backend: LlamaBackend, write: Write, tmp_path: Path
) -> None:
    log = tmp_path / "seen"
    adds = write(
        """
        def make(options):
            def add(ids, logits):
                with open(options["path"], "a") as file:
                    file.write(f"[{len(ids)}, {logits[5]}]\\n")
                logits[5] += 1
            return add
        """,
        path=str(log),
    )
    listen(backend, request(PROMPT, GREEDY.replace(max_tokens=2), n=3, processors=(adds,)))
    first = [seen for length, seen in watched(log) if length == len(PROMPT)]
    assert first == [first[0]] * 3


def test_a_processor_that_fails_in_each_of_several_replies_is_named_once(
    backend: LlamaBackend, write: Write
) -> None:
    fails = write("def make(options):\n    return lambda ids, logits: 1 / 0\n")
    heard = listen(backend, request(PROMPT, n=3, processors=(fails,)))
    assert [heard.text_of(index) for index in range(3)] == [TEXT] * 3
    assert len(heard.finished.notes) == 1


def doing(statements: str) -> str:
    """Return a processor that does this with every token."""
    return (
        "import sys\ndef make(options):\n    def f(ids, logits):\n        " + statements + "\n    return f\n"
    )


BROKEN = {
    "raises": (doing("logits[:] = 0; raise ValueError('no')"), "ValueError: no."),
    "leaves": (doing("sys.exit(3)"), "SystemExit: 3."),
    "rules all out": (doing("logits.fill(-float('inf'))"), "every token"),
    "gives no numbers": (doing("logits[5] = float('nan')"), "every token"),
    "gives too much": (doing("logits[5] = float('inf')"), "every token"),
    "takes too few": ("def make(options):\n    return lambda: None", "TypeError"),
    "makes nothing": ("def make(options):\n    return None", "'make' made NoneType"),
    "is not made": ("def make(options):\n    raise KeyError('strength')", "KeyError: 'strength'."),
    "is not there": ("def other(options):\n    return None", "no function 'make' in one.py."),
    "is no Python": ("def make(:", "SyntaxError"),
    "cannot be loaded": ("import sys\nsys.exit()", "SystemExit."),
    "has an odd error": (
        "class E(Exception):\n    def __str__(self): raise ValueError\ndef make(options):\n    raise E",
        "left out of this reply: E.",
    ),
    "speaks to the terminal": (
        "def make(options):\n    raise ValueError('a\\x1b[2Jb\\n' + 'c' * 999)",
        "ValueError: ab ccc",
    ),
}


@pytest.mark.parametrize("code", BROKEN, ids=lambda name: name.replace(" ", "-"))
def test_one_that_fails_is_left_out_and_named_and_the_reply_goes_on(
    backend: LlamaBackend, write: Write, code: str
) -> None:
    text, said = BROKEN[code]
    shows = write(PREFERS, "still", token=byte("h"), by=0.5)
    heard = listen(backend, request(PROMPT, processors=(write(text), shows)))
    assert heard.text == TEXT
    (note,) = heard.finished.notes
    assert note.startswith("The logits processor 'one' is left out of this reply: ")
    assert said in note
    assert note.endswith(".")
    assert len(note) < 300


def test_a_file_that_is_not_there_or_is_no_file_is_told(backend: LlamaBackend, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("def make(options): return None")
    wanted = [
        LogitsProcessor(name, str(path), "make")
        for name, path in (
            ("gone", tmp_path / "gone.py"),
            ("folder", tmp_path),
            ("text", tmp_path / "words.txt"),
        )
    ]
    heard = listen(backend, request(PROMPT, processors=tuple(wanted)))
    assert heard.text == TEXT
    assert [note.split("'")[1] for note in heard.finished.notes] == ["gone", "folder", "text"]


def test_one_that_fails_later_has_worked_until_then(backend: LlamaBackend, write: Write) -> None:
    tires = write(
        """
        def make(options):
            def tire(ids, logits):
                if len(ids) > options["until"]:
                    raise RuntimeError("tired")
                logits[options["token"]] += 1000
            return tire
        """,
        until=len(PROMPT) + 1,
        token=byte("d"),
    )
    heard = listen(backend, request(PROMPT, processors=(tires,)))
    assert heard.text == "ddefghij"
    assert len(heard.finished.notes) == 1


def test_a_slow_one_is_left_out_after_its_call(
    backend: LlamaBackend, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "SLOW_S", -1.0)
    heard = listen(backend, request(PROMPT, processors=(write(PREFERS, token=byte("d"), by=1000),)))
    assert heard.text == "defghij"
    assert "for one token" in heard.finished.notes[0]


def test_options_that_are_not_json_are_told_and_tables_of_any_kind_are_taken(
    backend: LlamaBackend, write: Write
) -> None:
    good = write(PREFERS, "good", token=byte("d"), by=1000)
    proxied = LogitsProcessor("good", good.file, "make", MappingProxyType(dict(good.options)))
    bad = write(PREFERS, "bad", token={1, 2}, by=threading.Lock())
    circle: dict[str, Any] = {}
    circle["self"] = circle
    heard = listen(
        backend,
        request(
            PROMPT,
            GREEDY.replace(max_tokens=1),
            processors=(bad, LogitsProcessor("round", good.file, "make", circle), proxied),
        ),
    )
    assert heard.text == "d"
    assert [note.split("'")[1] for note in heard.finished.notes] == ["bad", "round"]


def test_a_changed_file_counts_from_the_next_reply_on(
    backend: LlamaBackend, write: Write, tmp_path: Path
) -> None:
    one = GREEDY.replace(max_tokens=1)
    for letter in "pqr":  # the same length, within the same second
        changed = write(
            f"def make(options):\n    def f(ids, logits):\n        logits[{byte(letter)}] = 1e6\n    return f"
        )
        assert listen(backend, request(PROMPT, one, processors=(changed,))).text == letter
    assert not list(tmp_path.rglob("*.pyc"))


def test_what_it_keeps_is_not_llama_cpps_memory(open_model: Open, scripted_model: Path, write: Write) -> None:
    keeps = write(
        """
        kept = []
        def make(options):
            def keep(ids, logits):
                for old in kept:
                    old.fill(float("nan"))
                kept.append(logits)
            return keep
        """
    )
    backend = open_model(scripted_model)
    assert listen(backend, request(PROMPT, processors=(keeps,))).text == TEXT
    backend.close()
    gc.collect()
    (module,) = [known for path, (_, known) in processors._modules.items() if str(path) == keeps.file]
    for array in module.kept:
        array.fill(1.0)


def test_background_work_and_reading_ahead_have_none(
    backend: LlamaBackend, write: Write, tmp_path: Path
) -> None:
    log = tmp_path / "seen"
    watches = (write(WATCHES, path=str(log)),)
    for asked in (
        request(PROMPT, purpose="prepare", processors=watches),
        request(PROMPT, purpose="background", processors=watches),
    ):
        assert listen(backend, asked).finished.notes == ()
    assert not log.exists()


# -- what they meet ----------------------------------------------------------------------------------------------


def test_a_grammar_binds_what_a_processor_prefers(backend: LlamaBackend, write: Write) -> None:
    bound = GREEDY.replace(grammar='root ::= [a-d] "x" [a-d]')
    prefers = write(PREFERS, token=byte("d"), by=1000)
    heard = listen(backend, request(PROMPT, bound, processors=(prefers,)))
    assert (heard.text, heard.finished.reason) == ("dxd", "eos")


def test_a_processor_that_leaves_nothing_of_a_grammar_ends_the_reply_with_words(
    backend: LlamaBackend, write: Write
) -> None:
    only = write(
        "def make(options):\n    def f(ids, logits):\n        keep = logits[options['token']].copy()\n"
        "        logits.fill(-float('inf'))\n        logits[options['token']] = keep\n    return f",
        token=byte("z"),
    )
    heard = listen(backend, request(PROMPT, GREEDY.replace(grammar='root ::= "a" "b"'), processors=(only,)))
    assert "grammar" in heard.failed.message
    assert listen(backend, request(PROMPT)).text == TEXT


def test_what_logit_bias_rules_out_stays_out(backend: LlamaBackend, write: Write) -> None:
    without = GREEDY.replace(logit_bias=((byte("d"), FORBIDDEN),), max_tokens=4)
    prefers = write(PREFERS, token=byte("d"), by=1000)
    heard = listen(backend, request(PROMPT, without, processors=(prefers,)))
    assert "d" not in heard.text
    assert heard.text.startswith("abc")


def test_after_a_banned_phrase_no_place_is_processed_twice(
    backend: LlamaBackend, write: Write, tmp_path: Path
) -> None:
    log = tmp_path / "seen"
    bans = GREEDY.replace(banned=("cde",), max_tokens=12)
    prefers = write(PREFERS, "prefers", token=byte("d"), by=0.5)
    heard = listen(backend, request(PROMPT, bans, processors=(write(WATCHES, path=str(log)), prefers)))
    assert "cde" not in heard.text
    assert heard.text.startswith("ab")
    assert heard.finished.bans.rewinds > 0
    assert heard.finished.notes == ()
    seen = [tuple(ids) for ids in watched(log)]
    assert len(seen) == len(set(seen)), "what was made of a place is used again after going back to it"
    assert all(ids[: len(PROMPT)] == PROMPT for ids in seen)


def test_a_processor_makes_a_banned_phrase_and_it_is_taken_back(backend: LlamaBackend, write: Write) -> None:
    skips = write(SKIPS, after=byte("b"), token=byte("h"))
    assert listen(backend, request(PROMPT, processors=(skips,))).text == "abhij"
    heard = listen(backend, request(PROMPT, GREEDY.replace(banned=("bh",)), processors=(skips,)))
    assert "bh" not in heard.text
    assert heard.finished.bans.kept


def test_nothing_is_guessed_for_a_processed_reply(
    open_model: Open, scripted_model: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "guessing", property(lambda pace: True))
    backend = open_model(scripted_model, speculative="lookup")
    backend.wait(WAIT_S)
    start = (*(byte(letter) for letter in "abcdefghijabcd"), START)
    skips = write(PREFERS, token=byte("d"), by=0.5)
    assert listen(backend, request(start, processors=(skips,))).text == TEXT
    assert backend.cache_report().guessed == 0
    assert listen(backend, request(start)).text == TEXT
    assert backend.cache_report().guessed > 0


def test_how_likely_tokens_were_is_told_without_processors(backend: LlamaBackend, write: Write) -> None:
    prefers = write(PREFERS, token=byte("d"), by=1000)
    reply = listen(backend, request(PROMPT)).finished.tokens
    before = backend.score(PROMPT, reply, 3)
    listen(backend, request(PROMPT, processors=(prefers,)))
    after = backend.score(PROMPT, reply, 3)
    assert [one.token for one in after] == [one.token for one in before]
    for one, other in zip(before, after, strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-3)


# -- one that hangs ----------------------------------------------------------------------------------------------

HANGS = """
    import os, re, threading
    def make(options):
        def hang(ids, logits):
            os.close(os.open(options["fifo"], os.O_WRONLY))
            while True:
                HOW
        return hang
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name tells when it hangs")
@pytest.mark.parametrize(
    "how",
    ["threading.Event().wait()", "pass", "re.match('(a+)+$', 'a' * 64 + 'b')"],
    ids=["waiting", "spinning", "searching"],
)
def test_stop_ends_an_engine_that_hangs_and_the_next_reply_has_a_new_one(
    scripted_model: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(life, "PROCESSORS_STOP_S", 0.1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    backend = llama(scripted_model, "process", tmp_path / "engine.log")
    try:
        events = LoadEvents()
        backend.load(events)
        backend.wait(WAIT_S)
        pid = backend.pid
        assert pid is not None
        hangs = write(HANGS.replace("HOW", how), "stuck", fifo=str(fifo))
        asked = Asked(backend, request(PROMPT, processors=(hangs,)))
        os.close(os.open(fifo, os.O_RDONLY))
        backend.stop(asked.request.id)
        end = asked.end().finished
        assert end.reason == "user"
        assert end.usage.prompt == len(PROMPT)
        (note,) = end.notes
        assert "did not stop within" in note
        assert "stuck" in note
        lost = events.wait_for(LoadFailed)
        assert isinstance(lost, LoadFailed)
        assert "did not stop" in lost.message
        assert listen(backend, request(PROMPT)).text == TEXT
        assert backend.pid not in (None, pid)
    finally:
        backend.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name tells when it hangs")
def test_leaving_a_reply_that_hangs_lets_the_next_one_be_written(
    scripted_model: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "PROCESSORS_STOP_S", 0.1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    backend = llama(scripted_model, "process", tmp_path / "engine.log")
    try:
        backend.wait(WAIT_S)
        events = backend.generate(
            request(PROMPT, processors=(write(HANGS.replace("HOW", "pass"), fifo=str(fifo)),))
        )
        next(events)
        os.close(os.open(fifo, os.O_RDONLY))
        events.close()  # type: ignore[attr-defined]
        assert listen(backend, request(PROMPT)).text == TEXT
    finally:
        backend.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name tells when it hangs")
def test_an_engine_in_a_thread_that_hangs_is_left_alone(
    open_model: Open, scripted_model: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "PROCESSORS_STOP_S", 0.1)
    hangs, goes_on = tmp_path / "hangs", tmp_path / "goes-on"
    os.mkfifo(hangs)
    os.mkfifo(goes_on)
    waits = write(
        """
        import os
        def make(options):
            def wait(ids, logits):
                os.close(os.open(options["hangs"], os.O_WRONLY))
                os.close(os.open(options["goes_on"], os.O_WRONLY))
            return wait
        """,
        hangs=str(hangs),
        goes_on=str(goes_on),
    )
    backend = open_model(scripted_model)
    backend.wait(WAIT_S)
    old = backend._life
    assert old is not None
    asked = Asked(backend, request(PROMPT, processors=(waits,)))
    os.close(os.open(hangs, os.O_RDONLY))
    backend.stop(asked.request.id)
    assert asked.end().finished.reason == "user"
    assert listen(backend, request(PROMPT)).text == TEXT
    assert old.thread.is_alive()
    os.close(os.open(goes_on, os.O_RDONLY))
    old.thread.join(WAIT_S)
    assert not old.thread.is_alive(), "it ends when it can"


def test_an_engine_that_stops_in_time_lives_on(
    scripted_model: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[threading.Timer] = []

    class Watch(threading.Timer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            watches.append(self)

    monkeypatch.setattr(threading, "Timer", Watch)
    monkeypatch.setattr(life, "PROCESSORS_STOP_S", 100 * WAIT_S)
    backend = llama(scripted_model, "process", tmp_path / "engine.log")
    try:
        backend.wait(WAIT_S)
        pid = backend.pid
        endless = GREEDY.replace(max_tokens=500, ignore_eos=True)
        asked = request(PROMPT, endless, processors=(write(PREFERS, token=byte("d"), by=1000),))

        def stop(event: object) -> None:
            if isinstance(event, TextDelta):
                backend.stop(asked.id)

        heard = listen(backend, asked, stop)
        assert heard.finished == Finished(
            "user", heard.finished.usage, heard.finished.timings, heard.finished.tokens
        )
        assert watches
        for watch in watches:
            watch.join(WAIT_S)
            assert not watch.is_alive()
        assert backend.pid == pid
    finally:
        backend.close()


def test_one_that_ends_the_process_fails_the_reply_alone(
    scripted_model: Path, tmp_path: Path, write: Write
) -> None:
    kills = write(
        f"import os\ndef make(options):\n    return lambda ids, logits: os.kill(os.getpid(), {int(signal.SIGKILL)})"
    )
    backend = llama(scripted_model, "process", tmp_path / "engine.log")
    try:
        backend.wait(WAIT_S)
        assert "signal 9" in listen(backend, request(PROMPT, processors=(kills,))).failed.message
        assert listen(backend, request(PROMPT)).text == TEXT
    finally:
        backend.close()


# -- the processors of one reply by themselves -------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    changes=st.lists(st.tuples(st.integers(0, 7), st.floats(width=32), st.booleans()), min_size=1, max_size=6)
)
def test_whatever_they_write_the_numbers_stay_usable(
    tmp_path: Path, changes: list[tuple[int, float, bool]]
) -> None:
    file = tmp_path / "any.py"
    file.write_text(
        "def make(options):\n    def f(ids, logits):\n        logits[options['at']] = options['to']\n"
        "        if options['raises']:\n            raise ValueError\n    return f"
    )
    wanted = [
        LogitsProcessor(f"p{number}", str(file), "make", {"at": at, "to": to, "raises": raises})
        for number, (at, to, raises) in enumerate(changes)
    ]
    running = Processors(wanted, (1, 2))
    logits, expected = np.linspace(0, 1, 8, dtype=np.float32), np.linspace(0, 1, 8, dtype=np.float32)
    running.apply([3], logits)
    failed = 0
    for at, to, raises in changes:
        after = expected.copy()
        after[at] = to
        if raises or not np.isfinite(after.max()):
            failed += 1
        else:
            expected = after
    assert np.array_equal(logits, expected)
    assert len(running.notes) == failed
    assert bool(running) == (failed < len(changes))
