"""SQLite's short way in for deliveries: a batch takes few statements and one commit.

Each table gets all its rows as one JSON text: a statement of many rows takes the interpreter's lock back once, not once
a row, and a busy event loop makes every time slow. Knows nothing of who waits for a batch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, String, Table, bindparam, column, func, literal, select, true
from sqlalchemy.dialects import sqlite

from previewbot.adapters.store.batches import Parcel, ask_rows, due
from previewbot.adapters.store.codec import clean
from previewbot.adapters.store.database import Database, Insert
from previewbot.adapters.store.queue import touching
from previewbot.adapters.store.tables import asks, deliveries, microseconds, queue

_ROWS = "rows"

Statement = tuple[str, Mapping[str, Any]]
"""SQL with named parameters, and those whose values never change."""


class DirectWriter:
    """The way past the engine's statements, for SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, batch: Sequence[Parcel]) -> frozenset[str]:
        """Put what is new of a batch on disk, in this process's turn to write."""

        def work(connection: Connection) -> frozenset[str]:
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            known = _known(driver, [parcel.name for parcel in batch])
            new = [parcel for parcel in batch if parcel.name not in known]
            if new:
                _insert(driver, new)
            return frozenset(parcel.name for parcel in new)

        return await self._database.write(work)


def _known(connection: sqlite3.Connection, names: Sequence[str]) -> frozenset[str]:
    query = "SELECT json_group_array(id) FROM deliveries WHERE id IN (SELECT value FROM json_each(?))"
    (found,) = connection.execute(query, (json.dumps(names),)).fetchone()
    return frozenset(json.loads(found))


def _insert(connection: sqlite3.Connection, new: Sequence[Parcel]) -> None:
    came = [(each.name, clean(each.delivery.event), microseconds(each.delivery.received_at)) for each in new]
    _run(connection, _DELIVERIES, came)
    touched = [(topic, microseconds(at)) for topic, at in due(new).items()]
    if touched:
        _run(connection, _TOPICS, touched)
    asked = ask_rows(new)
    if asked:
        # Rare, and row by row: a comment's number that no column can hold must fail, where JSON would round it.
        connection.executemany(_ASKS[0], asked)


def _run(connection: sqlite3.Connection, statement: Statement, rows: Sequence[tuple[str | int, ...]]) -> None:
    sql, constants = statement
    connection.execute(sql, {**constants, _ROWS: json.dumps(rows)})


# --- the statements, in words that the engine's way shares -----------------------------------------------------------


def _compiled(insert: Insert) -> Statement:
    compiled = insert.compile(dialect=sqlite.dialect(paramstyle="named"))
    return str(compiled), compiled.params


def _from_rows(table: Table, columns: Mapping[str, ColumnElement[Any]]) -> sqlite.Insert:
    """An insert of every row of the parameter ``rows``, a JSON list of lists."""
    lists = func.json_each(bindparam(_ROWS, type_=String)).table_valued("value")
    source = select(*columns.values()).select_from(lists).where(true())  # SQLite needs a WHERE before ON CONFLICT
    return sqlite.insert(table).from_select(list(columns), source)


def _field(place: int) -> ColumnElement[Any]:
    return func.json_extract(column("value"), f"$[{place}]")


_DELIVERIES = _compiled(
    _from_rows(deliveries, {"id": _field(0), "event": _field(1), "received_at": _field(2)}).on_conflict_do_nothing()
)
_TOPICS = _compiled(
    touching(
        _from_rows(
            queue,
            {
                "topic": _field(0),
                "due": _field(1),
                "touched_at": _field(1),
                "generation": literal(1),
                "failures": literal(0),
            },
        )
    )
)
_ASKS = _compiled(sqlite.insert(asks).on_conflict_do_nothing())
