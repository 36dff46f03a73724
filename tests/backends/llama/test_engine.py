"""The engine on small models that say what the test wants."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
from llama_cpp import llama_cpp as bindings

from airochat.backends.base import Finished, PromptProgress, TextDelta, Usage
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.engine import Engine
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.model import Model
from airochat.sampling import Sampling
from airochat.settings import EngineOptions
from tests.backends.llama.conftest import Open
from tests.backends.llama.support import GREEDY, WAIT_S, listen, request
from tests.models import find, says, spm_tokens, write_model, write_recurrent_model

L: Any = bindings
START, END = 1, 2


def test_a_reply_ends_at_the_models_end_token(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("Hi, you!", START, END)))
    heard = listen(backend, request((5, START)))
    assert (heard.text, heard.finished.reason) == ("Hi, you!", "eos")
    assert heard.finished.usage == Usage(2, 0, 2, 8)
    assert len(heard.finished.tokens) == 8


def test_characters_of_many_tokens_come_whole(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("é🦙—ok", START, END)))
    heard = listen(backend, request((START,)))
    assert heard.text == "é🦙—ok"
    assert all("\ufffd" not in delta.text for delta in heard.deltas)
    assert sum(delta.tokens for delta in heard.deltas) == heard.finished.usage.generated == 11


@pytest.mark.parametrize(("limit", "text"), [(1, ""), (2, "é"), (4, "é"), (6, "é🦙")])
def test_a_limit_inside_a_character_drops_its_half(
    open_model: Open, tmp_path: Path, limit: int, text: str
) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("é🦙", START, END)))
    heard = listen(backend, request((START,), dataclasses.replace(GREEDY, max_tokens=limit)))
    assert (heard.text, heard.finished.reason) == (text, "length")
    assert len(heard.finished.tokens) == len(text.encode())
    assert heard.finished.usage.generated == limit


def test_bytes_that_are_no_text_are_replaced_and_give_no_tokens(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says(b"a\xffb", START, END)))
    heard = listen(backend, request((START,)))
    assert heard.text == "a\ufffdb"
    assert heard.finished.tokens == ()


def test_a_control_token_in_a_reply_is_no_text(open_model: Open, tmp_path: Path) -> None:
    marker = find(spm_tokens(), "<|im_start|>")
    chain = {START: 3 + ord("a"), 3 + ord("a"): marker, marker: 3 + ord("b"), 3 + ord("b"): END}
    heard = listen(open_model(write_model(tmp_path / "m.gguf", chain=chain)), request((START,)))
    assert heard.text == "ab"
    assert heard.finished.tokens == (3 + ord("a"), marker, 3 + ord("b"))


def test_a_stop_text_over_several_tokens(open_model: Open, tmp_path: Path) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", chain=says("Wel.\nUSER: x", START, END)))
    heard = listen(backend, request((START,), stop=("\nUSER:", "never")))
    assert (heard.text, heard.finished.reason) == ("Wel.", "stop")
    assert len(heard.finished.tokens) == 4
    assert heard.finished.usage.generated == 10


def test_a_long_prompt_is_read_in_chunks(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    heard = listen(backend, request((5,) * 600))
    assert [step.done for step in heard.progress] == [0, 256, 512, 600]
    assert heard.progress[0] == PromptProgress(0, 600, 0)


@pytest.mark.parametrize(
    "options", [{"n_batch": 1, "n_ubatch": 1}, {"n_batch": 7, "n_ubatch": 3}, {"type_k": "q8_0"}]
)
def test_batches_of_any_size_work(open_model: Open, spm_model: Path, options: dict[str, object]) -> None:
    backend = open_model(spm_model, n_ctx=256, **options)
    usage = listen(backend, request((5,) * 40)).finished.usage
    assert usage == Usage(40, 0, 40, GREEDY.max_tokens)


@pytest.mark.parametrize(("broken", "temperature"), [("all", 0), ("all", 1), ("rows", 1)])
def test_a_model_whose_numbers_are_broken_fails_with_words(
    open_model: Open, tmp_path: Path, broken: Literal["all", "rows"], temperature: float
) -> None:
    backend = open_model(write_model(tmp_path / "m.gguf", broken=broken))
    for _ in range(2):
        failed = listen(backend, request((5, START), Sampling(temperature=temperature, seed=1))).failed
        assert "NaN" in failed.message
        assert failed.usage == Usage(2, 0, 2, 0), "nothing of a broken computation is reused"


def test_a_repeat_penalty_sees_the_prompt(open_model: Open, tmp_path: Path) -> None:
    """A strong penalty drives the reply off the token that the prompt already has."""
    letter = 3 + ord("a")
    backend = open_model(write_model(tmp_path / "m.gguf", chain={START: letter, letter: letter}))
    free = dataclasses.replace(GREEDY, max_tokens=1)
    assert listen(backend, request((letter, START), free)).text == "a"
    held = dataclasses.replace(free, presence_penalty=10.0, frequency_penalty=10.0, repeat_penalty=10.0)
    assert listen(backend, request((letter, START), held)).text != "a"
    assert listen(backend, request((letter, START), dataclasses.replace(held, repeat_last_n=1))).text == "a"


def test_a_model_that_may_not_end_its_reply_goes_on(open_model: Open, tmp_path: Path) -> None:
    """Neither the model's own end token nor one that the template names is chosen, however likely."""
    letter, other = 3 + ord("a"), 3 + ord("b")
    backend = open_model(write_model(tmp_path / "m.gguf", chain={START: letter, letter: END, other: letter}))
    assert listen(backend, request((letter, START), GREEDY)).text == "a"
    endless = listen(backend, request((letter, START), GREEDY.replace(ignore_eos=True)))
    assert (endless.finished.reason, len(endless.finished.tokens)) == ("length", GREEDY.max_tokens)
    named = dataclasses.replace(request((START,), GREEDY.replace(ignore_eos=True)), stop_tokens=(letter,))
    assert letter not in listen(backend, named).finished.tokens


def test_sampling_parameters_change_the_choice(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    wild = Sampling(temperature=10, top_k=0, top_p=1, min_p=0, seed=3, max_tokens=16)
    changes: dict[str, dict[str, float]] = {
        "wild": {},
        "seed": {"seed": 4},
        "top_k": {"top_k": 1},
        "top_p": {"top_p": 0.0001},
        "min_p": {"min_p": 1.0},
        "greedy": {"temperature": 0},
    }
    texts = {
        name: listen(backend, request((START,), wild.replace(**change))).text
        for name, change in changes.items()
    }
    assert texts["top_k"] == texts["top_p"] == texts["min_p"] == texts["greedy"]
    assert len({texts["wild"], texts["seed"], texts["greedy"]}) == 3


def test_the_smallest_temperature_is_as_cold_as_zero(open_model: Open, spm_model: Path) -> None:
    backend = open_model(spm_model)
    listen(backend, request((START,)))
    cold = listen(backend, request((START,), dataclasses.replace(GREEDY, temperature=1e-30)))
    assert cold.text == listen(backend, request((START,))).text


def test_the_cache_serves_the_next_prompt_exactly(open_model: Open, spm_model: Path) -> None:
    """A reply after a reused beginning is the one that a new engine gives."""
    prompt = tuple(range(10, 60))
    warm = open_model(spm_model)
    listen(warm, request((*prompt[:30], 7, 8, 9)))
    reused = listen(warm, request(prompt))
    fresh = listen(open_model(spm_model), request(prompt))
    assert reused.finished.usage.reused == 30
    assert fresh.finished.usage.reused == 0
    assert reused.text == fresh.text


def test_a_model_that_cannot_be_rewound_reuses_all_or_nothing(open_model: Open, tmp_path: Path) -> None:
    path = write_recurrent_model(tmp_path / "m.gguf")
    backend, prompt = open_model(path), tuple(range(10, 40))
    listen(backend, request(prompt, dataclasses.replace(GREEDY, max_tokens=1)))
    longer = (*prompt, 50, 51)
    assert listen(backend, request(longer)).finished.usage == Usage(32, 30, 2, GREEDY.max_tokens)
    again = listen(backend, request(prompt))
    assert again.finished.usage == Usage(30, 29, 1, GREEDY.max_tokens, 0, 29), "saved before the last token"
    assert again.text == listen(open_model(path), request(prompt)).text


def test_what_was_finished_before_an_abort_stays_in_the_cache(spm_model: Path) -> None:
    """Aborted in the third of four micro-batches, by a callback that counts the nodes of the graph."""
    stop, prompt = StopFlag(), tuple(range(10, 74))
    options = EngineOptions(n_ctx=256, n_threads=1, n_ubatch=16)
    engine = Engine(Model(spm_model, options, EngineLog(2), stop, lambda _fraction, _stage: True), stop)
    calls, limit = 0, float("inf")

    def count(_data: object) -> bool:
        nonlocal calls
        calls += 1
        return calls >= limit

    callback = L.ggml_abort_callback(count)
    L.llama_set_abort_callback(engine._model.context.handle, callback, None)
    whole = list(engine.generate(request(prompt)))
    text = "".join(event.text for event in whole if isinstance(event, TextDelta))
    engine._cache.forget()
    calls = 0
    *_, first = engine.generate(request(prompt, dataclasses.replace(GREEDY, max_tokens=1)))
    assert isinstance(first, Finished)
    calls, limit = 0, calls * 5 // 8
    engine._cache.forget()
    *_, aborted = engine.generate(request(prompt))
    assert isinstance(aborted, Finished)
    assert (aborted.reason, aborted.usage) == ("user", Usage(32, 0, 32, 0))
    limit = float("inf")
    rest = list(engine.generate(request(prompt)))
    assert isinstance(rest[-1], Finished)
    assert rest[-1].usage.reused == 32
    assert "".join(event.text for event in rest if isinstance(event, TextDelta)) == text
    engine.close()


def test_what_the_model_is_called_and_can_do(open_model: Open, bpe_model: Path) -> None:
    info = open_model(bpe_model, n_ctx="auto").wait(WAIT_S)
    assert (info.name, info.architecture, info.device) == ("bpe", "llama", "cpu")
    assert (info.n_ctx, info.n_ctx_train, info.size) == (1024, 1024, bpe_model.stat().st_size)
    assert info.metadata["general.name"] == "tiny"
    assert info.parameters > 100_000
    assert info.warnings == ()
