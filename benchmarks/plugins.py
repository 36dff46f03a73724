"""A long chat with all that plugins can bring into a prompt: what it holds, and what of it the model must read.

A scripted chat of 40 turns runs on the real engine with a context of 2,048 tokens, so that history is dropped, and with
all of these at once: a lorebook of 24 entries that come and go, an author's note, an extension for
text-generation-webui that changes what the user says and the sampling, a memory with facts, recall and a summary, and
tools, one of which the model has to call every eighth turn. For each prompt it is checked that

- the report is complete: its rows add up to the prompt's tokens, and each block of a plugin names its plugin;
- the budget is kept: prompt and reply fit the context.

*new* is what the model cannot have read before: the message, results of tools, blocks near the end, and blocks at the
head that have changed. *prefix matching* is what llama-cpp-python's `Llama` evaluates for exactly the same prompts (see
`benchmarks/turns.py`). Only tokens are counted, so neither the machine nor its load matters.

    python benchmarks/plugins.py [--quick] [--turns 40] [--reply 24] [--model FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airochat.backends.base import Finished, Request
from airochat.prompt import PromptPlan
from airochat.prompt.blocks import MESSAGE
from airochat.session.events import PromptReady
from airochat.templates.turns import TEMPLATE
from benchmarks._common import (
    NOTE,
    PATIENCE,
    Desk,
    desk,
    done,
    message,
    model_path,
    parser,
    ratio,
    say,
    table,
)
from benchmarks.turns import prefix_matching

N_CTX = 2048
CALL = 64
"""Tokens of a reply that has to be a call."""
PLUGINS = ("lorebook", "authors_note", "textgen_compat", "memory", "tools")
EXTENSION = '''
"""An extension in the style of those for text-generation-webui."""

params = {"display_name": "Tide", "activate": True, "word": "tide"}


def input_modifier(string, state, is_chat=False):
    return string.replace("What happens next?", f"What does the {params['word']} bring next?")


def state_modifier(state):
    state["temperature"] = 0.7
    return state
'''
THINGS = (
    "ferryman,Tamsin,keeper,lantern,surgeon,sisters,postmistress,sluice,boats,bell,cage,chart room,letters,cellar,"
    "coat,lamp oil,stairs,orchard,salt pans,tide,candle,rail,promise,midnight"
)
FACTS = (
    "The ferryman lost his left hand in the salt pans.",
    "Old Tamsin has the only key to the chart room.",
    "The bell without a clapper came from a drowned church.",
)


@dataclass(frozen=True)
class Read:
    """One prompt, and what reading it took."""

    turn: int
    tokens: tuple[int, ...]
    reply: tuple[int, ...]
    new: int
    evaluated: int
    blocks: Counter[str]
    """Tokens in the prompt by plugin."""
    left_out: int
    """Messages that did not fit."""


class Chat:
    """The scripted chat, with everything on."""

    def __init__(self, opened: Desk, reply: int, folder: Path) -> None:
        self._desk, self._session, self._reply = opened, opened.session, reply
        self._heads: dict[str, tuple[int, ...]] = {}
        self._seen: set[str] = set()
        """The messages that were in a prompt before."""
        self.reads: list[Read] = []
        self.called = 0
        """Rounds of calls."""
        self.remembered: set[str] = set()
        """The layers of the memory that were in a prompt."""
        self.said: list[str] = []
        """What the extension has changed of what the user said."""
        book, extension = folder / "coast.json", folder / "tide"
        book.write_text(json.dumps(lorebook()), encoding="utf-8")
        extension.mkdir()
        (extension / "script.py").write_text(textwrap.dedent(EXTENSION), encoding="utf-8")
        self._session.command(f"/note {NOTE}")
        self._session.command(f"/lore add {book}")
        self._session.command(f"/textgen add {extension}")
        self._session.command("/textgen enable tide")
        self._session.command("/tools on")
        for fact in FACTS:
            self._session.command(f"/remember {fact}")

    def play(self, turns: int) -> list[Read]:
        """Run the script and return what was read, prompt by prompt."""
        for number in range(1, turns + 1):
            # A reader takes a while; what the memory does meanwhile has to come to its end here, too.
            sys.modules["airochat_plugin_memory"].memory_of_all().lane.wait(self._session.id, PATIENCE)
            if number % 8 == 0:
                self._session.command("/call roll")
            self._turn(number)
        return self.reads

    def _turn(self, number: int) -> None:
        served = len(self._desk.backend.done)
        # A call has to come to its end.
        reply = max(self._reply, CALL) if number % 8 == 0 else self._reply
        turn = done(self._session.send(message(number), seed=number, max_tokens=reply))
        said = [one.text for one in self._session.history if one.role == "user"][-1]
        self.said += [said] if said != message(number) else []
        plans = [event.plan for event in turn if isinstance(event, PromptReady)]
        self.called += len(plans) - 1
        answers = [one for one in self._desk.backend.done[served:] if one[0].purpose == "reply"]
        assert len(answers) == len(plans)
        for plan, (request, finished) in zip(plans, answers, strict=True):
            check(plan, reply)
            self._take(number, plan, request, finished)

    def _take(self, number: int, plan: PromptPlan, request: Request, finished: Finished) -> None:
        assert plan.tokens is not None and plan.tokens == request.prompt
        blocks: Counter[str] = Counter()
        for row in plan.report:
            if row.included and row.source.startswith("plugin:"):
                name, _, rest = row.source.removeprefix("plugin:").partition("/")
                layer = rest.partition("/")[0]
                blocks[name] += row.tokens
                self.remembered |= {layer} if name == "memory" else set()
        new = len(plan.tokens) if not self.reads else self._new(plan)
        left_out = sum(row.source.startswith(MESSAGE) and not row.included for row in plan.report)
        self.reads.append(
            Read(number, plan.tokens, finished.tokens, new, finished.usage.evaluated, blocks, left_out)
        )

    def _new(self, plan: PromptPlan) -> int:
        """Return how many tokens of a prompt cannot have been read before, with what the template puts before them."""
        assert plan.tokens is not None and plan.sources is not None
        pieces: dict[str, list[int]] = {}
        for token, source in zip(plan.tokens, plan.sources, strict=True):
            pieces.setdefault(source, []).append(token)
        begun = {source for source in pieces if source.startswith(MESSAGE)}
        first = next((at for at, source in enumerate(plan.sources) if source in begun), 0)
        heads = {source: tuple(ids) for source, ids in pieces.items() if source in plan.sources[:first]}
        known = {source for source, ids in heads.items() if self._heads.get(source) == ids}
        replies = {f"{MESSAGE}{one.id}" for one in self._session.history if one.role == "assistant"}
        old = {source for source in begun if source in self._seen} | known | replies
        self._seen |= begun
        self._heads = heads
        count = waiting = 0
        for source in plan.sources:
            if source == TEMPLATE:
                waiting += 1
                continue
            if source not in old:
                count += waiting + 1
            waiting = 0
        # The last token of the reply before was never read.
        return count + waiting + 1


def check(plan: PromptPlan, reply: int) -> None:
    """End with the reason if the report does not account for the prompt, or the prompt does not fit."""
    assert plan.tokens is not None and plan.sources is not None
    if len(plan.tokens) + reply > N_CTX:
        raise SystemExit(f"A prompt of {len(plan.tokens)} tokens and a reply of {reply} do not fit.")
    told = sum(row.tokens for row in plan.report if row.included)
    if told != len(plan.tokens):
        raise SystemExit(f"The report has {told} tokens, the prompt {len(plan.tokens)}.")
    rows = {row.source for row in plan.report}
    if unknown := set(plan.sources) - rows:
        raise SystemExit(f"The report does not know {unknown}.")


def lorebook() -> dict[str, object]:
    """Return a world file with entries for all that the script's messages may be about."""
    entries = {
        str(number): {
            "uid": number,
            "key": [thing],
            "content": f"About the {thing}: it is older than the harbour, and nobody here calls it by its first name.",
            "comment": thing,
            "constant": number == 0,
            "position": 4 if number % 2 else 0,
            "depth": 2,
        }
        for number, thing in enumerate(THINGS.split(","))
    }
    return {"name": "Coast", "entries": entries}


def play(path: Path, turns: int, reply: int, threads: int, folder: Path, flash: str = "off") -> Chat:
    """Run the chat in a folder of its own and return it."""
    with desk(
        path,
        n_ctx=N_CTX,
        n_threads=threads,
        flash_attn=flash,
        read_ahead=False,
        max_tokens=reply,
        cache_disk=0,
    ) as opened:
        chat = Chat(opened, reply, folder)
        chat.play(turns)
        failed = [one for one in opened.manager.plugins.reports() if one.state == "failed"]
        if failed:
            raise SystemExit("; ".join(f"{one.name}: {one.error}" for one in failed))
    return chat


def print_reads(reads: Sequence[Read]) -> None:
    same = list(prefix_matching((read.tokens, read.reply) for read in reads))
    head = ["turns", "prompts", "tokens", "messages left out", "new", "airochat", "prefix matching"]
    head += ["airochat : new", "airochat : prefix matching", *PLUGINS]
    rows: list[list[object]] = []
    spans = [(low, low + 9) for low in range(1, reads[-1].turn + 1, 10)]
    for low, high in [*spans, (1, reads[-1].turn)]:
        chosen = [number for number, read in enumerate(reads) if low <= read.turn <= high]
        some = [reads[number] for number in chosen]
        new, evaluated = sum(read.new for read in some), sum(read.evaluated for read in some)
        others = sum(same[number] for number in chosen)
        sums: Counter[str] = Counter()
        for read in some:
            sums += read.blocks
        rows.append(
            [
                f"{low}-{high}",
                len(some),
                f"{sum(len(read.tokens) for read in some):,}",
                some[-1].left_out,
                f"{new:,}",
                f"{evaluated:,}",
                f"{others:,}",
                ratio(evaluated, new),
                ratio(evaluated, others),
                *(f"{sums[name]:,}" for name in PLUGINS),
            ]
        )
    table(head, rows)


def main() -> None:
    import tempfile

    arguments = parser(__doc__, "10 turns")
    arguments.add_argument("--turns", type=int, default=40)
    arguments.add_argument("--reply", type=int, default=24, help="tokens of each reply (24)")
    # No count depends on it, and without it a CPU computes short batches in a fraction of the time.
    arguments.set_defaults(flash_attn="off")
    given: argparse.Namespace = arguments.parse_args()
    if given.quick:
        given.turns = 10
    with tempfile.TemporaryDirectory(prefix="airochat-") as folder:
        path = model_path(given.model)
        chat = play(path, given.turns, given.reply, given.threads, Path(folder), given.flash_attn)
    say(f"{given.turns} turns, {len(chat.reads)} prompts, {chat.called} rounds of calls. Tokens of the plugins' blocks "
        "are those in the prompts. Every report was complete, and every prompt fitted.")  # fmt: skip
    print_reads(chat.reads)


if __name__ == "__main__":
    main()
