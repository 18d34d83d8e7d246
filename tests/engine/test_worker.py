"""The worker: as many passes at once as it may, and not one look at the queue more than it needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from previewbot.adapters.local import SystemClock
from previewbot.core.ids import Key
from previewbot.engine.turns import Turns
from previewbot.engine.worker import Work, Worker
from previewbot.ports import Lease, Queue, Store
from previewbot.telemetry import Metrics

KEYS = [Key(7, number) for number in range(1, 6)]


@dataclass
class Counted:
    """A queue that counts how often it is asked for work."""

    queue: Queue
    asked: int = 0

    async def lease(self, now: datetime) -> Lease | None:
        self.asked += 1
        return await self.queue.lease(now)

    def __getattr__(self, name: str) -> object:
        return getattr(self.queue, name)


@dataclass
class Passes:
    """Passes that last until they are let go."""

    under_way: set[object] = field(default_factory=set)
    done: list[object] = field(default_factory=list)
    most: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def reconcile(self, lease: Lease) -> timedelta | None:
        self.under_way.add(lease.topic)
        self.most = max(self.most, len(self.under_way))
        await self.go.wait()
        self.under_way.discard(lease.topic)
        self.done.append(lease.topic)
        return None

    async def trouble(self, lease: Lease, error: Exception) -> None:
        raise error


@asynccontextmanager
async def working(queue: Counted, passes: Passes, at_once: int) -> AsyncIterator[None]:
    work = Work(passes.reconcile, passes.reconcile, passes.trouble)
    running = asyncio.create_task(Worker(queue, SystemClock(), work, Metrics(), Turns(at_once)).run())  # type: ignore[arg-type]
    yield
    running.cancel()
    await asyncio.wait([running])


async def until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def test_no_more_passes_than_allowed_are_under_way_and_every_topic_has_its_own(store: Store) -> None:
    passes = Passes()
    async with working(Counted(store), passes, at_once=2):
        await store.add(KEYS, SystemClock().now())
        await until(lambda: len(passes.under_way) == 2)
        passes.go.set()
        await until(lambda: len(passes.done) == len(KEYS))
    assert passes.most == 2
    assert set(passes.done) == set(KEYS)


async def test_one_wake_up_is_one_look_at_the_queue_however_many_could_work(store: Store) -> None:
    passes, queue = Passes(), Counted(store)
    passes.go.set()
    async with working(queue, passes, at_once=8):
        await until(lambda: queue.asked == 1)
        await store.add(KEYS[:1], SystemClock().now())
        await until(lambda: passes.done)
        await asyncio.sleep(0.1)
    # The idle look, the topic, that nothing else is due, and once more after it was settled.
    assert queue.asked <= 4


@dataclass
class Poisoned(Passes):
    """Passes of which one always fails, and cannot even be told so."""

    tried: int = 0

    async def reconcile(self, lease: Lease) -> timedelta | None:
        if lease.topic == KEYS[0]:
            self.tried += 1
            raise ZeroDivisionError
        return await super().reconcile(lease)

    async def trouble(self, lease: Lease, error: Exception) -> None:
        raise RuntimeError("nor can this be told") from error


async def test_one_topic_that_always_fails_ends_neither_the_worker_nor_the_others(store: Store) -> None:
    passes = Poisoned()
    passes.go.set()
    async with working(Counted(store), passes, at_once=2):
        await store.add(KEYS[:1], SystemClock().now())
        await until(lambda: passes.tried >= 2)
        await store.add(KEYS, SystemClock().now())
        await until(lambda: len(passes.done) == len(KEYS) - 1)


@dataclass
class Forgetful(Counted):
    """A queue that has a bug where leases are given back."""

    async def settle(self, lease: Lease, **how: object) -> None:
        if lease.topic == KEYS[0]:
            raise ZeroDivisionError
        await self.queue.settle(lease, **how)  # type: ignore[arg-type]


async def test_a_lease_that_cannot_be_given_back_does_not_end_the_worker(store: Store) -> None:
    passes = Passes()
    passes.go.set()
    async with working(Forgetful(store), passes, at_once=1):
        await store.add(KEYS, SystemClock().now())
        await until(lambda: len(passes.done) >= len(KEYS))
