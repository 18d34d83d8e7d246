"""What the images of an instance cost to look at, and that others' are never touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from previewbot.adapters.buildkit import Names, Registry, Stock
from previewbot.adapters.buildkit.login import Login
from previewbot.core.errors import Refused
from tests.fakes.registry import HOST, LOGIN, FakeRegistry
from tests.fixtures.registry import push

NAMES = Names(f"{HOST}/previews", "app-1")


class Robot:
    def read(self) -> Login:
        return Login(*LOGIN)


@dataclass
class Shelf:
    """A registry in memory, and the stock of one instance in it."""

    server: FakeRegistry
    stock: Stock
    used: set[str]
    """What anything runs."""

    async def put(self, image: str, *, tag: str | None = None, instance: str = "app-1") -> str:
        labels = {"previewbot.instance": instance, "previewbot.image": image}
        config = {"config": {"Labels": labels, "User": "7"}}
        return await push(self.stock.registry, NAMES.repository, tag or image, config)

    def asked(self) -> list[str]:
        """What the registry itself was asked since last time."""
        own = [each for each in self.server.requests if each.url.host == HOST]
        self.server.requests.clear()
        return sorted(f"{each.method} {each.url.path.split('/')[4]}" for each in own)


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    server = FakeRegistry()
    registry = Registry(HOST, logins=Robot(), transport=server)
    used = set[str]()

    async def in_use() -> set[str]:
        return used

    yield Shelf(server, Stock(registry, NAMES, in_use), used)
    await registry.aclose()


async def test_what_an_image_holds_is_asked_once_and_whether_it_is_there_each_time(shelf: Shelf) -> None:
    digest = await shelf.put("one")
    await shelf.stock.locate(["one"])
    shelf.asked()
    assert await shelf.stock.locate(["one", "two"]) == {"one": NAMES.pinned(digest)}
    assert shelf.asked() == ["HEAD manifests", "HEAD manifests"]


async def test_a_listing_of_what_is_known_is_one_request(shelf: Shelf) -> None:
    for n in range(20):
        await shelf.put(f"image-{n}")
    assert len(await shelf.stock.images()) == 20
    shelf.asked()
    assert len(await shelf.stock.images()) == 20
    assert shelf.asked() == ["GET tags"]


async def test_an_image_that_somebody_else_deleted_is_not_listed_any_more(shelf: Shelf) -> None:
    digest = await shelf.put("one")
    assert len(await shelf.stock.images()) == 1
    await shelf.stock.registry.delete(NAMES.repository, digest)
    assert not await shelf.stock.images()
    assert await shelf.stock.locate(["one"]) == {}


async def test_what_is_labelled_otherwise_is_not_ours(shelf: Shelf) -> None:
    await shelf.put("one", tag="two")
    await shelf.put("three", instance="app-2")
    await push(shelf.stock.registry, NAMES.repository, "four", {})
    assert not await shelf.stock.images()
    for image in ("two", "three", "four"):
        await shelf.stock.discard(image)
    assert len(shelf.server.tags) == 3


async def test_an_image_that_runs_is_kept_under_whatever_name_it_runs(shelf: Shelf) -> None:
    digest = await shelf.put("one")
    for reference in (NAMES.pinned(digest), f"mirror.test/x@{digest}"):
        shelf.used |= {reference, "redis:7"}
        assert [each.in_use for each in await shelf.stock.images()] == [True]
        await shelf.stock.discard("one")
        assert len(shelf.server.tags) == 1
        shelf.used.remove(reference)
    await shelf.stock.discard("one")
    assert not shelf.server.tags


async def test_a_registry_that_deletes_nothing_refuses_a_discard(shelf: Shelf) -> None:
    await shelf.put("one")
    shelf.server.deletes = False
    with pytest.raises(Refused, match="does not delete images"):
        await shelf.stock.discard("one")
    await shelf.stock.discard("gone")


async def test_as_whom_an_image_runs_is_read_by_tag_and_by_digest_of_our_own_alone(shelf: Shelf) -> None:
    digest = await shelf.put("one")
    assert await shelf.stock.user_of(NAMES.pinned(digest)) == "7"
    assert await shelf.stock.user_of(NAMES.tagged("one")) == "7"
    assert await shelf.stock.user_of(NAMES.tagged("two")) is None
    shelf.asked()
    assert await shelf.stock.user_of("redis:7") is None
    assert await shelf.stock.user_of(NAMES.pinned(digest)) == "7"
    assert shelf.asked() == []
