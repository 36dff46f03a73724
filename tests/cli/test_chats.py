"""``airochat chats``: list, show, export, import, delete, restore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.backends.scripted import REPLIES
from tests.hooks.helpers import write_plugin

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
    assert markdown == f"# First chat\n\n**You**\n\nFirst chat\n\n**Assistant**\n\n{REPLIES[0]}\n"
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


# -- import


def tavern(path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {"user_name": "Rook", "character_name": "Maya", "chat_metadata": {}},
        {
            "name": "Maya",
            "is_user": False,
            "mes": "Hello.\x1b[2J",
            "swipes": ["Hm.", "Hello.\x1b[2J"],
            "swipe_id": 1,
        },
        {"name": "Rook", "is_user": True, "mes": ""},
        {"name": "Rook", "is_user": True, "mes": "Hi!"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_a_chat_of_another_program_is_imported(cli: Cli, tmp_path: Path) -> None:
    result = cli("chats", "import", str(tavern(tmp_path / "Night walk.jsonl")))
    assert result.exit_code == 0
    assert result.stdout.startswith("Imported: ") and result.stdout.endswith("  Night walk (3 messages)\n")
    assert "Line 3: it is an empty message" in result.stderr
    assert cli("chats", "show", "Night walk").stdout.startswith("Maya: Hello.")
    assert "Rook: Hi!" in cli("chats", "export", "Night walk", "--to", "text").stdout


def test_an_import_tells_programs_what_came_of_it(cli: Cli, tmp_path: Path) -> None:
    told = json.loads(cli("chats", "import", str(tavern(tmp_path / "a.jsonl")), "--json").stdout)
    assert [(chat["title"], chat["messages"]) for chat in told["chats"]] == [("a", 3)]
    assert told["from"] == "sillytavern"
    assert len(told["warnings"]) == 2
    assert [chat["id"] for chat in listed(cli)] == [told["chats"][0]["id"]]


def test_of_many_warnings_some_are_shown(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    broken = ["{" + " " * number + "x" for number in range(30)]
    file.write_text("\n".join([json.dumps({"name": "Rook", "is_user": True, "mes": "Hi"}), *broken]))
    stderr = cli("chats", "import", str(file)).stderr
    assert "Line 21: " in stderr and "Line 22: " not in stderr
    assert "There are 10 more of these" in stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("README",), "is no chat of a known form"),
        (("none",), "cannot be read"),
        (("README", "--from", "jsonl"), "is no chat of the form jsonl"),
        (("README", "--from", "nope"), "There is no importer 'nope'"),
    ],
)
def test_what_is_no_chat_is_refused(cli: Cli, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    (tmp_path / "README").write_text("Once upon a time")
    result = cli("chats", "import", str(tmp_path / options[0]), *options[1:])
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert listed(cli) == []


@pytest.mark.usefixtures("two")
def test_an_exported_chat_is_imported_elsewhere_as_it_was(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("say", "--continue", "And then?", "--model", "scripted", "--swipes", "3")
    for form in ("jsonl", "sillytavern"):
        assert (
            cli("chats", "export", listed(cli)[0]["id"], "--to", form, "-o", str(tmp_path / form)).exit_code
            == 0
        )
    shown = cli("chats", "show", listed(cli)[0]["id"]).stdout
    monkeypatch.setenv("AIROCHAT_HOME", str(tmp_path / "elsewhere"))
    for form in ("jsonl", "sillytavern"):
        told = json.loads(cli("chats", "import", str(tmp_path / form), "--json").stdout)
        assert (told["from"], told["warnings"]) == (form, [])
        assert cli("chats", "show", told["chats"][0]["id"]).stdout == shown
        if form == "jsonl":
            again = cli("chats", "export", told["chats"][0]["id"], "--to", "jsonl").stdout
            assert again == (tmp_path / form).read_text(encoding="utf-8")


@pytest.mark.usefixtures("two")
def test_an_unknown_form_is_refused(cli: Cli) -> None:
    result = cli("chats", "export", "First chat", "--to", "markdwon")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'markdown'?" in result.stderr


BYTES = """
    @hookimpl
    def register_exporters(register):
        register(Exporter("bytes", "No text.", lambda context: bytes([0, 255])))
"""


@pytest.mark.usefixtures("two")
def test_what_a_plugin_writes_goes_to_a_file_byte_for_byte(cli: Cli, home: Path, tmp_path: Path) -> None:
    write_plugin(home / "plugins", "raw", BYTES)
    enabled = ("--set", 'plugins_enabled=["raw"]', "chats", "export", "First chat", "--to", "bytes")
    assert cli(*enabled, "-o", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out").read_bytes() == b"\0\xff"
    assert cli(*enabled).stdout_bytes == b"\0\xff"
