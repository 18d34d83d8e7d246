"""One database and its connections: reads run side by side, writes of this process one after the other.

What is to be done there is a function of a connection, and it runs as a whole: with SQLite in a thread, because a hop
to a thread for every statement would cost more than the statements. Such a function touches nothing but the connection.
Knows the dialects and their errors; knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_BUSY = "PRAGMA busy_timeout = 10000"
_SETTINGS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
_HOPELESS = ("malformed", "not a database", "readonly database", "schema has changed")

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")

_THREADS = 8
"""What SQLite does at once at most."""

Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"

T = TypeVar("T")


class Database:
    """A database, and the one place where its errors become ours."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._connections: _Threads | _Driver = _Threads(url) if self.is_sqlite else _Driver(url)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do work that only reads; with SQLite, all that it reads is one moment's."""
        with translated():
            return await self._connections.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction that is on disk when this returns, and gone if the work fails."""
        with translated():
            return await self._connections.write(work)

    def insert(self, table: Table) -> Insert:
        """Begin an insert that can say what happens to a row that exists."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - one machine with SQLite needs none of it

        return postgresql.insert(table)

    def replace(self, table: Table) -> Insert:
        """Make an insert that takes the place of the row with the same primary key."""
        insert = self.insert(table)
        facts = {each.name: insert.excluded[each.name] for each in table.c if not each.primary_key}
        return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=facts)

    async def describe(self) -> str:
        """Say in a line what this is, of which schema, and how sure a commit is to be on disk."""
        asked = "PRAGMA synchronous" if self.is_sqlite else "SHOW synchronous_commit"
        queries = ("SELECT version_num FROM alembic_version", asked)
        schema, sure = await self.read(lambda connection: [connection.scalar(text(each)) for each in queries])
        kind = "sqlite" if self.is_sqlite else "postgresql"
        name = f"synchronous={_SYNCHRONOUS[sure]}" if self.is_sqlite else f"synchronous_commit={sure}"
        return f"{kind}, schema {schema}, {name}"

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()


class _Threads:
    """SQLite: threads, each with a connection while it works."""

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(url, pool_size=_THREADS, max_overflow=0)
        event.listen(self._engine, "connect", _prepare)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqlite")
        self._turn = asyncio.Lock()  # SQLite's own lock is polled, which costs up to 0.1 s a time

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._run("BEGIN", work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        async with self._turn:
            # A transaction that reads first and writes later would fail, not wait, where another one wrote in between.
            return await self._run("BEGIN IMMEDIATE", work)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _run(self, begin: str, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, copy_context().run, _transact, self._engine, begin, work)


class _Driver:
    """PostgreSQL: a driver that waits for its server in the event loop."""

    def __init__(self, url: URL) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - SQLite needs none of it

        self._engine = create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)

    async def read(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


def _transact(engine: Engine, begin: str, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        connection.exec_driver_sql(begin)
        return work(connection)


def _prepare(connection: DBAPIConnection, record: object) -> None:  # noqa: ARG001
    """Give a new connection our settings, or close it."""
    connection.isolation_level = None  # transactions begin above, not where the driver thinks
    cursor = connection.cursor()
    try:
        for setting in (_BUSY, *_SETTINGS):
            cursor.execute(setting)
    except BaseException:
        connection.close()  # nobody else knows of it yet
        raise
    cursor.close()


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
