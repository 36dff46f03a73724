"""Replies made fit to be shown: labels, other speakers, unfinished sentences, open marks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airochat.prompt.finish import finish_reply

CAST = ("Maya", "Bob", "Dr. X (old)")


class TestLabels:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("Maya: Hi.", "Hi."),
            ("  Maya:\n\nMaya: Hi.", "Hi."),
            ("Maya：Hi.", "Hi."),
            ("Maya: ", "Maya: "),
            ("Mayan: Hi.", "Mayan: Hi."),
            ("maya: Hi.", "maya: Hi."),
            (" Hi. Maya: no.", " Hi. Maya: no."),
        ],
    )
    def test_the_own_one_goes(self, text: str, wanted: str) -> None:
        assert finish_reply(text, speaker="Maya") == wanted

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("Hi.\nBob: Yo.", "Hi."),
            ("Hi.\n\n  Bob : Yo.\nMaya: x", "Hi."),
            ("Hi.\nDr. X (old): Yo.", "Hi."),
            ("Hi.\nMaya: And more.", "Hi.\nAnd more."),
            ("Hi.\nMaya: Bob: Yo.", "Hi."),
            ("Hi.\nBobby: Yo.", "Hi.\nBobby: Yo."),
            ("Bob: Yo.", "Bob: Yo."),
            ("\nBob: Yo.", "\nBob: Yo."),
            ("Maya: Bob: Yo.\nBob: x", "Bob: Yo."),
            ("I said Bob: no.", "I said Bob: no."),
            ("```\nx\nBob: 1\n```\nSo.", "```\nx\nBob: 1\n```\nSo."),
            ("```\nx\nBob: 1", "```\nx\n```"),
        ],
    )
    def test_another_ends_the_reply(self, text: str, wanted: str) -> None:
        assert finish_reply(text, speaker="Maya", speakers=CAST) == wanted

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("Hi.\n\n  Maya : More.\nMaya：And.", "Hi.\n\nMore.\nAnd."),
            ("Hi.\nMaya: Maya: More.", "Hi.\nMore."),
            ("Hi.\nMaya:\nMore.", "Hi.\nMore."),
            ("Hi.\nMaya:", "Hi."),
            ("Hi.\nMayan: no.\nBob: no.\nmaya: no.", "Hi.\nMayan: no.\nBob: no.\nmaya: no."),
            ("Hi. Maya: no.", "Hi. Maya: no."),
            ("```\nx\nMaya: 1\n```\nMaya: So.", "```\nx\nMaya: 1\n```\nSo."),
            ("Hi.\nMaya: ```\nx", "Hi.\nMaya: ```\nx"),
            ("...\nMaya:", "...\nMaya:"),
        ],
    )
    def test_the_own_one_goes_at_every_line(self, text: str, wanted: str) -> None:
        assert finish_reply(text, speaker="Maya", balance=False) == wanted

    def test_empty_names_are_no_speakers(self) -> None:
        assert finish_reply("a\n: b", speakers=("", " ")) == "a\n: b"


class TestTrimming:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("He left. She was go", "He left."),
            ("Who? Me! And", "Who? Me!"),
            ('"Hi there," he said. "I wa', '"Hi there," he said.'),
            ('He said "no." Then', 'He said "no."'),
            ("*She nods.* I am", "*She nods.*"),
            ("*She nods*\nI am", "*She nods*"),
            ("*She nods. I am", "*She nods.*"),
            ("*One\n\n*Two* three", "*One*"),
            ("你好。我是", "你好。"),
            ("「行くよ。」と彼", "「行くよ。」"),
            ("Well... I see. Ok", "Well... I see."),
            ("1. First.\n2. Sec", "1. First."),
            ("1. First.\n2.", "1. First."),
            ("Gone. Then Mr. Smith", "Gone."),
            ("Gone. Then J. Smith", "Gone."),
            ("```py\nx = 1. y\n```\nAnd th", "```py\nx = 1. y\n```"),
            ("So.\n```py\nx. y", "So.\n```py\nx. y\n```"),
            ("So. (an asi", "So."),
            ("One.\n\nTw", "One."),
        ],
    )
    def test_the_last_finished_sentence_ends_it(self, text: str, wanted: str) -> None:
        assert finish_reply(text, trim=True) == wanted

    @pytest.mark.parametrize(
        "text",
        [
            "Done!", "Done.\n", "*smiles*", "Hi \N{SMILING FACE WITH OPEN MOUTH}", "He left~", "No end here",
            "", "...", "Mr. A", "It costs 3.5",
            "Yes... ", "“Fin.”", "(Fin.)", "```\nx\n```", "| a | b |\n|---|---|\nDone.",
        ],
    )  # fmt: skip
    def test_what_is_finished_or_has_no_end_stays(self, text: str) -> None:
        assert finish_reply(text, trim=True) == text

    def test_without_balance_only_the_end_goes(self) -> None:
        assert finish_reply('"Hi there. I wa', trim=True, balance=False) == '"Hi there.'
        assert finish_reply('"Hi there. I wa', balance=False) == '"Hi there. I wa'


class TestBalance:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ('"Hello there.', '"Hello there."'),
            ("“Hello there.", "“Hello there.”"),
            ("*She smiles", "*She smiles*"),
            ("**Note", "**Note**"),
            ("***Note", "***Note***"),
            ("(an aside", "(an aside)"),
            ('*She says "hi', '*She says "hi"*'),
            ("(he is **very", "(he is **very**)"),
            ("*One.\n\nTwo.", "*One.*\n\nTwo."),
            ('"One.\n\n*Two\n\n', '"One."\n\n*Two*\n\n'),
            ('*She smiles\n"Hi."\n*waves*', '*She smiles*\n"Hi."\n*waves*'),
            ('"Ok." *She "smiles" a', '"Ok." *She "smiles" a*'),
            ("*...maybe", "*...maybe*"),
            ("```python\nx = 1", "```python\nx = 1\n```"),
            ("````\n```\nx\n", "````\n```\nx\n````"),
            ('"Wait—', '"Wait—"'),
            ("“It's 5.", "“It's 5.”"),
            ("Hi ( she said", "Hi ( she said"),
        ],
    )
    def test_an_open_mark_is_closed(self, text: str, wanted: str) -> None:
        assert finish_reply(text) == wanted

    @pytest.mark.parametrize(
        "text",
        [
            "Don't, it's the dogs' 'tis.",
            "It's 6\" long and 5'10\" tall.",
            '"The 6" pipe," he said.',
            "* one\n* two **bold**\n* three",
            "*one\n*two\n*three",
            "- *item* one\n- **Bold:** two",
            "2 * 3 = 6, 2*3*4 = 24, a * b",
            "f**k this sh*t, **** it, f*** off",
            "* * *\n\n***",
            "Oh :( no :-( ;( =( and (: and (;",
            "Hah (so nice :)",
            "1) one 2) two a) b)",
            "[0, 1) and (0, 1]",
            "Kaomoji (╯°□°)╯ ¯\\_(ツ)_/¯",
            "「こんにちは",
            "『彼は「はい",
            '他说"你好',
            "*微笑*你好*挥手*",
            "„Hallo“, sagte er. »Ja«",
            "„Hallo",
            "”Hej”, sade han.",
            "« Bonjour",
            '"First paragraph.\n\n"Second one."',
            "“First.\n\n“Second.\n\n“Third.”",
            '"First.\n\nSecond," he said.',
            "*Long action.\n\nIt goes on.*",
            "(An aside.\n\nIt goes on.)",
            "A footnote* here.\n\n*Terms apply.",
            "Take *args and **kwargs.",
            "List *.py files",
            'The mark `"` and `*x` and ``a ` "b`` in code',
            '```\n"open *x (y\n```\nDone.',
            "```\ncode\n```",
            "Text\n```",
            "~~~\nscene",
            '\\"escaped \\*x \\(y',
            'Say "',
            '*She says "',
            "*She says “",
            "*He was **very** angry*",
            "**Bold *and* more**, ***all***",
            '"Hi," *he says,* "there."',
            'He said: "*No.*"',
            "",
            "   \n ",
        ],
    )
    def test_what_may_be_meant_stays(self, text: str) -> None:
        assert finish_reply(text) == text


PIECES = st.lists(
    st.sampled_from(
        [
            '"', "“", "”", "„", "(", ")", "*", "**", "***", "[", "]", "`", "```", "```\n",
            "\n", "\n\n", " ", "  ", "a",
            "word", "Hi", ".", "!", "...", "?", "。", "…", ":", ":(", "Maya:", "\nMaya:", "Bob:", "\nBob:", "5",
            "\\", ",", "—",
            "\N{SMILING FACE WITH OPEN MOUTH}", "_", "Mr.", "1.", "\n* ",
            "\n*", "\n- ", "'", "你好", "「", "args", "\r\n", "\t",
        ]
    )
    | st.text(max_size=3),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=600)
@given(PIECES, st.booleans(), st.booleans())
def test_twice_is_once_and_words_remain(text: str, trim: bool, balance: bool) -> None:
    def finish(reply: str) -> str:
        return finish_reply(reply, speakers=CAST, speaker="Maya", trim=trim, balance=balance)

    once = finish(text)
    assert finish(once) == once
    assert any(map(str.isalnum, once)) == any(map(str.isalnum, text))


@given(PIECES)
def test_balance_only_adds_closing_marks(text: str) -> None:
    balanced = finish_reply(text)
    left = iter(balanced)
    assert all(character in left for character in text)
    assert set(balanced) - set(text) <= set('"”)*`\n')


@given(PIECES)
def test_trimming_only_takes_from_the_end(text: str) -> None:
    assert text.startswith(finish_reply(text, trim=True, balance=False))


@given(st.text(alphabet=st.characters(exclude_characters='"“„(*`')))
def test_text_without_marks_stays(text: str) -> None:
    assert finish_reply(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ['("' * 50_000, "*a\n" * 50_000, '"a\n\n' * 30_000, "`a" * 100_000, "Mr. " * 100_000, "```\na\n" * 30_000,
     "[(" * 50_000,
     "**a *b " * 30_000, "a\nBob" * 50_000,
     "a\nMaya:" * 50_000, "```\na\n```\nMaya: a\n" * 20_000, "a\nMaya:" + " " * 100_000 + "```", "*" * 300_000,
     "a. " * 100_000, " " * 300_000, "“a\n\n”" * 30_000, "!" * 300_000],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_a_model_that_repeats_itself_is_finished(text: str) -> None:
    once = finish_reply(text, speakers=CAST, speaker="Maya", trim=True)
    assert finish_reply(once, speakers=CAST, speaker="Maya", trim=True) == once
