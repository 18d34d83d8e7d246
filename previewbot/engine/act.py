"""Doing what a plan says, one action after the other, and remembering what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from previewbot.core import retry, stages
from previewbot.core.actions import (
    Action,
    BidFarewell,
    CancelBuild,
    DeleteEnvironment,
    FailRelease,
    ForgetSecrets,
    Prepare,
    RemoveRelease,
    RemoveVolumes,
    Route,
    StartBuild,
    StartRelease,
)
from previewbot.core.desire import Present
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Reason, Record, ReleaseRecord, ReleaseSpec, ReleaseState
from previewbot.core.secrets import seals
from previewbot.core.situation import Held, Situation, held
from previewbot.engine import farewell, output, vault
from previewbot.engine.count import counted
from previewbot.engine.errands import Errands
from previewbot.engine.world import World
from previewbot.ports import Finished, Repair

log = structlog.get_logger(__name__)

_LAST_WORDS = 20
"""Lines of a failing service that are kept."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The hands of one pass."""

    world: World
    errands: Errands
    """What takes its time and is not waited for."""
    finished: Finished
    """What a build tells when it is over."""

    async def act(self, actions: tuple[Action, ...], situation: Situation) -> Record:
        """Do all actions: builds at once, the rest in order. Returns the record as it is then.

        What runs is only begun: a release comes up while builds go on and people are told. What goes away waits for it.
        """
        record = situation.record
        if _is_drift(actions, situation):
            self.world.meter.repaired(Repair.DRIFT)
        for action in actions:
            if isinstance(action, Prepare | StartRelease):
                self._send(action, situation)
        await asyncio.gather(
            *(
                self._build(each, record.key, record.app or "")
                for each in actions
                if isinstance(each, CancelBuild | StartBuild)
            )
        )
        for action in actions:
            if not isinstance(action, _BEGUN):
                record = await self._do(action, replace(situation, record=record))
        runs = any(isinstance(each, StartBuild | StartRelease) for each in actions)
        return replace(record, created_at=situation.now) if runs and record.created_at is None else record

    def _send(self, action: Prepare | StartRelease, situation: Situation) -> None:
        match action:
            case Prepare(revision):
                self.errands.run((revision,), lambda: self._prepare(action, situation.record.key))
            case StartRelease(release, digests, services):
                name = (release.revision, *sorted(services), *sorted(digests))
                self.errands.run(name, lambda: self._start(action, situation))

    async def _build(self, action: CancelBuild | StartBuild, key: Key, app: str) -> None:
        match action:
            case StartBuild(order):
                with self._counted(action, key):
                    values = await vault.mounted(self.world, app, order)
                    name = secrets.token_urlsafe(24)
                    build = await self.world.builder.start(order, log=name, finished=self.finished, secrets=values)
                    await self.world.store.save_build(build)
            case CancelBuild(image):
                with self._counted(action, key):
                    await self.world.builder.cancel(image)

    async def _prepare(self, action: Prepare, key: Key) -> bool:
        # What stops this stops the release as well, and is said there.
        with contextlib.suppress(Refused), self._counted(action, key):
            await self.world.runtime.prepare(key, action.revision, action.services)
        return False

    async def _do(self, action: _Late, situation: Situation) -> Record:
        record = situation.record
        match action:
            case FailRelease(release):
                await self.errands.settle(release.revision)
                await self._fail(action, situation)
            case Route(routes, release):
                with self._counted(action, record.key):
                    await self.world.front_door.route(record.key, routes)
                return await self._serve(release, situation) if release else record
            case RemoveRelease(revision):
                await self.errands.settle(revision)
                with self._counted(action, record.key):
                    await self.world.runtime.remove(record.key, revision)
                await self._retire(revision, situation)
            case BidFarewell(revision, service):
                return await self._bid_farewell(revision, service, situation)
            case RemoveVolumes(names):
                with self._counted(action, record.key):
                    await self.world.runtime.remove_volumes(record.key, names)
            case ForgetSecrets():
                with self._counted(action, record.key):
                    keeps = not await vault.forget(self.world, record.key)
                return replace(record, keeps_secrets=keeps)
            case DeleteEnvironment():
                await self.errands.settle()
                record = await farewell.remember(self.world, situation)
                with self._counted(action, record.key):
                    removed = await self.world.runtime.delete(record.key)
                await asyncio.gather(*(self._retire(each.revision, situation) for each in situation.observed.releases))
                return replace(record, removed=record.removed + removed)
        return record

    async def _bid_farewell(self, revision: str, service: str, situation: Situation) -> Record:
        record = replace(situation.record, farewell=situation.record.farewell or situation.now)
        try:
            await self.world.runtime.run(record.key, revision, service, "farewell")
        except Refused as refused:
            log.warning("destroy hook refused", env=str(record.key), why=refused.message)
            told = f"could not be begun: {refused.message}"
            return replace(record, farewell=datetime.min.replace(tzinfo=UTC), parting=told)
        return record

    async def _start(self, action: StartRelease, situation: Situation) -> bool:
        """Start what can start; the runtime itself tells what becomes of it, but not what it refused."""
        release, before = action.release, situation.remembered(action.release.revision)
        begun = _begun(release, situation)
        if before is None or before.state is not ReleaseState.SERVING:
            await self.world.store.save_release(begun)
        try:
            with self._counted(action, release.key):
                sealed = await vault.unseal(self.world, release, action.services)
                await self.world.runtime.start(release, action.digests, action.services, sealed)
        except Refused as refused:
            if before and before.state is ReleaseState.SERVING:
                # What is left of it goes on serving; where a newer one is wanted, that one's state is told.
                if not _is_wanted(release, situation):
                    log.warning("not put back", env=str(release.key), why=refused.message)
                    return False
                raise
            reason = refused.reason if refused.reason in set(Reason) else Reason.RUNTIME_REFUSED
            given_up = self._given_up(begun, reason=str(reason), detail=refused.message)
            await self.world.store.save_release(replace(given_up, service=None, lines=(), log=None))
            return True
        return False

    async def _fail(self, action: FailRelease, situation: Situation) -> None:
        release = action.release
        hooks = [each.name for each in release.services if each.hook and not each.is_laid]
        before = situation.remembered(release.revision) or _begun(release, situation)
        holding = _held(release, before, situation)
        said = await output.hear(self.world, holding, release.revision, list(dict.fromkeys((*hooks, action.service))))
        failed = replace(
            self._given_up(before, reason=action.reason, detail=action.detail),
            service=action.service,
            lines=tuple(said[action.service][-_LAST_WORDS:]),
            log=await output.keep(self.world, said),
        )
        # Remembered first: a crash before the removal then removes it, instead of trying it again.
        await self.world.store.save_release(failed)
        with self._counted(action, release.key):
            await self.world.runtime.remove(release.key, release.revision)

    def _given_up(self, release: ReleaseRecord, *, reason: str, detail: str) -> ReleaseRecord:
        now = self.world.clock.now()
        state, tries = ReleaseState.FAILED, release.tries + 1
        return replace(release, state=state, reason=reason, detail=detail, tries=tries, failed_at=now)

    async def _serve(self, release: ReleaseSpec, situation: Situation) -> Record:
        before = situation.remembered(release.revision) or _begun(release, situation)
        good, record, now = situation.last_good, situation.record, self.world.clock.now()
        if before.state is ReleaseState.SERVING and good and good.revision == release.revision:
            return record
        served = replace(
            before,
            state=ReleaseState.SERVING,
            served_at=now,
            took=stages.start_time(situation.remembered(release.revision), situation.builds.values(), now),
            commit=release.commit,
            urls=release.urls,
            tries=0,
            reason=None,
            service=None,
            detail=None,
            lines=(),
            log=None if before.tries else before.log,
            spec=release,
            digests=situation.digests,
        )
        hooks = [each.name for each in release.services if each.hook and not each.is_laid]
        if hooks and served.log is None:
            with contextlib.suppress(Transient, Refused):  # what was said is no reason not to serve
                holding = _held(release, before, situation)
                said = await output.hear(self.world, holding, release.revision, hooks)
                served = replace(served, log=await output.keep(self.world, said))
        await self.world.store.save_release(served)
        if before.served_at is None:
            self.world.meter.served(now - served.triggered_at)
        is_new = all(each.commit != release.commit or each.served_at is None for each in situation.releases)
        return replace(record, commits=record.commits + 1) if is_new else record

    async def _retire(self, revision: str, situation: Situation) -> None:
        remembered = situation.remembered(revision)
        if remembered and remembered.state in (ReleaseState.SERVING, ReleaseState.STARTING):
            await self.world.store.save_release(replace(remembered, state=ReleaseState.RETIRED))

    @contextmanager
    def _counted(self, action: Action, key: Key) -> Iterator[None]:
        """Log the effect of an action, and count what it came to."""
        name = type(action).__name__
        log.info("action", env=str(key), action=name)
        with counted(lambda outcome: self.world.meter.acted(name, outcome)):
            yield


_BEGUN = (CancelBuild, Prepare, StartBuild, StartRelease)
_Late = FailRelease | Route | BidFarewell | RemoveRelease | RemoveVolumes | ForgetSecrets | DeleteEnvironment


def _is_wanted(release: ReleaseSpec, situation: Situation) -> bool:
    wanted = situation.desired
    return isinstance(wanted, Present) and wanted.release.revision == release.revision


def _is_drift(actions: tuple[Action, ...], situation: Situation) -> bool:
    """Whether actions put back what others changed or deleted: what is started again, or led to, served before."""
    starts = [each.release.revision for each in actions if isinstance(each, StartRelease)]
    served = (situation.remembered(revision) for revision in starts)
    is_lost = any(each is not None and each.state is ReleaseState.SERVING for each in served)
    is_closed = any(isinstance(each, Route) and _is_lost(each, situation) for each in actions)
    is_open = situation.observed.drifted and any(isinstance(each, Prepare) for each in actions)
    return is_lost or is_closed or is_open


def _is_lost(route: Route, situation: Situation) -> bool:
    """Whether a host of what served before is led nowhere, or to where nobody knows; addresses alone may change."""
    before = situation.remembered(route.release.revision) if route.release else situation.last_good
    if before is None or before.state is not ReleaseState.SERVING:
        return False
    return any(found and not situation.observed.routes.get(host) for host, found in route.routes.items())


def _held(release: ReleaseSpec, record: ReleaseRecord, situation: Situation) -> Held:
    """What may be said: by the release, and by what runs beside it."""
    others = held(release.app, (*situation.releases, record), situation.observed, release.key)
    own = frozenset(record.seals)
    return replace(others, seals=None if others.seals is None else others.seals | own)


def _begun(release: ReleaseSpec, situation: Situation) -> ReleaseRecord:
    before = situation.remembered(release.revision)
    started_at = before.started_at if before and before.state is ReleaseState.STARTING else situation.now
    begun = ReleaseRecord(
        key=release.key,
        revision=release.revision,
        commit=release.commit,
        state=ReleaseState.STARTING,
        triggered_at=situation.record.triggered_at or situation.now,
        started_at=started_at,
        urls=release.urls,
        seals=tuple(sorted(seal for each in release.services for seal in seals(each.sealed))),
    )
    return retry.remember(begun, before)
