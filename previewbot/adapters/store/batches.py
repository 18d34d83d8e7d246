"""A batch of deliveries on its way to disk: all of it in one transaction, what was there already left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from previewbot.adapters.store.codec import clean
from previewbot.adapters.store.database import Database
from previewbot.adapters.store.queue import touches, touching
from previewbot.adapters.store.tables import asks, deliveries, queue
from previewbot.core.ids import Topic
from previewbot.core.model import Ask
from previewbot.ports import Delivery


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery and everything that it puts on disk."""

    name: str
    """The delivery's id as a database can hold it."""
    delivery: Delivery
    topics: tuple[Topic, ...]
    asks: tuple[Ask, ...]


class Writer(Protocol):
    """What puts batches on disk."""

    async def write(self, batch: Sequence[Parcel]) -> frozenset[str]:
        """Put what is new of a batch on disk, all or nothing; returns the names of the new.

        No two parcels of a batch have the same name.
        """


class EngineWriter:
    """The way through the engine, for every database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._touch = touching(database.insert(queue))

    async def write(self, batch: Sequence[Parcel]) -> frozenset[str]:
        """Put what is new of a batch on disk; always in the same order, or two processes could wait for each other."""
        parcels = {parcel.name: parcel for parcel in sorted(batch, key=lambda each: each.name)}
        insert = self._database.insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.id)
        rows = [
            {"id": name, "event": clean(each.delivery.event), "received_at": each.delivery.received_at}
            for name, each in parcels.items()
        ]

        def work(connection: Connection) -> frozenset[str]:
            new = [parcels[name] for name in connection.execute(insert, rows).scalars()]
            asked = ask_rows(new)
            if asked:
                connection.execute(self._database.insert(asks).on_conflict_do_nothing(), asked)
            touched = touches(due(new))
            if touched:
                connection.execute(self._touch, touched)
            return frozenset(parcel.name for parcel in new)

        return await self._database.write(work)


def ask_rows(parcels: Iterable[Parcel]) -> Sequence[Mapping[str, str | int]]:
    """The rows of everything that was asked, by the comment's number."""
    asked = {ask.id: ask for parcel in parcels for ask in parcel.asks}
    return [_ask_row(ask) for _, ask in sorted(asked.items())]


def _ask_row(ask: Ask) -> Mapping[str, str | int]:
    texts = {"login": clean(ask.login), "argument": clean(ask.argument)}
    return {"id": ask.id, "key": str(ask.key), "command": ask.command.value, "state": ask.state.value, **texts}


def due(parcels: Iterable[Parcel]) -> dict[str, datetime]:
    """Every topic of the parcels, and when the first of the deliveries that touch it wants it to be looked at."""
    times: dict[str, datetime] = {}
    for parcel in parcels:
        for topic in parcel.topics:
            at = parcel.delivery.received_at + parcel.delivery.patience
            times[str(topic)] = min(times.get(str(topic), at), at)
    return times
