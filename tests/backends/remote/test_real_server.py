"""The remote backend on the server that llama-cpp-python brings, with the demo model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airochat.backends.base import Event, Request, TextDelta
from airochat.backends.remote.client import RemoteBackend
from airochat.sampling import Sampling
from tests.backends.llama.support import WAIT_S, listen

PROMPT = "<|im_start|>user\nTell me about the river.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def backend(real_server: str) -> Iterator[RemoteBackend]:
    backend = RemoteBackend(f"http://{real_server}/v1", n_ctx=2048)
    backend.wait(WAIT_S)
    yield backend
    backend.close()


def ask(name: str, *stop: str, max_tokens: int = 16, **sampling: float) -> Request:
    fields = {"temperature": 0.0, **sampling}
    return Request(name, PROMPT, Sampling(seed=7, max_tokens=max_tokens).replace(**fields), stop)


def test_the_model_is_told(backend: RemoteBackend) -> None:
    info = backend.wait(WAIT_S)
    assert (info.name, info.n_ctx) == ("SmolLM2-135M-Instruct.Q4_1", 2048)


def test_a_reply_streams_and_adds_up(backend: RemoteBackend) -> None:
    heard = listen(backend, ask("1"))
    assert heard.finished.reason == "length"
    assert heard.finished.usage.generated == 16 == sum(delta.tokens for delta in heard.deltas)
    assert len(heard.deltas) > 10
    assert "river" in heard.text.lower()


def test_the_same_seed_gives_the_same_text(backend: RemoteBackend) -> None:
    texts = {listen(backend, ask(str(number), temperature=1.2)).text for number in range(2)}
    assert len(texts) == 1


def test_the_model_ends_its_reply(backend: RemoteBackend) -> None:
    request = Request(
        "1", PROMPT.replace("Tell me about the river.", "Say hi."), Sampling(temperature=0, seed=1)
    )
    assert listen(backend, request).finished.reason == "eos"


def test_a_stop_text_ends_the_reply(backend: RemoteBackend) -> None:
    text = listen(backend, ask("1")).text
    stop = text[20:27]
    assert listen(backend, ask("2", stop)).text == text[: text.index(stop)]


def test_stop_ends_a_reply_and_the_next_one_works(backend: RemoteBackend) -> None:
    def stop(one: Event) -> None:
        if isinstance(one, TextDelta):
            backend.stop("long")

    heard = listen(backend, ask("long", max_tokens=1000), stop)
    assert heard.finished.reason == "user"
    assert 0 < heard.finished.usage.generated < 300
    assert listen(backend, ask("next")).finished.reason == "length"


def test_a_prompt_longer_than_the_context(backend: RemoteBackend) -> None:
    heard = listen(backend, Request("1", "word " * 3000, Sampling(seed=1, max_tokens=4)))
    assert "context" in heard.failed.hint
