"""All connections to servers, on one thread of their own; what the rest of the plugin talks to."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
import threading
import time
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from airochat.errors import AirochatError, BackendError
from airochat.hooks import ChatContext
from airochat.hooks.tools import Tool, ToolCall
from airochat.text import one_line

from . import servers, wire
from .link import START_S, Link, RemoteTool
from .servers import Server

LISTS = "lists"
"""Where the tools of each server are kept, so that they can be offered before it has started."""
PATIENCE_S = 3.0
"""How long a prompt waits for servers that have never told their tools."""
_END_S = 4.0
"""How long servers may take to end; less than a hook may."""
_Result = TypeVar("_Result")


class Hub:
    """The servers of one program; methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._links: dict[str, Link] = {}
        self._ending: list[Link] = []
        """Connections that were given up, and may take a while to end."""
        self._users: dict[str, set[str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def tools(self, context: ChatContext) -> list[Tool]:
        """Return the tools of all servers that are on; starts those that are not yet, without waiting for long."""
        known = servers.load(context.folder)
        links = [self.link(context, server) for server in known.values() if server.enabled]
        until = time.monotonic() + PATIENCE_S
        found: list[Tool] = []
        for link, starting in [(link, self._begin(link)) for link in links]:
            listed = link.tools if link.tools is not None else self._kept(context, link.server)
            if listed is None and starting is not None:
                concurrent.futures.wait([starting], max(0.0, until - time.monotonic()))
                listed = link.tools
            if link.tools is not None:
                self._keep(context, link)
            found += (self._tool(context, link, tool) for tool in listed or ())
        return found

    def start(self, context: ChatContext, wanted: Iterable[Server]) -> list[str]:
        """Start servers side by side, and return what went wrong in a sentence each."""
        links = [self.link(context, server) for server in wanted]
        starting = [asyncio.run_coroutine_threadsafe(_tried(link), self._running()) for link in links]
        concurrent.futures.wait(starting, START_S + 10)
        for link in links:
            if link.tools is not None:
                self._keep(context, link)
        return [f"The server {link.server.name} cannot be used: {link.error}" for link in links if link.error]

    def link(self, context: ChatContext, server: Server) -> Link:
        """Return the connection to a server for a chat; nothing is started yet."""
        with self._lock:
            link = self._links.get(server.name)
            if link is None or link.server != server:
                if link is not None and self._loop is not None:
                    # Not waited for: a prompt is, and the lock is held.
                    asyncio.run_coroutine_threadsafe(link.close(), self._loop)
                    self._ending = [*(one for one in self._ending if one.pids), link]
                link = self._links[server.name] = Link(server, context.log)
            self._users.setdefault(server.name, set()).add(context.session_id)
            return link

    def state(self, server: Server) -> str:
        """Return how it stands with a server, in words."""
        link = self._links.get(server.name)
        if not server.enabled:
            return "off"
        if link is None:
            return "not started"
        return "connected" if link.on else link.error or "not started"

    def stop(self, *names: str) -> None:
        """End the programs of servers and forget the connections."""
        with self._lock:
            links = [self._links.pop(name) for name in names if name in self._links]
            for name in names:
                self._users.pop(name, None)
        self._drop(*links)

    def leave(self, session_id: str) -> None:
        """End the servers that only this chat has used."""
        with self._lock:
            for users in self._users.values():
                users.discard(session_id)
            idle = [name for name, users in self._users.items() if not users]
        self.stop(*idle)

    def close(self) -> None:
        """End all servers, and the thread; done by itself when the program ends."""
        with self._lock:
            links, self._links, loop, thread = list(self._links.values()), {}, self._loop, self._thread
            self._users.clear()
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        ending = [asyncio.run_coroutine_threadsafe(link.close(), loop) for link in links]
        concurrent.futures.wait(ending, _END_S)
        for link in (*links, *self._ending):
            for pid in tuple(link.pids):
                wire.end_tree(pid, kill=True)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_END_S)
        atexit.unregister(self.close)

    # -- inside -------------------------------------------------------------------------------------------------

    def _tool(self, context: ChatContext, link: Link, tool: RemoteTool) -> Tool:
        seconds = float(context.settings["seconds"])
        return Tool(
            tool.name,
            tool.description,
            tool.parameters,
            partial(self._call, link, tool, seconds),
            "ask",
            # Room for the start and for the end of the server, so that the reason is told and not just that it is over.
            seconds + START_S + 10,
            f"{one_line(tool.origin, 48)} of the server {link.server.name}",
            f"{link.server.identity} {tool.origin}",
        )

    def _call(
        self, link: Link, tool: RemoteTool, seconds: float, context: ChatContext, call: ToolCall
    ) -> str:
        server = link.server
        if servers.load(context.folder).get(server.name) != server:
            raise BackendError(
                f"The server {server.name} was removed or changed.", "`/tools` lists what there is."
            )
        # The link may have been given up since, for instance since another chat was closed.
        link = self.link(context, server)
        return self._run(link.call(tool, call.arguments, seconds), seconds + START_S + 8)

    def _begin(self, link: Link) -> concurrent.futures.Future[Any] | None:
        """Start a server that has not been tried yet; None if there is nothing to wait for."""
        if link.on or link.error or link.tools is not None:
            return None
        return asyncio.run_coroutine_threadsafe(_tried(link), self._running())

    def _run(self, work: Coroutine[Any, Any, _Result], seconds: float) -> _Result:
        waiting = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return waiting.result(seconds)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            waiting.cancel()
            raise BackendError(
                "The server does not answer.", "`/tools server list` tells how it stands."
            ) from None

    def _drop(self, *links: Link) -> None:
        """Let servers end, all at the same time."""
        loop = self._loop
        if loop is not None:
            self._ending = [*(one for one in self._ending if one.pids), *links]
            ending = [asyncio.run_coroutine_threadsafe(link.close(), loop) for link in links]
            concurrent.futures.wait(ending, _END_S)

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the loop, and start its thread with the first server."""
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_forever, args=(loop,), name="airochat-servers", daemon=True
                )
                self._thread.start()
                atexit.register(self.close)
                _quiet()
            return self._loop

    def _keep(self, context: ChatContext, link: Link) -> None:
        """Keep what a server offers for the next time."""
        kept = context.storage("global")
        listed = [
            {
                "name": tool.name,
                "origin": tool.origin,
                "description": tool.description,
                "parameters": tool.parameters,
            }
            for tool in link.tools or ()
        ]
        lists = dict(kept.get(LISTS) or {})
        entry = {"server": link.server.told, "tools": listed}
        if lists.get(link.server.name) != entry:
            kept[LISTS] = {**lists, link.server.name: entry}

    def _kept(self, context: ChatContext, server: Server) -> tuple[RemoteTool, ...] | None:
        entry = (context.storage("global").get(LISTS) or {}).get(server.name)
        if not isinstance(entry, Mapping) or entry.get("server") != server.told:
            return None
        return tuple(RemoteTool(**tool) for tool in entry["tools"])


async def _tried(link: Link) -> None:
    try:
        await link.connect()
    except AirochatError as error:
        link.log.warning("%s", error)


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # Pipes that were closed learn of it in the next rounds of the loop.
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


class _Forward(logging.Handler):
    """Passes what the library says to airochat's log, since by itself it would write over the screen."""

    def emit(self, record: logging.LogRecord) -> None:
        log = logging.getLogger("airochat.plugin.tools")
        log.log(min(record.levelno, logging.INFO), "%s", one_line(record.getMessage(), 500))


def _quiet() -> None:
    log = logging.getLogger("mcp")
    if not any(isinstance(handler, _Forward) for handler in log.handlers):
        log.addHandler(_Forward())
        log.propagate = False
