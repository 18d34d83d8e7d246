"""Builds in the background, a few at a time, each within its time and with its log.

A build is known here only while it runs; what became of it is told once, to ``finished``. When previewbot dies, its
builds die with it, and the next pass finds an image that is missing. What is no fault of the image's (an engine that
restarts, a mirror that is away, a disk that fills) puts a build off: it ends as cancelled, the engine orders it again,
and ``start`` raises ``Transient`` until that is worth a try.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from previewbot.adapters.building.inputs import Inputs
from previewbot.adapters.building.log import Log
from previewbot.adapters.building.progress import Progress
from previewbot.adapters.building.setbacks import Setbacks
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import BuildRecord, BuildState, ImageOrder
from previewbot.ports import Clock, Finished, Logs, Source

_WAITING = "waiting for its turn"
_LINES = 20
DISK_FULL = "The disk is full (no space left on device): previewbot's operator has to make room."
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Job:
    """One build, from its order until ``finished`` has been told."""

    order: ImageOrder
    record: BuildRecord
    finished: Finished
    log: Log
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What its steps may mount."""
    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[None] | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether its end is known."""
        return self.record.state is not BuildState.RUNNING

    def furnish(self, home: Path) -> list[str]:
        """Put its secrets into files that only previewbot reads, and return the arguments that name them."""
        made: list[str] = []
        for place, (name, value) in enumerate(self.secrets.items()):
            file = home / f"secret-{place}"
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(value)
            made += ["--secret", f"id={name},src={file}"]
        return made

    def note(self, step: str | None) -> None:
        """Show at which step it is."""
        self.record = replace(self.record, step=step)

    def succeeded(self, digest: str) -> BuildRecord:
        """Its end where there is an image."""
        return replace(self.record, state=BuildState.SUCCEEDED, digest=digest, step=None)

    def failed(self, *lines: str) -> BuildRecord:
        """Its end where there is none."""
        return replace(self.record, state=BuildState.FAILED, lines=lines)

    def put_off(self, why: str) -> BuildRecord:
        """Its end where it was hindered by what passes: cancelled, so that it is ordered again."""
        self.log.remark(f"the build is put off. {why}")
        return replace(self.record, state=BuildState.CANCELLED, lines=(why,))

    def failed_at(self, inputs: Inputs) -> BuildRecord:
        """Its end where a step of its Dockerfile failed: which one, and what it said last."""
        text = inputs.dockerfile.read_bytes().decode("utf-8", "replace")
        step, lines = self.progress.failure(text, self.order.build.dockerfile)
        if self.progress.disk_is_full:
            lines = (*lines, DISK_FULL)
        return replace(self.failed(*lines[-_LINES:]), step=step)


Build = Callable[[Job, Inputs], Awaitable[BuildRecord]]
"""Makes an image and returns the build's end."""


class Jobs:
    """The builds that are under way or wait for their turn, by image: what ``ports.Builder`` says of builds."""

    def __init__(
        self, build: Build, *, source: Source, logs: Logs, clock: Clock, at_once: int, time_limit: timedelta
    ) -> None:
        self._build = build
        self._source, self._logs, self._clock = source, logs, clock
        self._turns = asyncio.Semaphore(at_once)
        self._setbacks = Setbacks(clock)
        self._time_limit = time_limit
        self._jobs: dict[str, Job] = {}

    def running(self) -> Mapping[str, BuildRecord]:
        """See ``Builder.running``."""
        return {image: job.record for image, job in self._jobs.items() if not job.is_over}

    async def start(
        self, order: ImageOrder, *, log: str, finished: Finished, secrets: Mapping[str, str] | None = None
    ) -> BuildRecord:
        """See ``Builder.start``; ``Transient`` while what hindered the last try is likely still there."""
        path = self._logs.path(log)
        job = self._jobs.get(order.image)
        if job and job.task and job.record.state is BuildState.CANCELLED:
            await asyncio.wait([job.task])
            job = self._jobs.get(order.image)
        if job is None:
            self._setbacks.expect_over(order.image)
            job = Job(order, self._first_record(order, log), finished, Log(path), dict(secrets or {}))
            self._jobs[order.image] = job
            job.task = asyncio.create_task(self._run(job))
        return job.record

    async def cancel(self, image: str) -> None:
        """See ``Builder.cancel``: returns when the build has ended and its end was told."""
        job = self._jobs.get(image)
        if job and job.task and not job.is_over:
            await job.begun.wait()  # a task that is cancelled before it began would never tell its end
            job.task.cancel()
            await asyncio.wait([job.task])

    def put_off(self, job: Job, why: str) -> BuildRecord | None:
        """End a build that met what passes but may be its own doing; ``None`` where it met that too often."""
        return job.put_off(why) if self._setbacks.add(job.order.image, why) else None

    async def close(self) -> None:
        """See ``Builder.close``."""
        await asyncio.gather(*(self.cancel(image) for image in list(self._jobs)))
        tasks = [job.task for job in self._jobs.values() if job.task]
        if tasks:
            await asyncio.wait(tasks)

    def _first_record(self, order: ImageOrder, log: str) -> BuildRecord:
        return BuildRecord(
            image=order.image,
            key=order.key,
            service=order.service,
            commit=order.commit,
            log=log,
            state=BuildState.RUNNING,
            started_at=self._clock.now(),
            step=_WAITING,
        )

    async def _run(self, job: Job) -> None:
        job.begun.set()
        outcome = job.failed("The build ended without a result.")
        try:
            async with self._turns:
                job.record = replace(job.record, started_at=self._clock.now(), step=None)
                outcome = await self._limited(job)
        except asyncio.CancelledError:
            job.log.remark("the build was cancelled.")
            outcome = replace(job.record, state=BuildState.CANCELLED)
        finally:
            job.log.close()
            if outcome.state is not BuildState.CANCELLED:
                self._setbacks.forget(job.order.image)
            job.record = replace(outcome, finished_at=self._clock.now())
            try:
                # Still known while this is told, so that nobody orders it again in between.
                await job.finished(job.record)
            finally:
                del self._jobs[job.order.image]

    async def _limited(self, job: Job) -> BuildRecord:
        """Build within the time limit; what a person must change is the build's failure, what passes only delays it."""
        order = job.order
        try:
            async with (
                asyncio.timeout(self._time_limit.total_seconds()),
                self._source.checkout(order.repository, order.commit) as tree,
            ):
                return await self._build(job, Inputs.find(tree, order.build))
        except TimeoutError:
            told = f"The build was stopped: it took longer than {_minutes(self._time_limit)}."
            job.log.remark(told)
            return replace(job.failed(*job.progress.last_lines(), told), timed_out=True)
        except Refused as refused:
            job.log.remark(str(refused))
            return job.failed(str(refused))
        except (Transient, OSError) as error:
            return self._hindered(job, error)

    def _hindered(self, job: Job, error: Transient | OSError) -> BuildRecord:
        """Put a build off that the world, or this machine, is too unwell for: that is never its own doing."""
        is_full = isinstance(error, OSError) and error.errno in _FULL
        why = DISK_FULL if is_full else str(error)
        self._setbacks.wait(job.order.image, why, error.retry_after if isinstance(error, Transient) else None)
        return job.put_off(why)


def _minutes(length: timedelta) -> str:
    seconds = length.total_seconds()
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004 - a minute
