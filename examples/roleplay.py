"""A scripted scene with one of the example characters: the greeting, two messages, and the answers.

Run it with ``python examples/roleplay.py [MODEL]``; MODEL is a path, a known name, or ``demo`` if left out. The demo
model shows how it works; for a scene worth reading take an Airoboros model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tomli

import airochat
from airochat.characters import Persona

EXAMPLES = Path(__file__).resolve().parent
SAID = (
    '*hands over the ticket* "I was hoping for the house by the river. Is it far?"',
    '*leans to the window* "There is somebody on the platform. Do you know her?"',
)


def main(model: str) -> None:
    """Play the scene and print it."""
    rook = Persona(**tomli.loads((EXAMPLES / "personas/rook.toml").read_text(encoding="utf-8")))
    with airochat.open(model=model, settings={"n_ctx": 2048}) as manager:
        manager.wait_for_model()  # raises an error that tells why, if the model cannot be had
        session = manager.new(card=EXAMPLES / "cards/emil.png", persona=rook)
        for text in SAID:
            session.send(text, seed=7, max_tokens=80, temperature=0.8).wait()
        for message in session.history:
            print(f"{message.name or session.card.called}: {message.text}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo")
