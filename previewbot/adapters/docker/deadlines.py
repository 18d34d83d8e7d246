"""Ending what is to run to its end and takes too long. The engine itself knows no such limit.

A deadline is set whenever such a container is seen to run, so it also holds for what ran before this process did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime

from previewbot.adapters.docker.facts import Facts
from previewbot.adapters.docker.labels import LAID
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key

_MARGIN = 0.1
"""Seconds on top, so that what was ended shows a full time whatever the clocks say."""
_PAUSE = 5.0
"""Seconds until an engine that would not end something is asked again."""

End = Callable[[str], Awaitable[object]]


class Deadlines:
    """The deadlines of all containers of an instance, by environment; ``end`` stops one and leaves its output."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._tasks: dict[Key, dict[str, asyncio.Task[None]]] = {}

    def watch(self, key: Key, facts: Facts) -> None:
        """Give a container its deadline, if it has one and none was set yet."""
        own = self._tasks.setdefault(key, {})
        if facts.is_job and facts.is_alive and LAID not in facts.labels and facts.id not in own:
            own[facts.id] = asyncio.create_task(self._wait(facts))

    async def _wait(self, facts: Facts) -> None:
        await asyncio.sleep(max(0, facts.limit - facts.running_seconds(datetime.now(UTC))) + _MARGIN)
        while True:
            try:
                await self._end(facts.id)
            except (Transient, Refused):
                await asyncio.sleep(_PAUSE)
            else:
                return

    def keep_only(self, key: Key, ids: Collection[str]) -> None:
        """Forget the deadlines of an environment's containers that are not among these."""
        own = self._tasks.get(key, {})
        for each in own.keys() - set(ids):
            own.pop(each).cancel()
        if not own:
            self._tasks.pop(key, None)

    def close(self) -> None:
        """Forget them all; what runs goes on running."""
        for key in list(self._tasks):
            self.keep_only(key, ())
