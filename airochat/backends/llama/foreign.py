"""Files that are not GGUF: recognised by their first bytes, explained in one sentence with a way out."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from airochat.backends.llama.ggml import FILE_TYPES, size_text
from airochat.errors import ModelError

HEAD = 512
"""How many first bytes `explain` wants."""

LEGACY_MAGICS = {b"lmgg": "GGML", b"fmgg": "GGMF", b"tjgg": "GGJT"}
"""The first four bytes of llama.cpp's formats from before August 2023, in the order of the file."""

_FLOATS = frozenset({"F32", "F16"})
_Q5 = _FLOATS | {"Q5_0", "Q5_1"}
KEPT_TYPES = {
    1: _FLOATS,
    2: _Q5,
    3: _Q5 | {"Q4_0", "Q4_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"},
}
"""For each version of GGJT the tensor types that GGUF stores in the same way (llama.cpp's #1405 and #1508)."""

_LEGACY_SIZES = {(32, 4096): "7B", (40, 5120): "13B", (60, 6656): "33B", (80, 8192): "65B or 70B"}
_GET_GGUF = "Download the model's .gguf file instead."
_AGAIN = "Download it again, from the file's own download link."
_UNPACK = "Unpack it, and open the .gguf file inside."
_CONVERT = "Look for a GGUF of the same model, or convert it with llama.cpp's convert_hf_to_gguf.py."
_KOBOLD = (
    "Look for a GGUF of the same model; KoboldCpp still loads this one, and airochat can talk to it as "
    "remote:http://127.0.0.1:5001."
)
_PARTS = (
    "Put all parts ({name}.zip, {name}.z01 and so on) into one folder, and unpack them there with 7-Zip: "
    "7z x {typed}"
)
_MAGICS: tuple[tuple[bytes, str, str], ...] = (
    (b"algg", "a LoRA adapter in the old GGLA format, not a model", "Look for a GGUF of the same adapter."),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", _GET_GGUF),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"\x89HDF", "an HDF5 file of Keras", _CONVERT),
    (b"\x89PNG", "a picture, not a model", "A character card is given with --card."),
    (b"\xff\xd8\xff", "a picture, not a model", _GET_GGUF),
    (b"%PDF", "a PDF document, not a model", _GET_GGUF),
)


def explain(path: Path, head: bytes, size: int) -> ModelError:
    """Return the error for a file whose first bytes ``head`` are not ``GGUF``."""
    what, hint = (
        _nothing(head, size)
        or _legacy(path, head, size)
        or _split_zip(path, head)
        or _weights(path, head)
        or _magic(path, head)
        or _text(head)
        or _last_part(path)
        or ("not a GGUF file: it begins with the bytes " + head[:4].hex(" "), _GET_GGUF)
    )
    return ModelError(f"{path} is {what}.", hint)


def legacy_label(head: bytes) -> str:
    """Return what a legacy file is, such as ``GGJT v3, 13B, Q5_1``; empty for any other file."""
    family = LEGACY_MAGICS.get(head[:4])
    if family is None:
        return ""
    if family == "GGML" or len(head) < 8:
        return family
    (version,) = struct.unpack_from("<I", head, 4)
    words = [f"{family} v{version}"]
    if len(head) >= 36 and version in (1, 2, 3):
        _vocab, n_embd, _mult, _head, n_layer, _rot, file_type = struct.unpack_from("<7I", head, 8)
        # Later files add 1000 times the version of the quantisation to the file type.
        words += [_LEGACY_SIZES.get((n_layer, n_embd), ""), FILE_TYPES.get(file_type % 1000, "")]
    return ", ".join(word for word in words if word)


def is_convertible(head: bytes) -> bool:
    """Tell by the first bytes whether a file is a GGJT whose weights a GGUF can hold unchanged."""
    if LEGACY_MAGICS.get(head[:4]) != "GGJT" or len(head) < 36:
        return False
    version, file_type = struct.unpack_from("<I24xI", head, 4)
    name = FILE_TYPES.get(file_type % 1000, "")
    return any(name.startswith(kept) for kept in KEPT_TYPES.get(version, ()))


def _nothing(head: bytes, size: int) -> tuple[str, str] | None:
    if size == 0:
        return "an empty file", _AGAIN
    if not head.strip(b"\0"):
        return f"an unfinished download: its {size_text(size)} begin with nothing but zeros", _AGAIN
    return None


def _legacy(path: Path, head: bytes, size: int) -> tuple[str, str] | None:
    label = legacy_label(head)
    if not label:
        return None
    what = f"a legacy model file ({label}, {size_text(size)}), which llama.cpp no longer loads"
    old, new = _typed(str(path), "OLD"), _typed(path.name.removesuffix(".bin") + ".gguf", "NEW.gguf")
    convert = f"Look for a GGUF of the same model, or turn it into one: airochat models convert {old} {new}"
    return what, convert if is_convertible(head) else _KOBOLD


def _split_zip(path: Path, head: bytes) -> tuple[str, str] | None:
    suffix = path.suffix.lower()
    beside = any(path.with_suffix(first).exists() for first in (".z01", ".Z01"))
    if not (
        re.fullmatch(r"\.z\d\d", suffix) or head.startswith(b"PK\x07\x08") or (suffix == ".zip" and beside)
    ):
        return None
    return _part_of_zip(path)


def _last_part(path: Path) -> tuple[str, str] | None:
    """Explain a .zip that begins with no known bytes: the last part begins somewhere inside the packed data."""
    return _part_of_zip(path) if path.suffix.lower() == ".zip" else None


def _part_of_zip(path: Path) -> tuple[str, str]:
    typed = _typed(f"{path.stem}.zip", "NAME.zip")
    return "a part of a split zip archive", _PARTS.format(name=path.stem, typed=typed)


def _typed(text: str, stand_in: str) -> str:
    """Return a path as one types it in any shell; ``stand_in`` where shells differ in how to quote it."""
    if re.fullmatch(r"[\w./:+=@,-]+", text):
        return text
    return f'"{text}"' if re.fullmatch(r"[\w ./:\\()+=@,~-]+", text) else stand_in


def _weights(path: Path, head: bytes) -> tuple[str, str] | None:
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 30:
        return "a safetensors file: original weights, not a GGUF", _CONVERT
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle: PyTorch weights, not a GGUF", _CONVERT
    if head.startswith(b"PK\x03\x04") and (b"data.pkl" in head or path.suffix in (".pt", ".pth")):
        return "a PyTorch checkpoint: original weights, not a GGUF", _CONVERT
    return None


def _magic(path: Path, head: bytes) -> tuple[str, str] | None:
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    return next(((what, hint) for magic, what, hint in _MAGICS if head.startswith(magic)), None)


def _text(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"version https://git-lfs"):
        size = re.search(rb"\nsize (\d{1,18})\b", start)
        stands = f" that stands for {size_text(int(size[1]))}" if size else ""
        return f"a Git LFS pointer{stands}, not the model itself", "Run `git lfs pull` in that folder."
    if start[:64].lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return "a web page, not a model", _AGAIN
    if b"\0" in head or not _is_utf8(head):
        return None
    if start[:1] in (b"{", b"["):
        return "a JSON text, not a model; perhaps what a server answered instead of the file", _AGAIN
    return "a text file, not a model", _GET_GGUF


def _is_utf8(head: bytes) -> bool:
    try:
        # The last character may be cut by the end of the head.
        text = head.decode("utf-8", errors="strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return False
    if len(text.encode("utf-8")) < len(head) - 3:
        return False
    return sum(character.isprintable() or character.isspace() for character in text) > 0.95 * len(text)
