"""How long it takes to find lore: the lorebook plugin against a loop over one compiled regex for each key.

A chat of 4,000 tokens is looked through for books of 100, 1,000 and 5,000 entries of three keys, of which a part stands
in the chat. All columns but the counts are milliseconds:

- *make*: what has to be done once for a book;
- *cold*: a whole scan in which no message was seen before, with recursion, groups and budget;
- *turn*: the scan after one more message, as in a chat;
- *regexes*: nothing but the search for each key until one of an entry is found, in one text of all messages in small
  letters;
- *in*: the same with plain `key in text`, which knows no words;
- *ratio*: *regexes* to *cold*, the median of the rounds;
- *found*, *by regexes*: the entries with a key in the chat, as a check that both do the same.

    python benchmarks/lore.py [--quick]
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks._common import message, say, table
from plugins.lorebook.book import read_book
from plugins.lorebook.entry import Book
from plugins.lorebook.keyring import Keyring
from plugins.lorebook.options import Options
from plugins.lorebook.scan import Scan
from plugins.lorebook.scene import Found, Said, Scene

CHARACTERS = 16_000
"""Of the chat: about 4,000 tokens."""
SYLLABLES = "ar,bel,cor,dun,el,fen,gor,hal,is,jor,kel,lor,mar,nor,or,pel,quen,ras,sol,tor,ul,vor,wen,yar,zan"


def chat() -> list[Said]:
    """Return the messages of a chat of `CHARACTERS`."""
    said: list[Said] = []
    while sum(len(one.text) for one in said) < CHARACTERS:
        number = len(said)
        said.append(Said(f"m{number}", "User" if number % 2 else "Aria", message(number, sentences=4)))
    return said


def book(count: int, said: Sequence[Said]) -> Book:
    """Return a book of made-up names, of which one in fifty entries has a word of the chat as a key."""
    dice = random.Random(count)
    words = sorted({word for one in said for word in re.findall(r"[a-z]{5,}", one.text)})

    def name() -> str:
        return "".join(dice.choice(SYLLABLES.split(",")) for _ in range(dice.randint(3, 5)))

    entries = []
    for number in range(count):
        keys = [name(), name(), f"{name()} {name()}"]
        if number % 50 == 0:
            keys.append(dice.choice(words))
        entries.append({"keys": keys, "content": f"{keys[0]} lies near {name()}.", "name": keys[0]})
    return read_book({"name": "Bench", "entries": entries}, "The book")[0]


def scan(ring: Keyring, world: Book, said: Sequence[Said]) -> Found:
    """Scan all messages."""
    scene = Scene(said=tuple(said), seed="bench", room=8_000)
    return Scan(ring, {world.name: world}, scene, lambda texts: [len(text) // 4 for text in texts]).run()


def loop(patterns: Sequence[Sequence[re.Pattern[str]]], text: str) -> int:
    """Return how many entries have a regex that matches."""
    return sum(any(pattern.search(text) for pattern in one) for one in patterns)


def plain(keys: Sequence[Sequence[str]], text: str) -> int:
    """Return how many entries have a key somewhere in a text of small letters."""
    return sum(any(key in text for key in one) for one in keys)


def timed(run: Callable[[], object]) -> float:
    """Return milliseconds."""
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1000


def measure(count: int, rounds: int) -> list[object]:
    """Return a row of the table."""
    said = chat()
    world = book(count, said)
    options = Options(scan_depth=len(said) + 2)
    text = "\n".join(f"{one.name}: {one.text}" for one in said)
    keys = [[key.lower() for key in entry.keys] for entry in world.entries]
    patterns = [
        [re.compile(re.escape(key) if " " in key else rf"(?<!\w){re.escape(key)}(?!\w)") for key in one]
        for one in keys
    ]

    def once(number: int) -> tuple[float, ...]:
        ring = Keyring(world.entries, options)
        more = [*said, Said("new", "User", message(9_000 + number))]
        return (
            timed(lambda: Keyring(world.entries, options)),
            timed(lambda: scan(ring, world, said)),
            timed(lambda: scan(ring, world, more)),
            timed(lambda: loop(patterns, text.lower())),
            timed(lambda: plain(keys, text.lower())),
        )

    measured = [once(number) for number in range(rounds)]
    result = scan(Keyring(world.entries, options), world, said)
    found = sum(fired.loop == 1 for fired in result.fired) + len(result.skipped)
    ratio = statistics.median(regexes / cold for _, cold, _, regexes, _ in measured)
    medians = [f"{statistics.median(column):,.2f}" for column in zip(*measured, strict=True)]
    return [f"{count:,}", *medians, f"{ratio:,.0f}", found, loop(patterns, text.lower())]


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--quick", action="store_true", help="a smoke run of seconds: one round instead of seven"
    )
    rounds = 1 if made.parse_args().quick else 7
    say(f"A chat of {CHARACTERS:,} characters; medians of {rounds} rounds in milliseconds.")
    head = ("entries", "make", "cold", "turn", "regexes", "in", "ratio", "found", "by regexes")
    table(head, [measure(count, rounds) for count in (100, 1_000, 5_000)])


if __name__ == "__main__":
    main()
