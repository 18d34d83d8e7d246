"""Releases on a real engine: isolation, limits, replacement, trouble, and the end of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.engine import Engine
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.docker.limits import MIB, Limits
from previewbot.adapters.docker.runtime import DockerRuntime
from previewbot.core.blueprint import Health
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import Instance, InstanceState, Removed, Running, ServiceSpec
from tests.adapters.docker.conftest import Run
from tests.contract.test_builder import LOG, Told
from tests.fixtures.engine import BASE, CRASH, DEAF, SERVE, FolderSource, order, release, service

pytestmark = pytest.mark.engine

KEY = Key(7, 1)
OTHER = Key(7, 2)
WEB = service("web", SERVE, 8080)
CLIENT = service("client", DEAF)
FETCH = ("timeout", "3", "wget", "-O", "/dev/null")
STUBBORN = service("stubborn", ("sh", "-c", "trap '' TERM; while true; do sleep 1; done"))


async def _settled(runtime: DockerRuntime, key: Key = KEY, revision: str = "r1") -> tuple[Instance, ...]:
    async with asyncio.timeout(30):
        while True:
            running = (await runtime.observe(key)).release(revision)
            if running and running.instances:
                states = {each.state for each in running.instances}
                if InstanceState.STARTING not in states:
                    return running.instances
            await asyncio.sleep(0.02)


async def _inspect(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = await engine.call(lambda client: client.inspect_container(name))
    return found


async def test_siblings_find_each_other_by_name_in_their_own_release_only(
    docker_runtime: DockerRuntime, names: Names, digests: Mapping[str, str], run_in: Run
) -> None:
    for revision in ("r1", "r2"):
        await docker_runtime.start(release(KEY, revision, WEB, CLIENT), digests)
    for revision in ("r1", "r2"):
        await _settled(docker_runtime, KEY, revision)
        client = names.container(KEY, revision, "client", 0)
        code, _ = await run_in(client, *FETCH, "http://web:8080/passwd")
        assert code == 0
        _, address = await run_in(client, "sh", "-c", "ping -c 1 -W 1 web | head -1")
        _, own = await run_in(names.container(KEY, revision, "web", 0), "hostname", "-i")
        assert f"({own.strip()})" in address


async def test_environments_do_not_reach_each_other(
    *, docker_runtime: DockerRuntime, engine: Engine, names: Names, digests: Mapping[str, str], run_in: Run
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB, CLIENT), digests)
    await docker_runtime.start(release(OTHER, "r1", CLIENT), digests)
    (_, web) = await _settled(docker_runtime)
    networks = (await _inspect(engine, names.container(KEY, "r1", "web", 0)))["NetworkSettings"]["Networks"]
    (network,) = networks.values()
    stranger = names.container(OTHER, "r1", "client", 0)
    assert web.address == f"{network['IPAddress']}:8080"
    sibling = names.container(KEY, "r1", "client", 0)
    assert (await run_in(sibling, *FETCH, f"http://{web.address}/passwd"))[0] == 0
    code, said = await run_in(stranger, *FETCH, f"http://{web.address}/passwd")
    assert code != 0, said
    assert (await run_in(stranger, "ping", "-c", "1", "-W", "1", "web"))[0] != 0


async def test_every_limit_and_lock_is_on_the_container(
    *, docker_runtime: DockerRuntime, engine: Engine, names: Names, digests: Mapping[str, str], run_in: Run
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB), digests)
    name = names.container(KEY, "r1", "web", 0)
    found = await _inspect(engine, name)
    host = found["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
        512 * MIB,
        512 * MIB,
        1_000_000_000,
        256,
    )
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
    assert host["PortBindings"] is None
    _, status = await run_in(name, "grep", "-E", "CapEff|CapBnd|NoNewPrivs", "/proc/self/status")
    assert status.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert (await run_in(name, "sh", "-c", "echo $COLOUR"))[1] == "green\n"


async def test_where_its_bridges_are_elsewhere_the_engine_publishes_a_port_on_the_loopback_alone(
    *,
    monkeypatch: pytest.MonkeyPatch,
    docker_runtime: DockerRuntime,
    engine: Engine,
    names: Names,
    digests: Mapping[str, str],
    run_in: Run,
) -> None:
    monkeypatch.setattr("previewbot.adapters.docker.rooms.socket.if_nameindex", lambda: [(1, "lo"), (2, "docker0")])
    await docker_runtime.start(release(KEY, "r1", WEB, CLIENT), digests)
    (_, web) = await _settled(docker_runtime)
    found = await _inspect(engine, names.container(KEY, "r1", "web", 0))
    (bound,) = found["NetworkSettings"]["Ports"]["8080/tcp"]
    assert (bound["HostIp"], web.address) == ("127.0.0.1", f"127.0.0.1:{bound['HostPort']}")
    _, writer = await asyncio.open_connection("127.0.0.1", int(bound["HostPort"]))
    writer.close()
    (network,) = found["NetworkSettings"]["Networks"].values()
    outside = f"http://{network['Gateway']}:{bound['HostPort']}/passwd"
    assert (await run_in(names.container(KEY, "r1", "client", 0), *FETCH, outside))[0] != 0


async def test_a_program_that_ignores_the_request_to_end_is_ended_after_the_stop_time(
    docker_runtime: DockerRuntime, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", replace(STUBBORN, replicas=2)), digests)
    await _settled(docker_runtime)
    began = time.monotonic()
    assert await docker_runtime.delete(KEY) == Removed(containers=2, networks=1)
    assert time.monotonic() - began < 1 + 3


async def test_volumes_that_an_image_declares_go_with_the_release(
    *, docker_runtime: DockerRuntime, docker_builder: DockerBuilder, source: FolderSource, engine: Engine, instance: str
) -> None:
    source.commits = {"c1": {"Dockerfile": f"FROM {BASE}\nVOLUME /data /more\n"}}
    told = Told()
    await docker_builder.start(order("image-1", "c1"), log=LOG, finished=told)
    digest = (await told.only()).digest or ""
    await docker_runtime.start(release(KEY, "r1", CLIENT), {"base": digest})
    filters = {"label": f"previewbot.instance={instance}"}
    assert len((await engine.call(lambda client: client.volumes(filters=filters)))["Volumes"]) == 2
    assert (await docker_runtime.observe(KEY)).leftovers == 0
    assert await docker_runtime.remove(KEY, "r1") == Removed(containers=1, networks=1, volumes=2)
    assert not (await engine.call(lambda client: client.volumes(filters=filters)))["Volumes"]


async def test_a_program_writes_to_its_volume_whoever_its_image_says_and_a_folder_of_the_image_keeps_its_owner(
    docker_runtime: DockerRuntime, docker_builder: DockerBuilder, source: FolderSource, engine: Engine
) -> None:
    image = f"FROM {BASE}\nRUN mkdir -p /own && touch /own/x && chown 1234 /own\nUSER 1234\n"
    source.commits = {"c1": {"Dockerfile": image}}
    told = Told()
    await docker_builder.start(order("image-1", "c1"), log=LOG, finished=told)
    digest = (await told.only()).digest or ""
    write = (
        "sh",
        "-c",
        "echo word > /new/file && echo word > /own/file && stat -c %u /own && cat /new/file && sleep 99",
    )
    writer = replace(service("writer", write), volumes={"/new": "new", "/own": "own"})
    await docker_runtime.start(release(KEY, "r1", writer), {"base": digest})
    await _settled(docker_runtime)
    assert await docker_runtime.tail(KEY, "r1", "writer", lines=2) == ("1234", "word")


async def test_volumes_left_behind_by_somebody_else_are_seen_and_deleted(
    docker_runtime: DockerRuntime, engine: Engine, names: Names
) -> None:
    await engine.call(lambda client: client.create_volume(labels=names.labels(KEY, "r0")))
    observed = await docker_runtime.observe(KEY)
    assert (observed.releases, observed.leftovers, observed.is_empty) == ((), 1, False)
    assert KEY in await docker_runtime.keys()
    assert await docker_runtime.delete(KEY) == Removed(volumes=1)
    assert (await docker_runtime.observe(KEY)).is_empty


@pytest.mark.parametrize("kind", ["container", "network"])
async def test_a_foreign_thing_of_the_same_name_is_neither_adopted_nor_touched(
    *, kind: str, docker_runtime: DockerRuntime, engine: Engine, names: Names, digests: Mapping[str, str]
) -> None:
    name = names.container(KEY, "r1", "web", 0) if kind == "container" else names.network(KEY, "r1", 1)

    def make(client: docker.APIClient) -> str:
        made = client.create_container(BASE, name=name) if kind == "container" else client.create_network(name)
        return str(made["Id"])

    def find(client: docker.APIClient) -> str:
        found = client.inspect_container(name) if kind == "container" else client.inspect_network(name)
        return str(found["Id"])

    made = await engine.call(make)
    try:
        with pytest.raises(Refused, match="not previewbot's; it was not touched") as refused:
            await docker_runtime.start(release(KEY, "r1", WEB), digests)
        assert refused.value.reason == "runtime_refused"
        await docker_runtime.delete(KEY)
        assert (await docker_runtime.observe(KEY)).is_empty
        assert await engine.call(find) == made
    finally:
        remove = "remove_container" if kind == "container" else "remove_network"
        await engine.call(lambda client: getattr(client, remove)(made))


async def test_another_instance_on_the_same_engine_sees_and_deletes_nothing_of_ours(
    docker_runtime: DockerRuntime, engine: Engine, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB), digests)
    other = DockerRuntime(engine, instance="somebody-else")
    assert KEY not in await other.keys()
    assert await other.delete(KEY) == Removed()
    assert (await _settled(docker_runtime))[0].state is InstanceState.READY


async def test_after_a_restart_of_previewbot_what_was_ready_is_ready_at_first_sight(
    docker_runtime: DockerRuntime, engine: Engine, instance: str, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB, CLIENT), digests)
    before = await _settled(docker_runtime)
    again = DockerRuntime(engine, instance=instance)
    assert (await again.observe(KEY)).releases == (Running("r1", before),)
    again.close()


async def test_a_health_command_may_say_much_that_nobody_reads(
    docker_runtime: DockerRuntime, digests: Mapping[str, str]
) -> None:
    talks = Health(command=("sh", "-c", "yes | head -c 500000; test -e /tmp/up"), timeout=timedelta(seconds=20))
    rises = ("sh", "-c", "sleep 1; touch /tmp/up; sleep 1000")
    await docker_runtime.start(release(KEY, "r1", service("worker", rises, health=talks)), digests)
    (worker,) = await _settled(docker_runtime)
    assert worker.state is InstanceState.READY


async def test_while_events_are_heard_what_runs_is_seen_without_asking_and_its_death_is_seen_all_the_same(
    *,
    monkeypatch: pytest.MonkeyPatch,
    docker_runtime: DockerRuntime,
    engine: Engine,
    instance: str,
    names: Names,
    digests: Mapping[str, str],
    run_in: Run,
) -> None:
    asked: list[str] = []
    inspect = docker.APIClient.inspect_container

    def counted(client: docker.APIClient, container: str) -> object:
        asked.append(container)
        return inspect(client, container)

    monkeypatch.setattr(docker.APIClient, "inspect_container", counted)

    async def listen() -> None:
        async for _ in docker_runtime.changes():
            pass

    listening = asyncio.create_task(listen())
    await docker_runtime.start(release(KEY, "r1", WEB, CLIENT), digests)
    await _settled(docker_runtime)
    async with asyncio.timeout(20):
        while True:
            asked.clear()
            seen = await docker_runtime.observe(KEY)
            if not asked:
                break
    fresh = DockerRuntime(engine, instance=instance)
    assert await fresh.observe(KEY) == seen
    fresh.close()
    await run_in(names.container(KEY, "r1", "web", 0), "killall", "-9", "httpd")
    async with asyncio.timeout(20):
        while (await docker_runtime.observe(KEY)).releases[0].instances[-1].state is not InstanceState.STARTING:
            await asyncio.sleep(0.001)
    assert [each.state for each in await _settled(docker_runtime)] == [InstanceState.READY, InstanceState.READY]
    listening.cancel()
    await asyncio.wait([listening])


async def test_a_program_that_dies_after_it_was_ready_is_started_again_and_found_at_its_new_address(
    docker_runtime: DockerRuntime, names: Names, digests: Mapping[str, str], run_in: Run
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB), digests)
    await _settled(docker_runtime)
    await run_in(names.container(KEY, "r1", "web", 0), "killall", "-9", "httpd")
    states: list[InstanceState] = []
    async with asyncio.timeout(20):
        while states[-1:] != [InstanceState.READY] or InstanceState.STARTING not in states:
            states += [each.state for each in (await docker_runtime.observe(KEY)).releases[0].instances]
    assert InstanceState.FAILED not in states
    (web,) = await _settled(docker_runtime)
    host, _, port = (web.address or "").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()


async def test_a_container_that_somebody_stopped_is_no_instance_and_starting_brings_it_back(
    docker_runtime: DockerRuntime, engine: Engine, names: Names, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB), digests)
    await _settled(docker_runtime)
    await engine.call(lambda client: client.stop(names.container(KEY, "r1", "web", 0), timeout=0))
    assert (await docker_runtime.observe(KEY)).releases == (Running("r1", ()),)
    await docker_runtime.start(release(KEY, "r1", WEB), digests)
    assert (await _settled(docker_runtime))[0].state is InstanceState.READY


async def test_a_program_that_wants_too_much_memory_fails_for_that_reason(
    engine: Engine, instance: str, digests: Mapping[str, str], docker_runtime: DockerRuntime
) -> None:
    runtime = DockerRuntime(engine, instance=instance, limits=Limits(memory=16 * MIB))
    greedy = service("greedy", ("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"))
    await runtime.start(release(KEY, "r1", greedy), digests)
    (found,) = await _settled(runtime)
    assert found.state is InstanceState.FAILED
    assert (found.detail or "").startswith("was killed: out of memory (limit 16 MiB), 3 times in ")
    runtime.close()


@pytest.mark.parametrize(("reference", "kind"), [("localhost:1/nothing:7", Transient), ("Not A Name", Refused)])
async def test_an_image_that_cannot_be_pulled_is_told_by_its_name(
    docker_runtime: DockerRuntime, digests: Mapping[str, str], reference: str, kind: type[Exception]
) -> None:
    unavailable = replace(WEB, build=None, image=reference)
    with pytest.raises(kind, match=f"The image `{reference}` cannot be pulled") as told:
        await docker_runtime.start(release(KEY, "r1", unavailable), digests)
    assert not isinstance(told.value, Refused) or told.value.reason == "image_unavailable"


async def test_an_image_that_is_there_is_run_by_its_name_without_a_pull(
    docker_runtime: DockerRuntime, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", replace(WEB, build=None, image=BASE)), {})
    assert (await _settled(docker_runtime))[0].state is InstanceState.READY


async def test_what_the_engine_cannot_run_at_all_is_refused_with_the_service_and_its_words(
    engine: Engine, instance: str, digests: Mapping[str, str], docker_runtime: DockerRuntime
) -> None:
    runtime = DockerRuntime(engine, instance=instance, limits=Limits(runtime="no-such-runtime"))
    with pytest.raises(Refused, match="no-such-runtime"):
        await runtime.start(release(KEY, "r1", WEB), digests)
    runtime.close()


async def test_the_failed_one_of_several_replicas_is_the_one_that_speaks(
    docker_runtime: DockerRuntime, names: Names, digests: Mapping[str, str]
) -> None:
    crash: ServiceSpec = service("api", CRASH, 8080)
    await docker_runtime.start(release(KEY, "r1", crash), digests)
    await _settled(docker_runtime)
    assert list(await docker_runtime.tail(KEY, "r1", "api", lines=2)) == ["first words"] * 2
    assert list(await docker_runtime.tail(KEY, "r1", "web", lines=2)) == []


async def test_a_removal_that_was_cut_off_is_finished_by_the_next(
    docker_runtime: DockerRuntime, engine: Engine, names: Names, digests: Mapping[str, str]
) -> None:
    await docker_runtime.start(release(KEY, "r1", WEB, STUBBORN), digests)
    removal = asyncio.create_task(docker_runtime.remove(KEY, "r1"))
    await asyncio.sleep(0.3)
    removal.cancel()
    await asyncio.wait([removal])
    await docker_runtime.remove(KEY, "r1")
    assert (await docker_runtime.observe(KEY)).is_empty
    with pytest.raises(NotFound):
        await _inspect(engine, names.container(KEY, "r1", "stubborn", 0))
