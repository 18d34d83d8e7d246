"""What wakes an environment and what is in use, told by an API server that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from previewbot.adapters.kubernetes.api import Api, Listing
from previewbot.adapters.kubernetes.kinds import DEPLOYMENT, JOB, NAMESPACE, POD, QUOTA, SLICE, Kind, Thing
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.names import KEY
from previewbot.core.ids import Key

ONE, TWO, LAST = Key(12, 1), Key(12, 2), Key(12, 99)


@dataclass
class Told:
    """An API server without objects, and the news that it has of each kind."""

    version: int = 0
    news: dict[Kind, asyncio.Queue[tuple[str, Thing]]] = field(default_factory=dict)

    async def list(self, kind: Kind, namespace: str | None = None, **_: str) -> Listing:
        return Listing((), "0")

    async def watch(self, kind: Kind, version: str, selector: str, **_: Any) -> AsyncIterator[tuple[str, Thing]]:
        queue = self.news.setdefault(kind, asyncio.Queue())
        while True:
            yield await queue.get()

    async def say(self, what: str, kind: Kind, key: Key, **more: Any) -> None:
        """Say that an object changed, and wait until the mirror took it in."""
        self.version += 1
        about: dict[str, Any] = {"name": str(key), "uid": f"{kind.name} of {key}", "labels": {KEY: str(key)}}
        if kind.namespaced:
            about["namespace"] = str(key)
        about |= {"resourceVersion": str(self.version)} | more.pop("metadata", {})
        self.news[kind].put_nowait((what, {"kind": kind.name, "metadata": about, **more}))
        while not self.news[kind].empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[tuple[Told, Mirror, AsyncGenerator[Key, None]]]:
    """The API server, the mirror of it, and what a listener hears."""
    told = Told()
    mirror = Mirror(cast("Api", told), "", (NAMESPACE, QUOTA, POD, DEPLOYMENT, JOB, SLICE))
    keeping = asyncio.create_task(mirror.run())
    await mirror.ready()
    heard = cast("AsyncGenerator[Key, None]", mirror.listen())
    hearing = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    mirror.tell(LAST)
    assert await hearing == LAST
    yield told, mirror, heard
    keeping.cancel()
    await asyncio.wait([keeping])
    await heard.aclose()


async def _hear(mirror: Mirror, heard: AsyncGenerator[Key, None]) -> list[Key]:
    """Everything that the listener has not heard yet."""
    mirror.tell(LAST)
    found: list[Key] = []
    while (each := await anext(heard)) != LAST:
        found.append(each)
    return found


Scene = tuple[Told, Mirror, AsyncGenerator[Key, None]]


async def test_an_environment_is_heard_of_once_however_much_of_it_changed(scene: Scene) -> None:
    told, mirror, heard = scene
    await told.say("ADDED", POD, ONE)
    await told.say("ADDED", POD, TWO)
    await told.say("MODIFIED", POD, ONE)
    assert await _hear(mirror, heard) == [ONE, TWO]
    await told.say("MODIFIED", POD, ONE)
    assert await _hear(mirror, heard) == [ONE], "news after it was heard of is news again"


async def test_a_status_that_nobody_looks_at_wakes_nobody(scene: Scene) -> None:
    told, mirror, heard = scene
    await told.say("ADDED", QUOTA, ONE, spec={"hard": {"pods": "20"}})
    assert await _hear(mirror, heard) == [ONE]
    owners = {"managedFields": [{"manager": "kube-controller-manager", "subresource": "status"}]}
    await told.say("MODIFIED", QUOTA, ONE, spec={"hard": {"pods": "20"}}, status={"used": {}}, metadata=owners)
    assert await _hear(mirror, heard) == []
    await told.say("MODIFIED", QUOTA, ONE, spec={"hard": {"pods": "99"}}, status={"used": {}}, metadata=owners)
    assert await _hear(mirror, heard) == [ONE], "what somebody edits does"


@pytest.mark.parametrize("kind", [DEPLOYMENT, JOB], ids=lambda kind: kind.name)
async def test_the_end_of_a_program_is_news_however_late_it_is_told(scene: Scene, kind: Kind) -> None:
    """A pod may have ended before its Job says so: that is when the environment can go on."""
    told, mirror, heard = scene
    await told.say("ADDED", kind, ONE, status={})
    assert await _hear(mirror, heard) == [ONE]
    await told.say("MODIFIED", kind, ONE, status={"conditions": [{"type": "Complete", "status": "True"}]})
    assert await _hear(mirror, heard) == [ONE]


async def test_the_image_of_a_job_that_is_laid_is_in_use_as_that_of_a_server_is(scene: Scene) -> None:
    told, mirror, _ = scene
    for kind, image in ((DEPLOYMENT, "r/web@1"), (JOB, "r/cron@2")):
        template = {"spec": {"containers": [{"image": image}]}}
        await told.say("ADDED", kind, ONE, spec={"suspend": True, "template": template})
    assert await mirror.images() == {"r/web@1", "r/cron@2"}


async def test_wherever_the_api_server_goes_every_environment_hears_of_it(scene: Scene) -> None:
    told, mirror, heard = scene
    assert mirror.api_server() == []
    for key in (ONE, TWO):
        await told.say("ADDED", NAMESPACE, key)
    assert await _hear(mirror, heard) == [ONE, TWO]
    away = {"name": "kubernetes", "uid": "k", "namespace": "default", "labels": {}}
    await told.say("ADDED", SLICE, ONE, metadata=away, endpoints=[{"addresses": ["192.0.2.7"]}])
    assert set(await _hear(mirror, heard)) == {ONE, TWO}
    await told.say("MODIFIED", SLICE, ONE, metadata=away, endpoints=[{"addresses": ["192.0.2.8", "2001:db8::1"]}])
    assert set(await _hear(mirror, heard)) == {ONE, TWO}
    assert mirror.api_server() == ["192.0.2.8/32", "2001:db8::1/128"]


async def test_somebody_who_takes_a_field_over_without_changing_it_is_news(scene: Scene) -> None:
    told, mirror, heard = scene
    await told.say("ADDED", QUOTA, ONE, metadata={"managedFields": [{"manager": "previewbot"}]})
    await told.say("MODIFIED", QUOTA, TWO)
    assert await _hear(mirror, heard) == [ONE, TWO]
    await told.say("MODIFIED", QUOTA, ONE, metadata={"managedFields": [{"manager": "somebody"}]})
    assert await _hear(mirror, heard) == [ONE]


async def test_what_ends_with_its_namespace_wakes_nobody_until_that_is_gone(scene: Scene) -> None:
    told, mirror, heard = scene
    await told.say("ADDED", NAMESPACE, ONE)
    await told.say("ADDED", POD, ONE)
    await told.say("MODIFIED", NAMESPACE, ONE, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert await _hear(mirror, heard) == [ONE]
    await told.say("DELETED", POD, ONE)
    assert await _hear(mirror, heard) == []
    await told.say("DELETED", NAMESPACE, ONE)
    assert await _hear(mirror, heard) == [ONE]


async def test_an_environment_has_the_namespaces_that_name_it_newest_first(scene: Scene) -> None:
    told, mirror, _ = scene
    for day, name in enumerate(("a", "b"), 1):
        born = {"name": name, "uid": name, "creationTimestamp": f"2026-01-0{day}T00:00:00Z"}
        await told.say("ADDED", NAMESPACE, ONE, metadata=born)
    assert [each["metadata"]["name"] for each in mirror.namespaces(ONE)] == ["b", "a"]
    await told.say("MODIFIED", NAMESPACE, TWO, metadata={"name": "a", "uid": "a"})
    assert [each["metadata"]["name"] for each in mirror.namespaces(ONE)] == ["b"], "it names another one now"
    assert [each["metadata"]["name"] for each in mirror.namespaces(TWO)] == ["a"]
    await told.say("DELETED", NAMESPACE, TWO, metadata={"name": "a", "uid": "a"})
    assert not mirror.namespaces(TWO)
