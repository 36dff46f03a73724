"""Vectors of texts: by models that only read and by those that write, and what becomes of them when they fail."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.backends.llama.embed import Embedder, create_embedder
from airochat.backends.llama.life import Life
from airochat.backends.llama.wire import Command, Embed
from airochat.errors import AirochatError, BackendError, ModelError
from airochat.paths import Home
from airochat.settings import EngineOptions, Settings
from tests.backends.llama.support import WAIT_S
from tests.models import (
    write_adapter,
    write_encoder_model,
    write_model,
    write_recurrent_model,
    write_window_model,
)

CLOSE = 1e-4
N_CTX = 64
"""What the models that only read are written with."""
Open = Callable[..., Embedder]


@pytest.fixture
def embedder(tmp_path: Path) -> Iterator[Open]:
    """Open embedders, in this process if not said otherwise; closed at the end."""
    made: list[Embedder] = []

    def new(path: Path, engine: str = "thread", **arguments: Any) -> Embedder:
        made.append(Embedder(path, EngineOptions(engine=engine), tmp_path / "log", **arguments))
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_model(tmp_path_factory.mktemp("models") / "bert.gguf")


@pytest.fixture(scope="module")
def shared(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    one = Embedder(encoder, EngineOptions(engine="thread"), tmp_path_factory.mktemp("logs") / "log")
    yield one
    one.close()


def alike(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors of length 1."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) < CLOSE for a, b in zip(one, other, strict=True))


MODELS: dict[str, Callable[[Path], Path]] = {
    "encoder": write_encoder_model,
    "first token": lambda path: write_encoder_model(path, 2),
    "last token": lambda path: write_encoder_model(path, 3),
    "says nothing": lambda path: write_encoder_model(path, None),
    "sentencepiece": write_model,
    "bpe": lambda path: write_model(path, "bpe"),
    "window": write_window_model,
    "recurrent": write_recurrent_model,
}


@pytest.mark.parametrize("kind", MODELS, ids=lambda name: name.replace(" ", "-"))
def test_every_kind_of_model_gives_vectors_of_length_one(tmp_path: Path, embedder: Open, kind: str) -> None:
    one = embedder(MODELS[kind](tmp_path / "m.gguf"))
    texts = [
        "the river and the lantern",
        "the river and a lantern",
        "llama user",
        "the river and the lantern",
    ]
    vectors = one.embed(texts)
    assert {len(vector) for vector in vectors} == {64}
    assert [alike(vector, vector) for vector in vectors] == pytest.approx([1.0] * 4, abs=CLOSE)
    assert same(vectors[0], vectors[3])
    assert alike(vectors[0], vectors[1]) > alike(vectors[0], vectors[2])
    for text, vector in zip(texts, vectors, strict=True):
        assert same(one.embed([text])[0], vector), "who else is in a batch makes no difference"


def test_texts_are_pooled_as_the_file_says_and_by_their_mean_if_it_does_not(
    tmp_path: Path, embedder: Open
) -> None:
    texts = ["a river", "llama"]
    mean, first, last, silent, none = (
        embedder(write_encoder_model(tmp_path / f"{pooling}.gguf", pooling)).embed(texts)
        for pooling in (1, 2, 3, None, 0)
    )
    assert mean == silent == none
    assert not same(mean[0], first[0])
    assert not same(first[0], last[0])


def test_alike_sentences_are_closer_than_unlike_ones_with_the_demo_model(
    demo_model: Path, embedder: Open
) -> None:
    groups = [
        ("The cat is sleeping on the sofa.", "A cat sleeps on the couch."),
        ("Share prices dropped three percent on Wall Street.", "Stocks lost three percent today."),
        ("She plays the violin in an orchestra.", "He plays the cello in an orchestra."),
    ]
    vectors = embedder(demo_model).embed([text for group in groups for text in group])
    for number, vector in enumerate(vectors):
        likeness = {other: alike(vector, vectors[other]) for other in range(6) if other != number}
        assert max(likeness, key=lambda other: likeness[other]) == number ^ 1


def test_an_empty_text_has_a_vector_without_direction(embedder: Open, encoder: Path, bpe_model: Path) -> None:
    for path in (encoder, bpe_model):
        vectors = embedder(path).embed(["", "river", " \n\t"])
        assert vectors[0] == vectors[2] == [0.0] * 64
        assert any(vectors[1])


def test_nothing_is_loaded_for_no_texts(embedder: Open, tmp_path: Path) -> None:
    assert embedder(tmp_path / "missing.gguf").embed([]) == []


def test_a_long_text_is_cut_and_keeps_the_mark_of_its_end(shared: Embedder) -> None:
    fits, longer = " ".join(["river"] * (N_CTX - 2)), " ".join(["river"] * N_CTX * 3)
    vectors = shared.embed([fits, longer, fits + " llama", "river"])
    assert same(vectors[0], vectors[1])
    assert same(vectors[0], vectors[2])
    assert not same(vectors[0], vectors[3])


def test_a_text_longer_than_all_is_cut_with_a_model_that_writes(embedder: Open, spm_model: Path) -> None:
    one = embedder(spm_model)
    longest = one.embed(["the " * 1100, "the " * 100_000, "the " * 10])
    assert same(longest[0], longest[1])
    assert one.info is not None
    assert one.info.n_ctx == 1024


def test_the_spelling_of_control_tokens_is_text(shared: Embedder) -> None:
    # Words are read in small letters, of which no control token is spelled.
    for token in ("[SEP]", "[MASK]", "[CLS]"):
        spelled, small = shared.embed([f"river {token}", f"river {token.lower()}"])
        assert same(spelled, small)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=200), min_size=1, max_size=40))
def test_any_texts_have_vectors_whoever_they_come_with(shared: Embedder, texts: list[str]) -> None:
    vectors = shared.embed(texts)
    assert len(vectors) == len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert alike(vector, vector) == pytest.approx(1.0 if text.strip() else 0.0, abs=CLOSE)
    assert same(shared.embed(texts[-1:])[0], vectors[-1])


def test_more_texts_than_go_into_one_call(shared: Embedder) -> None:
    texts = [f"river {'abcdefghij'[number % 10]}" for number in range(600)]
    vectors = shared.embed(texts)
    assert len(vectors) == 600
    assert same(vectors[3], vectors[593])
    assert not same(vectors[3], vectors[594])


# -- files that do not work --------------------------------------------------------------------------------------


def test_files_that_give_no_vectors_are_refused_with_words(tmp_path: Path, embedder: Open) -> None:
    (tmp_path / "text.gguf").write_text("no model")
    files = {
        tmp_path / "missing.gguf": "There is no file",
        tmp_path / "text.gguf": "",
        write_adapter(tmp_path / "adapter.gguf"): "LoRA",
        write_encoder_model(tmp_path / "ranks.gguf", 4): "ranks texts",
        write_model(tmp_path / "damaged.gguf", without="output_norm.weight"): "cannot load",
    }
    for path, said in files.items():
        with pytest.raises(AirochatError) as caught:
            embedder(path).embed(["river"])
        assert said in caught.value.message
        assert caught.value.message.endswith(".")


def test_a_model_of_broken_numbers_fails_and_goes_on(tmp_path: Path, embedder: Open) -> None:
    one = embedder(write_encoder_model(tmp_path / "nan.gguf", broken=True))
    for _ in range(2):
        with pytest.raises(BackendError, match="NaN"):
            one.embed(["river"])
    assert any(len(vector) == 64 for vector in one.embed([""]))


def test_a_file_that_was_put_right_is_loaded_by_the_next_call(tmp_path: Path, embedder: Open) -> None:
    one = embedder(tmp_path / "later.gguf")
    with pytest.raises(ModelError):
        one.embed(["river"])
    write_encoder_model(tmp_path / "later.gguf")
    assert any(one.embed(["river"])[0])


# -- the process -------------------------------------------------------------------------------------------------


def sent(life: Life) -> threading.Event:
    """Return what is set once the engine has been given texts."""
    taken, send = threading.Event(), life.transport.send

    def watched(command: Command) -> None:
        send(command)
        if isinstance(command, Embed):
            taken.set()

    life.transport.send = watched  # type: ignore[method-assign]
    return taken


class Asked:
    """A call in a thread of its own."""

    def __init__(self, one: Embedder, texts: list[str]) -> None:
        self._one, self._texts = one, texts
        self.vectors: list[list[float]] = []
        self.error: AirochatError | None = None
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.vectors = self._one.embed(self._texts)
        except AirochatError as error:
            self.error = error

    def end(self) -> AirochatError | None:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return self.error


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="an engine is held up by a signal")
@pytest.mark.parametrize("how", ["killed", "closed"])
def test_a_process_that_ends_in_the_middle_fails_the_call(encoder: Path, embedder: Open, how: str) -> None:
    one = embedder(encoder, "process")
    before = one.embed(["river"])
    pid, life = one.pid, one._life
    assert pid is not None
    assert life is not None
    assert pid != os.getpid()
    taken = sent(life)
    os.kill(pid, signal.SIGSTOP)
    asked = Asked(one, ["lantern"])
    assert taken.wait(WAIT_S)
    if how == "closed":
        one.close()
    else:
        os.kill(pid, signal.SIGKILL)
    error = asked.end()
    assert isinstance(error, BackendError)
    if how == "closed":
        assert "closed" in error.message
        with pytest.raises(BackendError, match="closed"):
            one.embed(["river"])
    else:
        assert "signal 9" in error.message
        assert same(one.embed(["river"])[0], before[0])
        assert one.pid not in (None, pid)


def test_the_model_is_freed_without_use_and_loaded_again(encoder: Path, embedder: Open) -> None:
    one = embedder(encoder, "process", idle_s=0.0)
    freed, plainly = threading.Event(), one.rest

    def rest() -> None:
        plainly()
        freed.set()

    one.rest = rest  # type: ignore[method-assign]
    before = one.embed(["river"])
    assert freed.wait(WAIT_S)
    assert one.info is None
    assert one.pid is None
    assert one.embed(["river"]) == before


def test_it_is_not_freed_while_it_is_used(encoder: Path, embedder: Open) -> None:
    one = embedder(encoder)
    one.embed(["river"])
    with one._turn:
        one.rest()
    assert one.info is not None
    one.rest()
    assert one.info is None


def test_several_threads_are_served(shared: Embedder) -> None:
    words = ["river", "llama", "lantern", "user"]
    expected = shared.embed(words)
    asked = [Asked(shared, [word] * 20) for word in words]
    for one, vector in zip(asked, expected, strict=True):
        assert one.end() is None
        assert all(same(found, vector) for found in one.vectors)


def test_after_closing_it_says_so_and_closing_twice_is_no_fault(encoder: Path, embedder: Open) -> None:
    one = embedder(encoder)
    one.close()
    one.close()
    with pytest.raises(BackendError, match="closed"):
        one.embed(["river"])


# -- the setting -------------------------------------------------------------------------------------------------


def test_the_setting_names_a_model_as_for_chats(tmp_path: Path, encoder: Path) -> None:
    home = Home(tmp_path)
    folder = home.folder("models")
    folder.mkdir()
    write_encoder_model(folder / "Small-Embedder.gguf")
    engine = EngineOptions(engine="thread")
    for ref in (str(encoder), "small-emb"):
        one = create_embedder(Settings(embedding_model=ref, engine=engine), home)
        assert any(one.embed(["river"])[0])
        one.close()
    assert (tmp_path / "logs" / "embedding.log").exists()
    for ref, said in (("", "No model for embeddings is set."), ("nothing", "There is no model 'nothing'.")):
        with pytest.raises(ModelError) as caught:
            create_embedder(Settings(embedding_model=ref), home)
        assert caught.value.message == said
        assert caught.value.hint
