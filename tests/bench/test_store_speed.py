"""How fast the inbox puts deliveries on disk."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime

import pytest

from previewbot.core.ids import Key
from previewbot.ports import Delivery, Store

_DELIVERIES = 8000
_CALLERS = 64


@pytest.mark.bench
async def test_the_inbox_puts_four_thousand_deliveries_a_second_on_disk(store: Store) -> None:
    assert "synchronous=FULL" in await store.check()
    numbers = iter(range(_DELIVERIES))
    took: list[float] = []

    async def call() -> None:
        for number in numbers:
            delivery = Delivery(f"delivery-{number}", "pull_request", datetime.now(UTC))
            began = time.perf_counter()
            assert await store.accept(delivery, [Key(7, 1 + number % 500)], ())
            took.append(time.perf_counter() - began)

    start = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(_CALLERS)))
    speed = _DELIVERIES / (time.perf_counter() - start)
    median, worst = statistics.median(took) * 1000, statistics.quantiles(took, n=100)[98] * 1000
    print(f"{speed:.0f} deliveries a second; p50 {median:.1f} ms, p99 {worst:.1f} ms")
    assert speed >= 4000
