"""Segments to token ids: control tokens by id, everything else as plain text, one BOS."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from airochat.prompt.tokens import Tokenizer
from airochat.templates.segment import Segment, Vocabulary


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids and the source of each."""

    tokens: tuple[int, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring segments that become ids together: one control token, kept ids, or a stretch of text."""

    segments: tuple[Segment, ...]
    continued: bool = False
    """It follows text that has ids already, so that no space may be put before it."""

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments)

    @property
    def plain(self) -> bool:
        return self.segments[0].special is None and not self.segments[0].tokens

    @property
    def texts(self) -> list[str]:
        """The text, cut where its segments say so."""
        cuts = {0}
        end = 0
        for segment in self.segments:
            cuts |= {end + cut for cut in segment.cuts}
            end += len(segment.text)
        text = self.text
        return [text[start:stop] for start, stop in pairwise(sorted({*cuts, end}))]


def prepare(segments: Sequence[Segment], vocabulary: Vocabulary) -> tuple[list[Segment], tuple[str, ...]]:
    """Fit segments to a model: its own spelling of control tokens, exactly one BOS if it uses one; with warnings.

    BOS stands first if the template wrote it or the model file asks for it. A control token that the model lacks
    becomes plain text; BOS is left out instead.
    """
    fitted: list[Segment] = []
    lacking: list[str] = []
    no_bos = False
    for segment in segments:
        known = None if segment.special is None else vocabulary.resolve(segment.special)
        if segment.special is None:
            fitted.append(segment)
        elif known is not None:
            fitted.append(dataclasses.replace(segment, text=vocabulary.spelling(known) or segment.text))
        elif segment.special == "bos":
            no_bos = True
        else:
            lacking.append(segment.text)
            fitted.append(dataclasses.replace(segment, special=None, cuts=(0, len(segment.text))))
    warnings = [
        f"This model has no control token {text!r}; it is sent as plain text."
        for text in dict.fromkeys(lacking)
    ]
    if no_bos:
        warnings.append("This model has no BOS token, so that the prompt begins without one.")
    return _one_bos(fitted, vocabulary), tuple(warnings)


def encode(segments: Sequence[Segment], tokenizer: Tokenizer) -> Encoded:
    """Return the ids of prepared segments and the source of each id.

    Stretches of text are tokenised as a whole, across the borders of segments, as they were in training, but for the
    cuts that segments ask for; the text of a segment never becomes a control token.
    """
    runs = list(_runs(segments))
    texts = [
        (text, run.continued or number > 0)
        for run in runs
        if run.plain
        for number, text in enumerate(run.texts)
    ]
    encoded = iter(tokenizer.encode([text for text, _ in texts], [continued for _, continued in texts]))
    ids = [
        [token for _ in run.texts for token in next(encoded)]
        if run.plain
        else _fixed(run.segments[0], tokenizer.vocabulary)
        for run in runs
    ]
    lengths = iter([len(piece) for piece in tokenizer.pieces([token for found in ids for token in found])])
    sources: list[str] = []
    for run, found in zip(runs, ids, strict=True):
        sizes = [next(lengths) for _ in found]
        sources += _sources(run.segments, sizes) if run.plain else [run.segments[0].source] * len(found)
    return Encoded(tuple(token for found in ids for token in found), tuple(sources))


def _one_bos(segments: list[Segment], vocabulary: Vocabulary) -> list[Segment]:
    def is_bos(segment: Segment) -> bool:
        return segment.special is not None and vocabulary.resolve(segment.special) == vocabulary.bos

    if vocabulary.bos is None:
        return segments
    leading = next((index for index, segment in enumerate(segments) if not is_bos(segment)), len(segments))
    if leading:
        return segments[leading - 1 :]
    return (
        [Segment(vocabulary.spelling(vocabulary.bos), "bos"), *segments] if vocabulary.add_bos else segments
    )


def _runs(segments: Sequence[Segment]) -> Iterator[_Run]:
    after_text = False
    numbered = enumerate(segment for segment in segments if segment.text or segment.special or segment.tokens)
    for _, group in groupby(numbered, key=lambda item: item[0] if item[1].special or item[1].tokens else -1):
        found = tuple(segment for _, segment in group)
        yield _Run(found, continued=after_text)
        after_text = found[0].special is None


def _fixed(segment: Segment, vocabulary: Vocabulary) -> list[int]:
    if segment.tokens:
        return list(segment.tokens)
    token = vocabulary.resolve(segment.special or "")
    return [] if token is None else [token]


def _sources(segments: Sequence[Segment], sizes: Sequence[int]) -> list[str]:
    """Return the source of each token of a run from the tokens' sizes in bytes.

    A token belongs to the segment in which its middle lies, so that the space before a word does not count. A
    SentencePiece vocabulary puts one space before a text, which is in the first piece but not in the text.
    """
    ends: list[int] = []
    for segment in segments:
        ends.append((ends[-1] if ends else 0) + len(segment.text.encode("utf-8", "surrogatepass")))
    position = ends[-1] - sum(sizes) if sum(sizes) == ends[-1] + 1 else 0
    sources: list[str] = []
    current = 0
    for size in sizes:
        middle = position + size // 2
        while current < len(segments) - 1 and ends[current] <= middle:
            current += 1
        sources.append(segments[current].source)
        position += size
    return sources
