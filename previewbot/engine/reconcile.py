"""One pass over one environment: observe, decide, act, tell, settle. It never sleeps, and it may die anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from previewbot.core.actions import WORLD_CHANGED, Plan
from previewbot.core.desire import Absent, Desired, Present
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, PullRequest, Reason, Record, Removed, State, Status
from previewbot.core.plan import Situation, plan
from previewbot.engine.act import Actor
from previewbot.engine.observe import Definition, define, desire, forbid, read_pull
from previewbot.engine.publish import Publisher
from previewbot.engine.world import Policy, World

log = structlog.get_logger(__name__)

_LOOKS = 6
"""How often one pass may look again after it changed the world; more is left to the next pass."""

_LATE = timedelta(seconds=60)
"""A closing that is noticed this long after it happened was not noticed through its delivery."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What every pass needs."""

    world: World
    policy: Policy

    async def reconcile(self, key: Key, touched_at: datetime) -> timedelta | None:
        """Bring one environment a step nearer to where it should be; returns when to look again by itself.

        ``touched_at`` is when the oldest wake-up that led here came in. Raises ``Transient`` and ``Refused`` of the
        ports; whatever was done before that is found done by the next pass.
        """
        world = self.world
        record, pull, asks = await asyncio.gather(world.store.load(key), read_pull(world, key), world.store.asks(key))
        forbidden = await forbid(world, self.policy, pull)
        record = _refresh(record, pull, touched_at)
        publisher = Publisher(world, self.policy)
        asked = tuple(asks)
        if pull and asked:
            before = record.redeploy
            record = await publisher.answer(pull, asked, record, allowed=forbidden is None)
            record = record if record.redeploy == before else replace(record, triggered_at=touched_at)
        desired = forbidden or await self._desire(pull, record)
        record, made = await self._approach(record, desired)
        record = _conclude(record, made.status, pull, touched_at)
        await world.store.save(record)
        log.info("pass", env=str(key), state=made.status.state, reason=made.status.reason)
        if pull:
            record = await publisher.publish(pull, record)
            await publisher.conclude(pull, tuple(await world.store.asks(key)) if asked else (), made.status)
        return made.recheck

    async def _desire(self, pull: PullRequest | None, record: Record) -> Desired:
        if pull is None:
            return Absent(Reason.UNINSTALLED)
        definition = await define(self.world, pull)
        if not isinstance(definition, Definition):
            return definition
        return await desire(self.world, self.policy, pull, definition=definition, redeploy=record.redeploy)

    async def _approach(self, record: Record, desired: Desired) -> tuple[Record, Plan]:
        """Look, plan and act until the next step takes time; the status is what the last look saw."""
        actor = Actor(self.world, self._finished)
        for _ in range(_LOOKS):
            situation = await self._look(record, desired)
            made = plan(situation)
            record = await actor.act(made.actions, situation)
            if not any(isinstance(each, WORLD_CHANGED) for each in made.actions):
                return record, made
        return record, replace(made, recheck=timedelta(0))

    async def _look(self, record: Record, desired: Desired) -> Situation:
        world, key = self.world, record.key
        images = {order.image for order in desired.orders} if isinstance(desired, Present) else set()
        observed, routes, digests, builds, releases = await asyncio.gather(
            world.runtime.observe(key),
            world.front_door.observe(key),
            world.builder.locate(images),
            world.store.builds(images),
            world.store.releases(key),
        )
        now = world.clock.now()
        if images:
            await world.store.use_images(images, now)
        running = world.builder.running()
        return Situation(
            now=now,
            desired=desired,
            observed=replace(observed, routes=routes),
            record=_with_hosts(record, desired),
            digests=digests,
            building={image: each for image, each in running.items() if each.key == key or image in images},
            builds=builds,
            releases=tuple(releases),
            drain=self.policy.drain,
        )

    async def _finished(self, build: BuildRecord) -> None:
        """Remember how a build ended, and wake everybody who may have waited for it.

        What cannot be remembered now is found out again: an image by looking for it, a failure by building once more.
        """
        log.info("build over", env=str(build.key), service=build.service, state=build.state)
        self.world.meter.built("timed_out" if build.timed_out else build.state, build.took or timedelta(0))
        try:
            await self.world.store.save_build(build)
            await self.world.store.add(await self._waiting(build), self.world.clock.now())
        except Transient as transient:
            log.warning("build not remembered", env=str(build.key), why=str(transient))

    async def _waiting(self, build: BuildRecord) -> Collection[Key]:
        records = await self.world.store.records(build.key.repository)
        building = (each.key for each in records if each.status and each.status.state is State.BUILDING)
        return {build.key, *building}


def _refresh(record: Record, pull: PullRequest | None, touched_at: datetime) -> Record:
    """Bring a record up to date with what GitHub says of its pull request."""
    if pull is None:
        return record
    record = replace(record, repository_name=pull.repository.full_name)
    was_off = record.status is not None and record.status.state in (State.GONE, State.SKIPPED)
    if pull.is_open and (was_off or record.commit != pull.head_commit):
        record = replace(record, commit=pull.head_commit, triggered_at=touched_at)
    return record


def _with_hosts(record: Record, desired: Desired) -> Record:
    if not isinstance(desired, Present):
        return record
    hosts = {service.name: service.host for service in desired.release.services if service.host}
    return replace(record, hosts={**record.hosts, **hosts}, app=desired.release.app)


def _conclude(record: Record, status: Status, pull: PullRequest | None, touched_at: datetime) -> Record:
    """Put a status on the record; what comes after the end is a new life."""
    before = record.status
    if before and before.state in (State.GONE, State.SKIPPED) and status.state in _ALIVE:
        record = replace(record, removed=Removed(), created_at=status.since, commits=0)
    if status.state in (State.REMOVING, State.GONE):
        known = before is not None and before.state in (State.REMOVING, State.GONE)
        late = pull is not None and pull.closed_at is not None and touched_at - pull.closed_at > _LATE
        status = replace(status, repaired=before.repaired if before and known else late)
    return replace(record, status=status)


_ALIVE = (State.BUILDING, State.STARTING, State.READY)
