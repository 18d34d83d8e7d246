"""What goes on over a push, on a real engine: the same container and port, and names that lead where they should."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.docker.limits import MIB, Limits
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.ids import Key
from previewbot.core.model import Instance, InstanceState, Removed, Running
from tests.adapters.docker.conftest import Run
from tests.fixtures.engine import SERVE, release, service

pytestmark = pytest.mark.engine

KEY = Key(7, 1)
FETCH = ("timeout", "3", "wget", "-O", "/dev/null")
ASK = "http://client:8080/passwd"
API = replace(service("api", SERVE, 8080), edition="api")
CLIENT = replace(service("client", SERVE, 8080), edition="client")


async def _settled(runtime: DockerRuntime, revision: str) -> dict[str, Instance]:
    async with asyncio.timeout(30):
        while True:
            running = (await runtime.observe(KEY)).release(revision)
            if running and {each.state for each in running.instances} == {InstanceState.READY}:
                return {each.service: each for each in running.instances}
            await asyncio.sleep(0.02)


async def _start(runtime: DockerRuntime, revision: str, api: int, digests: Mapping[str, str]) -> dict[str, Instance]:
    await runtime.start(release(KEY, revision, replace(API, edition=f"api-{api}"), CLIENT), digests)
    return await _settled(runtime, revision)


async def test_what_goes_on_calls_its_older_sibling_while_that_is_there_and_then_the_newer_one(
    *, docker_runtime: DockerRuntime, digests: Mapping[str, str], run_in: Run, names: Names, engine: Engine
) -> None:
    async def called() -> str:
        """The container that the kept client finds under its sibling's name."""
        (client,) = await engine.call(
            lambda it: it.containers(filters={"label": ["previewbot.service=client", f"previewbot.key={KEY}"]})
        )
        _, said = await run_in(client["Id"], "sh", "-c", "ping -c 1 -W 1 api | head -1")
        return said

    async def addresses(revision: str) -> set[str]:
        _, said = await run_in(names.container(KEY, revision, "api", 0), "hostname", "-i")
        return {f"({each})" for each in said.split()}

    await _start(docker_runtime, "r1", 1, digests)
    for older, newer, number in (("r1", "rb", 2), ("rb", "ra", 3), ("ra", "rc", 4)):
        await _start(docker_runtime, newer, number, digests)
        said = await called()
        assert any(each in said for each in await addresses(older)), "nobody asks a release that does not serve yet"
        found, _ = await run_in(names.container(KEY, newer, "api", 0), *FETCH, ASK)
        assert found == 0, "what is new finds what goes on"
        await docker_runtime.remove(KEY, older)
        said = await called()
        assert any(each in said for each in await addresses(newer))


async def test_what_goes_on_answers_at_the_same_port_through_any_number_of_pushes(
    docker_runtime: DockerRuntime, engine: Engine, digests: Mapping[str, str], instance: str
) -> None:
    def shop(number: int) -> tuple[object, object]:
        return replace(API, edition="api"), replace(CLIENT, edition=f"client-{number}")

    await docker_runtime.start(release(KEY, "r0", *shop(0)), digests)  # type: ignore[arg-type]
    first = (await _settled(docker_runtime, "r0"))["api"]
    assert first.address
    async with _visited(first.address) as refused:
        for number in range(1, 4):
            await docker_runtime.start(release(KEY, f"r{number}", *shop(number)), digests)  # type: ignore[arg-type]
            assert (await _settled(docker_runtime, f"r{number}"))["api"] == first
            await docker_runtime.remove(KEY, f"r{number - 1}")
            assert [each.revision for each in (await docker_runtime.observe(KEY)).releases] == [f"r{number}"]
            assert (await docker_runtime.observe(KEY)).leftovers == 0
    assert refused == []
    # Its home, the network of the newest release, and no others.
    filters = {"label": f"previewbot.instance={instance}"}
    assert len(await engine.call(lambda client: client.networks(filters=filters))) == 2
    assert await docker_runtime.delete(KEY) == Removed(containers=2, networks=2)


@contextlib.asynccontextmanager
async def _visited(address: str) -> AsyncIterator[list[Exception]]:
    """Ask for a page again and again; yields what went wrong."""
    host, _, port = address.partition(":")
    refused: list[Exception] = []

    async def visit() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /passwd HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer:
            raise ConnectionError(answer)

    async def go_on() -> None:
        while True:
            try:
                await asyncio.wait_for(visit(), 5)
            except (OSError, TimeoutError) as error:
                refused.append(error)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(go_on())
    yield refused
    task.cancel()
    await asyncio.wait([task])


async def test_a_restart_of_previewbot_forgets_nothing_of_who_belongs_where(
    docker_runtime: DockerRuntime, engine: Engine, instance: str, digests: Mapping[str, str]
) -> None:
    before = await _start(docker_runtime, "r1", 1, digests)
    after = await _start(docker_runtime, "r2", 2, digests)
    assert after["client"] == before["client"]
    again = DockerRuntime(engine, instance=instance)
    assert (await again.observe(KEY)).releases == (
        Running("r1", (before["api"], before["client"])),
        Running("r2", (after["api"], after["client"])),
    )
    assert (await again.remove(KEY, "r1")).containers == 1
    again.close()
    assert (await docker_runtime.observe(KEY)).releases == (Running("r2", (after["api"], after["client"])),)


async def test_a_release_that_is_asked_for_again_takes_back_what_was_made_for_it(
    docker_runtime: DockerRuntime, digests: Mapping[str, str]
) -> None:
    first = await _start(docker_runtime, "r1", 1, digests)
    await _start(docker_runtime, "r2", 2, digests)
    await docker_runtime.remove(KEY, "r1")
    again = await _start(docker_runtime, "r1", 1, digests)
    assert again["client"] == first["client"]
    await docker_runtime.remove(KEY, "r2")
    assert await _settled(docker_runtime, "r1") == again
    assert await docker_runtime.remove(KEY, "r1") == Removed(containers=2, networks=1)
    assert (await docker_runtime.observe(KEY)).is_empty


async def test_other_limits_make_it_another_container(
    docker_runtime: DockerRuntime, engine: Engine, instance: str, digests: Mapping[str, str]
) -> None:
    before = await _start(docker_runtime, "r1", 1, digests)
    other = DockerRuntime(engine, instance=instance, limits=Limits(memory=64 * MIB))
    await other.observe(KEY)
    after = await _start(other, "r2", 1, digests)
    other.close()
    assert after["api"].address != before["api"].address
