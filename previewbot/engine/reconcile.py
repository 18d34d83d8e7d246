"""One pass over one environment: read, and go on from there (``approach``). It may die anywhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from previewbot.core.actions import Plan
from previewbot.core.desire import Absent, Desired
from previewbot.core.errors import Throttled
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, PullRequest, Reason, Record, Removed, State, Status
from previewbot.engine import vault
from previewbot.engine.act import Actor
from previewbot.engine.approach import Approach, glimpse
from previewbot.engine.bells import Bell, Bells
from previewbot.engine.errands import Errands
from previewbot.engine.ledger import Ledger
from previewbot.engine.observe import Definition, define, desire, forbid, read_pull
from previewbot.engine.orders import Orders
from previewbot.engine.publish import Publisher
from previewbot.engine.shelter import sheltered
from previewbot.engine.turns import Turns
from previewbot.engine.voice import Voice
from previewbot.engine.world import Policy, World
from previewbot.wire import notice

log = structlog.get_logger(__name__)

_LATE = timedelta(seconds=60)
"""A closing that is noticed this long after it happened was not noticed through its delivery."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What every pass needs."""

    world: World
    policy: Policy
    bells: Bells = field(default_factory=Bells)
    turns: Turns = field(default_factory=Turns)

    async def reconcile(self, key: Key, touched_at: datetime) -> timedelta | None:
        """Bring one environment as far as it comes; returns when to look again by itself.

        ``touched_at`` is when the oldest wake-up that led here came in. Raises ``Transient`` and ``Refused`` of the
        ports; whatever was done before that is found done by the next pass.
        """
        with self.bells.listening(key) as bell:
            made = await self._pass(key, touched_at, bell)
            return timedelta(0) if bell.take_news() else made.recheck

    async def _pass(self, key: Key, touched_at: datetime, bell: Bell) -> Plan:
        world = self.world
        record, pull, asks = await asyncio.gather(world.store.load(key), read_pull(world, key), world.store.asks(key))
        bell.commit = pull.head_commit if pull and pull.is_open else None
        publisher = Publisher(world, self.policy)
        forbidden, record = await asyncio.gather(forbid(world, self.policy, pull), publisher.recall(pull, record))
        record = _refresh(record, pull, touched_at)
        asked = tuple(asks)
        if pull and asked:
            before = record.redeploy
            record = await publisher.answer(pull, asked, record, allowed=forbidden is None)
            record = record if record.redeploy == before else replace(record, triggered_at=touched_at)
        desired: Desired
        looking = asyncio.create_task(glimpse(world, key, bell))
        try:
            desired, record = (forbidden, record) if forbidden else await self._desire(pull, record)
            first = await looking
        finally:
            looking.cancel()
        if forbidden and forbidden.is_final and not record.keeps_secrets:
            # Whatever is remembered: there may have been another memory.
            record = replace(record, keeps_secrets=await vault.remains(world, key))
        ledger, made = Ledger(world.store, record), None
        try:
            async with Errands(bell) as errands, Voice(publisher, pull, ledger, bell) as voice:
                actor = Actor(world, errands, self._finished)
                approach = Approach(world, self.policy, actor, ledger, voice, bell, self.turns)
                made = await approach.go(desired, lambda was, now: _conclude(was, now, pull, touched_at), first)
            log.info("pass", env=str(key), state=made.status.state, reason=made.status.reason)
            if pull and asked:
                asked = tuple(await world.store.asks(key))
                await publisher.conclude(pull, asked, made.status)
                await Orders(world, pull, notice.Context(self.policy.base_url)).follow(asked, made.status)
        except Throttled as throttled:
            if made is None:
                raise
            return _told_later(made, throttled)
        return made

    async def _desire(self, pull: PullRequest | None, record: Record) -> tuple[Desired, Record]:
        if pull is None:
            return Absent(Reason.UNINSTALLED), record
        definition = await define(self.world, pull)
        if not isinstance(definition, Definition):
            return definition, record
        return await desire(self.world, self.policy, pull, definition=definition, record=record)

    async def _finished(self, build: BuildRecord) -> None:
        """Remember how a build ended, and wake everybody who may have waited for it.

        What cannot be remembered now is found out again: an image by looking for it, a failure by building once more.
        """
        log.info("build over", env=str(build.key), service=build.service, state=build.state)
        self.world.meter.built("timed_out" if build.timed_out else build.state, build.took or timedelta(0))
        with sheltered("finished"):
            await self.world.store.save_build(build)
            told = {build.key} if self.bells.ring(build.key, is_move=False) else set()
            waiting = [each for each in await self._waiting(build) - told if not self.bells.ring(each, is_move=False)]
            await self.world.store.add(waiting, self.world.clock.now())

    async def _waiting(self, build: BuildRecord) -> frozenset[Key]:
        records = await self.world.store.records(build.key.repository)
        building = (each.key for each in records if each.status and each.status.state is State.BUILDING)
        return frozenset({build.key, *building})


def _told_later(made: Plan, throttled: Throttled) -> Plan:
    """Leave what could not be told to a later pass; what the plan waits for itself is looked at no later for it."""
    log.info("throttled", why=str(throttled))
    waits = [each for each in (made.recheck, throttled.retry_after) if each is not None]
    return replace(made, recheck=min(waits, default=None))


def _refresh(record: Record, pull: PullRequest | None, touched_at: datetime) -> Record:
    """Bring a record up to date with what GitHub says of its pull request."""
    if pull is None:
        return record
    record = replace(record, repository_name=pull.repository.full_name)
    was_off = record.status is not None and record.status.state in (State.GONE, State.SKIPPED)
    if pull.is_open and (was_off or record.commit != pull.head_commit):
        record = replace(record, commit=pull.head_commit, triggered_at=touched_at)
    return record


def _conclude(record: Record, status: Status, pull: PullRequest | None, touched_at: datetime) -> Record:
    """Put a status on the record; what comes after the end is a new life."""
    before = record.status
    if before and before.state in (State.GONE, State.SKIPPED) and status.state in _ALIVE:
        record = replace(record, removed=Removed(), created_at=status.since, commits=0, farewell=None)
        record = replace(record, parting=None, last_words=None)
    if status.state in (State.REMOVING, State.GONE):
        known = before is not None and before.state in (State.REMOVING, State.GONE)
        late = pull is not None and pull.closed_at is not None and touched_at - pull.closed_at > _LATE
        status = replace(status, repaired=before.repaired if before and known else late)
    return replace(record, status=status)


_ALIVE = (State.BUILDING, State.STARTING, State.READY)
