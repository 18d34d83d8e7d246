"""The queue: a durable set of topics, each with the time when it deserves a look. Never loses a wake-up.

A row is due at ``due``. While it is leased, wake-ups gather in ``again_at`` and ``generation`` counts them, so that
settling knows what the pass cannot have seen. A lease that lapsed, or that a killed process left, is simply due.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, case, delete, func, or_, select, update

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
        self._touch = touching(database.insert(queue))
        self._take = _taking(skip_locked=not database.is_sqlite)

    @whole
    async def add(self, topics: Collection[Topic], at: datetime) -> None:
        """Make topics due at a time, or sooner where they already are."""
        if topics:
            rows = touches({str(topic): at for topic in topics})
            await self._database.write(lambda connection: connection.execute(self._touch, rows))
            self.wake()

    @whole
    async def lease(self, now: datetime) -> Lease | None:
        """Take the topic that is due longest."""
        given = {"now": now, "new_token": secrets.token_hex(16), "until": now + self._lasts}
        while row := await self._database.write(lambda connection: connection.execute(self._take, given).one_or_none()):
            topic = Key.parse(row.topic) or Survey.parse(row.topic)
            if topic is not None:
                return Lease(topic, row.generation, row.token, row.touched_at, row.failures + 1)
            log.warning("unreadable row", kind="Topic", row=row.topic)
            unreadable = partial(Connection.execute, statement=delete(queue).where(queue.c.topic == row.topic))
            await self._database.write(unreadable)
        return None

    @whole
    async def renew(self, lease: Lease, now: datetime) -> bool:
        """Keep a lease for longer; ``False`` if another worker has it."""
        renewed = update(queue).where(_HELD).values(leased_until=now + self._lasts)
        return await self._database.write(lambda connection: connection.execute(renewed, _facts(lease)).rowcount) == 1

    @whole
    async def settle(self, lease: Lease, *, due: datetime | None, failed: bool = False, unserved: bool = False) -> None:
        """See ``Queue.settle``."""
        given_back = _giving_back(by_itself=due is not None, failed=failed, unserved=unserved)

        def work(connection: Connection) -> bool:
            if due is None and connection.execute(_END, _facts(lease)).rowcount:
                return False
            connection.execute(given_back, {**_facts(lease), "planned": due})
            return True

        if await self._database.write(work):
            self.wake()

    @whole
    async def next_due(self) -> datetime | None:
        """Say when the next topic without a lease is due; a lease ends when it lapses."""
        return await self._database.read(lambda connection: connection.scalar(_NEXT_DUE))

    def wake(self) -> None:
        """Wake whoever waits for work in this process."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def wait(self) -> None:
        """Wait until ``wake`` is called or a topic is due."""
        bell = self._bell
        while not bell.is_set():
            # What was added after the caller looked rang a bell that nobody heard, so look once more.
            due = await self.next_due()
            left = (due - datetime.now(UTC)).total_seconds() if due else _LONGEST
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), min(left, _LONGEST if self._database.is_sqlite else _POLL))

    @whole
    async def depth(self, now: datetime) -> int:
        """Count what is due and not leased."""
        query = select(func.count()).where(_FREE)
        return await self._database.read(lambda connection: connection.execute(query, {"now": now}).scalar_one())

    @whole
    async def clear_leases(self) -> None:
        """End every lease: for the one process that may hold any, when it starts."""
        ended = update(queue).values(token=None, leased_until=None, again_at=None)
        await self._database.write(lambda connection: connection.execute(ended))


def touches(topics: Mapping[str, datetime]) -> Sequence[Mapping[str, Any]]:
    """The rows that make topics due at their times; always in the same order, or two transactions could wait."""
    return [
        {"topic": name, "due": at, "touched_at": at, "generation": 1, "failures": 0}
        for name, at in sorted(topics.items())
    ]


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


# --- the statements, each built once: building one anew costs about as much as running it ----------------------------


def _sooner(first: ColumnElement[Any], second: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((first < second, first), else_=second)


def _taking(*, skip_locked: bool) -> Any:  # noqa: ANN401 - SQLAlchemy's type of it is a page long
    """The update that leases what is due longest."""
    longest = select(queue.c.topic).where(_FREE).order_by(queue.c.due, queue.c.topic).limit(1)
    if skip_locked:
        longest = longest.with_for_update(skip_locked=True)
    take = update(queue).where(queue.c.topic == longest.scalar_subquery()).returning(queue)
    return take.values(token=bindparam("new_token"), leased_until=bindparam("until"), again_at=None)


@cache
def _giving_back(*, by_itself: bool, failed: bool, unserved: bool) -> Update:
    """The update that ends a lease, if it is still that lease; ``by_itself``: to be due again as planned."""
    next_due: ColumnElement[Any] = queue.c.again_at
    if by_itself:
        planned = bindparam("planned", type_=queue.c.due.type)
        next_due = case((~_UNTOUCHED, _sooner(queue.c.again_at, planned)), else_=planned)
    return (
        update(queue)
        .where(_HELD)
        .values(
            due=next_due,
            touched_at=queue.c.touched_at if failed or unserved else next_due,
            failures=queue.c.failures + 1 if failed else queue.c.failures if unserved else 0,
            token=None,
            leased_until=None,
            again_at=None,
        )
    )


def _facts(lease: Lease) -> Mapping[str, Any]:
    """What ``_HELD`` and ``_UNTOUCHED`` ask for."""
    return {"held": str(lease.topic), "holder": lease.token, "seen": lease.generation}


_HELD = and_(queue.c.topic == bindparam("held"), queue.c.token == bindparam("holder"))
_UNTOUCHED = queue.c.generation == bindparam("seen")
_END = delete(queue).where(_HELD, _UNTOUCHED)

_NOW = bindparam("now", type_=queue.c.due.type)
_FREE = and_(queue.c.due <= _NOW, or_(queue.c.token.is_(None), queue.c.leased_until <= _NOW))
_NEXT_DUE = select(
    func.min(case((queue.c.token.is_(None), queue.c.due), else_=queue.c.leased_until), type_=queue.c.due.type)
)
