"""Vectors of texts, made in the background and kept in SQLite: what is of a like meaning, whatever its words."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from airochat.hooks import PluginContext

FILE: Final = "vectors.db"
ALIKE: Final = 0.55
"""The cosine from which on two texts are of a like meaning."""
PATIENCE: Final = 1.0
"""Seconds for which a prompt waits for the vector of its question."""
_BATCH: Final = 32
_PROBE: Final = "The lamp on the shelf by the door."
"""Its vector tells whether the vectors that are kept are from the same model."""
_SAME: Final = 0.999
_BEST: Final = 40
_QUESTIONS: Final = 64


def digest(text: str) -> bytes:
    """Return what a text is known by."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]


class Vectors:
    """The vectors of one data folder. May be used from any thread; nothing here raises but for wrong use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = False
        self._known: dict[bytes, Any] = {}
        self._opened: Path | None = None
        self._questions: OrderedDict[str, Any] = OrderedDict()
        self._checked = False

    def learn(self, context: PluginContext, texts: Sequence[str]) -> None:
        """Begin to make the vectors of texts that have none; returns at once, and does nothing while that goes on."""
        embed = context.embed
        if embed is None:
            return
        with self._lock:
            self._open(context)
            missing = list(dict.fromkeys(text for text in texts if digest(text) not in self._known))
            if not missing or self._busy:
                return
            self._busy = True
        self._go_on(context, missing)

    def alike(self, context: PluginContext, question: str, texts: Mapping[int, str]) -> list[int]:
        """Return the keys of the texts whose meaning is like that of a question, the best first.

        Waits for the question's vector a second at most; without it, and for texts that have none yet, there is none.
        """
        asked = self._question(context, question)
        if asked is None or not texts:
            return []
        import numpy

        with self._lock:
            self._open(context)
            keys = [key for key, text in texts.items() if digest(text) in self._known]
            rows = [self._known[digest(texts[key])] for key in keys]
        rows = [row for row in rows if row.shape == asked.shape]
        if not keys or len(rows) < len(keys):
            return []
        scores = numpy.stack(rows) @ asked
        order = numpy.argsort(-scores, kind="stable")[:_BEST]
        return [keys[int(at)] for at in order if scores[int(at)] >= ALIKE]

    def _question(self, context: PluginContext, text: str) -> Any:
        embed = context.embed
        if embed is None or not text.strip():
            return None
        with self._lock:
            if text in self._questions:
                return self._questions[text]
        try:
            vector = _row(embed([text]).result(PATIENCE)[0])
        except TooLate:
            return None
        except Exception as error:
            context.log.info("A question has no vector: %s", error)
            return None
        with self._lock:
            self._questions[text] = vector
            if len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
        return vector

    def _go_on(self, context: PluginContext, missing: Sequence[str]) -> None:
        """Ask for the vectors of the next few texts, with that of the probe before the first ones."""
        embed = context.embed
        batch = list(missing[:_BATCH])
        if not batch or embed is None:
            with self._lock:
                self._busy = False
            return
        probe = [] if self._checked else [_PROBE]

        def done(future: Future[list[list[float]]]) -> None:
            try:
                rows = [_row(one) for one in future.result()]
                if len(rows) != len(batch) + len(probe):
                    raise ValueError(f"{len(rows)} vectors for {len(batch) + len(probe)} texts")
                if probe:
                    self._compare(context, rows.pop(0))
                self._keep(context, batch, rows)
            except BaseException as error:
                context.log.info("Texts have no vectors: %s: %s", type(error).__name__, error)
                with self._lock:
                    self._busy = False
                return
            self._go_on(context, missing[_BATCH:])

        try:
            future = embed([*probe, *batch])
        except Exception as error:
            context.log.info("Texts have no vectors: %s", error)
            with self._lock:
                self._busy = False
            return
        future.add_done_callback(done)

    def _compare(self, context: PluginContext, probe: Any) -> None:
        """Drop all vectors if they are from another model."""
        with self._lock:
            self._open(context)
            known = self._known.get(digest(_PROBE))
            same = known is not None and known.shape == probe.shape and float(known @ probe) >= _SAME
            if not same:
                self._known.clear()
                self._questions.clear()
                self._write(context, lambda one: one.execute("DELETE FROM vectors"))
            self._checked = True
        self._keep(context, [_PROBE], [probe])

    def _keep(self, context: PluginContext, texts: Sequence[str], rows: Sequence[Any]) -> None:
        found = {digest(text): row for text, row in zip(texts, rows, strict=True)}
        with self._lock:
            self._known.update(found)
            values = [(key, row.tobytes()) for key, row in found.items()]
            self._write(
                context, lambda one: one.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", values)
            )

    def _open(self, context: PluginContext) -> None:
        """Read what is kept, once; the caller holds the lock."""
        import numpy

        path = context.folder / FILE
        if self._opened == path:
            return
        self._opened, self._known, self._checked = path, {}, False
        self._questions.clear()

        def read(connection: sqlite3.Connection) -> None:
            for key, blob in connection.execute("SELECT text, vector FROM vectors"):
                if len(blob) % 4 == 0:
                    self._known[bytes(key)] = numpy.frombuffer(blob, dtype=numpy.float32)

        self._write(context, read)

    def _write(self, context: PluginContext, change: Callable[[sqlite3.Connection], object]) -> None:
        try:
            with closing(sqlite3.connect(context.folder / FILE, timeout=2)) as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL)"
                )
                change(connection)
        except sqlite3.Error as error:
            # They can be made again, so nothing is lost with them.
            context.log.info("Vectors are not kept: %s", error)


def _row(values: Sequence[float]) -> Any:
    import numpy

    row = numpy.asarray(values, dtype=numpy.float32)
    if row.ndim != 1 or not row.size or not numpy.isfinite(row).all():
        raise ValueError("a vector is none")
    return row
