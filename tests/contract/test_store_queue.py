"""What the queue promises about leases: no wake-up is lost, and no topic is held twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from previewbot.adapters.store import open_store
from previewbot.core.ids import Key, Topic
from previewbot.ports import Delivery, Lease, Store

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONE, TWO = Key(11, 1), Key(11, 2)


async def lease_one(store: Store, now: datetime = NOW) -> Lease:
    lease = await store.lease(now)
    assert lease is not None
    return lease


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("due", [None, NOW + 600 * SECOND])
async def test_a_topic_touched_during_its_lease_is_due_at_once(
    any_store: Store, due: datetime | None, failed: bool
) -> None:
    await any_store.add([ONE], NOW)
    lease = await lease_one(any_store)
    await any_store.accept(Delivery("d", "push", NOW + SECOND), [ONE], ())
    await any_store.add([ONE], NOW + 2 * SECOND)
    assert await any_store.lease(NOW + 3 * SECOND) is None
    await any_store.settle(lease, due=due, failed=failed)
    assert await any_store.next_due() == NOW + SECOND
    again = await lease_one(any_store, NOW + SECOND)
    assert again.touched_at == (NOW if failed else NOW + SECOND)
    assert again.generation == lease.generation + 2


async def test_what_a_patient_delivery_touches_is_due_once_its_patience_is_over(any_store: Store) -> None:
    await any_store.accept(Delivery("d", "push", NOW, patience=2 * SECOND), [ONE], ())
    assert await any_store.lease(NOW + SECOND) is None
    await any_store.accept(Delivery("e", "pull_request", NOW + SECOND), [TWO], ())
    assert (await lease_one(any_store, NOW + SECOND)).topic == TWO
    assert (await lease_one(any_store, NOW + 2 * SECOND)).topic == ONE


async def test_a_settled_topic_rests_until_its_time(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    await any_store.settle(await lease_one(any_store), due=NOW + 10 * SECOND)
    assert await any_store.lease(NOW + 9 * SECOND) is None
    assert (await lease_one(any_store, NOW + 10 * SECOND)).touched_at == NOW + 10 * SECOND


async def test_failures_count_until_a_success_and_keep_the_age_of_the_wake_up(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    attempts = []
    for step, failed in enumerate([True, True, False, True]):
        lease = await lease_one(any_store, NOW + step * SECOND)
        attempts.append((lease.attempt, lease.touched_at))
        await any_store.settle(lease, due=NOW + (step + 1) * SECOND, failed=failed)
    assert attempts == [(1, NOW), (2, NOW), (3, NOW), (1, NOW + 3 * SECOND)]


async def test_a_wake_up_cuts_the_pause_after_a_failure_short(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    await any_store.settle(await lease_one(any_store), due=NOW + 600 * SECOND, failed=True)
    await any_store.add([ONE], NOW + SECOND)
    lease = await lease_one(any_store, NOW + SECOND)
    assert (lease.attempt, lease.touched_at) == (2, NOW)


async def test_a_lapsed_lease_passes_on_and_the_late_worker_changes_nothing(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    late = await lease_one(any_store)
    assert await any_store.next_due() == NOW + 60 * SECOND
    assert await any_store.lease(NOW + 59 * SECOND) is None
    assert await any_store.depth(NOW + 59 * SECOND) == 0
    new = await lease_one(any_store, NOW + 60 * SECOND)
    assert new.touched_at == NOW
    assert not await any_store.renew(late, NOW + 60 * SECOND)
    await any_store.settle(late, due=None)
    await any_store.settle(late, due=NOW, failed=True)
    assert await any_store.renew(new, NOW + 61 * SECOND)
    await any_store.settle(new, due=None)
    assert await any_store.next_due() is None


async def test_a_renewed_lease_lasts_longer(any_store: Store) -> None:
    await any_store.add([ONE], NOW)
    lease = await lease_one(any_store)
    assert await any_store.renew(lease, NOW + 50 * SECOND)
    assert await any_store.lease(NOW + 109 * SECOND) is None
    assert (await lease_one(any_store, NOW + 110 * SECOND)).topic == ONE


async def test_workers_at_once_never_hold_the_same_topic_and_no_touch_is_lost(any_store: Store) -> None:
    topics = [Key(11, number) for number in range(1, 9)]
    held: set[Topic] = set()
    touches: Counter[Topic] = Counter()
    seen: Counter[Topic] = Counter()

    async def touch(topic: Key) -> None:
        for _ in range(10):
            touches[topic] += 1
            await any_store.add([topic], NOW)

    async def work() -> None:
        while lease := await any_store.lease(NOW):
            assert lease.topic not in held
            held.add(lease.topic)
            seen[lease.topic] = touches[lease.topic]
            await asyncio.sleep(0.001)
            held.discard(lease.topic)
            await any_store.settle(lease, due=None)

    await any_store.add(topics, NOW)
    async with asyncio.TaskGroup() as group:
        for topic in topics:
            group.create_task(touch(topic))
        for _ in range(8):
            group.create_task(work())
    await work()
    assert seen == touches
    assert await any_store.next_due() is None


async def test_waiting_ends_when_anything_becomes_due(any_store: Store) -> None:
    waiting = asyncio.create_task(any_store.wait())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await any_store.add([ONE], datetime.now(UTC))
    await asyncio.wait_for(waiting, 5)


async def test_waiting_ends_when_its_time_has_come_or_somebody_wakes_it(any_store: Store) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.2)
    await any_store.add([ONE], due)
    await asyncio.wait_for(any_store.wait(), 5)
    assert datetime.now(UTC) >= due
    await any_store.settle(await lease_one(any_store, due), due=due + timedelta(hours=1))
    waiting = asyncio.create_task(any_store.wait())
    await asyncio.sleep(0.05)
    any_store.wake()
    await asyncio.wait_for(waiting, 5)


async def test_what_was_added_before_the_wait_began_is_not_slept_over(any_store: Store) -> None:
    assert await any_store.lease(datetime.now(UTC)) is None
    await any_store.add([ONE], datetime.now(UTC))
    await asyncio.wait_for(any_store.wait(), 5)


@pytest.mark.postgres
async def test_another_process_is_noticed_within_two_seconds(postgres_url: str) -> None:
    async with open_store(postgres_url) as here, open_store(postgres_url) as there:
        waiting = asyncio.create_task(here.wait())
        await asyncio.sleep(0.05)
        await there.add([ONE, TWO], datetime.now(UTC))
        await asyncio.wait_for(waiting, 2)
        now = datetime.now(UTC)
        assert {(await lease_one(here, now)).topic, (await lease_one(there, now)).topic} == {ONE, TWO}
