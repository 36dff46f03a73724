"""What plugins can do, when all goes well."""

from __future__ import annotations

from pathlib import Path

import pytest

from airochat.errors import UsageError
from airochat.hooks import Block, MessageFacts, TurnFacts
from airochat.prompt.macros import Macros, Scope
from airochat.sampling import Sampling
from tests.hooks.helpers import Bench, write_plugin


def test_blocks_come_in_order_under_the_plugin_s_name(tmp_path: Path) -> None:
    write_plugin(
        tmp_path,
        "b",
        """
        @hookimpl
        def contribute_blocks(context):
            yield Block("plugin:b/weather", "Rain.", depth=2, reason="it rains")
            yield Block("card.description", "Snow.")
            yield Block("plugin:bad", "Hail.")
        """,
    )
    write_plugin(tmp_path, "a", "@hookimpl\ndef contribute_blocks(): return [Block('x', 'First.')]")
    write_plugin(tmp_path, "c", "@hookimpl\ndef contribute_blocks(): return None")
    bench = Bench(tmp_path)
    assert bench.host.blocks(bench.context) == [
        Block("plugin:a", "First."),
        Block("plugin:b/weather", "Rain.", depth=2, reason="it rains"),
        Block("plugin:b", "Snow."),
        Block("plugin:b", "Hail."),
    ]
    assert bench.told == []


def test_drafts_are_changed_one_plugin_after_the_other(tmp_path: Path) -> None:
    for name in ("b", "a"):
        code = f"""
            @hookimpl
            def transform_user_message(draft): draft.text += " {name}"
            @hookimpl
            def transform_reply(context, draft): draft.text = f"{{context.title}} {{draft.text}} {name}"
            @hookimpl(trylast=True)
            def transform_sampling(draft):
                draft.sampling = draft.sampling.replace(stop=(*draft.sampling.stop, "{name}"), temperature=0)
        """
        write_plugin(tmp_path, name, code)
    bench = Bench(tmp_path)
    assert bench.host.user_message(bench.context, "hello") == "hello a b"
    assert bench.host.reply(bench.context, "x") == "The Mill The Mill x a b"
    assert bench.host.sampling(bench.context, Sampling()) == Sampling(stop=("a", "b"), temperature=0)


def test_events_reach_their_hooks_with_the_plugin_s_own_context(tmp_path: Path) -> None:
    hooks = ("on_message_added", "on_turn_started", "on_turn_finished")
    code = "\n".join(
        f"@hookimpl\ndef {hook}(context, event): context.data['{hook}'] = (context.session_id, event)"
        for hook in hooks
    )
    opened = "\n@hookimpl\ndef on_session_opened(context): context.data['opened'] = context.history[-1].text"
    write_plugin(tmp_path, "a", code + opened)
    bench = Bench(tmp_path)
    message = bench.context("a").history[0]
    events: tuple[MessageFacts | TurnFacts, ...] = (
        MessageFacts("s1", message),
        TurnFacts("s1", "t1"),
        TurnFacts("s1", "t1", message, "eos"),
    )
    for hook, event in zip(hooks, events, strict=True):
        bench.host.notify(hook, bench.context, event)
    bench.host.notify("on_session_opened", bench.context)
    expected = {hook: ("s1", event) for hook, event in zip(hooks, events, strict=True)}
    assert bench.kept[("a", "chat:s1")] == {**expected, "opened": "hello"}
    assert bench.told == []


def test_commands_are_listed_and_run(tmp_path: Path) -> None:
    write_plugin(
        tmp_path,
        "dice",
        """
        from airochat.errors import UsageError
        def roll(context, words):
            if not words:
                raise UsageError("Roll what?", "/roll 2d6")
            return f"{context.user_name} rolled \\x1b[31m{words!r}"
        @hookimpl
        def register_commands(register):
            register(Command("roll", "Roll dice.", "/roll DICE", roll))
        """,
    )
    bench = Bench(tmp_path)
    owner, command = bench.host.commands()["roll"]
    assert (owner, command.summary, command.usage) == ("dice", "Roll dice.", "/roll DICE")
    assert bench.host.run_command("/roll  2d6\nnow ", bench.context) == "You rolled '2d6\\nnow'"
    with pytest.raises(UsageError, match=r"Roll what\? /roll 2d6"):
        bench.host.run_command("/roll", bench.context)
    assert bench.report("dice").state == "on"
    for line in ("/rol 2d6", "/", "", "/ roll"):
        with pytest.raises(UsageError, match="There is no command /"):
            bench.host.run_command(line, bench.context)
    with pytest.raises(UsageError, match="Did you mean 'roll'"):
        bench.host.run_command("/rol 2d6", bench.context)


def test_macros_are_offered_and_a_failing_one_is_named(tmp_path: Path) -> None:
    write_plugin(
        tmp_path,
        "weather",
        """
        @hookimpl
        def register_macros(register):
            register("Weather", lambda call: "rain" if not call.arguments else call.arguments[0].upper())
            register("broken", lambda call: 1 / 0)
        """,
    )
    bench = Bench(tmp_path)
    macros = Macros(Scope(), None, bench.host.macros(), bench.host.macro_failed)
    assert macros.expand("{{weather}}, {{WEATHER::sun}}, {{snow}}") == "rain, SUN, {{snow}}"
    assert bench.report("weather").state == "on"
    assert macros.expand("{{broken}} and {{weather}}") == "{{broken}} and rain"
    assert bench.report("weather").state == "failed"
    assert (
        "ZeroDivisionError" in bench.report("weather").error
        and "macro broken" in bench.report("weather").error
    )
    assert bench.host.macros() == {}


@pytest.mark.parametrize(
    "offer", ["register('a b', len)", "register('', len)", "register('x', 3)", "register(3, len)"]
)
def test_macros_that_cannot_be_used_switch_the_plugin_off(tmp_path: Path, offer: str) -> None:
    write_plugin(tmp_path, "bad", f"@hookimpl\ndef register_macros(register):\n {offer}\n")
    bench = Bench(tmp_path)
    assert bench.host.macros() == {}
    assert bench.report("bad").state == "failed"


def test_two_plugins_cannot_have_one_command(tmp_path: Path) -> None:
    for name in ("a", "b"):
        code = f"""
            @hookimpl
            def register_commands(register):
                register(Command("roll", "", "", lambda context, words: "{name}"))
                register(Command("own_{name}", "", "", lambda context, words: "{name}"))
        """
        write_plugin(tmp_path, name, code)
    bench = Bench(tmp_path)
    assert {name: owner for name, (owner, _) in bench.host.commands().items()} == {
        "roll": "a",
        "own_a": "a",
        "own_b": "b",
    }
    assert bench.host.run_command("/roll", bench.context) == "a"
    assert bench.report("b").state == "on"
    assert "already taken by a" in bench.report("b").error
    assert len(bench.told) == 1


def test_plugins_may_have_several_modules_of_their_own(tmp_path: Path) -> None:
    code = """
        from .words import WORD
        @hookimpl
        def transform_reply(draft): draft.text += WORD
    """
    for number in ("1", "2"):
        folder = write_plugin(tmp_path / number, "a", code)
        (folder / "words.py").write_text(f"WORD = {number!r}", encoding="utf-8")
        bench = Bench(tmp_path / number)
        assert bench.host.reply(bench.context, "x") == f"x{number}"
