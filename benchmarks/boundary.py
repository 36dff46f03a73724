"""What it costs per token that the engine runs in a process of its own.

The same request is served by an engine in a process and by one in a thread of this process, in turn, both kept running;
end tokens are ignored, so that all replies have the same length. Compared are wall time per token, as the medians of
the ratios of neighbours, and the processor time of everything that takes part: this process, and the engine's (on
Linux). Both are noisy on a machine that does other things, and the boundary is small. So what it consists of is told
apart: the processor time of the thread here that reads the pipe, and that of packing an event and writing it into a
pipe, which is what the engine does for it. The sum is compared with the 10 ms that a token takes at 100 tokens per
second. The thread that takes the events out of a queue is there in both cases.

    python benchmarks/boundary.py [--quick] [--tokens 192] [--rounds 7] [--model FILE]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airochat.backends.base import Finished, Request, TextDelta
from airochat.backends.llama.client import LlamaBackend
from airochat.backends.llama.wire import Happened, write_frame
from airochat.sampling import Sampling
from airochat.settings import EngineOptions
from benchmarks._common import PATIENCE, cpu_s, middle, model_path, parser, ratios, table

PROMPT = "Once upon a time, in a village by the river, there lived a"
TOKEN_US = 10_000.0
"""What a token takes at 100 tokens per second."""


@dataclass
class Arm:
    """One engine, and what its rounds gave, in microseconds a token."""

    backend: LlamaBackend
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    """The processor time of the other threads of this process: with a process, the one that reads the pipe."""

    def take(self, number: int, count: int) -> None:
        """Let the engine write so many tokens."""
        tokenizer, pid = self.backend.tokenizer, self.backend.pid
        assert tokenizer is not None
        prompt = tuple(tokenizer.encode([PROMPT], [False])[0])
        sampling = Sampling(seed=number, max_tokens=count, ignore_eos=True)
        elsewhere = cpu_s(pid) if pid else 0.0
        here, mine, began = time.process_time(), time.thread_time(), 0.0
        for event in self.backend.generate(Request(f"{number}", prompt, sampling)):
            if isinstance(event, TextDelta) and not began:
                began = time.perf_counter()
            if isinstance(event, Finished):
                assert event.usage.generated == count, event
        seconds = time.perf_counter() - began
        here, mine = time.process_time() - here, time.thread_time() - mine
        elsewhere = cpu_s(pid) - elsewhere if pid else 0.0
        self.wall.append(seconds / (count - 1) * 1e6)
        self.reading.append((here - mine) / count * 1e6)
        self.processor.append((here + elsewhere) / count * 1e6)


@contextmanager
def arms(path: Path, threads: int, flash_attn: str, folder: Path) -> Iterator[list[Arm]]:
    made = []
    for engine in ("process", "thread"):
        options = EngineOptions(n_ctx=1024, n_threads=threads, flash_attn=flash_attn, engine=engine)
        backend = LlamaBackend(path, options, folder / f"{engine}.log")
        backend.wait(PATIENCE)
        made.append(Arm(backend))
    try:
        yield made
    finally:
        for arm in made:
            arm.backend.close()


def packing_us(rounds: int) -> float:
    """Return microseconds of processor time for one event that is packed and written into a pipe."""
    events = [Happened(7, TextDelta(f" word{number % 50}", 1)) for number in range(200)]
    found = []
    for _ in range(rounds):
        read, write = os.pipe()
        with open(read, "rb") as other, open(write, "wb") as pipe:
            before = time.process_time()
            for event in events:
                write_frame(pipe, event)
            found.append((time.process_time() - before) / len(events) * 1e6)
            pipe.flush()
            os.set_blocking(other.fileno(), False)
            other.read()
    return statistics.median(found)


def main() -> None:
    if not sys.platform.startswith("linux"):
        raise SystemExit("The processor time of another process can only be read on Linux.")
    arguments = parser(__doc__, "two rounds of 32 tokens")
    arguments.add_argument("--tokens", type=int, default=192)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    tokens, rounds = (32, 2) if given.quick else (given.tokens, given.rounds)
    path = model_path(given.model)
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        with arms(path, given.threads, given.flash_attn, Path(folder)) as both:
            process, thread = both
            for number in range(-1, rounds):
                for arm in both if number % 2 else both[::-1]:
                    arm.take(max(number, 0), tokens)
                if number < 0:  # the first round warms up
                    for arm in both:
                        arm.wall, arm.processor, arm.reading = [], [], []
        pack = packing_us(20)
    print(f"Model {path.name}, {tokens} tokens a round, {rounds} rounds, {given.threads} thread(s).\n")
    rows: list[list[object]] = [
        [
            "wall time, µs a token",
            middle(process.wall, 0),
            middle(thread.wall, 0),
            ratios(process.wall, thread.wall),
        ],
        [
            "processor time, µs a token",
            middle(process.processor, 0),
            middle(thread.processor, 0),
            ratios(process.processor, thread.processor),
        ],
    ]
    table(["medians", "in a process", "in a thread", "process : thread"], rows)
    reading = statistics.median(process.reading)
    rows = [
        ["reading the pipe here", f"{reading:.0f}", f"{reading / TOKEN_US:.2%}"],
        ["packing and writing in the engine", f"{pack:.0f}", f"{pack / TOKEN_US:.2%}"],
        ["both", f"{reading + pack:.0f}", f"{(reading + pack) / TOKEN_US:.2%}"],
    ]
    table(["processor time of the boundary", "µs a token", "of 10 ms"], rows)


if __name__ == "__main__":
    main()
