"""What is left to read after Enter, when the model reads along while 80 words are typed.

In one chat, messages of 80 words are said by turns in three ways: typed with a pause after every eight words, at each
of which the model reads what is settled, the last pause right before Enter; the same without the last pause, so that
Enter comes eight words after it; and without reading ahead. Each way has the same number of messages of the same kind,
and the chat grows alike for all. The pauses are long enough for the model to finish, which is told by its own thread
and not by the clock. The last word is not read before Enter, since it may become another word, nor what the template
writes behind a message.

    python benchmarks/while_typing.py [--quick] [--rounds 5] [--model FILE]
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from benchmarks._common import (
    NOTE,
    Desk,
    desk,
    done,
    message,
    middle,
    model_path,
    parser,
    ratios,
    say,
    sentence,
    table,
)

WORDS, PAUSE = 80, 8


@dataclass
class Way:
    """How a message is typed: at which numbers of words there is a pause."""

    name: str
    pauses: tuple[int, ...]
    typing: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def type(self, on: Desk, text: str, seed: int) -> None:
        """Type a message, press Enter, and take down what that cost."""
        before, words = on.evaluated, text.split(" ")
        for count in self.pauses:
            on.idle(" ".join(words[:count]) + " " * (count < len(words)))
        self.typing.append(on.evaluated - before)
        turn = done(on.session.send(text, seed=seed, max_tokens=8))
        self.after.append(turn.usage.evaluated)
        self.seconds.append(turn.timings.first_token_s)


def words_of(number: int) -> str:
    dice = random.Random(number)
    told = " ".join(sentence(dice) for _ in range(WORDS // 8)).split(" ")
    return " ".join(told[:WORDS])


def main() -> None:
    arguments = parser(__doc__, "one round in a short chat")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    rounds, earlier = (1, 2) if given.quick else (given.rounds, 8)
    pauses = tuple(range(0, WORDS + 1, PAUSE))
    ways = [
        Way("pauses, the last one at the end", pauses),
        Way(f"pauses, the last {PAUSE} words in one go", pauses[:-1]),
        Way("without reading ahead", ()),
    ]
    path = model_path(given.model)
    settings: dict[str, Any] = {
        "n_ctx": 4096,
        "n_threads": given.threads,
        "flash_attn": given.flash_attn,
        "cache_disk": 0,
    }
    with desk(path, **settings) as on:
        on.session.command(f"/note {NOTE}")
        for number in range(earlier):
            done(on.session.send(message(number), seed=number, max_tokens=8))
        for number in range(rounds):
            for place in range(len(ways)):
                way = ways[(number + place) % len(ways)]
                way.type(on, words_of(100 * number + place), number)
    print(f"Model {path.name}, messages of {WORDS} words, medians of {rounds}.\n")
    head = ["message", "evaluated while typing", "after Enter", "at most", "first token, ms", ": without"]
    rows: list[list[object]] = []
    for way in ways:
        counted = [middle(way.typing, 0), middle(way.after, 0), f"{max(way.after):.0f}"]
        seconds = middle([one * 1000 for one in way.seconds], 0)
        rows.append([way.name, *counted, seconds, ratios(way.seconds, ways[-1].seconds)])
    table(head, rows)
    say("The first token counts from the request; ratios are those of messages said one after the other.")


if __name__ == "__main__":
    main()
