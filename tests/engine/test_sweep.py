"""What repeats for ever outlives whatever it meets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.engine.bells import Bells
from previewbot.engine.sweep import Sweeper, survey, watch
from tests.stories.test_moments import until
from tests.stories.town import town

FAILURES = [Transient("away"), Refused("runtime_refused", "no"), ZeroDivisionError()]


class Broken:
    """A runtime whose changes cannot be had."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    async def changes(self) -> AsyncIterator[Key]:
        for key in await self.keys():
            yield key

    async def keys(self) -> set[Key]:
        self.asked += 1
        raise self.error


@pytest.mark.parametrize("error", FAILURES, ids=lambda each: type(each).__name__)
async def test_whoever_watches_the_runtime_goes_on_whatever_it_says(error: Exception, tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        broken = Broken(error)
        world = replace(city.world, runtime=broken)  # type: ignore[arg-type]
        watching = asyncio.create_task(watch(world, Bells(), pause=timedelta(0)))
        await until(lambda: broken.asked > 2 or watching.done())
        assert not watching.done()
        watching.cancel()
        await asyncio.wait([watching])


@pytest.mark.parametrize("error", FAILURES, ids=lambda each: type(each).__name__)
async def test_a_part_of_the_sweep_that_fails_costs_none_of_the_others(error: Exception, tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        city.github.hooks.lose = True
        lost = await city.github.open_pull(city.hosted, title="A change", author="alice", files={"web/x": "1"})
        city.github.hooks.lose = False
        broken = Broken(error)
        sweeper = Sweeper(replace(city.world, runtime=broken), city.policy)  # type: ignore[arg-type]
        await sweeper.sweep()
        assert broken.asked
        await city.settle()
        assert "**Preview is ready**" in city.comment(lost)


async def test_a_comment_that_came_while_previewbot_was_down_for_hours_is_still_answered(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        pull = await city.open()
        city.github.hooks.lose = True
        lost = city.github.comment(city.hosted, pull, "alice", "/redeploy")
        await city.github.hooks.settle()
        city.github.hooks.lose = False
        city.clock.ahead += timedelta(hours=5)
        running = asyncio.create_task(Sweeper(city.world, city.policy).run())
        await until(lambda: any(each.redelivery for each in city.github.state.attempts))
        running.cancel()
        await asyncio.wait([running])
        await city.settle()
        assert sorted(each.content for each in lost.reactions) == ["+1", "eyes"]


async def test_images_that_nothing_is_remembered_of_are_kept_as_long_as_others_and_then_go(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        pull = await city.open()
        city.github.close(city.hosted, pull)
        await city.settle()
        later = city.clock.now() + timedelta(days=1)
        await city.store.forget_images(await city.store.unused_images(later), later)
        await city.sweep()
        assert len(await city.builder.images()) == 2
        city.clock.ahead += city.policy.keep_images + timedelta(minutes=1)
        await city.sweep()
        assert not await city.builder.images()


async def test_no_code_of_an_uninstalled_repository_stays(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        pull = await city.open()
        city.github.close(city.hosted, pull)
        await city.settle()
        mirror = tmp_path / "source" / f"{city.hosted.id}.git"
        assert mirror.exists()
        city.github.hooks.lose = True
        city.github.uninstall(city.hosted)
        city.clock.ahead += timedelta(minutes=2)
        await city.sweep()
        assert not mirror.exists()


async def test_repositories_without_a_preview_are_surveyed_now_and_then(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        await city.github.create_repository("acme/idle", {"a": "1"})
        await city.open()
        before = len(city.github.requests)
        for _ in range(21):
            await city.sweep()
        surveyed = [
            path for method, path in city.github.requests[before:] if method == "GET" and path.endswith("/pulls")
        ]
        assert surveyed.count("/repos/acme/shop/pulls") == 21
        assert surveyed.count("/repos/acme/idle/pulls") in {3, 4}


async def test_a_survey_finds_what_nobody_brings_up_yet_and_no_commit_that_a_pass_is_at(tmp_path: Path) -> None:
    async with town(tmp_path) as city:
        city.github.hooks.lose = True
        pull = await city.github.open_pull(city.hosted, title="A change", author="alice", files={"web/x": "1"})
        key, bells = city.key(pull), Bells()
        assert await survey(city.world, key.repository, bells) == {key}
        with bells.listening(key) as bell:
            assert await survey(city.world, key.repository, bells) == {key}, "its pass has not read the commit yet"
            bell.commit = pull.sha
            assert not await survey(city.world, key.repository, bells)
            await city.github.push(city.hosted, pull, {"web/x": "2"})
            assert await survey(city.world, key.repository, bells) == {key}, "a newer commit is news"
