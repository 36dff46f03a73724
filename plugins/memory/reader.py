"""Files read as text: plain, Markdown, HTML, JSON, and PDF where the package pypdf is installed."""

from __future__ import annotations

import codecs
import importlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any, Final

from airochat.errors import AirochatError
from airochat.text import clean, one_line

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file."""
LARGEST_JSON: Final = 8 * 1024 * 1024
"""Bytes of a JSON file that is laid out anew; a larger one is taken as it is, since values take many times as much."""
PAGES: Final = 5_000
"""Pages of a PDF that are read."""
_BLOCK: Final = 1 << 20
_DAMAGED: Final = 0.001
"""The share of characters that may be broken."""
_NO_TEXT: Final = frozenset(("script", "style", "head", "template", "noscript", "svg"))
_BLOCKS: Final = frozenset(
    (
        *("p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "figure", "body"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre"),
    )
)
_LINES: Final = frozenset(("br", "li", "tr", "dt", "dd", "hr"))
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class DocumentError(AirochatError):
    """A file cannot be used as a document."""


def lines(path: Path) -> Iterator[str]:
    """Yield a file's text in lines, long ones in pieces; raises `DocumentError` at any time while it goes on.

    The file is read once and never held as a whole, but for JSON and PDF.
    """
    name = one_line(path.name, 60)
    try:
        with _opened(path) as file:
            yield from _lines(file, path, name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DocumentError(f"{name} cannot be read: {reason}.", "Check the path and its rights.") from None


def _opened(path: Path) -> IO[bytes]:
    """Open a file, unless it is something else or too large; a pipe is not waited for."""
    name = one_line(path.name, 60)
    if not path.exists():
        raise DocumentError(f"There is no file {one_line(str(path), 200)}.", "Check the path.")
    if path.is_dir():
        raise DocumentError(f"{name} is a folder.", "Add its files one by one.")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise DocumentError(f"{name} is no ordinary file.")
    if found.st_size > LARGEST:
        file.close()
        size, most = found.st_size / 1024**2, LARGEST // 1024**2
        raise DocumentError(f"{name} has {size:,.0f} MB; at most {most} MB are read.", "Take a part of it.")
    return file


def _lines(file: IO[bytes], path: Path, name: str) -> Iterator[str]:
    ending = path.suffix.lower()
    if file.peek(5)[:5] == b"%PDF-":  # type: ignore[attr-defined]
        yield from _pdf(file, name)
        return
    texts = _decoded(file, name)
    if ending in (".html", ".htm", ".xhtml"):
        yield from _stripped(texts)
    elif ending == ".json" and os.fstat(file.fileno()).st_size <= LARGEST_JSON:
        yield from _laid_out("".join(texts))
    else:
        yield from _split(texts)


def _decoded(file: IO[bytes], name: str) -> Iterator[str]:
    """Yield a file's text in blocks; refuses what is no text."""
    encoding, decoder = "", None
    broken = total = read = 0
    while True:
        block = file.read(_BLOCK)
        read += len(block)
        if read > LARGEST:
            raise DocumentError(f"{name} grew while it was read.", "Add it again when it is finished.")
        if decoder is None:
            encoding = next((one for mark, one in _BOMS if block.startswith(mark)), "utf-8")
            decoder = codecs.getincrementaldecoder(encoding)("replace")
        if encoding.startswith("utf-8") and b"\0" in block:
            raise DocumentError(
                f"{name} is no text: it has NUL bytes in it.", "Save it as plain text in UTF-8."
            )
        text = decoder.decode(block, final=not block)
        broken += text.count("\ufffd")
        total += len(text)
        if broken > max(total * _DAMAGED, 3):
            raise DocumentError(f"{name} is no text in UTF-8.", "Save it as plain text in UTF-8.")
        if text:
            yield text
        if not block:
            return


def _split(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines with their ends; a line across blocks comes in pieces."""
    for text in texts:
        # Not clean() on all of it: what comes of it is stored.
        yield from clean(text).splitlines(keepends=True)


class _Text(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a paragraph or a line, or something that is not shown."""
        if tag == "body":
            self._hidden = 0  # Many a page does not close what stands before.
        elif tag in _NO_TEXT:
            self._hidden += 1
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag in _NO_TEXT:
            self._hidden = max(self._hidden - 1, 0)
        self._break(tag)

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if not self._hidden:
            self.found.append(" ".join(data.split()) + (" " if data[-1:].isspace() else ""))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS or tag in _LINES:
            self.found.append("\n\n" if tag in _BLOCKS else "\n")

    def taken(self) -> str:
        """Return the text so far, and begin anew."""
        text = "".join(self.found)
        self.found = []
        return text


def _stripped(texts: Iterable[str]) -> Iterator[str]:
    parser = _Text()

    def shown() -> Iterator[str]:
        for text in texts:
            # In small bites, since the parser keeps what it has not understood yet and looks at all of it again.
            for at in range(0, len(text), 1 << 16):
                parser.feed(text[at : at + (1 << 16)])
                yield parser.taken()
        parser.close()
        yield parser.taken()

    yield from _split(shown())


def _laid_out(text: str) -> Iterator[str]:
    try:
        made = json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        made = text
    yield from _split([made])


def _pdf(file: IO[bytes], name: str) -> Iterator[str]:
    try:
        reader: Any = importlib.import_module("pypdf")
    except ImportError:
        raise DocumentError(
            f"{name} is a PDF, which is read only with the package pypdf.",
            "Install it by `pip install pypdf`, or save the document as text.",
        ) from None
    try:
        for page in reader.PdfReader(file).pages[:PAGES]:
            yield from _split([page.extract_text() or "", "\n\n"])
    except Exception as error:
        raise DocumentError(f"{name} is a PDF that cannot be read: {one_line(str(error), 100)}.") from None
