"""An engine that is not there, and one that goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from docker.errors import APIError

from previewbot.adapters.building import DISK_FULL
from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.engine import connect, describe, inspect
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.adapters.local import SystemClock
from previewbot.core import retry
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import BuildRecord, BuildState, InstanceState, Reason, Removed
from previewbot.demo import leftovers, machine
from previewbot.demo.base_image import import_base
from previewbot.ports import Clock
from tests.adapters.github.scripted import FixedClock
from tests.contract.test_builder import LOG, Told
from tests.fixtures.engine import BASE, SERVE, FolderLogs, FolderSource, order, release, service

KEY = Key(7, 1)
WEB = service("web", SERVE, 8080)


@pytest.mark.parametrize("url", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "unix://{silent}"])
async def test_an_engine_that_does_not_answer_is_transient_in_every_call_and_says_where_it_should_be(
    url: str, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))  # bound, but nobody listens
        url = url.format(silent=tmp_path / "s")
        runtime = DockerRuntime(connect(url), instance="x")
        for call in (
            runtime.observe(KEY),
            runtime.keys(),
            runtime.prepare(KEY, "r1"),
            runtime.start(release(KEY, "r1", WEB), {"base": "sha256:1"}),
            runtime.tail(KEY, "r1", "web", lines=1),
            runtime.remove(KEY, "r1"),
            runtime.delete(KEY),
            runtime.check(),
            anext(aiter(runtime.changes())),
        ):
            with pytest.raises(Transient, match=r"The Docker engine at .* does not answer") as raised:
                await call
            assert url in str(raised.value)


async def test_a_builder_without_an_engine_puts_its_builds_off_with_the_reason(tmp_path: Path) -> None:
    builder = _builder("unix:///nonexistent/docker.sock", tmp_path)
    record = await _build(builder)
    (line,) = record.lines
    assert record.state is BuildState.CANCELLED
    assert "does not answer" in line
    assert line in FolderLogs(tmp_path).path(LOG).read_text()
    with pytest.raises(Transient, match="does not answer"):
        await builder.start(order("image-1", "c1"), log=LOG, finished=Told())
    with pytest.raises(Transient):
        await builder.locate(["image-1"])


def _builder(url: str, folder: Path, dockerfile: str = "FROM scratch", clock: Clock | None = None) -> DockerBuilder:
    source = FolderSource(folder, {"c1": {"Dockerfile": dockerfile}})
    return DockerBuilder(
        connect(url), instance="x", source=source, logs=FolderLogs(folder), clock=clock or SystemClock()
    )


async def _build(builder: DockerBuilder) -> BuildRecord:
    told = Told()
    await builder.start(order("image-1", "c1"), log=LOG, finished=told)
    return await told.only()


class Daemon:
    """An engine of the test's own, which touches neither the machine's bridge nor its firewall."""

    def __init__(self, folder: Path, bridge: str, pool: str) -> None:
        self.folder, self.bridge, self.pool = folder, bridge, pool
        self.url = f"unix://{folder}/d.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "dockerd",
                f"--data-root={self.folder}/data",
                f"--exec-root={self.folder}/exec",
                f"--pidfile={self.folder}/pid",
                f"--host={self.url}",
                f"--bridge={self.bridge}",
                "--iptables=false",
                "--ip-forward=false",
                f"--default-address-pool={self.pool}",
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(60):
            while not await self._answers():
                await asyncio.sleep(0.1)

    async def _answers(self) -> bool:
        engine = connect(self.url)
        try:
            await describe(engine)
        except Transient:
            return False
        finally:
            engine.close()
        return True

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGTERM)
            await self._process.wait()


@asynccontextmanager
async def _running(folder: Path, pool: str = "base=10.213.0.0/16,size=24") -> AsyncIterator[Daemon]:
    with machine._bridge(folder) as number:
        made = Daemon(folder, f"pb{number}br", pool)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()


@pytest.fixture
def short_folder(dockerd: None) -> Iterator[Path]:
    """Where an engine of a test's own is."""
    folder = Path("/tmp") / f"pb-{os.urandom(4).hex()}"  # a socket's path must be short
    (folder / "data").mkdir(parents=True, mode=0o700)
    yield folder
    leftovers.remove(folder)


@pytest.fixture
async def daemon(short_folder: Path) -> AsyncIterator[Daemon]:
    async with _running(short_folder) as made:
        yield made


@pytest.fixture
async def small_daemon(short_folder: Path) -> AsyncIterator[Daemon]:
    """One whose disk is full soon."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(short_folder / "data")], check=True)
    async with _running(short_folder) as made:
        yield made


# The client library forgets its own end of a socket whose other end is gone; Python closes it, and says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.engine
async def test_an_engine_that_went_away_and_came_back_is_used_again(daemon: Daemon) -> None:
    digest = await asyncio.to_thread(import_base, daemon.url, BASE)
    engine = connect(daemon.url)
    runtime = DockerRuntime(engine, instance="x")
    ended = asyncio.create_task(_listen(runtime))
    await runtime.start(release(KEY, "r1", WEB), {"base": digest})
    await _ready(runtime)
    await daemon.stop()
    async with asyncio.timeout(10):
        assert KEY in await ended
    with pytest.raises(Transient, match="does not answer"):
        await runtime.observe(KEY)
    await daemon.start()
    await _ready(runtime)
    assert await runtime.delete(KEY) == Removed(containers=1, networks=1)
    runtime.close()
    engine.close()


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.engine
async def test_a_build_whose_engine_goes_away_in_the_middle_succeeds_once_it_is_back(
    daemon: Daemon, tmp_path: Path
) -> None:
    await asyncio.to_thread(import_base, daemon.url, BASE)
    clock = FixedClock()
    builder = _builder(daemon.url, tmp_path, f"FROM {BASE}\nRUN echo so far; sleep 3\n", clock)
    told = Told()
    await builder.start(order("image-1", "c1"), log=LOG, finished=told)
    await _until_said(FolderLogs(tmp_path).path(LOG), b" so far\n")
    await daemon.stop()
    ended = await told.only()
    assert ended.state is BuildState.CANCELLED, ended
    clock.time += timedelta(minutes=1)
    assert (await _build(builder)).state is BuildState.CANCELLED, "nobody answers yet"
    await daemon.start()
    clock.time += timedelta(minutes=1)
    assert (await _build(builder)).state is BuildState.SUCCEEDED
    await builder.close()


async def _until_said(log: Path, words: bytes) -> None:
    async with asyncio.timeout(20):
        while not (log.exists() and words in log.read_bytes()):
            await asyncio.sleep(0.02)


@pytest.mark.engine
async def test_a_full_disk_of_the_engine_is_tried_a_few_times_and_then_told_to_the_operator(
    small_daemon: Daemon, tmp_path: Path
) -> None:
    await asyncio.to_thread(import_base, small_daemon.url, BASE)
    clock = FixedClock()
    builder = _builder(small_daemon.url, tmp_path, f"FROM {BASE}\nRUN dd if=/dev/zero of=/x bs=1M count=60\n", clock)
    ends = []
    for _ in range(4):
        ends.append(await _build(builder))
        clock.time += timedelta(minutes=1)
    assert [each.state for each in ends] == [*[BuildState.CANCELLED] * 3, BuildState.FAILED]
    assert {each.lines[-1] for each in ends} == {DISK_FULL}
    await builder.close()


@pytest.mark.engine
async def test_where_no_range_of_addresses_is_left_the_operator_is_told_and_it_works_once_another_preview_is_gone(
    short_folder: Path,
) -> None:
    async with _running(short_folder, "base=10.213.0.0/22,size=24") as daemon:
        engine = connect(daemon.url)
        runtime = DockerRuntime(engine, instance="x")
        with pytest.raises(Refused, match=r"no address range left .* `default-address-pools`") as refused:
            await _crowd(runtime)
        assert Reason(refused.value.reason) in retry.PASSING
        await runtime.delete(Key(7, 1))
        await runtime.prepare(Key(7, 9), "r1")
        for key in await runtime.keys():
            await runtime.delete(key)  # a network outlives its engine
        runtime.close()
        engine.close()


async def _crowd(runtime: DockerRuntime) -> None:
    for number in range(1, 9):
        await runtime.prepare(Key(7, number), "r1")


async def _listen(runtime: DockerRuntime) -> list[Key]:
    """Everything heard until the stream ends by itself."""
    return [key async for key in runtime.changes()]


async def _ready(runtime: DockerRuntime) -> None:
    async with asyncio.timeout(30):
        while True:
            instances = (await runtime.observe(KEY)).releases[0].instances
            if instances and all(each.state is InstanceState.READY for each in instances):
                return
            await asyncio.sleep(0.05)


class _Hasty:
    """An engine whose container ends while it looks it up, as often as told."""

    def __init__(self, times: int, told: str) -> None:
        self.left, self.told = times, told

    def inspect_container(self, container: str) -> dict[str, str]:
        if self.left:
            self.left -= 1
            raise APIError("500", explanation=self.told)
        return {"Id": container}


def test_a_container_that_ended_while_podman_looked_is_looked_at_once_more() -> None:
    gone = "read /proc/2238/cgroup: no such process"
    assert inspect(_Hasty(1, gone), "abc") == {"Id": "abc"}
    for times, told in ((2, gone), (1, "database is locked")):
        with pytest.raises(APIError):
            inspect(_Hasty(times, told), "abc")
