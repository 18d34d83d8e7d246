"""What every cloud keeps to."""

from __future__ import annotations

import pytest

from previewbot.core.blueprint import Resource, ResourceType
from previewbot.core.ids import Key
from previewbot.ports import Cloud
from tests.fakes.cloud import FakeCloud

KEY, OTHER = Key(7, 42), Key(7, 4)
FILES, JOBS = Resource("files", ResourceType.STORAGE), Resource("jobs", ResourceType.QUEUE)


@pytest.fixture(params=["fake", "aws"])
def made(request: pytest.FixtureRequest) -> Cloud:
    if request.param == "fake":
        return FakeCloud()
    found: Cloud = request.getfixturevalue("aws_cloud")
    return found


@pytest.mark.parametrize("resource", [FILES, JOBS], ids=["storage", "queue"])
async def test_it_can_be_provided_twice_and_the_newest_credentials_are_others(made: Cloud, resource: Resource) -> None:
    first = await made.provide(KEY, "shop", resource)
    second = await made.provide(KEY, "shop", resource)
    assert first.access_key != second.access_key
    assert first.secret_key != second.secret_key
    assert await made.delete(KEY)


async def test_two_environments_have_other_credentials_and_one_goes_without_the_other(made: Cloud) -> None:
    own = {(await made.provide(key, "shop", FILES)).access_key for key in (KEY, OTHER)}
    assert len(own) == 2
    assert await made.delete(KEY)
    assert await made.delete(KEY), "gone is fine"
    await made.provide(KEY, "shop", JOBS)
    assert await made.delete(KEY)
    assert await made.delete(OTHER)


async def test_it_lists_the_environments_that_have_anything(made: Cloud) -> None:
    assert await made.keys() == frozenset()
    await made.provide(KEY, "shop", FILES)
    await made.provide(KEY, "shop", JOBS)
    await made.provide(OTHER, "shop", JOBS)
    assert await made.keys() == {KEY, OTHER}
    assert await made.delete(KEY)
    assert await made.keys() == {OTHER}
    assert await made.delete(OTHER)
    assert await made.keys() == frozenset()


async def test_it_describes_itself_and_shows_no_secret_by_accident(made: Cloud) -> None:
    assert await made.check()
    credentials = await made.provide(KEY, "shop", FILES)
    assert credentials.secret_key.text not in repr(credentials)
    assert await made.delete(KEY)
