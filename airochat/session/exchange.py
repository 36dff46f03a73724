"""Chats as files: reading those of other programs into the store, and writing one out."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airochat.checks import did_you_mean
from airochat.conversation import ImportedChat, Message, Tree, new_id
from airochat.errors import PluginError, UsageError
from airochat.formats import IMPORTERS, to_jsonl, to_markdown, to_sillytavern, to_text
from airochat.session.group import AUDIENCES
from airochat.session.imported import casting, checked_chats, named
from airochat.store import SessionRecord
from airochat.text import one_line, whole

if TYPE_CHECKING:
    from airochat.session.manager import SessionManager
    from airochat.session.session import Session

MAX_FILE = 200_000_000
"""Bytes of a chat file; the whole file is held in memory."""

_Read: TypeAlias = Callable[[], Sequence[ImportedChat] | None]


@dataclass(frozen=True, slots=True)
class Imports:
    """What came of an import: the ids of the new sessions, which importer read them, and what was not taken over."""

    sessions: tuple[str, ...]
    kind: str
    warnings: tuple[str, ...] = ()


def import_chats(manager: SessionManager, path: str | os.PathLike[str], kind: str = "") -> Imports:
    """Read the chats in a file into the store, all or none; ``kind`` names the importer, else it is found out.

    Cards of the library and personas are found by the names in the chat. `UsageError`: the file cannot be read, is no
    chat, or of another kind; `PluginError`: the importer of a plugin failed.
    """
    place = Path(path).expanduser()
    data, stamp = _content(place)
    used, chats, warnings = _found(manager, data, place.name, kind)
    if not any(chat.messages for chat in chats):
        raise UsageError(f"{place.name} has no messages.", "; ".join(chats[0].warnings[:3]) if chats else "")
    records: list[tuple[SessionRecord, list[Message]]] = []
    kept: list[tuple[str, str, str, Any]] = []
    for chat in filter(lambda chat: chat.messages, chats):
        record, messages, notes = _prepared(manager, chat, stamp)
        records.append((record, messages))
        kept += [(AUDIENCES, f"chat:{record.id}", key, list(names)) for key, names in chat.audiences.items()]
        warnings += [*chat.warnings, *notes]
    manager.store.add_sessions(records, kept)
    return Imports(tuple(record.id for record, _ in records), used, tuple(dict.fromkeys(warnings)))


def import_formats(manager: SessionManager) -> dict[str, str]:
    """Return the importers by name, each with what it reads; those of airochat first."""
    offered = manager.plugins.offered("register_importers")
    others = {name: importer.summary for name, (_, importer) in offered.items()}
    return {name: one.summary for name, one in IMPORTERS.items()} | {
        name: summary for name, summary in others.items() if name not in IMPORTERS
    }


def export_chat(session: Session, form: str) -> bytes:
    """Return a chat as a file: ``markdown``, ``text``, ``jsonl``, ``sillytavern``, or what a plugin offers.

    ``jsonl`` has all branches, ``sillytavern`` the alternatives of what is shown, the others that alone. `UsageError`:
    there is no such form; `PluginError`: the exporter of a plugin failed.
    """
    if form in EXPORTERS:
        return whole(EXPORTERS[form](session)).encode()
    offered = session.plugins.offered("register_exporters")
    if form not in offered:
        raise UsageError(
            f"A chat cannot be exported to {one_line(form, 40)!r}.",
            did_you_mean(form, {*EXPORTERS, *offered}),
        )
    owner, exporter = offered[form]
    context = session.context(owner)

    def write() -> bytes:
        written: object = exporter.write(context)
        if isinstance(written, str):
            return whole(written).encode()
        if not isinstance(written, bytes):
            raise TypeError(f"it wrote a {type(written).__name__}, not a text or bytes")
        return written

    return session.plugins.use(owner, f"in the exporter {form}", write)


def _jsonl(session: Session) -> str:
    facts = {
        "title": session.title,
        "head": session.head,
        "system": session.profile.system,
        "scenario": session.profile.scenario,
    }
    kept = {key: value for key, value in facts.items() if value}
    messages = list(session.tree.messages.values())
    return to_jsonl(messages, kept, {one.id: session.group.audience(one.id) for one in messages})


EXPORTERS: Mapping[str, Callable[[Session], str]] = {
    "markdown": lambda session: to_markdown(session.title, session.history),
    "text": lambda session: to_text(session.title, session.history),
    "jsonl": _jsonl,
    "sillytavern": lambda session: to_sillytavern(session.tree, session.user_name, session.reply_name),
}
"""What writes a chat without a plugin, by name."""


def _content(path: Path) -> tuple[bytes, float]:
    """Return a file's bytes, and when it was changed last."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(MAX_FILE + 1) if status.st_size <= MAX_FILE else b""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no system has such a path"
        raise UsageError(f"{path} cannot be read: {reason}.") from None
    if status.st_size > MAX_FILE or len(data) > MAX_FILE:
        raise UsageError(f"{path.name} is larger than {MAX_FILE // 1_000_000} MB.", "Split it first.")
    if not data.strip(b" \t\r\n\0"):
        raise UsageError(f"{path.name} is empty.")
    return data, status.st_mtime


def _found(
    manager: SessionManager, data: bytes, name: str, kind: str
) -> tuple[str, list[ImportedChat], list[str]]:
    """Return the importer that knows the file, the chats in it, and what failed on the way."""
    warnings: list[str] = []
    for known, read in _readers(manager, data, name, kind):
        try:
            chats = read()
        except PluginError as error:
            if kind:
                raise
            warnings.append(error.message)
            continue
        if chats is not None:
            return known, list(chats), warnings
    if kind:
        raise UsageError(
            f"{name} is no chat of the form {kind}.", "Leave out --from to let airochat find out what it is."
        )
    forms = ", ".join(import_formats(manager))
    raise UsageError(f"{name} is no chat of a known form.", " ".join((f"Known: {forms}.", *warnings)))


def _readers(manager: SessionManager, data: bytes, name: str, kind: str) -> Iterable[tuple[str, _Read]]:
    """Yield what may read a file, by name; plugins are loaded only after airochat's own have not known it."""
    if kind in IMPORTERS:
        yield kind, lambda: IMPORTERS[kind].read(data, name)
        return
    for known, importer in IMPORTERS.items() if not kind else ():
        yield known, lambda importer=importer: importer.read(data, name)  # type: ignore[misc]
    offered = manager.plugins.offered("register_importers")
    if kind and kind not in offered:
        raise UsageError(
            f"There is no importer {one_line(kind, 40)!r}.", did_you_mean(kind, import_formats(manager))
        )
    for known, (owner, importer) in offered.items():
        if known not in IMPORTERS and kind in ("", known):
            yield known, _plugin_reader(manager, owner, known, lambda one=importer: one.read(data, name))  # type: ignore[misc]


def _plugin_reader(manager: SessionManager, owner: str, known: str, read: Callable[[], Any]) -> _Read:
    return lambda: manager.plugins.use(owner, f"in the importer {known}", lambda: checked_chats(read()))


def _prepared(
    manager: SessionManager, chat: ImportedChat, stamp: float
) -> tuple[SessionRecord, list[Message], list[str]]:
    """Return what is stored of a chat, and what the user should know; ``stamp`` dates what has no date."""
    messages = [one if one.created else dataclasses.replace(one, created=stamp) for one in chat.messages]
    head = chat.head or messages[-1].id
    profile, notes = casting(manager, chat, Tree.build(messages, head).history)
    messages = named(messages, profile)
    dates = [one.created for one in messages]
    now = time.time()
    title = one_line(chat.title, 200) or one_line(messages[0].text, 48)
    record = SessionRecord(
        new_id(), title, min(dates), min(max(dates), now), head, profile.stored(), deleted=False
    )
    return record, messages, notes
