"""``airochat cards`` on real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.characters import read_card_file
from tests.characters import files

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Program

ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m"


@pytest.fixture
def maya(tmp_path: Path) -> Path:
    path = tmp_path / "maya.png"
    path.write_bytes(files.png_card(files.V3, "ccv3"))
    return path


@pytest.fixture
def library(cli: Cli, maya: Path) -> Path:
    """The library with one card in it, as the only file of its folder."""
    done = cli("cards", "import", str(maya))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "Imported: maya.png (Maya)\n", "")
    folder = Path(json.loads(cli("cards", "list", "--json").stdout)["folder"])
    assert [path.name for path in folder.iterdir()] == ["maya.png"]
    return folder


def put(folder: Path, file_name: str, /, **fields: Any) -> Path:
    """Write a card of version 2 as JSON, with some fields exchanged."""
    path = folder / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(files.json_bytes({**files.V2, "data": {**files.V2["data"], **fields}}))
    return path


def listed(cli: Cli, *arguments: str) -> list[str]:
    return [card["id"] for card in json.loads(cli("cards", "list", *arguments, "--json").stdout)["cards"]]


def field(cli: Cli, card: str, name: str) -> Any:
    return json.loads(cli("cards", "show", card, "--json").stdout)["fields"][name]


# list


def test_an_empty_library_says_how_to_fill_it(cli: Cli) -> None:
    shown = cli("cards", "list")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "airochat cards import FILE" in shown.stderr
    assert json.loads(cli("cards", "list", "--json").stdout)["cards"] == []


def test_the_list_shows_marks_and_filters(cli: Cli, library: Path) -> None:
    put(library, "zoe.json", name="Zoe", tags=["Bees"], creator_notes="First.\n\nSecond.")
    cli("cards", "favourite", "zoe")
    cli("cards", "edit", "zoe", "--set", "creator=Ana")
    lines = cli("cards", "list").stdout.splitlines()
    assert lines[0].split() == ["FILE", "NAME", "BY", "TAGS", "NOTES"]
    assert lines[2].split() == ["*+", "zoe.json", "Zoe", "Ana", "Bees", "First."]
    assert listed(cli) == ["maya.png", "zoe.json"]
    assert listed(cli, "ana", "second") == ["zoe.json"]
    assert listed(cli, "--tag", "bees") == ["zoe.json"]
    assert listed(cli, "--favourites") == ["zoe.json"]
    nothing = cli("cards", "list", "nobody")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "airochat: No card fits.\n")


def test_a_broken_file_is_in_the_list_with_its_error(cli: Cli, library: Path) -> None:
    (library / "broken.png").write_bytes(files.HTML)
    shown = cli("cards", "list")
    assert shown.exit_code == 0
    assert "broken.png" in shown.stdout and "cannot be read" in shown.stdout
    assert "broken.png is no card: it is a web page" in shown.stderr


# show


def test_show_begins_with_what_the_creator_notes(cli: Cli, library: Path) -> None:
    shown = cli("cards", "show", "maya").stdout
    order = [shown.index(text) for text in ("Maya (May)", "From the creator\n  Likes rain.", "Description\n")]
    assert order == sorted(order)
    for text in (
        "by tests",
        "version 1.1",
        "sea, calm",
        "Other greetings, 2 of 2\n  Three:",
        "{{char}} keeps",
    ):
        assert text in shown


@pytest.mark.parametrize(
    ("environment", "notes"),
    [
        ({"LANG": "de_AT.UTF-8"}, "Mag Regen."),
        ({"LANG": "en_GB.UTF-8"}, "Likes rain."),
        ({"LANG": "fr_FR.UTF-8"}, "Likes rain."),
        ({"LANG": "de", "LC_ALL": "C.UTF-8"}, "Likes rain."),
        ({"LANG": "C", "LC_MESSAGES": "DE@euro"}, "Mag Regen."),
        ({"LANG": "deu_DE"}, "Likes rain."),
    ],
)
def test_the_creators_notes_are_in_the_language_of_the_system(
    cli: Cli, library: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], notes: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert f"From the creator\n  {notes}\n" in cli("cards", "show", "maya").stdout
    assert json.loads(cli("cards", "list", "--json").stdout)["cards"][0]["notes"] == "Likes rain."


def test_show_reads_a_file_that_is_not_in_the_library(cli: Cli, maya: Path) -> None:
    assert cli("cards", "show", str(maya)).stdout.startswith("Maya (May)\n")
    facts = json.loads(cli("cards", "show", str(maya), "--json").stdout)
    assert (facts["form"], facts["entry"], facts["fields"]["name"]) == ("png", None, "Maya")
    assert facts["fields"]["alternate_greetings"][0] == "Two."


def test_nothing_of_a_card_steers_the_terminal(cli: Cli, program: Program, tmp_path: Path) -> None:
    texts = dict.fromkeys(("description", "creator", "creator_notes", "character_version"), f"a{ESCAPES}b")
    path = put(tmp_path, "evil\x1b[2J.json", name=f"Evil{ESCAPES}", tags=[f"t{ESCAPES}"], **texts)
    cli("cards", "import", str(path))
    calls = (["show", str(path)], ["list"], ["show", "Evil"], ["lint", "Evil"], ["show", "Evil", "--json"])
    for call in (*calls, ["import", str(path)], ["favourite", "Evil"], ["list", "--json"]):
        done = program("cards", *call)
        output = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, output
        assert output.replace("\n", "").isprintable(), output
        assert "evil" in output.lower()


@pytest.mark.parametrize("command", ["show", "lint", "export", "edit", "revert", "favourite", "remove"])
def test_an_unknown_card_is_a_usage_error(cli: Cli, library: Path, command: str) -> None:
    done = cli("cards", command, "mayo")
    assert done.exit_code == 2
    assert "There is no card 'mayo' in the library." in done.stderr and "Did you mean" in done.stderr


def test_two_cards_of_one_name_are_listed(cli: Cli, library: Path) -> None:
    put(library, "other.json")
    done = cli("cards", "show", "Maya")
    assert done.exit_code == 2
    assert "2 cards fit 'Maya': 'maya.png', 'other.json'." in done.stderr
    assert cli("cards", "show", "other").exit_code == 0


def test_a_missing_file_is_an_error(cli: Cli, tmp_path: Path) -> None:
    done = cli("cards", "show", str(tmp_path / "none.png"))
    assert done.exit_code == 1
    assert "none.png cannot be read" in done.stderr


# lint


def test_lint_tells_tokens_and_findings(cli: Cli, tmp_path: Path) -> None:
    path = put(tmp_path, "maya.json", first_mes="", description="rain " * 1000)
    shown = cli("cards", "lint", str(path))
    assert shown.exit_code == 0
    assert "estimated" in shown.stdout and "OF 8192" in shown.stdout
    assert "[no-greeting]" in shown.stdout
    facts = json.loads(cli("cards", "lint", str(path), "--json").stdout)
    assert (facts["estimated"], facts["model"], facts["contexts"]) == (True, None, [2048, 4096, 8192])
    tokens = {one["field"]: one["tokens"] for one in facts["fields"]}
    assert tokens["description"] == 1250
    assert facts["total"] == sum(tokens.values())
    assert "no-greeting" in [finding["code"] for finding in facts["findings"]]


def test_lint_counts_with_a_model(cli: Cli, tmp_path: Path, demo_model: Path) -> None:
    path = put(tmp_path, "maya.json", description="rain " * 1000)
    facts = json.loads(cli("cards", "lint", str(path), "--model", str(demo_model), "--json").stdout)
    tokens = {one["field"]: one["tokens"] for one in facts["fields"]}
    assert (facts["estimated"], facts["model"]) == (False, str(demo_model))
    assert 1000 <= tokens["description"] <= 1002


# import


def test_an_import_of_a_folder_takes_all_cards_in_it(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "cards of a friend"
    put(folder, "a.json", name="Anna")
    put(folder, "deeper/b.json", name="Bea")
    put(folder, ".hidden.json")
    (folder / "readme.txt").write_text("Cards.", encoding="utf-8")
    done = cli("cards", "import", str(folder))
    assert (done.exit_code, done.stdout) == (0, "Imported: a.json (Anna)\nImported: b.json (Bea)\n")
    again = cli("cards", "import", str(folder))
    assert (again.exit_code, again.stdout) == (
        0,
        "Known already: a.json (Anna)\nKnown already: b.json (Bea)\n",
    )
    assert listed(cli) == ["a.json", "b.json"]


def test_what_is_no_card_is_named_and_the_others_are_imported(cli: Cli, tmp_path: Path, maya: Path) -> None:
    book = tmp_path / "book.json"
    book.write_bytes(files.json_bytes({"spec": "lorebook_v3", "data": {"entries": []}}))
    done = cli("cards", "import", str(book), str(tmp_path / "none.png"), str(maya), "--json")
    assert done.exit_code == 1
    assert "it is a lorebook" in done.stderr
    rows = json.loads(done.stdout)["cards"]
    assert [bool(row["error"]) for row in rows] == [True, True, False]
    assert rows[2]["card"]["id"] == "maya.png"
    assert listed(cli) == ["maya.png"]


def test_a_folder_without_cards_is_told(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    done = cli("cards", "import", str(folder))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "There is no card" in done.stderr


def test_warnings_of_an_import_are_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + files.json_bytes(files.V2))
    done = cli("cards", "import", str(path))
    assert done.exit_code == 0
    assert "byte order mark" in done.stderr


# export


@pytest.mark.parametrize("form", ["png", "json", "charx", "yaml"])
def test_an_export_can_be_imported_again(cli: Cli, library: Path, tmp_path: Path, form: str) -> None:
    cli("cards", "edit", "maya", "--set", "description=Keeps bees.")
    out = tmp_path / f"out.{form}"
    done = cli("cards", "export", "maya", "--to", form, "--out", str(out))
    assert (done.exit_code, done.stdout) == (0, f"Written: {out}\n")
    made = read_card_file(out)
    assert (made.form, made.card.name) == (form, "Maya")
    assert "Keeps bees." in made.card.description
    assert cli("cards", "import", str(out)).exit_code == 0
    assert listed(cli) == ["maya.png", f"out.{form}"]


def test_an_export_goes_to_a_name_of_the_card_and_never_over_a_file(
    cli: Cli, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    facts = json.loads(cli("cards", "export", "maya", "--json").stdout)
    assert (facts["form"], facts["path"]) == ("png", "Maya.png")
    before = (folder / "Maya.png").read_bytes()
    done = cli("cards", "export", "maya", "-o", str(folder))
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert (folder / "Maya.png").read_bytes() == before


def test_an_export_to_stdout_is_the_file(cli: Cli, program: Program, library: Path) -> None:
    done = program("cards", "export", "maya", "--to", "json", "--out", "-")
    assert json.loads(done.stdout)["data"]["name"] == "Maya"
    assert program("cards", "export", "maya", "--out", "-").stdout.startswith(files.SIGNATURE)


def test_a_png_needs_a_picture(cli: Cli, tmp_path: Path) -> None:
    cli("cards", "import", str(put(tmp_path, "zoe.json", name="Zoe")))
    out = str(tmp_path / "zoe.png")
    done = cli("cards", "export", "zoe", "--to", "png", "--out", out)
    assert done.exit_code == 1
    assert "no picture" in done.stderr
    picture = tmp_path / "picture.png"
    picture.write_bytes(files.png())
    assert (
        cli("cards", "export", "zoe", "--to", "png", "--out", out, "--picture", str(picture)).exit_code == 0
    )
    assert read_card_file(Path(out)).card.name == "Zoe"


def test_version_2_can_be_asked_for(cli: Cli, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "old.json"
    cli("cards", "export", "maya", "--to", "json", "--spec", "2", "--out", str(out))
    assert json.loads(out.read_bytes())["spec"] == "chara_card_v2"


# edit


def test_set_changes_fields_beside_the_original(cli: Cli, library: Path, maya: Path) -> None:
    done = cli(
        "cards", "edit", "maya", "--set", "description=a = [b]", "--set", 'tags=["one", "two"]',
        "--set", "talkativeness=0.9", "--json",
    )  # fmt: skip
    assert json.loads(done.stdout)["card"]["edited"] is True
    assert field(cli, "maya", "description") == "a = [b]"
    assert field(cli, "maya", "tags") == ["one", "two"]
    assert field(cli, "maya", "talkativeness") == 0.9
    assert (library / "maya.png").read_bytes() == maya.read_bytes()
    reverted = cli("cards", "revert", "maya")
    assert ".bin" in reverted.stdout
    assert field(cli, "maya", "tags") == ["sea", "calm"]
    assert "Was not changed" in cli("cards", "revert", "maya").stdout


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("nmae=x", 2, "no field 'nmae'"),
        ("description", 2, "FIELD=VALUE"),
        ("tags=one, two", 2, "neither a list nor a number"),
        ("source=1", 2, "source is not to be changed by its user"),
        ("creation_date=1", 2, "creation_date is not to be changed by its user"),
        ("raw=1", 2, "no field 'raw'"),
        (f"tags={'9' * 5000}", 2, "neither a list nor a number"),
        ("talkativeness=5", 1, "out of range"),
        ("name=", 1, "needs a name"),
    ],
)
def test_a_wrong_change_changes_nothing(cli: Cli, library: Path, change: str, code: int, words: str) -> None:
    done = cli("cards", "edit", "maya", "--set", change)
    assert done.exit_code == code
    assert words in done.stderr
    assert [path.name for path in library.iterdir()] == ["maya.png"]


def test_an_editor_changes_the_text_form(
    cli: Cli, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("EDITOR", "sed -i s/lighthouse/tower/")
    monkeypatch.delenv("VISUAL", raising=False)
    assert cli("cards", "edit", "maya").stdout == "maya.png: Changed.\n"
    assert field(cli, "maya", "description") == "{{char}} keeps the tower."
    monkeypatch.setenv("EDITOR", "true")
    assert cli("cards", "edit", "maya").stdout == "maya.png: Nothing was changed.\n"
    assert list(tmp_path.glob("airochat-*")) == []


def test_an_editor_that_fails_is_named_with_the_ways_around_it(
    cli: Cli, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("VISUAL", raising=False)
    for editor in ("false", "airochat-no-such-editor"):
        monkeypatch.setenv("EDITOR", editor)
        done = cli("cards", "edit", "maya")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"airochat: The editor {editor} failed; the card was not changed.\n")
        for way in ("$VISUAL or $EDITOR", "`airochat cards edit maya.png --from FILE`", "--set FIELD=VALUE"):
            assert way in done.stderr
        assert list(tmp_path.glob("airochat-*")) == []
    script = tmp_path / "editor"
    script.write_text("sed -i s/lighthouse/tower/ $1; exit 1", encoding="utf-8")
    monkeypatch.setenv("EDITOR", f"sh {script}")
    done = cli("cards", "edit", "maya")
    (draft,) = tmp_path.glob("airochat-*")
    assert done.exit_code == 1 and f"--from {draft}" in done.stderr
    assert "tower" in draft.read_text(encoding="utf-8")
    assert field(cli, "maya", "description") == "{{char}} keeps the lighthouse."


def test_a_text_that_is_no_card_is_kept_and_can_be_taken_up(
    cli: Cli, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("EDITOR", "sed -i -e 's/=== scenario/=== scenery/' -e s/lighthouse/tower/")
    monkeypatch.delenv("VISUAL", raising=False)
    done = cli("cards", "edit", "maya")
    assert done.exit_code == 1
    (draft,) = tmp_path.glob("airochat-*")
    assert "no field 'scenery'" in done.stderr and f"--from {draft}" in done.stderr
    assert [path.name for path in library.iterdir()] == ["maya.png"]
    draft.write_text(draft.read_text(encoding="utf-8").replace("scenery", "scenario"), encoding="utf-8")
    assert cli("cards", "edit", "maya", "--from", str(draft)).exit_code == 0
    assert field(cli, "maya", "description") == "{{char}} keeps the tower."
    both = cli("cards", "edit", "maya", "--from", str(draft), "--set", "name=x")
    assert both.exit_code == 2


# marks and removal


def test_favourites_and_personas_are_told_and_kept(cli: Cli, library: Path) -> None:
    assert cli("cards", "favourite", "maya").stdout == "maya.png: Favourite.\n"
    assert cli("cards", "favourite", "maya", "--off").stdout == "maya.png: No favourite.\n"
    unknown = cli("cards", "persona", "maya", "Rook")
    assert unknown.exit_code == 2 and "no persona 'Rook'" in unknown.stderr
    cli("personas", "add", "Rook", "A thief.")
    assert cli("cards", "persona", "maya", "Rook").stdout == "maya.png: You are Rook.\n"
    assert "You are Rook." in cli("cards", "persona", "maya").stdout
    assert "you are Rook" in cli("cards", "show", "maya").stdout
    none = json.loads(cli("cards", "persona", "maya", "--none", "--json").stdout)
    assert none["card"]["persona"] is None


def test_a_removed_card_is_in_the_bin(cli: Cli, library: Path, maya: Path) -> None:
    place = json.loads(cli("cards", "remove", "Maya", "--json").stdout)["bin"]
    assert Path(place).read_bytes() == maya.read_bytes()
    assert listed(cli) == []
