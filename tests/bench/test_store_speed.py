"""How fast the inbox puts deliveries on disk."""

from __future__ import annotations

import asyncio
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

    async def call() -> None:
        for number in numbers:
            delivery = Delivery(f"delivery-{number}", "pull_request", datetime.now(UTC))
            assert await store.accept(delivery, [Key(7, 1 + number % 500)], ())

    start = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(_CALLERS)))
    speed = _DELIVERIES / (time.perf_counter() - start)
    print(f"{speed:.0f} deliveries a second")
    assert speed >= 4000
