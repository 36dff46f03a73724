"""How messages reach a server: through the pipes of a program that is started for it, or by HTTP.

Both limit how large a message may be. Imports what belongs to MCP only when a server is used.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from airochat.errors import BackendError

from .servers import Server

if TYPE_CHECKING:
    from mcp.client import Transport

MAX_MESSAGE = 32 * 1024 * 1024
"""The largest message that a server may send, in bytes."""
_GRACE_S = 1.0
"""How long a program has to end by itself, and then after a signal."""
_POLL_S = 0.01


def transport(server: Server, heard: Callable[[str], None], gone: asyncio.Event, pids: set[int]) -> Transport:
    """Return what a client reads from and writes to.

    ``heard`` gets each line that the program writes to its error output, ``gone`` is set when it has ended, and
    ``pids`` holds its process while it runs.
    """
    made: AbstractAsyncContextManager[Any] = (
        _http(server) if server.url else _pipes(server, heard, gone, pids)
    )
    return made


@asynccontextmanager
async def _http(server: Server) -> AsyncIterator[Any]:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    class Limited(httpx2.AsyncByteStream):
        """A body that fails when it gets too large."""

        def __init__(self, body: Any) -> None:
            self._body = body

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._body:
                size += len(part)
                if size > MAX_MESSAGE:
                    raise httpx2.ReadError("the answer is too large")
                yield part

        async def aclose(self) -> None:
            await self._body.aclose()

    class Careful(httpx2.AsyncHTTPTransport):
        """Refuses answers that are packed, since a small one may unpack to a huge one."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await super().handle_async_request(request)
            if response.headers.get("content-encoding", "identity") != "identity":
                await response.aclose()
                raise httpx2.ReadError("the answer is packed")
            if "event-stream" not in response.headers.get("content-type", ""):
                response.stream = Limited(response.stream)
            return response

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx2.AsyncClient(
                headers={**server.headers, "Accept-Encoding": "identity"},
                timeout=httpx2.Timeout(30, read=300),
                transport=Careful(),
            )
        )
        yield await stack.enter_async_context(
            streamable_http_client(server.url, http_client=client, max_sse_event_size=MAX_MESSAGE)
        )


@asynccontextmanager
async def _pipes(
    server: Server, heard: Callable[[str], None], gone: asyncio.Event, pids: set[int]
) -> AsyncIterator[Any]:
    from mcp.shared.message import SessionMessage

    # A program that has been started must be known, whatever happens meanwhile, so that it can be ended.
    with anyio.CancelScope(shield=True):
        process = await _start(server)
        pids.add(process.pid)
    to_us, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read, process, to_us, heard, gone)
            tasks.start_soon(_write, process, from_us)
            tasks.start_soon(_listen, process, heard)
            try:
                yield incoming, outgoing
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)
                tasks.cancel_scope.cancel()
    finally:
        for stream in (to_us, incoming, outgoing, from_us):
            stream.close()
        pids.discard(process.pid)


async def _start(server: Server) -> asyncio.subprocess.Process:
    from mcp.client.stdio import get_default_environment

    env = {**get_default_environment(), **server.env}
    command = shutil.which(server.command, path=env.get("PATH"))
    if command is None:
        raise BackendError(
            f"There is no program {server.command!r} for the server {server.name}.",
            "Install it, or give its path.",
        )
    try:
        return await asyncio.create_subprocess_exec(
            command,
            *server.args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_MESSAGE,
            env=env,
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        raise BackendError(f"{server.command} cannot be started: {error.strerror}.") from None


async def _read(
    process: asyncio.subprocess.Process, sink: Any, heard: Callable[[str], None], gone: asyncio.Event
) -> None:
    """Pass on what the program writes, a message a line, until it ends or writes a line that is too long."""
    import mcp_types
    from mcp.shared.message import SessionMessage

    assert process.stdout is not None
    try:
        async with sink:
            while line := await process.stdout.readline():
                try:
                    message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    heard(f"(not a message) {line[:200].decode('utf-8', 'replace')}")
                    continue
                await sink.send(SessionMessage(message))
                del line, message  # they may be large, and the next ones may take long to come
    except ValueError:
        heard(f"A message was longer than {MAX_MESSAGE // 1024**2} MB.")
    except (anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError):
        pass
    finally:
        gone.set()


async def _write(process: asyncio.subprocess.Process, source: Any) -> None:
    assert process.stdin is not None
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError, OSError):
        async with source:
            async for said in source:
                data = said.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(data.encode("utf-8") + b"\n")
                await process.stdin.drain()


async def _listen(process: asyncio.subprocess.Process, heard: Callable[[str], None]) -> None:
    """Pass on what the program says to people; in pieces, since it may say anything."""
    assert process.stderr is not None
    rest = b""
    while part := await process.stderr.read(4096):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            heard(line[:500].decode("utf-8", "replace"))
        rest = rest[:4096]
    if rest:
        heard(rest[:500].decode("utf-8", "replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let a program end, and make it if it does not: with all that it has started."""
    if process.stdin is not None:
        with suppress(OSError, RuntimeError):
            process.stdin.close()
    try:
        for force in (False, True, True):
            if await _ended(process):
                break
            end_tree(process.pid, kill=force)
    finally:
        # Also if airochat ends meanwhile and does not wait.
        if sys.platform != "win32":
            # Also where it has ended by itself, since what it has started may go on.
            end_tree(process.pid, kill=True)
        # Closes the pipes too, which something that the program has started may hold open.
        with suppress(AttributeError, OSError):
            process._transport.close()  # type: ignore[attr-defined]


async def _ended(process: asyncio.subprocess.Process) -> bool:
    # Not wait(), which also waits for whoever has the pipes.
    for _ in range(int(_GRACE_S / _POLL_S)):
        if process.returncode is not None:
            return True
        await asyncio.sleep(_POLL_S)
    return False


def end_tree(pid: int, *, kill: bool) -> None:
    """Tell a program that was started here, and those that it has started, to end; or ``kill`` them."""
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL if kill else signal.SIGTERM)
