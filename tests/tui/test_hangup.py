"""A terminal that goes away ends the program, and what was written is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airochat.store import Store
from airochat.tui.hangup import STATUS


def test_the_program_ends_when_its_terminal_is_gone(tmp_path: Path) -> None:
    keyboard, terminal = os.openpty()
    program = [sys.executable, "-m", "airochat", "--home", str(tmp_path), "--model", "scripted"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    # Not the controlling terminal of the new session, so that no signal comes to the program's help.
    process = subprocess.Popen(
        program, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, env=environment
    )
    os.close(terminal)
    shown = b""
    while b"enter" not in shown:
        shown += os.read(keyboard, 65536)
    os.write(keyboard, b"Hello\r")
    while b"You" not in shown:
        shown += os.read(keyboard, 65536)
    os.close(keyboard)
    assert process.wait(60) == STATUS
    store = Store(tmp_path / "airochat.db")
    assert "Hello" in [message.text for row in store.sessions() for message in store.messages(row.id)]
    store.close()
