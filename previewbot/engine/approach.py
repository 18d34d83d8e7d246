"""The way of one pass: look, plan, act, tell, and look again for as long as the world moves.

A pass reads GitHub and the source once, and what runs meanwhile (``glimpse``). What it set going (a build, a start) is
mostly over within a moment, so it stays that moment, holding its lease but nobody's turn: the step after a build then
waits for no queue and no GitHub. News from GitHub calls it away, and whatever takes longer than the moment is left to
the pass that its end will wake.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from previewbot.core import stages
from previewbot.core.actions import WORLD_CHANGED, Plan
from previewbot.core.desire import Desired, Present
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Observed, Record, State, Status
from previewbot.core.plan import plan
from previewbot.core.situation import Situation
from previewbot.engine.act import Actor
from previewbot.engine.bells import Bell
from previewbot.engine.ledger import Ledger
from previewbot.engine.turns import Turns
from previewbot.engine.voice import Voice
from previewbot.engine.world import Policy, World

_LOOKS = 24
"""How often one pass may look; more is left to the next pass."""

_MOVING = (State.BUILDING, State.STARTING)
"""States that mostly are over within a moment."""


_FRESH = 1.0
"""Seconds for which a glimpse is as good as a look, where no bell told of a move meanwhile."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What ran a moment ago, and where its hosts led."""

    observed: Observed
    moves: int
    """How many moves the bell had told of before."""
    at: float

    def is_fresh(self, bell: Bell) -> bool:
        """Whether nobody need look again."""
        return self.moves == bell.moves and time.monotonic() - self.at < _FRESH


async def see(world: World, key: Key, bell: Bell) -> Glimpse:
    """Look at what runs, and at where its hosts lead."""
    moves, at = bell.moves, time.monotonic()
    observed, routes = await asyncio.gather(world.runtime.observe(key), world.front_door.observe(key))
    return Glimpse(replace(observed, routes=routes), moves, at)


async def glimpse(world: World, key: Key, bell: Bell) -> Glimpse | None:
    """See it before anybody needs it; ``None`` where it cannot be seen, which the look itself will tell of."""
    with contextlib.suppress(Transient, Refused):
        return await see(world, key, bell)
    return None


@dataclass(frozen=True, slots=True)
class Approach:
    """What one pass works with once it knows what is desired."""

    world: World
    policy: Policy
    actor: Actor
    ledger: Ledger
    voice: Voice
    bell: Bell
    turns: Turns

    async def go(
        self, desired: Desired, conclude: Callable[[Record, Status], Record], first: Glimpse | None = None
    ) -> Plan:
        """Go as far as the world lets it; ``conclude`` puts a status on the record. Returns the last plan."""
        images = _images(desired)
        if images:
            self.actor.errands.run(("images",), lambda: self._want(images))
        for _ in range(_LOOKS):
            situation, first = await self._look(desired, first)
            made = plan(situation)
            record = await self.actor.act(made.actions, situation)
            self.ledger.advance(conclude(record, self._told(made.status, desired)))
            if any(isinstance(each, WORLD_CHANGED) for each in made.actions):
                first = None
                continue
            await self.ledger.write()
            self.voice.tell()
            if not await self._hears(made.status):
                return made
        return replace(made, recheck=timedelta(0))

    async def _hears(self, status: Status) -> bool:
        """Stay for news, where any is near; ``False`` where the pass is over."""
        end = time.monotonic() + self.policy.stay.total_seconds()
        while not self.bell.take_news():
            self.actor.errands.check()
            left = end - time.monotonic()
            if not self._is_held(status, is_early=left > 0):
                return False
            async with self.turns.lent():
                await self.bell.wait(left if left > 0 else None)
        self.actor.errands.check()
        return True

    def _is_held(self, status: Status, *, is_early: bool) -> bool:
        """Whether there is anything to wait for: what was begun and is being told, or news that must be near."""
        is_away = self.bell.is_called_away
        has_errands = self.actor.errands.are_under_way and (is_early or not is_away)
        return has_errands or self.voice.is_busy or (is_early and not is_away and status.state in _MOVING)

    def _told(self, status: Status, desired: Desired) -> Status:
        """Let the status name the log of a build that was just begun: what people read need not change for it."""
        if status.state is not State.BUILDING or status.log or not isinstance(desired, Present):
            return status
        running = self.world.builder.running()
        logs = (running[order.image].log for order in desired.orders if order.image in running)
        return replace(status, log=next(logs, None))

    async def _want(self, images: frozenset[str]) -> bool:
        await self.world.store.use_images(images, self.world.clock.now())
        return False

    async def _look(self, desired: Desired, before: Glimpse | None) -> tuple[Situation, Glimpse]:
        world, key = self.world, self.ledger.record.key
        images = _images(desired)
        seen, digests, builds, releases = await asyncio.gather(
            self._see(before),
            world.builder.locate(images),
            world.store.builds(images),
            world.store.releases(key),
        )
        running = world.builder.running()
        situation = Situation(
            now=world.clock.now(),
            desired=desired,
            observed=seen.observed,
            record=_with_seeds(_with_hosts(self.ledger.record, desired), desired, seen.observed),
            digests=digests,
            building={image: each for image, each in running.items() if each.key == key or image in images},
            builds=builds,
            releases=tuple(releases),
            drain=self.policy.drain,
        )
        return situation, seen

    async def _see(self, before: Glimpse | None) -> Glimpse:
        if before and before.is_fresh(self.bell):
            return before
        return await see(self.world, self.ledger.record.key, self.bell)


def _images(desired: Desired) -> frozenset[str]:
    return frozenset(order.image for order in desired.orders) if isinstance(desired, Present) else frozenset()


def _with_seeds(record: Record, desired: Desired, observed: Observed) -> Record:
    """Note which volumes are filled as soon as it is seen: each is filled once in its life."""
    if not isinstance(desired, Present):
        return record
    seeded = record.seeded & (observed.volumes | desired.clouds)
    for each in observed.releases:
        seeded |= stages.seeded(desired.release, each)
    return replace(record, seeded=seeded)


def _with_hosts(record: Record, desired: Desired) -> Record:
    if not isinstance(desired, Present):
        return record
    hosts = {service.name: service.host for service in desired.release.services if service.host}
    return replace(record, hosts={**record.hosts, **hosts}, app=desired.release.app)
