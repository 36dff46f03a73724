"""A small server on loopback that answers as a test tells it to, and as badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]


@dataclass
class Seen:
    """One request as the server got it."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """What a server does, and what it has seen."""

    routes: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client went away from `silent`."""
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when a request came to `silent`."""


class Handler(BaseHTTPRequestHandler):
    server: LoopbackServer

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, body: Any) -> None:
        script = self.server.script
        headers = {name.lower(): value for name, value in self.headers.items()}
        script.seen.append(Seen(self.path, headers, body))
        try:
            script.routes.get(self.path, status(404, b"{}"))(self)
        except (BrokenPipeError, ConnectionResetError):
            script.left.set()

    def begin(self, code: int, kind: str, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class LoopbackServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = Script()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


def status(code: int, body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(code, kind, **headers)
        handler.wfile.write(body)

    return answer


def reply(value: Any) -> Answer:
    return status(200, json.dumps(value).encode())


def models(*ids: str, **extra: Any) -> Answer:
    return reply({"object": "list", "data": [{"id": name, **extra} for name in ids]})


def stream(chunks: Iterable[bytes], kind: str = "text/event-stream", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(200, kind, **headers)
        for chunk in chunks:
            handler.wfile.write(chunk)

    return answer


def silent(*first: bytes, begin: bool = True) -> Answer:
    """Send some bytes, then nothing more, and notice when the client goes away."""

    def answer(handler: Handler) -> None:
        if begin:
            handler.begin(200, "text/event-stream")
        for chunk in first:
            handler.wfile.write(chunk)
        handler.server.script.reached.set()
        handler.connection.settimeout(60)
        if handler.connection.recv(1) == b"":
            handler.server.script.left.set()

    return answer


def event(text: str, finish: str | None = None, **extra: Any) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return (
        b"data: " + json.dumps({"object": "text_completion", "choices": [choice], **extra}).encode() + b"\n\n"
    )


DONE = b"data: [DONE]\n\n"
END = event("", "stop") + DONE
