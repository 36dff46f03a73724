"""Chats without end and tells each step on standard output; `test_kill.py` kills it.

Arguments: the data folder and the model. Lines: ``sent ID``, ``text ID SECONDS LENGTH``, ``done ID TEXT-AS-JSON``.
"""

from __future__ import annotations

import json
import sys
import time

import airochat
from airochat.session.events import TextAdded

PROMPTS = [
    "Tell me a long story about a lighthouse.",
    "Tell a longer one about a ferry.",
    "And one about a mountain, with many details.",
]


def say(*words: object) -> None:
    print(*words, flush=True)


def main(home: str, model: str) -> None:
    settings = {"n_ctx": 1024, "n_threads": 1, "max_tokens": 400, "n_batch": 64, "n_ubatch": 64}
    manager = airochat.open(home, model, settings)
    session = manager.latest() or manager.new(title="kill")
    if len(session.history) > 8:
        session.move(None)
    number = 0
    while True:
        turn = session.send(PROMPTS[number % len(PROMPTS)])
        number += 1
        say("sent", session.history[-1].id)
        for event in turn:
            if isinstance(event, TextAdded):
                say("text", turn.message_id, time.monotonic(), len(turn.text))
        if turn.message is not None:
            say("done", turn.message.id, json.dumps(turn.message.text))


if __name__ == "__main__":
    main(*sys.argv[1:])
