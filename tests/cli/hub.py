"""A server on loopback that speaks as much of the hub's protocol as a download needs, and can fail in its ways."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Script:
    """What the server has, and how it fails."""

    repos: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    """By path: what is sent in place of a file that the API tells of; what the API says of it stays."""
    sizes: dict[str, int] = field(default_factory=dict)
    """By path: what the API says in place of the size."""
    in_git: set[str] = field(default_factory=set)
    """Paths of files that are kept in git, without Git LFS."""
    bare: bool = False
    """The API tells names alone, as some mirrors do."""
    cuts: list[int] = field(default_factory=list)
    """For one download after the other: after how many bytes the connection breaks."""
    hold: int | None = None
    """After how many bytes a download stalls, until the server is closed."""
    errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By beginning of the path: a status and the hub's own code for the error."""
    ranges: bool = True
    storage: str = ""
    """The address of another server that has the files themselves; the hub has one."""
    tokens: dict[str, str] = field(default_factory=dict)
    """By path: the last token that came with a request."""
    page: bytes | None = None
    """What answers in place of the API."""
    log: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each request."""

    def downloads(self) -> list[str]:
        """Return the ranges that were asked for, one for each download; empty ones are whole files."""
        return [bytes_ for method, path, bytes_ in self.log if method == "GET" and path.startswith("/cdn/")]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # whoever asked may be killed by a test
            super().handle_error(*_)


class HubServer:
    """The server and its script."""

    def __init__(self) -> None:
        self.script = Script()
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"script": self.script, "closing": self.closing})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop, and answer nothing more."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    script: Script
    closing: threading.Event
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.script.tokens[path] = self.headers.get("Authorization", "")
        self.script.log.append((self.command, path, self.headers.get("Range", "")))
        for start, (status, code) in self.script.errors.items():
            if path.startswith(start):
                self._answer(status, b"{}", {"X-Error-Code": code} if code else {})
                return
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._info(match[1])
        elif match := re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{REVISION}/(.+)", path):
            self._resolve(match[1], match[2])
        elif match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
            self._send(match[2], self.script.repos[match[1]][match[2]])
        else:
            self._answer(404, b"{}", {})

    def _info(self, repo: str) -> None:
        files = self.script.repos.get(repo)
        if self.script.page is not None:
            self._answer(200, self.script.page, {"Content-Type": "text/html"})
        elif files is None:
            # So the hub answers whoever has not logged in: there may be a private one.
            self._answer(401, b'{"error": "Invalid username or password."}', {"X-Error-Code": "RepoNotFound"})
        else:
            siblings = [self._sibling(path, data) for path, data in files.items()]
            info = {"id": repo, "sha": REVISION, "siblings": siblings}
            self._answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _sibling(self, path: str, data: bytes) -> dict[str, Any]:
        if self.script.bare:
            return {"rfilename": path}
        if path in self.script.in_git:
            return {"rfilename": path, "size": len(data), "blobId": git_id(data)}
        lfs = {"size": self.script.sizes.get(path, len(data)), "sha256": sha256(data), "pointerSize": 134}
        return {"rfilename": path, "size": len(data), "blobId": "0" * 40, "lfs": lfs}

    def _resolve(self, repo: str, path: str) -> None:
        data = self.script.repos.get(repo, {}).get(path)
        if data is None:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {
            "Location": self.script.storage + quote(f"/cdn/{repo}/{path}"),
            "X-Repo-Commit": REVISION,
            "X-Linked-Size": str(len(data)),
            "X-Linked-Etag": f'"{sha256(data)}"',
        }
        self._answer(302, b"", headers)

    def _send(self, path: str, data: bytes) -> None:
        data = self.script.served.get(path, data)
        total = len(data)
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and self.script.ranges:
            start = int(match[1])
            headers = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
            self._answer(206, data[start:], headers)
        else:
            self._answer(200, data, {"ETag": f'"{sha256(data)}"'})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        is_file = urlsplit(self.path).path.startswith("/cdn/")
        if is_file and self.script.cuts:
            body = body[: self.script.cuts.pop(0)]
            self.close_connection = True
        if is_file and self.script.hold is not None:
            self.wfile.write(body[: self.script.hold])
            self.wfile.flush()
            self.closing.wait()
            return
        self.wfile.write(body)
