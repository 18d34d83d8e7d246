"""The queue beside a toy of it, in any order of calls: what is due, who holds it, and which wake-up nobody served."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from previewbot.core.ids import Key
from previewbot.ports import Delivery, Lease, Store

START = datetime(2031, 5, 4, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = 60 * SECOND
TOPICS = [Key(11, number) for number in (1, 2, 3)]


def seeds(number: int) -> list[Any]:
    """Where walks begin; two of them are for every day."""
    return [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, number))]


@dataclass
class Topic:
    """What a topic must be by the words of the port."""

    due: datetime | None = None
    unserved: list[datetime] = field(default_factory=list)
    """Wake-ups that no pass has begun to serve; a planned look is one, too."""
    serving: list[datetime] = field(default_factory=list)
    """Wake-ups that the lease serves."""
    failures: int = 0
    lease: Lease | None = None
    until: datetime = START

    def touch(self, at: datetime) -> None:
        self.unserved.append(at)
        if self.lease is None:
            self.due = at if self.due is None else min(self.due, at)

    def free_at(self) -> datetime | None:
        return self.until if self.lease else self.due

    def take(self, lease: Lease, now: datetime) -> None:
        assert lease.attempt == self.failures + 1
        self.serving, self.unserved = [*self.serving, *self.unserved], []
        assert lease.touched_at == min(self.serving)
        self.lease, self.until = lease, now + LEASE

    def settle(self, due: datetime | None, *, failed: bool, unserved: bool) -> None:
        if due:
            self.unserved.append(due)
        self.due = min(self.unserved, default=None)
        if failed or not (unserved and self.due):
            self.failures = self.failures + 1 if failed and self.due else 0
        if (failed or unserved) and self.due:
            self.unserved += self.serving
        self.serving, self.lease = [], None


class Walk:
    """One random walk: every call goes to the store and to the toy, and both must say the same."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)  # noqa: S311 - a walk that can be walked again
        self.now = START
        self.toy = {key: Topic() for key in TOPICS}
        self.stale: list[Lease] = []
        self.deliveries = 0

    async def step(self) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [
            self.add, self.accept, self.lease, self.lease, self.settle, self.settle, self.renew, self.late, self.later,
        ]  # fmt: skip
        await self.random.choice(steps)()
        assert await self.store.next_due() == min(
            (at for at in map(Topic.free_at, self.toy.values()) if at), default=None
        )
        assert await self.store.depth(self.now) == len(self.free())

    def free(self) -> list[Key]:
        return [key for key, topic in self.toy.items() if (at := topic.free_at()) and at <= self.now]

    def held(self) -> list[Topic]:
        return [topic for topic in self.toy.values() if topic.lease]

    async def later(self) -> None:
        self.now += self.random.choice([1, 5, 40, 61]) * SECOND

    async def add(self) -> None:
        at = self.now + self.random.choice([0, 0, 7, 70]) * SECOND
        chosen = self.random.sample(TOPICS, self.random.randint(1, 2))
        await self.store.add(chosen, at)
        for key in chosen:
            self.toy[key].touch(at)

    async def accept(self) -> None:
        key = self.random.choice(TOPICS)
        is_new = self.deliveries == 0 or self.random.random() < 0.8
        self.deliveries += is_new
        assert await self.store.accept(Delivery(f"d{self.deliveries}", "push", self.now), [key], ()) is is_new
        if is_new:
            self.toy[key].touch(self.now)

    async def lease(self) -> None:
        lease = await self.store.lease(self.now)
        assert (lease is not None) is bool(self.free())
        if lease is None:
            return
        assert isinstance(lease.topic, Key)
        assert lease.topic in self.free()
        topic = self.toy[lease.topic]
        if topic.lease:
            self.stale.append(topic.lease)
        topic.take(lease, self.now)

    async def settle(self) -> None:
        if held := self.held():
            topic = self.random.choice(held)
            due = self.random.choice([None, self.now, self.now + 30 * SECOND])
            failed, unserved = self.random.choice([(True, False), (False, True), (False, False), (False, False)])
            assert topic.lease
            await self.store.settle(topic.lease, due=due, failed=failed, unserved=unserved)
            self.stale.append(topic.lease)
            topic.settle(due, failed=failed, unserved=unserved)

    async def renew(self) -> None:
        if held := self.held():
            topic = self.random.choice(held)
            assert topic.lease
            assert await self.store.renew(topic.lease, self.now)
            topic.until = self.now + LEASE

    async def late(self) -> None:
        """A worker that lost its lease comes back: nothing of what it says counts."""
        if self.stale:
            lease = self.random.choice(self.stale)
            assert not await self.store.renew(lease, self.now)
            await self.store.settle(lease, due=self.random.choice([None, self.now]), failed=True)


@pytest.mark.parametrize("seed", seeds(6))
async def test_the_queue_does_what_its_words_say_in_any_order_of_calls(any_store: Store, seed: int) -> None:
    walk = Walk(any_store, seed)
    for _ in range(150):
        await walk.step()


@pytest.mark.parametrize("seed", seeds(4))
async def test_every_wake_up_is_served_by_a_lease_that_began_after_it(any_store: Store, seed: int) -> None:
    """Touches, leases, failures and settlements at once: the last pass of each topic began after its last touch."""
    chance = random.Random(seed)  # noqa: S311 - a walk that can be walked again
    touched = dict.fromkeys(TOPICS, 0)
    seen = dict.fromkeys(TOPICS, 0)
    held: set[Key] = set()

    async def touch(lane: int) -> None:
        for number in range(25):
            key = chance.choice(TOPICS)
            mine = touched[key] + 1
            if lane % 2:
                await any_store.accept(Delivery(f"d{lane}-{number}", "push", START), [key], ())
            else:
                await any_store.add([key], START)
            touched[key] = max(mine, touched[key])
            await asyncio.sleep(chance.random() / 500)

    async def work() -> None:
        while lease := await any_store.lease(START):
            assert isinstance(lease.topic, Key)
            assert lease.topic not in held
            held.add(lease.topic)
            seen[lease.topic] = touched[lease.topic]
            await asyncio.sleep(chance.random() / 500)
            held.discard(lease.topic)
            failed = chance.random() < 0.3
            await any_store.settle(lease, due=START if failed else None, failed=failed)

    async with asyncio.TaskGroup() as group:
        touching = [group.create_task(touch(lane)) for lane in range(4)]
        while not all(each.done() for each in touching):
            await asyncio.gather(work(), work(), work())
            await asyncio.sleep(0.001)
    await work()
    assert seen == touched
    assert await any_store.next_due() is None
