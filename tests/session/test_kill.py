"""Nothing a person or the model wrote is lost when the program is killed at any moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airochat.conversation import Message
from airochat.store import Store

DRIVER = Path(__file__).with_name("kill_driver.py")
SLACK = 3.0
"""Seconds: a reply is saved every second; the rest is for a busy machine."""


class Run:
    """One life of the driver, and all that it said."""

    def __init__(self, home: Path, model: Path) -> None:
        self.lines: list[str] = []
        self.first_text = threading.Event()
        command = [sys.executable, str(DRIVER), str(home), str(model)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # the kill came in the middle of this line
            self.lines.append(line)
            if line.startswith("text"):
                self.first_text.set()

    def kill(self) -> float:
        moment = time.monotonic()
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return moment


def _stored(home: Path) -> dict[str, Message]:
    store = Store(home / "airochat.db")
    try:
        return {message.id: message for row in store.sessions() for message in store.messages(row.id)}
    finally:
        store.close()


def _check(run: Run, killed: float, stored: dict[str, Message]) -> int:
    written: dict[str, int] = {}
    for line in run.lines:
        kind, message_id, *rest = line.split(maxsplit=2)
        if kind == "sent":
            assert stored[message_id].role == "user"
        elif kind == "done":
            assert stored[message_id].text == json.loads(rest[0])
            assert stored[message_id].state in {"finished", "stopped"}
        else:
            moment, length = rest[0].split()
            if float(moment) < killed - SLACK:
                written[message_id] = int(length)
    assert all(len(stored[message_id].text) >= length for message_id, length in written.items())
    return sum(message.state == "running" for message in stored.values())


def _kill_often(home: Path, model: Path, times: int) -> int:
    dice = random.Random(7)
    partial = 0
    for number in range(times):
        run = Run(home, model)
        if number % 5:
            assert run.first_text.wait(240)
        threading.Event().wait(dice.uniform(0.0, 4.0))
        killed = run.kill()
        if (home / "airochat.db").exists():
            partial = _check(run, killed, _stored(home))
    return partial


def test_killed_twice(tmp_path: Path, demo_model: Path) -> None:
    _kill_often(tmp_path, demo_model, 2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_thirty_times(tmp_path: Path, demo_model: Path) -> None:
    partial = _kill_often(tmp_path, demo_model, 30)
    assert partial > 0
