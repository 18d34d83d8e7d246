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
from previewbot.engine.sweep import Sweeper, watch
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
