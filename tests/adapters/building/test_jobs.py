"""Which ends of a build are its own, and which only put it off."""

from __future__ import annotations

import errno
from datetime import timedelta
from pathlib import Path

import pytest

from previewbot.adapters.building import DISK_FULL, Inputs, Job, Jobs
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import BuildRecord, BuildState
from tests.adapters.github.scripted import FixedClock
from tests.contract.test_builder import LOG, Told
from tests.fixtures.engine import FolderLogs, FolderSource, order


class Line:
    """Builds that succeed, unless a trouble is laid in their way."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock()
        self.source = FolderSource(folder, {"c1": {"Dockerfile": "FROM x\n"}})
        self.trouble: Exception | None = None
        self.is_doubtful = False
        self.jobs = Jobs(
            self._build,
            source=self.source,
            logs=FolderLogs(folder),
            clock=self.clock,
            at_once=1,
            time_limit=timedelta(minutes=1),
        )

    async def _build(self, job: Job, inputs: Inputs) -> BuildRecord:
        if self.trouble:
            raise self.trouble
        if self.is_doubtful:
            return self.jobs.put_off(job, "It went away.") or job.failed("It went away.")
        return job.succeeded("sha256:1")

    async def build(self) -> BuildRecord:
        told = Told()
        await self.jobs.start(order("image-1", "c1"), log=LOG, finished=told)
        return await told.only()


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


async def test_a_world_that_is_unwell_never_fails_a_build_however_long_it_lasts(line: Line) -> None:
    line.source.trouble = Transient("The mirror is away.")
    for seconds in (2, 15, 60, 60, 60):
        record = await line.build()
        assert (record.state, record.lines) == (BuildState.CANCELLED, ("The mirror is away.",))
        with pytest.raises(Transient, match="The mirror is away") as caught:
            await line.build()
        assert caught.value.retry_after == timedelta(seconds=seconds)
        line.clock.time += timedelta(seconds=seconds)
    line.source.trouble = None
    assert (await line.build()).state is BuildState.SUCCEEDED


async def test_a_full_disk_puts_a_build_off_and_is_told_in_the_operators_words(line: Line) -> None:
    line.trouble = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    record = await line.build()
    assert (record.state, record.lines) == (BuildState.CANCELLED, (DISK_FULL,))
    with pytest.raises(Transient, match="The disk is full"):
        await line.build()


async def test_the_time_that_the_other_side_asked_for_is_waited(line: Line) -> None:
    line.trouble = Transient("Too many.", retry_after=timedelta(minutes=4))
    await line.build()
    with pytest.raises(Transient) as caught:
        await line.build()
    assert caught.value.retry_after == timedelta(minutes=4)


async def test_what_a_person_must_change_fails_the_build_at_once(line: Line) -> None:
    line.trouble = Refused("source_refused", "Too big.")
    record = await line.build()
    assert (record.state, record.lines) == (BuildState.FAILED, ("Too big.",))
    assert (await line.build()).state is BuildState.FAILED


async def test_what_may_be_the_builds_own_doing_fails_it_after_three_more_tries(line: Line) -> None:
    line.is_doubtful = True
    ends = []
    for _ in range(4):
        ends.append((await line.build()).state)
        line.clock.time += timedelta(minutes=1)
    assert ends == [*[BuildState.CANCELLED] * 3, BuildState.FAILED]
    assert (await line.build()).state is BuildState.CANCELLED, "after a real end it begins anew"
