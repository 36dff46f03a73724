"""``airochat say`` on the scripted model and on a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.backends.scripted import REPLIES
from tests.cli.conftest import START

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal, Program

SCRIPTED = ("--model", "scripted")
REPLY = REPLIES[0]
LONG = (
    "--set",
    "n_ctx=512",
    "--model",
    "demo",
    "say",
    "Tell a long story.",
    "--max-tokens",
    "400",
    "--seed",
    "1",
)


def chats(cli: Cli) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(cli("chats", "list", "--json").stdout)["chats"]
    return listed


def messages(cli: Cli, session: str) -> list[tuple[str, str]]:
    shown = json.loads(cli("chats", "show", session, "--json").stdout)
    return [(message["role"], message["text"]) for message in shown["messages"]]


def test_the_reply_goes_to_stdout_and_nothing_else_does(program: Program) -> None:
    done = program("say", "Hello", *SCRIPTED)
    assert done.stdout.decode() == REPLY + "\n"
    assert (done.returncode, done.stderr) == (0, b"")


def test_json_has_the_promised_keys(cli: Cli) -> None:
    told = json.loads(cli("say", "Hello", *SCRIPTED, "--seed", "5", "--json").stdout)
    assert list(told) == [
        "text", "template", "why", "model", "seed", "session", "message", "name", "stop_reason", "usage",
        "timings", "bans", "calls",
    ]  # fmt: skip
    assert list(told["usage"]) == ["prompt", "reused", "evaluated", "generated", "moved", "restored"]
    assert list(told["timings"]) == ["first_token_s", "tokens_per_s"]
    assert (told["text"], told["seed"], told["model"]) == (REPLY, 5, "scripted")
    assert told["stop_reason"] == "eos"
    assert told["usage"]["prompt"] == told["usage"]["reused"] + told["usage"]["evaluated"] > 0
    assert told["usage"]["generated"] > 0
    assert told["why"]
    assert messages(cli, told["session"]) == [("user", "Hello"), ("assistant", REPLY)]


def test_the_same_seed_gives_the_same_text_on_a_real_model(cli: Cli) -> None:
    line = ("say", "Write one sentence about llamas.", "--seed", "7", "--max-tokens", "24", "--json")
    first, second = (json.loads(cli("--set", "n_ctx=512", "--model", "demo", *line).stdout) for _ in range(2))
    assert first["text"] == second["text"] != ""
    assert first["seed"] == second["seed"] == 7
    assert first["template"] == "gguf"
    assert "SmolLM2" in first["model"]
    assert first["timings"]["tokens_per_s"] > 0
    assert first["session"] != second["session"]


def test_each_call_begins_a_chat_unless_told_to_go_on(cli: Cli) -> None:
    cli("say", "One", *SCRIPTED)
    cli("say", "Two", *SCRIPTED)
    assert [chat["title"] for chat in chats(cli)] == ["Two", "One"]
    cli("say", "Three", *SCRIPTED, "--continue")
    cli("say", "Four", *SCRIPTED, "--session", "One")
    cli("say", "Five", *SCRIPTED, "--new")
    assert [(chat["title"], chat["messages"]) for chat in chats(cli)] == [("Five", 2), ("One", 4), ("Two", 4)]


def test_a_command_of_a_plugin_works_on_a_chat(cli: Cli) -> None:
    cli("say", "Hello", *SCRIPTED)
    answer = cli("say", "/note The rain grows louder.", "--continue")
    assert answer.exit_code == 0
    assert "The rain grows louder." in answer.stdout
    told = json.loads(cli("say", "/note", "--session", "Hello", "--json").stdout)
    assert "The rain grows louder." in told["text"]
    assert chats(cli)[0]["messages"] == 2


def test_a_command_needs_a_chat_and_must_be_known(cli: Cli) -> None:
    alone = cli("say", "/note rain", *SCRIPTED)
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert "--session" in alone.stderr
    cli("say", "Hello", *SCRIPTED)
    unknown = cli("say", "/nope", "--continue")
    assert unknown.exit_code == 2
    assert "/nope" in unknown.stderr


def test_two_slashes_say_one(cli: Cli) -> None:
    cli("say", "//note is a command", *SCRIPTED)
    assert messages(cli, "/note is a command")[0] == ("user", "/note is a command")


def test_text_comes_from_standard_input(cli: Cli, program: Program) -> None:
    done = program("say", "-", *SCRIPTED, stdin="\ufeffGrüße\r\nan alle\n\n".encode())
    assert (done.returncode, done.stdout.decode()) == (0, REPLY + "\n")
    assert messages(cli, chats(cli)[0]["id"])[0] == ("user", "Grüße\nan alle")


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"caf\xe9", "byte 0xe9 at position 3"),
        (b"", "no text"),
        (b" \n\t\n", "no text"),
        (b"\xff\xfeh\x00", "0xff"),
    ],
)
def test_standard_input_that_is_no_text_is_refused(program: Program, stdin: bytes, said: str) -> None:
    done = program("say", "-", *SCRIPTED, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()


@pytest.mark.parametrize("text", [b"", b"  ", b"caf\xe9"])
def test_an_argument_that_is_no_text_is_refused(program: Program, cli: Cli, text: bytes) -> None:
    done = program("say", text, *SCRIPTED)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"airochat: ")
    assert chats(cli) == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--model", "nope"), 1, "'nope'"),
        (("--model", "/nowhere/model.gguf"), 1, "/nowhere/model.gguf"),
        ((), 1, "--model"),
        ((*SCRIPTED, "--session", "nope"), 2, "'nope'"),
        ((*SCRIPTED, "--continue"), 2, "no chat to continue"),
        ((*SCRIPTED, "--template", "nope"), 2, "'nope'"),
        ((*SCRIPTED, "--card", "/nowhere.json"), 1, "/nowhere.json"),
        ((*SCRIPTED, "--temp", "99"), 2, "temperature"),
        ((*SCRIPTED, "--top-p", "much"), 2, "much"),
        ((*SCRIPTED, "--session", "a", "--new"), 2, "only one"),
        ((*SCRIPTED, "--stop", ""), 2, "stop"),
    ],
)
def test_a_mistake_is_named_and_leaves_no_chat(
    cli: Cli, options: tuple[str, ...], code: int, said: str
) -> None:
    result = cli("say", "Hello", *options)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert chats(cli) == []


def test_a_card_is_for_a_new_chat_and_begins_with_its_greeting(cli: Cli, tmp_path: Path) -> None:
    card = tmp_path / "aria.json"
    card.write_text('{"name": "Aria", "first_mes": "Hello, {{user}}."}', encoding="utf-8")
    told = json.loads(cli("say", "Hi", *SCRIPTED, "--card", str(card), "--persona", "Rowan", "--json").stdout)
    assert messages(cli, told["session"])[0] == ("assistant", "Hello, Rowan.")
    again = cli("say", "Hi", *SCRIPTED, "--card", str(card), "--session", told["session"])
    assert again.exit_code == 2


def test_template_and_system_are_kept_with_the_chat(cli: Cli) -> None:
    begun = json.loads(cli("say", "Hi", *SCRIPTED, "--json").stdout)
    told = json.loads(
        cli(
            "say", "Hi", *SCRIPTED, "--continue", "--template", "airoboros-2", "--system", "Sing.", "--json"
        ).stdout
    )
    assert begun["template"] != "airoboros-2"
    assert told["template"] == "airoboros-2"
    assert json.loads(cli("say", "Hi", *SCRIPTED, "--continue", "--json").stdout)["template"] == "airoboros-2"


def test_a_reply_may_be_cut_short(cli: Cli) -> None:
    told = json.loads(cli("say", "Hi", *SCRIPTED, "--max-tokens", "3", "--json").stdout)
    assert (told["stop_reason"], told["usage"]["generated"]) == ("length", 3)
    told = json.loads(cli("say", "Hi", *SCRIPTED, "--stop", "map", "--stop", "lantern", "--json").stdout)
    assert told["stop_reason"] == "stop"
    assert "map" not in told["text"]


def test_a_reply_that_fails_is_told_and_exits_with_1(cli: Cli) -> None:
    result = cli("say", "word " * 30_000, *SCRIPTED, "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith("airochat: ")
    told = json.loads(result.stdout)
    assert (told["stop_reason"], told["text"], told["message"]) == ("failed", "", None)
    assert [role for role, _ in messages(cli, told["session"])] == ["user"]


def test_output_that_cannot_be_written_is_told(cli: Cli) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*START, "say", "Hello", *SCRIPTED], stdout=full, stderr=subprocess.PIPE, check=False, timeout=120
        )
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert messages(cli, "Hello")[-1] == ("assistant", REPLY)


def test_ctrl_c_stops_the_reply_and_keeps_it(cli: Cli) -> None:
    with subprocess.Popen(
        [*START, *LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout and process.stderr
        begun = os.read(process.stdout.fileno(), 1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the engine's process gets it, too
        printed = (begun + process.stdout.read()).decode()
        assert process.stderr.read() == b""
    assert process.returncode == 130
    role, text = messages(cli, chats(cli)[0]["id"])[-1]
    assert role == "assistant"
    assert text.strip() and printed.strip().startswith(text.strip()[:20])
    assert (
        json.loads(cli("chats", "show", "Tell a long story.", "--json").stdout)["messages"][-1]["state"]
        == "stopped"
    )


def test_a_closed_pipe_ends_it_quietly_and_keeps_the_reply(cli: Cli) -> None:
    with subprocess.Popen([*START, *LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
    assert messages(cli, chats(cli)[0]["id"])[-1][1].strip()


def test_a_terminal_gets_no_escape_sequences_but_a_pipe_gets_every_byte(
    cli: Cli, program: Program, terminal: InTerminal
) -> None:
    cli("say", "red \x1b[31m\x9b2J alarm", *SCRIPTED)
    shown = terminal("chats", "show", chats(cli)[0]["id"])
    assert shown.finish() == 0
    assert "red  alarm" in shown.screen
    assert "\x1b" not in shown.screen
    piped = program("chats", "show", chats(cli)[0]["id"]).stdout.decode()
    assert "red \x1b[31m\x9b2J alarm" in piped
    told = program("chats", "show", chats(cli)[0]["id"], "--json").stdout.decode()
    assert "\x1b" not in told and "\x9b" not in told
    assert json.loads(told)["messages"][0]["text"] == "red \x1b[31m\x9b2J alarm"


def test_a_terminal_of_another_encoding_gets_what_it_can_show(program: Program) -> None:
    done = program("say", "Hello", *SCRIPTED, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert b"wolves don't" in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_reply_can_be_given_its_first_words(cli: Cli) -> None:
    done = cli("say", "Hello", *SCRIPTED, "--prefill", "Well: ")
    assert done.stdout.startswith("Well: ") and len(done.stdout) > len("Well: \n")
    assert messages(cli, chats(cli)[0]["id"])[-1][1] == done.stdout.strip()


def test_alternatives_follow_the_reply_under_their_numbers(program: Program, cli: Cli) -> None:
    done = program("say", "Hello", *SCRIPTED, "--swipes", "3")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{REPLY}\n\n— 2 of 3 —\n{REPLIES[1]}\n\n— 3 of 3 —\n{REPLIES[2]}\n"
    (chat,) = chats(cli)
    assert chat["messages"] == 4 and messages(cli, chat["id"]) == [("user", "Hello"), ("assistant", REPLY)]
    again = cli("say", "And?", *SCRIPTED, "--continue", "--swipes", "1")
    assert again.stdout == f"{REPLY}\n"


def test_alternatives_are_a_list_in_json(cli: Cli) -> None:
    told = json.loads(cli("say", "Hello", *SCRIPTED, "--seed", "5", "--swipes", "3", "--json").stdout)
    assert [one["text"] for one in told["swipes"]] == list(REPLIES)
    assert [one["seed"] for one in told["swipes"]] == [5, 6, 7]
    assert {one["stop_reason"] for one in told["swipes"]} == {"eos"}
    first = told["swipes"][0]
    assert {name: told[name] for name in first} == first, "the reply itself is the first of them"
    assert len({one["message"] for one in told["swipes"]}) == 3
    assert told["usage"]["generated"] > 100
    assert len(json.loads(cli("say", "Hello", *SCRIPTED, "--swipes", "1", "--json").stdout)["swipes"]) == 1


@pytest.mark.parametrize("count", ["0", "17", "-1", "many"])
def test_a_number_of_alternatives_that_cannot_be_leaves_no_chat(cli: Cli, count: str) -> None:
    result = cli("say", "Hello", *SCRIPTED, "--swipes", count)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--swipes" in result.stderr
    assert chats(cli) == []


def test_in_a_group_alternatives_wait_to_be_chosen(cli: Cli, tmp_path: Path) -> None:
    for name in ("Maya", "Brann"):
        (tmp_path / name).with_suffix(".json").write_text(f'{{"name": "{name}"}}', encoding="utf-8")
    cards = ("--card", str(tmp_path / "Maya.json"), "--card", str(tmp_path / "Brann.json"))
    both = cli("say", "Maya and Brann?", *SCRIPTED, *cards)
    assert both.stdout.count("Maya: ") == both.stdout.count("Brann: ") == 1
    done = cli("say", "Maya and Brann?", *SCRIPTED, *cards, "--swipes", "2")
    assert done.stdout == f"Maya: {REPLY}\n\n— 2 of 2 —\nMaya: {REPLIES[1]}\n"


def test_a_failed_reply_leaves_those_before_it(cli: Cli) -> None:
    told = json.loads(cli("say", "word " * 30_000, *SCRIPTED, "--swipes", "2", "--json").stdout)
    assert (told["stop_reason"], told["swipes"]) == ("failed", [])


def test_ctrl_c_keeps_what_there_is_of_the_alternatives(cli: Cli) -> None:
    with subprocess.Popen(
        [*START, *LONG, "--swipes", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout and process.stderr
        while not _some_text(cli):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        told = json.loads(process.stdout.read())
        assert process.stderr.read().strip() == b""
    assert process.returncode == 130
    assert told["swipes"] and told["swipes"][0]["stop_reason"] == "user"
    assert all(one["text"].strip() for one in told["swipes"])
    assert chats(cli)[0]["messages"] == 1 + len(told["swipes"])


def _some_text(cli: Cli) -> bool:
    """Whether a reply that is being written has been saved."""
    return any(chat["messages"] > 1 for chat in chats(cli))


def test_the_models_own_template_can_be_asked_for(cli: Cli) -> None:
    done = cli("say", "Hello", "--model", "demo", "--template", "gguf", "--max-tokens", "2", "--json")
    assert json.loads(done.stdout)["template"] == "gguf"


def test_what_was_kept_out_of_a_reply_is_told(cli: Cli, demo_model: Path) -> None:
    words = ["Tell me of the sea.", "--model", str(demo_model), "--seed", "3", "--max-tokens", "30", "--json"]
    free = json.loads(cli("say", *words).stdout)
    phrase = free["text"].split()[1]
    done = json.loads(cli("say", *words, "--banned", phrase).stdout)
    assert phrase.lower() not in done["text"].lower()
    (count,) = done["bans"]["counts"]
    assert (count["phrase"], count["passed"]) == (phrase, 0)
    assert count["removed"] >= 1
    assert free["bans"]["counts"] == []
