"""Prompt tokens evaluated per turn in a long chat: airochat against prefix matching, counted.

A scripted chat of 60 turns runs through the session manager on the real engine: with the author's note at its usual
depth, a lorebook's entry that comes and goes beside it, two swipes every third turn, something said in another branch
every tenth, and steps taken back, far beyond the context of 2,048 tokens, so that history is dropped. It runs once with
the cache shifted, once exact, and once exact with reading ahead (after every turn, and at two pauses in typing).

All counts of a table belong to the same chat:

- *new*: the message, the note and the entry, the template's tokens before them and at the prompt's end, and the last
  token of the reply before, which nobody has evaluated; 1 where the prompt is an old one, since logits are not kept;
- *prefix matching*: what llama-cpp-python's `Llama` evaluates for exactly the same prompts. It has one sequence and
  keeps what the new prompt begins with; the rule is compared with a real `Llama` object on the first prompts;
- *drop the oldest*: the same for prompts that lose one message after the other once the context is full, which is how
  most programs make room; airochat drops a quarter at once, so the two differ in what the model still sees.

Only counts of tokens are compared, so neither the machine nor its load matters.

    python benchmarks/turns.py [--quick] [--turns 60] [--reply 24] [--model FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airochat.prompt import PromptPlan, assemble, message_source
from airochat.session import Turn
from airochat.session.events import PromptReady
from airochat.templates.turns import TEMPLATE
from benchmarks._common import NOTE, Desk, desk, done, message, model_path, parser, ratio, say, table

N_CTX = 2048
LORE = """
from airochat.hooks import Block, hookimpl

TEXT = "The lamp: it has burned for a hundred years; nobody has ever been seen to fill it, and it casts no shadow."


@hookimpl
def contribute_blocks(context):
    said = [one.text for one in context.history if one.role == "user"]
    return [Block("lore", TEXT, 4)] if any("lamp" in text or "bell" in text for text in said[-2:]) else []
"""
KINDS = {
    "turn": "message, history as before",
    "drop": "message, history dropped",
    "swipe": "another reply",
    "branch": "message in another branch",
    "back": "back from that branch, another reply",
    "undo": "step taken back, another reply",
}
"""What is done in the chat; the last three of them, and swipes, have prompts that were read before."""


@dataclass(frozen=True)
class Step:
    """One reply, and what its prompt costs."""

    kind: str
    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    new: int
    evaluated: int
    """After Enter."""
    moved: int
    oldest: tuple[int, ...]
    """The prompt that has lost as few of the oldest messages as possible."""
    idle: int = 0
    """Evaluated since the step before while the user did nothing."""
    typing: int = 0
    """The same while the user typed."""


class Chat:
    """The scripted chat on one session; ``ahead`` lets the model read while the user reads and types."""

    def __init__(self, on: Desk, reply: int, ahead: bool) -> None:
        self._desk, self._session = on, on.session
        self._reply, self._ahead = reply, ahead
        self._seed = 0
        self._idle = self._typing = 0
        self._horizon: str | None = None
        self.steps: list[Step] = []

    def play(self, turns: int) -> list[Step]:
        """Run the script and return its steps."""
        session = self._session
        session.command(f"/note {NOTE}")
        for number in range(1, turns + 1):
            self._send("turn", message(number))
            if number % 3 == 0:
                self._swipe("swipe")
                self._swipe("swipe")
                if number % 2 == 0:
                    # The first reply was the best one; the next message goes on from there.
                    session.previous_swipe()
                    session.previous_swipe()
            if number % 10 == 0 and len(session.history) > 8:
                leaf = session.head
                session.branch(session.history[-7].id)
                self._send("branch", message(1000 + number))
                session.move(leaf)
                self._swipe("back")
            if number % 12 == 0:
                self._send("turn", message(2000 + number))
                session.undo()
                self._swipe("undo")
        return self.steps

    def _send(self, kind: str, text: str) -> None:
        session = self._session
        self._idle = self._typing = 0
        if self._ahead:
            self._idle = self._read("")
            self._typing = self._read(text[: len(text) // 2]) + self._read(text[: len(text) * 3 // 4])
        continues = bool(session.history) and not session.tree.children.get(session.head)
        self._take(kind, done(session.send(text, **self._sampling())), continues)

    def _swipe(self, kind: str) -> None:
        # Reading ahead for a message that then does not come must not make another reply dearer.
        self._idle, self._typing = (self._read("") if self._ahead else 0), 0
        self._take(kind, done(self._session.swipe(**self._sampling())), False)

    def _read(self, text: str) -> int:
        before = self._desk.evaluated
        self._desk.idle(text)
        return self._desk.evaluated - before

    def _sampling(self) -> dict[str, Any]:
        self._seed += 1
        return {"seed": self._seed, "max_tokens": self._reply}

    def _take(self, kind: str, turn: Turn, continues: bool) -> None:
        plan = next(event.plan for event in turn if isinstance(event, PromptReady))
        request, finished = self._desk.backend.done[-1]
        assert plan.tokens is not None and request.prompt == plan.tokens
        if kind == "turn" and plan.horizon != self._horizon:
            kind = "drop"
        if kind != "branch":
            self._horizon = plan.horizon
        said = message_source(self._session.history[-2])
        new = new_tokens(plan, said) + continues if kind in ("turn", "drop", "branch") else 1
        if len(self.steps) == 0:
            new = len(plan.tokens)
        reply = finished.tokens or self._encoded(turn.text)
        oldest = self._oldest(plan)
        used = turn.usage
        step = Step(
            kind, plan.tokens, reply, new, used.evaluated, used.moved, oldest, self._idle, self._typing
        )
        self.steps.append(step)

    def _encoded(self, text: str) -> tuple[int, ...]:
        tokenizer = self._desk.backend.tokenizer
        assert tokenizer is not None
        return tuple(tokenizer.encode([text], [True])[0])

    def _oldest(self, plan: PromptPlan) -> tuple[int, ...]:
        """Return the prompt of the same turn, short of the fewest messages that make it fit."""
        history = self._session.history[:-1]
        ids = [one.id for one in history]
        same = self._prompt(ids.index(plan.horizon) if plan.horizon else 0)
        assert same == plan.tokens, "the two ways to make room must differ in nothing else"
        low, high = 0, len(history) - 1
        while low < high:
            middle = (low + high) // 2
            if len(self._prompt(middle)) <= N_CTX - self._reply:
                high = middle
            else:
                low = middle + 1
        return self._prompt(low)

    def _prompt(self, first: int) -> tuple[int, ...]:
        session, manager = self._session, self._desk.manager
        history = session.history[:-1]
        info = manager.wait_for_model()
        plan = assemble(
            session.plugins.blocks(lambda plugin: session.context(plugin, history)),
            history[first:],
            manager.model.choose(session.template_name, info).template,
            tokenizer=self._desk.backend.tokenizer,
            n_ctx=0,
            reserve=self._reply,
            fingerprint=info.fingerprint,
            default_system=session.profile.effective_system,
        )
        assert plan.tokens is not None
        return plan.tokens


def new_tokens(plan: PromptPlan, said: str) -> int:
    """Return how many tokens of a prompt are the message's, the note's or the entry's, or go before them, or end it."""
    count = waiting = 0
    for source in plan.sources or ():
        if source == TEMPLATE:
            waiting += 1
            continue
        if source == said or source.startswith("plugin:"):
            count += waiting + 1
        waiting = 0
    return count + waiting


def prefix_matching(prompts: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Iterator[int]:
    """Yield what `llama_cpp.Llama.generate` evaluates of each prompt, each followed by its reply."""
    cached: list[int] = []
    for prompt, reply in prompts:
        alike = 0
        for one, other in zip(cached, prompt, strict=False):
            if one != other:
                break
            alike += 1
        if alike == len(prompt):
            # The last token is read again for its logits, unless they are those of the last computation.
            alike -= len(cached) != len(prompt)
        yield len(prompt) - alike
        cached = [*prompt, *reply[:-1]]


def check_rule(path: Path, steps: Sequence[Step], threads: int) -> tuple[int, int]:
    """Return what the rule counts for these prompts, and what a real `Llama` evaluates."""
    from llama_cpp import Llama

    llama: Any = Llama(str(path), n_ctx=N_CTX, n_threads=threads, n_threads_batch=threads, verbose=False)
    real = 0
    evaluate = llama.eval
    counted: list[int] = []

    def counting(tokens: Sequence[int]) -> None:
        counted.append(len(tokens))
        evaluate(tokens)

    llama.eval = counting
    for step in steps:
        counted.clear()
        generated = llama.generate(list(step.prompt), top_k=1)
        next(generated)
        generated.close()
        real += sum(counted)
        evaluate(list(step.reply[:-1]))  # as if it had written this reply
        assert llama.n_tokens == len(step.prompt) + len(step.reply) - 1
    llama.close()
    return sum(prefix_matching((step.prompt, step.reply) for step in steps)), real


@dataclass(frozen=True)
class Counts:
    """The sums of some steps."""

    steps: int
    prompt: int
    new: int
    evaluated: int
    same: int
    oldest: int
    idle: int
    typing: int

    @property
    def others(self) -> int:
        """The better one of the others."""
        return min(self.same, self.oldest)


def counts(steps: Sequence[Step], same: Sequence[int], oldest: Sequence[int], kinds: Sequence[str]) -> Counts:
    chosen = [number for number, step in enumerate(steps) if step.kind in kinds]
    some = [steps[number] for number in chosen]
    return Counts(
        len(some),
        sum(len(step.prompt) for step in some),
        sum(step.new for step in some),
        sum(step.evaluated for step in some),
        sum(same[number] for number in chosen),
        sum(oldest[number] for number in chosen),
        sum(step.idle for step in some),
        sum(step.typing for step in some),
    )


def print_chat(steps: Sequence[Step], ahead: bool) -> None:
    same = list(prefix_matching((step.prompt, step.reply) for step in steps))
    oldest = list(prefix_matching((step.oldest, step.reply) for step in steps))
    head = ["step", "times", "prompts", "new"]
    head += ["while idle", "while typing", "after Enter"] if ahead else ["airochat"]
    head += ["prefix matching", "drop the oldest", "airochat : new", "airochat : better of the others"]
    rows: list[list[object]] = []
    for name, kinds in [*((text, (kind,)) for kind, text in KINDS.items()), ("all", tuple(KINDS))]:
        sums = counts(steps, same, oldest, kinds)
        if not sums.steps:
            continue
        own = [sums.idle, sums.typing, sums.evaluated] if ahead else [sums.evaluated]
        cells = [sums.steps, sums.prompt, sums.new, *own, sums.same, sums.oldest]
        ends = [ratio(sums.evaluated, sums.new), ratio(sums.evaluated, sums.others)]
        rows.append([name, *(f"{cell:,}" for cell in cells), *ends])
    table(head, rows)
    old = [step.evaluated for step in steps if step.kind in ("swipe", "back", "undo")]
    if old:
        say(f"For prompts that were read before, at most {max(old)} token was evaluated after the request.")


def play(path: Path, given: argparse.Namespace, reuse: str, ahead: bool) -> list[Step]:
    with desk(
        path,
        {"lore": LORE},
        n_ctx=N_CTX,
        n_threads=given.threads,
        flash_attn=given.flash_attn,
        kv_reuse=reuse,
        read_ahead=ahead,
        max_tokens=given.reply,
        cache_disk=0,
    ) as opened:
        return Chat(opened, given.reply, ahead).play(given.turns)


def main() -> None:
    arguments = parser(__doc__, "12 turns, shifted only")
    arguments.add_argument("--turns", type=int, default=60)
    arguments.add_argument("--reply", type=int, default=24, help="tokens of each reply (24)")
    # No count depends on it, and without it a CPU computes short batches in a fraction of the time.
    arguments.set_defaults(flash_attn="off")
    given = arguments.parse_args()
    path = model_path(given.model)
    if given.quick:
        given.turns, given.reply = 6, 8
    print(f"Model {path.name}, {given.turns} turns, context of {N_CTX} tokens, replies of {given.reply}.\n")
    runs = [("shift", False)] if given.quick else [("shift", False), ("exact", False), ("exact", True)]
    first: list[Step] = []
    with ThreadPoolExecutor(2) as pool:
        played = [pool.submit(play, path, given, *run) for run in runs]
        for (reuse, ahead), future in zip(runs, played, strict=True):
            steps = future.result()
            first = first or steps[:10]
            print(f"kv_reuse = {reuse}{', with reading ahead' if ahead else ''}, evaluated prompt tokens:\n")
            print_chat(steps, ahead)
    counted, real = check_rule(path, first, given.threads)
    say(
        f"The rule for prefix matching says {counted} tokens for the first ten prompts; a `Llama` evaluated {real}."
    )


if __name__ == "__main__":
    main()
