"""Four replies to one prompt: in one request, in four that share the prompt, and in four that share nothing.

A prompt of 1,500 tokens gets four replies of equal length (end tokens are ignored) in one engine of this process:

- one request with `n = 4`: the prompt is read once, the first reply is written alone, then three side by side;
- four requests one after the other, each of which finds the prompt in the cache and reads its last token again;
- four requests before each of which the cache is emptied.

All have the same samplers and seeds, are run in turn in every round, and their times have all from the request to its
end. What the shared prompt brings is the ratio of the second to the third, what writing side by side brings that of
the first to the second. A last table has bare batches of llama.cpp behind the same prompt, with one, three and four
replies and the same samplers but nothing of airochat: what side by side can bring at best with this model and machine.

    python benchmarks/swipes.py [--quick] [--tokens 1500] [--reply 48] [--rounds 2] [--model FILE]
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from llama_cpp import llama_cpp as bindings

from airochat.backends.base import Finished, Request
from airochat.backends.llama.abort import StopFlag
from airochat.backends.llama.engine import Engine
from airochat.backends.llama.log import EngineLog
from airochat.backends.llama.model import Model
from airochat.backends.llama.sampler import Sampler
from airochat.sampling import Sampling
from airochat.settings import EngineOptions
from benchmarks._common import middle, model_path, parser, ratio, ratios, say, sentence, table

L: Any = bindings
REPLIES = 4


@dataclass
class Arm:
    """One way to four replies, and what its rounds gave in seconds; counts of tokens are those of the last round."""

    name: str
    write: Callable[[], list[Finished]]
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    evaluated: int = 0
    generated: int = 0

    def take(self) -> None:
        spent, began = time.process_time(), time.perf_counter()
        ends = self.write()
        self.wall.append(time.perf_counter() - began)
        self.processor.append(time.process_time() - spent)
        self.evaluated = sum(end.usage.evaluated for end in ends)
        self.generated = sum(end.usage.generated for end in ends)


class Subject:
    """An engine with a prompt."""

    def __init__(self, model: Model, engine: Engine, size: int, reply: int) -> None:
        self._model, self._engine = model, engine
        dice, text = random.Random(1), ""
        while len(model.vocab.encode(text, False)) < size:
            text += sentence(dice) + " "
        self.prompt = tuple(model.vocab.encode(text, False)[:size])
        self._sampling = Sampling(seed=1, max_tokens=reply, ignore_eos=True)

    def arms(self) -> list[Arm]:
        """Return the three ways."""
        return [
            Arm("one request, n = 4", lambda: self._separate(1, REPLIES, forget=True)),
            Arm("four requests, prompt in the cache", lambda: self._separate(REPLIES, 1, forget=False)),
            Arm("four requests, cache emptied", lambda: self._separate(REPLIES, 1, forget=True)),
        ]

    def _separate(self, requests: int, n: int, *, forget: bool) -> list[Finished]:
        self._forget()
        ends = []
        for number in range(requests):
            if forget:
                self._forget()
            sampling = self._sampling.numbered(number)
            *_, end = self._engine.generate(Request(f"{number}", self.prompt, sampling, n=n))
            assert isinstance(end, Finished), end
            ends.append(end)
        return ends

    def _forget(self) -> None:
        self._engine._cache.forget()
        self._engine._cache.shelf.clear()

    def bare(self, lanes: int, steps: int) -> tuple[float, float]:
        """Write so many tokens in each of some lanes behind the prompt, in bare batches; return wall and processor s.

        The engine must have read the prompt, and nothing may be written by it afterwards.
        """
        context, end = self._model.context.handle, len(self.prompt)
        memory = L.llama_get_memory(context)
        samplers = [
            Sampler(self._model.vocab, self._sampling.numbered(one), self.prompt) for one in range(lanes)
        ]
        batch = L.llama_batch_init(lanes, 0, 1)
        for lane in range(1, lanes + 1):
            L.llama_memory_seq_cp(memory, 0, lane, 0, end)
        tokens = [self.prompt[-1]] * lanes
        spent, began = time.process_time(), time.perf_counter()
        for step in range(steps):
            batch.n_tokens = lanes
            for row in range(lanes):
                batch.token[row], batch.pos[row] = tokens[row], end + step
                batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, row + 1, 1
            assert L.llama_decode(context, batch) == 0
            tokens = [
                L.llama_sampler_sample(one._chain.handle, context, row) for row, one in enumerate(samplers)
            ]
        found = time.perf_counter() - began, time.process_time() - spent
        for lane in range(1, lanes + 1):
            L.llama_memory_seq_rm(memory, lane, -1, -1)
        for one in samplers:
            one.close()
        L.llama_batch_free(batch)
        return found


def print_arms(arms: list[Arm]) -> None:
    one, shared, apart = arms
    head = [
        "four replies",
        "evaluated",
        "generated",
        "wall, s",
        "processor, s",
        "wall : emptied",
        "processor : emptied",
    ]
    rows: list[list[object]] = [
        [
            arm.name,
            f"{arm.evaluated:,}",
            arm.generated,
            middle(arm.wall),
            middle(arm.processor),
            ratios(arm.wall, apart.wall),
            ratios(arm.processor, apart.processor),
        ]
        for arm in arms
    ]
    table(head, rows)
    say(
        f"The shared prompt leaves {ratios(shared.processor, apart.processor)} of the processor time of four requests "
        f"(wall {ratios(shared.wall, apart.wall)}); writing side by side leaves "
        f"{ratios(one.processor, shared.processor)} of that (wall {ratios(one.wall, shared.wall)})."
    )


def print_bare(subject: Subject, steps: int, rounds: int) -> None:
    found: dict[int, list[tuple[float, float]]] = {1: [], 3: [], 4: []}
    for _ in range(rounds):
        for lanes, times in found.items():
            times.append(subject.bare(lanes, steps))
    rows: list[list[object]] = []
    alone = statistics.median(one for _, one in found[1]) / steps
    for lanes, times in found.items():
        wall, processor = (statistics.median(one) * 1000 / steps / lanes for one in zip(*times, strict=True))
        rows.append([lanes, f"{wall:.1f}", f"{processor:.1f}", ratio(alone * 1000, processor)])
    table(
        [
            "replies side by side",
            "wall, ms a token",
            "processor, ms a token",
            "tokens per processor second : alone",
        ],
        rows,
        0,
    )


def main() -> None:
    arguments = parser(__doc__, "a prompt of 300 tokens, one round")
    arguments.add_argument("--tokens", type=int, default=1500)
    arguments.add_argument("--reply", type=int, default=48)
    arguments.add_argument("--rounds", type=int, default=2)
    given = arguments.parse_args()
    if given.quick:
        given.tokens, given.reply, given.rounds = 300, 16, 1
    path = model_path(given.model)
    options = EngineOptions(n_ctx=2048, n_threads=given.threads, flash_attn=given.flash_attn)
    stop = StopFlag()
    log = EngineLog(os.open(os.devnull, os.O_WRONLY))
    model = Model(path, options, log, stop, lambda _fraction, _stage: True)
    with closing(Engine(model, stop)) as engine:
        engine.warm_up()
        subject = Subject(model, engine, given.tokens, given.reply)
        arms = subject.arms()
        print(f"Model {path.name}, flash_attn = {given.flash_attn}.")
        print(f"A prompt of {given.tokens} tokens, replies of {given.reply}.\n")
        for number in range(given.rounds):
            for place in range(len(arms)):
                arms[(number + place) % len(arms)].take()
        print_arms(arms)
        *_, end = engine.generate(Request("bare", subject.prompt, Sampling(seed=1, max_tokens=1)))
        assert isinstance(end, Finished)
        print_bare(subject, given.reply, max(given.rounds, 3))


if __name__ == "__main__":
    main()
