"""Who may call what: the user is asked, what was decided is kept, and wrong calls never reach anybody."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.errors import StoreError, UsageError
from airochat.session.approval import PendingCall
from airochat.session.arguments import LONGEST, compact, plain, pretty, problem, spoken
from airochat.session.events import Notice, ToolCalled
from airochat.text import clean
from tests.session.toolbox import CODE, Open, Workbench, done, write_toolbox

LAMP = 'CALL lamp {"sides": 6}'


def calls(bench: Workbench) -> list[tuple[str, str]]:
    """What became of all calls of the branch, and who allowed them."""
    found = (call for message in bench.session.history for call in message.provenance.calls)
    return [(call["state"], call["approved"]) for call in found]


def test_the_question_says_what_is_to_be_called(opened: Open) -> None:
    bench = opened(LAMP, "Lit.")
    asked = bench.answer("once")
    turn = done(bench.session.send("Light it"))
    (pending,) = asked
    question = pending.question
    assert (question.tool, question.title, question.plugin) == ("lamp", "lamp of the harbour", "toolbox")
    assert question.arguments == '{\n  "sides": 6\n}' and question.description == "Lights the lamp."
    assert pending.session is bench.session and pending.decision == "once"
    assert calls(bench) == [("done", "once")] and turn.text == "Lit."


def test_once_is_once_and_chat_is_this_chat(opened: Open) -> None:
    bench = opened(LAMP, "Lit.")
    asked = bench.answer("once")
    for _ in range(2):
        done(bench.session.send("Light it"))
    assert len(asked) == 2
    bench.answer("chat")
    done(bench.session.send("Light it"))
    asked = bench.answer("no")
    done(bench.session.send("Light it"))
    assert not asked and calls(bench)[-1] == ("done", "chat")
    other = bench.manager.new()
    done(other.send("Light it"))
    assert len(asked) == 1 and other.results_of(other.history[1].id)[0]["state"] == "denied"


@pytest.mark.parametrize(("decision", "state"), [("always", "done"), ("never", "denied")])
def test_what_holds_for_good_holds_in_the_next_run(tmp_path: Path, decision: Any, state: str) -> None:
    bench = Workbench(tmp_path, [LAMP, "Well."])
    bench.answer(decision)
    done(bench.session.send("Light it"))
    assert calls(bench)[0][0] == state
    bench.manager.close()
    again = Workbench(tmp_path, [LAMP, "Well."])
    try:
        assert again.manager.approvals.listed() == {("toolbox", "lamp"): decision}
        asked = again.answer("once")
        done(again.session.send("Light it"))
        assert not asked and calls(again)[-1][0] == state
        again.manager.approvals.forget("toolbox", "lamp")
        done(again.session.send("Light it"))
        assert len(asked) == 1
    finally:
        again.manager.close()


def test_no_is_told_to_the_model(opened: Open) -> None:
    bench = opened(LAMP, "A pity.")
    bench.answer("no")
    done(bench.session.send("Light it"))
    assert calls(bench) == [("denied", "no")] and not bench.ran
    assert "The user did not allow this call." in bench.texts()[2] and bench.texts()[3] == "A pity."


def test_without_anybody_to_ask_nothing_runs_and_the_user_learns_how(opened: Open) -> None:
    bench = opened(LAMP, "A pity.")
    done(bench.session.send("Light it"))
    assert calls(bench) == [("denied", "no")] and not bench.ran
    assert "The user was not asked, so the call was not made." in bench.texts()[2]
    (notice,) = (event for event in bench.events if isinstance(event, Notice))
    assert "lamp of the harbour" in notice.message and "--allow-tools lamp" in notice.hint


def test_python_allows_a_tool_beforehand(opened: Open) -> None:
    bench = opened(LAMP, "Lit.", LAMP, "No.")
    bench.session.allow("lamp")
    done(bench.session.send("Light it"))
    assert calls(bench) == [("done", "chat")]
    bench.session.allow("lamp", "never")
    done(bench.session.send("Light it"))
    assert calls(bench)[-1] == ("denied", "no")
    bench.session.allow("lamp", "chat")
    assert bench.manager.approvals.listed() == {}, "it is asked for again in other chats"
    with pytest.raises(UsageError, match="no tool 'lamb'"):
        bench.session.allow("lamb")
    with pytest.raises(UsageError, match="how"):
        bench.session.allow("lamp", "sometimes")  # type: ignore[arg-type]


def test_a_free_tool_can_be_forbidden(opened: Open) -> None:
    bench = opened("CALL dice", "No.")
    bench.session.allow("dice", "never")
    done(bench.session.send("Roll"))
    assert calls(bench) == [("denied", "no")] and not bench.ran


def test_a_session_may_have_an_approver_of_its_own(opened: Open) -> None:
    bench = opened(LAMP, "Lit.")
    asked = bench.answer("no")
    bench.session.own_approver = lambda pending: pending.answer("once")
    done(bench.session.send("Light it"))
    assert not asked and calls(bench) == [("done", "once")]


@pytest.mark.parametrize("decision", ["chat", "always"])
def test_what_was_allowed_does_not_hold_for_another_tool_of_the_same_name(
    tmp_path: Path, decision: Any
) -> None:
    def write(identity: str) -> None:
        title = 'title="lamp of the harbour"'
        write_toolbox(tmp_path, CODE.replace(title, f'{title}, identity="{identity}"'))

    for identity, asked in (("first", 1), ("first", 0), ("second", 1), ("first", 1)):
        write(identity)
        bench = Workbench(tmp_path, [LAMP, "Lit."])
        questions = bench.answer(decision)
        done(bench.session.send("Light it"))
        assert len(questions) == asked and calls(bench)[-1] == ("done", decision)
        bench.manager.close()
    bench = Workbench(tmp_path, [LAMP, "Dark."])
    bench.session.allow("lamp", "never")
    bench.manager.close()
    write("third")
    bench = Workbench(tmp_path, [LAMP, "Dark."])
    done(bench.session.send("Light it"))
    assert calls(bench)[-1] == ("denied", "no"), "what is forbidden is forbidden by its name"
    bench.manager.close()


def test_an_answer_comes_from_any_thread_and_only_the_first_counts(opened: Open) -> None:
    bench = opened(LAMP, "Lit.")
    waiting: list[PendingCall] = []
    bench.manager.approver = waiting.append
    turn = bench.session.send("Light it")
    asked = next(event for event in turn if isinstance(event, ToolCalled))
    assert asked.state == "asked" and not waiting[0].over
    threading.Thread(target=waiting[0].answer, args=("once",)).start()
    done(turn)
    assert calls(bench) == [("done", "once")] and not waiting[0].answer("no")
    with pytest.raises(UsageError, match="is no answer"):
        waiting[0].answer("perhaps")  # type: ignore[arg-type]


def test_a_stop_withdraws_the_question_and_keeps_the_call_for_later(opened: Open) -> None:
    bench = opened(LAMP, "Lit.")
    waiting: list[PendingCall] = []
    bench.manager.approver = waiting.append
    turn = bench.session.send("Light it")
    next(event for event in turn if isinstance(event, ToolCalled))
    turn.stop()
    done(turn)
    assert waiting[0].over and waiting[0].decision is None and not waiting[0].answer("once")
    assert bench.texts() == ["Light it", LAMP] and turn.reason == "user" and turn.message is not None
    assert [event.state for event in turn if isinstance(event, ToolCalled)] == ["asked", "denied"]
    bench.answer("once")
    done(bench.session.send(""))
    assert calls(bench) == [("done", "once")] and bench.texts()[-1] == "Lit."


def test_closing_ends_a_question(opened: Open) -> None:
    bench = opened(LAMP)
    bench.manager.approver = lambda pending: None
    turn = bench.session.send("Light it")
    next(event for event in turn if isinstance(event, ToolCalled))
    bench.session.close()
    assert turn.done


def test_wrong_arguments_are_told_and_nobody_is_asked(opened: Open) -> None:
    bench = opened('CALL lamp {"sides": "six"}', "Hm.")
    asked = bench.answer("once")
    done(bench.session.send("Light it"))
    assert not asked and not bench.ran and calls(bench) == [("failed", "no")]
    assert "The arguments are wrong: sides: 'six' is not of type 'integer'." in bench.texts()[2]


def test_arguments_that_are_no_json_are_told(opened: Open) -> None:
    code = bench_code('ToolCall(name, {"sides": {1, 2}})')
    bench = opened(LAMP, "Hm.", code=code)
    asked = bench.answer("once")
    done(bench.session.send("Light it"))
    assert not asked and calls(bench) == [("failed", "no")] and "not JSON" in bench.texts()[2]


def bench_code(call: str) -> str:
    """The toolbox with another call in place of the one that was read."""
    return CODE.replace('ToolCall(name, json.loads(arguments or "{}"))', call)


# Arguments and schemas


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_schemas_are_heeded() -> None:
    known = schema(sides={"type": "integer", "minimum": 2}, how={"enum": ["fair", "loaded"]})
    assert problem(known, {"sides": 6, "how": "fair"}) == ""
    assert "minimum" in problem(known, {"sides": 1})
    assert "one of" in problem(known, {"how": "pattern"})
    closed = {**known, "additionalProperties": False}
    assert "unexpected" in problem(closed, {"color": 1})
    nested = {
        "$defs": {"n": {"type": "number"}},
        **schema(at={"type": "array", "items": {"$ref": "#/$defs/n"}}),
    }
    assert problem(nested, {"at": [1, "x"]}) == "at.1: 'x' is not of type 'number'."
    named = schema(pattern={"type": "integer"})
    assert problem(named, {"pattern": "x"}), "a property may have the name of a keyword"


def _around() -> dict[str, Any]:
    loop: dict[str, Any] = {"type": "object", "properties": {}}
    loop["properties"]["again"] = loop
    return loop


def _doubling(levels: int) -> dict[str, Any]:
    tables = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**tables, f"d{levels}": {"type": "string"}}, **schema(n={"$ref": "#/$defs/d0"})}


@pytest.mark.parametrize(
    "wild",
    [
        {"type": 5},
        {"type": "nonsense"},
        {"properties": 7},
        {"$ref": "#"},
        {"$ref": "https://example.invalid/schema.json"},
        {"$ref": "#/nowhere"},
        _around(),
        _doubling(30),
        schema(n={"enum": list(range(100_000))}),
        {"allOf": [{"properties": {"x" * 10: {}}}] * 10_000},
        schema(n={"pattern": "(a+)+$"}),
        {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False},
    ],
    ids=lambda wild: str(wild)[:24],
)
def test_a_wild_schema_harms_nobody(wild: dict[str, Any]) -> None:
    assert problem(wild, {"n": "a" * 40 + "!", "a" * 40 + "!": 1}) == "", "and it has an end"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "required", "enum", "$ref", "anyOf", "not", "minimum", "pattern", "$defs"]
)


@given(
    st.dictionaries(KEYWORDS | st.text(max_size=5), JSON, max_size=5),
    st.dictionaries(st.text(max_size=8), JSON),
)
def test_any_schema_and_any_arguments_give_a_sentence(
    wild: dict[str, Any], arguments: dict[str, Any]
) -> None:
    told = problem(wild, arguments)
    assert len(told) < 2000 and "\n" not in told


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=5))
def test_arguments_are_written_clean(arguments: dict[str, Any]) -> None:
    assert plain(arguments) == arguments
    for line in (compact(arguments), spoken(arguments)):
        assert len(line) <= 400 and "\n" not in line and "\x1b" not in line
    assert "\x1b" not in pretty(arguments) and "\u202e" not in pretty(arguments)


@pytest.mark.parametrize(
    "hidden", ["\x9b/../../s", "\u202e", "\u200b", "\U000e0041", "\x7f", "\ud800", "\u2028"]
)
def test_what_cannot_be_seen_is_spelled_out_where_it_is_approved(hidden: str) -> None:
    arguments = {"path": f"notes{hidden}x", "lines": "a\tb\nc"}
    assert json.loads(pretty(arguments)) == json.loads(compact(arguments)) == arguments
    assert clean(pretty(arguments)) == pretty(arguments)


def test_what_is_no_json_or_too_long_is_refused() -> None:
    around: dict[str, Any] = {}
    around["a"] = around
    for wrong in ({"a": object()}, {"a": float("nan")}, around, {"a": "x" * LONGEST}):
        with pytest.raises(ValueError, match="they "):
            plain(wrong)


def test_a_broken_approver_and_a_full_disk_lose_no_call(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened(f"CALL dice\n{LAMP}", "Hm.", LAMP, "Lit.")

    def fail(*_: object) -> None:
        raise RuntimeError("no screen")

    bench.manager.approver = fail
    done(bench.session.send("Light it"))
    assert calls(bench) == [("done", "free"), ("denied", "no")] and bench.texts()[-1] == "Hm."

    def full(*_: object) -> None:
        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr(bench.manager.approvals, "keep", full)
    bench.answer("always")
    done(bench.session.send("Light it"))
    assert calls(bench)[-1] == ("done", "always")
    assert Notice("The disk is full.", "Make room.") in bench.events


def test_what_a_tool_does_to_its_arguments_is_not_recorded(opened: Open) -> None:
    code = CODE.replace(
        "    RAN.append(call)\n", "    RAN.append(call)\n    call.arguments['sides'] = 99\n", 1
    )
    bench = opened('CALL dice {"sides": 6}', "Four.", code=code)
    done(bench.session.send("Roll"))
    assert bench.ran[0].arguments == {"sides": 99}
    assert bench.session.history[2].provenance.calls[0]["arguments"] == {"sides": 6}
    assert bench.texts()[2].startswith("dice(sides=6)")
