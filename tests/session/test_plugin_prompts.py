"""What plugins learn of a prompt that is being assembled, and what they may do to the messages in it."""

from __future__ import annotations

from pathlib import Path

from airochat.backends.scripted import ScriptedBackend
from airochat.session.events import Notice, PromptReady
from tests.hooks.helpers import BUNDLED, write_plugin
from tests.session.desk import Desk, done

LINE = "and so the ferry goes on, slowly, through the fog of a very long night"


def desk_with(home: Path, code: str, n_ctx: int = 4096) -> Desk:
    write_plugin(home / "plugins", "p", code)
    settings = {"plugins_enabled": ("p",), "plugins_disabled": BUNDLED, "max_tokens": 64}
    return Desk(home, ScriptedBackend(["The bell rings."], n_ctx=n_ctx), settings)


def test_messages_are_changed_and_left_out_in_the_prompt_only(tmp_path: Path) -> None:
    code = """
    from dataclasses import replace

    @hookimpl
    def transform_history(context, draft):
        draft.messages = [
            replace(one, text=one.text.replace("ferry", "barge")) for one in draft.messages if "secret" not in one.text
        ]
    """
    desk = desk_with(tmp_path, code)
    done(desk.session.send("The secret word."))
    done(desk.session.send("Where is the ferry?"))
    plan = desk.session.prompt("And now?")
    assert "barge" in plan.text and "ferry" not in plan.text and "secret" not in plan.text
    assert [message.text for message in desk.session.history][::2] == [
        "The secret word.",
        "Where is the ferry?",
    ]
    changed = [row for row in plan.report if "changed by p" in row.reason]
    assert [row.source for row in changed] == [f"message:{desk.session.history[2].id}"]
    desk.manager.close()


def test_blocks_are_made_for_the_horizon_that_the_prompt_will_have(tmp_path: Path) -> None:
    code = """
    @hookimpl
    def contribute_blocks(context):
        return [Block("plugin:p", f"<{context.horizon}>", pinned=True, priority=100)]
    """
    desk = desk_with(tmp_path, code, n_ctx=512)
    seen = set()
    for number in range(20):
        plan = desk.session.prompt(f"Message {number}: {LINE}")
        assert f"<{plan.horizon}>" in plan.text
        seen.add(plan.horizon)
        done(desk.session.send(f"Message {number}: {LINE}"))
    assert len(seen) > 2
    desk.manager.close()


def test_a_plugin_knows_what_a_prompt_is_for(tmp_path: Path) -> None:
    code = """
    @hookimpl
    def contribute_blocks(context):
        known = (context.purpose, context.reply_tokens, context.template, context.n_ctx)
        return [Block("plugin:p", " ".join(map(str, known)))]
    """
    desk = desk_with(tmp_path, code)
    done(desk.session.send("Hello"))
    name = desk.session.prompt("x").template
    assert f"reply 64 {name} 4096" in desk.session.prompt("x").text
    assert f"reply 32 {name} 4096" in desk.session.prompt("x", max_tokens=32).text
    begun = [event.plan.text for event in done(desk.session.impersonate()) if isinstance(event, PromptReady)]
    assert f"user 64 {name} 4096" in begun[0]
    desk.manager.close()


def test_a_plugin_can_tell_the_user_something(tmp_path: Path) -> None:
    code = """
    @hookimpl
    def on_message_added(context, event):
        if event.message.role == "user":
            context.notify("The ferry\\nis late.", "Wait.")
    """
    desk = desk_with(tmp_path, code)
    done(desk.session.send("Hello"))
    assert Notice("The ferry is late.", "Wait.") in desk.events
    desk.manager.close()
