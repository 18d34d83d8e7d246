"""Watching one container until it is ready, or has shown that it will not be.

A watch ends when its container is ready or gone. One that has failed goes on, slowly: the engine keeps restarting the
container, and what comes up late is still served. It only looks; it starts and stops nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from previewbot.adapters.docker.checkup import Checkup
from previewbot.adapters.docker.facts import Facts
from previewbot.adapters.docker.labels import LAID
from previewbot.adapters.docker.probe import Door, knock
from previewbot.core.errors import Transient
from previewbot.core.model import InstanceState

_EXITS = 3
"""So many exits in a row, and a container counts as failed."""
_SETTLED = 1.0
"""A program without a port is ready once it has run for so many seconds."""
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.5
_FAILED_PAUSE = 2.0
_SLOWER = 1.05
"""What each pause is to the one before: whoever takes long is asked rarely, and late by a twentieth at most."""
_INSPECT_EVERY = 0.1

Inspect = Callable[[str], Awaitable[Facts | None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one run of a container."""

    state: InstanceState
    started_at: str = ""
    """Which of its runs this is about."""
    detail: str | None = None


class Watch:
    """The watch over one container; ``changed`` is called whenever its verdict is another one."""

    def __init__(
        self, facts: Facts, *, inspect: Inspect, checkup: Checkup | None, changed: Callable[[], None], base: int
    ) -> None:
        """Exits count from ``base`` restarts on; ``checkup`` decides instead of a knock at the port."""
        self.verdict = Verdict(InstanceState.STARTING, facts.started_at)
        self._facts = facts
        self._target = facts.target
        self._checkup = checkup
        self._inspect = inspect
        self._changed = changed
        self._base = base
        self._looked = asyncio.Event()
        self._began = self._inspected = time.monotonic()
        self._exit: str | None = None
        self._task = asyncio.create_task(self._run())

    @property
    def restarts(self) -> int:
        """How often the container had been restarted when it was looked at last."""
        return self._facts.restarts

    @property
    def is_over(self) -> bool:
        """Whether it has seen all it wanted to see."""
        return self._task.done()

    async def first_look(self, patience: float) -> None:
        """Wait until it has looked once, but not for longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), patience)

    def end(self) -> None:
        """Stop watching."""
        self._task.cancel()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while self._facts.is_alive:
            await self._look(self._facts)
            self._looked.set()
            if self.verdict.state is InstanceState.READY:
                return
            await asyncio.sleep(_FAILED_PAUSE if self.verdict.state is InstanceState.FAILED else pause)
            pause = min(pause * _SLOWER, _LONGEST_PAUSE)
            if not await self._refresh():
                return

    async def _refresh(self) -> bool:
        """Bring the facts up to date; ``False`` where the container is gone."""
        if time.monotonic() - self._inspected < _INSPECT_EVERY:
            return True
        try:
            found = await self._inspect(self._facts.id)
        except Transient:
            self._began = time.monotonic()  # while the engine is away, no time runs out
            return True
        self._inspected = time.monotonic()
        self._facts = found or self._facts
        return found is not None

    async def _look(self, facts: Facts) -> None:
        self._exit = facts.last_exit() or self._exit
        trouble = await self._trouble(facts)
        if trouble is None:
            self._judge(Verdict(InstanceState.READY, facts.started_at))
        else:
            detail = self._hopeless(facts, trouble)
            state = InstanceState.FAILED if detail else self.verdict.state
            self._judge(Verdict(state, facts.started_at, detail or self.verdict.detail))

    def _judge(self, verdict: Verdict) -> None:
        is_news = (verdict.state, verdict.detail) != (self.verdict.state, self.verdict.detail)
        self.verdict = verdict
        if is_news:
            self._changed()

    async def _trouble(self, facts: Facts) -> str | None:
        """Say what is wrong just now; ``None`` where it is ready."""
        if not facts.is_running:
            return self._exit or "does not run"
        if self._checkup:
            return await self._checkup.run()
        port = self._target.port
        if port is None:
            settled = facts.running_seconds(datetime.now(UTC)) >= _SETTLED
            return None if settled else "has not run for a second yet"
        if facts.address is None:
            return f"does not listen on port {port}"
        return await knock(Door(port, facts.address, self._target.host, self._target.health.path))

    def _hopeless(self, facts: Facts, trouble: str) -> str | None:
        """Say why it will not become ready; ``None`` while there is hope."""
        took = time.monotonic() - self._began
        exits = facts.restarts - self._base
        if exits >= _EXITS and self._exit:
            return f"{self._exit}, {exits} times in {max(took, 1):.0f} s"
        patience = self._target.health.timeout.total_seconds()
        if took < patience:
            return None
        if self.verdict.state is InstanceState.FAILED and self.verdict.detail:
            return self.verdict.detail
        return f"{trouble if facts.is_running else self._exit or trouble} after {patience:.0f} s"


def judge_job(facts: Facts) -> Verdict:
    """Say how a container is that runs once: its end says how it went, and nobody knocks."""
    if LAID in facts.labels:
        return Verdict(InstanceState.LAID, facts.started_at)
    if facts.is_alive:  # also when its time is up: it is over once it was ended (``deadlines``)
        return Verdict(InstanceState.STARTING, facts.started_at)
    if facts.took >= facts.limit:
        return Verdict(InstanceState.FAILED, facts.started_at, f"did not end within {facts.limit:.0f} s")
    ended_well = facts.exit_code == 0 and not facts.out_of_memory
    state = InstanceState.DONE if ended_well else InstanceState.FAILED
    return Verdict(state, facts.started_at, None if ended_well else facts.last_exit())


def shown(verdict: Verdict, facts: Facts) -> Verdict:
    """What a verdict is worth now: readiness ends with the run that it was seen in."""
    if verdict.state is InstanceState.READY and (not facts.is_running or verdict.started_at != facts.started_at):
        return Verdict(InstanceState.STARTING, facts.started_at)
    return verdict
