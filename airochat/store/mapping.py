"""What plugins keep: a mapping that lives in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from airochat.store.database import Database
from airochat.store.records import storable, to_json


class StoredMapping(MutableMapping[str, Any]):
    """A mapping of JSON values; setting or deleting a key is durable when it returns.

    Values are copies: a list that was changed in place must be set again. Raises `StoreError`, and `TypeError`
    for a value that JSON does not have.
    """

    def __init__(self, database: Database, plugin: str, scope: str) -> None:
        self._database = database
        self._place = (plugin, scope)

    def __getitem__(self, key: str) -> Any:
        query = "SELECT value FROM plugin_data WHERE plugin = ? AND scope = ? AND key = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (*self._place, storable(key))).fetchone()
        if row is None:
            raise KeyError(key)
        return json.loads(row["value"])

    def __setitem__(self, key: str, value: Any) -> None:
        text = to_json(value)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO plugin_data VALUES (?, ?, ?, ?)", (*self._place, storable(key), text)
            )

    def __delitem__(self, key: str) -> None:
        query = "DELETE FROM plugin_data WHERE plugin = ? AND scope = ? AND key = ?"
        with self._database.writing() as connection:
            if connection.execute(query, (*self._place, storable(key))).rowcount == 0:
                raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        query = "SELECT key FROM plugin_data WHERE plugin = ? AND scope = ? ORDER BY key"
        with self._database.reading() as connection:
            rows = connection.execute(query, self._place).fetchall()
        return iter([row["key"] for row in rows])

    def __len__(self) -> int:
        return sum(1 for _ in self)
