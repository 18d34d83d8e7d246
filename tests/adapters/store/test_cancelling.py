"""Callers that go away in the middle: the store stays whole and usable."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from previewbot.core.ids import Key
from previewbot.ports import Delivery, Store

NOW = datetime(2031, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 13, 21])
async def test_a_cancelled_pass_leaves_no_lock_and_no_half_of_a_write(any_store: Store, ticks: int) -> None:
    topics = [Key(1, number + 1) for number in range(50)]
    adding = asyncio.create_task(any_store.add(topics, NOW))
    for _ in range(ticks):
        await asyncio.sleep(0.0003)
    adding.cancel()
    await asyncio.wait([adding])
    assert await any_store.depth(NOW) in {0, 50}
    await asyncio.wait_for(any_store.add(topics, NOW), 5)
    assert await any_store.depth(NOW) == 50


async def test_a_caller_that_hangs_up_takes_no_other_delivery_with_it(any_store: Store) -> None:
    calls = [
        asyncio.create_task(any_store.accept(Delivery(f"d{number}", "x", NOW), [Key(1, number + 1)], ()))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    await asyncio.wait(calls)
    assert all(call.result() for call in calls[1::2])
    assert not await any_store.accept(Delivery("d1", "x", NOW), (), ())
    assert await any_store.depth(NOW) >= 10
