"""Macros: one table of cases with a fixed seed and clock, properties, and bombs."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airochat.characters import Card
from airochat.conversation import Message, Role
from airochat.prompt.macros import FAMILIES, MacroCall, MacroFunction, Macros, Scope, Variables, clock
from airochat.prompt.macros import time as times
from airochat.prompt.macros import variables as variable_macros
from airochat.prompt.macros.limits import MAX_DEPTH, MAX_INSERTED, MAX_VALUE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "macros.md"
NOW = datetime(2024, 3, 1, 15, 4, 5, 678000, timezone(timedelta(hours=1)))
ARIA = Card(
    "Aria Vale",
    nickname="Aria",
    description="{{char}} keeps {{user}}'s map.",
    personality="bold, says {{description}}",
    scenario="A ship. {{scenario}}",
    first_mes="Ahoy, {{user}}!",
    mes_example="<START>\n{{char}}: Hm.",
    system_prompt="Be {{char}}.",
    post_history_instructions="Stay {{char}}.",
    creator_notes="For {{user}}.",
    character_version="1.2",
    extensions={"depth_prompt": {"prompt": "{{char}} is tired.", "depth": 4}},
)
BO = Card("Bo")
SAID: list[tuple[Role, str, str, int]] = [
    ("assistant", "Aria", "Ahoy.", 9000),
    ("user", "A$&B", "hi {{roll:6}}", 7200),
    ("assistant", "Aria", "{{user}} <USER>", 7190),
    ("user", "A$&B", "bye {{setvar::x::1}}", 1),
]
HISTORY = tuple(
    Message(str(number), None, role, name, text, created=NOW.timestamp() - age)
    for number, (role, name, text, age) in enumerate(SAID)
)
SCOPE = Scope(
    user="A$&B\\1{{char}}",
    persona="{{user}}, a smith.",
    cards=(ARIA, BO),
    history=HISTORY,
    model="airoboros",
    seed="chat",
    turn="turn",
    now=lambda: NOW,
    input="so {{char}}",
    system="SYS {{char}}",
    max_prompt=4096,
    swipe=(2, 3),
    muted=frozenset({"Bo"}),
)
USER = SCOPE.user


def make(**others: object) -> Macros:
    variables = Variables({"n": 5.0, "word": "a::b,c {{char}}", "list": '["a"]', "zero": "0"}, {"n": "7"})
    return Macros(replace(SCOPE, **others), variables)  # type: ignore[arg-type]


CASES: list[tuple[str, str]] = [
    # names
    ("{{user}}", USER),
    ("{{ USER }}|{{User}}", f"{USER}|{USER}"),
    ("<USER> <user>", f"{USER} {USER}"),
    ("{{char}} <CHAR> <bot> <BOT>", "Aria Aria Aria Aria"),
    ("{{group}}|{{charIfNotGroup}}|<GROUP>|<charifnotgroup>", "Aria, Bo|Aria, Bo|Aria, Bo|Aria, Bo"),
    ("{{groupNotMuted}}", "Aria"),
    ("{{notChar}}", f"Bo, {USER}"),
    ("{{model}}", "airoboros"),
    # the card
    ("{{description}}", f"Aria keeps {USER}'s map."),
    ("{{charDescription}}", f"Aria keeps {USER}'s map."),
    ("{{personality}}", f"bold, says Aria keeps {USER}'s map."),
    ("{{scenario}}", "A ship. "),
    ("{{persona}}", f"{USER}, a smith."),
    ("{{mesExamples}}", "<START>\nAria: Hm."),
    ("{{mesExamplesRaw}}", "<START>\nAria: Hm."),
    ("{{charPrompt}} {{charJailbreak}} {{charInstruction}}", "Be Aria. Stay Aria. Stay Aria."),
    ("{{charVersion}} {{char_version}}", "1.2 1.2"),
    ("{{charDepthPrompt}}", "Aria is tired."),
    ("{{charFirstMessage}}", f"Ahoy, {USER}!"),
    ("{{creatorNotes}}", f"For {USER}."),
    ("{{original}}", "{{original}}"),
    # the chat: never expanded again
    ("{{lastMessage}}", "bye {{setvar::x::1}}"),
    ("{{lastUserMessage}}", "bye {{setvar::x::1}}"),
    ("{{lastCharMessage}}", "{{user}} <USER>"),
    ("{{lastMessageId}}", "3"),
    ("{{currentSwipeId}}/{{lastSwipeId}}", "2/3"),
    ("{{input}}", "so {{char}}"),
    ("{{system}}|{{systemPrompt}}", "SYS {{char}}|SYS {{char}}"),
    ("{{maxPrompt}}", "4096"),
    ("{{lastMessage}}{{getvar::x}}", "bye {{setvar::x::1}}"),
    # forms and what stays
    ("{{foo}}", "{{foo}}"),
    ("{{foo::{{char}}::x}}", "{{foo::Aria::x}}"),
    ("{{user::x}}", "{{user::x}}"),
    ("{{setvar::x}}", "{{setvar::x}}"),
    ("{{}}|{{ }}|{{:}}|{{::a}}", "{{}}|{{ }}|{{:}}|{{::a}}"),
    ("{{char", "{{char"),
    ("char}} {char} {{char}", "char}} {char} {{char}"),
    ("{{{char}}}", "{Aria}"),
    ("{{{{char}}}}", "{{Aria}}"),
    ("{{ {{char}}", "{{ Aria"),
    ("{{char}}}}", "Aria}}"),
    (r"\{\{char\}\}", "{{char}}"),
    (r"\{char\} \frac{a}{b}", r"\{char\} \frac{a}{b}"),
    ("{{reverse:{{char}}}}", "airA"),
    ("{{reverse:{{reverse:{{char}}}}}}", "Aria"),
    ("{{reverse::a::b}}", "b::a"),
    ("{{reverse ab}}", "ba"),
    ("{{ reverse : ab}}", "ba "),
    ("{{reverse}}\n  Hello World\n{{/reverse}}", "dlroW olleH"),
    ("{{REVERSE:\N{SLIGHTLY SMILING FACE}a}}", "a\N{SLIGHTLY SMILING FACE}"),
    # layout
    ("a{{newline}}b", "a\nb"),
    ("a{{newline::3}}b{{space::2}}c", "a\n\n\nb  c"),
    ("a{{newline::-1}}{{space::99999}}", "a{{newline::-1}}{{space::99999}}"),
    ("x\n\n{{trim}}\n\ny", "xy"),
    ("x {{trim}} y", "x  y"),
    ("x\r\n{{ trim }}\r\ny", "xy"),
    ("x\n{{noop}}{{trim}}\n{{noop}}\ny", "xy"),
    ("{{trim}}\n", ""),
    ("a{{noop}}b", "ab"),
    ("a{{// x\ny}}b", "ab"),
    ("a{{//}}b", "ab"),
    ("a{{// {{setvar::x::1}} }}{{getvar::x}}b", "ab"),
    ("a{{//}}\n1\n{{setvar::x::1}}{{///}}{{getvar::x}}b", "ab"),
    ("{{comment: A}}{{hidden_key:A}}.", "."),
    # chance
    ("{{RANDOM::a::b}}", "a"),
    ("{{random: a , b\\, c}} {{random: a , b\\, c}}", "b, c b, c"),
    ("{{random::a,b}}", "b"),
    ("{{random:: a :: a }}", " a "),
    ("{{random a, a}}", "a"),
    ("{{random::{{word}}}}", "{{word}}"),
    ("{{random::{{getvar::word}}}}", "a::b,c {{char}}"),
    ("{{random::{{setvar::x::1}}::{{setvar::x::2}}}}{{getvar::x}}", "2"),
    ("{{random}}|{{random:}}", "{{random}}|"),
    ("{{pick:a,b,c,d}}{{pick:a,b,c,d}}", "db"),
    ("{{pick::a::b}}", "b"),
    ("{{roll:20}} {{roll:d20}} {{roll:1d20}}", "6 2 5"),
    ("{{roll 2d6+1}} {{roll::2d6-1}}", "12 8"),
    ("{{roll:1d1+5}}", "6"),
    ("{{roll:0d6}}{{roll:d0}}{{roll:6d}}{{roll:x}}{{roll:-1d6}}{{roll:}}{{roll:2d6*2}}{{roll:\u0664}}", ""),
    ("{{roll:101d6}}{{roll:1d1000001}}", ""),
    ("{{roll}}", "{{roll}}"),
    # time
    ("{{time}}|{{date}}|{{weekday}}", "3:04 PM|March 1, 2024|Friday"),
    ("{{isotime}} {{isodate}}", "15:04 2024-03-01"),
    ("{{datetimeformat DD.MM.YYYY HH:mm:ss}}", "01.03.2024 15:04:05"),
    ("{{datetimeformat::dddd, MMMM Do YYYY, h:mm:ss a}}", "Friday, March 1st 2024, 3:04:05 pm"),
    ("{{datetimeformat [at] H\\h Q DDD DDDD W E d dd ddd}}", "at 15h 1 61 061 9 5 5 Fr Fri"),
    ("{{datetimeformat LTS L l LLLL}}", "3:04:05 PM 03/01/2024 3/1/2024 Friday, March 1, 2024 3:04 PM"),
    (
        "{{datetimeformat YY M MM MMM D hh k S SS SSS A Z ZZ X}}",
        "24 3 03 Mar 1 03 15 6 67 678 PM +01:00 +0100 1709301845",
    ),
    ("{{datetimeformat {{noop}}YYYY}}", "2024"),
    ("{{time_UTC+2}} {{time_utc-3}} {{time_UTC+330}}", "4:04 PM 11:04 AM 7:34 PM"),
    (
        "{{time::UTC+2}}|{{time_UTC}}|{{time_UTC+9999}}|{{time::x}}",
        "4:04 PM|{{time_UTC}}|{{time_UTC+9999}}|{{time::x}}",
    ),
    ("{{timeDiff::2024-05-11 15:00::2024-05-11 10:00:00}}", "in 5 hours"),
    ("{{timeDiff::2024/5/1::2024-05-03T00:00Z}}", "2 days ago"),
    ("{{timeDiff::{{date}} {{time}}::March 1, 2023}}", "in a year"),
    ("{{timeDiff::{{time}}::3:03 PM}}", "in a minute"),
    (
        "{{timeDiff::soon::now}}|{{timeDiff::2024-13-01::1:00}}",
        "{{timeDiff::soon::now}}|{{timeDiff::2024-13-01::1:00}}",
    ),
    ("{{idle_duration}}", "2 hours"),
    # variables
    ("{{setvar::x::1}}{{getvar::x}}", "1"),
    ("{{setvar:: x ::a::b}}{{getvar x}}", "a::b"),
    ("{{setvar::x::}}[{{getvar::x}}]{{hasvar::x}}", "[]true"),
    ("{{setvar::{{char}}_mood::glad}}{{getvar::Aria_mood}}", "glad"),
    ("{{getvar::word}}", "a::b,c {{char}}"),
    ("{{getvar::none}}{{hasvar::none}}", "false"),
    ("{{getvar::N}}{{getvar::n}}", "5"),
    ("{{addvar::n::2.5}}{{getvar::n}}", "7.5"),
    ("{{addvar::list::b}}{{getvar::list}}", '["a", "b"]'),
    ("{{addvar::zero::x}}{{getvar::zero}}", "0x"),
    ("{{addvar::new::2}}{{incvar::new}} {{decvar::other}}", "3 -1"),
    ("{{incvar::word}}", "{{incvar::word}}"),
    ("{{deletevar::n}}{{hasvar::n}}{{delvar::word}}[{{.word}}]", "false[]"),
    ("{{getglobalvar::n}}{{incglobalvar::n}}{{getvar::n}}", "785"),
    (
        "{{setglobalvar::g::1}}{{addglobalvar::g::1}}{{decglobalvar::g}}{{hasglobalvar::g}}{{deleteglobalvar::g}}",
        "1true",
    ),
    ("{{setvar x}}\n  one\n    two\n{{/setvar}}{{getvar::x}}", "one\n  two"),
    ("{{#setvar x}}\n one\n{{/setvar}}{{getvar::x}}", "\n one\n"),
    ("{{.n}}{{$n}}{{ . n }}", "575"),
    ("{{.x = a b}}{{.x}}", "a b"),
    ("{{.x={{char}}}}{{.x}}", "Aria"),
    ("{{.n++}}{{.n--}}{{.n += 5}}{{.n}}{{.n -= 1}}{{.n}}", "65109"),
    ("{{.none || no}} {{.n || no}} {{.zero || no}} {{.zero ?? no}} {{.none ?? no}}", "no 5 no 0 no"),
    ("{{.x ||= {{char}}}}{{.x}} {{.y ??= 1}}{{.y}} {{.n ??= {{setvar::z::1}}}}{{getvar::z}}", "AriaAria 11 5"),
    (
        "{{.n == 5}} {{.n != 5.0}} {{.n > 4}} {{.n < 4}} {{.n >= 5}} {{.n <= 4}} {{.word > 1}}",
        "true false true false true false false",
    ),
    ("{{.n !}}|{{.}}|{{...}}|{{$5}}", "{{.n !}}|{{.}}|{{...}}|{{$5}}"),
    # control
    ("{{if {{user}}}}a{{else}}b{{/if}}", "a"),
    ("{{if }}a{{/if}}|{{if {{noop}}}}a{{else}}b{{/if}}", "{{if }}a{{/if}}|b"),
    ("".join(f"{{{{if {word}}}}}1{{{{/if}}}}" for word in ("0", "false", "OFF", "no", " No ", "{{noop}}")), ""),
    ("{{if 1}}1{{/if}}{{if x}}2{{/if}}{{if 00}}3{{/if}}", "123"),
    ("{{if !0}}a{{/if}}{{if ! {{user}}}}b{{else}}c{{/if}}", "ac"),
    ("{{if description}}a{{/if}}{{if input}}b{{/if}}{{if !charVersion}}c{{else}}d{{/if}}", "abd"),
    ("{{if .n}}a{{/if}}{{if .none}}b{{/if}}{{if $n > 6}}c{{/if}}{{if !.n == 5}}d{{/if}}", "ac"),
    ("{{if::1::yes}}{{if::0::yes}}{{if::0::yes::no}}{{if::0::a{{else}}b}}", "yesnob"),
    ("{{if 1}}{{setvar::x::1}}{{else}}{{setvar::x::2}}{{/if}}{{getvar::x}}", "1"),
    ("{{if 1}}a{{if 0}}b{{else}}c{{/if}}d{{else}}e{{/if}}", "acd"),
    ("{{if 1}}a{{if::1::x}}b{{/if}}", "axb"),
    ("{{if 1}}\n    # {{char}}\n    text\n{{ else }}\n  no\n{{ /if }}", "# Aria\ntext"),
    ("a{{#if 1}} b {{/if}}c{{if 1}} d {{/if}}e", "a b cde"),
    ("{{if 1}}x", "{{if 1}}x"),
    ("x{{else}}y{{/if}}z", "x{{else}}y{{/if}}z"),
    ("{{reverse:{{if 1}}ab{{/if}}}}", "ba"),
    ('a{{banned "x"}}{{bias "y"}}b', "ab"),
    # what only plugins have
    ("[{{pipe}}{{var::x}}{{outlet::x}}]{{var}}", "[]{{var}}"),
    ("[{{summary}}{{wiBefore}}{{anchorBefore}}{{authorsNote}}{{firstIncludedMessageId}}]", "[]"),
    ("[{{lastGenerationType}}{{exampleSeparator}}{{chatStart}}{{instructUserPrefix}}]", "[]"),
    ("{{if summary}}a{{else}}b{{/if}}{{if !{{outlet::x}}}}c{{/if}}", "bc"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=[text[:40] for text, _ in CASES])
def test_expanding(text: str, wanted: str) -> None:
    assert make().expand(text) == wanted


def test_there_are_enough_cases() -> None:
    assert len({text for text, _ in CASES}) == len(CASES) >= 100
    used = " ".join(text for text, _ in CASES).lower()
    names = [macro.names for family in FAMILIES.values() for macro in family]
    assert all(any(name.lower() in used for name in group) for group in names)


@pytest.mark.parametrize("module", [clock, times, variable_macros])
def test_the_examples_in_the_docstrings(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted and not result.failed


def test_the_page_lists_every_macro() -> None:
    rows = [f"| `{macro.usage}` | {macro.summary} |" for family in FAMILIES.values() for macro in family]
    page = PAGE.read_text(encoding="utf-8")
    shown = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| `{{")]
    assert shown == rows, "docs/macros.md should have these rows:\n" + "\n".join(rows)
    assert [line[4:] for line in page.splitlines() if line.startswith("### ")] == list(FAMILIES)


def test_the_page_lists_further_names() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = [name for family in FAMILIES.values() for macro in family for name in macro.names]
    assert [name for name in names if name not in page] == []


ELSEWHERE = [
    "firstIncludedMessageId",
    "summary",
    "exampleSeparator",
    "chatStart",
    "instructUserPrefix",
    "instructInput",
    "instructUserSuffix",
    "instructAssistantPrefix",
    "instructOutput",
    "instructAssistantSuffix",
    "instructSeparator",
    "instructSystemPrefix",
    "instructSystemSuffix",
    "instructFirstAssistantPrefix",
    "instructLastAssistantPrefix",
    "instructFirstUserPrefix",
    "instructLastUserPrefix",
    "instructSystemInstructionPrefix",
    "instructUserFiller",
    "instructStop",
    "wiBefore",
    "wiAfter",
    "loreBefore",
    "loreAfter",
    "anchorBefore",
    "anchorAfter",
    "pipe",
    "var::x",
    "outlet::x",
    "lastGenerationType",
    "authorsNote",
    "charAuthorsNote",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_airochat_does_not_have_leaves_nothing_unless_a_plugin_has_it(name: str) -> None:
    assert make().expand(f"[{{{{{name}}}}}]") == "[]"
    mine = Macros(SCOPE, extra={name.partition("::")[0]: lambda call: "/".join(("mine", *call.arguments))})
    assert mine.expand(f"{{{{{name}}}}}") == ("mine/x" if "::" in name else "mine")


class TestOriginal:
    def test_it_stands_once(self) -> None:
        assert make().expand("{{original}}|{{original}}", original="Old {{char}}.") == "Old {{char}}.|"

    def test_an_empty_one_is_empty(self) -> None:
        assert make().expand("a{{original}}b", original="") == "ab"

    def test_it_does_not_reach_inserted_texts(self) -> None:
        card = Card("C", description="{{original}}")
        assert make().expand("{{description}}{{original}}", card=card, original="X") == "{{original}}X"


class TestCards:
    def test_the_card_given_is_the_character(self) -> None:
        assert make().expand("{{char}} {{notChar}}", card=BO) == f"Bo Aria, {USER}"

    def test_without_a_card_its_macros_stay(self) -> None:
        text = "{{char}} {{group}} {{description}} {{charVersion}} {{persona}}"
        wanted = f"{{{{char}}}} {{{{group}}}} {{{{description}}}} {{{{charVersion}}}} {USER}, a smith."
        assert make(cards=()).expand(text) == wanted

    def test_texts_that_hold_each_other_end(self) -> None:
        card = Card("C", description="d{{personality}}", personality="p{{description}}")
        assert make().expand("{{description}}", card=card) == "dp"
        assert make().expand(card.description, card=card) == "dp"
        assert make().expand("{{description}}" * 3, card=Card("C", description="{{description}}")) == ""

    def test_a_text_that_is_inserted_has_no_carriage_returns(self) -> None:
        assert make().expand("{{description}}", card=Card("C", description="a\r\nb")) == "a\nb"

    def test_an_empty_chat(self) -> None:
        text = "[{{lastMessage}}{{lastMessageId}}{{lastCharMessage}}{{currentSwipeId}}] {{idle_duration}}"
        assert make(history=(), swipe=(0, 0)).expand(text) == "[] just now"

    def test_a_broken_note_is_empty(self) -> None:
        card = Card("C", extensions={"depth_prompt": {"prompt": 5}})
        assert make().expand("[{{charDepthPrompt}}]", card=card) == "[]"


class TestChance:
    TEXT = "{{random::a::b::c::d::e::f::g::h}}{{roll:1000}}"

    def test_the_same_turn_draws_the_same(self) -> None:
        assert make().expand(self.TEXT) == make().expand(self.TEXT)

    def test_another_turn_draws_anew_but_a_pick_stays(self) -> None:
        drawn = {make(turn=str(turn)).expand(self.TEXT) for turn in range(20)}
        picked = {make(turn=str(turn)).expand(self.TEXT.replace("random", "pick")[:30]) for turn in range(20)}
        assert len(drawn) > 10
        assert len(picked) == 1

    def test_another_chat_and_another_text_pick_anew(self) -> None:
        text = "{{pick::a::b::c::d::e::f::g::h}}"
        assert len({make(seed=str(seed)).expand(text) for seed in range(40)}) > 4
        assert len({make().expand(text + " " * spaces)[0] for spaces in range(40)}) > 4

    def test_another_program_draws_the_same(self) -> None:
        code = (
            "from airochat.prompt.macros import Macros, Scope\n"
            f"print(Macros(Scope(seed='chat', turn='turn')).expand({self.TEXT!r}), end='')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == make().expand(self.TEXT)

    def test_items_of_a_list_are_trimmed_and_may_hold_commas(self) -> None:
        drawn = {make(turn=str(turn)).expand("{{random: a , b\\, c}}") for turn in range(40)}
        assert drawn == {"a", "b, c"}

    def test_every_side_of_a_die_comes(self) -> None:
        rolls = [make(turn=str(turn)).expand("{{roll:2d3+1}}") for turn in range(200)]
        assert set(rolls) == {"3", "4", "5", "6", "7"}


class TestVariables:
    def test_they_are_working_copies(self) -> None:
        local: dict[str, str | float] = {"x": "1"}
        variables = Variables(local)
        macros = Macros(SCOPE, variables)
        assert macros.expand("{{getvar::x}}{{char}}") == "1Aria"
        assert not variables.changed
        macros.expand("{{setvar::x::2}}")
        assert variables.changed
        assert (local, variables.local, variables.everywhere) == ({"x": "1"}, {"x": "2"}, {})

    def test_those_of_all_chats_count_as_changed_too(self) -> None:
        macros = Macros(SCOPE)
        macros.expand("{{$x = 1}}")
        assert macros.variables.changed
        assert macros.variables.everywhere == {"x": "1"}

    def test_they_last_from_text_to_text(self) -> None:
        macros = make()
        macros.expand("{{incvar::n}}")
        assert macros.expand("{{.n}}") == "6"


class TestPlugins:
    def expand(self, text: str, **extra: MacroFunction) -> tuple[str, list[tuple[str, str]]]:
        errors: list[tuple[str, str]] = []
        macros = Macros(SCOPE, extra=extra, on_error=lambda name, error: errors.append((name, str(error))))
        return macros.expand(text), errors

    def test_one_gets_its_arguments_expanded(self) -> None:
        calls: list[MacroCall] = []

        def mood(call: MacroCall) -> str:
            calls.append(call)
            return "{{char}}"

        assert self.expand("{{MOOD::{{char}}:: b}}{{Mood}}", Mood=mood) == ("{{char}}{{char}}", [])
        assert [(call.name, call.arguments) for call in calls] == [("mood", ("Aria", " b")), ("mood", ())]
        assert calls[0].macros.scope is SCOPE

    def test_it_goes_before_airochats_own(self) -> None:
        assert self.expand("{{char}} {{weather}}", char=lambda call: "X") == ("X {{weather}}", [])

    def test_a_failing_one_stays_as_written_and_is_reported(self) -> None:
        text, errors = self.expand("{{ bad::{{user}} }}{{char}}", bad=lambda call: str(1 // 0))
        assert text == "{{ bad::{{user}} }}Aria"
        assert [name for name, _ in errors] == ["bad"]

    def test_one_that_makes_no_text_is_reported(self) -> None:
        answer: Callable[[MacroCall], str] = lambda call: 5  # type: ignore[assignment,return-value]  # noqa: E731
        assert self.expand("{{n}}", n=answer) == ("{{n}}", [("n", "The macro n made a int, not a text.")])

    def test_one_may_leave_itself(self) -> None:
        assert self.expand("{{n::x}}", n=lambda call: None) == ("{{n::x}}", [])

    def test_one_may_have_a_block(self) -> None:
        found = self.expand("{{up}} a{{char}} {{/up}}", up=lambda call: call.arguments[0].upper())
        assert found == ("AARIA", [])

    def test_one_that_expands_itself_ends(self) -> None:
        text, _ = self.expand("{{n}}", n=lambda call: call.macros.expand("x{{n}}"))
        assert text == "x" * MAX_DEPTH + "{{n}}"


BOMBS = {
    "nested": "{{reverse:" * 10_000 + "ab" + "}}" * 10_000,
    "nested unknown": "{{x::" * 10_000 + "ab" + "}}" * 10_000,
    "nested blocks": "{{if 1}}" * 10_000 + "ab" + "{{/if}}" * 10_000,
    "nested conditions": "{{if .x{{" * 10_000 + "}}" * 20_000,
    "braces": "{" * 1_000_001,
    "closing braces": "}" * 1_000_001,
    "opened": "{{if " * 200_000,
    "end tags": "{{if 1}}" * 5_000 + "{{/reverse}}" * 5_000,
    "a million items": "{{random::" + "a::" * 1_000_000 + "}}",
    "a million items with commas": "{{pick:" + "a," * 1_000_000 + "}}",
    "doubling": "{{.x = ab}}" + "{{setvar::x::{{.x}}{{.x}}}}" * 200 + "{{.x}}",
    "doubling by adding": "{{.x = ab}}" + "{{addvar::x::{{.x}}}}" * 200 + "{{.x}}" * 2_000,
    "a growing list": "{{.x = []}}" + "{{addvar::x::ab}}" * 9_000,
    "cards": "{{description}}" * 9_000,
    "notes": "{{charVersion}}{{personality}}" * 9_000,
    "dice": "{{roll:100d1000000}}" * 9_000,
    "many macros": "{{char}}" * 500_000,
    "space": "{{" + " " * 500_000 + "}}",
    "space before a colon": "{{char" + " " * 500_000 + "x}}",
    "space in a time": "{{timeDiff::1:00" + " " * 500_000 + "x::1:00}}",
    "a name": "{{." + "x-" * 500_000 + "}}",
    "numbers": "{{.x = " + "9" * 90_000 + "}}{{incvar::x}}{{addvar::x::1e999}}{{.x > 1}}",
    "variables": "".join(f"{{{{setvar::v{number}::1}}}}" for number in range(5_000)),
    "else": "{{if 1}}" + "{{else}}" * 9_000 + "{{/if}}",
    "trim": "\n{{trim}}\n" * 9_000,
    "formats": "{{datetimeformat " + "[" * 300_000 + "LLLL" * 100_000 + "}}",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends(name: str) -> None:
    text = BOMBS[name]
    big = Card(
        "C",
        description="{{personality}}" * 100 + "d" * 9_000,
        personality="{{scenario}}" * 100 + "{{// " + "p" * 90_000 + "}}",
        scenario="{{description}}" * 100,
    )
    macros = Macros(SCOPE)
    expanded = macros.expand(text, card=big)
    assert len(expanded) <= len(text) + MAX_INSERTED
    assert all(len(str(value)) <= MAX_VALUE for value in macros.variables.local.values())


def test_text_beyond_a_limit_stays_as_written() -> None:
    deep = MAX_DEPTH + 2
    inner = "{{reverse:" * 2 + "ab" + "}}" * 2
    assert make().expand("{{reverse:" * deep + "ab" + "}}" * deep) == inner
    many = make().expand("{{char}}" * 20_000)
    assert many == "Aria" * 10_000 + "{{char}}" * 10_000
    items = "{{random::" + "a::" * 20_000 + "}}"
    assert make().expand(items) == items


TEXTS = st.text()
WORDS = """{{ }} { } :: : , \\ / # ! . $ = ++ += || ?? if else /if random pick roll setvar getvar addvar incvar
user char description trim // x n word 1 2d6 <USER> \\{\\{ time_UTC+2 timeDiff datetimeformat reverse LT"""
PIECES = st.lists(st.sampled_from([*WORDS.split(), " ", "\n"]) | st.text(max_size=3), max_size=30).map(
    "".join
)


@given(PIECES)
def test_nothing_raises_and_the_same_text_expands_the_same(text: str) -> None:
    assert make().expand(text) == make().expand(text)


@given(TEXTS)
def test_text_without_braces_stays(text: str) -> None:
    text = text.replace("{", "").replace("<", "").replace("}", "")
    assert make().expand(text) == text


@given(TEXTS)
def test_values_are_inserted_literally(value: str) -> None:
    message = Message("1", None, "user", "U", value)
    macros = Macros(Scope(user=value, input=value, history=(message,), cards=(Card("C", nickname=value),)))
    called = value.strip() or "C"
    found = macros.expand("{{user}}|{{input}}|{{lastMessage}}|{{char}}|{{if 1}}{{user}}{{/if}}")
    assert found == f"{value}|{value}|{value}|{called}|{value}"
    assert macros.expand("{{setvar::x::{{user}}}}{{getvar::x}}{{reverse::{{user}}}}") == value + value[::-1]
    assert not macros.variables.everywhere


@given(PIECES)
def test_chat_text_never_changes_a_variable(text: str) -> None:
    message = Message("1", None, "user", "U", text)
    macros = Macros(Scope(user=text, input=text, system=text, history=(message,)))
    macros.expand(
        "{{user}}{{input}}{{lastMessage}}{{system}}{{original}}{{if {{user}}}}{{/if}}", original=text
    )
    assert not macros.variables.changed


@given(
    st.datetimes(datetime(1, 2, 1), datetime(9999, 11, 1)),
    st.text(alphabet="YQMDdEeGWHhkmsSAaZXxLl[]\\o ", max_size=20),
)
def test_every_format_of_every_moment_is_written(moment: datetime, pattern: str) -> None:
    aware = moment.replace(tzinfo=timezone.utc)
    assert isinstance(clock.formatted(aware, pattern), str)


@given(st.timedeltas(timedelta(days=-900_000), timedelta(days=900_000)))
def test_a_span_reads_the_same_both_ways(span: timedelta) -> None:
    assert clock.humanised(span) == clock.humanised(-span) != ""
