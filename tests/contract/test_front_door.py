"""What every front door keeps to: the one in memory and a real Caddy alike."""

from __future__ import annotations

from itertools import count

import pytest

from previewbot.core.ids import Key
from previewbot.ports import FrontDoor
from tests.fakes.front_door import FakeFrontDoor
from tests.fixtures.caddy import Street

_numbers = count(1)
HOST = "pr-1-shop.localhost"


@pytest.fixture(params=["fake", pytest.param("caddy", marks=pytest.mark.engine)])
def front_door(request: pytest.FixtureRequest) -> FrontDoor:
    if request.param == "fake":
        return FakeFrontDoor()
    street: Street = request.getfixturevalue("street")
    return street.door


@pytest.fixture
def key() -> Key:
    return Key(7, next(_numbers))


async def test_an_unknown_environment_has_no_route(front_door: FrontDoor, key: Key) -> None:
    assert dict(await front_door.observe(key)) == {}
    assert key not in await front_door.keys()


async def test_what_is_routed_is_observed(front_door: FrontDoor, key: Key) -> None:
    routes = {HOST: ("127.0.0.1:1", "127.0.0.1:2"), f"api-{HOST}": ("127.0.0.1:3",)}
    await front_door.route(key, routes)
    assert dict(await front_door.observe(key)) == routes
    assert await front_door.keys() == {key}


async def test_routes_are_replaced_whole(front_door: FrontDoor, key: Key) -> None:
    await front_door.route(key, {HOST: ("127.0.0.1:1",), f"api-{HOST}": ("127.0.0.1:3",)})
    await front_door.route(key, {HOST: ("127.0.0.1:2",)})
    assert dict(await front_door.observe(key)) == {HOST: ("127.0.0.1:2",)}


async def test_done_twice_is_done_once(front_door: FrontDoor, key: Key) -> None:
    for _ in range(2):
        await front_door.route(key, {HOST: ("127.0.0.1:1",)})
    assert dict(await front_door.observe(key)) == {HOST: ("127.0.0.1:1",)}
    for _ in range(2):
        await front_door.route(key, {})
    assert dict(await front_door.observe(key)) == {}
    assert await front_door.keys() == frozenset()


async def test_environments_do_not_touch_each_other(front_door: FrontDoor, key: Key) -> None:
    other = Key(7, next(_numbers))
    await front_door.route(key, {HOST: ("127.0.0.1:1",)})
    await front_door.route(other, {f"other-{HOST}": ("127.0.0.1:2",)})
    await front_door.route(key, {})
    assert dict(await front_door.observe(other)) == {f"other-{HOST}": ("127.0.0.1:2",)}
    assert await front_door.keys() == {other}


async def test_it_can_be_described(front_door: FrontDoor) -> None:
    assert await front_door.check()
