"""Banned phrases while the engine writes: taken back, written anew, and the cache holds what stands."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airochat.backends.base import Finished, TextDelta
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.batch import Batch
from airochat.backends.llama.client import LlamaBackend
from airochat.sampling import FORBIDDEN, Sampling
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import (
    GREEDY,
    Heard,
    bare_engine,
    chat,
    divergence,
    listen,
    llama,
    log_probabilities,
    read,
    request,
    text_tokens,
)
from tests.models import find, says, spm_tokens, write_model

START, END = 1, 2
PROMPT = text_tokens(1, 80)
ONE = GREEDY.replace(max_tokens=1)
CONTROLS = (0, START, find(spm_tokens(), "<|im_start|>"))
NO_BYTES = tuple((token, FORBIDDEN) for token in (*range(3, 259), *CONTROLS))
"""A tiny model with random weights shall write text: bytes that are none, and control tokens, are not shown."""
WARM = Sampling(
    temperature=1.2, top_k=0, top_p=1, min_p=0, seed=5, max_tokens=60, ignore_eos=True, logit_bias=NO_BYTES
)


@pytest.fixture(scope="module")
def spm(spm_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    backend = llama(spm_model, "thread", tmp_path_factory.mktemp("logs") / "engine.log")
    backend.wait()
    yield backend
    backend.close()


def pieces(backend: LlamaBackend, heard: Heard) -> str:
    assert backend.tokenizer is not None
    return b"".join(backend.tokenizer.pieces(heard.finished.tokens)).decode()


def phrases(text: str) -> list[str]:
    """Return phrases of several lengths out of a text."""
    return [text[at : at + length].strip() for at, length in ((3, 3), (12, 6), (25, 14), (50, 9))]


SAMPLERS: list[dict[str, Any]] = [
    {},
    {"temperature": 0},
    {"dry_multiplier": 2.0, "dry_allowed_length": 1},
    {"xtc_probability": 0.8, "xtc_threshold": 0.001},
    {"mirostat": 1, "mirostat_tau": 4.0},
    {"mirostat": 2, "mirostat_tau": 4.0},
    {"adaptive_target": 0.3, "adaptive_decay": 0.8},
    {"grammar": 'root ::= ([a-z] [a-z]? [a-z]? [a-z]? " ")+', "ignore_eos": False},
    {"repeat_penalty": 1.4, "frequency_penalty": 0.4, "repeat_last_n": -1},
    {"typical_p": 0.7, "top_n_sigma": 2.0, "dynatemp_range": 0.5},
]


@pytest.mark.parametrize("changes", SAMPLERS, ids=lambda changes: "-".join(changes) or "plain")
def test_no_phrase_is_left_whatever_chooses_the_tokens(spm: LlamaBackend, changes: dict[str, Any]) -> None:
    sampling = WARM.replace(**changes)
    listen(spm, request(PROMPT, GREEDY.replace(max_tokens=1)))
    free = listen(spm, request(PROMPT, sampling))
    banned = sampling.replace(banned=[phrase for phrase in phrases(free.text) if phrase])
    heard = listen(spm, request(PROMPT, banned))
    report = heard.finished.bans
    assert report.rewinds > 0
    assert report.kept
    assert not any(phrase.lower() in heard.text.lower() for phrase in banned.banned)
    assert heard.text == pieces(spm, heard)
    assert heard.finished.usage.generated == len(heard.finished.tokens)
    assert sum(delta.tokens for delta in heard.deltas) == len(heard.finished.tokens)
    assert listen(spm, request(PROMPT, banned)).text == heard.text, "the same seed gives the same text"


def test_a_real_model_writes_around_a_phrase(open_model: Open, demo_model: Path) -> None:
    backend = open_model(demo_model, n_ctx=512)
    backend.wait()
    prompt, sampling = chat(backend, "Tell me a story about a fox."), GREEDY.replace(max_tokens=30)
    free = listen(backend, request(prompt, sampling))
    words = [word.strip(string.punctuation) for word in free.text.split()]
    banned = sampling.replace(banned=[max(words, key=len), f"/\\b{words[2]}\\b/i"])
    heard = listen(backend, request(prompt, banned))
    assert heard.finished.bans.rewinds
    assert not any(word.lower() in heard.text.lower().split() for word in (max(words, key=len), words[2]))
    assert heard.text == pieces(backend, heard)
    usage = listen(backend, request((*prompt, *heard.finished.tokens, 30), banned)).finished.usage
    assert usage.evaluated <= 2


def test_the_cache_is_what_the_final_tokens_would_have_left(spm_model: Path) -> None:
    engine, fresh = bare_engine(spm_model, kv_reuse="exact"), bare_engine(spm_model)
    n_vocab, rewinds = engine._model.vocab.size, 0
    for seed in range(12):
        sampling = WARM.replace(seed=seed)
        events = list(engine.generate(request(PROMPT, sampling)))
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        *_, end = engine.generate(request(PROMPT, sampling.replace(banned=phrases(text))))
        assert isinstance(end, Finished)
        rewinds += end.bans.rewinds
        lane, whole = tuple(engine._cache.tokens), (*PROMPT, *end.tokens)
        assert lane in (whole, whole[:-1])
        assert engine._cache.context.end(0) == len(lane)
        read(engine._cache, (*whole, 9))
        assert engine._cache.counts.evaluated <= 2
        fresh._cache.forget()
        read(fresh._cache, (*whole, 9))
        caches = (fresh._cache, engine._cache)
        assert divergence(*(log_probabilities(cache, n_vocab) for cache in caches)) < 1e-4
    assert rewinds > 12
    for one in (engine, fresh):
        one.close()


def test_what_every_way_leads_to_is_let_through_and_told(open_model: Open, spm_model: Path) -> None:
    """Only one token may be chosen at all, and it is banned next to itself."""
    letter = find(spm_tokens(), "a")
    others = tuple((token, FORBIDDEN) for token in range(len(spm_tokens())) if token != letter)
    backend = open_model(spm_model)
    sampling = WARM.replace(logit_bias=others, banned=["aa"], max_tokens=12)
    heard = listen(backend, request(PROMPT, sampling))
    assert heard.text == "a" * 12
    report = heard.finished.bans
    assert not report.kept
    assert report.dead_ends > 0
    assert "aa" in report.sentences()[0]


def test_bans_of_all_letters_end_and_tell(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("Hi, you!", START, END)))
    sampling = WARM.replace(banned=list(string.ascii_lowercase), logit_bias=(), ignore_eos=False)
    heard = listen(backend, request((5, START), sampling))
    letters = [letter for letter in heard.text.lower() if letter in string.ascii_lowercase]
    report = heard.finished.bans
    assert bool(letters) == (not report.kept)
    assert report.rewinds > 0


def test_a_form_that_asks_for_what_is_banned(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    sampling = WARM.replace(grammar='root ::= "x" "yz" "."', banned=["yz"], ignore_eos=False, logit_bias=())
    heard = listen(backend, request(PROMPT, sampling))
    assert heard.text == "xyz."
    assert heard.finished.bans.counts[0].passed == 1
    assert listen(backend, request(PROMPT, GREEDY)).finished.usage.evaluated == 1


def test_stop_texts_end_a_reply_that_is_watched(spm: LlamaBackend) -> None:
    free = listen(spm, request(PROMPT, WARM))
    stop, phrase = free.text[40:46], free.text[8:14].strip()
    # What is banned before the stop text changes the way there, so only what holds for each way is checked.
    for banned in ([phrase], ["never at all"], [stop[1:4].strip() or "x"]):
        heard = listen(spm, request(PROMPT, WARM.replace(banned=banned), stop=(stop,)))
        assert stop not in heard.text
        assert not any(one.lower() in heard.text.lower() for one in banned)
        assert heard.finished.reason in ("stop", "length")
        assert heard.finished.tokens == () or heard.text == pieces(spm, heard)
    plain = listen(spm, request(PROMPT, WARM.replace(banned=["never at all"]), stop=(stop,)))
    assert (plain.text, plain.finished.reason) == (free.text[: free.text.index(stop)], "stop")


def test_a_stop_by_the_user_shows_no_phrase(spm_model: Path) -> None:
    """The stop comes after every single computation, so also where a phrase stands that something may follow on."""
    stop = StopFlag()
    engine = bare_engine(spm_model, stop, kv_reuse="exact")
    cache, shown, context = engine._cache, engine._model.vocab.shown, engine._model.context
    sampling, last, computed = WARM.replace(max_tokens=24), 10**6, 0
    plainly = context.compute

    def stopping(batch: Batch) -> int:
        nonlocal computed
        code = plainly(batch)
        computed += 1
        if computed == last:
            stop.set()
        return code

    context.compute = stopping  # type: ignore[method-assign]
    free = listen(engine, request(PROMPT, sampling)).text
    phrase = free[8:14].strip()
    # A word that only just ended may be banned or not, by what follows; a stop decides it.
    banned = sampling.replace(banned=[phrase, f"/{re.escape(free[20:24])}(?! never)/"])
    listen(engine, request(PROMPT, banned))
    for end in range(1, 60):
        last, computed = end, 0
        heard = listen(engine, request(PROMPT, banned))
        stop.clear()
        assert phrase.lower() not in heard.text.lower()
        assert free[20:24] not in heard.text
        assert b"".join(shown[token] for token in heard.finished.tokens).decode() == heard.text
        if heard.finished.reason != "user":
            break
        listen(engine, request((*PROMPT, *heard.finished.tokens), ONE))
        assert cache.counts.evaluated <= 2
    assert last >= 24
    for end in (3, 9):
        last, computed = end, 0
        heard = listen(engine, request(PROMPT, sampling.replace(banned=["never at all"])))
        stop.clear()
        assert len(heard.finished.tokens) == end, "what was held back is shown once nothing follows"
    engine.close()
