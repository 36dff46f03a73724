"""Draw `docs/screenshot.svg`: the chat as it looks while a reply is being written.

The conversation, the list of chats, and the names of model and template are made up, and no model runs; everything else
is the program itself. Run it from anywhere with `python docs/make_screenshot.py`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import tempfile
import time
from pathlib import Path

import airochat
from airochat.characters.card import parse_card
from airochat.conversation import Message, Role, Tree, new_id
from airochat.session import Session
from airochat.session.events import ModelReady, TextAdded, TurnStarted
from airochat.store import SessionSummary
from airochat.themes import load_themes
from airochat.tui.start import make_app
from airochat.tui.widgets.sessions import SessionList

TARGET = Path(__file__).with_name("screenshot.svg")
SIZE = (120, 38)
TOKENS_PER_S = 31
LINES: tuple[tuple[Role, str], ...] = (
    (
        "user",
        "*I shake the rain from my coat and set the broken lantern on the counter.* "
        '"They said you could mend anything."',
    ),
    (
        "assistant",
        "*She does not look up at once. The file in her hand finishes its stroke, slow and even, before she lays it "
        'down.*\n\n"They say a great deal when it is raining." *Her thumb finds the crack in the glass and follows it, '
        'the way one follows a river on a map.* "This was not dropped. Someone wanted it dark."',
    ),
    ("user", '"Can it be lit again?"'),
)
ALTERNATIVES = ('"That depends on you."', "She is silent for a while.", '"Tomorrow," *she says*.')
REPLY = (
    '*A small, crooked smile.* "Anything can be lit. The question is what it shows you afterwards." *She turns the '
    "lamp toward the window,* where the water runs copper with the streetlight, and waits for you to decide"
)
OTHERS = (("Salt and Iron", 38, 0), ("Notes on the ferry", 9, 3), ("A house with nine doors", 124, 4))
"""Other chats: their title, number of messages, and age in days."""


def at(hour: int, minute: int) -> float:
    """Return a time of today, so that the picture always shows the same hours."""
    today = time.localtime()
    return time.mktime((*today[:3], hour, minute, 0, 0, 0, -1))


def conversation() -> Tree:
    """Return the messages, the last of which has three replies already."""
    messages: list[Message] = []
    for number, (role, text) in enumerate(LINES):
        parent = messages[-1].id if messages else None
        name = "You" if role == "user" else "Mira"
        messages.append(Message(new_id(), parent, role, name, text, at(21, 4 + number // 2 * 2)))
    last = messages[-1].id
    replies = [Message(new_id(), last, "assistant", "Mira", text, at(21, 6)) for text in ALTERNATIVES]
    return Tree.build([*messages, *replies], last)


def summaries(current: Session) -> list[SessionSummary]:
    """Return the list of chats beside the conversation."""
    now = time.time()
    others = [
        SessionSummary(str(n), title, now - 86_400 * days, count, False)
        for n, (title, count, days) in enumerate(OTHERS)
    ]
    return [SessionSummary(current.id, current.title, now, 214, False), *others]


async def main() -> None:
    """Run the program far enough to see a reply being written, and draw its screen."""
    with tempfile.TemporaryDirectory() as home, airochat.open(home=home, model="scripted") as manager:
        session = manager.new(card=parse_card({"name": "Mira"}, "Mira"), title="The Lantern Keeper")
        session._ledger.tree = conversation()
        known = load_themes(manager.home)
        app = make_app(manager, session, known, known.get("ember"))
        async with app.run_test(size=SIZE) as pilot:
            app.chat.composer.cursor_blink = False
            while not isinstance(manager.model_state, ModelReady):
                await pilot.pause()
            info = dataclasses.replace(manager.wait_for_model(), name="airoboros-l2-13b", n_ctx=8192)
            manager.model.state = ModelReady(info, "airoboros-2", ())
            app.chat.receive([TurnStarted(session.id, "turn", new_id(), session.head, "Mira")])
            live = app.desk.conversation.live
            assert live is not None
            live.created, live.prompt = at(21, 6), 5264
            for piece in re.findall(r"\s?\S+", REPLY):
                app.chat.receive([TextAdded(session.id, "turn", piece, 1)])
                await asyncio.sleep(1 / TOKENS_PER_S)
            app.chat.query_one(SessionList).show(summaries(session), session.id)
            await pilot.pause()
            svg = app.export_screenshot(title="airochat")
    # The fonts that Textual names would be fetched from the network by whoever looks at the picture.
    TARGET.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
