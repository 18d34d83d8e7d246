"""An engine that is not there, and one that goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.engine import connect, describe
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.adapters.local import SystemClock
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from previewbot.core.model import InstanceState, Removed
from previewbot.demo.base_image import import_base
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


async def test_a_builder_without_an_engine_fails_its_builds_with_the_reason(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, {"c1": {"Dockerfile": "FROM scratch"}})
    engine = connect("unix:///nonexistent/docker.sock")
    builder = DockerBuilder(engine, instance="x", source=source, logs=FolderLogs(tmp_path), clock=SystemClock())
    told = Told()
    await builder.start(order("image-1", "c1"), log=LOG, finished=told)
    (line,) = (await told.only()).lines
    assert "does not answer" in line
    assert line in FolderLogs(tmp_path).path(LOG).read_text()
    with pytest.raises(Transient):
        await builder.locate(["image-1"])


class Daemon:
    """An engine of the test's own, which touches neither the machine's bridge nor its firewall."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
                "--bridge=none",
                "--iptables=false",
                "--ip-forward=false",
                "--default-address-pool=base=10.213.0.0/16,size=24",
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


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    folder = Path("/tmp") / f"pb-{os.urandom(4).hex()}"  # a socket's path must be short
    folder.mkdir(mode=0o700)
    made = Daemon(folder)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        shutil.rmtree(folder, ignore_errors=True)


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
