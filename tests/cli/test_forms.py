"""``airochat forms``: list, build, read."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airochat.cli import forms as command
from airochat.prompt.forms import FORMS, Function, Source, build, choose_function, closed_context, get_to_know
from tests.cli.conftest import START

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, InTerminal, Program

GUIDE = (Path(__file__).parents[2] / "docs" / "airoboros-forms.md").read_text(encoding="utf-8")
TOOLS = '{"Search": "Searches.", "LLM": "Answers questions."}'
FUNCTIONS = '[{"name": "count", "description": "Counts.", "params": {"of": {"word": "The word."}}}]'
PLAN = "Plan: Look.\n:evidence0: = Search[height]\nAnswer: :evidence0:"
SOLUTIONS = (
    "Solution 1:\n2 + 2\n\nFinal answer: 4\n\nRanking of solutions from best to worst:\n1. Solution 1: Sums."
)
# A value for every option that a form cannot do without.
ENOUGH = {
    "sources": '[{"text": "Here it is."}]',
    "functions": FUNCTIONS,
    "tools": TOOLS,
    "name": "Maya",
    "description": "A smith.",
}


def listed(cli: Cli, *arguments: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(cli("forms", "list", "--json", *arguments).stdout)["forms"]
    return {row["name"]: row for row in rows}


def test_the_list_names_every_form_with_its_versions_and_options(cli: Cli) -> None:
    rows = listed(cli)
    assert list(rows) == list(FORMS)
    for name, row in rows.items():
        form = FORMS[name]
        assert (row["since"], row["until"], row["place"]) == (form.since, form.until, form.place)
        assert [option["name"] for option in row["options"]] == list(form.options)
    plain = cli("forms", "list").stdout.splitlines()
    assert [line.split()[0] for line in plain] == list(FORMS)
    assert re.split(" {2,}", plain[list(FORMS).index("role")]) == [
        "role", "2.1+", "system text", "Answer in the style of a role", "name [stay]",
    ]  # fmt: skip
    assert "3.0 to 3.1.2" in plain[list(FORMS).index("math")]


@pytest.mark.parametrize(
    ("model", "version", "trained"),
    [
        ("airoboros-l2-70b-3.1.2.Q4_K_M.gguf", "3.1.2", set(FORMS)),
        ("airoboros-65b-gpt4-1.3", "1.3", {"context", "code", "reasoning"}),
        ("mistral-7b-instruct", "", set()),
    ],
)
def test_the_list_tells_what_a_model_was_trained_for(
    cli: Cli, model: str, version: str, trained: set[str]
) -> None:
    rows = listed(cli, "--model-name", model)
    assert {name for name, row in rows.items() if row["trained"]} == trained
    assert {name for name, row in rows.items() if row["warning"] is None} == trained
    plain = cli("forms", "list", "--model-name", model)
    starred = {line.split()[1] for line in plain.stdout.splitlines() if line.startswith("*  ")}
    assert starred == trained
    assert ("not the name of an Airoboros model" in plain.stderr) == (not version)


@pytest.mark.parametrize("name", list(FORMS))
def test_every_form_is_built_from_what_it_needs(cli: Cli, name: str) -> None:
    needed = [option["name"] for option in listed(cli)[name]["options"] if option["required"]]
    options = [f"--option={option}={ENOUGH[option]}" for option in needed]
    text = [] if name == "trivia" else ["Who leads?"]
    result = cli("forms", "build", name, *text, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert FORMS[name].place == "text" or not result.stdout.endswith("\n")
    assert "Who leads?" in result.stdout or name == "trivia"
    for option in needed:
        rest = [one for one in options if not one.startswith(f"--option={option}=")]
        lacking = cli("forms", "build", name, *text, *rest)
        assert (lacking.exit_code, lacking.stdout) == (2, "")
        assert repr(option) in lacking.stderr


def test_every_option_of_a_form_is_read_as_what_it_is() -> None:
    texts = {"name", "description", "stay", "user_name", "more"}
    assert {option for form in FORMS.values() for option in form.options} == texts | set(command._KINDS)


def test_sources_are_given_as_json_and_as_files(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfSecond.\r\nLine.\r\n")
    (tmp_path / "s.json").write_text('[{"text": "First.", "facts": {"url": "u"}}]\n', encoding="utf-8")
    built = cli(
        "forms", "build", "context", "Who?",
        "--option", f"sources=@{tmp_path / 's.json'}", "--source", str(tmp_path / "b.txt"), "--option", "honest=false",
    )  # fmt: skip
    sources = [Source("First.", {"url": "u"}), Source("Second.\nLine.", {"file": "b.txt"})]
    assert built.stdout == closed_context("Who?", sources=sources, honest=False)
    parts = json.loads(cli("forms", "read", "context", built.stdout, "--json").stdout)
    again = cli("forms", "build", "context", parts["instruction"], "--option=honest=false",
                "--option", f"sources={json.dumps(parts['sources'])}")  # fmt: skip
    assert again.stdout == built.stdout


def test_functions_are_given_as_json(cli: Cli) -> None:
    result = cli(
        "forms", "build", "function", "How many?", "--option", f"functions={FUNCTIONS}", "--option=style=yaml"
    )
    count = Function("count", "Counts.", {"of": {"word": "The word."}})
    assert result.stdout == choose_function("How many?", functions=[count], style="yaml")


def test_texts_are_plain_or_quoted_or_in_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "name.txt").write_bytes(b"Maya\r\n")
    options = [f"name=@{tmp_path / 'name.txt'}", 'user_name="@dolly"', "description=123", "stay=null"]
    flags = [part for option in options for part in ("--option", option)]
    turns = ["--option", 'turns=[["Busy?", "Always."]]']
    assert cli("forms", "build", "meet", "And now?", *flags, *turns).stdout == get_to_know(
        "And now?", name="Maya", user_name="@dolly", description="123", stay="null", turns=[("Busy?", "Always.")]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["summry", "x"], "Did you mean 'summary'"),
        (["summary"], "needs a text: the text"),
        (["summary", " "], "no text"),
        (["trivia", "Who?"], "takes no text"),
        (["summary", "ENDINPUT"], "ENDINPUT"),
        (["summary", "x", "--option", "words"], "KEY=VALUE"),
        (["summary", "x", "--option", "word=3"], "Did you mean 'words'"),
        (["summary", "x", "--option", "words=3", "--option", "words=4"], "twice"),
        (["summary", "x", "--option", "words=many"], "many words"),
        (["summary", "x", "--option", "words=@/nowhere/words"], "/nowhere/words cannot be read"),
        (["summary", "x", "--source", "a.txt"], "--source does not go with the form summary"),
        (["context", "x", "--source", "/nowhere/a.txt"], "/nowhere/a.txt cannot be read"),
        (["context", "x", "--option", "sources=a.txt"], "not valid JSON"),
        (["context", "x", "--option", "sources=[1]"], "list of objects"),
        (["context", "x", "--option", "sources=[]]"], "behind its JSON"),
        (["context", "x", "--option", "sources=[]"], "at least one source"),
        (["context", "x", "--option", 'sources=[{"txt": "a"}]'], "Did you mean 'text'"),
        (["context", "x", "--option", "sources=[{}]"], "Entry 1 of sources has no 'text'"),
        (["context", "x", "--option", 'sources=[{"text": 1}]'], "the text is not a text"),
        (["context", "x", "--option", 'sources=[{"text": "a", "facts": {"year": 1}}]'], "'year' is not a text"),
        (["context", "x", "--option", 'sources=[{"text": "a", "facts": []}]'], "must be an object"),
        (["context", "x", "--option", 'sources=[{"text": "a"}]', "--option", "honest=yes"], "true or false"),
        (["function", "x", "--option", 'functions=[{"name": "a", "descr": "b"}]'], "Did you mean 'description'"),
        (["function", "x", "--option", f"functions={'[' * 5000}"], "nested too deeply"),
        (["function", "x", "--option", f"functions={FUNCTIONS}", "--option", "style=xml"], "json, yaml"),
        (["plan", "x", "--option", 'tools={"Search": 1}'], "'Search' is not a text"),
        (["plan", "x", "--option", 'tools=["Search"]'], 'For example: {"Search"'),
        (["meet", "x", "--option", "turns=[[1]]"], "pairs"),
        (["meet", "x", "--option", "turns=3"], "pairs"),
        (["role", "Rude.", "--option", 'name="\\ud800"'], "UTF-8"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_built_is_explained(cli: Cli, arguments: list[str], said: str) -> None:
    result = cli("forms", "build", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_an_empty_source_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"\n")
    result = cli("forms", "build", "context", "x", "--source", str(tmp_path / "empty.txt"))
    assert result.exit_code == 2
    assert "empty.txt is empty" in result.stderr


def test_a_model_that_was_not_trained_for_a_form_is_reported(cli: Cli) -> None:
    known = cli("forms", "build", "editor", "She go.", "--model-name", "airoboros-l2-13b-2.2.1")
    old = cli("forms", "build", "editor", "She go.", "--model-name", "airoboros-13b-gpt4-1.4")
    assert (known.exit_code, known.stderr) == (0, "")
    assert (old.exit_code, old.stdout) == (0, known.stdout)
    assert "since Airoboros 2.2; this model is Airoboros 1.4" in old.stderr


@pytest.mark.parametrize(
    ("name", "answer", "facts", "shown"),
    [
        (
            "function", 'Sure: {"function": "count", "params": {"of": {"word": "a\\nb", "n": null}}}',
            {"function": "count", "params": {"of": {"word": "a\nb", "n": None}}},
            "function: count\nparams:\n  of:\n    word: a\n      b\n    n: null\n",
        ),
        (
            "plan", PLAN,
            {"steps": [{"number": 0, "plan": "Look.", "tool": "Search", "input": "height"}], "answer": ":evidence0:"},
            "steps:\n  1:\n    number: 0\n    plan: Look.\n    tool: Search\n    input: height\nanswer: :evidence0:\n",
        ),
        (
            "solutions", SOLUTIONS,
            {
                "solutions": [{"number": 1, "reasoning": "2 + 2", "answer": "4"}],
                "ranking": [{"solution": 1, "reason": "Sums."}],
                "best": "4",
            },
            "solutions:\n  1:\n    number: 1\n    reasoning: 2 + 2\n    answer: 4\n"
            "ranking:\n  1:\n    solution: 1\n    reason: Sums.\nbest: 4\n",
        ),
        ("code", "Here:\n```c\nputs();\n```\n", {"code": "puts();\n"}, "puts();\n"),
        ("math", '<mathjson>["Divide", 6, 4]</mathjson>', {"value": 1.5}, "1.5\n"),
    ],
)  # fmt: skip
def test_answers_are_taken_apart(
    cli: Cli, name: str, answer: str, facts: dict[str, Any], shown: str
) -> None:  # fmt: skip
    assert json.loads(cli("forms", "read", name, answer, "--json").stdout) == facts
    assert cli("forms", "read", name, answer).stdout == shown
    assert cli("forms", "read", name, "-", input=answer).stdout == shown
    assert cli("forms", "read", name, input=answer).stdout == shown


def test_a_card_is_read_by_the_attributes_it_was_built_with(cli: Cli) -> None:
    attributes = 'attributes={"Name": "The name.", "Race": "The family."}'
    card = "**Name:** Faelock\nRace: Fox"
    result = cli("forms", "read", "card", card, "--option", attributes, "--json")
    assert json.loads(result.stdout) == {"attributes": {"Name": "Faelock", "Race": "Fox"}}
    assert "lacks Description" in cli("forms", "read", "card", card).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["function", "I would count."], 1, "holds no choice"),
        (["function", ""], 1, "holds no choice"),
        (
            ["function", '{"function": "cuont"}', "--option", f"functions={FUNCTIONS}"],
            1,
            "Did you mean 'count'",
        ),
        (["plan", PLAN, "--option", 'tools={"Google": "Searches."}'], 1, "calls the tool Search"),
        (["solutions", "4"], 1, "no solutions"),
        (["context", "BEGININPUT"], 1, "BEGINCONTEXT belongs"),
        (["math", '<mathjson>["Power", 9, 9999999]</mathjson>'], 1, "too large"),
        (["functoin", "x"], 2, "Did you mean 'function'"),
        (["reasoning", "4"], 2, "plain text"),
        (["code", "x", "--option", "style=json"], 2, "no option 'style'"),
    ],
)
def test_the_exit_code_tells_whose_fault_it_is(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    result = cli("forms", "read", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_bytes_that_are_no_text_are_refused(cli: Cli) -> None:
    for arguments in (("build", "editor", "-"), ("read", "code", "-")):
        result = cli("forms", *arguments, input=b"a\xff")
        assert result.exit_code == 2
        assert "not UTF-8" in result.stderr


def test_json_has_no_codes_that_steer_a_terminal(cli: Cli) -> None:
    shown = cli("forms", "read", "code", "a\x1b[2J\u202eb", "--json").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert json.loads(shown) == {"code": "a\x1b[2J\u202eb"}


def test_a_terminal_gets_a_clean_text_and_a_newline(terminal: InTerminal) -> None:
    shown = terminal("forms", "build", "code", "a\x1b[2Jb")
    shown.wait_for("ab PLAINFORMAT\r\n")
    assert shown.finish() == 0
    assert "\x1b[2J" not in shown.screen


def test_a_form_goes_through_a_pipe_to_the_model(program: Program, tmp_path: Path) -> None:
    story = tmp_path / "story.txt"
    story.write_text("The ferry left at dawn.\n", encoding="utf-8")
    airochat = shlex.join(START)
    line = (
        f"{airochat} forms build summary - --option words=80 < {shlex.quote(str(story))}"
        f" | {airochat} say - --model scripted --json"
    )
    done = subprocess.run(line, shell=True, capture_output=True, check=True, timeout=120)
    session = json.loads(done.stdout)["session"]
    exported = program("chats", "export", session, "--to", "jsonl").stdout.decode()
    assert json.dumps(build("summary", "The ferry left at dawn.", words=80))[1:-1] in exported


def test_the_guide_shows_real_output(tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("The ferry left at dawn.\n", encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    examples = [
        one for block in blocks for one in re.findall(r"^\$ (.*)\n((?:[^$].*\n)+)", block, re.MULTILINE)
    ]
    assert len(examples) == 5
    function = f'airochat() {{ {shlex.join(START)} "$@"; }}\n'
    for line, shown in examples:
        done = subprocess.run(
            ["bash", "-c", function + line], cwd=tmp_path, capture_output=True, check=True, timeout=120
        )
        # The guide marks spaces at the end of a line, as a terminal does.
        assert done.stdout.decode().rstrip("\n") == shown.rstrip("\n").replace("·", " ")
        assert done.stderr == b""


@pytest.mark.parametrize("option", sorted(command._EXAMPLES))
def test_the_examples_of_values_are_values(option: str) -> None:
    assert command._KINDS[option](option, command._EXAMPLES[option])
    assert f"| `{option}` | `{command._EXAMPLES[option]}` |" in GUIDE
