"""What every runtime keeps to: the one in memory, a real Docker engine and a real Kubernetes alike."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from itertools import count

import pytest

from previewbot.adapters.kubernetes import KubernetesRuntime
from previewbot.core.blueprint import Concurrency, Health, Kind, Schedule
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import HookPoint, Instance, InstanceState, ReleaseSpec, Removed, Running, ServiceSpec
from previewbot.ports import Runtime
from tests.fakes.runtime import Behaviour, FakeRuntime
from tests.fixtures.engine import BASE, CRASH, DEAF, SERVE, release, service
from tests.fixtures.kubernetes import Rig

_numbers = count(1)
_IMPATIENT = Health(timeout=timedelta(seconds=1))


def _like_busybox(spec: ServiceSpec) -> Behaviour:
    if spec.command == CRASH:
        return Behaviour(InstanceState.FAILED, "exits with code 3, 3 times in 1 s", ("first words",) * 3)
    if spec.command == DEAF and spec.kind is Kind.JOB:
        return Behaviour(InstanceState.FAILED, "did not end within 1 s")
    if spec.command == DEAF and spec.port:
        return Behaviour(InstanceState.FAILED, f"does not listen on port {spec.port} after 1 s")
    if spec.command == _ENDLESS:
        return Behaviour(InstanceState.FAILED, "did not end within 3 s", (str(uuid.uuid4()),))
    if spec.command == _NEVER_THE_SAME:
        return Behaviour(says=(str(uuid.uuid4()),))
    if spec.command == _LONG_LINES:
        return Behaviour(says=tuple(f"{number:01500d}" for number in range(1000)))
    return Behaviour()


_NEVER_THE_SAME = ("cat", "/proc/sys/kernel/random/uuid")
_ENDLESS = ("sh", "-c", "while :; do cat /proc/sys/kernel/random/uuid; sleep 0.1; done")
_LONG_LINES = ("sh", "-c", 'n=0; while [ $n -lt 1000 ]; do printf "%01500d\\n" $n; n=$((n+1)); done')
_ON_DOCKER = pytest.param("docker", marks=pytest.mark.engine)
_ON_KUBERNETES = pytest.param("kubernetes", marks=pytest.mark.cluster)


@pytest.fixture(params=["fake", _ON_DOCKER, _ON_KUBERNETES])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "fake":
        return FakeRuntime(_like_busybox)
    if request.param == "kubernetes":
        rig: Rig = request.getfixturevalue("kubernetes")
        return rig.runtime
    found: Runtime = request.getfixturevalue("docker_runtime")
    return found


@pytest.fixture
def digests(runtime: Runtime, request: pytest.FixtureRequest) -> dict[str, str]:
    if isinstance(runtime, FakeRuntime):
        return {"base": "sha256:1"}
    return {"base": BASE if isinstance(runtime, KubernetesRuntime) else request.getfixturevalue("base_image")}


@pytest.fixture
def key() -> Key:
    return Key(7, next(_numbers))


WEB = service("web", SERVE, 8080)


async def _settled(runtime: Runtime, key: Key, revision: str) -> tuple[Instance, ...]:
    """Wait until nothing of a release is starting any more."""
    async with asyncio.timeout(40):
        while True:
            running = (await runtime.observe(key)).release(revision)
            if running and all(each.state is not InstanceState.STARTING for each in running.instances):
                return running.instances
            await asyncio.sleep(0.02)


async def _gone(runtime: Runtime, key: Key) -> None:
    """Wait until nothing of an environment is left; no runtime needs to be asked twice."""
    async with asyncio.timeout(40):
        while not (await runtime.observe(key)).is_empty:
            await asyncio.sleep(0.02)


async def test_an_environment_that_never_was_is_empty_and_removing_it_removes_nothing(
    runtime: Runtime, key: Key
) -> None:
    assert (await runtime.observe(key)).is_empty
    assert key not in await runtime.keys()
    assert await runtime.remove(key, "r1") == Removed()
    assert await runtime.delete(key) == Removed()
    assert await runtime.tail(key, "r1", "web", lines=3) in ((), [])


async def test_a_started_service_becomes_ready_at_an_address_for_the_front_door(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", WEB), digests)
    (web,) = await _settled(runtime, key, "r1")
    assert (web.service, web.index, web.state) == ("web", 0, InstanceState.READY)
    assert web.address
    host, _, port = web.address.rpartition(":")
    assert host == "web-r1" or ip_address(host).is_private
    assert port == "8080" or ip_address(host).is_loopback
    assert key in await runtime.keys()


async def test_a_service_without_a_port_becomes_ready_without_an_address(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", service("worker", DEAF)), digests)
    (worker,) = await _settled(runtime, key, "r1")
    assert (worker.state, worker.address) == (InstanceState.READY, None)


async def test_starting_again_changes_nothing(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    spec = release(key, "r1", WEB)
    await runtime.start(spec, digests)
    before = await _settled(runtime, key, "r1")
    await asyncio.gather(runtime.start(spec, digests), runtime.start(spec, digests))
    assert await _settled(runtime, key, "r1") == before


async def test_each_replica_is_an_instance_that_its_address_reaches(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", service("web", SERVE, 8080, replicas=3)), digests)
    found = await _settled(runtime, key, "r1")
    assert [each.index for each in found] == [0, 1, 2]
    shared = isinstance(runtime, KubernetesRuntime)
    assert len({each.address for each in found}) == (1 if shared else 3)


async def test_what_is_laid_runs_when_it_is_asked_once_under_each_name(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    bye = replace(service("hook.destroy", ("echo", "bye"), kind=Kind.JOB), hook=HookPoint.DESTROY)
    await runtime.start(release(key, "r1", WEB, bye), digests)
    found = await _settled(runtime, key, "r1")
    assert [(each.service, each.state) for each in found] == [
        ("hook.destroy", InstanceState.LAID),
        ("web", InstanceState.READY),
    ]
    for name in ("one", "two", "one"):
        await runtime.run(key, "r1", "hook.destroy", name)
    async with asyncio.timeout(40):
        while True:
            running = (await runtime.observe(key)).release("r1")
            if running and [each.state for each in running.runs] == [InstanceState.DONE] * 2:
                break
            await asyncio.sleep(0.02)
    assert [(each.service, each.name) for each in running.runs] == [("hook.destroy", "one"), ("hook.destroy", "two")]
    assert running.instances == found
    if not isinstance(runtime, FakeRuntime):
        assert await runtime.tail(key, "r1", "hook.destroy", lines=1) == ("bye",)
    await runtime.end_run(key, "r1", "hook.destroy", "one")
    await runtime.end_run(key, "r1", "hook.destroy", "never")
    running = (await runtime.observe(key)).release("r1")
    assert running
    assert [each.name for each in running.runs] == ["two"]
    with pytest.raises(Refused):
        await runtime.run(key, "r1", "web", "one")
    await runtime.remove(key, "r1")
    assert (await runtime.observe(key)).release("r1") is None


async def test_of_several_runs_each_is_heard_by_its_name_until_it_is_taken_away(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    job = service("restock", _NEVER_THE_SAME, kind=Kind.JOB)
    await runtime.start(release(key, "r1", job), digests)
    await _settled(runtime, key, "r1")
    for name in ("one", "two"):
        await runtime.run(key, "r1", "restock", name)
    async with asyncio.timeout(40):
        while True:
            running = (await runtime.observe(key)).release("r1")
            if running and [each.state for each in running.runs] == [InstanceState.DONE] * 2:
                break
            await asyncio.sleep(0.02)
    one = await runtime.tail(key, "r1", "restock", lines=9, run="one")
    two = await runtime.tail(key, "r1", "restock", lines=9, run="two")
    assert (len(one), len(two)) == (1, 1)
    assert one != two
    assert await runtime.tail(key, "r1", "restock", lines=9, run="one") == one
    assert list(await runtime.tail(key, "r1", "restock", lines=9, run="three")) == []
    await runtime.end_run(key, "r1", "restock", "one")
    async with asyncio.timeout(40):
        while await runtime.tail(key, "r1", "restock", lines=9, run="one"):
            await asyncio.sleep(0.1)
    assert await runtime.tail(key, "r1", "restock", lines=9, run="two") == two


async def test_of_many_long_lines_the_last_is_heard(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    await runtime.start(release(key, "r1", _hook("hook.release", _LONG_LINES)), digests)
    (job,) = await _settled(runtime, key, "r1")
    assert job.state is InstanceState.DONE
    said = await runtime.tail(key, "r1", "hook.release", lines=1000)
    assert said[-1] == f"{999:01500d}"
    assert len(said) > 100
    assert {len(each) for each in said} == {1500}


async def test_a_cron_service_is_laid_with_its_timetable(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    schedule = Schedule("*/5 8-18 * * MON-FRI", "Europe/Berlin", Concurrency.REPLACE, 5, enabled=False)
    nightly = replace(service("nightly", ("echo", "x"), kind=Kind.CRON), schedule=schedule)
    await runtime.start(release(key, "r1", nightly), digests)
    (laid,) = await _settled(runtime, key, "r1")
    assert (laid.state, laid.schedule) == (InstanceState.LAID, schedule)


async def test_only_the_services_asked_for_are_started(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    spec = release(key, "r1", WEB, service("worker", DEAF))
    await runtime.start(spec, digests, {"worker"})
    assert [each.service for each in await _settled(runtime, key, "r1")] == ["worker"]
    await runtime.start(spec, digests, {"web"})
    assert [each.service for each in await _settled(runtime, key, "r1")] == ["web", "worker"]


def _hook(name: str, command: tuple[str, ...], health: Health = Health()) -> ServiceSpec:  # noqa: B008 - frozen
    return replace(service(name, command, health=health, kind=Kind.JOB), hook=HookPoint.RELEASE)


async def test_a_job_runs_to_its_end_and_is_never_run_again(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    spec = release(key, "r1", _hook("hook.release", ("echo", "migrated")))
    await runtime.start(spec, digests)
    (job,) = await _settled(runtime, key, "r1")
    assert (job.service, job.state) == ("hook.release", InstanceState.DONE)
    said = await runtime.tail(key, "r1", "hook.release", lines=5)
    await runtime.start(spec, digests)
    assert await _settled(runtime, key, "r1") == (job,)
    assert await runtime.tail(key, "r1", "hook.release", lines=5) == said
    await runtime.remove(key, "r1")
    assert (await runtime.observe(key)).release("r1") is None


async def test_a_job_that_ends_badly_has_failed_with_its_last_words(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", _hook("hook.release", CRASH)), digests)
    (job,) = await _settled(runtime, key, "r1")
    assert job.state is InstanceState.FAILED
    assert (job.detail or "").startswith("exits with code 3")
    assert (await runtime.tail(key, "r1", "hook.release", lines=1))[0] == "first words"


async def test_a_job_whose_time_is_up_has_failed(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    await runtime.start(release(key, "r1", _hook("hook.release", DEAF, _IMPATIENT)), digests)
    (job,) = await _settled(runtime, key, "r1")
    assert (job.state, job.detail) == (InstanceState.FAILED, "did not end within 1 s")


async def test_a_run_whose_time_is_up_is_ended_and_keeps_what_it_said(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    patient = Health(timeout=timedelta(seconds=3))
    await runtime.start(release(key, "r1", service("restock", _ENDLESS, health=patient, kind=Kind.JOB)), digests)
    await _settled(runtime, key, "r1")
    await runtime.run(key, "r1", "restock", "one")
    async with asyncio.timeout(40):
        while True:
            running = (await runtime.observe(key)).release("r1")
            if running and [each.state for each in running.runs] == [InstanceState.FAILED]:
                break
            await asyncio.sleep(0.02)
    assert running.runs[0].detail == "did not end within 3 s"
    said = await runtime.tail(key, "r1", "restock", lines=1, run="one")
    assert said
    await asyncio.sleep(0.5)
    assert await runtime.tail(key, "r1", "restock", lines=1, run="one") == said, (
        "it has ended, and is not only given up"
    )
    await runtime.start(release(key, "r1", service("restock", _ENDLESS, health=patient, kind=Kind.JOB)), digests)
    running = (await runtime.observe(key)).release("r1")
    assert running
    assert [each.state for each in running.runs] == [InstanceState.FAILED], "nothing begins it again"


async def test_a_health_command_decides_when_a_service_is_ready(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    rises = ("sh", "-c", "sleep 1; touch /tmp/up; sleep 1000")
    health = Health(command=("test", "-e", "/tmp/up"), timeout=timedelta(seconds=20))
    await runtime.start(release(key, "r1", service("worker", rises, health=health)), digests)
    (worker,) = await _settled(runtime, key, "r1")
    assert worker.state is InstanceState.READY


async def test_secret_variables_reach_the_service_that_they_are_for_and_no_other(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    say = ("sh", "-c", "echo token=$TOKEN; sleep 1000")
    spec = release(key, "r1", service("one", say), service("two", say))
    await runtime.start(spec, digests, sealed={"one": {"TOKEN": "a$(b) ${c}"}})
    await _settled(runtime, key, "r1")
    if isinstance(runtime, FakeRuntime):
        assert runtime.sealed(key, "r1") == {"one": {"TOKEN": "a$(b) ${c}"}}
    else:
        assert await runtime.tail(key, "r1", "one", lines=1) == ("token=a$(b) ${c}",)
        assert await runtime.tail(key, "r1", "two", lines=1) == ("token=",)


def _server(key: Key, revision: str, word: str) -> ReleaseSpec:
    """A resource: it writes down the word it was made with, once, and says what is written down."""
    script = f"test -e /data/word || echo {word} > /data/word; cat /data/word; {' '.join(SERVE)}"
    server = service("db", (script,), 8080)
    server = replace(server, entrypoint=("sh", "-c"), volumes={"/data": "db-1"}, user=999)
    return replace(release(key, revision, server), resource="db")


async def test_a_resource_is_told_from_releases_and_its_data_outlives_it(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(_server(key, "db-aaaa", "first"), digests)
    await _settled(runtime, key, "db-aaaa")
    observed = await runtime.observe(key)
    assert [(each.revision, each.resource) for each in observed.releases] == [("db-aaaa", "db")]
    assert observed.volumes == {"db-1"}
    with pytest.raises(Transient):
        await runtime.remove_volumes(key, {"db-1"})
    await runtime.remove(key, "db-aaaa")
    await _absent(runtime, key, "db-aaaa")
    await runtime.start(_server(key, "db-bbbb", "second"), digests)
    await _settled(runtime, key, "db-bbbb")
    if not isinstance(runtime, FakeRuntime):
        assert await runtime.tail(key, "db-bbbb", "db", lines=1) == ("first",)
    await runtime.remove(key, "db-bbbb")
    await _absent(runtime, key, "db-bbbb")
    assert (await runtime.remove_volumes(key, {"db-1", "never"})).volumes == 1
    assert (await runtime.observe(key)).volumes == frozenset()


async def _absent(runtime: Runtime, key: Key, revision: str) -> None:
    async with asyncio.timeout(40):
        while (await runtime.observe(key)).release(revision):
            await asyncio.sleep(0.02)


async def test_what_is_not_root_writes_to_its_volumes_and_finds_it_again_in_the_next_release(
    runtime: Runtime, key: Key, digests: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if "docker" in request.node.callspec.params.values():
        digests = {"base": request.getfixturevalue("unprivileged_image")}
    say = ("sh", "-c", "id -u >> /var/deep/uploads/who && cat /var/deep/uploads/who; sleep 1000")
    web = replace(service("web", say), volumes={"/var/deep/uploads": "uploads"})
    for revision, lines in (("r1", 1), ("r2", 2)):
        await runtime.start(release(key, revision, web), digests)
        await _settled(runtime, key, revision)
        if not isinstance(runtime, FakeRuntime):
            assert await runtime.tail(key, revision, "web", lines=3) == ("10001",) * lines
        assert (await runtime.observe(key)).volumes == {"uploads"}
        await runtime.remove(key, revision)
        await _absent(runtime, key, revision)


async def test_a_service_reaches_a_resource_that_it_needs_by_its_name(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    # Asked before the way to it was open, a first try may wait for an answer that never comes.
    ask = ("sh", "-c", "until timeout 3 wget -qO- http://db:8080/hostname; do sleep 0.2; done; sleep 1000")
    await runtime.start(_server(key, "db-aaaa", "x"), digests)
    await runtime.start(release(key, "r1", replace(service("web", ask), needs=("db",))), digests)
    async with asyncio.timeout(40):
        while not isinstance(runtime, FakeRuntime) and not any(
            "db" in line for line in await runtime.tail(key, "r1", "web", lines=1)
        ):
            await asyncio.sleep(0.1)
    removed = await runtime.delete(key)
    await _gone(runtime, key)
    assert removed.total >= 1


async def test_two_releases_run_side_by_side_and_removing_one_leaves_the_other(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await asyncio.gather(*(runtime.start(release(key, revision, WEB), digests) for revision in ("r1", "r2")))
    kept = await _settled(runtime, key, "r2")
    await _settled(runtime, key, "r1")
    assert (await runtime.remove(key, "r1")).containers == 1
    assert (await runtime.observe(key)).releases == (Running("r2", kept),)
    assert await runtime.remove(key, "r1") == Removed()


def _of(edition: str, spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, edition=edition)


async def test_what_is_the_same_in_a_newer_release_may_go_on_and_the_end_of_the_older_one_does_not_touch_it(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    keeps = not isinstance(runtime, KubernetesRuntime)
    api, web = _of("api-1", service("api", SERVE, 8080, replicas=2)), _of("web-1", WEB)
    await runtime.start(release(key, "r1", api, web), digests)
    before = await _settled(runtime, key, "r1")
    async with _listening(runtime) as heard:
        await runtime.start(release(key, "r2", api), digests)
        await _until(lambda: key in heard)
    await runtime.start(release(key, "r2", api, _of("web-2", WEB)), digests)
    after = await _settled(runtime, key, "r2")
    assert [each.service for each in after] == ["api", "api", "web"]
    if keeps:
        assert after[:2] == before[:2]
    assert after[2].address != before[2].address
    assert (await runtime.observe(key)).release("r1") == Running("r1", before)
    assert (await runtime.remove(key, "r1")).containers == (1 if keeps else 3)
    assert (await runtime.observe(key)).releases == (Running("r2", after),)
    assert await runtime.remove(key, "r1") == Removed()
    assert (await runtime.remove(key, "r2")).containers == 3
    await _absent(runtime, key, "r2")


async def test_a_newer_release_that_is_given_up_leaves_what_it_shared_to_the_older_one(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    api, web = _of("api-1", service("api", SERVE, 8080)), _of("web-1", WEB)
    await runtime.start(release(key, "r1", api, web), digests)
    before = await _settled(runtime, key, "r1")
    await runtime.start(release(key, "r2", api, web), digests)
    await _settled(runtime, key, "r2")
    await runtime.remove(key, "r2")
    await _absent(runtime, key, "r2")
    assert (await runtime.observe(key)).releases == (Running("r1", before),)
    await runtime.delete(key)
    await _gone(runtime, key)


async def test_what_goes_on_joins_a_release_while_that_is_only_prepared(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    api, web = _of("api-1", service("api", SERVE, 8080)), _of("web-1", WEB)
    await runtime.start(release(key, "r1", api, web), digests)
    before = await _settled(runtime, key, "r1")
    await runtime.prepare(key, "r2", (api, _of("web-2", WEB), service("other", DEAF)))
    prepared = (await runtime.observe(key)).release("r2")
    keeps = not isinstance(runtime, KubernetesRuntime)
    assert prepared == Running("r2", before[:1], is_joined=True) if keeps else not prepared
    await runtime.remove(key, "r2")
    assert (await runtime.observe(key)).releases == (Running("r1", before),)


async def test_what_is_not_well_does_not_go_on(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    bad = _of("api-1", service("api", CRASH, 8080))
    await runtime.start(release(key, "r1", bad), digests)
    await _settled(runtime, key, "r1")
    await runtime.start(release(key, "r2", bad), digests)
    await _settled(runtime, key, "r2")
    assert (await runtime.remove(key, "r1")).containers == 1
    assert [each.revision for each in (await runtime.observe(key)).releases] == ["r2"]


async def test_what_is_prepared_is_no_instance_and_is_gone_with_its_environment(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.prepare(key, "r1")
    await runtime.prepare(key, "r1")
    seen = await runtime.observe(key)
    assert seen.remains
    assert not [each for release in seen.releases for each in release.instances]
    assert key in await runtime.keys()
    removed = await runtime.remove(key, "r1") + await runtime.delete(key)
    assert (removed.total, removed.containers) == (1, 0)
    await _gone(runtime, key)


async def test_a_service_that_keeps_exiting_fails_with_its_code_and_its_last_words(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", service("api", CRASH, 8080)), digests)
    (api,) = await _settled(runtime, key, "r1")
    assert api.state is InstanceState.FAILED
    assert api.detail
    assert re.match(r"exits with code 3, [23] times in \d+ s", api.detail)
    assert (await runtime.tail(key, "r1", "api", lines=1))[-1] == "first words"


async def test_a_service_that_never_listens_fails_when_its_time_is_up(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    await runtime.start(release(key, "r1", service("web", DEAF, 8080, health=_IMPATIENT)), digests)
    (web,) = await _settled(runtime, key, "r1")
    assert (web.state, web.detail) == (InstanceState.FAILED, "does not listen on port 8080 after 1 s")


async def test_deleting_takes_every_release_of_one_environment_and_nothing_of_another(
    runtime: Runtime, key: Key, digests: dict[str, str]
) -> None:
    other = Key(8, key.number)
    await asyncio.gather(
        runtime.start(release(key, "r1", WEB, service("worker", DEAF)), digests),
        runtime.start(release(other, "r1", WEB), digests),
        runtime.prepare(key, "r2"),
    )
    assert (await runtime.delete(key)).containers == 2
    assert await runtime.delete(key) == Removed()
    await _gone(runtime, key)
    assert await runtime.keys() == {other}
    (web,) = await _settled(runtime, other, "r1")
    assert web.state is InstanceState.READY


async def test_two_deletions_at_once_count_each_thing_once(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    await runtime.start(release(key, "r1", WEB), digests)
    removed = await asyncio.gather(runtime.delete(key), runtime.delete(key))
    both = removed[0] + removed[1]
    assert (both.containers, both.networks + both.namespaces) == (1, 1)


async def test_changes_name_the_environment_that_changed(runtime: Runtime, key: Key, digests: dict[str, str]) -> None:
    async with _listening(runtime) as heard:
        await runtime.start(release(key, "r1", WEB), digests)
        await _settled(runtime, key, "r1")
        await _until(lambda: key in heard)
        heard.clear()
        await runtime.delete(key)
        await _until(lambda: key in heard)


@contextlib.asynccontextmanager
async def _listening(runtime: Runtime) -> AsyncIterator[list[Key]]:
    heard: list[Key] = []

    async def listen() -> None:
        async for key in runtime.changes():
            heard.append(key)  # noqa: PERF401 - one by one, as they come

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    yield heard
    task.cancel()
    await asyncio.wait([task])


async def _until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


async def test_the_engine_describes_itself_in_a_line(runtime: Runtime) -> None:
    assert len((await runtime.check()).splitlines()) == 1
