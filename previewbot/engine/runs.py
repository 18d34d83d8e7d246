"""What ran of an environment's jobs and timetables and what that said: looked up when somebody asks, never kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Observed, ReleaseRecord, Run
from previewbot.core.situation import held, serving
from previewbot.engine import output
from previewbot.engine.world import World

_MOST = 1000
"""Lines of one run, and runs of one environment, that are shown."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of the release that serves."""

    world: World

    async def newest(self, key: Key) -> Sequence[Run]:
        """List those that are still there, by service, the newest first; none where the runtime cannot be asked."""
        try:
            observed, releases = await self._look(key)
        except (Transient, Refused):
            return ()
        running = serving(releases, observed)
        found = sorted(running.runs if running else (), key=lambda each: each.name, reverse=True)
        return sorted(found, key=lambda each: each.service)[:_MOST]

    async def said(self, key: Key, service: str, name: str) -> Sequence[str] | None:
        """The last lines of one run without any secret; ``None`` where there is no such run."""
        observed, releases = await self._look(key)
        running = serving(releases, observed)
        if running is None or not any((each.service, each.name) == (service, name) for each in running.runs):
            return None
        lines = await self.world.runtime.tail(key, running.revision, service, lines=_MOST, run=name)
        record = await self.world.store.load(key)
        hidden = held(record.app or "", releases, observed, key)
        return (await output.hide(self.world.secrets, hidden, {service: lines}))[service]

    async def _look(self, key: Key) -> tuple[Observed, Sequence[ReleaseRecord]]:
        return await asyncio.gather(self.world.runtime.observe(key), self.world.store.releases(key))
