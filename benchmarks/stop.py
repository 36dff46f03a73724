"""Stop while a long prompt is being read: how soon the request has ended, counted in micro-batches.

Prompts of 1,500 tokens that have nothing in common are read in the engine's process and stopped at different moments,
somewhere between two reports of progress. Tokens evaluated after that are those that the ended request counts, less
those that the last report had told; a micro-batch (`n_ubatch`) is what llama.cpp computes without looking for anything
but the flag. The time is that from `stop` to the end of the request, also in micro-batches of the same prompt.

    python benchmarks/stop.py [--quick] [--rounds 8] [--model FILE]
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path

from airochat.backends.base import Finished, PromptProgress, Request
from airochat.backends.llama.client import LlamaBackend
from airochat.sampling import Sampling
from airochat.settings import EngineOptions
from benchmarks._common import PATIENCE, middle, model_path, parser, say, table

TOKENS = 1500


def stopped(
    backend: LlamaBackend, number: int, size: int, ubatch: int, wait: float
) -> tuple[int, float, float] | None:
    """Stop one prompt; return the tokens evaluated afterwards, the seconds until the end, and those of a micro-batch.

    None if the prompt was done before.
    """
    dice = random.Random(number)
    request = Request(f"stop-{number}", tuple(dice.choices(range(1000, 30_000), k=size)), Sampling(seed=1))
    known, times, asked = 0, [], 0.0
    reports = 2 + number % max(1, size // ubatch - 2)

    def stop() -> None:
        nonlocal asked
        asked = time.perf_counter()
        backend.stop(request.id)

    for event in backend.generate(request):
        if isinstance(event, PromptProgress):
            times.append(time.perf_counter())
            if not asked:
                known = event.done
            if len(times) == reports:
                threading.Timer(wait * dice.random(), stop).start()
        if isinstance(event, Finished):
            if event.reason != "user" or not asked or len(times) < 2:
                return None
            each = (times[-1] - times[0]) / max(len(times) - 1, 1)
            return event.usage.evaluated - known, time.perf_counter() - asked, each
    return None


def main() -> None:
    arguments = parser(__doc__, "two prompts")
    arguments.add_argument("--rounds", type=int, default=8)
    given = arguments.parse_args()
    path = model_path(given.model)
    options = EngineOptions(
        n_ctx=2048, n_threads=given.threads, flash_attn=given.flash_attn, kv_reuse="exact", cache_ram=0
    )
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        backend = LlamaBackend(path, options, Path(folder) / "engine.log")
        backend.wait(PATIENCE)
        ubatch = options.n_ubatch
        wait = ubatch / 300
        found = [
            stopped(backend, number, TOKENS, ubatch, wait)
            for number in range(2 if given.quick else given.rounds)
        ]
        backend.close()
    ends = [one for one in found if one is not None]
    if not ends:
        raise SystemExit("All prompts were read before they could be stopped.")
    print(f"Model {path.name}, prompts of {TOKENS} tokens, micro-batches of {ubatch}, {len(ends)} stops.\n")
    tokens = [tokens for tokens, _, _ in ends]
    head = ["after Stop", "median", "at most"]
    batches = [seconds / each for _, seconds, each in ends]
    millis = [seconds * 1000 for _, seconds, _ in ends]
    rows = [
        ["tokens evaluated", middle(tokens, 0), f"{max(tokens)}"],
        ["micro-batches evaluated", middle([one / ubatch for one in tokens]), f"{max(tokens) / ubatch:.2f}"],
        ["time until the end, in micro-batches", middle(batches), f"{max(batches):.2f}"],
        ["time until the end, ms", middle(millis, 0), f"{max(millis):.0f}"],
    ]
    table(head, rows)
    say("A micro-batch that was being computed is given up, so that mostly none is added.")


if __name__ == "__main__":
    main()
