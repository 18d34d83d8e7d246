"""Running cron services: once a minute, a look at what serves. It asks GitHub nothing, and keeps nothing on disk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import State
from previewbot.core.situation import serving
from previewbot.core.timetable import MINUTE, Turn, minute_of, turns, until_next
from previewbot.engine.shelter import sheltered
from previewbot.engine.world import World

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clockwork:
    """What begins the runs of cron services; any number of previewbots may have one."""

    world: World
    missed: dict[Key, datetime] = field(default_factory=dict)
    """The environments that could not be looked at, and since which minute."""

    async def run(self) -> None:
        """Strike every minute until cancelled; what one could not do, the next makes up."""
        struck = minute_of(self.world.clock.now())
        while True:
            await asyncio.sleep(until_next(self.world.clock.now()).total_seconds())
            now = self.world.clock.now()
            with sheltered("timetable"):
                await self.strike(now, since=struck)
                struck = minute_of(now)

    async def strike(self, now: datetime, since: datetime | None = None) -> None:
        """Begin everything whose minute this is, or was since the minute of the last strike."""
        minute = minute_of(now)
        ready = [each.key for each in await self.world.store.records() if each.status and each.status.state in _ALIVE]
        await asyncio.gather(*(self._look(key, minute, since or minute - MINUTE) for key in ready))

    async def _look(self, key: Key, minute: datetime, since: datetime) -> None:
        since = self.missed.pop(key, since)
        try:
            observed, releases = await asyncio.gather(self.world.runtime.observe(key), self.world.store.releases(key))
            running = serving(releases, observed)
            for turn in turns(running, minute, since) if running else ():
                await self._take(key, running.revision if running else "", turn)
        except (Transient, Refused) as error:
            self.missed[key] = since
            log.warning("timetable put off", env=str(key), why=str(error))
        except Exception:  # a bug must cost the runs of this environment alone
            log.exception("bug", env=str(key))

    async def _take(self, key: Key, revision: str, turn: Turn) -> None:
        for each in turn.end:
            await self.world.runtime.end_run(key, revision, turn.service, each)
        if turn.begin:
            log.info("run", env=str(key), service=turn.service, run=turn.begin)
            await self.world.runtime.run(key, revision, turn.service, turn.begin)


_ALIVE = (State.READY, State.BUILDING, State.STARTING, State.FAILED)
"""States in which a release may serve."""
