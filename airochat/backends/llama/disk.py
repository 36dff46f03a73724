"""Saved states on the disk: a container of our own, since llama.cpp takes damaged and foreign states for good ones.

A file is ``MAGIC``, a length, that many bytes of JSON (what the state was made with, how many tokens and bytes follow,
a checksum), the token ids as 32-bit integers, and the state.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import secrets
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as _llama

from airochat.backends.llama.cache import CHAT, Cache
from airochat.backends.llama.context import State
from airochat.backends.llama.model import Model
from airochat.backends.llama.options import has_flash
from airochat.backends.shelf import Saved
from airochat.backends.states import DRAFT_SUFFIX, SUFFIX, forget_state, state_file

L: Any = _llama
_log = logging.getLogger(__name__)
MAGIC = b"airochat kv 1\n"
_LENGTH = struct.Struct("<I")
_MAX_HEADER = 1 << 20
_LEAST_TOKENS = 256
"""A shorter conversation is read again as quickly."""
_DRAFT_S = 3600.0
"""A draft that nobody has written to for so long was left by an engine that ended."""
_MATTERS = (
    "type_k",
    "type_v",
    "rope_scaling",
    "rope_freq_base",
    "rope_freq_scale",
    "yarn_ext_factor",
    "yarn_orig_ctx",
    "lora",
)
"""The settings that a state depends on."""


class Disk:
    """Keeps the cache of the newest conversations in a folder, up to ``limit`` bytes altogether.

    ``key`` is what a state depends on beside its tokens: model, build, settings. Nothing here raises: a cache that
    cannot be written or read is only logged.
    """

    def __init__(self, folder: Path, limit: int, key: Mapping[str, Any]) -> None:
        self._folder, self._limit, self._key = folder, limit, dict(key)
        self._kept: dict[str, tuple[int, ...]] = {}

    def wants(self, chat: str, cache: Cache) -> bool:
        """Return whether the lane holds more of a conversation than its file does."""
        tokens = tuple(cache.tokens)
        return bool(chat) and len(tokens) >= _LEAST_TOKENS and self._kept.get(chat) != tokens

    def keep(self, chat: str, cache: Cache) -> None:
        """Write what the lane holds into the conversation's file, and remove the oldest files beyond the limit."""
        if not self.wants(chat, cache):
            return
        # What cannot be written now is not tried again before there is something new.
        tokens = self._kept[chat] = tuple(cache.tokens)
        state = cache.context.save(CHAT) if cache.context.state_size(CHAT) <= self._limit else None
        if state is None:
            return
        path = state_file(self._folder, chat)
        draft = path.with_suffix(f".{secrets.token_hex(4)}{DRAFT_SUFFIX}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_state(draft, self._key, tokens, state)
            os.replace(draft, path)
            self._trim()
        except OSError as error:
            _log.warning("The cache of a conversation was not saved: %s", error)
            with contextlib.suppress(OSError):
                draft.unlink()

    def bring(self, chat: str, cache: Cache) -> None:
        """Put what a conversation's file holds onto the cache's shelf, unless it is damaged or fits no more."""
        path = state_file(self._folder, chat)
        try:
            tokens, state = read_state(path, self._key)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.info("The saved cache %s is not used: %s", path.name, error)
            return
        with contextlib.suppress(OSError):
            os.utime(path)
        self._kept[chat] = tokens
        cache.put(Saved(tokens, 0, state, state.size))

    def forget(self, chat: str) -> None:
        """Remove a conversation's file."""
        self._kept.pop(chat, None)
        forget_state(self._folder, chat)

    def usage(self) -> tuple[int, int, int]:
        """Return how many files there are, their bytes, and the limit."""
        sizes = [size for _, size, _ in self._files()]
        return len(sizes), sum(sizes), self._limit

    def _trim(self) -> None:
        """Remove the oldest files beyond the limit, and what engines left behind that ended while they wrote."""
        old = time.time() - _DRAFT_S
        for modified, _, path in self._files(DRAFT_SUFFIX):
            if modified < old:
                with contextlib.suppress(OSError):
                    path.unlink()
        total = 0
        for _, size, path in sorted(self._files(), reverse=True):
            total += size
            if total > self._limit:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _files(self, suffix: str = SUFFIX) -> list[tuple[float, int, Path]]:
        found = []
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{suffix}"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        return found


def disk_for(model: Model, folder: Path | None) -> Disk | None:
    """Return where the states of a model are kept; None if there is no folder, or none may be kept."""
    options = model.options
    if folder is None or not options.cache_disk or not model.snapshot_limit:
        return None  # what comes back from the disk goes through the shelf
    used = dataclasses.asdict(options)
    key = {
        "model": model.info.fingerprint,
        "build": f"{llama_cpp.__version__} {L.LLAMA_STATE_SEQ_VERSION}",
        "flash": has_flash(options),
        "reuse": "shift" if model.shift else "exact",
        **{name: used[name] for name in _MATTERS},
    }
    return Disk(folder, options.cache_disk << 20, key)


def write_state(path: Path, key: Mapping[str, Any], tokens: Sequence[int], state: State) -> None:
    """Write a container and have it on the disk when this returns; `OSError`."""
    ids = np.asarray(tokens, "<i4").tobytes()
    check = zlib.crc32(state.data, zlib.crc32(ids))
    header = {"key": dict(key), "tokens": len(tokens), "bytes": int(state.size), "crc32": check}
    data = json.dumps(header).encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(MAGIC + _LENGTH.pack(len(data)) + data + ids)
        file.write(state.data)
        file.flush()
        os.fsync(file.fileno())


def read_state(path: Path, key: Mapping[str, Any]) -> tuple[tuple[int, ...], State]:
    """Return the tokens and the state of a container; `ValueError` says what is wrong with it, or `OSError`."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it is none of these files")
        (length,) = _LENGTH.unpack(_exactly(file.read(_LENGTH.size), _LENGTH.size))
        if length > _MAX_HEADER:
            raise ValueError("its header is damaged")
        try:
            header = json.loads(_exactly(file.read(length), length))
        except RecursionError:
            raise ValueError("its header is damaged") from None
        count, size, check = (_count(header, name) for name in ("tokens", "bytes", "crc32"))
        if header.get("key") != json.loads(json.dumps(dict(key))):
            raise ValueError("it was made with another model, build or setting")
        start = file.tell()
        if path.stat().st_size != start + 4 * count + size or not count:
            raise ValueError("it is cut short, or too long")
        ids = np.frombuffer(_exactly(file.read(4 * count), 4 * count), "<i4")
        state = np.fromfile(file, np.uint8, size)
    if zlib.crc32(state.data, zlib.crc32(ids.tobytes())) != check:
        raise ValueError("its checksum is wrong")
    return tuple(int(token) for token in ids), state


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("it is cut short")
    return data


def _count(header: Any, name: str) -> int:
    value = header.get(name) if isinstance(header, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("its header is damaged")
    return value
