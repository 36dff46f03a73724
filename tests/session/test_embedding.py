"""Vectors of texts through a session manager: futures, changed settings, and the end."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

import airochat
from airochat.backends.llama.embed import Embedder
from airochat.backends.scripted import ScriptedBackend
from airochat.errors import BackendError, ModelError
from airochat.session.embedding import Embedding
from tests.models import write_encoder_model

WAIT_S = 60


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[airochat.SessionManager]:
    model = write_encoder_model(tmp_path / "small.gguf")
    settings = {"embedding_model": str(model), "engine": "thread"}
    with airochat.open(tmp_path / "home", ScriptedBackend(), settings) as one:
        yield one


@pytest.fixture
def embedding(manager: airochat.SessionManager) -> Iterator[Embedding]:
    one = Embedding(manager)
    yield one
    one.close()


class Held:
    """Holds up the embedder until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self._go = threading.Event(), threading.Event()
        plainly = Embedder.embed

        def embed(one: Embedder, texts: tuple[str, ...]) -> list[list[float]]:
            self.begun.set()
            assert self._go.wait(WAIT_S)
            return plainly(one, texts)

        monkeypatch.setattr(Embedder, "embed", embed)

    def go(self) -> None:
        self._go.set()


def test_vectors_come_in_the_order_of_the_texts(embedding: Embedding) -> None:
    first = embedding(["river", "llama"])
    second = embedding(["llama", ""])
    assert second.result(WAIT_S) == [first.result(WAIT_S)[1], [0.0] * 64]


def test_a_process_of_its_own_gives_the_same(manager: airochat.SessionManager, embedding: Embedding) -> None:
    here = embedding(["river"]).result(WAIT_S)
    manager.settings = manager.settings.replace({"engine": "process"})
    other = Embedding(manager)
    try:
        assert other(["river"]).result(WAIT_S)[0] == pytest.approx(here[0], abs=1e-4)
    finally:
        other.close()


@pytest.mark.parametrize(("ref", "said"), [("", "No model"), ("nothing", "no model 'nothing'")])
def test_no_model_is_an_error_of_the_future_and_a_setting_put_right_counts(
    manager: airochat.SessionManager, embedding: Embedding, ref: str, said: str
) -> None:
    right = manager.settings
    manager.settings = dataclasses.replace(right, embedding_model=ref)
    with pytest.raises(ModelError, match=said):
        embedding(["river"]).result(WAIT_S)
    manager.settings = right
    assert any(embedding(["river"]).result(WAIT_S)[0])


def test_another_model_takes_the_place_of_the_first(
    manager: airochat.SessionManager, embedding: Embedding, tmp_path: Path
) -> None:
    before = embedding(["river"]).result(WAIT_S)
    other = write_encoder_model(tmp_path / "other.gguf", seed=9)
    first = embedding._embedder
    assert first is not None
    manager.settings = dataclasses.replace(manager.settings, embedding_model=str(other))
    assert embedding(["river"]).result(WAIT_S) != before
    assert first.info is None
    with pytest.raises(BackendError, match="closed"):
        first.embed(["river"])


def test_what_waits_can_be_cancelled(embedding: Embedding, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    running = embedding(["river"])
    assert held.begun.wait(WAIT_S)
    waiting, last = embedding(["llama"]), embedding(["user"])
    assert waiting.cancel()
    assert not running.cancel()
    held.go()
    assert any(last.result(WAIT_S)[0])
    with pytest.raises(CancelledError):
        waiting.result(WAIT_S)


def test_closing_ends_what_waits_and_refuses_what_comes(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    asked = [embedding(["river"]), embedding(["llama"])]
    assert held.begun.wait(WAIT_S)
    closing = threading.Thread(target=embedding.close)
    with embedding._lock:
        closing.start()
        embedding._closed = True
    held.go()
    closing.join(WAIT_S)
    assert not closing.is_alive()
    with pytest.raises(BackendError, match="being closed"):
        asked[1].result(WAIT_S)
    assert asked[0].done()
    with pytest.raises(BackendError, match="being closed"):
        embedding(["user"]).result(WAIT_S)
    embedding.close()


def test_nothing_is_started_before_the_first_call(embedding: Embedding) -> None:
    assert embedding._thread is None
    assert embedding._embedder is None
    embedding.close()
    assert embedding._thread is None


def test_a_fault_of_ours_is_an_error_of_the_future_and_the_thread_lives_on(
    embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "embed", lambda _one, _texts: 1 / 0)
        with pytest.raises(BackendError, match="ZeroDivisionError"):
            embedding(["river"]).result(WAIT_S)
    assert any(embedding(["river"]).result(WAIT_S)[0])
