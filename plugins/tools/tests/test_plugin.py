"""The plugin on a chat: what is on, what the prompt gets, how replies are bound, commands and the panel."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from airochat.conversation import TOOLS, Message, Provenance, new_id
from airochat.errors import UsageError
from airochat.hooks import Rows, Text, ToolCall, TurnFacts
from airochat.hooks.testing import PluginBench
from airochat.prompt.forms import plan_prompt
from airochat.sampling import Sampling

FOLDER = Path(__file__).parents[1]
CALL = '{"tool": "roll", "arguments": {"notation": "2d6"}}'


def bench(*said: str, on: bool = True, **chat: Any) -> PluginBench:
    made = PluginBench(FOLDER, said or ("Hello.", "Hello to you.", "Roll."), **chat)
    if on:
        made.command("/tools on")
    return made


def add_results(made: PluginBench, *calls: dict[str, Any]) -> None:
    """Add what a round of calls leaves in the chat."""
    made.add(CALL, "assistant")
    kept = Provenance(
        calls=calls or ({"tool": "roll", "arguments": {"notation": "2d6"}, "state": "done", "text": "7"},)
    )
    message = Message(new_id(), made.history[-1].id, "system", TOOLS, "Result of roll: 7", provenance=kept)
    made.history = (*made.history, message)


def set_value(made: PluginBench, **values: Any) -> None:
    made.host._plugins[[one.name for one in made.host._plugins].index("tools")].settings = {
        **made.context().settings,
        **values,
    }


def notices(made: PluginBench) -> list[str]:
    """Return the list that what the user is told will come into."""
    told: list[str] = []
    made.host.services = dataclasses.replace(made.host.services, notify=lambda text, hint: told.append(text))
    return told


# -- on and off ---------------------------------------------------------------------------------------------------


def test_tools_cost_nothing_before_they_are_switched_on() -> None:
    made = bench(on=False)
    assert made.tools() == {}
    assert made.blocks() == []
    assert made.sampling() == Sampling()
    assert made.calls(CALL) == []
    assert [message.text for message in made.changed_history()] == [message.text for message in made.history]
    made.command("/tools on")
    assert "roll" in made.tools()
    made.command("/tools off")
    assert made.tools() == {}


def test_one_tool_is_switched_off_in_a_chat_or_in_all_and_back_on_in_one() -> None:
    made = bench()
    assert made.command("/tools off roll") == "roll is off in this chat."
    assert "roll" not in made.tools()
    assert "roll:" not in made.blocks()[0].text
    assert made.command("/tools on roll global") == "roll is on in all chats."
    assert "roll" in made.tools()
    made.command("/tools off names global")
    assert "names" not in made.tools()
    made.command("/tools on names")
    assert "names" in made.tools()
    with pytest.raises(UsageError, match="no tool 'rol'"):
        made.command("/tools off rol")


def test_the_settings_always_and_builtin() -> None:
    made = bench(on=False)
    set_value(made, always=True)
    assert "roll" in made.tools()
    assert made.blocks()
    made.command("/tools off")
    assert made.tools() == {}
    made.command("/tools on")
    set_value(made, builtin=False)
    assert made.tools() == {}
    assert made.blocks() == []
    assert "there are no servers" in made.command("/tools")


# -- the prompt ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "form", "begins"),
    [
        ("airoboros-2", "auto", "As an AI assistant, please select the most suitable function"),
        ("airoboros-3.0", "auto", "As an AI assistant, please select"),
        ("airoboros-1.4", "auto", "You can use the tools below."),
        ("chatml", "auto", "You can use the tools below."),
        ("", "auto", "You can use the tools below."),
        ("chatml", "plan", "Please create a step-by-step plan"),
        ("chatml", "choice", "As an AI assistant"),
        ("airoboros-2", "json", "You can use the tools below."),
    ],
)
def test_the_list_of_tools_stands_pinned_in_the_head_in_the_form_of_the_model(
    template: str, form: str, begins: str
) -> None:
    made = bench(template=template)
    set_value(made, form=form)
    (block,) = made.blocks()
    assert block.text.startswith(begins)
    assert (block.source, block.depth, block.pinned, block.role) == (
        "plugin:tools/list",
        None,
        True,
        "system",
    )
    assert block.order > 0
    told = {"As": "choice", "Yo": "json", "Pl": "plan"}[begins[:2]]
    assert (f"in the form {told}." in made.command("/tools")) == bool(template)


def test_a_list_that_leaves_no_room_for_the_chat_may_be_dropped() -> None:
    made = bench()
    made.host.services = dataclasses.replace(made.host.services, n_ctx=lambda: 8192)
    assert made.blocks()[0].pinned
    made.host.services = dataclasses.replace(made.host.services, n_ctx=lambda: 600)
    assert not made.blocks()[0].pinned


def test_the_list_is_the_same_in_every_turn_and_for_every_purpose() -> None:
    made = bench()
    first = made.blocks()
    add_results(made)
    made.add("Thanks.", "user")
    assert made.blocks() == first
    made._chat["purpose"] = "user"
    assert made.blocks() == first


def test_replies_are_bound_to_a_call_or_plain_text_but_nothing_else_is() -> None:
    made = bench()
    bound = made.sampling()
    assert "call | prose" in bound.grammar
    assert "r-call-roll" in bound.grammar
    own = Sampling(grammar='root ::= "a"')
    assert made.sampling(own) == own
    schema = Sampling(json_schema='{"type": "object"}')
    assert made.sampling(schema) == schema
    for purpose in ("user", "continue"):
        made._chat["purpose"] = purpose
        assert made.sampling() == Sampling()
    made._chat["purpose"] = "reply"
    set_value(made, constrain=False)
    assert made.sampling() == Sampling()


def test_after_enough_rounds_the_model_has_to_answer() -> None:
    made = bench()
    set_value(made, max_rounds=2)
    for _ in range(2):
        assert "call | prose" in made.sampling().grammar
        add_results(made)
    assert "root ::= lead prose\n" in made.sampling().grammar
    told = notices(made)
    assert made.calls(CALL, 2) == []
    assert told == ["The model has called tools 2 times in a row; this call was not made."]
    made.add("And now?", "user")
    assert "call | prose" in made.sampling().grammar
    assert made.calls(CALL, 1) == [ToolCall("roll", {"notation": "2d6"})]


def test_a_call_is_asked_for_once() -> None:
    made = bench()
    assert made.command("/call roll a 2d6 for luck") == "The next reply calls roll."
    listed, asked = made.blocks()
    assert (asked.depth, asked.text) == (0, "Call roll now. a 2d6 for luck")
    assert "prose" not in made.sampling().grammar
    assert "r-call-oracle" not in made.sampling().grammar
    assert made.calls(CALL)
    assert made.blocks() == [listed]
    assert "call | prose" in made.sampling().grammar
    made.command("/call roll")
    made.command("/call off")
    assert made.blocks() == [listed]
    made.command("/call roll")
    made.tell("on_turn_finished", TurnFacts("bench", "t", made.history[-1], "eos"))
    assert made.blocks() == [listed]
    with pytest.raises(UsageError, match="no tool 'rol'"):
        made.command("/call rol")
    made.command("/tools off")
    with pytest.raises(UsageError, match="Tools are off"):
        made.command("/call roll")


def test_with_force_every_answer_begins_with_a_call() -> None:
    made = bench()
    set_value(made, force=True)
    assert "prose" not in made.sampling().grammar
    assert "r-call-oracle" in made.sampling().grammar
    add_results(made)
    assert "call | prose" in made.sampling().grammar


def test_where_a_call_has_to_come_the_trained_request_takes_the_place_of_what_was_said() -> None:
    made = bench(template="airoboros-2")
    assert made.changed_history()[-1].text == "Roll."
    made.command("/call roll")
    assert made.changed_history()[-1].text == (
        "As an AI assistant, please select the most suitable function and parameters from the list of available "
        "functions below, based on the user's input. Provide your response in JSON format.\n\nInput: Roll.\n\n"
        "Available functions:\nroll:\n  description: Throws dice, whenever chance decides.\n  params:\n"
        "    notation: Such as 2d6+3, 4d6kh3, d% or 3d6!"
    )
    assert made.changed_history()[0].text == "Hello."
    assert len(made.blocks()) == 1
    made.command("/call roll a 2d6")
    assert "\n\nInput: Roll.\na 2d6\n\nAvailable functions:" in made.changed_history()[-1].text
    made.command("/tools off roll")
    assert made.changed_history()[-1].text == "Roll."
    assert "call | prose" in made.sampling().grammar
    made.command("/tools on roll")
    set_value(made, form="plan")
    text = made.changed_history()[-1].text
    assert text.startswith(plan_prompt("Roll.", tools={"x": "y"})[:300])
    assert text.endswith("\n\nQuestion: Roll.\na 2d6")
    made._chat["purpose"] = "user"
    assert made.changed_history()[-1].text == "Roll."


# -- calls --------------------------------------------------------------------------------------------------------


def test_a_call_of_no_tool_is_told_and_others_are_made() -> None:
    made = bench()
    told = notices(made)
    found = made.calls(f'{CALL} {{"tool": "rol", "arguments": {{}}}}')
    assert found == [ToolCall("roll", {"notation": "2d6"})]
    assert told == ["The model calls 'rol', which is not one of its tools."]


def test_what_the_model_wrote_counts_and_not_what_other_plugins_made_of_it() -> None:
    made = bench()
    message = made.add("(dice)", "assistant")
    raw = dataclasses.replace(message, provenance=Provenance(raw=CALL))
    tools = list(made.tools().values())
    assert made.host.calls(made.context, raw, tools, 0) == [ToolCall("roll", {"notation": "2d6"})]


def test_results_are_told_in_the_words_of_the_form() -> None:
    made = bench()
    (call,) = made.calls(CALL)
    draft = made.results(made.run_tool(call))
    assert draft.text.startswith("Result of roll: 2d6: [")
    assert draft.again


# -- commands and the panel ---------------------------------------------------------------------------------------


def test_the_command_tells_tools_and_calls() -> None:
    made = bench()
    add_results(made)
    add_results(
        made, {"tool": "read_file", "arguments": {}, "state": "denied", "text": "Not\x1b[2J allowed."}
    )
    told = made.command("/tools")
    assert "  roll: Throws dice, whenever chance decides." in told
    assert "  read_file (asks first): " in told
    assert '  7.0 read_file: denied, Not allowed.\n  5.0 roll {"notation": "2d6"}: 7' in told
    assert made.command("/tools calls").count("\n") == 1
    assert bench().command("/tools calls") == "The model has called nothing yet."
    for wrong in ("/tools nix", "/tools server nix", "/tools off roll everywhere", "/notes nix"):
        with pytest.raises(UsageError):
            made.command(wrong)


def test_what_is_wrong_with_the_files_of_the_user_is_told() -> None:
    made = bench()
    folder = made.context().folder
    (folder / "tables").mkdir()
    (folder / "tables" / "empty.txt").write_text("")
    (folder / "servers.toml").write_text("one = 3\n")
    told = made.command("/tools")
    assert "The table empty has 0 entries." in told
    assert "The server one in servers.toml is not a table. Write [one]." in told
    assert sum(isinstance(part, Text) and part.tone == "warning" for part in made.panel().parts) == 2
    assert "roll" in made.tools()
    with pytest.raises(UsageError, match=r"in servers.toml is not a table"):
        made.command("/tools server add two prog")


def rows(made: PluginBench, name: str) -> Rows:
    return next(part for part in made.panel().parts if isinstance(part, Rows) and part.name == name)


def test_the_panel_switches_tools_and_shows_calls() -> None:
    made = bench(on=False)
    assert any(isinstance(part, Text) and "off in this chat" in part.text for part in made.panel().parts)
    assert made.act("switch").message == "Tools are on in this chat.\n/tools lists them."
    assert {row.key: row.cells[1] for row in rows(made, "tools").rows}["roll"] == "on"
    made.act("toggle", "roll")
    assert {row.key: row.cells[1] for row in rows(made, "tools").rows}["roll"] == "off"
    made.act("toggle", "roll")
    assert made.act("call", "roll").message == "The next reply calls roll."
    assert rows(made, "calls").rows == ()
    add_results(made)
    (row,) = rows(made, "calls").rows
    assert row.cells == ('roll {"notation": "2d6"}', "done", "7")
    place = made.act("open", row.key).place
    assert place == "call 5.0"
    view = made.panel(place=place)
    assert view.title == "Call of roll"
    assert any(isinstance(part, Text) and part.text == "7" for part in view.parts)
    assert "not on this branch" in str(made.panel(place="call 99.9"))
    assert made.act("switch").message == "Tools are off in this chat."


def test_the_library_of_servers_is_not_loaded_without_one() -> None:
    import subprocess

    program = (
        "import sys; from pathlib import Path; from airochat.hooks.testing import PluginBench;"
        f"made = PluginBench(Path({str(FOLDER)!r}), ['Hi']); made.command('/tools on'); made.tools(); made.blocks();"
        "made.sampling(); made.panel(); print({'mcp', 'anyio'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == "set()"
