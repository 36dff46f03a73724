from __future__ import annotations

import dataclasses
import gzip
import json
import os
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airochat.backends.base import (
    Event,
    Finished,
    Loaded,
    LoadEvent,
    LoadFailed,
    Loading,
    Request,
    TextDelta,
    Timings,
    Usage,
)
from airochat.backends.remote import client
from airochat.backends.remote.client import RemoteBackend
from airochat.errors import AirochatError, ModelError
from airochat.sampling import LogitsProcessor, Sampling
from tests.backends.llama.support import WAIT_S, LoadEvents, listen
from tests.backends.remote.server import (
    DONE,
    END,
    LoopbackServer,
    event,
    models,
    reply,
    silent,
    status,
    stream,
)

Connect = Callable[..., RemoteBackend]
ROUTE = "/v1/completions"


def ask(name: str = "1", *stop: str, max_tokens: int = 50) -> Request:
    return Request(name, "Hello", Sampling(seed=3, max_tokens=max_tokens), stop)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def wait_error(backend: RemoteBackend) -> ModelError:
    with pytest.raises(ModelError) as caught:
        backend.wait(WAIT_S)
    return caught.value


class TestLoading:
    def test_events_and_facts(self, server: LoopbackServer, connect: Connect) -> None:
        meta = {"n_ctx_train": 8192, "n_params": 134_515_008}
        server.script.routes["/v1/models"] = models("/srv/models/Airoboros-13B.Q4_K_M.gguf", meta=meta)
        server.script.routes["/props"] = reply(
            {"default_generation_settings": {"n_ctx": 2048}, "chat_template": "{{ messages }}"}
        )
        backend, events = connect(server.address), LoadEvents()
        assert not backend.info
        backend.load(events)
        loaded = events.wait_for(Loaded)
        assert isinstance(loaded, Loaded)
        info = loaded.info
        assert info == backend.wait(0) == backend.info
        assert [type(one) for one in events.seen] == [Loading, Loaded]
        assert (info.name, info.n_ctx, info.n_ctx_train) == ("Airoboros-13B.Q4_K_M", 2048, 8192)
        assert info.parameters == 134_515_008
        assert info.metadata == {"tokenizer.chat_template": "{{ messages }}"}
        assert info.warnings == ()
        assert backend.tokenizer is None

    def test_models_have_fingerprints_of_their_own(self, server: LoopbackServer, connect: Connect) -> None:
        server.script.routes["/v1/models"] = models("a", "b")
        prints = {connect(f"{server.address}#{name}").wait(WAIT_S).fingerprint for name in "ab"}
        assert len(prints) == 2

    @pytest.mark.parametrize(("wish", "granted"), [(0, 2048), (1024, 1024), (8192, 2048)])
    def test_context_is_the_smaller_of_wish_and_server(
        self, server: LoopbackServer, connect: Connect, wish: int, granted: int
    ) -> None:
        server.script.routes["/v1/models"] = models("tiny", max_model_len=2048)
        assert connect(server.address, wish).wait(WAIT_S).n_ctx == granted

    def test_context_from_koboldcpp(self, server: LoopbackServer, connect: Connect) -> None:
        server.script.routes["/api/extra/true_max_context_length"] = reply({"value": 6144})
        assert connect(server.address).wait(WAIT_S).n_ctx == 6144

    def test_unknown_context_is_the_users_or_a_guess_with_a_warning(
        self, server: LoopbackServer, connect: Connect
    ) -> None:
        assert connect(server.address, 1500).wait(WAIT_S).n_ctx == 1500
        info = connect(server.address).wait(WAIT_S)
        assert info.n_ctx == 4096
        assert "n_ctx" in info.warnings[0]

    def test_one_of_several_models(self, server: LoopbackServer, connect: Connect) -> None:
        server.script.routes["/v1/models"] = models("llama3:8b", "maker/Airoboros.gguf")
        first = connect(server.address).wait(WAIT_S)
        assert first.name == "llama3:8b"
        assert any("#NAME" in warning for warning in first.warnings)
        backend = connect(f"{server.address}#airoboros")
        assert backend.wait(WAIT_S).name == "Airoboros"
        server.script.routes[ROUTE] = stream([END])
        listen(backend, ask())
        assert server.script.seen[-1].body["model"] == "maker/Airoboros.gguf"
        error = wait_error(connect(f"{server.address}#airobros"))
        assert "Did you mean 'Airoboros'?" in error.hint

    @pytest.mark.parametrize(
        ("answer", "words", "hint"),
        [
            (models(), "no model loaded", "Load one"),
            (reply({"models": []}), "not answer like", "address"),
            (status(200, b"\xff\x00 not json"), "not answer like", "address"),
            (status(200, b"<html>router login</html>", "text/html"), "not answer like", "address"),
            (status(200, b"[" * 5_000_000), "not answer like", "address"),
            (status(500, b"<html>\x1b[2J</html>", "text/html"), "answered 500.", "output"),
            (status(503, b'{"error":{"message":"Loading model\\u001b[2J"}}'), "503: Loading model.", "output"),
            (status(401, b'{"error":"Invalid API Key"}'), "401: Invalid API Key.", "AIROCHAT_API_KEY"),
            (status(404, b"{}"), "answered 404", "no OpenAI-compatible API"),
            (silent(begin=False), "does not answer", "output"),
            (stream([b"x" * 100], Content_Length="200"), "broke off", "output"),
        ],
    )  # fmt: skip
    def test_servers_that_are_none(
        self, server: LoopbackServer, connect: Connect, monkeypatch: pytest.MonkeyPatch,
        answer: Callable[..., None], words: str, hint: str,
    ) -> None:  # fmt: skip
        if "does not answer" in words:
            monkeypatch.setattr(client, "_ASK_S", 0.1)
        server.script.routes["/v1/models"] = answer
        backend, events = connect(server.address), LoadEvents()
        backend.load(events)
        failed = events.wait_for(LoadFailed)
        assert isinstance(failed, LoadFailed)
        assert words in failed.message
        assert hint in failed.hint
        assert "\x1b" not in failed.message
        assert backend.info is None

    def test_a_server_that_is_started_later(self, connect: Connect) -> None:
        address = closed_port()
        backend = connect(address)
        events = LoadEvents()
        backend.load(events)
        failed = events.wait_for(LoadFailed)
        assert isinstance(failed, LoadFailed)
        assert f"No server answers at http://{address}" in failed.message
        assert "Start the server" in failed.hint
        server = LoopbackServer(int(address.partition(":")[2]))
        try:
            server.script.routes["/v1/models"] = models("late")
            assert backend.wait(WAIT_S).name == "late"
            assert isinstance(events.wait_for(Loaded), Loaded)
        finally:
            server.close()

    def test_waiting_can_time_out_and_goes_on(self, server: LoopbackServer, connect: Connect) -> None:
        server.script.routes["/v1/models"] = silent(begin=False)
        backend = connect(server.address)
        with pytest.raises(TimeoutError):
            backend.wait(0.01)

    def test_a_load_can_be_cancelled(self, server: LoopbackServer, connect: Connect) -> None:
        server.script.routes["/v1/models"] = silent(begin=False)
        backend, events = connect(server.address), LoadEvents()
        backend.load(events)
        assert server.script.reached.wait(WAIT_S)
        backend.close()
        assert isinstance(events.wait_for(LoadFailed), LoadFailed)
        assert server.script.left.wait(WAIT_S)
        wait_error(backend)

    def test_the_listener_may_close(self, server: LoopbackServer, connect: Connect) -> None:
        backend = connect(server.address)
        seen: list[LoadEvent] = []
        over = threading.Event()

        def close(one: LoadEvent) -> None:
            seen.append(one)
            backend.close()
            if isinstance(one, LoadFailed):
                over.set()

        backend.load(close)
        assert over.wait(WAIT_S)
        assert [type(one) for one in seen] == [Loading, LoadFailed]

    def test_no_proxy_for_this_machine(
        self, server: LoopbackServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{closed_port()}")
        assert connect(server.address).wait(WAIT_S).name == "tiny"


class TestSecrets:
    def test_the_key_is_sent(
        self, server: LoopbackServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.script.routes[ROUTE] = stream([END])
        backend = connect(server.address)
        listen(backend, ask())
        assert "authorization" not in server.script.seen[-1].headers
        monkeypatch.setenv("AIROCHAT_API_KEY", " secret\n")
        listen(connect(server.address), ask())
        assert server.script.seen[-1].headers["authorization"] == "Bearer secret"

    @pytest.mark.parametrize("key", ["schlüssel", "a\nb"])
    def test_impossible_key(self, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
        monkeypatch.setenv("AIROCHAT_API_KEY", key)
        with pytest.raises(ModelError, match="AIROCHAT_API_KEY"):
            RemoteBackend("127.0.0.1:1")

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    def test_redirects_are_not_followed(
        self, server: LoopbackServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        monkeypatch.setenv("AIROCHAT_API_KEY", "secret")
        other = LoopbackServer()
        try:
            target = f"http://{other.address}/v1/models"
            server.script.routes["/v1/models"] = status(code, b"", Location=target)
            server.script.routes[ROUTE] = status(code, b"", Location=target)
            backend = connect(server.address)
            assert target in wait_error(backend).hint
            assert f"answered {code}" in listen(backend, ask()).failed.message
            assert other.script.seen == []
        finally:
            other.close()


@pytest.fixture
def backend(server: LoopbackServer, connect: Connect) -> RemoteBackend:
    return connect(server.address)


class TestReplies:
    def test_text_counts_and_times(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
        end = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\r\n\r\n"
        chunks = [event("Hel"), b": ping\n\n", event("lo"), event(" 🦙"), event("", "stop"), end, DONE]
        server.script.routes[ROUTE] = stream(chunks)
        backend.wait(WAIT_S)
        heard = listen(backend, ask())
        assert [(delta.text, delta.tokens) for delta in heard.deltas] == [("Hel", 1), ("lo", 1), (" 🦙", 1)]
        assert (heard.finished.reason, heard.finished.usage) == ("eos", Usage(5, 2, 3, 3))
        assert heard.finished.timings.first_token_s > 0
        body = server.script.seen[-1].body
        assert (body["prompt"], body["seed"], body["model"]) == ("Hello", 3, "tiny")

    @pytest.mark.parametrize("count", [1, 2])
    def test_logits_processors_have_no_effect_and_that_is_said_once(
        self, server: LoopbackServer, backend: RemoteBackend, count: int
    ) -> None:
        server.script.routes[ROUTE] = stream([event("Hello", "stop"), DONE])
        backend.wait(WAIT_S)
        processors = (LogitsProcessor("bend\x1b[2J", "bend.py", "make"), LogitsProcessor("other", "", "make"))
        asked = [dataclasses.replace(ask(name), processors=processors, n=count) for name in "12"]
        first, again = (listen(backend, one) for one in asked)
        assert first.text == again.text == "Hello"
        (note,) = first.finished.notes
        assert note.endswith("Without effect: bend, other.")
        assert again.finished.notes == ()
        assert "processors" not in server.script.seen[-1].body

    @pytest.mark.parametrize(
        ("said", "reason"), [("stop", "eos"), ("length", "length"), ("eos_token", "eos")]
    )
    def test_reasons(self, server: LoopbackServer, backend: RemoteBackend, said: str, reason: str) -> None:
        server.script.routes[ROUTE] = stream([event("Hi"), event("", said), DONE])
        heard = listen(backend, ask())
        assert (heard.finished.reason, heard.finished.usage) == (reason, Usage(generated=1))

    def test_done_without_a_reason_is_an_end(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = stream([event("Hi"), DONE])
        assert listen(backend, ask()).finished.reason == "eos"

    def test_every_byte_alone(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        whole = event("Hällo 🦙") + event(" there") + END
        server.script.routes[ROUTE] = stream(whole[at : at + 1] for at in range(len(whole)))
        assert listen(backend, ask()).text == "Hällo 🦙 there"

    def test_stop_texts_across_chunks(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = silent(*map(event, ["Hi! US", "ED. ", "US", "ER", ": me"]))
        heard = listen(backend, ask("1", "USER:", "never"))
        assert heard.text == "Hi! USED. "
        assert heard.finished.reason == "stop"
        assert heard.finished.usage.generated == 5
        assert server.script.left.wait(WAIT_S)

    def test_what_only_began_like_a_stop_text_comes_at_the_end(
        self, server: LoopbackServer, backend: RemoteBackend
    ) -> None:
        server.script.routes[ROUTE] = stream([event("Hi! "), event("US"), event("E"), END])
        heard = listen(backend, ask("1", "USER:"))
        assert [(delta.text, delta.tokens) for delta in heard.deltas] == [("Hi! ", 1), ("USE", 2)]

    def test_a_whole_answer_instead_of_a_stream(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        usage = {"prompt_tokens": 2, "completion_tokens": 7}
        server.script.routes[ROUTE] = reply(
            {"choices": [{"text": "All.", "finish_reason": "stop"}], "usage": usage}
        )
        heard = listen(backend, ask())
        assert (heard.text, heard.finished.usage) == ("All.", Usage(2, 0, 2, 7))

    def test_a_server_that_never_ends(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        def forever() -> Iterator[bytes]:
            while True:
                yield event("la ")

        server.script.routes[ROUTE] = stream(forever())
        assert listen(backend, ask(max_tokens=5)).finished.reason == "length"
        assert server.script.left.wait(WAIT_S)

    def test_an_end_without_counts_is_not_waited_for(
        self, server: LoopbackServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "_COUNTS_S", 0.01)
        server.script.routes[ROUTE] = silent(event("Hi"), event("", "stop"))
        assert listen(backend, ask()).finished.reason == "eos"
        assert server.script.left.wait(WAIT_S)


PARTIAL = [event("So far")]


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "text", "words"),
        [
            (stream(PARTIAL), "So far", "broke off"),
            (stream(PARTIAL, Content_Length="9999"), "So far", "broke off"),
            (stream([*PARTIAL, b"data: {not json}\n\n"]), "So far", "not JSON"),
            (stream([*PARTIAL, b"data: [1]\n\n"]), "So far", "not JSON"),
            (stream([*PARTIAL, b'data: {"error":{"message":"no\\u001b[2J memory"}}\n\n']), "So far", "no memory"),
            (stream([b""]), "", "broke off"),
            (stream([b"data: " + b"x" * 65_536] * 40), "", "1 MiB"),
            (stream([b"<html>"], kind="text/html"), "", "web page"),
            (stream([b"{" * 100], kind="application/json"), "", "not JSON"),
            (status(500, b"<html><h1>Oops</h1></html>", "text/html"), "", "answered 500."),
            (status(400, b'{"error":{"message":"the prompt is too long"}}'), "", "400: the prompt is too long."),
            (status(400, b'"' + b"x" * 9_000_000), "", "answered 400"),
        ],
    )  # fmt: skip
    def test_the_reason_is_told_and_the_text_kept(
        self,
        server: LoopbackServer,
        backend: RemoteBackend,
        answer: Callable[..., None],
        text: str,
        words: str,
    ) -> None:
        server.script.routes[ROUTE] = answer
        backend.wait(WAIT_S)
        heard = listen(backend, ask())
        assert heard.text == text
        assert words in heard.failed.message
        assert len(heard.failed.message) < 500
        assert "\x1b" not in heard.failed.message
        assert heard.failed.hint
        assert heard.failed.usage.generated == len(heard.deltas)
        server.script.routes[ROUTE] = stream([event("Again"), END])
        assert listen(backend, ask("2")).text == "Again"

    def test_compressed_answers_are_not_inflated(
        self, server: LoopbackServer, backend: RemoteBackend
    ) -> None:
        bomb = gzip.compress(b"data: " + b"\0" * (64 << 20))
        server.script.routes[ROUTE] = stream([bomb], Content_Encoding="gzip")
        backend.wait(WAIT_S)
        tracemalloc.start()
        try:
            assert listen(backend, ask()).failed.message
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
        assert server.script.seen[-1].headers["accept-encoding"] == "identity"

    def test_too_much_text(
        self, server: LoopbackServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airochat.backends.remote.reply.MAX_REPLY", 1000)
        server.script.routes[ROUTE] = stream([event("x" * 600), event("y" * 600), END])
        heard = listen(backend, ask())
        assert heard.text == "x" * 600
        assert "1,000 characters" in heard.failed.message

    def test_a_server_that_has_gone_is_asked_anew(self, connect: Connect) -> None:
        server = LoopbackServer()
        server.script.routes["/v1/models"] = models("before")
        backend = connect(server.address)
        assert backend.wait(WAIT_S).name == "before"
        port = server.server_address[1]
        server.close()
        assert "No server answers" in listen(backend, ask()).failed.message
        assert backend.info is None
        again = LoopbackServer(port)
        try:
            again.script.routes["/v1/models"] = models("after")
            assert backend.wait(WAIT_S).name == "after"
        finally:
            again.close()


class TestStopping:
    def test_while_the_prompt_is_read(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = silent(begin=False)
        events = backend.generate(ask())
        assert server.script.reached.wait(WAIT_S)
        backend.stop("1")
        assert [type(one) for one in events] == [Finished]
        assert server.script.left.wait(WAIT_S)

    def test_between_tokens_keeps_what_was_written(
        self, server: LoopbackServer, backend: RemoteBackend
    ) -> None:
        server.script.routes[ROUTE] = silent(event("Hi! "), event("USE"))
        backend.wait(WAIT_S)

        def stop(one: Event) -> None:
            if server.script.reached.wait(WAIT_S) and isinstance(one, TextDelta):
                backend.stop("1")

        heard = listen(backend, ask("1", "USER:"), stop)
        assert heard.finished.reason == "user"
        assert heard.text in ("Hi! ", "Hi! USE")
        assert heard.finished.usage.generated in (1, 2)
        assert server.script.left.wait(WAIT_S)

    def test_before_it_begins(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = stream([event("Hi"), END])
        backend.stop("1")
        assert listen(backend, ask()).finished.reason == "user"
        events = backend.generate(ask("2"))
        backend.stop("2")
        last = list(events)[-1]
        assert isinstance(last, Finished)
        assert listen(backend, ask("3")).text == "Hi"

    def test_leaving_the_events_early(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = silent(event("Hi"))
        for one in backend.generate(ask()):
            assert isinstance(one, TextDelta)
            break
        assert server.script.left.wait(WAIT_S)

    def test_a_waiting_request_while_another_runs(
        self, server: LoopbackServer, backend: RemoteBackend
    ) -> None:
        server.script.routes[ROUTE] = silent(event("Hi"))
        running = backend.generate(ask("1"))
        assert isinstance(next(running), TextDelta)
        waiting = backend.generate(ask("2"))
        backend.stop("2")
        assert list(waiting) == [Finished("user", Usage(), Timings())]
        assert [seen.path for seen in server.script.seen] == [ROUTE]
        backend.stop("1")
        assert isinstance(list(running)[-1], Finished)

    def test_requests_are_served_one_after_the_other(
        self, server: LoopbackServer, backend: RemoteBackend
    ) -> None:
        inside = threading.Semaphore(1)

        def alone(handler: object) -> None:
            assert inside.acquire(blocking=False)
            stream([event("one "), event("two")])(handler)  # type: ignore[arg-type]
            inside.release()
            handler.wfile.write(END)  # type: ignore[attr-defined]

        server.script.routes[ROUTE] = alone
        pending = [backend.generate(ask(str(number))) for number in range(5)]
        for events in pending:
            text = "".join(one.text for one in events if isinstance(one, TextDelta))
            assert text == "one two"

    def test_closing_ends_a_reply(self, server: LoopbackServer, backend: RemoteBackend) -> None:
        server.script.routes[ROUTE] = silent(event("Hi"))
        heard = listen(backend, ask(), lambda one: backend.close())
        assert (heard.text, heard.finished.reason) == ("Hi", "user")
        assert server.script.left.wait(WAIT_S)

    def test_after_closing_everything_is_refused_kindly(self, backend: RemoteBackend) -> None:
        backend.wait(WAIT_S)
        backend.close()
        backend.close()
        backend.stop("unknown")
        failed = LoadEvents()
        backend.load(failed)
        assert isinstance(failed.wait_for(LoadFailed), LoadFailed)
        assert backend.info is None
        assert listen(backend, ask()).failed.message
        with pytest.raises(AirochatError):
            backend.wait(1)

    def test_no_threads_and_connections_are_left(self, server: LoopbackServer, connect: Connect) -> None:
        fds = Path("/proc/self/fd")
        before = threading.active_count(), len(os.listdir(fds)) if fds.exists() else 0
        for _ in range(3):
            backend = connect(server.address)
            backend.wait(WAIT_S)
            backend.close()
        ours = [thread for thread in threading.enumerate() if thread.name == "airochat-remote"]
        assert ours == []
        if fds.exists():
            assert len(os.listdir(fds)) <= before[1] + 3  # the server's own ends close a moment later
