"""GGUF files: telling, without llama.cpp, whether a file is a loadable model, or what else it is."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from airochat.backends.llama import header as _header
from airochat.backends.llama.ggml import REMOVED_TYPES
from airochat.backends.llama.header import Header, LayerShape, whole
from airochat.errors import ModelError

__all__ = ["Header", "check_model_file", "missing", "part_paths", "read_header"]

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_PIECE = re.compile(r"(-split-[a-z]{1,2}|[.-]part[-_]?[a-z0-9]+(of\d+)?|\.\d{3})$", re.IGNORECASE)
_UNFINISHED = (".part", ".partial", ".crdownload", ".incomplete", ".download", ".aria2", ".tmp")
_AGAIN = "Finish the download, or download the file again."


def check_model_file(path: Path) -> Header:
    """Raise `ModelError` unless the file, with all its parts, looks like a model that llama.cpp can load.

    Returns its header, in which sizes and counts are those of all parts together.
    """
    header = read_header(path)
    _check_place(path, header)
    _check_tensors(path, header)
    _check_kind(path, header)
    return _with_other_parts(path, header)


def read_header(path: Path) -> Header:
    """Read the header of a GGUF file; `ModelError` says what else the file is, or what is wrong with it."""
    try:
        if path.is_dir():
            raise ModelError(f"{path} is a folder, not a model file.", _inside(path))
        if path.exists() and not path.is_file():
            raise ModelError(
                f"{path} is a device or a pipe, not a model file.", "Give the path of a .gguf file."
            )
        return _header.read_header(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "Check the permissions of the file and of its folder, and the drive that it is on."
        raise ModelError(f"{path} cannot be read: {reason}.", hint) from None


def missing(path: Path) -> ModelError:
    """Return the error for a file that is not there, with the closest name in its folder."""
    folder = path.parent
    if os.path.islink(path):
        return ModelError(f"{path} is a link to a file that is not there.", "Download or restore that file.")
    if not os.path.isdir(folder):
        return ModelError(f"There is no file {path}: its folder does not exist.", "Correct the path.")
    close = difflib.get_close_matches(path.name, _names(folder, ".gguf", ".bin"), n=1)
    hint = (
        f"Did you mean {folder / close[0]}?" if close else "Correct the path, or see `airochat models list`."
    )
    return ModelError(f"There is no file {path}.", hint)


def part_paths(path: Path) -> list[Path]:
    """Return the paths of all parts of a split model, in order, by the name of one; else ``[path]``."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    stem, number, count = match.groups()
    if not 1 <= int(number) <= int(count):
        return [path]
    return [
        path.with_name(f"{stem}-{index:05}-of-{count}{path.suffix}") for index in range(1, int(count) + 1)
    ]


def _check_place(path: Path, header: Header) -> None:
    if header.n_parts == 1:
        return
    paths = part_paths(path)
    number = whole(header.metadata.get("split.no", "0"))
    if len(paths) != header.n_parts or paths.index(path) != number:
        message = f"{path} is part {number + 1} of {header.n_parts} of a model, but its name says otherwise."
        name = f"NAME-{number + 1:05}-of-{header.n_parts:05}.gguf"
        raise ModelError(message, f"Give the parts their names back; this one is {name}.")
    if number:
        message = f"{path} is part {number + 1} of {header.n_parts} of a model."
        raise ModelError(message, f"Open the first part: {paths[0]}")


def _check_tensors(path: Path, header: Header) -> None:
    short = header.data_end - header.size
    if short > 0:
        message = f"{path} is cut off: {short:,} of its {header.data_end:,} bytes are missing."
        if _PIECE.search(path.name) and path.suffix not in _UNFINISHED:
            raise ModelError(
                message, "It is the first piece of a larger file: join all pieces with `cat`, in order."
            )
        raise ModelError(message, _AGAIN)
    for number in header.unknown_types:
        if number in REMOVED_TYPES:
            message = f"{path} is stored as {REMOVED_TYPES[number]}, which llama.cpp no longer reads."
            raise ModelError(message, "Get a Q4_0 or Q4_K_M file of the same model.")
        message = f"{path} holds weights of a type ({number}) that this llama.cpp does not know."
        raise ModelError(message, "Update llama-cpp-python, or get another quantisation of the model.")


def _check_kind(path: Path, header: Header) -> None:
    kind = header.metadata.get("general.type", "model")
    if kind == "adapter":
        raise ModelError(
            f"{path} is a LoRA adapter, not a model.", "Open its base model, and name it under `lora`."
        )
    if kind in ("mmproj", "imatrix") or header.architecture == "clip":
        what = "an importance matrix" if kind == "imatrix" else "the vision part of a model"
        raise ModelError(f"{path} is {what}, which cannot chat.", "Open the model's own .gguf file.")
    if not header.architecture:
        raise ModelError(
            f"{path} does not say which architecture its model has.", "Get another copy of the model."
        )
    if header.n_tensors == 0 and header.n_parts == 1:
        raise ModelError(f"{path} holds a vocabulary but no weights.", "Open the model's own .gguf file.")


def _with_other_parts(path: Path, header: Header) -> Header:
    if header.n_parts == 1:
        return header
    for part in part_paths(path)[1:]:
        if not part.exists():
            message = f"{path} is split into {header.n_parts} parts, and {part.name} is missing."
            raise ModelError(message, "Put all parts into one folder.")
        other = read_header(part)
        _check_tensors(part, other)
        header = dataclasses.replace(
            header,
            size=header.size + other.size,
            n_tensors=header.n_tensors + other.n_tensors,
            parameters=header.parameters + other.parameters,
            layers=_joined(header.layers, other.layers),
            embedding_size=header.embedding_size + other.embedding_size,
            output_size=header.output_size + other.output_size,
        )
    return header


def _joined(some: Mapping[int, LayerShape], others: Mapping[int, LayerShape]) -> dict[int, LayerShape]:
    none = LayerShape()
    return {number: some.get(number, none) + others.get(number, none) for number in {*some, *others}}


def _inside(folder: Path) -> str:
    names = _names(folder, ".gguf")
    return f"Open a file in it, such as {folder / names[0]}" if names else "Give the path of a .gguf file."


def _names(folder: Path, *suffixes: str) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in suffixes)
    except OSError:
        return []
