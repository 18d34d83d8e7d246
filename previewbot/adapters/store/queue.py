"""The queue: a durable set of topics, each with the time when it deserves a look. Never loses a wake-up.

A row is due at ``due``. While it is leased, wake-ups gather in ``again_at`` and ``generation`` counts them, so that
settling knows what the pass cannot have seen. A lease that lapsed, or that a killed process left, is simply due.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, and_, case, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from previewbot.adapters.store.database import Database, Insert
from previewbot.adapters.store.tables import queue
from previewbot.adapters.store.whole import whole
from previewbot.core.ids import Key, Survey, Topic
from previewbot.ports import Lease

log = structlog.get_logger(__name__)

_POLL = 1.0
"""Seconds between two looks for what another process added (PostgreSQL)."""

_LONGEST = 60.0
"""Seconds that a wait lasts at most: a clock that was set cannot put the queue to sleep."""


class SqlQueue:
    """The queue's side of the store."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        self._database = database
        self._lasts = lease
        self._bell = asyncio.Event()

    @whole
    async def add(self, topics: Collection[Topic], at: datetime) -> None:
        """Make topics due at a time, or sooner where they already are."""
        if topics:
            async with self._database.writing() as connection:
                await touch(self._database, connection, {str(topic): at for topic in topics})
            self.wake()

    @whole
    async def lease(self, now: datetime) -> Lease | None:
        """Take the topic that is due longest."""
        while True:
            async with self._database.writing() as connection:
                row = (await connection.execute(self._take(now))).one_or_none()
                if row is None:
                    return None
                topic = Key.parse(row.topic) or Survey.parse(row.topic)
                if topic is None:
                    log.warning("unreadable row", kind="Topic", row=row.topic)
                    await connection.execute(delete(queue).where(queue.c.topic == row.topic))
                    continue
            return Lease(topic, row.generation, row.token, row.touched_at, row.failures + 1)

    @whole
    async def renew(self, lease: Lease, now: datetime) -> bool:
        """Keep a lease for longer; ``False`` if another worker has it."""
        async with self._database.writing() as connection:
            done = await connection.execute(update(queue).where(_held(lease)).values(leased_until=now + self._lasts))
        return done.rowcount == 1

    @whole
    async def settle(self, lease: Lease, *, due: datetime | None, failed: bool = False, unserved: bool = False) -> None:
        """See ``Queue.settle``."""
        async with self._database.writing() as connection:
            if due is None:
                untouched = and_(_held(lease), queue.c.generation == lease.generation)
                if (await connection.execute(delete(queue).where(untouched))).rowcount:
                    return
            await connection.execute(_give_back(lease, due, failed=failed, unserved=unserved))
        self.wake()

    @whole
    async def next_due(self) -> datetime | None:
        """Say when the next topic without a lease is due; a lease ends when it lapses."""
        free = case((queue.c.token.is_(None), queue.c.due), else_=queue.c.leased_until)
        async with self._database.reading() as connection:
            due: datetime | None = (
                await connection.execute(select(func.min(free, type_=queue.c.due.type)))
            ).scalar_one()
        return due

    def wake(self) -> None:
        """Wake whoever waits for work in this process."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def wait(self, until: datetime | None) -> None:
        """Wait until ``wake`` is called or a time has come; a topic that becomes due before that is such a time."""
        bell = self._bell
        while not bell.is_set():
            # What was added after the caller looked rang a bell that nobody heard, so look once more.
            due = await self.next_due()
            times = [each for each in (until, due) if each is not None]
            left = (min(times) - datetime.now(UTC)).total_seconds() if times else _LONGEST
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), min(left, _LONGEST if self._database.is_sqlite else _POLL))

    @whole
    async def depth(self, now: datetime) -> int:
        """Count what is due and not leased."""
        async with self._database.reading() as connection:
            return (await connection.execute(select(func.count()).where(_is_free(now)))).scalar_one()

    @whole
    async def clear_leases(self) -> None:
        """End every lease: for the one process that may hold any, when it starts."""
        async with self._database.writing() as connection:
            await connection.execute(update(queue).values(token=None, leased_until=None, again_at=None))

    def _take(self, now: datetime) -> Any:  # noqa: ANN401 - SQLAlchemy's type of it is a page long
        longest = select(queue.c.topic).where(_is_free(now)).order_by(queue.c.due, queue.c.topic).limit(1)
        if not self._database.is_sqlite:
            longest = longest.with_for_update(skip_locked=True)
        taken = {"token": secrets.token_hex(16), "leased_until": now + self._lasts, "again_at": None}
        return update(queue).where(queue.c.topic == longest.scalar_subquery()).values(taken).returning(queue)


async def touch(database: Database, connection: AsyncConnection, topics: dict[str, datetime]) -> None:
    """Make topics due at their times, in a transaction that somebody else ends; ``wake`` is theirs to call."""
    rows: Sequence[dict[str, Any]] = [{"topic": name, "due": at, "touched_at": at} for name, at in topics.items()]
    if rows:
        # Always in the same order, or two transactions could wait for each other.
        insert = touching(database.insert(queue).values(generation=1, failures=0))
        await connection.execute(insert, sorted(rows, key=lambda row: str(row["topic"])))


def touching(insert: Insert) -> Insert:
    """Let an insert into the queue touch the topics that are there already, whether or not they are leased."""
    new, old = insert.excluded, queue.c
    return insert.on_conflict_do_update(
        index_elements=[old.topic],
        set_={
            "due": _sooner(new.due, old.due),
            "touched_at": _sooner(new.touched_at, old.touched_at),
            "again_at": case((old.token.is_(None), None), else_=_sooner(new.due, func.coalesce(old.again_at, new.due))),
            "generation": old.generation + 1,
        },
    )


def _give_back(lease: Lease, due: datetime | None, *, failed: bool, unserved: bool) -> Any:  # noqa: ANN401
    """The update that ends a lease, if it is still that lease."""
    touched = queue.c.generation != lease.generation
    if due is None:
        next_due: ColumnElement[Any] = queue.c.again_at
    else:
        planned = literal(due, queue.c.due.type)
        next_due = case((touched, _sooner(queue.c.again_at, planned)), else_=planned)
    return (
        update(queue)
        .where(_held(lease))
        .values(
            due=next_due,
            touched_at=queue.c.touched_at if failed or unserved else next_due,
            failures=queue.c.failures + 1 if failed else queue.c.failures if unserved else 0,
            token=None,
            leased_until=None,
            again_at=None,
        )
    )


def _sooner(first: ColumnElement[Any], second: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((first < second, first), else_=second)


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(queue.c.topic == str(lease.topic), queue.c.token == lease.token)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return and_(queue.c.due <= now, or_(queue.c.token.is_(None), queue.c.leased_until <= now))
