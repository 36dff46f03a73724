"""What a repository of the hub offers: its GGUF files, a split one as one, and which of them a word means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_QUANT = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|BF16|FP?16|FP?32|MXFP4(?:_MOE)?))(?=$|[-._])",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
_OF_ALL_SYSTEMS = re.compile(r'[^\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff]{1,200}')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository, and what its contents must be; a checksum is empty if the hub gives none."""

    path: str
    size: int
    """Bytes."""
    sha256: str = ""
    git_id: str = ""
    """The SHA-1 by which git knows a file that is not kept with Git LFS."""

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Offer:
    """One model that can be had, with the files that make it up, in order."""

    name: str
    """The name under which `models list` will show it."""
    files: tuple[HubFile, ...]
    parts: int = 1
    """How many files there should be."""

    @property
    def size(self) -> int:
        """Bytes, of all parts together."""
        return sum(file.size for file in self.files)

    @property
    def quant(self) -> str:
        """The quantisation by the name of the file or its folder, such as ``Q4_K_M``; empty if it tells none."""
        for text in (self.name, *reversed(PurePosixPath(self.files[0].path).parts[:-1])):
            if found := _QUANT.findall(text):
                return str(found[-1]).upper().replace("FP", "F")
        return ""

    @property
    def is_model(self) -> bool:
        """Whether it can chat, by its name: not the vision part of a model, and no importance matrix."""
        return not _NO_MODEL.search(self.name)

    @property
    def is_whole(self) -> bool:
        """Whether the repository has all of its parts."""
        return len(self.files) == self.parts


def offers(files: Iterable[HubFile]) -> list[Offer]:
    """Return the GGUF files among some as models, by size; files whose names no folder may hold are left out."""
    sets: dict[tuple[str, int], list[HubFile]] = {}
    for file in sorted(files, key=lambda file: file.path):
        if is_safe(file.path):
            sets.setdefault(_set_of(file), []).append(file)
    found = [Offer(PurePosixPath(stem).name, tuple(parts), count) for (stem, count), parts in sets.items()]
    return sorted(found, key=lambda offer: (not offer.is_model, offer.size, offer.name.casefold()))


def meant(found: Sequence[Offer], word: str) -> list[Offer]:
    """Return the offers that a path, a name with or without its ending, or a quantisation means.

    Capitals do not matter. A path goes before a name, and a name before a quantisation, which only means models.
    """
    wanted = word.strip().casefold()
    readings: tuple[Callable[[Offer], list[str]], ...] = (
        lambda offer: [file.path for file in offer.files],
        lambda offer: [offer.name, *(name for file in offer.files for name in (file.name, _stem(file.name)))],
        lambda offer: [offer.quant] if offer.is_model else [],
        lambda offer: [offer.quant.removeprefix("UD-")] if offer.is_model else [],
    )
    for reading in readings:
        if matches := [one for one in found if wanted in map(str.casefold, reading(one))]:
            return matches
    return []


def is_safe(path: str) -> bool:
    """Whether a path of a repository is that of a GGUF file that may be written here under its own name."""
    pure = PurePosixPath(path)
    if pure.suffix.lower() != ".gguf" or pure.is_absolute() or ".." in pure.parts:
        return False
    plain = _OF_ALL_SYSTEMS.fullmatch(pure.name) and pure.name[0] not in ".-~ "
    return bool(plain) and not _DEVICE.fullmatch(pure.name)


def _set_of(file: HubFile) -> tuple[str, int]:
    """Return the path without its ending and number, and how many parts there should be."""
    match = _PART.fullmatch(file.path)
    if match and 1 <= int(match[2]) <= int(match[3]) != 1:
        return match[1], int(match[3])
    return file.path[: -len(".gguf")], 1


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
