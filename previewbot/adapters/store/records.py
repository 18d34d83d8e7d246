"""What previewbot remembers of environments, their host names and what people asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection, bindparam, delete, func, select, update

from previewbot.adapters.store import tables
from previewbot.adapters.store.codec import clean, decode, encode
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.whole import whole
from previewbot.core.ids import Key
from previewbot.core.model import Ask, AskState, Command, Record

log = structlog.get_logger(__name__)

_OPEN = (AskState.NEW.value, AskState.SEEN.value, AskState.BEGUN.value)

# Built once: building a statement anew costs about as much as running it.
_LOAD = select(tables.records.c.body).where(tables.records.c.key == bindparam("key"))
_ALL = select(tables.records.c.key, tables.records.c.body).order_by(
    tables.records.c.newest_at.desc().nulls_last(), tables.records.c.key.desc()
)
_IN_REPOSITORY = _ALL.where(tables.records.c.repository == bindparam("repository"))
_OWNED = select(tables.hosts.c.host).where(
    tables.hosts.c.key == bindparam("key"), tables.hosts.c.host.in_(bindparam("hosts", expanding=True))
)
_ASKS = (
    select(tables.asks)
    .where(tables.asks.c.key == bindparam("key"), tables.asks.c.state.in_(_OPEN))
    .order_by(tables.asks.c.id)
)


class SqlRecords:
    """Records, host names and asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._save = database.replace(tables.records)
        self._claim = database.insert(tables.hosts).on_conflict_do_nothing()

    @whole
    async def load(self, key: Key) -> Record:
        """Read the record of an environment; an unknown one is empty."""
        body = await self._database.read(lambda connection: connection.scalar(_LOAD, {"key": str(key)}))
        return Record(key) if body is None else _record(key, body)

    @whole
    async def save(self, record: Record) -> None:
        """Write a record whole."""
        row = {
            "key": str(record.key),
            "repository": record.key.repository,
            "newest_at": record.triggered_at or record.created_at,
            "body": encode(record),
        }
        await self._database.write(lambda connection: connection.execute(self._save, row))

    @whole
    async def records(self, repository: int | None = None) -> Sequence[Record]:
        """List all records, newest first, of one repository where it is given."""
        query, where = (_ALL, {}) if repository is None else (_IN_REPOSITORY, {"repository": repository})
        found = await self._database.read(lambda connection: connection.execute(query, where).all())
        keyed = ((Key.parse(name), body) for name, body in found)
        return tuple(_record(key, body) for key, body in keyed if key is not None)

    @whole
    async def forget(self, key: Key) -> None:
        """Delete a record with its builds, releases and asks."""

        def work(connection: Connection) -> None:
            for table in (tables.records, tables.builds, tables.releases, tables.asks):
                connection.execute(delete(table).where(table.c.key == str(key)))

        await self._database.write(work)

    @whole
    async def claim(self, key: Key, hosts: Collection[str]) -> Collection[str]:
        """Claim host names for an environment; returns those that are now its own."""
        if not hosts:
            return ()
        wanted = sorted({clean(host) for host in hosts})

        def mine(connection: Connection) -> set[str]:
            return set(connection.scalars(_OWNED, {"key": str(key), "hosts": wanted}))

        def take(connection: Connection) -> set[str]:
            connection.execute(self._claim, [{"host": host, "key": str(key)} for host in wanted])
            return mine(connection)

        owned = await self._database.read(mine)
        if len(owned) < len(wanted):  # mostly all of them are its own already, and nothing is to be written
            owned = await self._database.write(take)
        return tuple(host for host in dict.fromkeys(hosts) if host in owned)

    @whole
    async def release_hosts(self, key: Key) -> None:
        """Give all host names of an environment back."""
        gone = delete(tables.hosts).where(tables.hosts.c.key == str(key))
        await self._database.write(lambda connection: connection.execute(gone))

    @whole
    async def find_host(self, host: str) -> Key | None:
        """Say whose host name this is."""
        query = select(tables.hosts.c.key).where(tables.hosts.c.host == clean(host))
        found = await self._database.read(lambda connection: connection.scalar(query))
        return None if found is None else Key.parse(found)

    @whole
    async def asks(self, key: Key) -> Sequence[Ask]:
        """List the asks of an environment that are neither done nor refused, oldest first."""
        found = await self._database.read(lambda connection: connection.execute(_ASKS, {"key": str(key)}).all())
        return tuple(
            Ask(row.id, key, row.login, _command(row.command), AskState(row.state), row.argument) for row in found
        )

    @whole
    async def mark(self, ask: Ask, state: AskState) -> None:
        """Move an ask to a state."""
        moved = update(tables.asks).where(tables.asks.c.id == ask.id).values(state=state.value)
        await self._database.write(lambda connection: connection.execute(moved))

    @whole
    async def last_delivery(self) -> datetime | None:
        """Say when the newest delivery that is remembered came in."""
        received = tables.deliveries.c.received_at
        query = select(func.max(received, type_=received.type))
        return await self._database.read(lambda connection: connection.scalar(query))

    @whole
    async def prune(self, before: datetime) -> None:
        """Delete deliveries older than this; nothing else grows without end."""
        old = delete(tables.deliveries).where(tables.deliveries.c.received_at < before)
        await self._database.write(lambda connection: connection.execute(old))

    @whole
    async def check(self) -> str:
        """Describe the database in a line: ``sqlite, schema 0002, synchronous=FULL``."""
        return await self._database.describe()


def _record(key: Key, body: str) -> Record:
    """Read a record; one that another version wrote and this one cannot read is empty."""
    return decode(Record, body, row=str(key)) or Record(key)


def _command(text: str) -> Command:
    return Command(text) if text in set(Command) else Command.UNKNOWN
