"""A scripted conversation: two messages, another try at the last reply, and what it cost.

Run it with ``python examples/hello.py [MODEL]``; MODEL is a path, a known name, or ``demo`` if left out. The chat is
kept like any other: ``airochat chats list`` shows it.
"""

from __future__ import annotations

import sys

import airochat
from airochat.session.events import TextAdded


def main(model: str) -> None:
    """Hold the conversation and print it."""
    with airochat.open(model=model, settings={"n_ctx": 2048}) as manager:
        manager.wait_for_model()  # raises an error that tells why, if the model cannot be had
        session = manager.new(
            title="Hello", system="You are a lighthouse keeper. Answer in one short sentence."
        )
        for text in ("Who are you?", "What do you see from up there?"):
            print(f"> {text}")
            turn = session.send(text, seed=7, max_tokens=60)
            turn.wait()
            print(turn.text)
            print(f"  [{turn.usage.evaluated} tokens read, {turn.usage.reused} from the cache]")

        print("> the same again, with another seed")
        for event in session.swipe(seed=8, max_tokens=60):
            if isinstance(event, TextAdded):
                print(event.text, end="", flush=True)
        print()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo")
