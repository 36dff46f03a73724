"""The connection to one server: made when it is needed, made anew after it broke, used by all chats."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from airochat.errors import AirochatError, BackendError
from airochat.text import clean, one_line

from . import schemas, wire
from .servers import Server

if TYPE_CHECKING:
    from mcp.client import Client

START_S = 30.0
"""How long a server may take until it has told its tools."""
MOST_TOOLS = 64
"""How many tools of one server are offered."""
LONGEST_TEXT = 20_000
"""How much of a result is kept, in characters; a little more than what will be told, so that the cut is noticed."""
_LONGEST_NAME = 128
_MOST_LINES = 1_000
"""How many lines of one program's error output go to the log."""


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool of a server, as it may be offered; ``origin`` is what the server calls it."""

    name: str
    origin: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class Link:
    """The connection to a server; all methods but those that say so run on the hub's loop."""

    server: Server
    log: logging.Logger
    tools: tuple[RemoteTool, ...] | None = None
    """What the server offers; None before it has told."""
    error: str = ""
    """Why the last attempt to reach it failed."""
    pids: set[int] = field(default_factory=set)
    """The process of its program, while there is one."""
    _client: Client | None = None
    _task: asyncio.Task[None] | None = None
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _starting: anyio.CancelScope | None = None
    """Breaks off a start that is under way."""
    _unwanted: bool = False
    """Whether that was done."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _heard: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    _lines: int = 0

    @property
    def on(self) -> bool:
        """Whether the server is connected; may be asked on any thread."""
        return self._client is not None

    async def connect(self) -> Client:
        """Return the client; starts the server if it is not connected. `BackendError` says why that failed."""
        async with self._lock:
            if self._client is None:
                if self._task is not None:
                    await asyncio.wait([self._task])
                self._closing, self._lines, self._unwanted = asyncio.Event(), 0, False
                self._heard.clear()
                ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._serve(ready, self._closing))
                await asyncio.wait([ready])
                if self._client is None:
                    self.error = str(ready.exception() or "it has ended")
                    raise BackendError(f"The server {self.server.name} cannot be used: {self.error}")
                self.error = ""
            return self._client

    async def call(self, tool: RemoteTool, arguments: Mapping[str, Any], seconds: float) -> str:
        """Return what a tool answers, as text; `BackendError` if it fails or takes too long."""
        from mcp.shared.exceptions import MCPError
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        client = await self.connect()
        name = self.server.name
        try:
            result = await client.call_tool(tool.origin, dict(arguments), read_timeout_seconds=seconds)
        except MCPError as error:
            if error.code == REQUEST_TIMEOUT:
                await self.close()
                raise BackendError(
                    f"The server {name} has not answered for {seconds:g} seconds, and was ended.",
                    "It starts anew at the next call.",
                ) from None
            if error.code == CONNECTION_CLOSED:
                await self.close()
                raise BackendError(
                    f"The server {name} has ended during the call.{self._last()}",
                    "It starts anew at the next call.",
                ) from None
            raise BackendError(f"The server {name} refuses: {one_line(error.message, 300)}") from None
        except (ValueError, RuntimeError) as error:
            raise BackendError(
                f"The server {name} has not given a result: {one_line(str(error), 300)}"
            ) from None
        text = _text(result)
        if result.is_error:
            raise BackendError(f"The server {name} says: {one_line(text, 2_000) or 'it has failed.'}")
        return text

    async def close(self) -> None:
        """End the connection, and the server's program."""
        self._closing.set()
        if self._client is None and self._starting is not None:
            self._unwanted = True
            self._starting.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _serve(self, ready: asyncio.Future[None], closing: asyncio.Event) -> None:
        """Hold the connection from its beginning to its end, since both have to be in one task."""
        try:
            from mcp.client import Client
            from mcp_types import Implementation

            with anyio.move_on_after(math.inf) as limit:
                self._starting = limit
                limit.deadline = anyio.current_time() + START_S
                carrier = wire.transport(self.server, self._hear, closing, self.pids)
                me = Implementation(name="airochat", version="1")
                async with Client(carrier, cache=None, client_info=me) as client:
                    self.tools = await self._list(client)
                    limit.deadline = math.inf
                    # A result is text for the model, whatever schema the server gives for it; to check that would run
                    # its regular expressions here.
                    client.session.validate_tool_result = _unchecked  # type: ignore[method-assign]
                    self._client, self._starting = client, None
                    ready.set_result(None)
                    await closing.wait()
                    self._client = None
            if not ready.done():
                early = "it was ended before it had told its tools."
                late = f"it has not told its tools for {START_S:g} seconds."
                raise BackendError(early if self._unwanted else late)
        except BaseException as error:
            reason = _reason(error)
            if not ready.done():
                ready.set_exception(BackendError(reason + self._last()))
                ready.exception()  # it may be that nobody asks
            else:
                self.log.info("The server %s has ended: %s", self.server.name, reason)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._client = self._starting = None

    async def _list(self, client: Client) -> tuple[RemoteTool, ...]:
        found: dict[str, RemoteTool] = {}
        cursor: str | None = None
        for _ in range(MOST_TOOLS):
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                made = _offered(self.server.name, tool)
                if len(found) < MOST_TOOLS and len(tool.name) <= _LONGEST_NAME:
                    found.setdefault(made.name, made)
            cursor = page.next_cursor
            if not cursor or len(found) >= MOST_TOOLS:
                break
        return tuple(found.values())

    def _hear(self, line: str) -> None:
        self._lines += 1
        if text := one_line(line, 500):
            self._heard.append(text)
            if self._lines <= _MOST_LINES:
                self.log.info("%s: %s", self.server.name, text)

    def _last(self) -> str:
        return f" Its last words: {one_line(self._heard[-1], 200).rstrip('.')}." if self._heard else ""


async def _unchecked(name: str, result: Any) -> None:
    """Take a result as it is."""


def _offered(server: str, tool: Any) -> RemoteTool:
    stem = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_-.") else "_" for letter in tool.name
    )
    description = schemas.described(tool.description or tool.title or "")
    return RemoteTool(f"{server}.{stem}"[:64], tool.name, description, schemas.tidy(tool.input_schema))


def _text(result: Any) -> str:
    """Return the parts of a result as one text; pictures and the like are named."""
    parts: list[str] = []
    size = 0
    for part in result.content:
        text = clean(_part(part)[:LONGEST_TEXT])
        parts.append(text)
        size += len(text)
        if size > LONGEST_TEXT:
            break
    if not parts and result.structured_content is not None:
        import json

        parts.append(clean(json.dumps(result.structured_content, ensure_ascii=False)[:LONGEST_TEXT]))
    return "\n".join(parts)[: LONGEST_TEXT + 1]


def _part(part: Any) -> str:
    match part.type:
        case "text":
            return str(part.text)
        case "image" | "audio":
            return f"[{part.type}: {one_line(part.mime_type, 40)}, {len(part.data) * 3 // 4:,} bytes]"
        case "resource":
            text = getattr(part.resource, "text", None)
            return str(text) if text is not None else f"[file: {one_line(str(part.resource.uri), 200)}]"
        case "resource_link":
            return f"[link: {one_line(part.name, 100)}, {one_line(str(part.uri), 200)}]"
    return f"[{one_line(str(part.type), 40)}]"


def _reason(error: BaseException) -> str:
    """Return why something failed in one sentence; of several reasons the first."""
    seen = 0
    while (inner := getattr(error, "exceptions", None)) and seen < 10:
        error, seen = inner[0], seen + 1
    if isinstance(error, AirochatError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("mcp"):
        return "the package mcp is missing. `pip install airochat[mcp]` installs it."
    told = one_line(str(error), 300) or type(error).__name__
    return told if told.endswith((".", "!", "?")) else f"{told}."
