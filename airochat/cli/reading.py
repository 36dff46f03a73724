"""Reading what users give: arguments, standard input, files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airochat.errors import UsageError


def user_path(text: str) -> Path:
    """Return the path that a user wrote, ``~`` expanded."""
    return Path(os.path.expanduser(text))


def read_text(argument: str) -> str:
    """Return the text of an argument, or what stands on standard input if it is ``-``; not empty, valid UTF-8."""
    if argument == "-":
        text = decode(sys.stdin.buffer.read(), "Standard input")
        text = text.replace("\r\n", "\n").rstrip("\n")
    else:
        text = argument
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise UsageError("The text is not valid UTF-8.", "Check the encoding of your terminal or script.")
    if not text.strip():
        raise UsageError("There is no text to send.", "Give a text, or `-` to read it from standard input.")
    return text


def decode(data: bytes, what: str) -> str:
    """Decode UTF-8, with or without a byte order mark, or tell where ``what`` is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{what} is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start}.",
            "Convert it first, as with `iconv -f latin1 -t utf-8`.",
        ) from None


def read_file(path: str) -> str:
    """Return the text of a file that the user named; `UsageError` if it cannot be read."""
    try:
        data = user_path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return decode(data, path)
