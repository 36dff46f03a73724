"""``airochat chats``: list, show, export, delete, restore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.backends.scripted import REPLIES

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


def listed(cli: Cli, *options: str) -> list[dict[str, Any]]:
    chats: list[dict[str, Any]] = json.loads(cli("chats", "list", "--json", *options).stdout)["chats"]
    return chats


@pytest.fixture
def two(cli: Cli) -> None:
    """Two chats, the second with a title that folds."""
    cli("say", "First chat", "--model", "scripted")
    cli("say", "Second\n  chat", "--model", "scripted")


def test_without_chats_the_list_is_empty(cli: Cli) -> None:
    result = cli("chats", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert listed(cli) == []


@pytest.mark.usefixtures("two")
def test_the_list_has_the_newest_first_and_ids_that_work(cli: Cli) -> None:
    lines = cli("chats", "list").stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["Second chat", "First chat"]
    short = lines[1].split()[0]
    assert cli("chats", "show", short).stdout.startswith("You: First chat\n\nAssistant: ")
    assert listed(cli)[1]["id"].endswith(short)


@pytest.mark.usefixtures("two")
def test_show_tells_who_said_what(cli: Cli) -> None:
    shown = json.loads(cli("chats", "show", "First chat", "--json").stdout)
    assert [message["name"] for message in shown["messages"]] == ["You", "Assistant"]
    assert shown["messages"][1]["text"] == REPLIES[0]
    assert shown["messages"][1]["model"] == "scripted"
    assert shown["messages"][1]["parent"] == shown["messages"][0]["id"]


@pytest.mark.usefixtures("two")
def test_export_to_markdown_and_jsonl(cli: Cli, tmp_path: Path) -> None:
    markdown = cli("chats", "export", "First chat").stdout
    assert markdown == f"# First chat\n\n**You:**\n\nFirst chat\n\n**Assistant:**\n\n{REPLIES[0]}\n"
    file = tmp_path / "chat.jsonl"
    assert cli("chats", "export", "First chat", "--to", "jsonl", "-o", str(file)).exit_code == 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["First chat", REPLIES[0]]


@pytest.mark.usefixtures("two")
def test_export_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("mine", encoding="utf-8")
    result = cli("chats", "export", "First chat", "-o", str(file))
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert file.read_text(encoding="utf-8") == "mine"
    assert cli("chats", "export", "First chat", "-o", str(tmp_path / "no" / "folder")).exit_code == 1


@pytest.mark.usefixtures("two")
def test_a_deleted_chat_can_be_restored(cli: Cli) -> None:
    assert "First chat" in cli("chats", "delete", "First chat").stdout
    assert [chat["title"] for chat in listed(cli)] == ["Second chat"]
    assert [chat["title"] for chat in listed(cli, "--deleted")] == ["First chat"]
    assert cli("chats", "restore", "First chat").exit_code == 0
    assert [chat["title"] for chat in listed(cli)] == ["Second chat", "First chat"]
    assert "not in the bin" in cli("chats", "restore", "First chat").stderr


@pytest.mark.parametrize("verb", ["show", "delete", "restore", "export"])
@pytest.mark.parametrize("name", ["nope", "", "%", "'; DROP TABLE sessions; --"])
def test_an_unknown_chat_is_said_to_be_unknown(cli: Cli, verb: str, name: str) -> None:
    result = cli("chats", verb, name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is no session" in result.stderr


@pytest.mark.usefixtures("two")
def test_a_damaged_database_is_reported(cli: Cli, home: Path) -> None:
    for file in home.glob("airochat.db*"):
        file.write_bytes(b"not a database" * 1000)
    result = cli("chats", "list")
    assert result.exit_code == 1
    assert "airochat.db" in result.stderr
