"""What every builder keeps to: the one in memory, ``docker build`` on a real engine, and a real BuildKit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from previewbot.adapters.local import SystemClock
from previewbot.core.model import BuildRecord, BuildState, ImageOrder
from previewbot.ports import Builder
from tests.fakes.builder import SUCCESS, FakeBuilder, Outcome
from tests.fixtures.engine import BASE, FolderSource, order

LOG = "l" * 24
GOOD, BAD, ENDLESS, SECRET = "good", "bad", "endless", "secret"
MOUNTING = f"""\
FROM {BASE}
ARG VERSION=1
RUN echo it is written down > /seen
RUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN > /length && cat /run/secrets/TOKEN
"""
"""Builds well, and has used the secret: its length is in the image."""
_DOCKERFILES = {
    GOOD: f"FROM {BASE}\nRUN echo made > /made\n",
    BAD: f"FROM {BASE}\nRUN echo it went wrong; exit 1\n",
    ENDLESS: f"FROM {BASE}\nRUN sleep 1000\n",
    SECRET: f"FROM {BASE}\nRUN --mount=type=secret,id=TOKEN read a < /run/secrets/TOKEN; echo got $a ${{#a}}; exit 1\n",
}


def _like_docker(wanted: ImageOrder) -> Outcome | None:
    if wanted.commit == BAD:
        return Outcome(
            BuildState.FAILED, lines=("it went wrong",), step="`Dockerfile:2 RUN echo it went wrong; exit 1`"
        )
    return None if wanted.commit == ENDLESS else SUCCESS


_REAL = {"docker": ("docker_builder", pytest.mark.engine), "buildkit": ("buildkit_builder", pytest.mark.cluster)}


@pytest.fixture(params=["fake", *(pytest.param(name, marks=mark) for name, (_, mark) in _REAL.items())])
def builder(request: pytest.FixtureRequest) -> Iterator[Builder]:
    if request.param == "fake":
        yield FakeBuilder(SystemClock(), _like_docker)
        return
    source: FolderSource = request.getfixturevalue("source")
    source.commits = {commit: {"Dockerfile": text} for commit, text in _DOCKERFILES.items()}
    yield request.getfixturevalue(_REAL[request.param][0])


@dataclass
class Told:
    """What ``finished`` was told."""

    records: list[BuildRecord] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, record: BuildRecord) -> None:
        self.records.append(record)
        self.over.set()

    async def only(self) -> BuildRecord:
        """The one record, once it is there and no other followed."""
        async with asyncio.timeout(60):
            await self.over.wait()
        await asyncio.sleep(0.02)
        (record,) = self.records
        return record


async def test_a_build_ends_in_an_image_that_is_found_by_its_name_and_by_no_other(builder: Builder) -> None:
    told = Told()
    begun = await builder.start(order("image-1", GOOD), log=LOG, finished=told)
    assert (begun.state, begun.image, begun.log) == (BuildState.RUNNING, "image-1", LOG)
    assert set(builder.running()) == {"image-1"}
    ended = await told.only()
    assert ended.state is BuildState.SUCCEEDED
    assert ended.finished_at
    assert ended.digest
    assert await builder.locate(["image-1", "image-2"]) == {"image-1": ended.digest}
    assert not builder.running()
    assert [(each.image, each.digest, each.in_use) for each in await builder.images()] == [
        ("image-1", ended.digest, False)
    ]


async def test_a_failed_build_tells_the_step_and_its_last_lines_and_leaves_no_image(builder: Builder) -> None:
    told = Told()
    await builder.start(order("image-1", BAD), log=LOG, finished=told)
    ended = await told.only()
    assert ended.state is BuildState.FAILED
    assert ended.step == "`Dockerfile:2 RUN echo it went wrong; exit 1`"
    assert ended.lines == ("it went wrong",)
    assert not ended.timed_out
    assert await builder.locate(["image-1"]) == {}


async def test_a_step_reads_a_secret_that_is_neither_in_the_log_nor_in_the_record(
    builder: Builder, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    told = Told()
    await builder.start(order("image-1", SECRET), log=LOG, finished=told, secrets={"TOKEN": "hunter2$(id)hunter2"})
    ended = await told.only()
    if isinstance(builder, FakeBuilder):
        assert builder.secrets["image-1"] == {"TOKEN": "hunter2$(id)hunter2"}
        return
    log = (tmp_path / f"{LOG}.log").read_text()
    assert ended.state is BuildState.FAILED
    assert ended.lines == ("got ••• 19",), "its own length is known, so it was read"
    assert "got •••" in log
    assert "hunter2" not in f"{log}{ended}"


async def test_ordering_what_is_under_way_is_the_same_build(builder: Builder) -> None:
    told, never = Told(), Told()
    await builder.start(order("image-1", ENDLESS), log=LOG, finished=told)
    again = await builder.start(order("image-1", ENDLESS), log="m" * 24, finished=never)
    assert again.log == LOG
    await builder.cancel("image-1")
    await told.only()
    assert not never.records


async def test_a_cancelled_build_says_so_once_and_can_be_ordered_again(builder: Builder) -> None:
    told, again = Told(), Told()
    await builder.start(order("image-1", ENDLESS), log=LOG, finished=told)
    await asyncio.gather(builder.cancel("image-1"), builder.cancel("image-1"))
    assert (await told.only()).state is BuildState.CANCELLED
    assert not builder.running()
    await builder.cancel("image-1")
    await builder.start(order("image-1", GOOD), log=LOG, finished=again)
    assert (await again.only()).state is BuildState.SUCCEEDED


async def test_discarding_takes_an_image_away_and_can_be_done_twice(builder: Builder) -> None:
    told = Told()
    await builder.start(order("image-1", GOOD), log=LOG, finished=told)
    await told.only()
    await builder.discard("image-1")
    await builder.discard("image-1")
    assert await builder.locate(["image-1"]) == {}
    assert not await builder.images()


async def test_closing_cancels_what_is_under_way(builder: Builder) -> None:
    told = Told()
    await builder.start(order("image-1", ENDLESS), log=LOG, finished=told)
    await builder.close()
    assert (await told.only()).state is BuildState.CANCELLED


async def test_nothing_is_located_where_nothing_was_built(builder: Builder) -> None:
    assert await builder.locate([]) == {}
    assert await builder.locate(["image-1"]) == {}
