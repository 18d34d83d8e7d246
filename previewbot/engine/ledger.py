"""The record of one environment while a pass works on it and tells of it at once: one value, and one place that writes.

What GitHub shows belongs to those who tell; all the rest belongs to the pass.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from previewbot.core.model import Deployment, Published, Record
from previewbot.ports import Records


class Ledger:
    """A record that two may change, each their own part."""

    def __init__(self, store: Records, record: Record) -> None:
        self.record = record
        self._store = store
        self._written: Record | None = None
        self._turn = asyncio.Lock()

    def advance(self, record: Record) -> None:
        """Take over what a pass did; what was told meanwhile stays."""
        now = self.record
        self.record = replace(record, comment=now.comment, deployment=now.deployment, superseded=now.superseded)

    def tell(self, comment: Published | None, deployment: Deployment | None, superseded: tuple[int, ...]) -> None:
        """Take over what GitHub shows now."""
        self.record = replace(self.record, comment=comment, deployment=deployment, superseded=superseded)

    async def write(self) -> None:
        """Put the record on disk as it is now, unless it is there already."""
        async with self._turn:
            writing = self.record
            if writing != self._written:
                await self._store.save(writing)
                self._written = writing
