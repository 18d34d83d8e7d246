"""The inbox: an accepted delivery is on disk. Deliveries that arrive together share one commit, so a storm is cheap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from previewbot.adapters.store.codec import clean
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.queue import touch
from previewbot.adapters.store.tables import asks as asks_table
from previewbot.adapters.store.tables import deliveries
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery

_AT_ONCE = 256
"""Deliveries of one commit at most: no caller waits for a longer one."""


@dataclass(frozen=True, slots=True)
class _Entry:
    delivery: Delivery
    topics: tuple[Topic, ...]
    asks: tuple[Ask, ...]
    told: asyncio.Future[bool]

    def tell(self, outcome: bool | Exception) -> None:
        """Answer the caller, unless it went away."""
        if self.told.done():
            return
        if isinstance(outcome, Exception):
            self.told.set_exception(outcome)
        else:
            self.told.set_result(outcome)


class SqlInbox:
    """The door's side of the store."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._entries: list[_Entry] = []
        self._writer: asyncio.Task[None] | None = None

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        """Put a delivery, its asks and its due topics on disk, all or nothing; ``False`` if it was there already."""
        entry = _Entry(delivery, tuple(topics), tuple(asks), asyncio.get_running_loop().create_future())
        self._entries.append(entry)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await entry.told

    async def close(self) -> None:
        """Wait until everything that was handed in is on disk."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._entries:
            batch, self._entries = self._entries[:_AT_ONCE], self._entries[_AT_ONCE:]
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Entry]) -> None:
        """Write a batch and tell its callers; never raises, or callers would wait for ever."""
        try:
            async with self._database.writing() as connection:
                new = await self._insert(connection, batch)
        except (Transient, Refused) as error:
            for entry in batch:
                entry.tell(error)
        except Exception as bug:  # noqa: BLE001 - told to the caller whose delivery it is
            await self._single_out(batch, bug)
        else:
            if new:
                self._wake()
            for entry in batch:
                entry.tell(id(entry) in new)

    async def _single_out(self, batch: Sequence[_Entry], bug: Exception) -> None:
        """Find the delivery that cannot be stored: the others of its batch must not suffer."""
        if len(batch) == 1:
            batch[0].tell(bug)
            return
        for entry in batch:
            await self._commit([entry])

    async def _insert(self, connection: AsyncConnection, batch: Sequence[_Entry]) -> set[int]:
        """Insert what is new of a batch, and say which entries were."""
        first: dict[str, _Entry] = {}
        for entry in batch:
            first.setdefault(clean(entry.delivery.id), entry)
        insert = self._database.insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.id)
        rows = [_row(name, first[name].delivery) for name in sorted(first)]
        stored = [first[name] for name in (await connection.execute(insert, rows)).scalars()]
        asked = {ask.id: ask for entry in stored for ask in entry.asks}
        if asked:
            ignoring = self._database.insert(asks_table).on_conflict_do_nothing()
            await connection.execute(ignoring, [_ask_row(asked[number]) for number in sorted(asked)])
        await touch(self._database, connection, _due(stored))
        return {id(entry) for entry in stored}


def _row(name: str, delivery: Delivery) -> dict[str, object]:
    return {"id": name, "event": clean(delivery.event), "received_at": delivery.received_at}


def _ask_row(ask: Ask) -> dict[str, object]:
    texts = {"login": clean(ask.login), "command": ask.command.value, "state": ask.state.value}
    return {"id": ask.id, "key": str(ask.key), **texts}


def _due(entries: Sequence[_Entry]) -> dict[str, datetime]:
    """Every topic of the entries, and when the first delivery that touches it came."""
    due: dict[str, datetime] = {}
    for entry in entries:
        for topic in entry.topics:
            at = entry.delivery.received_at
            due[str(topic)] = min(due.get(str(topic), at), at)
    return due
