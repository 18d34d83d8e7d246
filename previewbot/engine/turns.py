"""How many passes work at once. One that only waits lets another one work meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """So many turns, for all passes of one process."""

    def __init__(self, at_once: int = 8) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def take(self) -> None:
        """Wait for a turn."""
        await self._free.acquire()

    def give_back(self) -> None:
        """End a turn."""
        self._free.release()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Let another pass have the caller's turn for as long as the context lasts, and wait for one after it."""
        self.give_back()
        try:
            yield
        finally:
            await self.take()
