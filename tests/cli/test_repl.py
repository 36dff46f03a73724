"""``airochat repl``: in a terminal, and fed by a pipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airochat.backends.scripted import REPLIES

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal, Program

SCRIPTED = ("repl", "--model", "scripted")
LAST = [reply.split()[-1] for reply in REPLIES]


def test_lines_of_a_pipe_are_answered_one_by_one(program: Program, cli: Cli) -> None:
    done = program(*SCRIPTED, stdin=b"Hello\n\nAgain\\\nand more\n/quit\nNever read\n")
    assert done.stdout.decode() == f"{REPLIES[0]}\n{REPLIES[1]}\n"
    assert (done.returncode, done.stderr) == (0, b"")
    shown = json.loads(cli("chats", "show", "Hello", "--json").stdout)
    said = [message["text"] for message in shown["messages"] if message["role"] == "user"]
    assert said == ["Hello", "Again\nand more"]


def test_steps_back_and_alternatives(program: Program, cli: Cli) -> None:
    done = program(*SCRIPTED, stdin=b"Hello\n/swipe\n/undo\n/redo\n")
    assert done.returncode == 0
    assert done.stdout.decode() == f"{REPLIES[0]}\n{REPLIES[1]}\n"
    first, second = (f"Assistant: {reply}\n" for reply in REPLIES[:2])
    assert done.stderr.decode() == first + second
    assert REPLIES[1] in cli("chats", "show", "Hello").stdout


def test_several_alternatives_are_printed_by_number_and_chosen(program: Program, cli: Cli) -> None:
    done = program(*SCRIPTED, stdin=b"Hello\n/swipes 2\n/swipe 3\n/alternatives\n")
    first, *others = REPLIES
    second, third = (f"— {number} of 3 —\n{text}\n" for number, text in enumerate(others, 2))
    assert done.stdout.decode() == f"{first}\n{second}\n{third}— 1 of 3 —\n{first}\n\n{second}\n{third}"
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"2 of 3 is shown; /swipe K shows number K.\n3 of 3\nAssistant: {REPLIES[2]}\n"
    )
    assert REPLIES[2] in cli("chats", "show", "Hello").stdout


def test_an_alternative_that_is_not_there(program: Program) -> None:
    done = program(
        *SCRIPTED, stdin=b"/swipe 1\n/alternatives\nHello\n/swipe 2\n/swipe 0\n/swipe x\n/swipes 99\n"
    )
    assert done.returncode == 1
    said = done.stderr.decode()
    assert said.count("There is no alternative") == 4 and said.count("nothing yet") == 2 and "1 to 16" in said
    assert done.stdout.decode() == REPLIES[0] + "\n"


def test_a_reply_is_steered_by_its_tokens(program: Program) -> None:
    done = program(*SCRIPTED, stdin=b"Hello\n/tokens 2\n/steer 2 hi\n/tokens\n")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().removeprefix(REPLIES[0]).strip().splitlines()
    assert lines[0].startswith("Token 2 of ") and lines[0].endswith(' "e": 50%.')
    assert lines[1] == '1. "e" 50%, as written' and "/steer 2" in lines[6]
    steered = next(line for line in lines if line.startswith("*Sh"))
    assert steered == f"*Shhi{REPLIES[1]}"
    assert any(line.startswith("The 40 least likely of") for line in lines)


def test_a_command_of_a_plugin(program: Program) -> None:
    done = program(*SCRIPTED, stdin=b"/note The rain grows louder.\n/note\n")
    assert done.returncode == 0
    assert done.stdout.decode().count("The rain grows louder.") == 2


def test_mistakes_are_told_and_the_rest_goes_on(program: Program) -> None:
    done = program(*SCRIPTED, stdin=b"/nope\n/undo\n/redo\n/swipe\ncaf\xe9\n/model nope\n")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert all(part in said for part in ("/nope", "nothing to undo", "nothing to redo", "0xe9", "'nope'"))
    assert "Traceback" not in said
    assert done.stdout == b""


def test_it_goes_on_with_a_chat_and_leaves_none_that_is_empty(program: Program, cli: Cli) -> None:
    assert program(*SCRIPTED, stdin=b"").returncode == 0
    assert json.loads(cli("chats", "list", "--json").stdout)["chats"] == []
    program(*SCRIPTED, stdin=b"One\n/new\nTwo\n")
    program(*SCRIPTED, "--session", "One", stdin=b"Three\n")
    program(*SCRIPTED, "--continue", stdin=b"//Four\n")
    found = json.loads(cli("chats", "list", "--json").stdout)["chats"]
    assert [(chat["title"], chat["messages"]) for chat in found] == [("One", 6), ("Two", 2)]


def test_help_lists_its_own_commands_and_those_of_plugins(program: Program) -> None:
    said = program(*SCRIPTED, stdin=b"/help\n").stderr.decode()
    assert all(name in said for name in ("/swipe", "/undo", "/quit", "/note"))


def test_in_a_terminal_it_prompts_and_shows_no_escape_sequences_of_others(terminal: InTerminal) -> None:
    repl = terminal(*SCRIPTED, NO_COLOR="1", INPUTRC="/dev/null")
    repl.wait_for("> ")
    repl.type("Hello\n")
    repl.wait_for(LAST[0])
    repl.wait_for("> ")
    repl.type("One\\\n")
    repl.wait_for(". ")
    repl.type("Two\n")
    repl.wait_for(LAST[1])
    repl.wait_for("> ")
    repl.interrupt("/quit ends the chat")
    repl.wait_for("> ")
    repl.type("\x04")
    assert repl.finish() == 0


def test_ctrl_c_in_a_terminal_stops_the_reply_and_not_the_chat(terminal: InTerminal, cli: Cli) -> None:
    line = ("--set", "n_ctx=512", "--model", "demo", "repl", "--max-tokens", "400", "--seed", "1")
    repl = terminal(*line, NO_COLOR="1")
    repl.wait_for("> ")
    repl.type("Tell a long story.\n")
    repl.wait_for("story.\r\n")
    repl.wait_for(" a ")
    repl.interrupt("> ")
    repl.type("/quit\n")
    assert repl.finish() == 0
    shown = json.loads(cli("chats", "show", "Tell a long story.", "--json").stdout)
    assert shown["messages"][-1]["state"] == "stopped"
    assert " a " in shown["messages"][-1]["text"]


def test_a_reply_goes_on(program: Program) -> None:
    done = program(*SCRIPTED, "--max-tokens", "3", stdin=b"Hello\n/go\n")
    first, longer = done.stdout.decode().splitlines()[:2]
    assert longer.startswith(first) and len(longer) > len(first)
