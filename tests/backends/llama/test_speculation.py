"""Guessed tokens change how fast a reply comes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.backends.guess import Pace
from airochat.backends.llama.client import LlamaBackend
from airochat.errors import ModelError
from airochat.sampling import Sampling
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import GREEDY, WAIT_S, chat, listen, request
from tests.models import says, spm_tokens, write_model

START, END = 1, 2
LONG = Sampling(temperature=0, seed=1, max_tokens=80, ignore_eos=True)
REPEATING = "one two three four five six seven. " * 6


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guess at every token, whatever it costs on this machine now."""
    monkeypatch.setattr(Pace, "guessing", property(lambda pace: pace._pause <= 0))
    monkeypatch.setattr(Pace, "tried", _count)


def _count(pace: Pace, _seconds: float, checked: int, accepted: int) -> None:
    pace.checked += checked
    pace.accepted += accepted


def prompt_of(backend: LlamaBackend, text: str) -> tuple[int, ...]:
    backend.wait(WAIT_S)
    return chat(backend, text)


@pytest.mark.usefixtures("always")
def test_a_reply_is_the_same_with_guesses_and_the_cache_goes_on(open_model: Open, demo_model: Path) -> None:
    plain, guessing = open_model(demo_model), open_model(demo_model, speculative="lookup")
    prompt = prompt_of(plain, "Repeat this: " + REPEATING)
    prompt_of(guessing, "")
    without = listen(plain, request(prompt, LONG)).finished
    with_guesses = listen(guessing, request(prompt, LONG)).finished
    report = guessing.cache_report()
    assert 0 < report.accepted < report.guessed
    # Rows of several tokens are rounded otherwise, so that a close choice may fall the other way late in a reply.
    assert with_guesses.tokens[:20] == without.tokens[:20]
    assert with_guesses.usage.generated == LONG.max_tokens
    again = listen(guessing, request((*prompt, *with_guesses.tokens, 5, 6))).finished.usage
    assert again.evaluated == 3


@pytest.mark.usefixtures("always")
def test_a_scripted_reply_ends_where_it_does_without_guesses(open_model: Open, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", chain=says("abcdefghij", START, END))
    backend = open_model(path, speculative="lookup")
    backend.wait(WAIT_S)
    start = (*(3 + byte for byte in b"abcdefghijabcd"), START)
    for stop, reason, text in (((), "eos", "abcdefghij"), (("fg",), "stop", "abcde")):
        heard = listen(backend, request(start, GREEDY, stop=stop))
        assert (heard.text, heard.finished.reason) == (text, reason)
    assert backend.cache_report().accepted > 5
    short = listen(backend, request(start, GREEDY.replace(max_tokens=4)))
    assert (short.text, short.finished.reason) == ("abcd", "length")
    follow = listen(backend, request((*start, *short.finished.tokens, 7)))
    assert follow.finished.usage.evaluated <= 2


@pytest.mark.usefixtures("always")
def test_a_draft_model_of_the_same_words_guesses(open_model: Open, demo_model: Path) -> None:
    backend = open_model(demo_model, speculative="draft", draft_model=str(demo_model), n_draft=5)
    prompt = prompt_of(backend, "Tell me a story of a river.")
    heard = listen(backend, request(prompt, LONG)).finished
    report = backend.cache_report()
    assert heard.usage.generated == LONG.max_tokens
    assert report.accepted > report.guessed * 0.8, "it is the same model"


@pytest.mark.usefixtures("always")
def test_guesses_keep_to_banned_phrases(open_model: Open, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", chain=says("abcdefghij", START, END))
    backend = open_model(path, speculative="lookup")
    backend.wait(WAIT_S)
    start = (*(3 + byte for byte in b"abcdefghijabcd"), START)
    heard = listen(backend, request(start, GREEDY.replace(banned=("cde",))))
    assert "cde" not in heard.text
    assert heard.finished.bans.counts[0].removed >= 1


def test_a_full_context_ends_a_reply_with_guesses_too(open_model: Open, demo_model: Path) -> None:
    backend = open_model(demo_model, speculative="lookup", n_ctx=256)
    prompt = (prompt_of(backend, REPEATING) * 8)[:230]
    heard = listen(backend, request(prompt, LONG))
    assert (heard.finished.reason, heard.finished.usage.generated) == ("length", 27)


def test_a_draft_model_with_other_words_is_refused(
    open_model: Open, tmp_path: Path, demo_model: Path
) -> None:
    other = write_model(tmp_path / "other.gguf")
    assert spm_tokens()
    backend = open_model(demo_model, speculative="draft", draft_model=str(other))
    with pytest.raises(ModelError, match="another vocabulary"):
        backend.wait(WAIT_S)
    missing = open_model(demo_model, speculative="draft", draft_model=str(tmp_path / "gone.gguf"))
    with pytest.raises(ModelError, match=r"gone\.gguf"):
        missing.wait(WAIT_S)
