"""Opening a long chat in a new process: the time to the first token of its next turn, with and without a saved cache.

A chat of about 1,800 tokens is written and closed; closing saves the cache of the conversation on the disk. Then the
program is started anew, several times with the saved cache and as often with `cache_disk = 0`, in turn, each time from
an equal copy of the data folder, and says the same with the same seed. Time runs from `send` to the first text, so that
it has the prompt's assembly, the reading of the file and what is evaluated in it; loading the model is left out on both
sides. The engine runs in a thread of that process, so that its processor time has everything.

The file was written moments before, so it is read from the system's own cache of files.

    python benchmarks/reopen.py [--quick] [--tokens 1800] [--rounds 3] [--flash-attn auto] [--model FILE]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import airochat
from airochat.session import SessionManager
from airochat.session.events import TextAdded
from benchmarks._common import PATIENCE, SYSTEM, done, message, middle, model_path, parser, ratios, say, table

NEXT = "I lift the lantern and look down the north stairs. What do I see?"


def opened(home: Path, model: str, engine: dict[str, Any], **more: Any) -> SessionManager:
    settings = {
        "n_ctx": 2048,
        "ignore_eos": True,
        "read_ahead": False,
        "engine": "thread",
        **engine,
    }
    return airochat.open(home, model, {**settings, **more})


def write_chat(home: Path, model: str, engine: dict[str, Any], tokens: int) -> str:
    """Write a chat of so many tokens, close it, and return its id."""
    with opened(home, model, engine) as manager:
        session = manager.new(system=SYSTEM)
        size, number = 0, 0
        while size < tokens - 40:
            number += 1
            sentences = min(8, max(2, (tokens - size) // 25))
            turn = done(session.send(message(number, sentences), seed=number, max_tokens=16))
            size = turn.usage.prompt + turn.usage.generated
        return session.id


def next_turn(home: Path, model: str, engine: dict[str, Any], chat: str, disk: int) -> dict[str, float]:
    """Open the chat, say something, and tell when the first text came and what was evaluated for it."""
    with opened(home, model, engine, cache_disk=disk) as manager:
        manager.start()
        manager.wait_for_model(PATIENCE)
        session = manager.load(chat)
        began, spent = time.perf_counter(), time.process_time()
        turn = session.send(NEXT, seed=1, max_tokens=8)
        if not any(isinstance(event, TextAdded) for event in turn):
            raise SystemExit(f"No reply was written: {turn.error or turn.reason}")
        wall, processor = time.perf_counter() - began, time.process_time() - spent
        used = done(turn).usage
    return {
        "wall": wall,
        "processor": processor,
        "prompt": used.prompt,
        "evaluated": used.evaluated,
        "restored": used.restored,
    }


def in_new_process(home: Path, model: str, engine: dict[str, Any], chat: str, disk: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        copy = Path(folder) / "home"
        shutil.copytree(home, copy)
        command = [sys.executable, __file__, "--turn", str(copy), chat, str(disk)]
        command += ["--model", model, "--threads", str(engine["n_threads"])]
        command += ["--flash-attn", engine["flash_attn"]]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def main() -> None:
    arguments = parser(__doc__, "a chat of 400 tokens, one round")
    arguments.add_argument("--tokens", type=int, default=1800)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument(
        "--turn", nargs=3, metavar=("HOME", "CHAT", "MIB"), help="what each new process does"
    )
    given = arguments.parse_args()
    model = str(model_path(given.model))
    engine = {"n_threads": given.threads, "flash_attn": given.flash_attn}
    if given.turn:
        home, chat, disk = given.turn
        print(json.dumps(next_turn(Path(home), model, engine, chat, int(disk))))
        return
    if given.quick:
        given.tokens, given.rounds = 400, 1
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        home = Path(folder)
        chat = write_chat(home, model, engine, given.tokens)
        size = sum(one.stat().st_size for one in home.rglob("*.kv"))
        arms: dict[str, list[dict[str, float]]] = {"saved cache": [], "cache_disk = 0": []}
        for _ in range(given.rounds):
            arms["saved cache"].append(in_new_process(home, model, engine, chat, 2048))
            arms["cache_disk = 0"].append(in_new_process(home, model, engine, chat, 0))
    print(
        f"Model {Path(model).name}, flash_attn = {given.flash_attn}; the saved cache has {size / 1e6:.1f} MB.\n"
    )
    head = ["next turn in a new process", "prompt", "from the disk", "evaluated"]
    head += ["first text, ms", "processor, ms"]
    rows: list[list[object]] = []
    for name, runs in arms.items():
        counted = [f"{runs[-1][key]:,}" for key in ("prompt", "restored", "evaluated")]
        times = [middle([run[key] * 1000 for run in runs], 0) for key in ("wall", "processor")]
        rows.append([name, *counted, *times])
    table(head, rows)
    warm, cold = arms.values()
    by = {
        key: ratios([run[key] for run in warm], [run[key] for run in cold]) for key in ("wall", "processor")
    }
    say(
        f"With the saved cache : without it: {by['wall']} of the wall time, {by['processor']} of the processor time."
    )


if __name__ == "__main__":
    main()
