"""Several replies to one prompt, in one request."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from airochat.backends.base import Event, Finished, ReplyEnded, TextDelta
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
    log_probabilities,
    read,
    request,
    text_tokens,
)
from tests.models import find, says, spm_tokens, write_model, write_recurrent_model, write_window_model

START, END = 1, 2
NO_BYTES = tuple((token, FORBIDDEN) for token in range(259) if token not in (START, END))
"""A tiny model with random weights shall write text, since bytes that are no text give no tokens."""
WARM = Sampling(
    temperature=1.5, top_k=0, top_p=1, min_p=0, seed=5, max_tokens=20, ignore_eos=True, logit_bias=NO_BYTES
)
PROMPT = text_tokens(1, 120)


def check(heard: Heard, n: int, prompt: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Check what holds for every request for ``n`` replies that were all written; return their tokens."""
    assert [end.index for end in heard.others] == list(range(n))
    first, *_ = heard.others
    assert (first.reason, first.tokens) == (heard.finished.reason, heard.finished.tokens)
    assert {delta.index for delta in heard.deltas} <= set(range(n))
    # The first reply is whole before the others begin.
    indexes = [delta.index for delta in heard.deltas]
    assert indexes[: indexes.count(0)] == [0] * indexes.count(0)
    usage = heard.finished.usage
    assert usage.prompt == usage.reused + usage.evaluated == len(prompt)
    assert usage.generated >= sum(len(end.tokens) for end in heard.others)
    return [end.tokens for end in heard.others]


def goes_on(backend: LlamaBackend, prompt: tuple[int, ...], reply: tuple[int, ...]) -> int:
    """Return how many tokens are evaluated to go on with one of the replies."""
    whole = prompt + reply
    return listen(backend, request(whole, GREEDY.replace(max_tokens=1))).finished.usage.evaluated


@pytest.mark.parametrize("n", [2, 4, 16])
def test_every_reply_ends_and_can_be_gone_on_with(open_model: Open, spm_model: Path, n: int) -> None:
    backend = open_model(spm_model)
    heard = listen(backend, request(PROMPT, WARM, n=n))
    replies = check(heard, n, PROMPT)
    assert heard.finished.usage.evaluated == len(PROMPT), "the prompt is read once"
    assert heard.finished.usage.generated == 20 * n
    assert len({heard.text_of(index) for index in range(n)}) == n, "each has a seed of its own"
    for reply in (*replies, *replies[::-1]):
        assert len(reply) == 20
        assert goes_on(backend, PROMPT, reply) <= 2


def test_replies_of_a_real_model(open_model: Open, demo_model: Path) -> None:
    backend = open_model(demo_model, n_ctx=512)
    backend.wait()
    prompt = chat(backend, "Name an animal and what it eats.")
    heard = listen(backend, request(prompt, WARM.replace(max_tokens=10), n=4))
    replies = check(heard, 4, prompt)
    assert len({heard.text_of(index) for index in range(4)}) == 4
    for reply in replies[::-1]:
        assert goes_on(backend, prompt, reply) <= 2


def test_a_reply_side_by_side_is_the_one_that_its_seed_gives_alone(open_model: Open, spm_model: Path) -> None:
    together = listen(open_model(spm_model), request(PROMPT, WARM.replace(max_tokens=8), n=4))
    for index in range(4):
        alone = open_model(spm_model)
        listen(alone, request(PROMPT, GREEDY.replace(max_tokens=1)))
        one = WARM.replace(max_tokens=8).numbered(index)
        assert listen(alone, request(PROMPT, one)).text == together.text_of(index)


def test_what_replies_leave_on_the_shelf_is_what_a_new_engine_reads(spm_model: Path) -> None:
    engine, fresh = bare_engine(spm_model, kv_reuse="exact"), bare_engine(spm_model)
    events = list(engine.generate(request(PROMPT, WARM, n=6)))
    sizes = {len(saved.state) for saved in engine._cache.shelf.candidates((), 99)}
    assert max(sizes) < 2 * min(sizes), "what all replies have in common is saved for none of them"
    n_vocab, ends = engine._model.vocab.size, [one for one in events if isinstance(one, ReplyEnded)]
    for end in ends:
        whole = (*PROMPT, *end.tokens, 9)
        read(engine._cache, whole)
        assert engine._cache.counts.evaluated <= 2
        fresh._cache.forget()
        read(fresh._cache, whole)
        caches = (fresh._cache, engine._cache)
        assert divergence(*(log_probabilities(cache, n_vocab) for cache in caches)) < 1e-4
    for one in (engine, fresh):
        one.close()


def test_a_context_with_room_for_one_reply_takes_them_in_turns(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model, n_ctx=256)
    prompt = text_tokens(2, 230)
    heard = listen(backend, request(prompt, WARM, n=5))
    replies = check(heard, 5, prompt)
    assert [end.reason for end in heard.others] == ["length"] * 5
    assert heard.finished.usage.generated == 100
    for reply in replies:
        assert goes_on(backend, prompt, reply) <= 2
    assert cells_are_free(backend)


@pytest.mark.parametrize("left", [1, 2, 7])
def test_a_context_that_is_hardly_larger_than_the_prompt(
    open_model: Open, spm_model: Path, left: int
) -> None:
    backend = open_model(spm_model, n_ctx=256)
    prompt = text_tokens(2, 256 - left)
    heard = listen(backend, request(prompt, WARM, n=4))
    check(heard, 4, prompt)
    # The last token of a reply has been chosen when all places are taken.
    assert heard.finished.usage.generated == 4 * (left + 1)
    assert cells_are_free(backend)


def cells_are_free(backend: LlamaBackend) -> bool:
    """Return whether a prompt that needs the whole context finds room."""
    info = backend.wait()
    full = text_tokens(9, info.n_ctx - 1)
    return listen(backend, request(full, GREEDY.replace(max_tokens=1))).finished.usage.prompt == len(full)


@pytest.mark.parametrize("options", [{"n_seq_max": 1}, {"n_seq_max": 64}, {"n_batch": 1, "n_ubatch": 1}])
def test_limits_of_lanes_and_batches_are_kept(
    open_model: Open, spm_model: Path, options: dict[str, object]
) -> None:
    backend = open_model(spm_model, **options)
    check(listen(backend, request(PROMPT[:20], WARM, n=5)), 5, PROMPT[:20])
    assert cells_are_free(backend)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_stop_keeps_all_texts_so_far(open_model: Open, spm_model: Path, at: int) -> None:
    backend = open_model(spm_model)
    asked = request(PROMPT, WARM.replace(max_tokens=200), n=4)

    def stop(event: Event) -> None:
        if isinstance(event, TextDelta) and event.index == at:
            backend.stop(asked.id)

    heard = listen(backend, asked, stop)
    assert isinstance(heard.end, Finished)
    begun = {delta.index for delta in heard.deltas}
    assert at in begun
    ended = {end.index: end for end in heard.others}
    if at == 0:
        assert (heard.finished.reason, begun, ended) == ("user", {0}, {})
    else:
        assert set(ended) == {0, 1, 2, 3}
        assert [ended[index].reason for index in range(4)] == ["length", "user", "user", "user"]
        assert heard.finished.usage.generated < 4 * 200
    usage = heard.finished.usage
    assert usage.generated >= sum(delta.tokens for delta in heard.deltas) > 0
    assert cells_are_free(backend)


def test_replies_in_a_form(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    sampling = WARM.replace(grammar='root ::= [0-9] [0-9] "."', ignore_eos=False)
    heard = listen(backend, request(PROMPT, sampling, n=5))
    check(heard, 5, PROMPT)
    texts = [heard.text_of(index) for index in range(5)]
    assert all(len(text) == 3 and text[:2].isdigit() and text[2] == "." for text in texts)
    assert len(set(texts)) > 1
    assert {end.reason for end in heard.others} == {"eos"}


def test_a_form_that_allows_nothing_fails_with_words(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    letter = (find(spm_tokens(), "b"), FORBIDDEN)
    sampling = WARM.replace(grammar='root ::= "a" "b"', logit_bias=(*NO_BYTES, letter))
    heard = listen(backend, request(PROMPT, sampling, n=3))
    assert "grammar" in heard.failed.message
    assert heard.text == "a"
    assert cells_are_free(backend)


@pytest.mark.parametrize("write", [write_recurrent_model, write_window_model])
@pytest.mark.parametrize("n_seq_max", [1, 3, 8])
def test_models_that_remember_in_other_ways(
    open_model: Open, tmp_path: Path, write: Callable[[Path], Path], n_seq_max: int
) -> None:
    path = write(tmp_path / "m.gguf")
    backend = open_model(path, n_seq_max=n_seq_max)
    sampling = WARM.replace(max_tokens=8)
    heard = listen(backend, request(PROMPT, sampling, n=4))
    replies = check(heard, 4, PROMPT)
    assert len({heard.text_of(index) for index in range(4)}) > 1
    alone = open_model(path)
    for index in range(4):
        assert listen(alone, request(PROMPT, sampling.numbered(index))).text == heard.text_of(index)
    for reply in replies:
        assert goes_on(backend, PROMPT, (*reply, 9)) <= 3


def test_banned_phrases_in_replies_side_by_side(open_model: Open, tmp_path: Path) -> None:
    """The model wants to say one thing only; every reply has to leave it."""
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("Hi, you!", START, END)))
    sampling = GREEDY.replace(temperature=1.0, top_k=0, top_p=1, min_p=0, max_tokens=12, banned=["you"])
    heard = listen(backend, request((5, START), sampling, n=4))
    check(heard, 4, (5, START))
    for index in range(4):
        assert "you" not in heard.text_of(index).lower()
    assert sum(end.bans.rewinds for end in heard.others) > 0
    assert cells_are_free(backend)


def test_cells_of_tokens_that_were_taken_back_are_not_saved(spm_model: Path) -> None:
    """A stop right after a rewind: another token stands where the lane has the one that was taken back."""
    stop = StopFlag()
    engine = bare_engine(spm_model, stop, kv_reuse="exact")
    free = list(engine.generate(request(PROMPT, WARM.replace(max_tokens=6), n=2)))
    text = "".join(one.text for one in free if isinstance(one, TextDelta) and one.index == 1)
    engine._cache.forget()
    engine._cache.shelf.clear()
    context, last, computed = engine._model.context, 10**6, 0
    plainly = context.compute

    def stopping(batch: Batch) -> int:
        nonlocal computed
        code = plainly(batch)
        computed += 1
        if computed == last:
            stop.set()
        return code

    context.compute = stopping  # type: ignore[method-assign]
    banned = WARM.replace(max_tokens=6, banned=[text[1:-1]])
    rewound = list(engine.generate(request(PROMPT, banned, n=2)))
    n_vocab, fresh = engine._model.vocab.size, bare_engine(spm_model)
    assert [one for one in rewound if isinstance(one, ReplyEnded) and one.bans.rewinds]
    for end in range(1, computed):
        last = end
        engine._cache.forget()
        engine._cache.shelf.clear()
        computed = 0
        list(engine.generate(request(PROMPT, banned, n=2)))
        stop.clear()
        for saved in engine._cache.shelf.candidates((), 99):
            wanted = (*saved.tokens, 9)
            assert read(engine._cache, wanted)
            fresh._cache.forget()
            read(fresh._cache, wanted)
            caches = (fresh._cache, engine._cache)
            assert divergence(*(log_probabilities(cache, n_vocab) for cache in caches)) < 1e-4
    for one in (engine, fresh):
        one.close()


def test_tokens_of_bytes_stay_whole_in_every_reply(open_model: Open, tmp_path: Path) -> None:
    marker = find(spm_tokens(), "<|im_start|>")
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("é🦙—ok", START, END)))
    heard = listen(backend, request((marker, START), dataclasses.replace(GREEDY), n=3))
    assert [heard.text_of(index) for index in range(3)] == ["é🦙—ok"] * 3
    assert [len(end.tokens) for end in heard.others] == [11] * 3
