"""The store: one database, SQLite or PostgreSQL, behind the ports ``Inbox``, ``Queue`` and ``Records``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from previewbot.adapters.store.apart import migrate_apart
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.history import SqlHistory
from previewbot.adapters.store.inbox import SqlInbox
from previewbot.adapters.store.opening import look, migrate, opened
from previewbot.adapters.store.queue import SqlQueue
from previewbot.adapters.store.records import SqlRecords
from previewbot.ports import Store

__all__ = ["describe", "look", "migrate", "migrate_apart", "open_store"]


class SqlStore(SqlInbox, SqlQueue, SqlRecords, SqlHistory):
    """All of it: one database."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        SqlRecords.__init__(self, database)
        SqlHistory.__init__(self, database)
        SqlQueue.__init__(self, database, lease)
        SqlInbox.__init__(self, database, self.wake)


@asynccontextmanager
async def open_store(
    url: str, *, lease: timedelta = timedelta(seconds=60), exclusive: bool = True
) -> AsyncIterator[Store]:
    """Open the store of a database, up to date and ready, for as long as the context lasts.

    ``url`` is ``sqlite:///<path>`` or ``postgresql+psycopg://…``. ``lease`` is how long a worker that fell silent
    keeps its topic. ``exclusive`` holds a SQLite database for this process alone and ends the leases that a killed one
    left. Raises ``Refused`` where another previewbot holds the database, or where it is damaged or not ours, and
    ``Transient`` where it does not answer.
    """
    async with opened(url, exclusive=exclusive) as database:
        store = SqlStore(database, lease)
        if exclusive and database.is_sqlite:
            await store.clear_leases()
        try:
            yield store
        finally:
            await store.close()


async def describe(url: str) -> str:
    """Describe a database in a line, such as ``sqlite, schema 0002, synchronous=FULL``, also while another holds it."""
    async with opened(url, exclusive=False) as database:
        return await database.describe()
