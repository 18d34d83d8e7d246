"""What previewbot remembers of environments, their host names and what people asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import delete, func, select, update

from previewbot.adapters.store import tables
from previewbot.adapters.store.codec import clean, decode, encode
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.whole import whole
from previewbot.core.ids import Key
from previewbot.core.model import Ask, AskState, Command, Record

log = structlog.get_logger(__name__)

_OPEN = (AskState.NEW.value, AskState.SEEN.value, AskState.BEGUN.value)


class SqlRecords:
    """Records, host names and asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @whole
    async def load(self, key: Key) -> Record:
        """Read the record of an environment; an unknown one is empty."""
        async with self._database.reading() as connection:
            body = await connection.scalar(select(tables.records.c.body).where(tables.records.c.key == str(key)))
        return Record(key) if body is None else _record(key, body)

    @whole
    async def save(self, record: Record) -> None:
        """Write a record whole."""
        facts = {
            "repository": record.key.repository,
            "newest_at": record.triggered_at or record.created_at,
            "body": encode(record),
        }
        insert = self._database.insert(tables.records).values(key=str(record.key), **facts)
        async with self._database.writing() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=facts))

    @whole
    async def records(self, repository: int | None = None) -> Sequence[Record]:
        """List all records, newest first, of one repository where it is given."""
        rows = tables.records.c
        query = select(rows.key, rows.body).order_by(rows.newest_at.desc().nulls_last(), rows.key.desc())
        if repository is not None:
            query = query.where(rows.repository == repository)
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).all()
        keyed = ((Key.parse(name), body) for name, body in found)
        return tuple(_record(key, body) for key, body in keyed if key is not None)

    @whole
    async def forget(self, key: Key) -> None:
        """Delete a record with its builds, releases and asks."""
        async with self._database.writing() as connection:
            for table in (tables.records, tables.builds, tables.releases, tables.asks):
                await connection.execute(delete(table).where(table.c.key == str(key)))

    @whole
    async def claim(self, key: Key, hosts: Collection[str]) -> Collection[str]:
        """Claim host names for an environment; returns those that are now its own."""
        if not hosts:
            return ()
        wanted = sorted({clean(host) for host in hosts})
        insert = self._database.insert(tables.hosts).on_conflict_do_nothing()
        mine = select(tables.hosts.c.host).where(tables.hosts.c.key == str(key), tables.hosts.c.host.in_(wanted))
        async with self._database.writing() as connection:
            await connection.execute(insert, [{"host": host, "key": str(key)} for host in wanted])
            owned = set((await connection.execute(mine)).scalars())
        return tuple(host for host in dict.fromkeys(hosts) if host in owned)

    @whole
    async def release_hosts(self, key: Key) -> None:
        """Give all host names of an environment back."""
        async with self._database.writing() as connection:
            await connection.execute(delete(tables.hosts).where(tables.hosts.c.key == str(key)))

    @whole
    async def find_host(self, host: str) -> Key | None:
        """Say whose host name this is."""
        async with self._database.reading() as connection:
            found = await connection.scalar(select(tables.hosts.c.key).where(tables.hosts.c.host == clean(host)))
        return None if found is None else Key.parse(found)

    @whole
    async def asks(self, key: Key) -> Sequence[Ask]:
        """List the asks of an environment that are neither done nor refused, oldest first."""
        rows = tables.asks
        query = select(rows).where(rows.c.key == str(key), rows.c.state.in_(_OPEN)).order_by(rows.c.id)
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).all()
        return tuple(
            Ask(row.id, key, row.login, _command(row.command), AskState(row.state), row.argument) for row in found
        )

    @whole
    async def mark(self, ask: Ask, state: AskState) -> None:
        """Move an ask to a state."""
        async with self._database.writing() as connection:
            await connection.execute(update(tables.asks).where(tables.asks.c.id == ask.id).values(state=state.value))

    @whole
    async def last_delivery(self) -> datetime | None:
        """Say when the newest delivery that is remembered came in."""
        received = tables.deliveries.c.received_at
        async with self._database.reading() as connection:
            newest: datetime | None = await connection.scalar(select(func.max(received, type_=received.type)))
        return newest

    @whole
    async def prune(self, before: datetime) -> None:
        """Delete deliveries older than this; nothing else grows without end."""
        async with self._database.writing() as connection:
            await connection.execute(delete(tables.deliveries).where(tables.deliveries.c.received_at < before))

    @whole
    async def check(self) -> str:
        """Describe the database in a line: ``sqlite, schema 0002, synchronous=FULL``."""
        return await self._database.describe()


def _record(key: Key, body: str) -> Record:
    """Read a record; one that another version wrote and this one cannot read is empty."""
    return decode(Record, body, row=str(key)) or Record(key)


def _command(text: str) -> Command:
    return Command(text) if text in set(Command) else Command.UNKNOWN
