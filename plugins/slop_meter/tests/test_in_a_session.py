"""The plugin in real sessions, with a store and the scripted model."""

from __future__ import annotations

from pathlib import Path

import airochat


def test_a_ban_reaches_the_replies_of_its_chat_and_outlives_the_program(tmp_path: Path) -> None:
    with airochat.open(home=tmp_path, model="scripted") as manager:
        session = manager.new()
        for _ in range(4):
            session.send("Go on.", seed=1).wait(60)
        assert "messages 2, 8" in session.command("/slop")
        session.command("/slop ban")
        (ban,) = session.command("/slop bans").splitlines()[1:]
        key = session.id
    with airochat.open(home=tmp_path, model="scripted") as manager:
        session = manager.load(key)
        session.send("Go on.", seed=1).wait(60)
        assert session.history[-1].provenance.sampling["banned"] == [ban.partition(". ")[2]]
        other = manager.new()
        other.send("Go on.", seed=1).wait(60)
        assert other.history[-1].provenance.sampling["banned"] == []
