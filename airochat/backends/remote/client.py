"""A model behind an OpenAI-compatible server, as a backend.

Works with the servers of llama.cpp and llama-cpp-python, KoboldCpp and text-generation-webui: ``GET /v1/models`` tells
the model, ``POST /v1/completions`` streams the reply to a prompt that airochat has written out as text.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, suppress
from queue import SimpleQueue

import httpx

from airochat.backends.base import (
    CacheReport,
    Event,
    Failed,
    Finished,
    Loaded,
    LoadEvent,
    LoadFailed,
    Loading,
    ModelInfo,
    Request,
    Scored,
    Timings,
    Usage,
)
from airochat.backends.notes import Unheeded
from airochat.backends.remote import describe
from airochat.backends.remote.address import parse_address
from airochat.backends.remote.errors import broke_off, status_error, transport_error
from airochat.backends.remote.fields import Kind
from airochat.backends.remote.protocol import Chunk, completion_body, read_chunk
from airochat.backends.remote.reply import Reply
from airochat.backends.remote.sse import EventParser
from airochat.backends.remote.worker import Worker
from airochat.backends.several import one_by_one
from airochat.errors import AirochatError, BackendError, ModelError
from airochat.prompt.tokens import Tokenizer

_CONNECT_S = 5.0
_ASK_S = 15.0
_COUNTS_S = 2.0
_MAX_BODY = 1 << 22
_UNKNOWN: Kind = "other"
_DONE = "[DONE]"
_CLOSED = ("The connection to the server was closed.", "Choose the model again.")


class RemoteBackend:
    """Talks to one server; see `Backend`.

    ``address`` is what `parse_address` takes. ``n_ctx`` is the context in tokens to use if the server does not tell a
    smaller one; 0 takes what it tells, else 4096. A key is read from ``AIROCHAT_API_KEY``.
    """

    def __init__(self, address: str, n_ctx: int = 0) -> None:
        self._address = parse_address(address)
        self._key = _key()
        self._n_ctx = n_ctx
        self._lock = threading.RLock()
        self._worker: Worker | None = None
        self._asking: concurrent.futures.Future[ModelInfo] | None = None
        self._listener: Callable[[LoadEvent], None] = lambda event: None
        self._described: describe.Described | None = None
        self._closed = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopped: deque[str] = deque(maxlen=64)
        self._turns = asyncio.Lock()
        self._unheeded = Unheeded(
            "A server chooses its tokens itself, so that logits processors cannot be run."
        )

    def load(self, listener: Callable[[LoadEvent], None]) -> None:
        """Ask the server for its model; returns at once."""
        with self._lock:
            self._listener = listener
            if not self._closed:
                self._ask()
                return
        listener(LoadFailed(*_CLOSED))

    def wait(self, timeout: float | None = None) -> ModelInfo:
        """Block until the server has told its model; asks again if it could not be reached before."""
        info = self.info
        if info is not None:
            return info
        try:
            return self._ask().result(timeout)
        except concurrent.futures.CancelledError:
            raise ModelError(*_CLOSED) from None
        except (TimeoutError, concurrent.futures.TimeoutError):
            raise TimeoutError(f"{self._address.base} has not answered yet.") from None

    @property
    def info(self) -> ModelInfo | None:
        """What the server told about its model, or None before it did, and after it was lost."""
        described = self._described
        return described.info if described else None

    @property
    def tokenizer(self) -> Tokenizer | None:
        """None: servers take text."""
        return None

    def generate(self, request: Request) -> Iterator[Event]:
        """Send a request, at once, and return its events; several replies are asked for one after the other."""
        several = request.n > 1
        events = one_by_one(request, self._generate) if several else self._generate(request)
        return self._unheeded.tell(request, events)

    def score(self, prompt: Sequence[int], reply: Sequence[int], top: int = 10) -> list[Scored]:
        """Raise `BackendError`: servers take text, not tokens."""
        raise BackendError(
            "A server does not tell how likely each token was.", "Load the model file itself for that."
        )

    def cache_report(self) -> CacheReport:
        """Return an empty report: the server keeps its own cache."""
        return CacheReport()

    def foresee(self, prompt: Sequence[int]) -> Usage | None:
        """Return None: a server does not tell what it has read."""
        return None

    def forget(self, chat: str) -> None:
        """Do nothing: what the server keeps is its own."""

    def _generate(self, request: Request) -> Generator[Event, None, None]:
        events: SimpleQueue[Event] = SimpleQueue()
        with self._lock:
            if self._closed:
                events.put(Failed(*_CLOSED))
            else:
                worker = self._thread()
                worker.call(self._start, worker, request, events)
        return self._until_end(request.id, events)

    def stop(self, request_id: str) -> None:
        """End a request wherever it stands, also one that is yet to come; what was written stays."""
        with self._lock:
            if not self._closed:
                self._thread().call(self._cancel, request_id)

    def close(self) -> None:
        """End all requests and the connection."""
        with self._lock:
            worker, self._worker, self._closed = self._worker, None, True
            self._described = None
        if worker is not None:
            worker.close()

    def _until_end(self, request_id: str, events: SimpleQueue[Event]) -> Generator[Event, None, None]:
        try:
            while True:
                event = events.get()
                yield event
                if isinstance(event, Finished | Failed):
                    return
        finally:
            with self._lock:
                if self._worker is not None:
                    self._worker.call(self._leave, request_id)

    def _thread(self) -> Worker:
        if self._worker is None:
            self._worker = Worker("airochat-remote")
        return self._worker

    def _ask(self) -> concurrent.futures.Future[ModelInfo]:
        with self._lock:
            if self._closed:
                raise ModelError(*_CLOSED)
            if self._asking is None or (self._asking.done() and self._described is None):
                self._asking = self._thread().submit(self._describe())
            return self._asking

    async def _describe(self) -> ModelInfo:
        self._listener(Loading(0.0, f"asking {self._address.base}"))
        try:
            async with self._client() as client:
                asked = describe.describe(
                    lambda path: self._get(client, path), self._address, self._n_ctx, keyed=bool(self._key)
                )
                self._described = await asyncio.wait_for(asked, _ASK_S)
        except asyncio.CancelledError:
            self._listener(LoadFailed(*_CLOSED))
            raise
        except Exception as error:
            said = self._explained(error)
            with self._lock:
                self._asking = None  # whoever waits from now on asks anew
            self._listener(LoadFailed(said.message, said.hint))
            raise ModelError(said.message, said.hint) from None
        self._listener(Loaded(self._described.info))
        return self._described.info

    async def _get(self, client: httpx.AsyncClient, path: str) -> str:
        async with client.stream("GET", path, timeout=httpx.Timeout(_ASK_S, connect=_CONNECT_S)) as response:
            body = await _body(response)
            if response.status_code != 200:
                raise status_error(
                    self._address, response.status_code, response.headers.get("location", ""), body
                )
            return body

    def _start(self, worker: Worker, request: Request, events: SimpleQueue[Event]) -> None:
        if request.id in self._stopped:
            events.put(Finished("user", Usage(), Timings()))
            return
        task = worker.spawn(self._serve(request, events))
        self._tasks[request.id] = task
        task.add_done_callback(lambda done: self._ended(request.id, done, events))

    def _cancel(self, request_id: str) -> None:
        self._stopped.append(request_id)
        self._leave(request_id)

    def _leave(self, request_id: str) -> None:
        if request_id in self._tasks:
            self._tasks[request_id].cancel()

    def _ended(self, request_id: str, task: asyncio.Task[None], events: SimpleQueue[Event]) -> None:
        self._tasks.pop(request_id, None)
        # Cancelled before it began, or while it waited for its turn.
        if task.cancelled():
            events.put(Finished("user", Usage(), Timings()))

    async def _serve(self, request: Request, events: SimpleQueue[Event]) -> None:
        async with self._turns:
            reply = Reply(request, events.put)
            try:
                await self._stream(request, reply)
                reply.finish(reply.reason or "eos")
            except asyncio.CancelledError:
                reply.finish("user")
            except Exception as error:
                reply.fail(self._explained(error))

    async def _stream(self, request: Request, reply: Reply) -> None:
        described = self._described
        model, kind = (described.model, described.kind) if described else ("", _UNKNOWN)
        body = completion_body(request, model, kind)
        async with self._client() as client, client.stream("POST", "/v1/completions", json=body) as response:
            if response.status_code != 200:
                said = await _body(response)
                raise status_error(
                    self._address, response.status_code, response.headers.get("location", ""), said
                )
            async with aclosing(_events(response)) as events:
                await self._read(events, reply)
                if reply.reason is None:
                    raise broke_off(self._address)
                if reply.counts_may_come:
                    with suppress(TimeoutError, asyncio.TimeoutError, httpx.HTTPError):
                        await asyncio.wait_for(self._read_counts(events, reply), _COUNTS_S)

    async def _read(self, events: AsyncIterator[str], reply: Reply) -> None:
        async for data in events:
            if data.strip() == _DONE:
                reply.done()
                return
            chunk = read_chunk(data)
            if chunk is None:
                message = f"The server {self._address.base} sent something that is not JSON."
                raise BackendError(message, "Correct the address, or look at the server's own output.")
            reply.take(chunk)
            if reply.reason is not None:
                return

    async def _read_counts(self, events: AsyncIterator[str], reply: Reply) -> None:
        """Read on after the end of a reply until the counts come, if they come."""
        async for data in events:
            if data.strip() == _DONE:
                return
            reply.take(read_chunk(data) or Chunk())
            if not reply.counts_may_come:
                return

    def _explained(self, error: Exception) -> AirochatError:
        if isinstance(error, AirochatError):
            return error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            # The next turn asks anew, since another model may be there by then.
            self._described = None
        return transport_error(self._address, error)

    def _client(self) -> httpx.AsyncClient:
        # No compression, so that nothing can inflate; no redirects, so that no text and no key goes elsewhere.
        headers = {"Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return httpx.AsyncClient(
            base_url=self._address.base,
            headers=headers,
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            follow_redirects=False,
            verify=self._address.base.startswith("https:"),
            trust_env=not self._address.loopback,
        )


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        raise BackendError("The server answered with a web page instead of a reply.", "Is the address right?")
    if kind == "application/json":
        yield await _body(response)
        return
    parser = EventParser()
    async for chunk in response.aiter_raw():
        for data in parser.feed(chunk):
            yield data
    for data in parser.close():
        yield data


async def _body(response: httpx.Response) -> str:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        parts.append(chunk)
        size += len(chunk)
        if size > _MAX_BODY:
            break
    return b"".join(parts)[:_MAX_BODY].decode("utf-8", "replace")


def _key() -> str:
    key = os.environ.get("AIROCHAT_API_KEY", "").strip()
    if not key.isascii() or not key.isprintable():
        raise ModelError("AIROCHAT_API_KEY holds characters that no key has.", "Set it anew.")
    return key
