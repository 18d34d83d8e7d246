"""What hinders a preview and passes: people are told once, nobody has to do anything, and it ends served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from previewbot.core.errors import Refused
from previewbot.core.model import InstanceState, Reason
from previewbot.demo.github.state import Pull
from tests.fakes.runtime import READY, Behaviour
from tests.stories.town import Town

MINUTE = timedelta(minutes=1)


def _no_room(city: Town) -> None:
    trouble = Behaviour(InstanceState.FAILED, "finds no room: 0/3 nodes are available", reason=Reason.UNSCHEDULABLE)
    city.runtime.behave = lambda spec: trouble if spec.name == "web" else READY


def _no_image(city: Town) -> None:
    city.runtime.hinders = Refused("image_unavailable", "The image `redis:7` cannot be pulled: connection refused")


def _passes(city: Town) -> None:
    city.runtime.behave, city.runtime.hinders = lambda _: READY, None


async def _open(city: Town) -> Pull:
    pull = await city.github.open_pull(city.hosted, title="A change", author="alice", files={"web/x": "1"})
    await city.pass_time(timedelta(seconds=5))
    return pull


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (_no_room, "**There is no room for `{}` now**: service **web** finds no room: 0/3 nodes are available"),
        (_no_image, "**`{}` lacks an image**: The image `redis:7` cannot be pulled: connection refused"),
    ],
)
async def test_trouble_that_passes_is_told_once_and_ends_served_by_itself(
    city: Town, trouble: Callable[[Town], None], told: str
) -> None:
    trouble(city)
    pull = await _open(city)
    first = city.comment(pull)
    assert told.format(pull.sha[:7]) in first
    assert "It is tried again by itself" in first
    (comment,) = [each for each in pull.comments if each.body == first]
    edited = comment.updated_at
    await city.pass_time(30 * MINUTE)
    assert (city.comment(pull), comment.updated_at) == (first, edited), "nobody is told the same again"
    assert not (await city.observed(pull)).routes
    _passes(city)
    await city.pass_time(6 * MINUTE)
    assert "**Preview is ready**" in city.comment(pull)
    assert city.deployment(pull.sha) == "success"
    assert await city.store.next_due() is None


async def test_a_served_release_outlives_that_a_part_of_it_cannot_be_put_back(city: Town) -> None:
    pull = await city.open()
    key, (release,) = city.key(pull), (await city.observed(pull)).releases
    city.runtime.lose(key, release.revision, "api")
    _no_image(city)
    await city.store.add([key], city.clock.now())
    await city.pass_time(MINUTE)
    (left,) = (await city.observed(pull)).releases
    assert [each.service for each in left.instances] == ["web"]
    assert "**previewbot is waiting**" in city.comment(pull)
    _passes(city)
    await city.pass_time(6 * MINUTE)
    assert "**Preview is ready**" in city.comment(pull)


async def test_what_serves_is_put_back_though_the_newest_commit_has_a_flaw(city: Town) -> None:
    pull = await city.open()
    await city.push(pull, {"previewbot.yaml": "version: 1\nservices: 7\n"})
    key, (release,) = city.key(pull), (await city.observed(pull)).releases
    city.runtime.lose(key, release.revision, "api")
    await city.store.add([key], city.clock.now())
    await city.settle()
    (whole,) = (await city.observed(pull)).releases
    assert sorted(each.service for each in whole.instances) == ["api", "web"]
    assert "previewbot.yaml has a flaw" in city.comment(pull)
