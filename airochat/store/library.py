"""The user's cards: a folder of files as they came, changes beside them, and an index for quick lists."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airochat.characters import Card, CardFile, CardWarning, read_card_file
from airochat.characters.edit import edited
from airochat.errors import UsageError
from airochat.store import card_edits, card_folder, card_index
from airochat.store.atomic import drafted, publish
from airochat.store.card_facts import digest, examine, summary
from airochat.store.card_find import pick
from airochat.store.card_folder import Seen, edits_of
from airochat.store.card_index import CardIndex, Listed
from airochat.store.database import Database
from airochat.store.file_names import file_stem, unique_name

_BATCH = 50
"""Cards that are read between two writes to the index; a program that is killed loses at most these."""


@dataclass(frozen=True, slots=True)
class CardEntry:
    """One card of the library. Texts are as they stand in the file: clean them before display."""

    id: str
    """The file's name in the folder, which no other card has."""
    name: str
    """The character's name; the file's, if it cannot be read."""
    creator: str
    tags: tuple[str, ...]
    notes: str
    """The first paragraph of the creator's notes."""
    form: str
    """``png``, ``webp``, ``json``, ``yaml`` or ``charx``; empty if it cannot be read."""
    size: int
    """Bytes of the file."""
    edited: bool
    """Whether the user has changed it."""
    favourite: bool
    persona: str | None
    """The name of who the user is with this card, if that was set."""
    warnings: int
    """How many oddities were found in the file."""
    error: str
    """Why the file cannot be read, or nothing."""
    modified: float
    """When the file or the edits last changed, in seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import; ``known`` tells that the library had a file of the same bytes already."""

    entry: CardEntry
    warnings: tuple[CardWarning, ...]
    known: bool


class CardLibrary:
    """The cards in one folder. Originals are never changed; what others put there or remove is noticed.

    Methods may be called from any thread, and several programs may use one folder. What a method wrote is on the
    disk when it returns, and a program that is killed leaves every file as it was or as it was to be. ``ref`` names
    a card by its file with or without suffix, its path, or its name. Errors are `CardError`, `StoreError`, and
    `UsageError` for an unknown or ambiguous ``ref``.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._database = database
        self._index = CardIndex(database)
        self._folder_changed = 0

    def entries(self, search: str = "", tag: str = "", favourites: bool = False) -> list[CardEntry]:
        """List the cards by name: those with all words of ``search`` in name, creator, tags, notes or description.

        ``tag`` is compared without regard to capitals. A file that cannot be read is listed with its error.
        """
        found = list(self._all().values())
        if favourites:
            found = [entry for entry in found if entry.favourite]
        if tag.strip():
            wanted = tag.strip().casefold()
            found = [entry for entry in found if wanted in (one.casefold() for one in entry.tags)]
        if words := search.casefold().split():
            fitting = self._index.containing(words)
            found = [entry for entry in found if entry.id in fitting]
        return sorted(found, key=lambda entry: (entry.name.casefold(), entry.id))

    def refresh(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Read the files that are new or changed, and return how many those were; every list does this first.

        ``progress`` is called with the number of files read so far, and of all that are to be read.
        """
        return self._refresh(progress)[0]

    def find(self, ref: str | os.PathLike[str]) -> CardEntry:
        """Return the one card that ``ref`` names; several are a `UsageError` that lists them."""
        return pick(os.fspath(ref), self._all(), self.folder)

    def path(self, ref: str | os.PathLike[str]) -> Path:
        """Return where the original of a card is."""
        return self.folder / self.find(ref).id

    def open(self, ref: str | os.PathLike[str]) -> CardFile:
        """Read a card: ``content`` is the original's, ``card`` has the user's changes."""
        path = self.path(ref)
        return card_edits.apply_edits(read_card_file(path), edits_of(path))

    def import_(self, path: str | os.PathLike[str]) -> Imported:
        """Copy a card file into the folder, byte for byte, under a safe name of its own.

        A file whose bytes are there already is not copied again.
        """
        source = Path(os.path.expanduser(path))
        file = read_card_file(source)
        if card_folder.changed(self.folder) != self._folder_changed:
            self.refresh()
        name = self._known(digest(file.content))
        known = name is not None
        if name is None:
            name, known = self._add(source, file)
        return Imported(self._one(name), tuple(file.warnings), known)

    def edit(self, ref: str | os.PathLike[str], changes: Mapping[str, Any]) -> CardEntry:
        """Change fields of a card, beside the original; earlier changes of other fields stay."""
        path = self.path(ref)
        # The database's lock keeps two programs from losing each other's changes.
        with self._database.writing():
            original = read_card_file(path).card
            now = card_edits.current(original, edits_of(path))
            _keep(path, original, edited(now, changes))
        return self._one(path.name)

    def replace_edits(self, ref: str | os.PathLike[str], card: Card) -> CardEntry:
        """Keep ``card`` as what the user has made of the original; earlier changes that it lacks are gone."""
        path = self.path(ref)
        with self._database.writing():
            original = read_card_file(path).card
            # Edits that cannot be used are not written over: they may be hours of work.
            card_edits.current(original, edits_of(path))
            _keep(path, original, card)
        return self._one(path.name)

    def revert(self, ref: str | os.PathLike[str]) -> Path | None:
        """Go back to the card as it came; return where in the bin the changes are, None if there were none."""
        path = edits_of(self.path(ref))
        with self._database.writing():
            return card_folder.discard(path) if path.exists() else None

    def set_favourite(self, ref: str | os.PathLike[str], on: bool) -> CardEntry:
        """Make a card a favourite, or an ordinary one."""
        name = self.find(ref).id
        self._index.mark(name, on)
        return self._one(name)

    def set_persona(self, ref: str | os.PathLike[str], persona: str | None) -> CardEntry:
        """Say who the user is with this card; None leaves that to the default persona."""
        name = self.find(ref).id
        self._index.assign(name, persona)
        return self._one(name)

    def remove(self, ref: str | os.PathLike[str]) -> Path:
        """Move a card and its edits to the bin, the folder ``.bin``; return where the card is now."""
        path = self.path(ref)
        with self._database.writing() as connection:
            target = card_folder.discard(path)
            if edits_of(path).exists():
                card_folder.discard(edits_of(path))
            card_index.unmark(connection, path.name)
        return target

    def export(
        self, ref: str | os.PathLike[str], form: str, version: int = 3, picture: bytes | None = None
    ) -> bytes:
        """Return a card with the user's changes as a file: ``png``, ``json``, ``charx`` or ``yaml``.

        ``picture``, an image file's bytes, takes the place of the card's own. `CardError`: a PNG needs one.
        """
        from airochat.characters.write import write_card

        file = self.open(ref)
        now = int(time.time())
        return write_card(file.card, form, original=file, picture=picture, version=version, now=now)

    def _all(self) -> dict[str, CardEntry]:
        _, seen = self._refresh(None)
        listed = self._index.listed()
        return {name: _entry(name, one, listed[name]) for name, one in seen.items() if name in listed}

    def _refresh(self, progress: Callable[[int, int], None] | None) -> tuple[int, dict[str, Seen]]:
        # The index first: what another program adds in between is then not taken to be gone.
        known = self._index.stamps()
        self._folder_changed = card_folder.changed(self.folder)
        seen = card_folder.scan(self.folder)
        changed = [name for name, one in seen.items() if known.get(name) != one.stamp]
        for start in range(0, len(changed), _BATCH):
            batch = changed[start : start + _BATCH]
            self._index.update([examine(self.folder, name, seen[name]) for name in batch], ())
            if progress:
                progress(start + len(batch), len(changed))
        if gone := known.keys() - seen.keys():
            self._index.update((), gone)
        return len(changed), seen

    def _one(self, name: str) -> CardEntry:
        """Return the entry of a file without a look at all the others."""
        seen = card_folder.look(self.folder / name)
        if seen is None:
            raise UsageError(f"The card {name!r} is not in the library any more.")
        listed = self._index.get(name)
        if listed is None or listed.stamp != seen.stamp:
            self._index.update([examine(self.folder, name, seen)], ())
            listed = self._index.get(name)
        return _entry(name, seen, listed) if listed else self.find(name)

    def _known(self, digest: str) -> str | None:
        """Return a file that has these bytes; one that was changed since it was indexed does not count."""
        with self._database.reading() as connection:
            found = card_index.with_digest(connection, digest)
        for name, stamp in found.items():
            seen = card_folder.look(self.folder / name)
            if seen is not None and seen.stamp == stamp:
                return name
        return None

    def _add(self, source: Path, file: CardFile) -> tuple[str, bool]:
        """Put a file into the folder, unless another program has just done it; return its name there."""
        stem = file_stem(card_folder.plain_stem(source.name), file_stem(file.card.name, "card"))
        with drafted(self.folder, file.content) as draft, self._database.writing() as connection:
            if name := self._known(digest(file.content)):
                return name, True
            name = unique_name(stem, f".{file.form}", card_folder.names(self.folder))
            card_index.unmark(connection, name)
            publish(draft, self.folder / name)
            if seen := card_folder.look(self.folder / name):
                card_index.put(connection, summary(name, seen.stamp, file))
        self._folder_changed = card_folder.changed(self.folder)
        return name, False


def _keep(path: Path, original: Card, wanted: Card) -> None:
    """Write down in which fields the user's card differs from the original; none are no file."""
    changes = card_edits.differences(original, wanted)
    if changes:
        card_edits.write_edits(edits_of(path), changes)
    elif edits_of(path).exists():
        card_folder.discard(edits_of(path))


def _entry(name: str, seen: Seen, listed: Listed) -> CardEntry:
    facts = {**listed.facts, "tags": tuple(listed.facts["tags"])}
    return CardEntry(
        id=name,
        size=seen.size,
        modified=seen.modified,
        edited=seen.edited,
        favourite=listed.favourite,
        persona=listed.persona,
        **facts,
    )
