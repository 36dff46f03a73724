"""Airoboros model names: which version a name or a path means."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LATER = ("3.0", "3.1", "3.1.1", "3.1.2", "3.2", "3.3")
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.4.1", "2.0", "m2.0", "2.1", "2.2", "2.2.1", *_LATER)
"""Every released version with a number; ``gpt-3.5`` came before them."""

_FAMILY = re.compile(r"airobo|spicyboros|chronoboros|airochronos|airolima")
_MERGE = re.compile(r"chronoboros|airochronos|airolima|merge")
_NOISE = re.compile(
    r"\.(?:gguf|ggml\w*|bin|safetensors)\b"
    r"|(?<![a-z0-9])(?:i?q\d(?:[-.](?:k|[01])(?![a-z0-9]))?(?:[-.](?:x?x?s|m|l|xl))?|[bf]p?(?:16|32)|ggml\w*|gptq|awq)(?![a-z0-9])"
    r"|(?<![a-z0-9])\d+[-.]?bit(?![a-z0-9])"
    r"|(?<![0-9.])c?\d+(?:\.\d+)?b(?![a-z0-9])"
    r"|(?<![a-z0-9])(?:l[123]|llama-?[123](?:\.\d)?|\d+k)(?![a-z0-9])"
    r"|\d{5}-of-\d{5}"
)
_AFTER_GPT4 = re.compile(r"gpt-?4-+(m?)([1-3])[.-](\d{1,2})(?:[.-](\d))?(?![0-9a-z])")
_BARE = re.compile(r"(?<![0-9.])(?<![a-z][0-9])(m?)([1-3])[.-](\d{1,2})(?:[.-](\d))?(?![0-9a-z])")


_SIZE = re.compile(r"(?<![0-9.])c?(\d+)b(?![a-z0-9])")
_BASES = {
    "Llama 3": re.compile(r"llama-?3"),
    "Mistral": re.compile(r"mistral|(?<![a-z0-9])m-\d+b"),
    "Yi": re.compile(r"(?<![a-z0-9])yi(?![a-z])"),
    "Code Llama": re.compile(r"(?<![a-z0-9])c34b|codellama"),
    "Llama 2": re.compile(r"(?<![a-z0-9])l2(?![a-z0-9])|llama-?2"),
}
_UNNUMBERED = (7, 13)
"""The sizes of the models from before versions had numbers."""


@dataclass(frozen=True, slots=True)
class AiroborosName:
    """What a name says of an Airoboros model; whatever it does not say is empty or 0."""

    version: str
    """``gpt-3.5``, ``1.3``, ``m2.0`` …"""
    billions: int = 0
    """The size, in billions of weights."""
    base: str = ""
    """The model that was trained further: ``Llama 2``, ``Code Llama``, ``Mistral``, ``Yi``, ``Llama 3``."""
    merged: bool = False
    """It is mixed with other models."""
    also: tuple[str, ...] = ()
    """Further versions that it names."""


def read_name(name: str) -> AiroborosName | None:
    """Return what a name or path says of an Airoboros model; None if it names none.

    The file counts; the nearest folder that tells a version stands in for a file that tells none, such as
    ``airoboros-65b-gpt4-1.3/ggml-model-q4_0.gguf``, unless that has a name of another model.

    >>> read_name("TheBloke/airoboros-65b-gpt4-1.3.ggmlv3.q5_0.bin")
    AiroborosName(version='1.3', billions=65, base='', merged=False, also=())
    >>> read_name("airoboros-3b-3p11").version
    '3.1.1'
    """
    *folders, file = re.split(r"[/\\]", name.lower())
    found = _read(plain_name(file)) if _FAMILY.search(file) else None
    if found and (found.version or found.merged):
        return found
    if found or _says_nothing(plain_name(file)):
        for folder in reversed(folders):
            told = _read(plain_name(folder)) if _FAMILY.search(folder) else None
            if told and told.version:
                return told
    return found


def plain_name(name: str) -> str:
    """Return a model's name in small letters, with ``-`` for spaces and ``_``, and points in versions like ``3p1``.

    >>> plain_name("Airoboros_L2 13B 3p1")
    'airoboros-l2-13b-3.1'
    """
    return re.sub(r"(?<=\d)p(?=\d)", ".", name.lower().replace("_", "-").replace(" ", "-"))


def _says_nothing(plain: str) -> bool:
    return not re.sub(r"ggml|gguf|model|weights|[^a-z]", "", _NOISE.sub("", plain))


def _read(plain: str) -> AiroborosName:
    size = _SIZE.search(plain)
    billions = int(size[1]) if size else 0
    base = next((base for base, pattern in _BASES.items() if pattern.search(plain)), "")
    merged = bool(_MERGE.search(plain))
    versions = _versions(plain)
    version = versions[0] if versions else ""
    if not version and not merged and not base and billions in _UNNUMBERED:
        version = "gpt-3.5"
    return AiroborosName(version, billions, base, merged, tuple(versions[1:]))


def _versions(name: str) -> list[str]:
    if re.search(r"gpt-?3\.5", name):
        return ["gpt-3.5"]
    bare = re.sub(r"(?<=[a-z]{4})(?=\d\.\d)", "-", _NOISE.sub("", name))
    found: list[str] = []
    for pattern in (_AFTER_GPT4, _BARE):
        for match in pattern.finditer(bare):
            known = [version for version in _readings(*match.groups()) if version in VERSIONS]
            found += known[:1]
    if not found and ("gpt4" in name or "gpt-4" in name):
        found = ["1.0"]
    if not found and "spicyboros" in name:
        found = ["2.2"]
    return list(dict.fromkeys(found))


def _readings(prefix: str, major: str, minor: str, patch: str | None) -> list[str]:
    # 3.11 is how a name without room for a second point writes 3.1.1.
    if len(minor) == 2:
        minor, patch = minor[0], minor[1]
    short = f"{prefix}{major}.{minor}"
    return [f"{short}.{patch}", short] if patch else [short]
