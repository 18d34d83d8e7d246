"""The copy of the cluster in bad weather: cut streams, forgotten versions, an API server that goes away and returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, INGRESS, NAMESPACE, POLICY, QUOTA, SERVICE, is_ending
from previewbot.adapters.kubernetes.names import INSTANCE, KEY, MANAGED_BY, SEAL
from previewbot.core.errors import Transient
from previewbot.core.ids import Key
from tests.fixtures.engine import SERVE, release, service
from tests.fixtures.kubernetes import OPTIONS, Rig, Weather, rig, weather

pytestmark = pytest.mark.cluster

_numbers = count(1)
_DIGESTS = {"base": "localhost/none@sha256:" + "0" * 64}
WEB = service("web", SERVE, 8080)


@pytest.fixture
def key() -> Key:
    return Key(12, next(_numbers))


@pytest.fixture
async def stormy(kubeconfig: Path, instance: str, tmp_path: Path) -> AsyncIterator[tuple[Rig, Weather]]:
    """The adapters, behind a proxy that can be told to misbehave."""
    async with weather(kubeconfig, tmp_path) as (sky, file), rig(file, instance, OPTIONS) as made:
        await made.mirror.ready()
        try:
            yield made, sky
        finally:
            sky.is_away, sky.delay = False, 0.0
            sky.answers.clear()


async def test_looking_costs_no_request(stormy: tuple[Rig, Weather], key: Key) -> None:
    made, sky = stormy
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    await made.until(lambda seen: seen.releases and seen.releases[0].instances, key)
    before = len(sky.calls)
    for _ in range(50):
        await made.runtime.observe(key)
        await made.front_door.observe(key)
        await made.runtime.keys()
    assert len(sky.calls) - before <= 2, "a watch may have begun anew, nothing else"


async def test_opening_one_more_costs_one_write_for_each_of_its_things_however_many_there_are(
    stormy: tuple[Rig, Weather],
) -> None:
    made, sky = stormy
    spent: list[int] = []
    keys = [Key(12, next(_numbers)) for _ in range(4)]
    for each in keys:
        before = len(_asked(sky))
        await made.runtime.prepare(each, "r1")
        await made.runtime.start(release(each, "r1", WEB), _DIGESTS)
        await made.front_door.route(each, {f"pr-{each.number}.test": ("web-r1:8080",)})
        spent.append(len(_asked(sky)) - before)
    namespace, fence, seal, service, deployment, route = 1, 8, 1, 1, 1, 1
    assert spent == [namespace + fence + seal + service + deployment + route] * 4
    await made.until(lambda seen: seen.releases[0].instances, keys[-1])
    before = len(_asked(sky))
    for each in keys:
        assert (await made.runtime.observe(each)).releases
        assert await made.front_door.observe(each)
    assert len(_asked(sky)) == before, "looking at all of them asks nothing"


def _asked(sky: Weather) -> list[tuple[str, str]]:
    """All requests but the watches, of which there is one for each kind."""
    return [call for call in sky.calls if "watch=" not in call[1]]


async def test_starting_again_what_is_there_writes_nothing(stormy: tuple[Rig, Weather], key: Key) -> None:
    made, sky = stormy
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    before = len(sky.calls)
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    assert not [call for call in sky.calls[before:] if call[0] != "GET"]


async def test_streams_that_are_cut_are_taken_up_where_they_were(
    stormy: tuple[Rig, Weather], kubernetes: Rig, key: Key
) -> None:
    made, sky = stormy
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    for replicas in (2, 3):
        sky.cut()
        namespace = await made.namespace(key)
        await kubernetes.patch(DEPLOYMENT, namespace, "web-r1", {"spec": {"replicas": replicas}})
        await made.until(lambda seen, n=replicas: len(seen.releases[0].instances) == n, key)  # type: ignore[misc]
    lists = [
        path for method, path in sky.calls if path.startswith("/apis/apps/v1/deployments?") and "watch=" not in path
    ]
    assert len(lists) == 1, "a cut stream needs no new list"


async def test_a_version_that_the_server_forgot_means_listing_again(
    stormy: tuple[Rig, Weather], kubernetes: Rig, key: Key
) -> None:
    made, sky = stormy
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    for _ in range(2):
        sky.answer("GET", "/apis/apps/v1/deployments?watch", 410)
    sky.cut()
    await made.until(lambda seen: not sky.answers, key)
    namespace = await made.namespace(key)
    await kubernetes.patch(DEPLOYMENT, namespace, "web-r1", {"spec": {"replicas": 3}})
    await made.until(lambda seen: len(seen.releases[0].instances) == 3, key)


async def test_while_the_api_is_away_nothing_is_decided_and_then_all_is_known(
    stormy: tuple[Rig, Weather], kubernetes: Rig, key: Key
) -> None:
    made, sky = stormy
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    namespace = await made.namespace(key)
    sky.is_away = True
    sky.cut()
    await asyncio.sleep(0.5)
    with pytest.raises(Transient, match="does not answer"):
        async with asyncio.timeout(30):
            await made.runtime.observe(key)
    with pytest.raises(Transient, match="does not answer"):
        await made.runtime.check()
    await kubernetes.patch(DEPLOYMENT, namespace, "web-r1", {"spec": {"replicas": 4}})
    heard: list[Key] = []

    async def listen() -> None:
        async for each in made.runtime.changes():
            heard.append(each)  # noqa: PERF401 - one by one, as they come

    listening = asyncio.create_task(listen())
    sky.is_away = False
    await made.until(lambda seen: len(seen.releases[0].instances) == 4, key)
    listening.cancel()
    assert key in heard, "what changed meanwhile wakes its environment"


@pytest.mark.parametrize(
    "status",
    [429, 500],
)
async def test_a_write_that_fails_for_now_is_tried_again_and_ends_right(
    stormy: tuple[Rig, Weather], key: Key, status: int
) -> None:
    made, sky = stormy
    sky.answer("PATCH", "/deployments/web-r1", status, **{"Retry-After": "3"})
    with pytest.raises(Transient, match="cannot write the Deployment") as raised:
        await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    if status == 429:
        assert raised.value.retry_after
        assert raised.value.retry_after.total_seconds() == 3
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    assert (await made.until(lambda seen: seen.releases[0].instances, key)).releases[0].instances


async def test_a_write_that_meets_another_one_is_nobody_elses_trouble(stormy: tuple[Rig, Weather], key: Key) -> None:
    made, sky = stormy
    sky.answer("PATCH", "/deployments/web-r1", 409)
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    assert made.mirror.find(DEPLOYMENT, await made.namespace(key), "web-r1")


async def test_a_slow_api_is_waited_for(stormy: tuple[Rig, Weather], key: Key) -> None:
    made, sky = stormy
    sky.delay = 0.5
    await made.runtime.start(release(key, "r1", WEB), _DIGESTS)
    assert made.mirror.find(DEPLOYMENT, await made.namespace(key), "web-r1")


STRANGERS: dict[str, tuple[str, ...]] = {
    "somebody else's": (),
    "a thief with all labels but the key": (MANAGED_BY, INSTANCE),
    "a thief with all labels but the instance": (MANAGED_BY, KEY),
    "a thief with the key alone": (KEY,),
}
"""Which of our labels a namespace of our name carries."""


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_namespace_that_is_not_ours_is_never_touched(kubernetes: Rig, key: Key, stranger: str) -> None:
    """The next name is taken instead; somebody who copies only some of our labels is none of ours either."""
    (first, *_) = kubernetes.names.namespaces(key)
    labels = {"team": "payments"} | {name: kubernetes.names.labels(key)[name] for name in STRANGERS[stranger]}
    foreign = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": first, "labels": labels}}
    made = await kubernetes.api.create(foreign)
    assert made
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs", "namespace": first}}
    theirs = await kubernetes.api.create({**service, "spec": {"ports": [{"port": 80}]}})
    try:
        await kubernetes.runtime.start(release(key, "r1", WEB), _DIGESTS)
        await kubernetes.front_door.route(key, {f"pr-{key.number}.test": ("web-r1:8080",)})
        assert await kubernetes.namespace(key) == f"{first}-2"
        await kubernetes.runtime.delete(key)
        await kubernetes.until(lambda seen: seen.is_empty, key)
        for kind in (DEPLOYMENT, POLICY, QUOTA, INGRESS):
            assert not (await kubernetes.api.list(kind, first)).things
        assert await kubernetes.api.get(SERVICE, first, "theirs") == theirs
        after = await kubernetes.api.get(NAMESPACE, None, first)
        assert after
        assert after["metadata"]["uid"] == made["metadata"]["uid"]
        assert not is_ending(after)
        assert after["metadata"]["labels"].items() >= labels.items()
        assert SEAL not in (after["metadata"].get("annotations") or {})
    finally:
        await kubernetes.api.delete(made)


async def test_a_pull_request_that_comes_back_gets_a_namespace_of_a_new_generation_at_once(
    kubernetes: Rig, key: Key
) -> None:
    await kubernetes.runtime.start(release(key, "r1", WEB), _DIGESTS)
    first = await kubernetes.namespace(key)
    hold = {"metadata": {"finalizers": ["previewbot.dev/test"]}}
    await kubernetes.patch(DEPLOYMENT, first, "web-r1", hold)
    removed = await kubernetes.runtime.delete(key)
    assert removed.namespaces == 1
    seen = await kubernetes.runtime.observe(key)
    assert (seen.releases, seen.leftovers, seen.ending) == ((), 0, (f"`{first}`",))
    assert (await kubernetes.runtime.delete(key)).total == 0, "what is ending is not counted twice"
    await kubernetes.runtime.start(release(key, "r2", WEB), _DIGESTS)
    assert await kubernetes.namespace(key) == f"{first}-2"
    assert [each.revision for each in (await kubernetes.runtime.observe(key)).releases] == ["r2"]
    await kubernetes.patch(DEPLOYMENT, first, "web-r1", {"metadata": {"finalizers": None}})
    await kubernetes.until(lambda seen: not seen.ending, key)
