"""Phrase bans, driven by the loop below: it shows how a decode loop is to use them."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airochat.backends import bans as module
from airochat.backends.automaton import Automaton, folded
from airochat.backends.bans import MARGIN, MAX_BANS, BanPlan, BanReport, BanRun, Bans
from airochat.backends.text import TextStream
from airochat.errors import SettingsError
from airochat.sampling import Sampling, ban_regex

END = 0
PIECES = {
    END: b"",
    1: b"a",
    2: b"b",
    3: b"c",
    4: b" ",
    5: "é".encode()[:1],
    6: "é".encode()[1:],
    7: b"ab",
    8: b"A",
    9: b"",
    10: b"c b",
    11: "É🦙".encode()[:4],
    12: "🦙".encode()[2:],
}
WORDS = st.text(alphabet="abcA é🦙", min_size=1, max_size=4)
REGEXES = st.sampled_from(
    [
        "/a+b/",
        r"/\bab?\b/",
        "/a.*c/",
        "/b$/i",
        "/(?<=a)c/",
        r"/(\w)\1/",
        "/a(?=b)/",
        "/é|bc a/",
        "/^a/m",
        "/ca{2}/",
    ]
)
ENTRIES = st.lists(WORDS | REGEXES, max_size=4)


def usable(entries: Sequence[str]) -> list[str]:
    """Leave out what bans every text by itself."""
    try:
        return list(Sampling(banned=tuple(entries)).banned)
    except SettingsError:
        return []


class Model:
    """Gives logits that depend on all that was decoded, and remembers that as a KV cache does."""

    def __init__(self, seed: int, likely: Sequence[int] = tuple(PIECES)) -> None:
        self.seed, self.likely = seed, likely
        self.cache: list[int] = []
        self.decoded = 0

    def logits(self) -> dict[int, float]:
        dice = random.Random(f"{self.seed} {self.cache}")
        return {token: dice.random() for token in self.likely}

    def decode(self, token: int) -> dict[int, float]:
        self.cache.append(token)
        self.decoded += 1
        return self.logits()


@dataclass
class Sampler:
    """Takes the likeliest token, and looks back on what it has taken."""

    taken: list[int] = field(default_factory=list)

    def clone(self) -> Sampler:
        return Sampler(list(self.taken))

    def choose(self, logits: dict[int, float], banned: Collection[int]) -> int | None:
        left = {token: value for token, value in logits.items() if token not in banned}
        if not left:
            return None
        token = max(left, key=lambda token: left[token] - (0.3 if token in self.taken[-2:] else 0))
        self.taken.append(token)
        return token


class NothingLeft(Exception):
    pass


class Line:
    """Writes one reply: the reference for a loop that obeys bans."""

    def __init__(self, model: Model, run: BanRun, limit: int, ring: int) -> None:
        self.model, self.run, self.limit, self.ring = model, run, limit, ring
        self.shown: list[int] = []
        self.snapshots: list[tuple[int, ...]] = []
        self._logits, self._sampler = model.logits(), Sampler()
        self._saved: dict[int, tuple[dict[int, float], Sampler]] = {}

    def write(self, steps: int = 100_000) -> str:
        for _ in range(steps):
            reason = self.advance()
            self.shown += self.run.take()
            self.snapshots.append(tuple(self.shown))
            if reason:
                return reason
        raise AssertionError("It does not end.")

    def advance(self) -> str:
        """Choose a token; return why the reply has ended, or nothing."""
        run, position = self.run, len(self.run.tokens)
        assert self.model.cache == run.tokens
        self._saved[position] = self._logits, self._sampler.clone()
        self._saved.pop(position - self.ring, None)
        token = self._sampler.choose(self._logits, run.banned)
        assert token not in run.banned
        if token is None:
            back = run.stuck()
            if back is None:
                raise NothingLeft
        elif token == END:
            back = run.end()
            if back is None:
                return "eos"
        else:
            back = run.offer(token, PIECES[token])
            if back is None and run.stopped:
                return "stop"
            if back is None and len(run.tokens) >= self.limit:
                back = run.end()
                if back is None:
                    return "length"
        if back is None:
            self._logits = self.model.decode(run.tokens[-1])
        else:
            self._go_back(back)
        return ""

    def _go_back(self, position: int) -> None:
        if position in self._saved:
            del self.model.cache[position:]
            self._logits, self._sampler = self._saved[position]
        else:
            del self.model.cache[max(0, position - 1) :]
            before = self.run.tokens[max(0, position - 1) :]
            self._logits = self.model.decode(before[0]) if before else self.model.logits()
            self._sampler = Sampler(list(self.run.tokens))
        self._saved = {at: saved for at, saved in self._saved.items() if at < position}


def text_of(tokens: Sequence[int], stops: Sequence[str] = ()) -> str:
    stream = TextStream(stops)
    parts = [stream.feed(PIECES[token]) for token in tokens]
    return "".join([*parts, stream.finish()])


def contained(text: str, entries: Sequence[str]) -> set[str]:
    """Return the entries that occur in a text, found in the plainest way."""
    found = set()
    for entry in entries:
        pattern = ban_regex(entry)
        matches = [m[0] for m in pattern.finditer(text)] if pattern else [folded(entry) in folded(text)]
        if any(matches):
            found.add(entry)
    return found


def write(
    entries: Sequence[str],
    model: Model,
    stops: Sequence[str] = (),
    limit: int = 30,
    ring: int = 64,
) -> tuple[Line, str]:
    line = Line(model, Bans(entries).start(stops), limit, ring)
    return line, line.write()


def let_through(report: BanReport) -> set[str]:
    return {count.phrase for count in report.counts if count.passed}


@settings(max_examples=300)
@given(st.integers(0, 10**6), ENTRIES.map(usable), st.lists(WORDS, max_size=2), st.sampled_from([1, 3, 64]))
@example(0, ["a", "b", "c", " ", "é", "🦙"], [], 3)
@example(0, ["c b", "A"], ["c", " a"], 64)
def test_no_phrase_is_left_unless_that_is_told(
    seed: int, entries: list[str], stops: list[str], ring: int
) -> None:
    line, reason = write(entries, Model(seed), stops, ring=ring)
    report, text = line.run.report(), text_of(line.run.tokens, stops)
    assert {folded(entry) for entry in contained(text, entries)} <= set(map(folded, let_through(report)))
    assert line.shown == line.run.tokens
    assert all(tuple(line.shown[: len(early)]) == early for early in line.snapshots)
    assert report.rewinds <= 4 * max(30, 16)
    assert (reason == "stop") == TextEnds(stops).reached(line.run.tokens)


class TextEnds:
    def __init__(self, stops: Sequence[str]) -> None:
        self._stream = TextStream(stops)

    def reached(self, tokens: Sequence[int]) -> bool:
        for token in tokens:
            self._stream.feed(PIECES[token])
        return self._stream.stopped


@given(st.integers(0, 10**6), st.lists(REGEXES, max_size=3), st.lists(WORDS, max_size=2))
def test_shown_text_never_holds_the_beginning_of_a_phrase(
    seed: int, regexes: list[str], words: list[str]
) -> None:
    class Watched(BanPlan):
        def back(self, tokens: Sequence[int], at: int, floor: int) -> int | None:
            assert at >= floor
            return super().back(tokens, at, floor)

    run = Bans(usable([*regexes, *words])).start()
    run._plan = Watched()
    Line(Model(seed), run, 30, 64).write()


@given(st.integers(0, 10**6))
def test_bans_that_do_not_occur_change_nothing(seed: int) -> None:
    bare, with_bans = Model(seed), Model(seed)
    sampler, logits = Sampler(), bare.logits()
    tokens: list[int] = []
    while len(tokens) < 30 and (token := sampler.choose(logits, ())) not in (END, None):
        tokens.append(token)
        logits = bare.decode(token)
    line, _ = write(["never", "/x+y/"], with_bans)
    assert line.run.tokens == tokens
    assert with_bans.decoded <= bare.decoded
    assert line.run.report() == BanReport()


@given(st.integers(0, 10**6), ENTRIES.map(usable), st.integers(0, 40))
def test_a_reply_that_is_cut_holds_no_phrase_either(seed: int, entries: list[str], steps: int) -> None:
    line = Line(Model(seed, likely=tuple(PIECES)[1:]), Bans(entries).start(), 100, 64)
    for _ in range(steps):
        line.advance()
        line.shown += line.run.take()
    line.run.cut()
    early, line.shown = line.shown, [*line.shown, *line.run.take()]
    assert line.shown == line.run.tokens
    assert early == line.run.tokens[: len(early)]
    told = set(map(folded, let_through(line.run.report())))
    assert {folded(entry) for entry in contained(text_of(line.run.tokens), entries)} <= told


def offer(run: BanRun, *pieces: str | bytes) -> list[int | None]:
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return [run.offer(number, piece) for number, piece in enumerate(data, 10 + len(run.tokens))]


def test_the_token_with_the_first_character_is_banned_there() -> None:
    run = Bans(["shivers down"]).start()
    assert offer(run, "She ", "felt ", "SHI", "vers", " do", "wn") == [None] * 5 + [2]
    assert (run.tokens, set(run.banned)) == ([10, 11], {12})
    assert offer(run, "cold", ".") == [None, None]
    assert run.banned == ()
    report = run.report()
    assert (report.rewinds, report.kept, report.sentences()) == (1, True, ())
    assert [(count.phrase, count.removed, count.found) for count in report.counts] == [
        ("shivers down", 1, ("SHIvers down",))
    ]


def test_case_and_curly_quotes_make_no_difference() -> None:
    run = Bans(['don\'t "MOVE"']).start()
    assert offer(run, "Don’t ", "“move”") == [None, 0]
    assert folded("ẞtraße İΣς’Aé") == folded("ẞtraße İσσ'aÉ")
    assert len(folded("ẞtraße İ")) == len("ẞtraße İ")


def test_a_character_of_several_tokens_begins_at_its_first() -> None:
    run = Bans(["é!"]).start()
    assert offer(run, "x", "é".encode()[:1], "", "é".encode()[1:], "!") == [None] * 4 + [1]
    llama = "🦙".encode()
    run = Bans(["🦙"]).start()
    assert offer(run, b"a" + llama[:1], llama[1:2], llama[2:3], llama[3:]) == [None, None, None, 0]
    run = Bans(["a"]).start()
    assert offer(run, llama[:2], "a") == [None, 1]
    run = Bans(["🦙"]).start()
    offer(run, "a", llama[:2], *[""] * 9)
    assert len(run.take()) == 0
    assert offer(run, llama[2:]) == [1]


def test_the_shortest_of_the_phrases_that_end_together_is_what_is_replaced() -> None:
    run = Bans(["a b", "b", "B"]).start()
    assert offer(run, "a", " ", "b") == [None, None, 2]
    assert [count.phrase for count in run.report().counts] == ["b", "a b"]


def test_a_regex_waits_until_a_word_has_ended() -> None:
    run = Bans([r"/\bshiver\b/"]).start()
    assert offer(run, "a ", "shiver", "ing", " shiver", ", ") == [None, None, None, None, 3]
    run = Bans([r"/\bshiver\b/"]).start()
    assert offer(run, "a ", "shiver") == [None, None]
    assert run.end() == 1
    assert offer(run, "chill") == [None]
    assert run.end() is None


def test_a_regex_without_i_heeds_case() -> None:
    assert offer(Bans(["/Elara/"]).start(), "elara", " Elara") == [None, 1]
    assert offer(Bans(["/elara/i"]).start(), "eLara") == [0]
    assert offer(Bans(["/a.b/s", "/^x/m"]).start(), "a\n", "x") == [None, 1]


@pytest.mark.parametrize("entry", ["not just", "/not just.*but/", r"/\bnot\b just/"])
def test_text_is_shown_as_soon_as_no_phrase_can_begin_in_it(entry: str) -> None:
    run = Bans([entry]).start()
    offer(run, *"Hewas")
    assert len(run.take()) == 5 - MARGIN
    offer(run, " not", " ", "just" if "*" in entry else "jus")
    assert run.take() == []
    offer(run, "\n", *"abcd")
    assert len(run.take()) == 8


def test_a_stop_text_is_no_phrase_and_phrases_before_it_count() -> None:
    run = Bans(["user", r"/\.$/"]).start(["\nUSER:"])
    assert offer(run, "Hi", "\nUS", "ER", ": x user") == [None] * 4
    assert run.stopped and run.take() == [10, 11, 12, 13]
    run = Bans(["user", r"/\.$/"]).start(["\nUSER:"])
    assert offer(run, "Hi", ".", "\nUSER", ":") == [None, None, None, 1]
    assert not run.stopped
    assert offer(run, "\nUSER", " ") == [None, 1]


def test_a_dead_end_is_left_backwards_and_later_bans_are_forgotten() -> None:
    run = Bans(["/b[c-z]/"]).start()
    offer(run, "a", "b")
    for token in range(MAX_BANS):
        assert run.offer(100 + token, b"c") == 1
        assert run.offer(11 + 200 + token, b"b") is None
    assert run.offer(99, b"c") == 0
    assert (set(run.banned), run.report().dead_ends) == ({10}, 1)
    assert offer(run, "x") == [None]
    assert run.banned == ()


def test_where_nothing_is_left_it_goes_back_further() -> None:
    line = Line(Model(0, likely=(2, 3)), Bans(["b", "cc"]).start(), 6, 64)
    assert line.write() == "length"
    assert not line.run.report().kept
    with pytest.raises(NothingLeft):
        Line(Model(0, likely=()), Bans(["b"]).start(), 6, 64).write()


@pytest.mark.parametrize("ring", [1, 64])
def test_bans_of_everything_let_through_and_say_so(ring: int) -> None:
    line, reason = write(
        ["a", "b", "c", " ", "é", "🦙"], Model(4, likely=(1, 2, 3, 4, 7)), limit=40, ring=ring
    )
    report = line.run.report()
    assert (reason, len(line.run.tokens)) == ("length", 40)
    assert report.dead_ends and not report.kept
    assert report.sentences()[0].startswith("Let through, as every way on led to it: 'a' (")


def test_without_the_letter_e_there_is_a_way_on() -> None:
    dice = random.Random(1)
    words = {number: "".join(dice.choices("eeetaoin s", k=3)).encode() for number in range(1, 400)}
    run, tokens = Bans(["e"]).start(), list(words)
    while len(run.tokens) < 60:
        token = next(t for t in dice.sample(tokens, len(tokens)) if t not in run.banned)
        run.offer(token, words[token])
    assert run.end() is None
    text = b"".join(words[token] for token in run.tokens)
    assert run.report().kept and b"e" not in text


def test_a_plan_forgets_later_bans_and_keeps_its_cap() -> None:
    plan = BanPlan()
    assert plan.back([7, 8, 9], 2, 0) == 2
    assert (plan.at(2), plan.back([7, 8], 1, 0)) == ({9}, 1)
    assert (plan.at(2), plan.at(1)) == ((), {8})
    assert plan.back([7, 8], 1, 2) is None
    assert [plan.back([7, 8, 9], 2, 0) for _ in range(80)].count(2) == 62
    assert plan.rewinds == 64


def test_a_plan_without_a_way_back_lifts_its_bans() -> None:
    plan = BanPlan()
    assert plan.back([7], 0, 0) == 0
    assert plan.stuck([], 0) == 0
    assert (plan.at(0), plan.back([7], 0, 0)) == ((), None)
    assert plan.stuck([7, 8], 2) == 2
    tokens = [7, 8, 9]
    assert [plan.back(tokens, at, 0) for at in (2, 1, 2)] == [None, 1, 2]


def test_a_regex_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PURSE_S", 0.01)
    run = Bans(["/(a|aa)+$/", "foo"]).start()
    assert offer(run, "a" * 60, "b" * 5, " foo") == [None, None, 2]
    assert run.report().too_slow == ("/(a|aa)+$/",)
    assert not run.report().kept
    assert "takes too long" in run.report().sentences()[0]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("entry", [r"/(?<=\K\Xb*\w{2})/", r"/(?<=a\Kb)/", r"/a\Kb/"])
def test_a_match_that_is_not_where_the_search_began_does_no_harm(entry: str) -> None:
    run = Bans([entry]).start()
    offer(run, "a", ".", "a", ".", "é", "aaaaaaaa", "ab ", "aaaaaaaa", "\n", "\n")
    run.cut()
    assert run.take() == run.tokens


def test_a_long_reply_keeps_only_what_is_still_needed() -> None:
    run = Bans(["/x.*y/", r"/\Bfoo/", "/(?<=(lorem ipsum ){20})foo/"]).start()
    for number in range(2000):
        assert run.offer(number, b"lorem ipsum ") is None
        assert number < 20 or run.offer(1, b"foo") == number + 1
    assert len(run._text) < 10_000
    assert run.offer(1, b"ofoo") == 2000
    assert run.offer(2, b".") is None
    assert run.offer(3, b"x" + b"-" * 300) is None
    assert run.offer(4, b"y") == 2001


def test_a_regex_matches_no_more_than_its_window() -> None:
    run = Bans(["/x.*y/"]).start()
    assert offer(run, "x", *["-" * 50] * 7) == [None] * 8
    assert run.take() == []
    offer(run, "-" * 50)
    assert len(run.take()) == 9 - MARGIN
    assert offer(run, "y") == [None]


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=5), st.text("abc", max_size=30))
def test_an_automaton_finds_what_searching_finds(texts: list[str], text: str) -> None:
    automaton, state, at, ends = Automaton(texts), 0, 0, []
    while at < len(text):
        state, read = automaton.scan(state, text[at:])
        if not read:
            break
        at += read
        lengths = [len(texts[number]) for number in automaton.ending(state)]
        assert lengths == sorted(lengths, reverse=True) and lengths[0] == automaton.longest(state)
        ends += [(at, length) for length in lengths]
    expected = {(m.end(1), len(t)) for t in texts for m in regex.finditer(f"(?=({t}))", text)}
    assert set(ends) == expected and len(ends) == len(set(ends))
    for end in range(len(text)):
        state, at = 0, 0
        while (step := automaton.scan(state, text[at:end]))[1]:
            state, at = step[0], at + step[1]
        longest = max((n for t in texts for n in range(len(t) + 1) if text[:end].endswith(t[:n])), default=0)
        assert automaton.depths[step[0]] == longest


def test_bans_are_compiled_once_and_only_if_there_are_any() -> None:
    assert Bans.of(()) is None
    assert Bans.of(("a", "/b/")) is Bans.of(["a", "/b/"])
