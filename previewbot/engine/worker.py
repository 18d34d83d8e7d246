"""Leasing one topic after the other and settling it: the only place that retries. No pass can end the worker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from previewbot.core.errors import Refused, Throttled, Transient
from previewbot.core.ids import Key, Survey
from previewbot.engine.count import counted
from previewbot.engine.shelter import sheltered
from previewbot.engine.turns import Turns
from previewbot.ports import Clock, Lease, Meter, Outcome, Queue

log = structlog.get_logger(__name__)

_LONGEST = timedelta(minutes=5)
"""The longest pause between two tries."""

Pass = Callable[[Lease], Awaitable[timedelta | None]]
"""One piece of work on a leased topic; says when to look again by itself."""

Trouble = Callable[[Lease, Exception], Awaitable[None]]
"""What is told when a topic keeps failing."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker does with each kind of topic."""

    reconcile: Pass
    survey: Pass
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Worker:
    """Several passes at once, each on a topic of its own."""

    queue: Queue
    clock: Clock
    work: Work
    meter: Meter
    turns: Turns = field(default_factory=Turns)
    renewal: timedelta = timedelta(seconds=15)
    """How often a lease is renewed while its pass runs; well below the time after which it lapses."""

    async def run(self) -> None:
        """Work until cancelled; a pass that is under way then is cancelled with it, and found undone next time.

        Whatever rings the queue's bell is looked for once, not by everyone who happens to be idle.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                await self.turns.take()
                serving = group.create_task(self._serve_or_warn(await self._next()))
                serving.add_done_callback(lambda _: self.turns.give_back())

    async def drain(self) -> None:
        """Work on everything that is due now, then return."""
        while await self.step():
            pass

    async def step(self) -> bool:
        """Work on one topic; ``False`` where none is due."""
        lease = await self.queue.lease(self.clock.now())
        if lease is None:
            return False
        await self.turns.take()
        try:
            await self._serve(lease)
        finally:
            self.turns.give_back()
        return True

    async def _next(self) -> Lease:
        """Wait for a topic that is due, and take it."""
        while True:
            try:
                if lease := await self.queue.lease(self.clock.now()):
                    return lease
                await self.queue.wait()
            except Transient as transient:
                await _wait_for(transient)

    async def _serve_or_warn(self, lease: Lease) -> None:
        try:
            await self._serve(lease)
        except Transient as transient:  # what could not be settled comes back when its lease lapses
            await _wait_for(transient)
        except Exception:
            log.exception("bug", env=str(lease.topic))

    async def _serve(self, lease: Lease) -> None:
        with structlog.contextvars.bound_contextvars(env=str(lease.topic), attempt=lease.attempt):
            renewing = asyncio.create_task(self._renew(lease))
            try:
                await self._attempt(lease)
            finally:
                renewing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await renewing

    async def _attempt(self, lease: Lease) -> None:
        try:
            again = await self._pass(lease)
        except Throttled as throttled:
            pause = throttled.retry_after or _LONGEST
            log.info("throttled", why=str(throttled), seconds=pause.total_seconds())
            await self.queue.settle(lease, due=self.clock.now() + pause, unserved=True)
        except Transient as transient:
            await self._put_off(lease, transient, transient.retry_after)
        except Refused as refused:
            log.warning("refused", reason=refused.reason, why=refused.message)
            await self._put_off(lease, refused, None)
        except Exception as bug:
            log.exception("bug")
            await self._put_off(lease, bug, None)
        else:
            await self.queue.settle(lease, due=None if again is None else self.clock.now() + again)

    async def _pass(self, lease: Lease) -> timedelta | None:
        kind, began = type(lease.topic).__name__.lower(), time.perf_counter()

        def tell(outcome: Outcome) -> None:
            self.meter.passed(kind, outcome, timedelta(seconds=time.perf_counter() - began))

        with counted(tell):
            return await self._work(lease)

    async def _work(self, lease: Lease) -> timedelta | None:
        match lease.topic:
            case Key():
                return await self.work.reconcile(lease)
            case Survey():
                return await self.work.survey(lease)

    async def _put_off(self, lease: Lease, error: Exception, retry_after: timedelta | None) -> None:
        pause = min(retry_after or timedelta(seconds=2 ** min(lease.attempt, 16) / 2), _LONGEST)
        log.info("put off", why=str(error) or type(error).__name__, seconds=pause.total_seconds())
        with sheltered("trouble"):  # one whose trouble cannot even be told is only tried more and more rarely
            await self.work.trouble(lease, error)
        await self.queue.settle(lease, due=self.clock.now() + pause, failed=True)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self.renewal.total_seconds())
            with contextlib.suppress(Transient):
                await self.queue.renew(lease, self.clock.now())


async def _wait_for(away: Transient) -> None:
    log.warning("queue away", why=str(away))
    await asyncio.sleep(1)
