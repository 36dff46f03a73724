"""A real IPython kernel in a process of its own, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

Message = dict[str, Any]


class Kernel:
    """A running kernel that executes cells and keeps what they output."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def run(self, code: str, watch: Callable[[Message], None] | None = None) -> list[Message]:
        """Execute a cell and return its messages; ``watch`` sees each one when it comes."""
        request = self._client.execute(code)
        found: list[Message] = []
        while True:
            message = self._client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != request:
                continue
            found.append(message)
            if watch:
                watch(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return found

    def interrupt(self) -> None:
        """Press the interrupt button."""
        self._manager.interrupt_kernel()

    def value(self, expression: str) -> str:
        """Return what an expression prints."""
        return "".join(
            message["content"]["text"]
            for message in self.run(f"print({expression})")
            if message["msg_type"] == "stream"
        ).strip()


@contextmanager
def running_kernel() -> Iterator[Kernel]:
    """Start a kernel and shut it down afterwards."""
    manager, client = start_new_kernel()
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def texts(messages: list[Message]) -> list[str]:
    """Return the plain texts that a cell displayed, repaints included, in order."""
    kinds = ("display_data", "update_display_data", "execute_result")
    return [one["content"]["data"].get("text/plain", "") for one in messages if one["msg_type"] in kinds]


def errors(messages: list[Message]) -> list[Message]:
    """Return the contents of the errors that a cell ended with."""
    return [one["content"] for one in messages if one["msg_type"] == "error"]
