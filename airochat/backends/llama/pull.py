"""Models on their way from the hub to the models folder: resumed, checked, and then there at one stroke.

Everything is written below ``.pull`` in the models folder, which no list of models looks into and from which a rename
is one step. A file is ``NAME.part`` until its checksum was right.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from airochat.backends.llama.ggml import size_text
from airochat.backends.llama.hub import Hub, Listing
from airochat.backends.llama.offers import HubFile, Offer
from airochat.errors import AirochatError, ModelError

STAGING = ".pull"
"""The folder in the models folder where unfinished downloads are."""

Watch = Callable[[str, HubFile, int], AbstractContextManager[Callable[[int], None]]]
"""Called with ``download`` or ``check``, the file, and the bytes that are done; gives what takes the bytes to come."""

_BLOCK = 1 << 20
_RESERVE = 50_000_000
"""Bytes that a download leaves free: other programs need some too."""


class Pull:
    """One model to be brought into the models folder."""

    def __init__(self, hub: Hub, listing: Listing, offer: Offer, folder: Path, watch: Watch) -> None:
        self._hub = hub
        self._listing = listing
        self._watch = watch
        if not offer.is_whole:
            message = f"{listing.repo} has {len(offer.files)} of the {offer.parts} parts of {offer.name}."
            raise ModelError(message, "Take another file, or look for the model elsewhere.")
        files = tuple(hub.checked(listing, file) for file in offer.files)
        self.offer = Offer(offer.name, files, offer.parts)
        """The model, with every size and checksum that the hub tells."""
        for file in files:
            if not file.size:
                message = f"{hub.address} does not tell how large {file.name} is."
                raise ModelError(message, "Without that nothing can be checked; use another mirror.")
        self._single = offer.parts == 1
        self._folder = folder
        # A split model is a folder of its own, so that its parts appear together.
        self.target = folder / (files[0].name if self._single else offer.name)
        """The file, or the folder with all parts."""
        self._staging = folder / STAGING
        # What changes with the contents, too, lest a download goes on with a piece of another file.
        self._place = self._staging / f"{self._prefix()}{_short(files)}"

    @property
    def path(self) -> Path:
        """The file to open: the first part of a split model."""
        return self.target if self._single else self.target / self.offer.files[0].name

    @property
    def is_checked(self) -> bool:
        """Whether the hub gives a checksum for every file."""
        return all(file.sha256 or file.git_id for file in self.offer.files)

    def run(self, force: bool = False) -> bool:
        """Download what is missing, check it, and put it into the models folder; False if it is there already.

        What is there by that name and is something else is replaced with ``force`` only. Whatever ends this before,
        the next call goes on from there.
        """
        with _writable(self._folder):
            self._staging.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self._is_there(force):
                shutil.rmtree(self._place, ignore_errors=True)
                return False
            with _writable(self._folder):
                self._place.mkdir(exist_ok=True)
            self._check_room()
            for file in self.offer.files:
                self._bring(file)
            with _writable(self.target):
                self._publish()
            self._sweep()
        return True

    def _prefix(self) -> str:
        return f"{_short((self._listing.repo, self.offer.name))}-"

    def _is_there(self, force: bool) -> bool:
        if not os.path.lexists(self.target):
            return False
        there = [self.target] if self._single else [self.target / file.name for file in self.offer.files]
        if all(map(self._is_same, there, self.offer.files)):
            return True
        if self._single == self.target.is_dir():
            raise ModelError(f"{self.target} is in the way.", "Rename it, and try again.")
        if not force:
            message = f"{self.target} is there, and is not what {self._listing.repo} has."
            raise ModelError(message, "Rename it, or replace it with --force.")
        return False

    def _is_same(self, path: Path, file: HubFile) -> bool:
        return path.is_file() and path.stat().st_size == file.size and self._is_right(path, file)

    def _check_room(self) -> None:
        done = sum(path.stat().st_size for path in self._place.iterdir())
        wanted = self.offer.size - done
        free = shutil.disk_usage(self._place).free
        if wanted and wanted + _RESERVE > free:
            room = f"{self._folder} has room for {size_text(free)}"
            message = f"{self.offer.name} takes {size_text(wanted)} more, and {room}."
            raise ModelError(message, "Make room, or take a smaller quant.")

    def _bring(self, file: HubFile) -> None:
        """Download one file and check it."""
        done, part = self._place / file.name, self._place / f"{file.name}.part"
        if done.exists():
            return
        begun = part.stat().st_size if part.exists() else 0
        if begun > file.size:
            part.unlink()
            begun = 0
        if begun < file.size:
            try:
                with self._watch("download", file, begun) as moved:
                    self._hub.fetch(self._listing, file, part, moved)
            except ModelError:
                part.unlink(missing_ok=True)
                raise
        if part.stat().st_size != file.size or not self._is_right(part, file):
            part.unlink()
            message = f"{file.name} did not arrive as it should: its checksum is wrong."
            raise ModelError(message, "It was removed; download it again.")
        part.replace(done)

    def _is_right(self, path: Path, file: HubFile) -> bool:
        if not (file.sha256 or file.git_id):
            return True
        with self._watch("check", file, 0) as moved:
            return _checksum(path, file, moved) == (file.sha256 or file.git_id)

    def _publish(self) -> None:
        """Give the finished files their place: one rename, or one each if they replace others."""
        if self._single:
            os.replace(self._place / self.offer.files[0].name, self.target)
        elif not self.target.exists():
            os.rename(self._place, self.target)
        else:
            # The first part goes last: without it, the others are no model.
            for file in reversed(self.offer.files):
                os.replace(self._place / file.name, self.target / file.name)
        _sync(self._folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._staging / f"{self._place.name}.lock"
        try:
            with self._hub.lock(path, self.offer.name):
                try:
                    yield
                finally:
                    with suppress(OSError):
                        self._place.rmdir()  # which does nothing if there is something to go on with
                    path.unlink(missing_ok=True)
        finally:
            with suppress(OSError):
                self._staging.rmdir()

    def _sweep(self) -> None:
        """Remove what earlier versions of the same files left."""
        for old in self._staging.iterdir():
            if old.name.startswith(self._prefix()) and old.is_dir():
                shutil.rmtree(old, ignore_errors=True)


def _short(facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _checksum(path: Path, file: HubFile, moved: Callable[[int], None]) -> str:
    """Return the SHA-256 of a file, or if only git knows it the SHA-1 that git gives it."""
    digest = (
        hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    )
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            moved(len(block))
    return digest.hexdigest()


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise AirochatError(message, "Look for room on the disk and for write access.") from None


def _sync(folder: Path) -> None:
    """Put a changed name on the disk; Windows does that by itself and cannot open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
