"""What every front door keeps to: the one in memory, a real Caddy, and a cluster's Ingresses and HTTPRoutes alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from previewbot.adapters.kubernetes import Gateway, Routing
from previewbot.core.ids import Key
from previewbot.ports import FrontDoor, Runtime
from tests.fakes.front_door import FakeFrontDoor
from tests.fixtures.caddy import Street
from tests.fixtures.kubernetes import OPTIONS, rig

_numbers = count(1)
HOST = "pr-1-shop.localhost"
API = f"api-{HOST}"


@dataclass(frozen=True)
class Entrance:
    """A front door, and what the environments behind it look like to it."""

    door: FrontDoor
    targets: tuple[str, ...] = ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
    shares: bool = True
    """Whether one host may lead to several targets; in a cluster a Service shares its visitors out itself."""
    runtime: Runtime | None = None
    """What makes room for routes, where they belong to their environment's room."""

    async def prepare(self, key: Key) -> None:
        """Make room for the routes of an environment."""
        if self.runtime:
            await self.runtime.prepare(key, "r1")

    @property
    def web(self) -> tuple[str, ...]:
        """The targets of a host with as many of them as there can be."""
        return self.targets[:2] if self.shares else self.targets[:1]

    async def has(self, *keys: Key) -> bool:
        """Whether just these environments have routes, as far as the front door tells them from those with room."""
        found = await self.door.keys()
        return found == frozenset(keys) if self.runtime is None else found >= frozenset(keys)


_ROUTINGS = {
    "kubernetes-ingress": Routing(),
    "kubernetes-gateway": Routing(gateway=Gateway("public", "gateways", "https")),
}
_CLUSTER = [pytest.param(each, marks=pytest.mark.cluster) for each in _ROUTINGS]


@dataclass(frozen=True)
class Home:
    """Where a cluster is, and how hosts are led in there."""

    kubeconfig: Path
    instance: str
    routing: Routing


@pytest.fixture(params=["fake", pytest.param("caddy", marks=pytest.mark.engine), *_CLUSTER])
def place(request: pytest.FixtureRequest) -> Street | Home | None:
    """What a front door is made of. It is asked for here, since no coroutine may ask for what needs one itself."""
    if request.param == "fake":
        return None
    if request.param == "caddy":
        street: Street = request.getfixturevalue("street")
        return street
    kubeconfig, instance = (request.getfixturevalue(each) for each in ("kubeconfig", "instance"))
    return Home(kubeconfig, instance, _ROUTINGS[request.param])


@pytest.fixture
async def entrance(place: Street | Home | None) -> AsyncIterator[Entrance]:
    if place is None:
        yield Entrance(FakeFrontDoor())
    elif isinstance(place, Street):
        yield Entrance(place.door)
    else:
        async with rig(place.kubeconfig, place.instance, replace(OPTIONS, routing=place.routing)) as made:
            targets = ("web-r1:8080", "web-r2:8080", "api-r1:9000")
            yield Entrance(made.front_door, targets, shares=False, runtime=made.runtime)


@pytest.fixture
async def key(entrance: Entrance) -> Key:
    made = Key(7, next(_numbers))
    await entrance.prepare(made)
    return made


async def test_an_unknown_environment_has_no_route(entrance: Entrance) -> None:
    key = Key(7, next(_numbers))
    assert dict(await entrance.door.observe(key)) == {}
    assert key not in await entrance.door.keys()


async def test_what_is_routed_is_observed(entrance: Entrance, key: Key) -> None:
    routes = {HOST: entrance.web, API: entrance.targets[2:]}
    await entrance.door.route(key, routes)
    assert dict(await entrance.door.observe(key)) == routes
    assert await entrance.has(key)


async def test_routes_are_replaced_whole(entrance: Entrance, key: Key) -> None:
    first, second, third = entrance.targets
    await entrance.door.route(key, {HOST: (first,), API: (third,)})
    await entrance.door.route(key, {HOST: (second,)})
    assert dict(await entrance.door.observe(key)) == {HOST: (second,)}


async def test_done_twice_is_done_once(entrance: Entrance, key: Key) -> None:
    for _ in range(2):
        await entrance.door.route(key, {HOST: entrance.targets[:1]})
    assert dict(await entrance.door.observe(key)) == {HOST: entrance.targets[:1]}
    for _ in range(2):
        await entrance.door.route(key, {})
    assert dict(await entrance.door.observe(key)) == {}
    assert await entrance.has()


async def test_environments_do_not_touch_each_other(entrance: Entrance, key: Key) -> None:
    other = Key(7, next(_numbers))
    await entrance.prepare(other)
    await entrance.door.route(key, {HOST: entrance.targets[:1]})
    await entrance.door.route(other, {f"other-{HOST}": entrance.targets[1:2]})
    await entrance.door.route(key, {})
    assert dict(await entrance.door.observe(other)) == {f"other-{HOST}": entrance.targets[1:2]}
    assert await entrance.has(other)


async def test_it_can_be_described(entrance: Entrance) -> None:
    assert await entrance.door.check()
