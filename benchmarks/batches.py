"""What a batch of few tokens costs behind a long prompt, with flash attention and without it.

After a prompt of 1,750 tokens is read, batches of different sizes are computed behind it and taken away again, in one
engine with `flash_attn` on and one with it off, each size three times; the least processor time counts, since nothing
but other programs makes it longer. New tokens of a turn are such batches, and a reply is one of single tokens.

    python benchmarks/batches.py [--quick] [--tokens 1750] [--model FILE]
"""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from pathlib import Path

from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.engine import Engine
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.model import Model
from airochat.settings import EngineOptions
from benchmarks._common import model_path, parser, ratio, table

SIZES = (1, 8, 28, 63, 64, 128)
PIECE = 256


def costs(path: Path, threads: int, flash_attn: str, size: int) -> dict[int, float]:
    """Return milliseconds of processor time for a batch of each size behind ``size`` tokens."""
    stop, log = StopFlag(), EngineLog(os.open(os.devnull, os.O_WRONLY))
    options = EngineOptions(n_ctx=2048, n_threads=threads, flash_attn=flash_attn)
    model = Model(path, options, log, stop, lambda _fraction, _stage: True)
    with closing(Engine(model, stop)) as engine:
        tokens = random.Random(1).choices(range(1000, 30_000), k=size + max(SIZES))
        cache = engine._cache
        for start in range(0, size, PIECE):
            cache.evaluate(tokens[start : min(size, start + PIECE)])
        return {
            count: min(timed(engine, tokens[size : size + count], size) for _ in range(3)) for count in SIZES
        }


def timed(engine: Engine, tokens: list[int], behind: int) -> float:
    before = time.process_time()
    engine._cache.evaluate(tokens)
    spent = time.process_time() - before
    engine._cache.cut(behind)
    return spent * 1000


def main() -> None:
    arguments = parser(__doc__, "behind 300 tokens")
    arguments.add_argument("--tokens", type=int, default=1750)
    given = arguments.parse_args()
    path = model_path(given.model)
    size = 300 if given.quick else given.tokens
    on, off = (costs(path, given.threads, flash_attn, size) for flash_attn in ("on", "off"))
    print(f"Model {path.name}, behind {size} tokens, processor time.\n")
    rows = [[count, f"{on[count]:.0f}", f"{off[count]:.0f}", ratio(off[count], on[count])] for count in SIZES]
    table(["tokens in the batch", "flash_attn on, ms", "off, ms", "off : on"], rows, 0)


if __name__ == "__main__":
    main()
