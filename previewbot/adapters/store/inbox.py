"""The inbox: an accepted delivery is on disk. Deliveries that arrive together share one commit, so a storm is cheap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from previewbot.adapters.store.batches import EngineWriter, Parcel, Writer
from previewbot.adapters.store.codec import clean
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.direct import DirectWriter
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery

_AT_ONCE = 256
"""Deliveries of one commit at most: no caller waits for a longer one."""


@dataclass(frozen=True, slots=True)
class _Entry:
    parcel: Parcel
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
        self._disk: Writer = DirectWriter(database) if database.is_sqlite else EngineWriter(database)
        self._wake = wake
        self._entries: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None

    async def accept(self, delivery: Delivery, topics: Collection[Topic], asks: Collection[Ask]) -> bool:
        """Put a delivery, its asks and its due topics on disk, all or nothing; ``False`` if it was there already."""
        parcel = Parcel(clean(delivery.id), delivery, tuple(topics), tuple(asks))
        entry = _Entry(parcel, asyncio.get_running_loop().create_future())
        self._entries.append(entry)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await entry.told

    async def close(self) -> None:
        """Wait until everything that was handed in is on disk."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._entries:
            batch, self._entries = self._entries[:_AT_ONCE], self._entries[_AT_ONCE:]
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Entry]) -> None:
        """Write a batch and tell its callers; never raises, or callers would wait for ever."""
        first: dict[str, _Entry] = {}
        for entry in batch:
            first.setdefault(entry.parcel.name, entry)
        try:
            new = await self._disk.write([entry.parcel for entry in first.values()])
        except (Transient, Refused) as error:
            for entry in batch:
                entry.tell(error)
        except Exception as bug:  # noqa: BLE001 - told to the caller whose delivery it is
            await self._single_out(batch, bug)
        else:
            if new:
                self._wake()
            for entry in batch:
                name = entry.parcel.name
                entry.tell(name in new and first[name] is entry)

    async def _single_out(self, batch: Sequence[_Entry], bug: Exception) -> None:
        """Find the delivery that cannot be stored: the others of its batch must not suffer."""
        if len(batch) == 1:
            batch[0].tell(bug)
            return
        for entry in batch:
            await self._commit([entry])
