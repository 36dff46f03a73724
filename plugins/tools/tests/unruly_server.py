"""A server of the Model Context Protocol that misbehaves on request, for the tests; run as a program."""

from __future__ import annotations

import os
import sys
import threading
from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ImageContent, TextContent

server = MCPServer("unruly")


@server.tool()
def echo(text: str, times: int = 1) -> str:
    """Says\x1b[2J it back."""
    return text * times


@server.tool()
def paint(colour: Literal["red", "green"], alpha: float | None = None) -> list[TextContent | ImageContent]:
    """Paints."""
    return [
        TextContent(type="text", text=f"{colour} paint"),
        ImageContent(type="image", data="AAAA", mime_type="image/png"),
    ]


@server.tool()
def die(code: int = 3) -> str:
    """Ends the program."""
    print("I am\x1b[31m going down", file=sys.stderr, flush=True)
    os._exit(code)


@server.tool()
def flood(megabytes: int) -> str:
    """Returns very much."""
    return "x" * (megabytes * 1024 * 1024)


@server.tool()
def block() -> str:
    """Never returns."""
    threading.Event().wait()
    return "never"


@server.tool()
def refuse() -> str:
    """Fails."""
    raise ToolError("no such luck")


@server.tool()
def pid() -> str:
    """Tells its process."""
    return str(os.getpid())


if __name__ == "__main__":
    if sys.argv[1:] == ["http"]:
        import asyncio
        import socket

        import uvicorn

        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        app = server.streamable_http_app()
        asyncio.run(uvicorn.Server(uvicorn.Config(app, log_level="error")).serve([listening]))
    else:
        server.run()
