"""One database and its connections: reads run side by side, writes of this process one after the other.

Knows the dialects and their errors; knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import URL, Connection, Table, event, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_BUSY = "PRAGMA busy_timeout = 10000"
_SETTINGS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
_HOPELESS = ("malformed", "not a database", "readonly database", "schema has changed")

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")

Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"


class Database:
    """An engine, and the one place where its errors become ours."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine: AsyncEngine = _sqlite(url) if self.is_sqlite else _postgres(url)
        self._turn = asyncio.Lock()  # SQLite's own lock is polled, which costs up to 0.1 s a time

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection to read from; what it reads is one moment's."""
        with translated():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is on disk when the context ends, and gone if it fails."""
        if not self.is_sqlite:
            with translated():
                async with self.engine.begin() as connection:
                    yield connection
            return
        async with self.turn(), self.engine.connect() as plain:
            connection = await plain.execution_options(writes=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for this process's turn to write to SQLite, and have it for as long as the context lasts."""
        with translated():
            async with self._turn:
                yield

    def insert(self, table: Table) -> Insert:
        """Begin an insert that can say what happens to a row that exists."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - one machine with SQLite needs none of it

        return postgresql.insert(table)

    async def describe(self) -> str:
        """Say in a line what this is, of which schema, and how sure a commit is to be on disk."""
        async with self.reading() as connection:
            schema = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            sure = await connection.scalar(text("PRAGMA synchronous" if self.is_sqlite else "SHOW synchronous_commit"))
        kind = "sqlite" if self.is_sqlite else "postgresql"
        name = f"synchronous={_SYNCHRONOUS[sure]}" if self.is_sqlite else f"synchronous_commit={sure}"
        return f"{kind}, schema {schema}, {name}"

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Turn an unwell database into ``Transient`` and one that needs a person into ``Refused``; bugs stay bugs."""
    try:
        yield
    except PoolTimeout:
        raise Transient("the database is busy: every connection is taken") from None
    except (DBAPIError, sqlite3.Error) as error:
        why = str(_cause(error)).strip().partition("\n")[0]
        if any(sign in why for sign in _HOPELESS):
            raise Refused(Reason.INTERNAL, f"the database cannot be used: {why}") from error
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if is_lost or _is_unwell(error):
            raise Transient(f"the database is unwell: {why}") from error
        raise
    except OSError as error:
        raise Transient(f"the database is unwell: {error}") from error


def _cause(error: DBAPIError | sqlite3.Error) -> BaseException | None:
    """What the driver itself said."""
    return error.orig if isinstance(error, DBAPIError) else error


def _is_unwell(error: DBAPIError | sqlite3.Error) -> bool:
    """Whether waiting may help: locks, a full disk, a lost connection, and no fault of a statement."""
    state: str | None = getattr(_cause(error), "sqlstate", None)
    if state is not None:
        return state[:2] in {"08", "40", "53", "55", "57", "58"}
    return type(error).__name__ in {"OperationalError", "InterfaceError"} and "no such" not in str(_cause(error))


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=8, max_overflow=8)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: DBAPIConnection, record: object) -> None:  # noqa: ARG001
        connection.isolation_level = None  # transactions begin below, not where the driver thinks
        prepare(connection)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail, not wait, where another one wrote in between.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def prepare(connection: DBAPIConnection | sqlite3.Connection) -> None:
    """Give a new SQLite connection our settings, or close it."""
    cursor = connection.cursor()
    try:
        for setting in (_BUSY, *_SETTINGS):
            cursor.execute(setting)
    except BaseException:
        connection.close()  # nobody else knows of it yet
        raise
    cursor.close()


def _postgres(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)
