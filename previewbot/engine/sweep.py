"""Looking for what no event told: missed closings, orphans, failed deliveries, and what is kept too long.

A sweep acts on nothing by itself. It compares listings, which are cheap, and makes the topics due that deserve a
look; what comes then are the same seven hops as for any event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from previewbot.core.errors import Refused
from previewbot.core.ids import Key, Survey, Topic
from previewbot.core.model import Record, State
from previewbot.engine import vault
from previewbot.engine.bells import Bells
from previewbot.engine.shelter import sheltered
from previewbot.engine.world import Policy, World
from previewbot.ports import PullSummary, Repair

log = structlog.get_logger(__name__)

_MARGIN = timedelta(minutes=10)
"""How far two looks at GitHub's list of deliveries overlap."""
_KEPT = timedelta(days=3)
"""How far back GitHub can still send a delivery again."""
_RESTED = 10
"""A repository without a living preview is surveyed by one sweep in so many: each survey is a request to GitHub."""


@dataclass(slots=True)
class Sweeper:
    """What repeats every few minutes, and once at the start."""

    world: World
    policy: Policy
    every: timedelta = timedelta(minutes=3)
    prune_logs: Callable[[datetime, timedelta], int] = lambda _now, _keep: 0
    """Deletes the logs of builds that are older than a length of time."""
    asked_again: set[str] = field(default_factory=set)
    """Deliveries that GitHub was asked to send again already."""
    looked_at: datetime | None = None
    """When GitHub's list of deliveries was last looked at."""
    sweeps: int = 0
    """How many were done."""
    departed: set[int] = field(default_factory=set)
    """Repositories that were looked at since they are not installed any more."""
    refusal: str | None = None
    """Why images cannot be deleted, as it was told."""

    async def run(self) -> None:
        """Sweep until cancelled."""
        with sheltered("last_delivery"):
            self.looked_at = self._looked_at(await self.world.store.last_delivery())
        await self._each(self._touch_known)
        while True:
            await self.sweep()
            await asyncio.sleep(self.every.total_seconds())

    async def sweep(self) -> None:
        """Do all parts of one sweep; one that fails is tried again by the next sweep."""
        parts = (self._survey_all, self._touch_orphans, self._touch_secrets, self._redeliver)
        for part in (*parts, self._discard_images, self._forget):
            await self._each(part)

    async def _each(self, part: Callable[[], Awaitable[None]]) -> None:
        with sheltered(getattr(part, "__name__", "")):
            await part()

    async def _touch_known(self) -> None:
        """Look once at everything alive: its drift while previewbot was down told nobody."""
        await self._add({each.key for each in await self.world.store.records() if _is_alive(each)})

    async def _survey_all(self) -> None:
        """Survey what may have news: every repository now and then, those with living previews each time."""
        installed = {each.id for each in await self.world.hub.repositories()}
        records = await self.world.store.records()
        alive = {each.key.repository for each in records if _is_alive(each)}
        waking = {each for each in installed if not self.sweeps or (each + self.sweeps) % _RESTED == 0}
        departed = {each.key.repository for each in records} - installed - self.departed
        await self._add({Survey(repository) for repository in alive | waking | departed})
        self.departed = (self.departed | departed) - installed
        self.sweeps += 1

    async def _touch_orphans(self) -> None:
        """Look at everything that runs but that no living record tells of."""
        await self._take_in(await self.world.runtime.keys() | await self.world.front_door.keys())

    async def _touch_secrets(self) -> None:
        """Look at everything for which secrets, or anything in a cloud, are kept though no living record tells of it.

        A list of these may be old, and name what is gone: then there is nothing to do.
        """
        await self._take_in(await vault.kept(self.world))

    async def _take_in(self, found: Collection[Key]) -> None:
        alive = {each.key for each in await self.world.store.records() if _is_alive(each)}
        orphans = set(found) - alive
        if orphans:
            log.info("orphans", count=len(orphans))
            self.world.meter.repaired(Repair.ORPHAN, len(orphans))
        await self._add(orphans)

    async def _redeliver(self) -> None:
        now = self.world.clock.now()
        since = (self.looked_at or self._looked_at(None)) - _MARGIN
        for delivery in await self.world.hub.failed_deliveries(since):
            if delivery.guid not in self.asked_again:
                await self.world.hub.redeliver(delivery)
                self.asked_again.add(delivery.guid)
                log.info("asked for delivery again", delivery=delivery.guid)
                self.world.meter.repaired(Repair.DELIVERY)
        self.looked_at = now

    def _looked_at(self, last_delivery: datetime | None) -> datetime:
        """Since when deliveries may have failed unnoticed: while previewbot was down, none came in."""
        now = self.world.clock.now()
        return max(min(last_delivery or now, now - timedelta(hours=1)), now - _KEPT)

    async def _discard_images(self) -> None:
        """Delete images that nothing uses and nobody wanted for long."""
        before = self.world.clock.now() - self.policy.keep_images
        stale = set(await self.world.store.unused_images(before))
        may_delete, images = True, await self.world.builder.images()
        await self._adopt({each.image for each in images})
        for image in images:
            if image.image in stale:
                may_delete = may_delete and (image.in_use or await self._discard(image.image))
                if image.in_use or not may_delete:
                    stale.remove(image.image)
        # Also those that are gone already: whoever deleted them told nobody.
        await self.world.store.forget_images(stale, before)

    async def _adopt(self, images: Collection[str]) -> None:
        """Begin to keep images that nothing is remembered of, such as those of a database that was lost."""
        now = self.world.clock.now()
        unknown = set(images) - set(await self.world.store.unused_images(now + timedelta(days=1)))
        await self.world.store.use_images(unknown, now)

    async def _discard(self, image: str) -> bool:
        """Delete an image; where the world refuses deletions, that is told once, and tried again by each sweep."""
        try:
            await self.world.builder.discard(image)
        except Refused as refused:
            if refused.message != self.refusal:
                log.warning("images kept", why=refused.message)
            self.refusal = refused.message
            return False
        self.refusal = None
        log.info("image discarded", image=image)
        return True

    async def _forget(self) -> None:
        """Forget environments that are long gone, with the logs of their builds."""
        before = self.world.clock.now() - self.policy.keep_history
        await self.world.store.prune(before)
        await asyncio.to_thread(self.prune_logs, self.world.clock.now(), self.policy.keep_history)
        for record in await self.world.store.records():
            if record.status and record.status.state is State.GONE and record.status.since < before:
                await self.world.store.release_hosts(record.key)
                await self.world.store.forget(record.key)

    async def _add(self, topics: Collection[Topic]) -> None:
        if topics:
            await self.world.store.add(topics, self.world.clock.now())


def _is_alive(record: Record) -> bool:
    return record.status is None or record.status.state is not State.GONE


async def survey(world: World, repository_id: int, bells: Bells) -> Collection[Key]:
    """Compare a repository's open pull requests with what is remembered; returns the keys that deserve a look.

    What a pass is just bringing up is no news.
    """
    repository = await world.hub.repository(repository_id)
    records = {each.key: each for each in await world.store.records(repository_id)}
    alive = {key for key, each in records.items() if _is_alive(each)}
    if repository is None:
        # Private code does not stay here for longer than previewbot may read it there.
        await world.source.forget(repository_id)
        return alive
    pulls = await world.hub.open_pulls(repository)
    closed = alive - {each.key for each in pulls}
    if closed:
        log.info("closings found", count=len(closed))
    found = (each for each in pulls if _is_news(each, records.get(each.key)))
    news = {each.key for each in found if not bells.is_bringing_up(each.key, each.head_commit)}
    world.meter.repaired(Repair.CLOSING, len(closed))
    world.meter.repaired(Repair.COMMIT, len(news))
    return closed | news


def _is_news(pull: PullSummary, record: Record | None) -> bool:
    return record is None or not _is_alive(record) or record.commit != pull.head_commit


async def watch(world: World, bells: Bells, *, pause: timedelta = timedelta(seconds=2)) -> None:
    """Wake an environment whenever the runtime shows that something of it changed, until cancelled."""
    while True:
        with sheltered("changes"):
            async for key in world.runtime.changes():
                if not bells.ring(key):
                    await world.store.add([key], world.clock.now())
        # What changed while nobody watched is found by looking at everything that lives.
        await asyncio.sleep(pause.total_seconds())
        with sheltered("changes"):
            alive = [each.key for each in await world.store.records() if _is_alive(each)]
            await world.store.add(alive, world.clock.now())
